/** Counters of interfaces as rows: what each is and whose, how often, and how many at most. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Datagram, InterfaceCounters } from '../../src/decode/decoder.ts'
import { EMPTY_SNAPSHOT } from '../../src/identity/snapshot/build.ts'
import { ExporterTable } from '../../src/pipeline/exporters.ts'
import { InterfaceCounterRows, type CounterReading } from '../../src/pipeline/interface-counters.ts'
import { Observations } from '../../src/pipeline/observations.ts'
import { Lab } from '../attribute/lab.ts'
import { lanesOf } from './parts.ts'

const READING: CounterReading = {
  source: 'ovsdb',
  timeMs: 1000,
  host: 'c0',
  name: 'tap-red-1',
  ifIndex: 102,
  ofport: 2,
  inBytes: 100,
  outBytes: 200,
  inPackets: 1,
  outPackets: 2,
  inDrops: 3,
  outDrops: 4,
  inErrors: 5,
  outErrors: 6,
}

function rows(reading: Partial<CounterReading>, snapshot = new Lab().snapshot()) {
  const counters = new InterfaceCounterRows(8)
  counters.add({ ...READING, ...reading })
  return [...counters.take(snapshot)].map(({ host, bridge, interface: name, ofport, port_id, server, project }) => ({
    host,
    bridge,
    name,
    ofport,
    port_id,
    server,
    project,
  }))[0]!
}

const RED_1 = { host: 'c0', bridge: 'br-int', name: 'tap-red-1', ofport: 2, port_id: 'id-red-1', server: 'red-1', project: 'red' } // prettier-ignore
const BARE = { bridge: '', port_id: '', server: '', project: '' }

describe('a reading of interface counters', () => {
  it('is of the port that is plugged there, found by name or by ifIndex, by host or by its address', () => {
    assert.deepEqual(rows({}), RED_1)
    assert.deepEqual(rows({ name: '', ofport: 0 }), RED_1)
    assert.deepEqual(rows({ host: lanesOf('10.0.0.10') }), RED_1)
    const uplink = { host: 'n0', bridge: 'br-ex', name: 'eth1', ofport: 3, port_id: '', server: '', project: '' }
    assert.deepEqual(rows({ host: 'n0', name: 'eth1', ofport: 3 }), uplink)
  })

  it('keeps its own names where the model knows none', () => {
    assert.deepEqual(rows({ name: 'eth9', ifIndex: 0 }), { ...BARE, host: 'c0', name: 'eth9', ofport: 2 })
    const address = { ...BARE, host: '192.0.2.1', name: 'eth9', ofport: 2 }
    assert.deepEqual(rows({ host: lanesOf('192.0.2.1'), name: 'eth9' }, EMPTY_SNAPSHOT), address)
  })

  it('waits with no more than its bound of others', () => {
    const counters = new InterfaceCounterRows(2)
    for (let i = 0; i < 5; i++) counters.add(READING)
    assert.equal([...counters.take(EMPTY_SNAPSHOT)].length, 2)
    assert.equal(counters.dropped, 3)
    assert.deepEqual([...counters.take(EMPTY_SNAPSHOT)], [])
  })
})

describe('counter samples of sFlow', () => {
  const sample = (observations: Observations, ms: number, ifIndex = 1) => {
    const datagram = { exporter: lanesOf('10.0.0.10'), exporterId: 0, exporterPort: 1, receivedMs: ms } as Datagram
    const counters: InterfaceCounters = {
      ifIndex,
      ofport: 2,
      datapathId: '',
      name: 'tap-red-1',
      speed: 0,
      inOctets: ms,
      outOctets: 0,
      inPackets: 0,
      outPackets: 0,
      inDiscards: 0,
      outDiscards: 0,
      inErrors: 0,
      outErrors: 0,
    }
    observations.interfaceCounters(datagram, 0, counters)
  }
  const kept = (everyMs: number, times: readonly number[]) => {
    const limits = { maxExporters: 4, maxStreams: 4, maxInterfaces: 64, idleMs: 1e9, countersEveryMs: everyMs }
    const observations = new Observations(new ExporterTable({ max: 4, idleMs: 1e9 }), limits)
    for (const ms of times) sample(observations, ms)
    return [...observations.counters.take(new Lab().snapshot())].map(({ time, in_bytes }) => [time, in_bytes])
  }
  const POLLS = [1000, 31_000, 60_990, 91_000, 121_000]

  it('are kept as often as is asked, and a poll that comes a little early is not missed', () => {
    assert.deepEqual(kept(60_000, POLLS), [[1000, 1000], [60_990, 60_990], [121_000, 121_000]]) // prettier-ignore
    assert.equal(kept(1, POLLS).length, POLLS.length)
  })

  it('are not kept when nobody asks', () => {
    assert.deepEqual(kept(0, POLLS), [])
  })
})
