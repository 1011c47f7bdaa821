/** The same question answered from records and from sums of them. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { askMatrix, askSeries, askTop, type TopRequest } from '../../src/query/ask.ts'
import type { Asker } from '../../src/query/plan.ts'
import { piecesOf } from '../../src/query/rollup.ts'
import { NO_ENGINE } from '../store/engine.ts'
import { Engine, type Record_ } from './engine.ts'
import { RECORDS, T0 } from './records.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAYS_MS = 120 * HOUR

/** The records of the small cloud again and again over five days, sampled now and then. */
function history(): Record_[] {
  const records: Record_[] = []
  for (let ms = 0; ms < DAYS_MS; ms += 17 * MINUTE + 13_007)
    for (const record of RECORDS)
      records.push({
        ...record,
        flow_end: Number(record.flow_end) + ms,
        bytes: Number(record.bytes) + (ms % 977),
        ...(ms % 3 === 0 ? { sampling_rate: 64, samples: 2, bytes_variance: ms % 1009, l2_bytes_variance: 5 } : {}),
      })
  return records
}

describe('the parts of a span', () => {
  it('are the records alone when it is short', () => {
    assert.deepEqual(piecesOf({ fromMs: 5, toMs: 9 * MINUTE }), [{ table: 'flows', fromMs: 5, toMs: 9 * MINUTE }])
  })

  it('join without gap or overlap, buckets whole', () => {
    for (const [fromMs, toMs] of [
      [5, 12 * MINUTE + 1],
      [0, 10 * MINUTE],
      [HOUR - 1, 30 * HOUR + 1],
      [0, 50 * HOUR],
      [7 * MINUTE, 50 * HOUR - 3],
      [5, 200 * HOUR + 7],
      [24 * HOUR, 96 * HOUR],
      [24 * HOUR + 1, 120 * HOUR],
    ] as const) {
      const pieces = piecesOf({ fromMs, toMs })
      assert.equal(pieces[0]!.fromMs, fromMs)
      assert.equal(pieces.at(-1)!.toMs, toMs)
      for (const [i, piece] of pieces.entries()) {
        assert.equal(pieces[i + 1]?.fromMs ?? toMs, piece.toMs)
        const bucket = { flows: 1, flows_1m: MINUTE, flows_1h: HOUR, flows_1d: 24 * HOUR }[piece.table]
        assert.equal(piece.fromMs % bucket, 0)
        assert.equal(piece.toMs % bucket, 0)
      }
    }
  })

  it('are of no coarser buckets than the grain', () => {
    const tables = (grainMs: number) =>
      new Set(piecesOf({ fromMs: 5, toMs: 200 * HOUR + 7 }, grainMs).map(({ table }) => table))
    assert.deepEqual([...tables(90_000)], ['flows'])
    assert.deepEqual([...tables(5 * MINUTE)], ['flows', 'flows_1m'])
    assert.deepEqual([...tables(36 * HOUR)], ['flows', 'flows_1m', 'flows_1h'])
    assert.deepEqual([...tables(48 * HOUR)], ['flows', 'flows_1m', 'flows_1h', 'flows_1d'])
  })
})

describe('questions that sums answer', { skip: NO_ENGINE }, () => {
  let engine: Engine
  before(async () => {
    engine = await Engine.open()
    const records = history()
    for (let at = 0; at < records.length; at += 500) await engine.insert(records.slice(at, at + 500))
  })
  after(() => engine.close())

  const span = { from: new Date(T0 + 61_003).toISOString(), to: new Date(T0 + DAYS_MS - HOUR + 1).toISOString() }
  /** Whoever asks here reads records only, or notes what is asked. */
  const asked: string[] = []
  const noting: Asker = {
    query: (plan) => {
      asked.push(plan.sql)
      return engine.store.query(plan)
    },
  }

  const QUESTIONS: readonly TopRequest[] = [
    { dimensions: ['server'] },
    { dimensions: ['project'], by: 'sent_packets' },
    { dimensions: ['port', 'ip_protocol'] },
    { dimensions: ['network'], count: 'all' },
    { dimensions: ['host'], with: 'totals,share' },
    { dimensions: ['src_server', 'dst_server', 'traffic_class'] },
    { dimensions: ['src_kind', 'role', 'src_grade'], count: 'all', by: 'records' },
    { dimensions: ['server'], filter: 'project red and direction east-west' },
    { dimensions: ['project'], filter: 'not project blue', compare: '12h' },
  ]

  for (const question of QUESTIONS)
    it(`agree to the byte with the records: ${JSON.stringify(question)}`, async () => {
      asked.length = 0
      const summed = await askTop(noting, { ...question, ...span }, T0)
      assert.ok(
        ['flows_1m', 'flows_1h', 'flows_1d'].every((table) => asked.some((sql) => sql.includes(`FROM ${table}`))),
        'minutes, hours and days were read',
      )
      // The same plans on views that hold the records only.
      const raw = await askTop(recordsOnly(), { ...question, ...span }, T0)
      assert.ok(summed.rows.length > 0)
      assert.deepEqual(summed, raw)
    })

  /** The same questions of the records, as they stand. */
  const records: Asker = { query: (plan) => engine.store.query(plan.records ?? plan) }

  for (const dimension of ['server', 'traffic_class'])
    it(`agree in trends, in parts of whole hours: ${dimension}`, async () => {
      asked.length = 0
      const request = {
        dimensions: [dimension],
        with: 'all',
        ...span,
        from: new Date(T0 - 10 * DAYS_MS + 1).toISOString(),
      }
      const summed = await askTop(noting, request, T0)
      assert.ok(asked.some((sql) => /AS value/.test(sql) && /FROM flows_1h/.test(sql) && !/FROM flows_1d/.test(sql)))
      assert.deepEqual(summed, await askTop(records, request, T0))
      for (const row of summed.rows.filter((one) => one['row'] === 'group'))
        assert.equal(
          (row['trend'] as number[]).reduce((a, b) => a + b),
          row['bytes'],
        )
    })

  for (const [step, table] of [
    ['7m', 'flows_1m'],
    ['2h', 'flows_1h'],
    ['1d', 'flows_1d'],
  ] as const)
    for (const dimensions of [[], ['project'], ['src_server']])
      it(`agree in a series of ${dimensions.join()} by ${step}`, async () => {
        asked.length = 0
        const request = { dimensions, step, n: '2', ...span }
        const summed = await askSeries(noting, request, T0)
        assert.ok(summed.rows.length > 3)
        const steps = asked.filter((sql) => /AS step/.test(sql))
        assert.ok(steps.length > 0 && steps.every((sql) => sql.includes(`FROM ${table}`)))
        assert.deepEqual(summed, await askSeries(records, request, T0))
      })

  it('leave steps that no bucket fits to the records', async () => {
    asked.length = 0
    await askSeries(noting, { dimensions: [], step: '90s', ...span }, T0)
    assert.ok(asked.some((sql) => /AS step/.test(sql) && !/FROM flows_1/.test(sql)))
  })

  it('agree for a matrix', async () => {
    const request = { rows: 'project', columns: 'project', ...span }
    assert.deepEqual(
      await askMatrix(noting, request as never, T0),
      await askMatrix(recordsOnly(), request as never, T0),
    )
  })

  it('leave to the records what they do not hold', async () => {
    asked.length = 0
    await askTop(noting, { dimensions: ['dst_l4_port'], ...span }, T0)
    await askTop(noting, { dimensions: ['server'], filter: 'dst port 443', ...span }, T0)
    await askTop(noting, { dimensions: ['server'], filter: 'bytes > 1000', ...span }, T0)
    await askTop(
      noting,
      { dimensions: ['server'], filter: 'project red and not packets < 3', with: 'totals', ...span },
      T0,
    )
    await askMatrix(noting, { filter: 'samples = 2', ...span }, T0)
    const answers = asked.filter((sql) => /group_hash|_total|AS ks/.test(sql))
    assert.equal(answers.length, 6)
    assert.equal(answers.filter((sql) => /flows_1[mhd]/.test(sql)).length, 0)
  })

  it('widen a span whose first records are gone', async () => {
    await engine.store
      .query({
        sql: `ALTER TABLE flows DELETE WHERE flow_end < toDateTime64('${stamp(T0 + 20 * HOUR)}', 3, 'UTC') SETTINGS mutations_sync = 2`,
        params: {},
      })
      .catch(() => {})
    const answer = await askTop(
      engine.store,
      { dimensions: ['project'], from: new Date(T0 + 25 * (17 * MINUTE + 13_007) + 2).toISOString(), to: span.to },
      T0,
    )
    assert.match(answer.notes.join(), /kept as sums only; this is from 2026-01-01 07:10:00/)
  })

  /** Sums are seen as the records' own: each of their tables is read from the records. */
  function recordsOnly(): Asker {
    return {
      query: (plan) => {
        const sql = plan.sql.replace(
          /FROM (flows_1[mhd]) WHERE bucket/g,
          (_, name: string) => `FROM ${fromRecords(name)} WHERE bucket`,
        )
        return engine.store.query({ ...plan, sql })
      },
    }
  }

  function fromRecords(name: string): string {
    const bucket = { flows_1m: 'toStartOfMinute', flows_1h: 'toStartOfHour' }[name] ?? 'toStartOfDay'
    return (
      `(SELECT * REPLACE (toInt64(packets) AS packets, toInt64(bytes) AS bytes, toInt64(l2_bytes) AS l2_bytes), ${bucket}(flow_end) AS bucket, toInt64(1) AS records, ` +
      `samples * toFloat64(sampling_rate) * (toFloat64(sampling_rate) - 1) AS packets_variance FROM flows)`
    )
  }

  function stamp(ms: number): string {
    return new Date(ms).toISOString().replace('T', ' ').replace('Z', '')
  }
})
