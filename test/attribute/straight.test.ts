/** The common case is taken a chunk at a time; whatever the rows, it says what the general code says. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Attributor } from '../../src/attribute/attributor.ts'
import { NO_HISTORY } from '../../src/identity/history.ts'
import { buildSnapshot } from '../../src/identity/snapshot/build.ts'
import type { FlowBatch } from '../../src/schema/batch.ts'
import { COLUMN_NAMES } from '../../src/schema/columns.ts'
import { BROADCAST, IPFIX, Lab, MACS, NETFLOW, type HostName } from './lab.ts'
import { batchOf, rowOf, type Row } from './rows.ts'

const ROWS = 4_000

/** Where the servers of the lab are: host, OpenFlow port, address. */
const SERVERS = {
  'red-1': { host: 'c0', ofport: 2, address: '192.168.10.8' },
  'red-3': { host: 'c0', ofport: 3, address: '192.168.10.10' },
  'blue-1': { host: 'c0', ofport: 4, address: '192.168.10.8' },
  'red-2': { host: 'c1', ofport: 2, address: '192.168.10.9' },
  'red-4': { host: 'c1', ofport: 3, address: '192.168.20.3' },
  'blue-2': { host: 'c1', ofport: 4, address: '192.168.10.9' },
} as const
const NAMES = Object.keys(SERVERS) as (keyof typeof SERVERS)[]
const EXPORTER: Readonly<Record<HostName, string>> = { c0: '10.0.0.10', c1: '10.0.0.11', n0: '10.0.0.20' }

/** One field of a sound row, spoilt. */
const SPOILT: readonly Row[] = [
  { src_addr: '192.168.10.77' },
  { dst_addr: '8.8.8.8' },
  { dst_addr: '192.168.10.255' },
  { dst_addr: '224.0.0.1' },
  { src_addr: '0.0.0.0' },
  { src_addr: 'fe80::1' },
  { dst_mac: BROADCAST },
  { dst_mac: MACS['qr-r1'] },
  { dst_mac: '00:00:00:00:00:00', src_mac: '00:00:00:00:00:00' },
  { src_mac: MACS['qr-r2'] },
  { in_if: 0 },
  { in_if: 1 },
  { out_if: 0 },
  { in_if_name: 'nonsense' },
  { in_if_name: 'patch-tun', in_if: 0 },
  { in_if_name: '', in_if: 103 },
  { out_if_name: 'tap-red-1' },
  { out_if_name: '', out_if: 102 },
  { exporter: '10.9.9.9' },
  { exporter: '10.0.0.20' },
  { observation_domain: 5 },
  { vlan: 69 },
  { vlan: 100 },
  { output_kind: 'interface', out_if: 3 },
  { export_protocol: 'netflow9' },
  { export_protocol: 'sflow5' },
  { flow_end: 5_000 },
  { flow_end: 500 },
  { kept_one_in: 4 },
]

function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** A record of one server to another as its host exports it, sound or with one or two things spoilt. */
function record(next: (below: number) => number): Row {
  const from = NAMES[next(NAMES.length)]!
  const to = NAMES[next(NAMES.length)]!
  const egress = next(3) === 0
  const ipfix = egress || next(2) === 0
  const source = SERVERS[from]
  const destination = SERVERS[to]
  const { host } = egress ? destination : source
  const local = source.host === host
  const names: Row = ipfix
    ? {
        src_mac: MACS[from],
        dst_mac: MACS[to],
        in_if_name: local ? `tap-${from}` : 'patch-tun',
        in_if: local ? 100 + source.ofport : 0,
        ...(egress ? { out_if_name: `tap-${to}`, out_if: 100 + destination.ofport } : {}),
      }
    : { in_if: source.ofport }
  const row: Row = {
    export_protocol: ipfix ? 'ipfix' : 'netflow5',
    flow_direction: egress ? 'egress' : 'ingress',
    exporter: EXPORTER[host],
    src_addr: source.address,
    dst_addr: destination.address,
    packets: 7,
    bytes: 7_000,
    l2_bytes: 7_098,
    flow_end: 1_000 + next(9) * 1_000,
    ...names,
  }
  for (let spoilt = next(3); spoilt > 0; spoilt--) Object.assign(row, SPOILT[next(SPOILT.length)])
  return row
}

const EXPORTS = { ipfix: { ...IPFIX, sampling: 64 }, netflow: NETFLOW }

/** Ports and servers that were there before, so that the model is a timed one. */
function changed(): ReturnType<Lab['snapshot']> {
  const lab = new Lab(EXPORTS)
  const port = lab.portOf('red-2')
  return buildSnapshot({ ...lab.cloud, ovs: new Map(Object.entries(lab.hosts)) }, 0, {
    ...NO_HISTORY,
    ports: [{ port: { ...port, name: 'before' }, server: undefined, trunk: undefined, fromMs: 0, toMs: 4_000 }],
    since: new Map([
      [port.id, 4_000],
      ['c0/br-int/tap-red-3', 3_000],
    ]),
  })
}

function trunked(): ReturnType<Lab['snapshot']> {
  const lab = new Lab(EXPORTS)
  lab.cloud.trunks.push({
    id: 't',
    port_id: 'id-red-1',
    sub_ports: [{ port_id: 'id-red-4', segmentation_id: 100, segmentation_type: 'vlan' }],
  } as never)
  return lab.snapshot()
}

const LABS = {
  'IPFIX and NetFlow': () => new Lab(EXPORTS).snapshot(),
  'with engine ids in the interface numbers': () =>
    new Lab({ ...EXPORTS, netflow: { ...NETFLOW, addIdToInterface: true } }).snapshot(),
  'with things that hold for a time': changed,
  'with a trunk': trunked,
  'with a host without OVSDB': () => new Lab(EXPORTS).without('c1'),
}

describe('the common case', () => {
  for (const [name, build] of Object.entries(LABS)) {
    it(`says what the general code says: ${name}`, () => {
      const next = random(name.length)
      const rows = Array.from({ length: ROWS }, () => record(next))
      const snapshot = build()
      const straight = new Attributor({ repeats: false })
      const found = attributed(straight, rows, snapshot)
      const general = new Attributor({ straight: false, repeats: false })
      const wanted = attributed(general, rows, snapshot)
      assert.equal(general.straightRows, 0)
      assert.ok(straight.straightRows > ROWS / 20, `${straight.straightRows} rows of ${ROWS}`)
      for (let i = 0; i < ROWS; i++) {
        // Compared in words only where they differ: strings are interned in the order in which they are met.
        const [one, other] = [rowOf(found, i), rowOf(wanted, i)]
        if (COLUMN_NAMES.some((column) => one[column] !== other[column]))
          assert.deepEqual(one, other, JSON.stringify(rows[i]))
      }
    })
  }
})

function attributed(attributor: Attributor, rows: readonly Row[], snapshot: ReturnType<Lab['snapshot']>): FlowBatch {
  const batch = batchOf(...rows)
  attributor.attribute(batch, snapshot)
  return batch
}
