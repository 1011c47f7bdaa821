import type { Columns } from '../schema/columns.ts'
import { dissectIp } from './packet/ip.ts'
import { dissectEthernet, dissectMpls } from './packet/link.ts'
import type { DecodeStatus } from './status.ts'

/** Columns that the headers of a packet fill. A FlowBatch's `columns` are such an object. */
export type PacketColumns = Pick<
  Columns,
  | 'src_mac'
  | 'dst_mac'
  | 'ether_type'
  | 'vlan'
  | 'inner_vlan'
  | 'mpls_label'
  | 'ip_version'
  | 'src_addr'
  | 'dst_addr'
  | 'ip_protocol'
  | 'tos'
  | 'ttl'
  | 'flow_label'
  | 'ip_fragment'
  | 'src_l4_port'
  | 'dst_l4_port'
  | 'tcp_flags'
  | 'icmp_type'
  | 'icmp_code'
>

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

  private bound: PacketColumns | undefined = undefined
  // Set by `bind`; read by the functions in packet/.
  srcMac!: Columns['src_mac']
  dstMac!: Columns['dst_mac']
  etherType!: Columns['ether_type']
  vlan!: Columns['vlan']
  innerVlan!: Columns['inner_vlan']
  mplsLabel!: Columns['mpls_label']
  version!: Columns['ip_version']
  srcAddr!: Columns['src_addr']
  dstAddr!: Columns['dst_addr']
  protocol!: Columns['ip_protocol']
  tos!: Columns['tos']
  ttl!: Columns['ttl']
  flowLabel!: Columns['flow_label']
  fragment!: Columns['ip_fragment']
  srcPort!: Columns['src_l4_port']
  dstPort!: Columns['dst_l4_port']
  tcpFlags!: Columns['tcp_flags']
  icmpType!: Columns['icmp_type']
  icmpCode!: Columns['icmp_code']

  constructor(columns: PacketColumns) {
    this.bind(columns)
  }

  /** From here on rows of `columns` are written. */
  bind(columns: PacketColumns): void {
    if (columns === this.bound) return
    this.bound = columns
    this.srcMac = columns.src_mac
    this.dstMac = columns.dst_mac
    this.etherType = columns.ether_type
    this.vlan = columns.vlan
    this.innerVlan = columns.inner_vlan
    this.mplsLabel = columns.mpls_label
    this.version = columns.ip_version
    this.srcAddr = columns.src_addr
    this.dstAddr = columns.dst_addr
    this.protocol = columns.ip_protocol
    this.tos = columns.tos
    this.ttl = columns.ttl
    this.flowLabel = columns.flow_label
    this.fragment = columns.ip_fragment
    this.srcPort = columns.src_l4_port
    this.dstPort = columns.dst_l4_port
    this.tcpFlags = columns.tcp_flags
    this.icmpType = columns.icmp_type
    this.icmpCode = columns.icmp_code
  }

  /** A frame from its destination MAC address on, without FCS (which does no harm). */
  ethernet(view: DataView, start: number, end: number, row: number): DecodeStatus {
    this.ipVersion = this.ipLength = this.l2Length = this.tags = 0
    return dissectEthernet(this, view, start, end, row)
  }

  /** An IPv4 or IPv6 packet; the first nibble tells which. Sets `ether_type`, as if it had come in a frame. */
  ip(view: DataView, start: number, end: number, row: number): DecodeStatus {
    this.ipVersion = this.ipLength = this.l2Length = this.tags = 0
    return dissectIp(this, view, start, end, row)
  }

  /** A label stack. Sets `ether_type` to MPLS, or to IP where that is below the bottom label. */
  mpls(view: DataView, start: number, end: number, row: number): DecodeStatus {
    this.ipVersion = this.ipLength = this.l2Length = this.tags = 0
    this.etherType[row] = 0x8847
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
