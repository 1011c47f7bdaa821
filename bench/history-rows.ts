/** A month of rows for the bench of history: stored as if each had been stored at its own time. */
import assert from 'node:assert/strict'
import { FLOWS } from '../src/schema/ddl.ts'
import { NativeEncoder } from '../src/schema/native.ts'
import { openWriter } from '../src/store/open.ts'
import type { Store } from '../src/store/store.ts'
import type { Figure } from './figure.ts'
import { withColumn } from './native-column.ts'
import { VariedRows, captureRows } from './store-rows.ts'

const BLOCK_ROWS = 65_536
/** A block is stored when its first row came: it holds no more than half a day, as far as that makes two rows. */
const BLOCKS_A_DAY = 2
const DAY_MS = 86_400_000

/** Milliseconds since 1970. */
export interface Stretch {
  fromMs: number
  toMs: number
}

/** Rows in order of time, each block stored at its time; their ends as conversations.ts has them. */
export async function fillHistory(
  store: Store,
  data: string,
  rows: number,
  { fromMs, toMs }: Stretch,
): Promise<Figure> {
  const captures = [await captureRows('ipfix'), await captureRows('netflow5'), await captureRows('sflow5')]
  const pace = { fromMs, rate: (rows * 1000) / (toMs - fromMs) }
  const varied = new VariedRows(captures, BLOCK_ROWS, 1, { pace, lasting: true })
  const blockRows = Math.ceil(Math.min(BLOCK_ROWS, (rows * DAY_MS) / ((toMs - fromMs) * BLOCKS_A_DAY)))
  const encoder = new NativeEncoder()
  const { writer, close } = await openWriter(store, { data })
  const start = performance.now()
  let sent = 0
  for (let block = 0; sent < rows; block++) {
    const filled = varied.fill(Math.min(blockRows, rows - sent))
    const { columns, bytes, sums, release } = encoder.encode(varied.batches)
    const storedS = Math.floor((fromMs + (sent * 1000) / pace.rate) / 1000)
    const seconds = new Uint32Array(filled).fill(storedS)
    const daysOf = new Uint16Array(sums.rows).fill(Math.floor(storedS / 86_400))
    await writer.enqueue({
      table: FLOWS,
      rows: filled,
      token: `history-${block}`,
      ...withColumn({ columns, bytes }, 'time_stored', 'DateTime', seconds),
      sums: { rows: sums.rows, ...withColumn(sums, 'day_stored', 'Date', daysOf) },
      release,
    })
    sent += filled
    while (writer.spoolBlocks > 4) await writer.flush(50)
  }
  assert.equal(await writer.flush(600_000), true)
  await close()
  const seconds = (performance.now() - start) / 1000
  return { name: 'rows stored', value: sent / 1e6, unit: 'M rows', note: `in ${seconds.toFixed(0)} s` }
}
