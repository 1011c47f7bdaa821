import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Datagram, InterfaceCounters } from '../../src/decode/decoder.ts'
import { ExporterTable } from '../../src/pipeline/exporters.ts'
import { Observations } from '../../src/pipeline/observations.ts'
import { lanesOf } from './parts.ts'

function setUp(maxInterfaces = 4) {
  const exporters = new ExporterTable({ max: 4, idleMs: 1e9 })
  const place = exporters.placeOf(lanesOf('10.0.10.14'), 0, 0)
  const observations = new Observations(exporters, { maxExporters: 4, maxStreams: 16, maxInterfaces, idleMs: 1e9 })
  const bytes = new Uint8Array(0)
  const datagram: Datagram = {
    bytes,
    view: new DataView(bytes.buffer),
    start: 0,
    end: 0,
    receivedMs: 1000,
    exporter: lanesOf('10.0.10.14'),
    exporterPort: 50_000,
    exporterId: exporters.idAt(place),
  }
  return { observations, datagram, place }
}

const COUNTERS: InterfaceCounters = {
  ifIndex: 7,
  ofport: 2,
  datapathId: '0000000000000001',
  name: 'tap1',
  speed: 10_000_000_000,
  inOctets: 1,
  outOctets: 2,
  inPackets: 3,
  outPackets: 4,
  inDiscards: 0,
  outDiscards: 0,
  inErrors: 0,
  outErrors: 0,
}

describe('Observations', () => {
  it('forget the names of an interface when it goes, though a later sample told none', () => {
    const { observations, datagram } = setUp()
    for (let round = 0; round < 100; round++) {
      observations.interfaceCounters(datagram, 0, { ...COUNTERS, ofport: round, name: `tap${round}` })
      observations.interfaceCounters(datagram, 0, { ...COUNTERS, ofport: round, name: '' })
    }
    const known = Array.from({ length: 100 }, (_, port) =>
      observations.names.byOfport(datagram.exporter, 0, port, 1000),
    )
    assert.deepEqual(known.filter((name) => name !== ''), ['tap99']) // prettier-ignore
  })

  it('are bounded in interfaces, and count what they refuse', () => {
    const { observations, datagram } = setUp(4)
    for (let ifIndex = 0; ifIndex < 10; ifIndex++) observations.interfaceCounters(datagram, 0, { ...COUNTERS, ifIndex })
    assert.equal(observations.interfacesKnown, 4)
    assert.equal(observations.interfacesRefused, 6)
  })

  it('sum how far running totals rise: the first says nothing, a fall is a new start', () => {
    const { observations, datagram, place } = setUp()
    for (const total of [1000, 1005, 1005, 3, 10]) observations.datapathLost(datagram, 0, total)
    assert.equal(observations.datapathLostPackets[place], 5 + 0 + 3 + 7)
    for (const total of [7, 9]) observations.notSent(datagram, 0, total)
    assert.equal(observations.unsentPackets[place], 2)
  })

  it('keep the running totals of two bridges apart by their source ports', () => {
    const { observations, datagram, place } = setUp()
    for (let i = 0; i < 5; i++) {
      observations.notSent({ ...datagram, exporterPort: 1 }, 0, 100 + i)
      observations.notSent({ ...datagram, exporterPort: 2 }, 0, 5000)
    }
    assert.equal(observations.unsentPackets[place], 4)
  })

  it('give the sampling rate that options data told', () => {
    const { observations, datagram } = setUp()
    observations.samplingRate(datagram, 1, 2, 512)
    assert.equal(observations.toldSamplingRate(datagram.exporterId, 1, 2), 512)
    assert.equal(observations.toldSamplingRate(datagram.exporterId, 1, 3), 0)
  })

  it('tell lost records by exporter and protocol', () => {
    const { observations, datagram, place } = setUp()
    for (const sequence of [1, 2, 5]) observations.sequence(datagram, 'sflow5', 0, sequence, 1)
    observations.sequences.settle(1e6)
    assert.equal(
      observations.lost.reduce((sum, count) => sum + count),
      2,
    )
    assert.ok(observations.lost.slice(place * 6, place * 6 + 6).includes(2))
  })
})
