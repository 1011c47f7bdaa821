/**
 * The closed sets of values that columns hold. The index is what is stored; a new value goes at the end (the DDL of a
 * database in use only ever grows), and every value has its sentence, which docs/fields.md prints.
 */

/** What the record came from. */
export const EXPORT_PROTOCOL = {
  unknown: 'not set',
  netflow5: 'NetFlow version 5',
  netflow9: 'NetFlow version 9, RFC 3954',
  ipfix: 'IPFIX, RFC 7011',
  sflow5: 'sFlow version 5 flow sample',
  gre: 'frame mirrored through GRE (transparent Ethernet bridging)',
  erspan: 'frame mirrored through ERSPAN type I, II or III',
  vxlan: 'frame mirrored through VXLAN',
} as const

/** flowDirection (IPFIX 61) as the exporter sees it. */
export const FLOW_DIRECTION = {
  unknown: 'the exporter does not say',
  ingress: 'observed where the packet entered the bridge',
  egress: 'observed where the packet left the bridge',
} as const

/** What the output interface of a record means. */
export const OUTPUT_KIND = {
  unknown: 'the exporter does not say, or says it is unknown',
  interface: 'one interface, its number is in out_if',
  local: "the bridge's own internal port or several outputs (NetFlow 65534 does not tell which)",
  none: 'no output in the first pass: dropped, or decided later (conntrack, recirculation); not a proof of a drop',
  flood: 'flooded',
  multiple: 'several outputs, their number is in out_if (0 = not known)',
  unknown_single: 'one output whose interface is not known (sFlow 0x80000001: it left through another bridge)',
} as const

/** tunnelType of the VMware elements (6876/891), which OVS uses, and IANA tunnel types where they coincide. */
export const TUNNEL_TYPE = {
  none: 'no tunnel seen',
  vxlan: 'VXLAN, RFC 7348',
  gre: 'GRE, RFC 2784/2890',
  lisp: 'LISP',
  stt: 'STT',
  ipsec_gre: 'GRE over IPsec',
  geneve: 'Geneve, RFC 8926',
  unknown: 'a tunnel whose type is not known',
} as const

/** flowEndReason (IPFIX 136); for mirrored frames why ovsight itself ended the record. */
export const FLOW_END_REASON = {
  unknown: 'the exporter does not say',
  idle_timeout: 'no packet for the inactive timeout',
  active_timeout: 'reported while the flow goes on',
  end_of_flow: 'the end was seen (TCP FIN or RST)',
  forced_end: 'the exporter was told to stop',
  lack_of_resources: 'the cache was full',
} as const

/** What an end of a flow is. */
export const END_KIND = {
  unknown: 'not known',
  server: 'a port of a server (VM)',
  router: 'a router interface or gateway',
  dhcp: 'a DHCP or metadata port',
  floating: 'a floating IP not bound to a server port',
  snat: 'the SNAT address of a router: some server of its project, which one cannot be known',
  infrastructure: 'a host of the cloud itself: tunnel end point, underlay, agent',
  external: 'an address outside the cloud',
  group: 'broadcast or multicast: no single end',
  other: 'another kind of Neutron port (load balancer, bare metal, trunk parent …)',
} as const

/** How sure an end is. See docs/identity.md. */
export const GRADE = {
  unknown: 'could not be resolved; evidence says why',
  port: 'the interface matched, and address or MAC agrees',
  port_unverified: 'the interface matched, but the address differs: spoofed, forwarded, or an unknown allowed pair',
  mac: 'by network and MAC',
  address: 'by network or routing domain and IP',
  floating: 'by floating IP',
  router: 'by a router port',
  snat: 'by the SNAT address of a router',
  infrastructure: 'by the address of a host',
  external: 'no port of the cloud has the address, and the path leads outside',
  ambiguous: 'several candidates, their number is in candidates; none is picked',
} as const

/** Why an end is what it is, or why it could not be resolved. */
export const EVIDENCE = {
  none: 'attribution has not run',
  ofport: '(host, bridge, OpenFlow port)',
  if_index: '(host, ifIndex)',
  if_name: '(host, interface name)',
  mirror_port: 'the only port selected by the mirror',
  network_mac: '(network, MAC)',
  network_address: '(network, IP)',
  routing_domain_address: '(routing domain of the other end, IP)',
  floating_address: 'floating IP at that time',
  router_address: 'address of a router port',
  host_address: 'address of a host',
  outside_address: 'address in no network that can be reached',
  group_address: 'multicast or broadcast address',
  no_model: 'no identity source is configured',
  no_host: 'the exporter is no known host',
  no_interface: 'the interface number or name is not known on that host',
  no_network: 'neither end gives a network to look the address up in',
  no_match: 'the network is known, the address is not in it',
  several_matches: 'more than one port matches',
  not_ip: 'no address to look up',
  host_mac: '(host, MAC): the interface is not known, a port with that MAC is on the host',
  host_address_port: '(host, IP): ports at both hosts of a tunnel, joined by a network',
  device_name:
    "the device's name carries the first eleven characters of the port's id; OVSDB does not know the interface",
} as const

/** Counting role of a record. See docs/counting.md. */
export const ROLE = {
  unknown: 'attribution has not run',
  sent: 'observed where a server sent it: its own port, ingress',
  received: 'observed where a server received it: its own port, egress (or the last router leg before it)',
  transit: 'seen elsewhere on its way: router leg, tunnel, uplink; counted elsewhere',
  mirror_echo: 'the copy on its way to a mirror port',
  duplicate: 'a second report of the same port and direction by a source of lower precedence',
  unattributed: 'no end is known',
} as const

/** Class of the traffic between the two ends. */
export const TRAFFIC_CLASS = {
  unknown: 'an end is not known',
  same_network: 'both ends in one network',
  routed: 'two networks of one project',
  between_projects: 'two projects',
  north_south_out: 'from a server to the outside',
  north_south_in: 'from the outside to a server',
  infrastructure: 'an end is the cloud itself: router, DHCP, tunnel',
} as const

/** Who told the counters of an interface. */
export const COUNTER_SOURCE = {
  unknown: 'not set',
  sflow: 'counter samples of sFlow (if_counters)',
  ovsdb: 'the column statistics of the table Interface, asked for now and then',
} as const

/** Which of the two counts of a port is compared. */
export const AUDIT_DIRECTION = {
  unknown: 'not set',
  sent: 'what the server sent: what came in by its interface',
  received: 'what the server received: what went out by its interface',
} as const

/** Whether the flow total of a port agrees with the counters of its interface. */
export const AUDIT_VERDICT = {
  unknown: 'the counters do not tell',
  agrees: 'they are the same, but for what the ends of the span explain',
  within_sampling_error: 'they differ by no more than the half-width that the samples state',
  short: 'records are missing',
  over: 'records hold more than there was',
} as const

/** The likeliest reason why a flow total and a counter differ. */
export const AUDIT_CAUSE = {
  none: 'nothing to explain',
  counter_span: 'the counters do not cover the span: they began late, or the interface was made anew within it',
  no_exporter: 'no records came from the bridge of the port',
  losses: 'records were lost on their way, or dropped',
  datapath_losses: 'the datapath lost packets on their way to the exporter',
  not_ipv4: 'NetFlow v5 reports IPv4 only; ARP and IPv6 are in the counters',
  broadcast: 'what others broadcast is received by many, and counted as received for nobody',
  caches: 'records are still in the caches of the exporters, or were not ended in time',
  offload: 'packets were put together or taken apart between the interface and the switch (TSO, GRO)',
  mirror: 'copies of a mirror are counted beside the traffic',
  tunnel_overhead: 'outer headers of native tunnels are counted, some forty or fifty bytes a packet',
  ambiguous: 'records may be of the port, but fit several',
  unexplained: 'nothing that ovsight knows of explains it',
} as const

/** What a row of the identity history is about. */
export const IDENTITY_KIND = {
  project: 'a project (tenant)',
  network: 'a network',
  server: 'a server (VM)',
  port: 'a port',
} as const

/** Corrections ovsight made to the counts of a record; bits, so several may hold. */
export const CORRECTIONS = {
  tunnel_overhead: { bit: 1, doc: 'outer tunnel header taken off (NetFlow of a userspace datapath, native tunnel)' },
  no_fcs: { bit: 2, doc: 'frame check sequence taken off (sFlow frame_length)' },
  mirror_vlan: { bit: 4, doc: 'VLAN tag that the mirror inserted taken off' },
  truncated: { bit: 8, doc: 'lengths taken from the IP header, the frame was cut' },
  rate_limit: { bit: 16, doc: 'counts multiplied by kept_one_in: they stand for records that the rate limit left out' },
  clock: { bit: 32, doc: "times moved, since the exporter's clock is off (exporter_clocks)" },
} as const

export const ENUMS = {
  export_protocol: EXPORT_PROTOCOL,
  flow_direction: FLOW_DIRECTION,
  output_kind: OUTPUT_KIND,
  tunnel_type: TUNNEL_TYPE,
  flow_end_reason: FLOW_END_REASON,
  end_kind: END_KIND,
  grade: GRADE,
  evidence: EVIDENCE,
  role: ROLE,
  traffic_class: TRAFFIC_CLASS,
  counter_source: COUNTER_SOURCE,
  audit_direction: AUDIT_DIRECTION,
  audit_verdict: AUDIT_VERDICT,
  audit_cause: AUDIT_CAUSE,
  identity_kind: IDENTITY_KIND,
} as const satisfies Record<string, Readonly<Record<string, string>>>

export type EnumName = keyof typeof ENUMS
export type EnumValue<E extends EnumName> = keyof (typeof ENUMS)[E] & string

/** Values of an enum in index order. */
export function enumValues<E extends EnumName>(name: E): readonly EnumValue<E>[] {
  return Object.keys(ENUMS[name]) as EnumValue<E>[]
}

/** Name to index, for constants of the hot path: `const ROLE_CODE = enumCodes('role')`. */
export function enumCodes<E extends EnumName>(name: E): Readonly<Record<EnumValue<E>, number>> {
  return Object.fromEntries(enumValues(name).map((value, code) => [value, code])) as Record<EnumValue<E>, number>
}
