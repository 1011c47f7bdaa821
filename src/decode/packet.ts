import type { ColumnName, Columns } from '../schema/columns.ts'
import { dissectIp } from './packet/ip.ts'
import { dissectEthernet, dissectMpls } from './packet/link.ts'
import type { DecodeStatus } from './status.ts'

/** Columns that the headers of a packet fill. */
const PACKET_COLUMNS = [
  'src_mac',
  'dst_mac',
  'ether_type',
  'vlan',
  'inner_vlan',
  'mpls_label',
  'ip_version',
  'src_addr',
  'dst_addr',
  'ip_protocol',
  'tos',
  'ttl',
  'flow_label',
  'ip_fragment',
  'src_l4_port',
  'dst_l4_port',
  'tcp_flags',
  'icmp_type',
  'icmp_code',
] as const satisfies readonly ColumnName[]

/** A FlowBatch's `columns` are such an object. All of them lie in one buffer. */
export type PacketColumns = Pick<Columns, (typeof PACKET_COLUMNS)[number]>

/**
 * Dissects the headers of one packet into one row: Ethernet, 802.1Q/802.1ad, MPLS, IPv4, IPv6 and its extension headers,
 * TCP, UDP, SCTP, DCCP, ICMP, ICMPv6.
 *
 * `ethernet`, `ip` and `mpls` read `view[start .. end)`, which may be cut at any byte, and write row `row` of the bound
 * columns; only what was there is written, so the row must be zero before. They never throw, allocate nothing and answer
 *
 *   `ok`          dissected up to the transport header, or up to the first header that is not known
 *   `truncated`   the packet ends inside a header; what came before it is in the row
 *   `bad_header`  a length or version contradicts its header; what came before it is in the row
 *   `too_deep`    more tags, labels or extension headers than are followed; what came before is in the row
 *
 * and leave the lengths below. `bind` costs a comparison when the columns are the same.
 *
 * Measured: columns through three views of their buffer cost a third of one typed array each.
 */
export class PacketDissector {
  /** 4 or 6 when the packet is IP (even if its header is cut), else 0. */
  ipVersion = 0
  /** Octets that the IP header says the IP packet has; 0 when it does not tell (not IP, header cut, segmentation offload). */
  ipLength = 0
  /** Octets before the IP header, or before the payload of the innermost ether type: Ethernet header, tags, labels. */
  l2Length = 0
  /** How many 802.1Q/802.1ad tags were seen. */
  tags = 0
  /** Where the TCP header is that `tcp_flags` were read from; 0 when there is none. */
  tcpAt = 0

  private bound: PacketColumns | undefined = undefined
  // Set by `bind`; read by the functions in packet/. The views cover the buffer all columns lie in, the numbers say where they begin.
  u8!: Uint8Array
  u16!: Uint16Array
  u32!: Uint32Array
  srcMac = 0
  dstMac = 0
  etherType = 0
  vlan = 0
  innerVlan = 0
  mplsLabel = 0
  version = 0
  srcAddr = 0
  dstAddr = 0
  protocol = 0
  tos = 0
  ttl = 0
  flowLabel = 0
  fragment = 0
  srcPort = 0
  dstPort = 0
  tcpFlags = 0
  icmpType = 0
  icmpCode = 0

  constructor(columns: PacketColumns) {
    this.bind(columns)
  }

  /** From here on rows of `columns` are written. */
  bind(columns: PacketColumns): void {
    if (columns === this.bound) return
    const { buffer } = columns.src_mac
    if (PACKET_COLUMNS.some((name) => columns[name].buffer !== buffer))
      throw new Error('packet columns lie in one buffer')
    this.bound = columns
    // Batches that take turns share their memory.
    if (this.u8 === undefined || this.u8.buffer !== buffer) {
      this.u8 = new Uint8Array(buffer)
      this.u16 = new Uint16Array(buffer)
      this.u32 = new Uint32Array(buffer)
    }
    this.srcMac = columns.src_mac.byteOffset / 4
    this.dstMac = columns.dst_mac.byteOffset / 4
    this.etherType = columns.ether_type.byteOffset / 2
    this.vlan = columns.vlan.byteOffset / 2
    this.innerVlan = columns.inner_vlan.byteOffset / 2
    this.mplsLabel = columns.mpls_label.byteOffset / 4
    this.version = columns.ip_version.byteOffset
    this.srcAddr = columns.src_addr.byteOffset / 4
    this.dstAddr = columns.dst_addr.byteOffset / 4
    this.protocol = columns.ip_protocol.byteOffset
    this.tos = columns.tos.byteOffset
    this.ttl = columns.ttl.byteOffset
    this.flowLabel = columns.flow_label.byteOffset / 4
    this.fragment = columns.ip_fragment.byteOffset
    this.srcPort = columns.src_l4_port.byteOffset / 2
    this.dstPort = columns.dst_l4_port.byteOffset / 2
    this.tcpFlags = columns.tcp_flags.byteOffset / 2
    this.icmpType = columns.icmp_type.byteOffset
    this.icmpCode = columns.icmp_code.byteOffset
  }

  /** A frame from its destination MAC address on, without FCS (which does no harm). */
  ethernet(view: DataView, start: number, end: number, row: number): DecodeStatus {
    this.ipVersion = this.ipLength = this.l2Length = this.tags = this.tcpAt = 0
    return dissectEthernet(this, view, start, end, row)
  }

  /** An IPv4 or IPv6 packet; the first nibble tells which. Sets `ether_type`, as if it had come in a frame. */
  ip(view: DataView, start: number, end: number, row: number): DecodeStatus {
    this.ipVersion = this.ipLength = this.l2Length = this.tags = this.tcpAt = 0
    return dissectIp(this, view, start, end, row)
  }

  /** A label stack. Sets `ether_type` to MPLS, or to IP where that is below the bottom label. */
  mpls(view: DataView, start: number, end: number, row: number): DecodeStatus {
    this.ipVersion = this.ipLength = this.l2Length = this.tags = this.tcpAt = 0
    this.u16[this.etherType + row] = 0x8847
    return dissectMpls(this, view, start, start, end, row)
  }
}

/**
 * THE rule for `bytes` where headers are dissected: layer-3 octets of a packet of `frameLength` octets (as it was on the wire,
 * from the Ethernet header on, without FCS). The IP total length where it is plausible, so that padding does not count; else
 * what is left of the frame after `l2Length`; 0 for what is not IP.
 */
export function layer3Octets(packet: PacketDissector, frameLength: number): number {
  if (packet.ipVersion === 0) return 0
  const rest = frameLength - packet.l2Length
  const length = packet.ipLength
  return length > 0 && length <= rest ? length : rest > 0 ? rest : 0
}
