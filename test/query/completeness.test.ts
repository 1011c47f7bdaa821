/** How much of what exporters sent was counted, asked of the engine. */
import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { after, before, describe, it } from 'node:test'
import { buildApi } from '../../src/api/server.ts'
import { parseIp } from '../../src/identity/addresses.ts'
import { askCompleteness, askTop } from '../../src/query/ask.ts'
import { completeness, whatIsMissing } from '../../src/query/completeness.ts'
import { encodeRows, type SideRow } from '../../src/schema/rows.ts'
import { HEALTH_TABLE } from '../../src/schema/side-tables.ts'
import { run } from '../cli/run.ts'
import { NO_ENGINE } from '../store/engine.ts'
import { Engine } from './engine.ts'
import { RECORDS, T0 } from './records.ts'

const MINUTE = 60_000
const lanes = (address: string) => Uint32Array.from(parseIp(address)!)

type Health = SideRow<typeof HEALTH_TABLE>
const of = (address: string, host: string, protocol: string, rest: Health): Health => ({
  minute: T0,
  exporter: lanes(address),
  exporter_host: host,
  protocol,
  ...rest,
})

const ROWS: Health[] = [
  of('10.0.0.1', 'c0', 'ipfix', { domain: 1, datagrams: 600, records: 600, expected: 660, lost: 60 }),
  of('10.0.0.1', 'c0', 'ipfix', { domain: 2, datagrams: 300, records: 290, expected: 340, lost: 40, kernel_drops: 70 }),
  of('10.0.0.1', 'c0', 'ipfix', { domain: 2, fault: 'template_missing', faults: 10 }),
  of('10.0.0.2', 'c1', 'ipfix', { datagrams: 500, records: 500, expected: 500, reordered: 3 }),
  of('10.0.0.2', 'c1', 'sflow5', { datagrams: 90, records: 800, expected: 100, lost: 10, samples: 1000, lost_samples: 200, datapath_lost: 7 }), // prettier-ignore
  of('10.0.0.3', '', 'netflow5', { datagrams: 100, records: 900, expected: 900, mixed: 50 }),
  of('10.0.0.4', 'c4', 'gre', { datagrams: 999, records: 999, kernel_drops: 1 }),
  { minute: T0, refused_drops: 5 },
  of('10.0.0.9', 'gone', 'ipfix', { minute: T0 + 10 * MINUTE, datagrams: 1, expected: 100, lost: 99 }),
]

describe('completeness', { skip: NO_ENGINE }, () => {
  let engine: Engine
  const span = { fromMs: T0 + 1, toMs: T0 + MINUTE, explicit: true }
  before(async () => {
    engine = await Engine.open()
    await engine.insert(RECORDS)
    await engine.store.insert({ ...encodeRows(HEALTH_TABLE, ROWS), token: 'health' })
  })
  after(() => engine.close())

  it('is one percentage an exporter and protocol: what arrived and was read, of what was sent', async () => {
    const found = await completeness(engine.store, span)
    assert.deepEqual(
      found.map(({ host, protocol, percent, missing, expected, unit }) => [host, protocol, percent, missing, expected, unit]), // prettier-ignore
      [
        ['', 'unknown', null, 0, 0, 'datagrams'],
        ['c1', 'sflow5', 80, 200, 1000, 'samples'],
        ['c0', 'ipfix', 89, 110, 1000, 'records'],
        ['c4', 'gre', 99.9, 1, 1000, 'frames'],
        ['c1', 'ipfix', 100, 0, 500, 'records'],
        ['', 'netflow5', null, 0, 900, 'records'],
      ],
    )
  })

  it('names the exporters and the causes, the worst first, and how many are left out', async () => {
    assert.deepEqual(await whatIsMissing(engine.store, span), [
      '5 datagrams of further exporters were dropped (max_exporters)',
      'c1 (10.0.0.2): sFlow is 80.0 % complete: 200 of 1,000 samples are missing; 200 never arrived; its datapath lost 7 packets before they were sampled',
      'c0 (10.0.0.1): IPFIX is 89.0 % complete: 110 of 1,000 records are missing; 100 never arrived; the socket dropped 70 datagrams (receive_buffer); 10 datagrams could not be read (template_missing=10)',
      'c4 (10.0.0.4): mirror through GRE is 99.90 % complete: 1 of 1,000 frames are missing; 1 never arrived; the socket dropped 1 datagram (receive_buffer)',
      '10.0.0.3: NetFlow v5: how much is missing cannot be said, two bridges share one sequence of numbers; give each bridge its own engine_id or observation domain',
    ])
    assert.deepEqual((await whatIsMissing(engine.store, span, 1)).slice(1), [
      'and 4 more exporters with gaps: /api/v1/completeness',
    ])
  })

  it('stands below ovsight top, on standard error, when something is missing in the span', async () => {
    const words = ['top', 'server', '--from', String(T0), '--to', String(T0 + MINUTE), '--data', tmpdir()]
    const { stdout, stderr } = await run(words, { engine, now: T0 + MINUTE })
    assert.ok(!stdout.includes('complete'))
    assert.match(stderr, /ovsight: c0 \(10\.0\.0\.1\): IPFIX is 89\.0 % complete/)
    const { completeness: none } = await askTop(engine.store, { dimensions: [] }, T0 - 864e5)
    assert.ok(none!.length > 0, 'the span that holds data is asked')
  })

  it('is answered over HTTP, beside top and for itself', async () => {
    const app = buildApi({ store: engine.store, metricsText: () => '', now: () => T0 + MINUTE })
    const top = await app.inject('/api/v1/top')
    const told = JSON.parse(decodeURIComponent(String(top.headers['ovsight-completeness']))) as string[]
    assert.equal(told.length, 5)
    const rows = (await app.inject('/api/v1/completeness?last=1h')).json<Record<string, unknown>[]>()
    assert.equal(rows.length, 6)
    assert.deepEqual(
      [rows[2]!['exporter'], rows[2]!['percent'], rows[2]!['faults']],
      ['10.0.0.1', 89, 'template_missing=10'],
    )
    await app.close()
  })

  it('is of nothing where nothing was received', async () => {
    const { rows, notes } = await askCompleteness(engine.store, { last: '1h' }, T0 - 864e5)
    assert.deepEqual([rows, notes], [[], ['nothing was received in that time']])
  })
})
