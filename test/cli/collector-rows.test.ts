import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { collectorRows } from '../../src/cli/collector-rows.ts'
import { StoreFigures } from '../../src/cli/store-figures.ts'
import { writerReaders } from '../../src/cli/writer-readings.ts'
import { AppError } from '../../src/errors.ts'
import { ChdbStore } from '../../src/store/chdb.ts'
import type { Store } from '../../src/store/store.ts'
import { Writer } from '../../src/store/writer.ts'
import { joinReaders } from '../../src/telemetry/metrics.ts'
import { flowBlock } from '../store/blocks.ts'
import { NO_ENGINE } from '../store/engine.ts'
import { temporaryDirectory } from '../store/temporary.ts'

const NOW = Date.UTC(2026, 10, 22, 8)

describe('what a collector tells of itself', { skip: NO_ENGINE }, () => {
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

  it('is in the store as it is in the metrics, labels and all', async () => {
    await store.insert(flowBlock(100))
    const figures = new StoreFigures(store)
    await figures.look()
    const readers = joinReaders(figures.readers, {
      ovsight_identity_source_age_seconds: () => [[12.5, 'ovsdb', 'tcp:192.0.2.1:6640']],
      ovsight_templates: () => [[2], [3]],
      ovsight_workers: () => [[4]],
    })
    await store.insert({ ...collectorRows(readers, 'node-1', NOW), token: 'one' })
    const { rows } = await store.query({
      sql: 'SELECT toUnixTimestamp64Milli(time) AS at, collector, metric, label, value FROM collector_metrics',
      params: {},
    })
    assert.ok(rows.every((row) => Number(row['at']) === NOW && row['collector'] === 'node-1'))
    const values = new Map(
      rows.map((row) => [`${String(row['metric'])} ${String(row['label'])}`.trim(), Number(row['value'])]),
    )
    assert.equal(values.get('ovsight_store_rows flows'), 100)
    assert.ok(values.get('ovsight_store_bytes flows')! > 100)
    assert.ok(values.get('ovsight_store_free_bytes default')! > 1e6)
    assert.equal(values.get('ovsight_identity_source_age_seconds ovsdb tcp:192.0.2.1:6640'), 12.5)
    assert.equal(values.get('ovsight_templates'), 5)
    assert.ok(values.get('process_resident_memory_bytes')! > 1e7)
    assert.ok(!values.has('ovsight_workers'), 'not everything is recorded')
  })

  it('says how long blocks have waited while the store does not take them, and nothing of a store that is not there', async () => {
    const failing = {
      database: 'ovsight',
      insert: () => Promise.reject(new AppError('store_unreachable', 'no')),
      query: () => Promise.reject(new AppError('store_unreachable', 'no')),
    } as unknown as Store
    const writer = await Writer.open(failing, { directory: join(temporary.path, 'waiting') })
    const lag = () => [...writerReaders(writer).ovsight_insert_lag_seconds!()][0]![0]
    assert.equal(lag(), 0)
    await writer.enqueue(flowBlock(10))
    assert.ok(writer.lagMs(Date.now() + 90_000) >= 90_000)
    const figures = new StoreFigures(failing)
    await figures.look()
    assert.deepEqual([...figures.readers.ovsight_store_rows!()], [])
    await writer.close(0)
  })
})
