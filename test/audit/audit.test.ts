/** Flow totals and counters in the engine, compared. */
import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { after, before, describe, it } from 'node:test'
import { buildApi } from '../../src/api/server.ts'
import { askAudit } from '../../src/audit/ask.ts'
import { audit, type Audited } from '../../src/audit/audit.ts'
import { AuditWriter } from '../../src/audit/writer.ts'
import type { RowBlock, SideRow } from '../../src/schema/rows.ts'
import { encodeRows } from '../../src/schema/rows.ts'
import { COUNTERS_TABLE } from '../../src/schema/side-tables.ts'
import { run } from '../cli/run.ts'
import { Engine, type Record_ } from '../query/engine.ts'
import { NO_ENGINE } from '../store/engine.ts'

const T = Date.UTC(2026, 0, 1)
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const AT = { fromMs: T, toMs: T + HOUR, explicit: true }

type Reading = SideRow<typeof COUNTERS_TABLE>
/** Readings of one port's interface: `[milliseconds after T, bytes in, packets in]`; what goes out is a tenth. */
const readings = (
  name: string,
  values: readonly (readonly [number, number, number])[],
  more: Reading = {},
): Reading[] =>
  values.map(([ms, bytes, packets]) => ({
    time: T + ms,
    source: 'sflow',
    host: 'c0',
    bridge: 'br-int',
    interface: `tap-${name}`,
    port_id: `id-${name}`,
    port: name,
    server_id: `s-${name}`,
    server: name,
    project: 'red',
    in_bytes: bytes,
    out_bytes: bytes / 10,
    in_packets: packets,
    out_packets: packets / 10,
    ...more,
  }))

/** A record that a port sent from `ms` on, for `length`. */
const sent = (
  name: string,
  ms: number,
  length: number,
  bytes: number,
  packets: number,
  more: Record_ = {},
): Record_ => ({
  flow_start: T + ms,
  flow_end: T + ms + length,
  time_received: T + ms + length + 1000,
  export_protocol: 'ipfix',
  exporter_host: 'c0',
  bridge: 'br-int',
  src_port_id: `id-${name}`,
  src_host: 'c0',
  l2_bytes: bytes,
  packets,
  counts_sent: 1,
  role: 'sent',
  ...more,
})
const received = (name: string, ms: number, length: number, bytes: number, packets: number): Record_ => ({
  ...sent('none', ms, length, bytes, packets),
  src_port_id: '',
  dst_port_id: `id-${name}`,
  dst_host: 'c0',
  counts_sent: 0,
  counts_received: 1,
})
const QUIET: readonly [number, number, number][] = [[-MINUTE, 5000, 50], [HOUR / 2, 500_000, 500], [HOUR + MINUTE, 1_005_000, 1050]] // prettier-ignore

const COUNTERS: Reading[] = [
  ...readings('same', [[-2 * MINUTE, 1, 1], ...QUIET, [HOUR + 2 * MINUTE, 9e6, 9e4]]),
  ...readings('short', QUIET),
  ...readings('edge', [[0, 0, 0], [HOUR, 1_000_000, 1000]]), // prettier-ignore
  ...readings('reset', [[0, 700_000, 700], [MINUTE, 900_000, 900], [2 * MINUTE, 100_000, 100], [HOUR, 300_000, 300]]), // prettier-ignore
  ...readings('wrap', [[0, 1000, 4_294_967_290], [HOUR, 2000, 4]]), // prettier-ignore
  ...readings('moved', [[0, 0, 0], [HOUR / 2, 1000, 10]]), // prettier-ignore
  ...readings('moved', [[HOUR / 2, 0, 0], [HOUR, 3000, 30]], { host: 'c1' }), // prettier-ignore
  ...readings('two', [[HOUR / 2, 0, 0], [HOUR, 500, 5]]), // prettier-ignore
  ...readings('two', [[0, 0, 0], [HOUR, 1000, 10]], { source: 'ovsdb' }), // prettier-ignore
  ...readings('once', [[HOUR / 2, 7, 7]]), // prettier-ignore
  ...readings('router', QUIET, { server_id: '' }),
]
const FLOWS: Record_[] = [
  sent('same', 10 * MINUTE, MINUTE, 600_000, 600),
  // Ends after the span asked for, and before the reading behind it.
  sent('same', HOUR + 10_000, 1000, 400_000, 400),
  received('same', 10 * MINUTE, MINUTE, 100_000, 100),
  sent('same', -10 * MINUTE, MINUTE, 5e6, 5e3),
  sent('same', 11 * MINUTE, MINUTE, 9e6, 9e3, { counts_sent: 0, role: 'duplicate' }),
  sent('short', 10 * MINUTE, MINUTE, 700_000, 700),
  // A quarter of an hour, of which a third lies before the first reading.
  sent('edge', -5 * MINUTE, 15 * MINUTE, 300_000, 300),
  sent('edge', 20 * MINUTE, MINUTE, 800_000, 800),
  sent('reset', 20 * MINUTE, MINUTE, 500_000, 500),
  sent('wrap', 20 * MINUTE, MINUTE, 1000, 10),
  sent('moved', 20 * MINUTE, MINUTE, 1000, 10),
  sent('moved', 40 * MINUTE, MINUTE, 3000, 30, { src_host: 'c1', exporter_host: 'c1' }),
  sent('two', 20 * MINUTE, MINUTE, 1000, 10),
]

describe('the audit of ports', { skip: NO_ENGINE }, () => {
  let engine: Engine
  before(async () => {
    engine = await Engine.open()
    await engine.insert(FLOWS)
    await engine.store.insert({ ...encodeRows(COUNTERS_TABLE, COUNTERS), token: 'counters' })
  })
  after(() => engine.close())

  const of = async (word: string, direction = 'sent'): Promise<Audited[]> =>
    (await audit(engine.store, { span: AT, word }, T + 2 * HOUR)).filter((one) => one.direction === direction)
  const figures = ({ counted_bytes, true_bytes, counted_packets, true_packets }: Audited) => [
    counted_bytes,
    true_bytes,
    counted_packets,
    true_packets,
  ]

  it('is between the readings next outside the span, and holds the records between them', async () => {
    const [one] = await of('same')
    assert.deepEqual([one!.span_from, one!.span_to], [T - MINUTE, T + HOUR + MINUTE])
    assert.deepEqual(figures(one!), [1_000_000, 1_000_000, 1000, 1000])
    assert.deepEqual([one!.verdict, one!.ratio, one!.expected_error], ['agrees', 1, 0])
    const [other] = await of('id-same', 'received')
    assert.deepEqual(figures(other!), [100_000, 100_000, 100, 100])
  })

  it('takes a record that overlaps an end in part, and says by how much that may be wrong', async () => {
    const [one] = await of('s-edge')
    assert.equal(one!.counted_bytes, 1_000_000)
    assert.equal(one!.expected_error, 100_000)
    assert.equal(one!.verdict, 'agrees')
  })

  it('follows counters that begin anew, and those of 32 bits over their end', async () => {
    const [reset] = await of('reset')
    assert.deepEqual([reset!.true_bytes, reset!.verdict], [500_000, 'agrees'])
    const [wrap] = await of('wrap')
    assert.deepEqual(figures(wrap!), [1000, 1000, 10, 10])
  })

  it('keeps a port that moved apart by host', async () => {
    const found = await of('moved')
    assert.deepEqual(
      new Map(found.map((one) => [one.host, [one.counted_bytes, one.true_bytes]])),
      new Map([['c0', [1000, 1000]], ['c1', [3000, 3000]]]), // prettier-ignore
    )
  })

  it('takes the source that covers more of the span', async () => {
    const found = await of('two')
    assert.deepEqual(
      found.map((one) => [one.source, one.true_bytes, one.verdict]),
      [['ovsdb', 1000, 'agrees']],
    )
  })

  it('is of servers’ ports with two readings; what disagrees comes first', async () => {
    const found = await audit(engine.store, { span: AT }, T + 2 * HOUR)
    assert.deepEqual([found[0]!.server, found[0]!.verdict, found[0]!.cause], ['short', 'short', 'unexplained'])
    assert.deepEqual([...new Set(found.map((one) => one.server))].sort(), ['edge', 'moved', 'reset', 'same', 'short', 'two', 'wrap']) // prettier-ignore
  })

  it('is a command, with a table and data', async () => {
    const words = ['audit', '--from', String(T), '--to', String(T + HOUR), '--data', tmpdir()]
    const { stdout } = await run([...words, 'short'], { engine, now: T + 2 * HOUR })
    assert.match(stdout, /server .*direction .*counted .*true .*ratio .*verdict/)
    assert.match(stdout, /short .*sent .*0\.7000 .*short \(unexplained\)/)
    const json = await run([...words, 'same', '-f', 'json'], { engine, now: T + 2 * HOUR })
    const rows = JSON.parse(json.stdout) as Record<string, unknown>[]
    assert.deepEqual(
      rows.map(({ verdict }) => verdict),
      ['agrees', 'agrees'],
    )
    assert.equal(rows[0]!['span_from'], '2025-12-31T23:59:00.000Z')
    const none = await run([...words, 'nobody'], { engine, now: T + 2 * HOUR })
    assert.match(none.stderr, /no counters of a port, server or project "nobody" from 2026-01-01/)
    const wrong = await run(['audit', '--last', 'soon'], { engine })
    assert.equal(wrong.error?.code, 'time_invalid')
  })

  it('says what is needed where there are no counters', async () => {
    const { rows, notes } = await askAudit(engine.store, { last: '1h' }, T + 1000 * HOUR)
    assert.deepEqual(rows, [])
    assert.match(notes.join(), /let Open vSwitch send sFlow .* or let ovsight reach the OVSDB/)
  })

  it('is answered over HTTP', async () => {
    const app = buildApi({ store: engine.store, metricsText: () => '', now: () => T + HOUR })
    const rows = (await app.inject('/api/v1/audit?of=short')).json<Record<string, unknown>[]>()
    assert.deepEqual(rows.map(({ server, verdict }) => [server, verdict])[0], ['short', 'short'])
    await app.close()
  })

  it('is written while a collector runs, each span once and when its records have come', async () => {
    const blocks: RowBlock[] = []
    const faults: unknown[] = []
    const options = { asker: engine.store, everyMs: HOUR, onBlock: (one: RowBlock) => void blocks.push(one), onFault: (error: unknown) => void faults.push(error) } // prettier-ignore
    const writer = new AuditWriter(options, T)
    await writer.tick(T + 2 * HOUR - 1)
    assert.equal(blocks.length, 0)
    await writer.tick(T + 2 * HOUR)
    await writer.tick(T + 2 * HOUR + 10_000)
    assert.equal(blocks.length, 1)
    await engine.store.insert({ ...blocks[0]!, token: 'audit' })
    const { rows } = await engine.store.query({
      sql: `SELECT server, toString(verdict) AS verdict, round(ratio, 2) AS ratio FROM audit WHERE direction = 'sent' AND server IN ('same', 'short') ORDER BY server`,
      params: {},
    })
    assert.deepEqual(rows, [
      { server: 'same', verdict: 'agrees', ratio: 1 },
      { server: 'short', verdict: 'short', ratio: 0.7 },
    ])
    const failing = new AuditWriter({ ...options, asker: { query: () => Promise.reject(new Error('gone')) } }, T)
    await failing.tick(T + 3 * HOUR)
    assert.equal(faults.length, 1)
    const ending = new AuditWriter({ ...options, asker: { query: () => Promise.reject(new Error('closed')) } }, T)
    const asked = ending.tick(T + 3 * HOUR)
    ending.stop()
    await asked
    assert.equal(faults.length, 1)
  })
})
