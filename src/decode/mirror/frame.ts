/**
 * One mirrored frame: the key of its flow as 32-bit words, and what it adds to the flow.
 *
 *   0–3 exporter | 4 observation point | 5 observation domain | 6, 7 low words of the MACs | 8 their high halves |
 *   9 ether type, VLAN | 10 inner VLAN, protocol, TOS | 11 ports, or ICMP type and code | 12–15 source | 16–19 destination |
 *   20 MPLS label 20 bits, later fragment 1, IP version 3, export protocol 8
 */
import type { FlowBatch } from '../../schema/batch.ts'
import type { Columns } from '../../schema/columns.ts'
import type { PacketColumns } from '../packet.ts'
import type { Encapsulation } from './encapsulation.ts'

export const KEY_WORDS = 21

const ICMP = 1
const ICMPV6 = 58

export class MirroredFrame {
  readonly key = new Uint32Array(KEY_WORDS)
  /** Milliseconds since 1970. */
  atMs = 0
  bytes = 0
  l2Bytes = 0
  tcpFlags = 0
  tos = 0
  ttl = 0
  flowLabel = 0
  /** Bits of CORRECTIONS. */
  corrections = 0

  /** Takes over one row of dissected headers. With `keyTos`, frames of another TOS are another flow. */
  take(columns: PacketColumns, exporter: Uint32Array, from: Encapsulation, keyTos: boolean): void {
    const { key } = this
    this.tos = columns.tos[0]!
    this.ttl = columns.ttl[0]!
    this.flowLabel = columns.flow_label[0]!
    this.tcpFlags = columns.tcp_flags[0]!
    key[0] = exporter[0]!
    key[1] = exporter[1]!
    key[2] = exporter[2]!
    key[3] = exporter[3]!
    key[4] = from.point
    key[5] = from.domain
    key[6] = columns.src_mac[0]!
    key[7] = columns.dst_mac[0]!
    key[8] = (columns.src_mac[1]! << 16) | columns.dst_mac[1]!
    key[9] = (columns.ether_type[0]! << 16) | columns.vlan[0]!
    key[10] = (columns.inner_vlan[0]! << 16) | (columns.ip_protocol[0]! << 8) | (keyTos ? this.tos : 0)
    key[11] =
      ((columns.src_l4_port[0]! << 16) | columns.dst_l4_port[0]!) ^
      ((columns.icmp_type[0]! << 8) | columns.icmp_code[0]!)
    const { src_addr: src, dst_addr: dst } = columns
    key[12] = src[0]!
    key[13] = src[1]!
    key[14] = src[2]!
    key[15] = src[3]!
    key[16] = dst[0]!
    key[17] = dst[1]!
    key[18] = dst[2]!
    key[19] = dst[3]!
    key[20] =
      columns.mpls_label[0]! |
      (columns.ip_fragment[0]! << 20) |
      (columns.ip_version[0]! << 21) |
      (from.exportProtocol << 24)
  }
}

/** Columns of one row for the dissector, and nothing else. */
export function scratchColumns(): PacketColumns {
  return {
    src_mac: new Uint32Array(2),
    dst_mac: new Uint32Array(2),
    ether_type: new Uint16Array(1),
    vlan: new Uint16Array(1),
    inner_vlan: new Uint16Array(1),
    mpls_label: new Uint32Array(1),
    ip_version: new Uint8Array(1),
    src_addr: new Uint32Array(4),
    dst_addr: new Uint32Array(4),
    ip_protocol: new Uint8Array(1),
    tos: new Uint8Array(1),
    ttl: new Uint8Array(1),
    flow_label: new Uint32Array(1),
    ip_fragment: new Uint8Array(1),
    src_l4_port: new Uint16Array(1),
    dst_l4_port: new Uint16Array(1),
    tcp_flags: new Uint16Array(1),
    icmp_type: new Uint8Array(1),
    icmp_code: new Uint8Array(1),
  }
}

/** Zeroes what the dissector may have written. */
export function clearScratch(columns: PacketColumns): void {
  const { src_mac, dst_mac, src_addr, dst_addr } = columns
  src_mac[0] = src_mac[1] = dst_mac[0] = dst_mac[1] = 0
  src_addr[0] = src_addr[1] = src_addr[2] = src_addr[3] = 0
  dst_addr[0] = dst_addr[1] = dst_addr[2] = dst_addr[3] = 0
  columns.ether_type[0] = columns.vlan[0] = columns.inner_vlan[0] = columns.mpls_label[0] = 0
  columns.ip_version[0] = columns.ip_protocol[0] = columns.tos[0] = columns.ttl[0] = columns.flow_label[0] = 0
  columns.ip_fragment[0] = columns.src_l4_port[0] = columns.dst_l4_port[0] = columns.tcp_flags[0] = 0
  columns.icmp_type[0] = columns.icmp_code[0] = 0
}

/** Writes the key `keys[at .. at + KEY_WORDS)` into row `row`. */
export function writeKey(keys: Uint32Array, at: number, out: FlowBatch, row: number): void {
  const columns: Columns = out.columns
  for (let lane = 0; lane < 4; lane++) {
    columns.exporter[row * 4 + lane] = columns.agent[row * 4 + lane] = keys[at + lane]!
    columns.src_addr[row * 4 + lane] = keys[at + 12 + lane]!
    columns.dst_addr[row * 4 + lane] = keys[at + 16 + lane]!
  }
  columns.observation_point[row] = keys[at + 4]!
  columns.observation_domain[row] = keys[at + 5]!
  columns.src_mac[row * 2] = keys[at + 6]!
  columns.dst_mac[row * 2] = keys[at + 7]!
  columns.src_mac[row * 2 + 1] = keys[at + 8]! >>> 16
  columns.dst_mac[row * 2 + 1] = keys[at + 8]! & 0xffff
  columns.ether_type[row] = keys[at + 9]! >>> 16
  columns.vlan[row] = keys[at + 9]!
  columns.inner_vlan[row] = keys[at + 10]! >>> 16
  const protocol = (keys[at + 10]! >>> 8) & 0xff
  columns.ip_protocol[row] = protocol
  const ports = keys[at + 11]!
  if (protocol === ICMP || protocol === ICMPV6) {
    columns.icmp_type[row] = ports >>> 8
    columns.icmp_code[row] = ports
  } else {
    columns.src_l4_port[row] = ports >>> 16
    columns.dst_l4_port[row] = ports
  }
  const last = keys[at + 20]!
  columns.mpls_label[row] = last & 0xfffff
  columns.ip_fragment[row] = (last >>> 20) & 1
  columns.ip_version[row] = (last >>> 21) & 7
  columns.export_protocol[row] = last >>> 24
}
