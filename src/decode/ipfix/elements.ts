/**
 * THE table of information elements that are decoded: IANA "IPFIX Information Elements" (RFC 7012), which NetFlow v9 shares for the
 * numbers below 128, and VMware's (enterprise 6876) as Open vSwitch uses them (ofproto/ipfix-enterprise-entities.def).
 * An element that is in no row, or whose length its copy cannot read, is skipped by its length.
 */
import type { ColumnName } from '../../schema/columns.ts'
import { COPIES, type Copy, type CopyName } from '../copies.ts'

export const VMWARE = 6876

/** Who sends it, where that decides what an element means. */
type Scope = 'ovs' | 'others' | 'netflow9' | 'ipfix_of_others'

export interface Element {
  readonly id: number
  /** Enterprise number; without it IANA's. */
  readonly pen?: typeof VMWARE
  /** Name in the registry. */
  readonly name: string
  readonly copy: CopyName
  readonly to: ColumnName
  /** Longest field that is read, where the copy could read longer ones: the size of the element's type. */
  readonly max?: number
  /**
   * Where several elements of a template have one column, those of the lowest rank are copied (default 0). Among equals the
   * later overwrites the earlier unless it is zero (templates that carry both address families).
   */
  readonly rank?: number
  /** Column of the second occurrence in a template. */
  readonly again?: ColumnName
  /** Only in templates of these; default all. */
  readonly only?: Scope
}

export const ELEMENTS: readonly Element[] = [
  { id: 138, name: 'observationPointId', copy: 'int', to: 'observation_point' },
  { id: 898, pen: VMWARE, name: 'virtualObsID', copy: 'text', to: 'virtual_obs_id' },
  { id: 61, name: 'flowDirection', copy: 'direction', to: 'flow_direction' },
  { id: 136, name: 'flowEndReason', copy: 'endReason', to: 'flow_end_reason' },

  { id: 10, name: 'ingressInterface', copy: 'int', max: 4, to: 'in_if' },
  { id: 14, name: 'egressInterface', copy: 'int', max: 4, to: 'out_if' },
  // OVS repeats the pair 82, 83 for the egress interface: only the position tells which is which.
  { id: 82, name: 'interfaceName', copy: 'text', to: 'in_if_name', again: 'out_if_name' },

  { id: 56, name: 'sourceMacAddress', copy: 'mac', to: 'src_mac' },
  { id: 80, name: 'destinationMacAddress', copy: 'mac', to: 'dst_mac' },
  { id: 256, name: 'ethernetType', copy: 'int', max: 2, to: 'ether_type' },
  { id: 243, name: 'dot1qVlanId', copy: 'int', max: 2, to: 'vlan' },
  { id: 58, name: 'vlanId', copy: 'int', max: 2, to: 'vlan', rank: 1 },
  { id: 245, name: 'dot1qCustomerVlanId', copy: 'int', max: 2, to: 'inner_vlan' },
  { id: 70, name: 'mplsTopLabelStackSection', copy: 'mplsLabel', to: 'mpls_label' },

  { id: 60, name: 'ipVersion', copy: 'int', max: 1, to: 'ip_version' },
  { id: 8, name: 'sourceIPv4Address', copy: 'ip4', to: 'src_addr' },
  { id: 12, name: 'destinationIPv4Address', copy: 'ip4', to: 'dst_addr' },
  { id: 27, name: 'sourceIPv6Address', copy: 'ip6', to: 'src_addr' },
  { id: 28, name: 'destinationIPv6Address', copy: 'ip6', to: 'dst_addr' },
  { id: 4, name: 'protocolIdentifier', copy: 'int', max: 1, to: 'ip_protocol' },
  { id: 5, name: 'ipClassOfService', copy: 'int', max: 1, to: 'tos' },
  { id: 195, name: 'ipDiffServCodePoint', copy: 'dscp', to: 'tos', rank: 1 },
  { id: 192, name: 'ipTTL', copy: 'int', max: 1, to: 'ttl' },
  { id: 52, name: 'minimumTTL', copy: 'int', max: 1, to: 'ttl', rank: 1 },
  { id: 31, name: 'flowLabelIPv6', copy: 'int', max: 4, to: 'flow_label' },

  { id: 7, name: 'sourceTransportPort', copy: 'int', max: 2, to: 'src_l4_port' },
  { id: 11, name: 'destinationTransportPort', copy: 'int', max: 2, to: 'dst_l4_port' },
  { id: 6, name: 'tcpControlBits', copy: 'int', max: 2, to: 'tcp_flags' },
  { id: 176, name: 'icmpTypeIPv4', copy: 'int', max: 1, to: 'icmp_type' },
  { id: 177, name: 'icmpCodeIPv4', copy: 'int', max: 1, to: 'icmp_code' },
  { id: 178, name: 'icmpTypeIPv6', copy: 'int', max: 1, to: 'icmp_type' },
  { id: 179, name: 'icmpCodeIPv6', copy: 'int', max: 1, to: 'icmp_code' },
  { id: 32, name: 'icmpTypeCodeIPv4', copy: 'icmpTypeCode', to: 'icmp_type', rank: 1 },
  { id: 139, name: 'icmpTypeCodeIPv6', copy: 'icmpTypeCode', to: 'icmp_type', rank: 1 },

  { id: 891, pen: VMWARE, name: 'tunnelType', copy: 'tunnelType', to: 'tunnel_type' },
  { id: 892, pen: VMWARE, name: 'tunnelKey', copy: 'key', to: 'tunnel_key' },
  { id: 893, pen: VMWARE, name: 'tunnelSourceIPv4Address', copy: 'ip4', to: 'tunnel_src_addr' },
  { id: 894, pen: VMWARE, name: 'tunnelDestinationIPv4Address', copy: 'ip4', to: 'tunnel_dst_addr' },
  { id: 896, pen: VMWARE, name: 'tunnelSourceTransportPort', copy: 'int', max: 2, to: 'tunnel_src_port' },
  { id: 897, pen: VMWARE, name: 'tunnelDestinationTransportPort', copy: 'int', max: 2, to: 'tunnel_dst_port' },
  { id: 351, name: 'layer2SegmentId', copy: 'segment', to: 'tunnel_key', rank: 1 },

  { id: 2, name: 'packetDeltaCount', copy: 'int', to: 'packets' },
  { id: 1, name: 'octetDeltaCount', copy: 'int', to: 'bytes' },
  { id: 352, name: 'layer2OctetDeltaCount', copy: 'int', to: 'l2_bytes' },
  // OVS: Σ of scaled squares; attribution, which knows the rate, turns it into the variance.
  { id: 198, name: 'octetDeltaSumOfSquares', copy: 'float', to: 'bytes_variance', only: 'ovs' },
  // Totals: OVS sends those of the whole exporter, others (yaf) those of the flow.
  { id: 86, name: 'packetTotalCount', copy: 'int', to: 'packets', rank: 1, only: 'others' },
  { id: 85, name: 'octetTotalCount', copy: 'int', to: 'bytes', rank: 1, only: 'others' },
  { id: 298, name: 'initiatorPackets', copy: 'int', to: 'packets', rank: 2 },
  { id: 231, name: 'initiatorOctets', copy: 'int', to: 'bytes', rank: 2 },
  // NetFlow v9 OUT_PKTS and OUT_BYTES: what egress NetFlow of some routers has instead.
  { id: 24, name: 'postPacketDeltaCount', copy: 'int', to: 'packets', rank: 3 },
  { id: 23, name: 'postOctetDeltaCount', copy: 'int', to: 'bytes', rank: 3 },

  { id: 158, name: 'flowStartDeltaMicroseconds', copy: 'deltaMicros', to: 'flow_start' },
  { id: 159, name: 'flowEndDeltaMicroseconds', copy: 'deltaMicros', to: 'flow_end' },
  { id: 156, name: 'flowStartNanoseconds', copy: 'ntp', to: 'flow_start', rank: 1 },
  { id: 157, name: 'flowEndNanoseconds', copy: 'ntp', to: 'flow_end', rank: 1 },
  { id: 154, name: 'flowStartMicroseconds', copy: 'ntp', to: 'flow_start', rank: 2 },
  { id: 155, name: 'flowEndMicroseconds', copy: 'ntp', to: 'flow_end', rank: 2 },
  { id: 152, name: 'flowStartMilliseconds', copy: 'milliseconds', to: 'flow_start', rank: 3 },
  { id: 153, name: 'flowEndMilliseconds', copy: 'milliseconds', to: 'flow_end', rank: 3 },
  { id: 150, name: 'flowStartSeconds', copy: 'seconds', to: 'flow_start', rank: 4 },
  { id: 151, name: 'flowEndSeconds', copy: 'seconds', to: 'flow_end', rank: 4 },
  { id: 22, name: 'flowStartSysUpTime', copy: 'uptime', to: 'flow_start', rank: 5, only: 'netflow9' },
  { id: 21, name: 'flowEndSysUpTime', copy: 'uptime', to: 'flow_end', rank: 5, only: 'netflow9' },
  { id: 22, name: 'flowStartSysUpTime', copy: 'sinceInit', to: 'flow_start', rank: 5, only: 'ipfix_of_others' },
  { id: 21, name: 'flowEndSysUpTime', copy: 'sinceInit', to: 'flow_end', rank: 5, only: 'ipfix_of_others' },
  { id: 325, name: 'observationTimeNanoseconds', copy: 'ntp', to: 'flow_end', rank: 6 },
  { id: 324, name: 'observationTimeMicroseconds', copy: 'ntp', to: 'flow_end', rank: 7 },
  { id: 323, name: 'observationTimeMilliseconds', copy: 'milliseconds', to: 'flow_end', rank: 8 },
  { id: 322, name: 'observationTimeSeconds', copy: 'seconds', to: 'flow_end', rank: 9 },

  // The rate itself, or which sampler: `scaleSampled` turns the latter into the rate that options data gave for it.
  { id: 34, name: 'samplingInterval', copy: 'int', max: 4, to: 'sampling_rate', only: 'others' },
  { id: 50, name: 'samplerRandomInterval', copy: 'int', max: 4, to: 'sampling_rate', rank: 1, only: 'others' },
  { id: 48, name: 'flowSamplerId', copy: 'int', max: 4, to: 'sampling_rate', rank: 2, only: 'others' },
  { id: 302, name: 'selectorId', copy: 'int', to: 'sampling_rate', rank: 2, only: 'others' },
]

/** systemInitTimeMilliseconds: what the uptime stamps (21, 22) of IPFIX records count from. */
export const SYSTEM_INIT_TIME = 160
/** Elements whose value is the number of a sampler, not a rate. */
export const SAMPLER_IDS: readonly number[] = [48, 302]

/** By these three, which every template of every version of OVS has and no other exporter is known to, OVS is told from others. */
export const OVS_MARKS: readonly number[] = [158, 159, 352]

/** Rows of an element, by its number. */
const ofIana: (readonly Element[] | undefined)[] = []
const ofVmware: (readonly Element[] | undefined)[] = []
for (const element of ELEMENTS) {
  const { id, pen } = element
  const rows = pen === VMWARE ? ofVmware : ofIana
  rows[id] = [...(rows[id] ?? []), element]
}

/** The row for an element in a template, if there is one and its copy reads fields of `length` bytes (0xffff = variable). */
export function findElement(pen: number, id: number, length: number, scopes: readonly string[]): Element | undefined {
  // Most of what is asked for is of IANA, or of nobody that is known.
  const rows = pen === 0 ? ofIana[id] : pen === VMWARE ? ofVmware[id] : undefined
  return rows?.find(
    (element) => (element.only === undefined || scopes.includes(element.only)) && canRead(element, length),
  )
}

function canRead(element: Element, length: number): boolean {
  const copy: Copy = COPIES[element.copy]
  if (length === 0xffff) return copy.emitVariable !== undefined
  return length >= copy.min && length <= Math.min(copy.max, element.max ?? copy.max)
}
