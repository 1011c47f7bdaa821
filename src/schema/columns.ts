import type { EnumName } from './enums.ts'
import type { ColumnArray, Kind } from './kinds.ts'

/**
 * THE table of columns, in storage order. DDL, FlowBatch, Native encoder, query language, API and docs/fields.md follow from it:
 * adding a column is one row here (and a migration).
 *
 * What the exporter says comes first, then what attribution adds: for each end who it is, how sure and why, then how the
 * record counts. `measure` columns are summed, all others are dimensions.
 */
export const COLUMNS = {
  flow_end: { kind: 'time', doc: 'Time of the last packet of the record; the time used for filters and buckets.' },
  flow_start: {
    kind: 'time',
    doc: 'Time of the first packet that the counts of this record cover, as far as the exporter tells.',
  },
  time_received: { kind: 'time', doc: 'When the datagram arrived (its own time in a replayed capture).' },
  export_protocol: { kind: 'enum', of: 'export_protocol', doc: 'What the record came from.' },
  exporter: { kind: 'ip', doc: 'Source address of the datagram.' },
  agent: { kind: 'ip', doc: 'sFlow agent address; other protocols repeat the exporter.' },
  observation_domain: {
    kind: 'u32',
    doc: 'Observation domain (IPFIX), source id (NetFlow v9), engine type * 256 + engine id (NetFlow v5), sub-agent id (sFlow).',
  },
  observation_point: {
    kind: 'u32',
    doc: 'observationPointId (IPFIX 138), sFlow source id, GRE key, ERSPAN session or VNI of a mirror.',
  },
  virtual_obs_id: {
    kind: 'text',
    doc: 'virtualObsID (VMware 898): the label set on the bridge by other_config:virtual_obs_id.',
  },
  sequence: { kind: 'u32', doc: 'Sequence number in the header of the datagram.' },
  in_if: {
    kind: 'u32',
    doc: 'Ingress interface as exported: OpenFlow port (NetFlow of OVS) or ifIndex (IPFIX, sFlow).',
  },
  out_if: { kind: 'u32', doc: 'Egress interface as exported; what it means is in output_kind.' },
  in_if_name: { kind: 'text', doc: 'Ingress interface name, exported (IPFIX 82) or found in the model.' },
  out_if_name: {
    kind: 'text',
    doc: 'Egress interface name, exported (IPFIX 82, second occurrence) or found in the model.',
  },
  output_kind: { kind: 'enum', of: 'output_kind', doc: 'What the output interface of the record means.' },
  flow_direction: { kind: 'enum', of: 'flow_direction', doc: 'Where the packet was observed, as the exporter says.' },
  exporter_host: {
    kind: 'text',
    doc: 'Host of the exporter (compute or network node); "host" alone as a dimension is the host of the VM end.',
  },
  bridge: { kind: 'text', doc: 'Bridge on that host that saw the packet.' },
  src_mac: { kind: 'mac', doc: 'Source MAC address.' },
  dst_mac: { kind: 'mac', doc: 'Destination MAC address.' },
  ether_type: { kind: 'u16', doc: 'EtherType of the innermost payload.' },
  vlan: {
    kind: 'u16',
    doc: 'VLAN id of the outer tag as observed; on a mirror the local VLAN that the mirror inserted.',
  },
  inner_vlan: { kind: 'u16', doc: 'VLAN id of the second tag.' },
  mpls_label: { kind: 'u32', doc: 'Top MPLS label.' },
  ip_version: { kind: 'u8', doc: '4, 6, or 0 when the frame is not IP.' },
  src_addr: { kind: 'ip', doc: 'Source IP address.' },
  dst_addr: { kind: 'ip', doc: 'Destination IP address.' },
  ip_protocol: { kind: 'u8', doc: 'Protocol number (IANA).' },
  tos: { kind: 'u8', doc: 'IPv4 type of service or IPv6 traffic class. NetFlow of OVS clears the ECN bits.' },
  ttl: { kind: 'u8', doc: 'TTL or hop limit.' },
  flow_label: { kind: 'u32', doc: 'IPv6 flow label.' },
  ip_fragment: { kind: 'u8', doc: '1 when the record is of a later fragment, whose transport ports are not known.' },
  src_l4_port: { kind: 'u16', doc: 'Source transport port.' },
  dst_l4_port: { kind: 'u16', doc: 'Destination transport port.' },
  tcp_flags: { kind: 'u16', doc: 'OR of the TCP flags. NetFlow of OVS repeats flags already reported.' },
  icmp_type: { kind: 'u8', doc: 'ICMP type.' },
  icmp_code: { kind: 'u8', doc: 'ICMP code.' },
  tunnel_type: { kind: 'enum', of: 'tunnel_type', doc: 'Type of the tunnel the packet came by (or leaves by).' },
  tunnel_src_addr: { kind: 'ip', doc: 'Outer source address.' },
  tunnel_dst_addr: { kind: 'ip', doc: 'Outer destination address.' },
  tunnel_src_port: { kind: 'u16', doc: 'Outer source UDP port.' },
  tunnel_dst_port: { kind: 'u16', doc: 'Outer destination UDP port.' },
  tunnel_key: { kind: 'u32', doc: 'VNI or GRE key of the tunnel.' },
  packets: { kind: 'u64', measure: true, doc: 'Packets, scaled to the traffic when sampled.' },
  bytes: {
    kind: 'u64',
    measure: true,
    doc: 'Layer-3 octets: IP header and payload, without Ethernet header, padding excepted; 0 for frames that are not IP.',
  },
  l2_bytes: {
    kind: 'u64',
    measure: true,
    doc: 'Layer-2 octets: the frame without FCS and without tags that monitoring inserted; 0 when the exporter does not tell.',
  },
  sampling_rate: { kind: 'u32', doc: '1 in how many packets was sampled; 1 = unsampled, 0 = not known.' },
  samples: { kind: 'u32', measure: true, doc: 'How many samples the counts stand for; 0 when unsampled.' },
  bytes_variance: {
    kind: 'f64',
    measure: true,
    doc: 'Variance of bytes as an estimate: R(R-1) times the sum of squared lengths; 0 when unsampled. Addable.',
  },
  l2_bytes_variance: { kind: 'f64', measure: true, doc: 'The same for l2_bytes.' },
  kept_one_in: {
    kind: 'u32',
    doc: "1 in how many of the exporter's records the rate limit of the collector (`exporter_limit`) kept; counts and variances are of all of them. 0 = no limit was in force.",
  },
  tcp_retransmits: {
    kind: 'u32',
    measure: true,
    doc: 'TCP segments that carried what had been sent before, keep-alives excepted. Only mirrored frames tell (GRE, ERSPAN, VXLAN); 0 for all other sources.',
  },
  flow_end_reason: { kind: 'enum', of: 'flow_end_reason', doc: 'Why the record was sent.' },
  corrections: { kind: 'u8', doc: 'Corrections made to the counts; bits, see docs/counting.md.' },
  src_project_id: { kind: 'text', doc: 'Project id of the source.' },
  src_project: { kind: 'text', doc: 'Project name of the source.' },
  src_network_id: { kind: 'text', doc: 'Network id of the source.' },
  src_network: { kind: 'text', doc: 'Network name of the source.' },
  src_server_id: { kind: 'text', doc: 'Server (VM) id of the source.' },
  src_server: { kind: 'text', doc: 'Server name of the source.' },
  src_port_id: { kind: 'text', doc: 'Neutron port id of the source.' },
  src_port: { kind: 'text', doc: 'Port name of the source, its id where it has none.' },
  src_host: { kind: 'text', doc: 'Host where the source is.' },
  src_router_id: { kind: 'text', doc: 'Router id, where the source is a router or stands behind its SNAT address.' },
  src_kind: { kind: 'enum', of: 'end_kind', doc: 'What the source is.' },
  src_grade: { kind: 'enum', of: 'grade', doc: 'How sure the source is.' },
  src_evidence: { kind: 'enum', of: 'evidence', doc: 'Why the source is what it is, or why it could not be resolved.' },
  src_candidates: { kind: 'u16', doc: 'How many ports could be the source when it is ambiguous.' },
  dst_project_id: { kind: 'text', doc: 'Project id of the destination.' },
  dst_project: { kind: 'text', doc: 'Project name of the destination.' },
  dst_network_id: { kind: 'text', doc: 'Network id of the destination.' },
  dst_network: { kind: 'text', doc: 'Network name of the destination.' },
  dst_server_id: { kind: 'text', doc: 'Server (VM) id of the destination.' },
  dst_server: { kind: 'text', doc: 'Server name of the destination.' },
  dst_port_id: { kind: 'text', doc: 'Neutron port id of the destination.' },
  dst_port: { kind: 'text', doc: 'Port name of the destination, its id where it has none.' },
  dst_host: { kind: 'text', doc: 'Host where the destination is.' },
  dst_router_id: {
    kind: 'text',
    doc: 'Router id, where the destination is a router or stands behind its SNAT address.',
  },
  dst_kind: { kind: 'enum', of: 'end_kind', doc: 'What the destination is.' },
  dst_grade: { kind: 'enum', of: 'grade', doc: 'How sure the destination is.' },
  dst_evidence: {
    kind: 'enum',
    of: 'evidence',
    doc: 'Why the destination is what it is, or why it could not be resolved.',
  },
  dst_candidates: { kind: 'u16', doc: 'How many ports could be the destination when it is ambiguous.' },
  role: { kind: 'enum', of: 'role', doc: 'Counting role of the record.' },
  traffic_class: { kind: 'enum', of: 'traffic_class', doc: 'Class of the traffic between the two ends.' },
  counts_sent: { kind: 'u8', doc: '1 when the record counts as sent by its source.' },
  counts_received: { kind: 'u8', doc: '1 when the record counts as received by its destination.' },
  counts_once: { kind: 'u8', doc: '1 when the record counts in totals, in which every byte is held once.' },
  late_id: {
    kind: 'u64',
    doc: 'Number of a row that waits to be resolved again once the model knows more (docs/identity.md, late truth); 0 = final.',
  },
} as const satisfies Record<string, ColumnFacts>

interface ColumnFacts {
  kind: Kind
  /** Which closed set, for kind `enum`. */
  of?: EnumName
  /** Summed in reports; all other columns are dimensions. */
  measure?: true
  doc: string
}

export type ColumnName = keyof typeof COLUMNS

/** The typed arrays of a batch, by column. */
export type Columns = { readonly [C in ColumnName]: ColumnArray<(typeof COLUMNS)[C]['kind']> }

export const COLUMN_NAMES = Object.keys(COLUMNS) as ColumnName[]

/** A column's facts with the optional ones typed as such. */
export function columnFacts(name: ColumnName): ColumnFacts {
  return COLUMNS[name]
}
