/** Interfaces that only counter samples name: the real capture of sFlow, attributed without any OVSDB. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Attributor } from '../../src/attribute/attributor.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { InterfaceCounters } from '../../src/decode/decoder.ts'
import { EMPTY_CLOUD, buildSnapshot } from '../../src/identity/snapshot/build.ts'
import type { CloudModel } from '../../src/identity/cloud.ts'
import { loadIdentityFile } from '../../src/identity/sources/file.ts'
import { buildPipeline } from '../../src/pipeline/build.ts'
import { LearnedInterfaces } from '../../src/pipeline/learned-names.ts'
import { Replay } from '../../src/pipeline/replay.ts'
import { readCapture } from '../../src/wire/capture.ts'
import { fileBytes } from '../../src/wire/source.ts'
import { rowOf } from '../attribute/rows.ts'
import { PCAPS } from '../paths.ts'
import { lanesOf } from './parts.ts'

type Rows = Record<string, string | number>[]

/** All rows of the sFlow capture, attributed by a model, with the names that its counter samples tell. */
async function rowsBy(cloud: CloudModel): Promise<Rows> {
  const names = new LearnedInterfaces()
  const attributor = new Attributor({ names })
  const snapshot = buildSnapshot(cloud, 0)
  const rows: Rows = []
  const { pipeline } = buildPipeline(
    loadConfig({}).config,
    {
      names,
      attribute: (batch) => {
        attributor.attribute(batch, snapshot)
        for (let row = 0; row < batch.rows; row++) rows.push(rowOf(batch, row))
      },
      emit: () => Promise.resolve(),
    },
    { flushAfterMs: Infinity },
  )
  await new Replay(pipeline, new Map([[6343, 'sflow']])).run(readCapture(fileBytes(`${PCAPS}sflow5/capture.pcap`)))
  return rows
}

const { cloud } = await loadIdentityFile(`${PCAPS}sflow5/identity.yaml`)
const withOvsdb = await rowsBy(cloud)
const withoutOvsdb = await rowsBy({ ...cloud, ovs: new Map() })

describe('an exporter of sFlow without OVSDB', () => {
  it('has its interfaces named by its counter samples as OVSDB would', () => {
    let named = 0
    for (const [i, row] of withOvsdb.entries()) {
      if (!String(row['in_if_name'] ?? '').startsWith('tap')) continue
      named++
      assert.equal(withoutOvsdb[i]!['in_if_name'], row['in_if_name'])
    }
    assert.ok(named > 100, String(named))
  })

  it('has the ports whose ids the names carry, with that evidence, and never another', () => {
    let found = 0
    for (const [i, row] of withoutOvsdb.entries()) {
      if (row['src_evidence'] !== 'device_name') continue
      found++
      assert.equal(row['src_port_id'], withOvsdb[i]!['src_port_id'])
      assert.equal(row['src_grade'], withOvsdb[i]!['src_grade'])
      assert.equal(withOvsdb[i]!['src_evidence'], 'if_index')
    }
    const atPorts = withOvsdb.filter((row) => row['src_evidence'] === 'if_index')
    assert.equal(found, atPorts.length)
    assert.ok(found > 100, String(found))
  })

  it('has its names, not its ports, also without any model', async () => {
    const rows = await rowsBy(EMPTY_CLOUD)
    for (const [i, row] of withOvsdb.entries())
      if (row['src_evidence'] === 'if_index') {
        assert.equal(rows[i]!['in_if_name'], row['in_if_name'])
        assert.equal(rows[i]!['src_evidence'], 'no_model')
      }
  })
})

const COUNTERS: InterfaceCounters = {
  ifIndex: 7,
  ofport: 2,
  datapathId: '01',
  name: 'tap1',
  speed: 0,
  inOctets: 0,
  outOctets: 0,
  inPackets: 0,
  outPackets: 0,
  inDiscards: 0,
  outDiscards: 0,
  inErrors: 0,
  outErrors: 0,
}

describe('names that exporters told', () => {
  const one = lanesOf('10.0.0.1')
  const other = lanesOf('10.0.0.2')

  it('hold for the exporter that told them, until another has the number; between the two nobody does', () => {
    const names = new LearnedInterfaces()
    names.put(one, COUNTERS, 1_000)
    names.put(one, COUNTERS, 31_000)
    names.put(one, { ...COUNTERS, name: 'tap2' }, 61_000)
    const at = (ms: number) => names.byIfIndex(one, 0, 7, ms)
    assert.deepEqual([at(0), at(31_000), at(45_000), at(61_000)], ['tap1', 'tap1', '', 'tap2'])
    assert.equal(names.byIfIndex(other, 0, 7, 61_000), '')
    names.put(other, { ...COUNTERS, name: 'tap3' }, 61_000)
    assert.equal(names.byIfIndex(other, 0, 7, 61_000), 'tap3')
    assert.equal(names.byIfIndex(one, 0, 7, 61_000), 'tap2')
  })

  it('of an OpenFlow port that two bridges have are not picked', () => {
    const names = new LearnedInterfaces()
    names.put(one, COUNTERS, 0)
    assert.equal(names.byOfport(one, 0, 2, 0), 'tap1')
    const second = { ...COUNTERS, ifIndex: 8, datapathId: '02', name: 'eth1' }
    names.put(one, second, 0)
    assert.equal(names.byOfport(one, 0, 2, 0), '')
    names.remove(one, 0, second)
    assert.equal(names.byOfport(one, 0, 2, 0), 'tap1')
    assert.equal(names.byIfIndex(one, 0, 8, 0), '')
  })

  it('are told to other threads, where what they know themselves goes before it', () => {
    const [here, there] = [new LearnedInterfaces(), new LearnedInterfaces()]
    here.onNews = (news) => there.hear(structuredClone(news), 1)
    here.put(one, COUNTERS, 1_000)
    here.put(one, COUNTERS, 31_000)
    here.put(one, { ...COUNTERS, name: 'tap2' }, 61_000)
    for (const names of [here, there]) {
      const at = (ms: number) => names.byIfIndex(one, 0, 7, ms)
      assert.deepEqual([at(31_000), at(45_000), at(61_000)], ['tap1', '', 'tap2'])
      assert.equal(names.byOfport(one, 0, 2, 61_000), 'tap2')
    }
    assert.equal([...there.heard()].length, 2)
    there.put(other, COUNTERS, 0)
    here.put(other, COUNTERS, 0)
    here.remove(one, 0, COUNTERS)
    assert.deepEqual([...there.heard()], [])
    assert.equal(there.byIfIndex(one, 0, 7, 61_000), '')
    here.put(one, COUNTERS, 0)
    there.forget(1)
    assert.deepEqual([there.byIfIndex(one, 0, 7, 0), there.byIfIndex(other, 0, 7, 0)], ['', 'tap1'])
  })

  it('that are empty, or of interfaces without a port, are passed over', () => {
    const names = new LearnedInterfaces()
    assert.equal(names.put(one, { ...COUNTERS, name: '' }, 0), false)
    names.put(one, { ...COUNTERS, ofport: -1 }, 0)
    assert.equal(names.byOfport(one, 0, 2, 0), '')
    assert.equal(names.byIfIndex(one, 0, 7, 0), 'tap1')
  })
})
