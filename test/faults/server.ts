/** A ClickHouse server that fails in every way it can, under load: rows stored = rows sent, in the records and in their sums. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { ClickHouseStore } from '../../src/store/clickhouse.ts'
import { openWriter } from '../../src/store/open.ts'
import { flowBlock } from '../store/blocks.ts'
import { type Fault, type Front, openFront } from '../store/clickhouse-front.ts'
import { openEngine } from '../store/engine.ts'
import { checkStored } from './stored.ts'

const DATABASE = 'faults'
/** Small blocks in quick succession while faults come and go: fifty times as many as a collector seals. */
const QUICK = { rows: 200, pauseMs: 20 }
/** As many rows a second in fewer blocks while the server is away: a collector seals one a second, and each waits in the spool. */
const STEADY = { rows: 2_000, pauseMs: 200 }
/** How long a request may go without an answer here; a server that hangs is found out by it. */
const LIMIT_MS = 1_000

const TOO_MANY_PARTS = {
  status: 500,
  code: 252,
  body: 'Code: 252. DB::Exception: Too many parts (3000). Merges are processing significantly slower than inserts. (TOO_MANY_PARTS)',
}

/** THE table of what goes wrong, one after the other; each for some inserts, then all is well for a while. */
const FAULTS: Readonly<Record<string, Fault>> = {
  'refuses the connection': 'cut-before',
  'ends the connection in the middle of a block': 'cut-within',
  'stores, and the answer is lost': 'cut-after',
  'answers 500': { status: 500, code: 1001, body: 'Code: 1001. DB::Exception: std::exception. (STD_EXCEPTION)' },
  'has too many parts': TOO_MANY_PARTS,
  hangs: 'hang',
}

/** Returns how many rows were sent. Throws when what is stored is not what was sent. */
export async function serverFaults(directory: string, outageMs: number, say: (line: string) => void): Promise<number> {
  const engine = await openEngine()
  const front = await openFront(engine.session, engine.directory)
  const url = `${front.url}/${DATABASE}`
  const store = new ClickHouseStore({ url, environment: {}, requestLimitMs: LIMIT_MS })
  await store.migrate()
  const { writer, close } = await openWriter(store, { data: join(directory, 'server') })
  let sent = 0
  const send = async (forMs: number, { rows, pauseMs } = QUICK) => {
    for (const end = performance.now() + forMs; performance.now() < end;) {
      await writer.enqueue(flowBlock(rows, sent, `sent-${sent}`))
      sent += rows
      await pause(pauseMs)
    }
  }
  for (const [name, fault] of Object.entries(FAULTS)) {
    say(`the server ${name}`)
    front.fault = some(fault)
    await send(2_000)
    front.fault = () => undefined
    await send(500)
  }
  say(`the server is gone for ${outageMs / 1000} s`)
  front.fault = () => 'cut-before'
  await send(outageMs, STEADY)
  say(`the server is back; ${writer.spoolBlocks} blocks wait`)
  const back = performance.now()
  front.fault = () => undefined
  await send(3_000, STEADY)
  // A block takes ten times as long on a machine that is busy: only one that hangs is a fault.
  assert.equal(await writer.flush(1_800_000), true, 'what was sent is stored')
  say(`all of them are stored ${((performance.now() - back) / 1000).toFixed(0)} s later`)
  assert.ok(writer.counters.insertFailures > Object.keys(FAULTS).length)
  await checkStored((sql) => engine.rows(sql), DATABASE, sent)
  await close()
  await store.close()
  await front.close()
  engine.close()
  return sent
}

/** The fault at two of three inserts. */
function some(fault: Fault): Front['fault'] {
  let count = 0
  return (query) => (query.startsWith('INSERT') && count++ % 3 !== 2 ? fault : undefined)
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
