/** Rows of nonsense, made of what means something in the lab, and the lab where everything exports. */
import { enumValues } from '../../src/schema/enums.ts'
import { addMirror, BROADCAST, IPFIX, Lab, MACS, NETFLOW, OUTSIDE_MAC, SFLOW } from './lab.ts'
import type { Row } from './rows.ts'

/** mulberry32: the same numbers on every run. */
export function random(seed: number): (below: number) => number {
  let a = seed
  return (below) => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

const ADDRESSES = [
  ...['192.168.10.8', '192.168.10.9', '192.168.10.10', '192.168.10.1', '192.168.10.2', '192.168.20.3', '192.168.20.1'],
  ...['172.16.2.3', '172.16.2.157', '172.16.2.158', '172.16.9.9', '8.8.8.8', '10.0.0.10', '10.0.0.20', '224.0.0.1'],
  ...['255.255.255.255', '0.0.0.0', '169.254.169.254', '::', 'fe80::1', 'ff02::1', '2001:db8::1', '192.168.10.255'],
]
const EXPORTERS = ['10.0.0.10', '10.0.0.11', '10.0.0.20', '10.9.9.9', '::']
const ALL_MACS = [...Object.values(MACS), BROADCAST, OUTSIDE_MAC, '00:00:00:00:00:00', '33:33:00:00:00:01']
const DEVICES = [
  '',
  'tap-red-1',
  'tap-blue-2',
  'qr-r1',
  'qg-b',
  'vxlan-c0',
  'patch-tun',
  'br-int',
  'gre0',
  'nonsense',
  'eth1',
]

/** Each field by itself is one that there may be. */
export function randomRow(next: (below: number) => number): Row {
  const of = <T>(values: readonly T[]): T => values[next(values.length)]!
  return {
    export_protocol: of(enumValues('export_protocol')),
    flow_direction: of(enumValues('flow_direction')),
    output_kind: of(enumValues('output_kind')),
    tunnel_type: of(enumValues('tunnel_type')),
    exporter: of(EXPORTERS),
    agent: of(EXPORTERS),
    src_addr: of(ADDRESSES),
    dst_addr: of(ADDRESSES),
    tunnel_src_addr: of(ADDRESSES),
    tunnel_dst_addr: of(ADDRESSES),
    src_mac: of(ALL_MACS),
    dst_mac: of(ALL_MACS),
    in_if_name: of(DEVICES),
    out_if_name: of(DEVICES),
    in_if: of([0, 1, 2, 3, 4, 5, 7, 102, 103, 203, 510, 65533, 65534, 65535, 0xffffffff]),
    out_if: of([0, 2, 3, 102, 104, 65535, 0xffffffff]),
    vlan: of([0, 14, 32, 69, 71, 100, 4095]),
    tunnel_key: of([0, 1010, 1020, 9999, 0xffffffff]),
    observation_domain: of([0, 1, 130, 256, 0xffffffff]),
    observation_point: of([0, 7, 8]),
    flow_end: of([0, 1_000_000, 2 ** 52]),
    packets: of([0, 1, 10, 2 ** 40]),
    bytes: of([0, 40, 4000, 2 ** 50]),
    l2_bytes: of([0, 60, 5000, 2 ** 50]),
    bytes_variance: of([0, 1e9]),
    samples: of([0, 3]),
    kept_one_in: of([0, 0, 0, 3]),
  }
}

export function everything(): Lab {
  const lab = new Lab({
    ipfix: { ...IPFIX, sampling: 64 },
    netflow: { ...NETFLOW, addIdToInterface: true },
    sflow: SFLOW,
  })
  addMirror(lab.bridge('c0', 'br-int'), { selectSource: ['tap-red-1'], selectDestination: ['tap-red-1'] }, '7')
  addMirror(lab.bridge('c0', 'br-int'), { selectAll: true }, '8')
  lab.portOf('red-2').allowed_address_pairs = [{ ip_address: '192.168.10.100', mac_address: '' }]
  return lab
}
