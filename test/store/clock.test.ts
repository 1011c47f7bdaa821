/** A collector whose own clock is set, back and on, by hours and by years: nothing is stored twice, lost, or removed for it. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { FlowBatch, setTime, setU64 } from '../../src/schema/batch.ts'
import { FLOWS } from '../../src/schema/ddl.ts'
import { NativeEncoder } from '../../src/schema/native.ts'
import { ROLLUP_NAMES } from '../../src/schema/rollups.ts'
import { openStore, openWriter } from '../../src/store/open.ts'
import { keepFor } from '../../src/store/retention.ts'
import type { Block } from '../../src/store/store.ts'
import { NO_ENGINE } from './engine.ts'
import { temporaryDirectory } from './temporary.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const ROWS = 50
/** How far the clock is off when each block is made. */
const STEPS_MS = [0, -HOUR_MS, HOUR_MS, -400 * DAY_MS, 0, 400 * DAY_MS, -DAY_MS, -25 * 365 * DAY_MS, 0]

function blockAt(ms: number, first: number): Block {
  const batch = new FlowBatch(ROWS)
  const { flow_end, time_received, sequence, bytes } = batch.columns
  for (let row = 0; row < ROWS; row++) {
    setTime(flow_end, row, ms + row)
    setTime(time_received, row, ms + row)
    sequence[row] = first + row
    setU64(bytes, row, 100)
  }
  batch.rows = ROWS
  return { table: FLOWS, ...new NativeEncoder().encode([batch]), rows: ROWS, token: `clock-${first}` }
}

describe("a collector's clock that is set", { skip: NO_ENGINE }, () => {
  const temporary = temporaryDirectory()
  after(() => temporary.remove())

  it('opens a partition a day, and neither tokens nor sums nor times to keep rows go by it', async () => {
    const data = join(temporary.path, 'data')
    const store = await openStore({ data })
    await store.migrate()
    const { writer, close } = await openWriter(store, { data })
    const now = Date.now()
    for (const [i, step] of [...STEPS_MS.entries(), [2, HOUR_MS] as const]) {
      await writer.enqueue(blockAt(now + step, i * ROWS))
      assert.ok(writer.lagMs(now + step) >= 0)
    }
    assert.equal(await writer.flush(60_000), true)
    const sent = STEPS_MS.length * ROWS
    const day = 86_400
    await keepFor(store, { flows: day, flows_1m: day, flows_1h: day, flows_1d: day })
    for (const table of [FLOWS, ...ROLLUP_NAMES]) await store.run(`OPTIMIZE TABLE ovsight.${table} FINAL`)
    const ask = async (sql: string) => (await store.query({ sql, params: {} })).rows[0]
    assert.deepEqual(
      await ask('SELECT count() AS n, uniqExact(sequence) AS different, sum(bytes) AS bytes FROM flows'),
      {
        n: sent,
        different: sent,
        bytes: sent * 100,
      },
    )
    for (const table of ROLLUP_NAMES) {
      const { bucketMs } = { flows_1m: { bucketMs: 60 }, flows_1h: { bucketMs: 3_600 }, flows_1d: { bucketMs: day } }[
        table
      ]
      const differing = await ask(
        `SELECT count() AS n FROM (SELECT intDiv(toUnixTimestamp(flow_end), ${bucketMs}) AS b, toInt64(sum(bytes)) AS s FROM flows GROUP BY b) AS r ` +
          `FULL JOIN (SELECT intDiv(toUnixTimestamp(bucket), ${bucketMs}) AS b, sum(bytes) AS s FROM ${table} GROUP BY b) AS q USING (b) WHERE r.s != q.s`,
      )
      assert.deepEqual(differing, { n: 0 }, table)
    }
    await close()
    await store.close()
  })
})
