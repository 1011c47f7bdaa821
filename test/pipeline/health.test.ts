/** What exporters delivered and what was lost, as rows of `exporter_health`. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PROTOCOLS, type Protocol } from '../../src/decode/decoder.ts'
import { STATUS } from '../../src/decode/status.ts'
import type { DatagramBatch } from '../../src/receive/receiver.ts'
import { ExporterTable, formatAddress } from '../../src/pipeline/exporters.ts'
import { HealthRecorder, type HealthRow } from '../../src/pipeline/health.ts'
import type { Input } from '../../src/pipeline/demultiplex.ts'
import { Observations } from '../../src/pipeline/observations.ts'
import { NOTHING_KNOWN, lanesOf, testPipeline } from './parts.ts'

const MINUTE = 60_000
const LIMITS = { maxExporters: 8, maxStreams: 16, maxInterfaces: 8, idleMs: 1e9 }

/** Rows in words, addresses as text, what is empty left out. */
const seen = (rows: Iterable<HealthRow>) =>
  [...rows].map(({ exporter, exporter_host, ...rest }) => ({
    ...(exporter === undefined ? {} : { exporter: formatAddress(exporter) }),
    ...(exporter_host === undefined || exporter_host === '' ? {} : { exporter_host }),
    ...rest,
  }))

function recorder(max = 16) {
  const exporters = new ExporterTable({ max: 8, idleMs: 1e9 })
  const idOf = (address: string) => exporters.idAt(exporters.placeOf(lanesOf(address), 0, 0))
  return { health: new HealthRecorder(exporters, max), idOf }
}
const code = (protocol: Protocol) => PROTOCOLS.indexOf(protocol)

function decoded(
  health: HealthRecorder,
  exporterId: number,
  protocol: number,
  bytes: number,
  rows: number,
  status: number,
  nowMs: number,
): void {
  health.decoded(health.ofDecoded(exporterId, protocol, nowMs), protocol, 1, bytes, rows, status)
}

/** NetFlow v5 of Open vSwitch: `sequence` is the number of the last record. */
function netflow5(sequence: number, count: number): Uint8Array {
  const bytes = Buffer.alloc(24 + 48 * count)
  bytes.writeUInt16BE(5, 0)
  bytes.writeUInt16BE(count, 2)
  bytes.writeUInt32BE(sequence, 16)
  return bytes
}

function feed(
  pipeline: ReturnType<typeof testPipeline>,
  input: Input,
  payload: Uint8Array,
  address: string,
  ms: number,
) {
  const bytes = Uint8Array.from(payload)
  const batch: DatagramBatch = {
    bytes,
    view: new DataView(bytes.buffer),
    count: 1,
    start: Uint32Array.of(0),
    end: Uint32Array.of(bytes.length),
    source: lanesOf(address),
    sourcePort: Uint16Array.of(7),
    receivedMs: ms,
  }
  pipeline.feed(input, batch)
}

describe('the health of exporters', () => {
  it('tells what each delivered by protocol and domain, and once only', () => {
    const { health, idOf } = recorder()
    health.sequenced(idOf('10.0.0.1'), code('ipfix'), 5, 1, false, 0)
    decoded(health, idOf('10.0.0.1'), code('ipfix'), 300, 1, STATUS.ok, 0)
    health.sequenced(idOf('10.0.0.1'), code('ipfix'), 6, 0, false, 0)
    decoded(health, idOf('10.0.0.1'), code('ipfix'), 900, 0, STATUS.ok_no_rows, 0)
    decoded(health, idOf('10.0.0.2'), code('gre'), 120, 0, STATUS.ok_no_rows, 0)
    const known = { ...NOTHING_KNOWN, host: (lanes: Uint32Array) => (formatAddress(lanes) === '10.0.0.1' ? 'c0' : '') }
    assert.deepEqual(seen(health.take(MINUTE, known)), [
      { minute: MINUTE, exporter: '10.0.0.1', exporter_host: 'c0', protocol: 'ipfix', domain: 5, datagrams: 1, bytes: 300, records: 1, expected: 1 }, // prettier-ignore
      { minute: MINUTE, exporter: '10.0.0.1', exporter_host: 'c0', protocol: 'ipfix', domain: 6, datagrams: 1, bytes: 900 }, // prettier-ignore
      { minute: MINUTE, exporter: '10.0.0.2', protocol: 'gre', domain: 0, datagrams: 1, bytes: 120, records: 1 },
    ])
    assert.deepEqual([...health.take(2 * MINUTE, NOTHING_KNOWN)], [])
  })

  it('has a row for each reason why datagrams were not decoded', () => {
    const { health, idOf } = recorder()
    for (const status of [STATUS.template_missing, STATUS.template_missing, STATUS.bad_length])
      decoded(health, idOf('10.0.0.1'), code('ipfix'), 100, 0, status, 0)
    assert.deepEqual(
      seen(health.take(0, NOTHING_KNOWN)).map(({ fault, faults, datagrams }) => [fault, faults, datagrams]),
      [
        [undefined, undefined, 3],
        ['template_missing', 2, undefined],
        ['bad_length', 1, undefined],
      ],
    )
  })

  it('shares what a socket dropped out by what each exporter sent, to the last datagram', () => {
    const { health, idOf } = recorder()
    for (const [address, datagrams] of [
      ['10.0.0.1', 6],
      ['10.0.0.2', 3],
      ['10.0.0.3', 1],
    ] as const)
      // prettier-ignore
      for (let i = 0; i < datagrams; i++) decoded(health, idOf(address), code('ipfix'), 1, 1, STATUS.ok, 0)
    decoded(health, idOf('10.0.0.4'), code('sflow5'), 1, 1, STATUS.ok, 0)
    health.share('kernel_drops', [code('ipfix')], 101)
    health.share('kernel_drops', [code('netflow5')], 7)
    const drops = seen(health.take(0, NOTHING_KNOWN)).map(({ exporter, kernel_drops = 0 }) => [exporter, kernel_drops])
    assert.deepEqual(drops, [['10.0.0.1', 61], ['10.0.0.2', 30], ['10.0.0.3', 10], ['10.0.0.4', 0], [undefined, 7]]) // prettier-ignore
  })

  it('counts what finds no place under no exporter, so that sums hold', () => {
    const { health, idOf } = recorder(2)
    for (let domain = 0; domain < 5; domain++) {
      health.sequenced(idOf('10.0.0.1'), code('ipfix'), domain, 1, false, 0)
      decoded(health, idOf('10.0.0.1'), code('ipfix'), 10, 1, STATUS.bad_length, 0)
    }
    const rows = seen(health.take(0, NOTHING_KNOWN))
    assert.deepEqual(
      rows.filter(({ fault }) => fault === undefined).map(({ exporter, datagrams }) => [exporter, datagrams]),
      [['10.0.0.1', 1], ['10.0.0.1', 1], [undefined, 3]], // prettier-ignore
    )
    assert.equal(
      rows.reduce((sum, { faults = 0 }) => sum + faults, 0),
      5,
    )
  })

  it('has room for others after each write, whoever had filled it', () => {
    const { health, idOf } = recorder(2)
    for (let domain = 0; domain < 5; domain++) health.sequenced(idOf('10.0.0.1'), code('ipfix'), domain, 1, false, 0)
    assert.deepEqual(seen(health.take(0, NOTHING_KNOWN)).map(({ expected }) => expected), [1, 1, 3]) // prettier-ignore
    health.sequenced(idOf('10.0.0.2'), code('ipfix'), 9, 4, false, 0)
    const [row, ...others] = seen(health.take(0, NOTHING_KNOWN))
    assert.deepEqual([row!.exporter, row!.domain, row!.expected, others], ['10.0.0.2', 9, 4, []])
  })
})

describe('what was lost', () => {
  const observations = () => new Observations(new ExporterTable({ max: 8, idleMs: 1e9 }), LIMITS)

  it('of a stream: expected is what arrived and what did not', () => {
    const pipeline = testPipeline()
    const { health } = pipeline.parts.observations
    // 0 to 9 tell how they are counted. 10-14 are missing, 15-16, 17-18; 10-11 comes late, and 17-18 again when the rest was given up.
    for (const [sequence, count] of [
      [1, 2],
      [4, 3],
      [5, 1],
      [8, 3],
      [9, 1],
      [16, 2],
      [18, 2],
      [11, 2],
    ] as const)
      // prettier-ignore
      feed(pipeline, 'netflow', netflow5(sequence, count), '10.0.0.1', 1000)
    pipeline.tick(10_000)
    feed(pipeline, 'netflow', netflow5(18, 2), '10.0.0.1', 1000)
    const [row] = seen(health.take(0, NOTHING_KNOWN))
    assert.deepEqual([row!.records, row!.expected, row!.lost, row!.reordered, row!.duplicates], [18, 19, 3, 1, 1])
  })

  it('says that a sequence began anew, and that two are mixed', () => {
    const pipeline = testPipeline()
    const { health } = pipeline.parts.observations
    for (const start of [100_000, 0])
      for (let i = 0; i < 20; i++) feed(pipeline, 'netflow', netflow5(start + i, 1), '10.0.0.1', i)
    const [again] = seen(health.take(0, NOTHING_KNOWN))
    assert.equal(again!.restarts, 1)
    for (let i = 0; i < 100; i++) {
      feed(pipeline, 'netflow', netflow5(20 + i, 1), '10.0.0.1', i)
      feed(pipeline, 'netflow', netflow5(900 + i, 1), '10.0.0.1', i)
    }
    const [mixed] = seen(health.take(0, NOTHING_KNOWN))
    assert.ok(Number(mixed!.mixed) > 100, `${mixed!.mixed}`)
    assert.equal(mixed!.lost ?? 0, 0)
  })

  it('of samples and of the datapath is of the sub-agent', () => {
    const sink = observations()
    const datagram = { exporterId: 0, exporterPort: 1, receivedMs: 0 } as Parameters<typeof sink.sequence>[0]
    sink.sampleSequence(datagram, 3, 99, 1, 10)
    sink.sampleSequence(datagram, 3, 99, 16, 2)
    sink.datapathLost(datagram, 3, 50)
    sink.datapathLost(datagram, 3, 57)
    sink.notSent(datagram, 4, 10)
    sink.notSent(datagram, 4, 12)
    sink.settle(1e9)
    const rows = seen(sink.health.take(0, NOTHING_KNOWN)).map(
      ({ domain, samples, lost_samples, datapath_lost, unsent }) => ({
        domain,
        samples,
        lost_samples,
        datapath_lost,
        unsent,
      }),
    )
    assert.deepEqual(rows, [
      { domain: 3, samples: 17, lost_samples: 5, datapath_lost: 7, unsent: undefined },
      { domain: 4, samples: undefined, lost_samples: undefined, datapath_lost: undefined, unsent: 2 },
    ])
  })
})
