/** `kill -9` at random moments, of the collector and of its engine: nothing that was safe is lost, nothing doubled, in the sums neither. */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openStore, openWriter } from '../../src/store/open.ts'
import { ROWS } from '../store/crash-writer.ts'

const COLLECTOR = fileURLToPath(new URL('../store/crash-writer.js', import.meta.url))

/** Returns how many blocks were safe. Throws when one of them is missing or there twice. */
export async function kills(directory: string, times: number, say: (line: string) => void): Promise<number> {
  const data = join(directory, 'kills')
  let last = -1
  for (let round = 0; round < times; round++) {
    const collector = fork(COLLECTOR, [data, String(last + 1)])
    const before = last
    collector.on('message', (number: number) => (last = Math.max(last, number)))
    const began = () => last > before
    while (!began()) {
      assert.equal(collector.exitCode, null, 'the collector ended by itself')
      await pause(5)
    }
    await pause(Math.random() * 700)
    const engine = round % 2 === 0 ? childOf(collector.pid!) : undefined
    if (engine !== undefined) {
      process.kill(engine, 'SIGKILL')
      await pause(Math.random() * 1_500)
    }
    const ended = once(collector, 'exit')
    collector.kill('SIGKILL')
    await ended
    say(`kill ${round + 1} of ${times}${engine === undefined ? '' : ', the engine first'}: ${last + 1} blocks safe`)
  }
  await check(data, last + 1)
  return last + 1
}

async function check(data: string, blocks: number): Promise<void> {
  const store = await openStore({ data })
  await store.migrate()
  const { writer, close } = await openWriter(store, { data })
  assert.equal(await writer.flush(120_000), true, 'the spool is empty')
  const { rows } = await store.query({
    sql:
      `SELECT count() AS records, uniqExact(sequence) AS different, uniqExactIf(sequence, sequence < {safe:UInt32}) AS safe, ` +
      `(SELECT sum(records) FROM flows_1m) AS minutes, (SELECT sum(records) FROM flows_1h) AS hours, (SELECT sum(records) FROM flows_1d) AS days FROM flows`,
    params: { safe: blocks * ROWS },
  })
  const { records, different, safe, minutes, hours, days } = rows[0]!
  assert.equal(different, records, 'no record is there twice')
  assert.equal(safe, blocks * ROWS, 'every record that was safe is there')
  assert.equal(minutes, records, 'the minutes hold every record once')
  assert.equal(hours, records, 'the hours hold every record once')
  assert.equal(days, records, 'the days hold every record once')
  await close()
  await store.close()
}

/** The engine's process: the only child of a collector. */
function childOf(pid: number): number | undefined {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8')
      if (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid) return Number(entry)
    } catch {
      // It ended meanwhile.
    }
  }
  return undefined
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
