import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ChdbStore } from '../../src/store/chdb.ts'
import { DiskGuard } from '../../src/store/disk-guard.ts'
import { keepFor, oldestPartition } from '../../src/store/retention.ts'
import { FlowBatch, setTime } from '../../src/schema/batch.ts'
import { FLOWS } from '../../src/schema/ddl.ts'
import { NativeEncoder } from '../../src/schema/native.ts'
import { flowBlock, T0 } from './blocks.ts'
import { NO_ENGINE } from './engine.ts'
import { temporaryDirectory } from './temporary.ts'

const DAY = 86_400_000

function dayBlock(day: number, rows: number) {
  const batch = new FlowBatch(rows)
  for (let row = 0; row < rows; row++) {
    setTime(batch.columns.flow_end, row, T0 + day * DAY + row)
    setTime(batch.columns.time_received, row, T0 + day * DAY + row)
  }
  batch.rows = rows
  return { table: FLOWS, ...new NativeEncoder().encode([batch]), token: `day-${day}` }
}

describe('how long rows are kept', { skip: NO_ENGINE }, () => {
  const temporary = temporaryDirectory()
  let store: ChdbStore
  before(async () => {
    store = await ChdbStore.open({ directory: join(temporary.path, 'db') })
    await store.migrate()
  })
  after(async () => {
    await store.close()
    temporary.remove()
  })
  const count = async (table: string) =>
    Number((await store.query({ sql: `SELECT count() AS n FROM ${table}`, params: {} })).rows[0]!['n'])
  const ttlOf = async (table: string) =>
    /TTL \w+ \+ [^\n]*?\)/.exec(
      String(
        (
          await store.query({
            sql: `SELECT create_table_query AS made FROM system.tables WHERE database = 'ovsight' AND name = {table:String}`,
            params: { table },
          })
        ).rows[0]!['made'],
      ),
    )?.[0]

  it('is set, changed, and taken away again', async () => {
    await keepFor(store, { flows: 100, flows_1m: 200, flows_1h: 300 })
    assert.equal(await ttlOf('flows'), 'TTL time_stored + toIntervalSecond(100)')
    assert.equal(await ttlOf('flows_1h'), 'TTL day_stored + toIntervalSecond(300)')
    await keepFor(store, { flows: 101, flows_1m: 0, flows_1h: 300 })
    assert.equal(await ttlOf('flows'), 'TTL time_stored + toIntervalSecond(101)')
    assert.equal(await ttlOf('flows_1m'), undefined)
    await keepFor(store, { flows: 0, flows_1m: 0, flows_1h: 0, flows_1d: 0 })
  })

  it('is set for each table beside the flows as well', async () => {
    const kept = { exporter_health: 11, collector_metrics: 12, interface_counters: 13, audit: 14 }
    await keepFor(store, kept)
    for (const [table, seconds] of Object.entries(kept))
      assert.equal(await ttlOf(table), `TTL time_stored + toIntervalSecond(${seconds})`)
    await keepFor(store, { exporter_health: 0, collector_metrics: 0, interface_counters: 0, audit: 0 })
    assert.equal(await ttlOf('audit'), undefined)
  })

  it('counts from when rows were stored: an old capture stays, and goes when its time has come', async () => {
    await keepFor(store, { flows: 86_400, flows_1m: 0, flows_1h: 0 })
    await store.insert(flowBlock(100))
    await store.run('OPTIMIZE TABLE ovsight.flows FINAL')
    assert.equal(await count('flows'), 100)
    await keepFor(store, { flows: 1, flows_1m: 0, flows_1h: 0 })
    await new Promise((resolve) => setTimeout(resolve, 2_100))
    await store.run('OPTIMIZE TABLE ovsight.flows FINAL')
    assert.equal(await count('flows'), 0)
    assert.ok((await count('flows_1m')) > 0)
    await keepFor(store, { flows: 0, flows_1m: 0, flows_1h: 0, flows_1d: 0 })
  })

  it('ends early when the disk is nearly full: the oldest day goes, the newest stays, and it is said', async () => {
    for (const day of [1, 2, 3]) await store.insert(dayBlock(day, 10 * day))
    const said: string[] = []
    const log = { warn: (fields: object, message: string) => void said.push(`${message} ${JSON.stringify(fields)}`) }
    const full = new DiskGuard(store, { freeBytes: Number.MAX_SAFE_INTEGER, log })
    const removed = await full.look()
    assert.deepEqual([removed?.table, removed?.name, removed?.rows], ['flows', '2025-11-24', 10])
    assert.match(said[0]!, /the oldest rows are removed .*"rows":10/)
    assert.equal(await count('flows'), 50)
    for (let look = 0; look < 20; look++) await full.look()
    assert.equal(await count('flows'), 30)
    assert.equal(full.freedRows, 30)
    assert.equal(said.filter((line) => line.includes('only the newest rows are left')).length, 1)
    const roomy = new DiskGuard(store, { freeBytes: 1, log })
    assert.equal(await roomy.look(), undefined)
    assert.equal(await oldestPartition(store), undefined)
  })
})
