CREATE TABLE IF NOT EXISTS {database}.migrations
(
    version UInt32,
    name String,
    program String,
    done_at DateTime('UTC') DEFAULT now()
)
ENGINE = MergeTree
ORDER BY (version)
COMMENT 'Migrations of this database that are done.';

CREATE TABLE IF NOT EXISTS {database}.flows
(
    flow_end DateTime64(3, 'UTC') COMMENT 'Time of the last packet of the record; the time used for filters and buckets.' CODEC(T64, ZSTD(1)),
    flow_start DateTime64(3, 'UTC') COMMENT 'Time of the first packet that the counts of this record cover, as far as the exporter tells.' CODEC(T64, ZSTD(1)),
    time_received DateTime64(3, 'UTC') COMMENT 'When the datagram arrived (its own time in a replayed capture).' CODEC(T64, ZSTD(1)),
    export_protocol Enum8('unknown' = 0, 'netflow5' = 1, 'netflow9' = 2, 'ipfix' = 3, 'sflow5' = 4, 'gre' = 5, 'erspan' = 6, 'vxlan' = 7) COMMENT 'What the record came from.' CODEC(ZSTD(1)),
    exporter IPv6 COMMENT 'Source address of the datagram.' CODEC(ZSTD(1)),
    agent IPv6 COMMENT 'sFlow agent address; other protocols repeat the exporter.' CODEC(ZSTD(1)),
    observation_domain UInt32 COMMENT 'Observation domain (IPFIX), source id (NetFlow v9), engine type * 256 + engine id (NetFlow v5), sub-agent id (sFlow).' CODEC(T64, ZSTD(1)),
    observation_point UInt32 COMMENT 'observationPointId (IPFIX 138), sFlow source id, GRE key, ERSPAN session or VNI of a mirror.' CODEC(T64, ZSTD(1)),
    virtual_obs_id LowCardinality(String) COMMENT 'virtualObsID (VMware 898): the label set on the bridge by other_config:virtual_obs_id.' CODEC(ZSTD(1)),
    sequence UInt32 COMMENT 'Sequence number in the header of the datagram.' CODEC(T64, ZSTD(1)),
    in_if UInt32 COMMENT 'Ingress interface as exported: OpenFlow port (NetFlow of OVS) or ifIndex (IPFIX, sFlow).' CODEC(T64, ZSTD(1)),
    out_if UInt32 COMMENT 'Egress interface as exported; what it means is in output_kind.' CODEC(T64, ZSTD(1)),
    in_if_name LowCardinality(String) COMMENT 'Ingress interface name, exported (IPFIX 82) or found in the model.' CODEC(ZSTD(1)),
    out_if_name LowCardinality(String) COMMENT 'Egress interface name, exported (IPFIX 82, second occurrence) or found in the model.' CODEC(ZSTD(1)),
    output_kind Enum8('unknown' = 0, 'interface' = 1, 'local' = 2, 'none' = 3, 'flood' = 4, 'multiple' = 5, 'unknown_single' = 6) COMMENT 'What the output interface of the record means.' CODEC(ZSTD(1)),
    flow_direction Enum8('unknown' = 0, 'ingress' = 1, 'egress' = 2) COMMENT 'Where the packet was observed, as the exporter says.' CODEC(ZSTD(1)),
    exporter_host LowCardinality(String) COMMENT 'Host of the exporter (compute or network node); "host" alone as a dimension is the host of the VM end.' CODEC(ZSTD(1)),
    bridge LowCardinality(String) COMMENT 'Bridge on that host that saw the packet.' CODEC(ZSTD(1)),
    src_mac UInt64 COMMENT 'Source MAC address.' CODEC(ZSTD(1)),
    dst_mac UInt64 COMMENT 'Destination MAC address.' CODEC(ZSTD(1)),
    ether_type UInt16 COMMENT 'EtherType of the innermost payload.' CODEC(ZSTD(1)),
    vlan UInt16 COMMENT 'VLAN id of the outer tag as observed; on a mirror the local VLAN that the mirror inserted.' CODEC(ZSTD(1)),
    inner_vlan UInt16 COMMENT 'VLAN id of the second tag.' CODEC(ZSTD(1)),
    mpls_label UInt32 COMMENT 'Top MPLS label.' CODEC(T64, ZSTD(1)),
    ip_version UInt8 COMMENT '4, 6, or 0 when the frame is not IP.' CODEC(ZSTD(1)),
    src_addr IPv6 COMMENT 'Source IP address.' CODEC(ZSTD(1)),
    dst_addr IPv6 COMMENT 'Destination IP address.' CODEC(ZSTD(1)),
    ip_protocol UInt8 COMMENT 'Protocol number (IANA).' CODEC(ZSTD(1)),
    tos UInt8 COMMENT 'IPv4 type of service or IPv6 traffic class. NetFlow of OVS clears the ECN bits.' CODEC(ZSTD(1)),
    ttl UInt8 COMMENT 'TTL or hop limit.' CODEC(ZSTD(1)),
    flow_label UInt32 COMMENT 'IPv6 flow label.' CODEC(T64, ZSTD(1)),
    ip_fragment UInt8 COMMENT '1 when the record is of a later fragment, whose transport ports are not known.' CODEC(ZSTD(1)),
    src_l4_port UInt16 COMMENT 'Source transport port.' CODEC(ZSTD(1)),
    dst_l4_port UInt16 COMMENT 'Destination transport port.' CODEC(ZSTD(1)),
    tcp_flags UInt16 COMMENT 'OR of the TCP flags. NetFlow of OVS repeats flags already reported.' CODEC(ZSTD(1)),
    icmp_type UInt8 COMMENT 'ICMP type.' CODEC(ZSTD(1)),
    icmp_code UInt8 COMMENT 'ICMP code.' CODEC(ZSTD(1)),
    tunnel_type Enum8('none' = 0, 'vxlan' = 1, 'gre' = 2, 'lisp' = 3, 'stt' = 4, 'ipsec_gre' = 5, 'geneve' = 6, 'unknown' = 7) COMMENT 'Type of the tunnel the packet came by (or leaves by).' CODEC(ZSTD(1)),
    tunnel_src_addr IPv6 COMMENT 'Outer source address.' CODEC(ZSTD(1)),
    tunnel_dst_addr IPv6 COMMENT 'Outer destination address.' CODEC(ZSTD(1)),
    tunnel_src_port UInt16 COMMENT 'Outer source UDP port.' CODEC(ZSTD(1)),
    tunnel_dst_port UInt16 COMMENT 'Outer destination UDP port.' CODEC(ZSTD(1)),
    tunnel_key UInt32 COMMENT 'VNI or GRE key of the tunnel.' CODEC(T64, ZSTD(1)),
    packets UInt64 COMMENT 'Packets, scaled to the traffic when sampled.' CODEC(T64, ZSTD(1)),
    bytes UInt64 COMMENT 'Layer-3 octets: IP header and payload, without Ethernet header, padding excepted; 0 for frames that are not IP.' CODEC(T64, ZSTD(1)),
    l2_bytes UInt64 COMMENT 'Layer-2 octets: the frame without FCS and without tags that monitoring inserted; 0 when the exporter does not tell.' CODEC(T64, ZSTD(1)),
    sampling_rate UInt32 COMMENT '1 in how many packets was sampled; 1 = unsampled, 0 = not known.' CODEC(T64, ZSTD(1)),
    samples UInt32 COMMENT 'How many samples the counts stand for; 0 when unsampled.' CODEC(T64, ZSTD(1)),
    bytes_variance Float64 COMMENT 'Variance of bytes as an estimate: R(R-1) times the sum of squared lengths; 0 when unsampled. Addable.' CODEC(ZSTD(1)),
    l2_bytes_variance Float64 COMMENT 'The same for l2_bytes.' CODEC(ZSTD(1)),
    kept_one_in UInt32 COMMENT '1 in how many of the exporter\'s records the rate limit of the collector (`exporter_limit`) kept; counts and variances are of all of them. 0 = no limit was in force.' CODEC(T64, ZSTD(1)),
    tcp_retransmits UInt32 COMMENT 'TCP segments that carried what had been sent before, keep-alives excepted. Only mirrored frames tell (GRE, ERSPAN, VXLAN); 0 for all other sources.' CODEC(T64, ZSTD(1)),
    flow_end_reason Enum8('unknown' = 0, 'idle_timeout' = 1, 'active_timeout' = 2, 'end_of_flow' = 3, 'forced_end' = 4, 'lack_of_resources' = 5) COMMENT 'Why the record was sent.' CODEC(ZSTD(1)),
    corrections UInt8 COMMENT 'Corrections made to the counts; bits, see docs/counting.md.' CODEC(ZSTD(1)),
    src_project_id LowCardinality(String) COMMENT 'Project id of the source.' CODEC(ZSTD(1)),
    src_project LowCardinality(String) COMMENT 'Project name of the source.' CODEC(ZSTD(1)),
    src_network_id LowCardinality(String) COMMENT 'Network id of the source.' CODEC(ZSTD(1)),
    src_network LowCardinality(String) COMMENT 'Network name of the source.' CODEC(ZSTD(1)),
    src_server_id LowCardinality(String) COMMENT 'Server (VM) id of the source.' CODEC(ZSTD(1)),
    src_server LowCardinality(String) COMMENT 'Server name of the source.' CODEC(ZSTD(1)),
    src_port_id LowCardinality(String) COMMENT 'Neutron port id of the source.' CODEC(ZSTD(1)),
    src_port LowCardinality(String) COMMENT 'Port name of the source, its id where it has none.' CODEC(ZSTD(1)),
    src_host LowCardinality(String) COMMENT 'Host where the source is.' CODEC(ZSTD(1)),
    src_router_id LowCardinality(String) COMMENT 'Router id, where the source is a router or stands behind its SNAT address.' CODEC(ZSTD(1)),
    src_kind Enum8('unknown' = 0, 'server' = 1, 'router' = 2, 'dhcp' = 3, 'floating' = 4, 'snat' = 5, 'infrastructure' = 6, 'external' = 7, 'group' = 8, 'other' = 9) COMMENT 'What the source is.' CODEC(ZSTD(1)),
    src_grade Enum8('unknown' = 0, 'port' = 1, 'port_unverified' = 2, 'mac' = 3, 'address' = 4, 'floating' = 5, 'router' = 6, 'snat' = 7, 'infrastructure' = 8, 'external' = 9, 'ambiguous' = 10) COMMENT 'How sure the source is.' CODEC(ZSTD(1)),
    src_evidence Enum8('none' = 0, 'ofport' = 1, 'if_index' = 2, 'if_name' = 3, 'mirror_port' = 4, 'network_mac' = 5, 'network_address' = 6, 'routing_domain_address' = 7, 'floating_address' = 8, 'router_address' = 9, 'host_address' = 10, 'outside_address' = 11, 'group_address' = 12, 'no_model' = 13, 'no_host' = 14, 'no_interface' = 15, 'no_network' = 16, 'no_match' = 17, 'several_matches' = 18, 'not_ip' = 19, 'host_mac' = 20, 'host_address_port' = 21, 'device_name' = 22) COMMENT 'Why the source is what it is, or why it could not be resolved.' CODEC(ZSTD(1)),
    src_candidates UInt16 COMMENT 'How many ports could be the source when it is ambiguous.' CODEC(ZSTD(1)),
    dst_project_id LowCardinality(String) COMMENT 'Project id of the destination.' CODEC(ZSTD(1)),
    dst_project LowCardinality(String) COMMENT 'Project name of the destination.' CODEC(ZSTD(1)),
    dst_network_id LowCardinality(String) COMMENT 'Network id of the destination.' CODEC(ZSTD(1)),
    dst_network LowCardinality(String) COMMENT 'Network name of the destination.' CODEC(ZSTD(1)),
    dst_server_id LowCardinality(String) COMMENT 'Server (VM) id of the destination.' CODEC(ZSTD(1)),
    dst_server LowCardinality(String) COMMENT 'Server name of the destination.' CODEC(ZSTD(1)),
    dst_port_id LowCardinality(String) COMMENT 'Neutron port id of the destination.' CODEC(ZSTD(1)),
    dst_port LowCardinality(String) COMMENT 'Port name of the destination, its id where it has none.' CODEC(ZSTD(1)),
    dst_host LowCardinality(String) COMMENT 'Host where the destination is.' CODEC(ZSTD(1)),
    dst_router_id LowCardinality(String) COMMENT 'Router id, where the destination is a router or stands behind its SNAT address.' CODEC(ZSTD(1)),
    dst_kind Enum8('unknown' = 0, 'server' = 1, 'router' = 2, 'dhcp' = 3, 'floating' = 4, 'snat' = 5, 'infrastructure' = 6, 'external' = 7, 'group' = 8, 'other' = 9) COMMENT 'What the destination is.' CODEC(ZSTD(1)),
    dst_grade Enum8('unknown' = 0, 'port' = 1, 'port_unverified' = 2, 'mac' = 3, 'address' = 4, 'floating' = 5, 'router' = 6, 'snat' = 7, 'infrastructure' = 8, 'external' = 9, 'ambiguous' = 10) COMMENT 'How sure the destination is.' CODEC(ZSTD(1)),
    dst_evidence Enum8('none' = 0, 'ofport' = 1, 'if_index' = 2, 'if_name' = 3, 'mirror_port' = 4, 'network_mac' = 5, 'network_address' = 6, 'routing_domain_address' = 7, 'floating_address' = 8, 'router_address' = 9, 'host_address' = 10, 'outside_address' = 11, 'group_address' = 12, 'no_model' = 13, 'no_host' = 14, 'no_interface' = 15, 'no_network' = 16, 'no_match' = 17, 'several_matches' = 18, 'not_ip' = 19, 'host_mac' = 20, 'host_address_port' = 21, 'device_name' = 22) COMMENT 'Why the destination is what it is, or why it could not be resolved.' CODEC(ZSTD(1)),
    dst_candidates UInt16 COMMENT 'How many ports could be the destination when it is ambiguous.' CODEC(ZSTD(1)),
    role Enum8('unknown' = 0, 'sent' = 1, 'received' = 2, 'transit' = 3, 'mirror_echo' = 4, 'duplicate' = 5, 'unattributed' = 6) COMMENT 'Counting role of the record.' CODEC(ZSTD(1)),
    traffic_class Enum8('unknown' = 0, 'same_network' = 1, 'routed' = 2, 'between_projects' = 3, 'north_south_out' = 4, 'north_south_in' = 5, 'infrastructure' = 6) COMMENT 'Class of the traffic between the two ends.' CODEC(ZSTD(1)),
    counts_sent UInt8 COMMENT '1 when the record counts as sent by its source.' CODEC(ZSTD(1)),
    counts_received UInt8 COMMENT '1 when the record counts as received by its destination.' CODEC(ZSTD(1)),
    counts_once UInt8 COMMENT '1 when the record counts in totals, in which every byte is held once.' CODEC(ZSTD(1)),
    late_id UInt64 COMMENT 'Number of a row that waits to be resolved again once the model knows more (docs/identity.md, late truth); 0 = final.' CODEC(T64, ZSTD(1)),
    time_stored DateTime('UTC') DEFAULT now() COMMENT 'When the row was stored.' CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(time_received)
ORDER BY (toStartOfFiveMinutes(flow_end), src_project_id, src_port_id, dst_port_id)
SETTINGS non_replicated_deduplication_window = 100000, min_bytes_for_wide_part = 50331648, merge_max_block_size = 65536, merge_max_block_size_bytes = 209715200, index_granularity = 65536, index_granularity_bytes = 209715200
COMMENT 'Flow records, one row each. See docs/fields.md.';

INSERT INTO {database}.migrations (version, name, program) VALUES (1, 'flow records', 'ovsight');

INSERT INTO {database}.migrations (version, name, program) VALUES (2, 'rows that wait to be resolved again', 'ovsight');

CREATE TABLE IF NOT EXISTS {database}.exporter_health
(
    minute DateTime64(3, 'UTC') COMMENT 'Start of the minute of arrival.' CODEC(T64, ZSTD(1)),
    exporter IPv6 COMMENT 'Source address of the datagrams; `::` where no exporter can be named.' CODEC(ZSTD(1)),
    exporter_host LowCardinality(String) COMMENT 'Host of that address, empty when it is not known.' CODEC(ZSTD(1)),
    protocol Enum8('unknown' = 0, 'netflow5' = 1, 'netflow9' = 2, 'ipfix' = 3, 'sflow5' = 4, 'gre' = 5, 'erspan' = 6, 'vxlan' = 7) COMMENT 'Protocol of the datagrams; ERSPAN comes under gre. `unknown` where none can be named.' CODEC(ZSTD(1)),
    domain UInt32 COMMENT 'As observation_domain of the flows; 0 for mirrored frames.' CODEC(T64, ZSTD(1)),
    fault LowCardinality(String) COMMENT 'Why `faults` datagrams were not decoded to their end; empty in the row of the counts.' CODEC(ZSTD(1)),
    faults UInt64 COMMENT 'Datagrams that were not decoded to their end.' CODEC(T64, ZSTD(1)),
    datagrams UInt64 COMMENT 'Datagrams decoded.' CODEC(T64, ZSTD(1)),
    bytes UInt64 COMMENT 'Their payload.' CODEC(T64, ZSTD(1)),
    records UInt64 COMMENT 'Flow records in them. A mirrored frame is one when it is read.' CODEC(T64, ZSTD(1)),
    expected UInt64 COMMENT 'What was sent, by the sequence numbers: records (NetFlow v5, IPFIX) or datagrams (NetFlow v9, sFlow). 0 where there are none.' CODEC(T64, ZSTD(1)),
    lost UInt64 COMMENT 'Of these, what never arrived.' CODEC(T64, ZSTD(1)),
    reordered UInt64 COMMENT 'Datagrams that arrived after a later one.' CODEC(T64, ZSTD(1)),
    duplicates UInt64 COMMENT 'Datagrams that arrived again, or so late that they had been counted as lost.' CODEC(T64, ZSTD(1)),
    restarts UInt64 COMMENT 'Times the sequence began anew: the exporter was started again.' CODEC(T64, ZSTD(1)),
    mixed UInt64 COMMENT 'Datagrams whose sequence could not be followed, since two bridges of the exporter share one number.' CODEC(T64, ZSTD(1)),
    samples UInt64 COMMENT 'Flow samples sent, by the sequence numbers of their sources (sFlow).' CODEC(T64, ZSTD(1)),
    lost_samples UInt64 COMMENT 'Of these, what never arrived.' CODEC(T64, ZSTD(1)),
    kernel_drops UInt64 COMMENT 'Datagrams dropped for want of room in the socket; those of a socket are shared out by what each exporter sent.' CODEC(T64, ZSTD(1)),
    overload_drops UInt64 COMMENT 'Datagrams dropped because rows came faster than they could be stored.' CODEC(T64, ZSTD(1)),
    refused_drops UInt64 COMMENT 'Datagrams dropped because max_exporters was reached.' CODEC(T64, ZSTD(1)),
    datapath_lost UInt64 COMMENT 'Packets the Open vSwitch datapath lost on their way to vswitchd, samples among them (sFlow 2207).' CODEC(T64, ZSTD(1)),
    unsent UInt64 COMMENT 'Packets whose records the exporter says it did not send (IPFIX 167).' CODEC(T64, ZSTD(1)),
    limited UInt64 COMMENT 'Records left out by the rate limit (exporter_limit); those kept stand for them (kept_one_in of the flows).' CODEC(T64, ZSTD(1)),
    clock_moved UInt64 COMMENT 'Records whose times were moved, since the exporter\'s clock is off (exporter_clocks).' CODEC(T64, ZSTD(1)),
    clock_offset Float64 COMMENT 'How far the clock in the headers is ahead of the time of arrival (negative: behind, or late), milliseconds; 0 where nothing is told.' CODEC(ZSTD(1)),
    templates UInt32 COMMENT 'Templates held of the exporter, of all its domains, when the row was written (NetFlow v9, IPFIX); the largest count is the exporter\'s.' CODEC(T64, ZSTD(1)),
    rows_dropped UInt64 COMMENT 'Rows lost after decoding: the spool was full, or a block was damaged.' CODEC(T64, ZSTD(1)),
    time_stored DateTime('UTC') DEFAULT now() COMMENT 'When the row was stored.' CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(minute)
ORDER BY (minute, exporter, protocol, domain)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'What exporters delivered in each minute, and what of it was lost.';

CREATE TABLE IF NOT EXISTS {database}.interface_counters
(
    time DateTime64(3, 'UTC') COMMENT 'When the counters were read; those of OVSDB may be `stats-update-interval` older, 5 s by default.' CODEC(T64, ZSTD(1)),
    source Enum8('unknown' = 0, 'sflow' = 1, 'ovsdb' = 2) COMMENT 'Who told them.' CODEC(ZSTD(1)),
    host LowCardinality(String) COMMENT 'Host of the interface; the address of its agent when it is not known.' CODEC(ZSTD(1)),
    bridge LowCardinality(String) COMMENT 'Bridge of the interface, when it is known.' CODEC(ZSTD(1)),
    interface LowCardinality(String) COMMENT 'Name of the interface.' CODEC(ZSTD(1)),
    if_index UInt32 COMMENT 'ifIndex, 0 when there is none.' CODEC(T64, ZSTD(1)),
    ofport UInt32 COMMENT 'OpenFlow port, 0 when it is not told.' CODEC(T64, ZSTD(1)),
    port_id LowCardinality(String) COMMENT 'Neutron port that is plugged there; empty for all other interfaces.' CODEC(ZSTD(1)),
    port LowCardinality(String) COMMENT 'Its name.' CODEC(ZSTD(1)),
    server_id LowCardinality(String) COMMENT 'Server (VM) of the port.' CODEC(ZSTD(1)),
    server LowCardinality(String) COMMENT 'Its name.' CODEC(ZSTD(1)),
    network LowCardinality(String) COMMENT 'Network of the port.' CODEC(ZSTD(1)),
    project_id LowCardinality(String) COMMENT 'Project of the port.' CODEC(ZSTD(1)),
    project LowCardinality(String) COMMENT 'Its name.' CODEC(ZSTD(1)),
    in_bytes UInt64 COMMENT 'Octets that came in, seen from the switch: what the server sent. Frames without FCS.' CODEC(T64, ZSTD(1)),
    out_bytes UInt64 COMMENT 'Octets that went out: what the server received.' CODEC(T64, ZSTD(1)),
    in_packets UInt64 COMMENT 'Packets that came in.' CODEC(T64, ZSTD(1)),
    out_packets UInt64 COMMENT 'Packets that went out.' CODEC(T64, ZSTD(1)),
    in_drops UInt64 COMMENT 'Packets dropped on the way in.' CODEC(T64, ZSTD(1)),
    out_drops UInt64 COMMENT 'Packets dropped on the way out.' CODEC(T64, ZSTD(1)),
    in_errors UInt64 COMMENT 'Packets with errors on the way in.' CODEC(T64, ZSTD(1)),
    out_errors UInt64 COMMENT 'Packets with errors on the way out.' CODEC(T64, ZSTD(1)),
    time_stored DateTime('UTC') DEFAULT now() COMMENT 'When the row was stored.' CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(time)
ORDER BY (port_id, host, interface, time)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Counters of interfaces as their switches told them.';

CREATE TABLE IF NOT EXISTS {database}.audit
(
    span_from DateTime64(3, 'UTC') COMMENT 'The counter reading that begins the span.' CODEC(T64, ZSTD(1)),
    span_to DateTime64(3, 'UTC') COMMENT 'The counter reading that ends it.' CODEC(T64, ZSTD(1)),
    host LowCardinality(String) COMMENT 'Host of the interface.' CODEC(ZSTD(1)),
    bridge LowCardinality(String) COMMENT 'Bridge of the interface.' CODEC(ZSTD(1)),
    interface LowCardinality(String) COMMENT 'Name of the interface.' CODEC(ZSTD(1)),
    port_id LowCardinality(String) COMMENT 'Neutron port.' CODEC(ZSTD(1)),
    port LowCardinality(String) COMMENT 'Its name.' CODEC(ZSTD(1)),
    server_id LowCardinality(String) COMMENT 'Server (VM) of the port.' CODEC(ZSTD(1)),
    server LowCardinality(String) COMMENT 'Its name.' CODEC(ZSTD(1)),
    network LowCardinality(String) COMMENT 'Network of the port.' CODEC(ZSTD(1)),
    project_id LowCardinality(String) COMMENT 'Project of the port.' CODEC(ZSTD(1)),
    project LowCardinality(String) COMMENT 'Its name.' CODEC(ZSTD(1)),
    direction Enum8('unknown' = 0, 'sent' = 1, 'received' = 2) COMMENT 'What the server sent, or what it received.' CODEC(ZSTD(1)),
    source Enum8('unknown' = 0, 'sflow' = 1, 'ovsdb' = 2) COMMENT 'Who told the counters.' CODEC(ZSTD(1)),
    counted_bytes UInt64 COMMENT 'l2_bytes of the flow records that count for the port.' CODEC(T64, ZSTD(1)),
    true_bytes UInt64 COMMENT 'What the interface counted.' CODEC(T64, ZSTD(1)),
    counted_packets UInt64 COMMENT 'Packets of the flow records that count for the port.' CODEC(T64, ZSTD(1)),
    true_packets UInt64 COMMENT 'What the interface counted.' CODEC(T64, ZSTD(1)),
    ratio Float64 COMMENT 'counted_bytes / true_bytes; 0 when nothing was to be counted.' CODEC(ZSTD(1)),
    expected_error Float64 COMMENT 'Bytes by which the two may differ though nothing is wrong: half-width of sampling at 95 %, flows that overlap the ends of the span.' CODEC(ZSTD(1)),
    sampling_error Float64 COMMENT 'The part of it that comes from sampling.' CODEC(ZSTD(1)),
    verdict Enum8('unknown' = 0, 'agrees' = 1, 'within_sampling_error' = 2, 'short' = 3, 'over' = 4) COMMENT 'Whether they agree.' CODEC(ZSTD(1)),
    cause Enum8('none' = 0, 'counter_span' = 1, 'no_exporter' = 2, 'losses' = 3, 'datapath_losses' = 4, 'not_ipv4' = 5, 'broadcast' = 6, 'caches' = 7, 'offload' = 8, 'mirror' = 9, 'tunnel_overhead' = 10, 'ambiguous' = 11, 'unexplained' = 12) COMMENT 'The likeliest reason when they do not.' CODEC(ZSTD(1)),
    note LowCardinality(String) COMMENT 'What speaks for that reason, as a sentence.' CODEC(ZSTD(1)),
    time_stored DateTime('UTC') DEFAULT now() COMMENT 'When the row was stored.' CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(span_to)
ORDER BY (span_to, port_id, direction)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Flow totals of ports against the counters of their interfaces.';

INSERT INTO {database}.migrations (version, name, program) VALUES (3, 'health of exporters, counters of interfaces, audit', 'ovsight');

ALTER TABLE {database}.flows MODIFY SETTING min_bytes_for_wide_part = 50331648, merge_max_block_size = 65536, merge_max_block_size_bytes = 209715200;

CREATE TABLE IF NOT EXISTS {database}.flows_1m
(
    bucket DateTime('UTC') COMMENT 'Start of the bucket that flow_end is in.' CODEC(T64, ZSTD(1)),
    group_hash UInt64 COMMENT 'Hash of all that the sums are kept apart by.' CODEC(ZSTD(1)),
    src_project_id LowCardinality(String) COMMENT 'Project id of the source.' CODEC(ZSTD(1)),
    dst_project_id LowCardinality(String) COMMENT 'Project id of the destination.' CODEC(ZSTD(1)),
    src_server_id SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Server (VM) id of the source.' CODEC(ZSTD(1)),
    dst_server_id SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Server (VM) id of the destination.' CODEC(ZSTD(1)),
    src_port_id SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Neutron port id of the source.' CODEC(ZSTD(1)),
    dst_port_id SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Neutron port id of the destination.' CODEC(ZSTD(1)),
    role SimpleAggregateFunction(any, Enum8('unknown' = 0, 'sent' = 1, 'received' = 2, 'transit' = 3, 'mirror_echo' = 4, 'duplicate' = 5, 'unattributed' = 6)) COMMENT 'Counting role of the record.' CODEC(ZSTD(1)),
    counts_sent SimpleAggregateFunction(any, UInt8) COMMENT '1 when the record counts as sent by its source.' CODEC(ZSTD(1)),
    counts_received SimpleAggregateFunction(any, UInt8) COMMENT '1 when the record counts as received by its destination.' CODEC(ZSTD(1)),
    counts_once SimpleAggregateFunction(any, UInt8) COMMENT '1 when the record counts in totals, in which every byte is held once.' CODEC(ZSTD(1)),
    traffic_class SimpleAggregateFunction(any, Enum8('unknown' = 0, 'same_network' = 1, 'routed' = 2, 'between_projects' = 3, 'north_south_out' = 4, 'north_south_in' = 5, 'infrastructure' = 6)) COMMENT 'Class of the traffic between the two ends.' CODEC(ZSTD(1)),
    ip_protocol SimpleAggregateFunction(any, UInt8) COMMENT 'Protocol number (IANA).' CODEC(ZSTD(1)),
    ip_version SimpleAggregateFunction(any, UInt8) COMMENT '4, 6, or 0 when the frame is not IP.' CODEC(ZSTD(1)),
    src_network_id SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Network id of the source.' CODEC(ZSTD(1)),
    dst_network_id SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Network id of the destination.' CODEC(ZSTD(1)),
    src_host SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Host where the source is.' CODEC(ZSTD(1)),
    dst_host SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Host where the destination is.' CODEC(ZSTD(1)),
    exporter_host SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Host of the exporter (compute or network node); "host" alone as a dimension is the host of the VM end.' CODEC(ZSTD(1)),
    export_protocol SimpleAggregateFunction(any, Enum8('unknown' = 0, 'netflow5' = 1, 'netflow9' = 2, 'ipfix' = 3, 'sflow5' = 4, 'gre' = 5, 'erspan' = 6, 'vxlan' = 7)) COMMENT 'What the record came from.' CODEC(ZSTD(1)),
    src_kind SimpleAggregateFunction(any, Enum8('unknown' = 0, 'server' = 1, 'router' = 2, 'dhcp' = 3, 'floating' = 4, 'snat' = 5, 'infrastructure' = 6, 'external' = 7, 'group' = 8, 'other' = 9)) COMMENT 'What the source is.' CODEC(ZSTD(1)),
    dst_kind SimpleAggregateFunction(any, Enum8('unknown' = 0, 'server' = 1, 'router' = 2, 'dhcp' = 3, 'floating' = 4, 'snat' = 5, 'infrastructure' = 6, 'external' = 7, 'group' = 8, 'other' = 9)) COMMENT 'What the destination is.' CODEC(ZSTD(1)),
    src_grade SimpleAggregateFunction(any, Enum8('unknown' = 0, 'port' = 1, 'port_unverified' = 2, 'mac' = 3, 'address' = 4, 'floating' = 5, 'router' = 6, 'snat' = 7, 'infrastructure' = 8, 'external' = 9, 'ambiguous' = 10)) COMMENT 'How sure the source is.' CODEC(ZSTD(1)),
    dst_grade SimpleAggregateFunction(any, Enum8('unknown' = 0, 'port' = 1, 'port_unverified' = 2, 'mac' = 3, 'address' = 4, 'floating' = 5, 'router' = 6, 'snat' = 7, 'infrastructure' = 8, 'external' = 9, 'ambiguous' = 10)) COMMENT 'How sure the destination is.' CODEC(ZSTD(1)),
    src_project SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Project name of the source.' CODEC(ZSTD(1)),
    dst_project SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Project name of the destination.' CODEC(ZSTD(1)),
    src_server SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Server name of the source.' CODEC(ZSTD(1)),
    dst_server SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Server name of the destination.' CODEC(ZSTD(1)),
    src_port SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Port name of the source, its id where it has none.' CODEC(ZSTD(1)),
    dst_port SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Port name of the destination, its id where it has none.' CODEC(ZSTD(1)),
    src_network SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Network name of the source.' CODEC(ZSTD(1)),
    dst_network SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Network name of the destination.' CODEC(ZSTD(1)),
    packets SimpleAggregateFunction(sum, Int64) COMMENT 'Sum of packets.' CODEC(T64, ZSTD(1)),
    bytes SimpleAggregateFunction(sum, Int64) COMMENT 'Sum of bytes.' CODEC(T64, ZSTD(1)),
    l2_bytes SimpleAggregateFunction(sum, Int64) COMMENT 'Sum of l2_bytes.' CODEC(T64, ZSTD(1)),
    records SimpleAggregateFunction(sum, Int64) COMMENT 'Sum of ones.' CODEC(T64, ZSTD(1)),
    samples SimpleAggregateFunction(sum, Int64) COMMENT 'Sum of samples.' CODEC(T64, ZSTD(1)),
    packets_variance SimpleAggregateFunction(sum, Float64) COMMENT 'Sum of greatest(kept_one_in, 1) * samples * toFloat64(sampling_rate) * (toFloat64(sampling_rate) - 1) + (1 - 1 / greatest(kept_one_in, 1)) * pow(toFloat64(packets), 2).' CODEC(ZSTD(1)),
    bytes_variance SimpleAggregateFunction(sum, Float64) COMMENT 'Sum of bytes_variance.' CODEC(ZSTD(1)),
    l2_bytes_variance SimpleAggregateFunction(sum, Float64) COMMENT 'Sum of l2_bytes_variance.' CODEC(ZSTD(1)),
    day_stored Date DEFAULT today() COMMENT 'When the rows were stored.'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMMDD(day_stored)
ORDER BY (bucket, src_project_id, dst_project_id, group_hash)
SETTINGS non_replicated_deduplication_window = 100000, min_bytes_for_wide_part = 50331648, merge_max_block_size = 65536, merge_max_block_size_bytes = 209715200
COMMENT 'Flow records summed by time and both ends. See docs/store.md.';

TRUNCATE TABLE {database}.flows_1m;

CREATE TABLE IF NOT EXISTS {database}.flows_1h
(
    bucket DateTime('UTC') COMMENT 'Start of the bucket that flow_end is in.' CODEC(T64, ZSTD(1)),
    group_hash UInt64 COMMENT 'Hash of all that the sums are kept apart by.' CODEC(ZSTD(1)),
    src_project_id LowCardinality(String) COMMENT 'Project id of the source.' CODEC(ZSTD(1)),
    dst_project_id LowCardinality(String) COMMENT 'Project id of the destination.' CODEC(ZSTD(1)),
    src_server_id SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Server (VM) id of the source.' CODEC(ZSTD(1)),
    dst_server_id SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Server (VM) id of the destination.' CODEC(ZSTD(1)),
    src_port_id SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Neutron port id of the source.' CODEC(ZSTD(1)),
    dst_port_id SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Neutron port id of the destination.' CODEC(ZSTD(1)),
    role SimpleAggregateFunction(any, Enum8('unknown' = 0, 'sent' = 1, 'received' = 2, 'transit' = 3, 'mirror_echo' = 4, 'duplicate' = 5, 'unattributed' = 6)) COMMENT 'Counting role of the record.' CODEC(ZSTD(1)),
    counts_sent SimpleAggregateFunction(any, UInt8) COMMENT '1 when the record counts as sent by its source.' CODEC(ZSTD(1)),
    counts_received SimpleAggregateFunction(any, UInt8) COMMENT '1 when the record counts as received by its destination.' CODEC(ZSTD(1)),
    counts_once SimpleAggregateFunction(any, UInt8) COMMENT '1 when the record counts in totals, in which every byte is held once.' CODEC(ZSTD(1)),
    traffic_class SimpleAggregateFunction(any, Enum8('unknown' = 0, 'same_network' = 1, 'routed' = 2, 'between_projects' = 3, 'north_south_out' = 4, 'north_south_in' = 5, 'infrastructure' = 6)) COMMENT 'Class of the traffic between the two ends.' CODEC(ZSTD(1)),
    ip_protocol SimpleAggregateFunction(any, UInt8) COMMENT 'Protocol number (IANA).' CODEC(ZSTD(1)),
    ip_version SimpleAggregateFunction(any, UInt8) COMMENT '4, 6, or 0 when the frame is not IP.' CODEC(ZSTD(1)),
    src_network_id SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Network id of the source.' CODEC(ZSTD(1)),
    dst_network_id SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Network id of the destination.' CODEC(ZSTD(1)),
    src_host SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Host where the source is.' CODEC(ZSTD(1)),
    dst_host SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Host where the destination is.' CODEC(ZSTD(1)),
    exporter_host SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Host of the exporter (compute or network node); "host" alone as a dimension is the host of the VM end.' CODEC(ZSTD(1)),
    export_protocol SimpleAggregateFunction(any, Enum8('unknown' = 0, 'netflow5' = 1, 'netflow9' = 2, 'ipfix' = 3, 'sflow5' = 4, 'gre' = 5, 'erspan' = 6, 'vxlan' = 7)) COMMENT 'What the record came from.' CODEC(ZSTD(1)),
    src_kind SimpleAggregateFunction(any, Enum8('unknown' = 0, 'server' = 1, 'router' = 2, 'dhcp' = 3, 'floating' = 4, 'snat' = 5, 'infrastructure' = 6, 'external' = 7, 'group' = 8, 'other' = 9)) COMMENT 'What the source is.' CODEC(ZSTD(1)),
    dst_kind SimpleAggregateFunction(any, Enum8('unknown' = 0, 'server' = 1, 'router' = 2, 'dhcp' = 3, 'floating' = 4, 'snat' = 5, 'infrastructure' = 6, 'external' = 7, 'group' = 8, 'other' = 9)) COMMENT 'What the destination is.' CODEC(ZSTD(1)),
    src_grade SimpleAggregateFunction(any, Enum8('unknown' = 0, 'port' = 1, 'port_unverified' = 2, 'mac' = 3, 'address' = 4, 'floating' = 5, 'router' = 6, 'snat' = 7, 'infrastructure' = 8, 'external' = 9, 'ambiguous' = 10)) COMMENT 'How sure the source is.' CODEC(ZSTD(1)),
    dst_grade SimpleAggregateFunction(any, Enum8('unknown' = 0, 'port' = 1, 'port_unverified' = 2, 'mac' = 3, 'address' = 4, 'floating' = 5, 'router' = 6, 'snat' = 7, 'infrastructure' = 8, 'external' = 9, 'ambiguous' = 10)) COMMENT 'How sure the destination is.' CODEC(ZSTD(1)),
    src_project SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Project name of the source.' CODEC(ZSTD(1)),
    dst_project SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Project name of the destination.' CODEC(ZSTD(1)),
    src_server SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Server name of the source.' CODEC(ZSTD(1)),
    dst_server SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Server name of the destination.' CODEC(ZSTD(1)),
    src_port SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Port name of the source, its id where it has none.' CODEC(ZSTD(1)),
    dst_port SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Port name of the destination, its id where it has none.' CODEC(ZSTD(1)),
    src_network SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Network name of the source.' CODEC(ZSTD(1)),
    dst_network SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Network name of the destination.' CODEC(ZSTD(1)),
    packets SimpleAggregateFunction(sum, Int64) COMMENT 'Sum of packets.' CODEC(T64, ZSTD(1)),
    bytes SimpleAggregateFunction(sum, Int64) COMMENT 'Sum of bytes.' CODEC(T64, ZSTD(1)),
    l2_bytes SimpleAggregateFunction(sum, Int64) COMMENT 'Sum of l2_bytes.' CODEC(T64, ZSTD(1)),
    records SimpleAggregateFunction(sum, Int64) COMMENT 'Sum of ones.' CODEC(T64, ZSTD(1)),
    samples SimpleAggregateFunction(sum, Int64) COMMENT 'Sum of samples.' CODEC(T64, ZSTD(1)),
    packets_variance SimpleAggregateFunction(sum, Float64) COMMENT 'Sum of greatest(kept_one_in, 1) * samples * toFloat64(sampling_rate) * (toFloat64(sampling_rate) - 1) + (1 - 1 / greatest(kept_one_in, 1)) * pow(toFloat64(packets), 2).' CODEC(ZSTD(1)),
    bytes_variance SimpleAggregateFunction(sum, Float64) COMMENT 'Sum of bytes_variance.' CODEC(ZSTD(1)),
    l2_bytes_variance SimpleAggregateFunction(sum, Float64) COMMENT 'Sum of l2_bytes_variance.' CODEC(ZSTD(1)),
    day_stored Date DEFAULT today() COMMENT 'When the rows were stored.'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day_stored)
ORDER BY (bucket, src_project_id, dst_project_id, group_hash)
SETTINGS non_replicated_deduplication_window = 100000, min_bytes_for_wide_part = 50331648, merge_max_block_size = 65536, merge_max_block_size_bytes = 209715200
COMMENT 'Minutes summed by time and both ends. See docs/store.md.';

TRUNCATE TABLE {database}.flows_1h;

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.flows_1h_view TO {database}.flows_1h AS
SELECT toStartOfHour(bucket) AS bucket, group_hash, src_project_id, dst_project_id, src_server_id, dst_server_id, src_port_id, dst_port_id, role, counts_sent, counts_received, counts_once, traffic_class, ip_protocol, ip_version, src_network_id, dst_network_id, src_host, dst_host, exporter_host, export_protocol, src_kind, dst_kind, src_grade, dst_grade, src_project, dst_project, src_server, dst_server, src_port, dst_port, src_network, dst_network, packets, bytes, l2_bytes, records, samples, packets_variance, bytes_variance, l2_bytes_variance, day_stored FROM {database}.flows_1m;

INSERT INTO {database}.flows_1m (bucket, group_hash, src_project_id, dst_project_id, src_server_id, dst_server_id, src_port_id, dst_port_id, role, counts_sent, counts_received, counts_once, traffic_class, ip_protocol, ip_version, src_network_id, dst_network_id, src_host, dst_host, exporter_host, export_protocol, src_kind, dst_kind, src_grade, dst_grade, src_project, dst_project, src_server, dst_server, src_port, dst_port, src_network, dst_network, packets, bytes, l2_bytes, records, samples, packets_variance, bytes_variance, l2_bytes_variance) SELECT toStartOfMinute(t.flow_end), sipHash64(t.src_project_id, t.dst_project_id, t.src_server_id, t.dst_server_id, t.src_port_id, t.dst_port_id, t.role, t.counts_sent, t.counts_received, t.counts_once, t.traffic_class, t.ip_protocol, t.ip_version, t.src_network_id, t.dst_network_id, t.src_host, t.dst_host, t.exporter_host, t.export_protocol, t.src_kind, t.dst_kind, t.src_grade, t.dst_grade, t.src_project, t.dst_project, t.src_server, t.dst_server, t.src_port, t.dst_port, t.src_network, t.dst_network), t.src_project_id, t.dst_project_id, t.src_server_id, t.dst_server_id, t.src_port_id, t.dst_port_id, t.role, t.counts_sent, t.counts_received, t.counts_once, t.traffic_class, t.ip_protocol, t.ip_version, t.src_network_id, t.dst_network_id, t.src_host, t.dst_host, t.exporter_host, t.export_protocol, t.src_kind, t.dst_kind, t.src_grade, t.dst_grade, t.src_project, t.dst_project, t.src_server, t.dst_server, t.src_port, t.dst_port, t.src_network, t.dst_network, toInt64(sum(t.packets)), toInt64(sum(t.bytes)), toInt64(sum(t.l2_bytes)), toInt64(sum(toUInt64(1))), toInt64(sum(t.samples)), toFloat64(sum(greatest(t.kept_one_in, 1) * t.samples * toFloat64(t.sampling_rate) * (toFloat64(t.sampling_rate) - 1) + (1 - 1 / greatest(t.kept_one_in, 1)) * pow(toFloat64(t.packets), 2))), toFloat64(sum(t.bytes_variance)), toFloat64(sum(t.l2_bytes_variance)) FROM {database}.flows AS t GROUP BY toStartOfMinute(t.flow_end), t.src_project_id, t.dst_project_id, t.src_server_id, t.dst_server_id, t.src_port_id, t.dst_port_id, t.role, t.counts_sent, t.counts_received, t.counts_once, t.traffic_class, t.ip_protocol, t.ip_version, t.src_network_id, t.dst_network_id, t.src_host, t.dst_host, t.exporter_host, t.export_protocol, t.src_kind, t.dst_kind, t.src_grade, t.dst_grade, t.src_project, t.dst_project, t.src_server, t.dst_server, t.src_port, t.dst_port, t.src_network, t.dst_network;

INSERT INTO {database}.migrations (version, name, program) VALUES (4, 'sums by minute and hour', 'ovsight');

INSERT INTO {database}.migrations (version, name, program) VALUES (5, 'rate limits and clocks of exporters', 'ovsight');

CREATE TABLE IF NOT EXISTS {database}.identity_history
(
    kind Enum8('project' = 0, 'network' = 1, 'server' = 2, 'port' = 3) COMMENT 'What it is.' CODEC(ZSTD(1)),
    id LowCardinality(String) COMMENT 'Its id.' CODEC(ZSTD(1)),
    valid_from DateTime64(3, 'UTC') COMMENT 'Since when it was so: as the cloud tells, else when it was first seen to be.' CODEC(T64, ZSTD(1)),
    valid_to DateTime64(3, 'UTC') COMMENT 'Until when, not inside; 2299-12-31 23:59:59.999 for what holds now.' CODEC(T64, ZSTD(1)),
    name LowCardinality(String) COMMENT 'Its name then.' CODEC(ZSTD(1)),
    project_id LowCardinality(String) COMMENT 'Project it belonged to; of a project itself.' CODEC(ZSTD(1)),
    project LowCardinality(String) COMMENT 'Name of that project then.' CODEC(ZSTD(1)),
    network_id LowCardinality(String) COMMENT 'Network of a port; of a network itself.' CODEC(ZSTD(1)),
    server_id LowCardinality(String) COMMENT 'Server of a port; of a server itself.' CODEC(ZSTD(1)),
    host LowCardinality(String) COMMENT 'Host of a port or server.' CODEC(ZSTD(1)),
    mac UInt64 COMMENT 'MAC address of a port.' CODEC(ZSTD(1)),
    addresses LowCardinality(String) COMMENT 'Fixed IP addresses of a port, with commas between, in order.' CODEC(ZSTD(1)),
    written_at DateTime64(3, 'UTC') COMMENT 'When this row was written; of rows with one key the latest holds.' CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY (kind, id, valid_from)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Who was what, and when: a row a state of a project, network, server or port. Read it with FINAL.';

CREATE TABLE IF NOT EXISTS {database}.imports
(
    time DateTime64(3, 'UTC') COMMENT 'When it was imported.' CODEC(T64, ZSTD(1)),
    digest LowCardinality(String) COMMENT 'SHA-256 of the file, in hexadecimal.' CODEC(ZSTD(1)),
    file LowCardinality(String) COMMENT 'Name of the file, without its folder.' CODEC(ZSTD(1)),
    format LowCardinality(String) COMMENT 'What was in it.' CODEC(ZSTD(1)),
    rows UInt64 COMMENT 'Flow records stored from it.' CODEC(T64, ZSTD(1)),
    damaged UInt64 COMMENT 'Lines that could not be read.' CODEC(T64, ZSTD(1))
)
ENGINE = MergeTree
ORDER BY (time)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Files that `ovsight import` has stored, so that none is stored twice.';

CREATE VIEW IF NOT EXISTS {database}.identity_now AS SELECT kind, id, valid_from, valid_to, name, project_id, project, network_id, server_id, host, mac, addresses FROM {database}.identity_history FINAL WHERE valid_to > now64(3) ORDER BY kind, id, valid_from DESC LIMIT 1 BY kind, id;

CREATE VIEW IF NOT EXISTS {database}.identity_at AS SELECT kind, id, valid_from, valid_to, name, project_id, project, network_id, server_id, host, mac, addresses FROM {database}.identity_history FINAL WHERE valid_from <= {at:DateTime64(3, 'UTC')} AND valid_to > {at:DateTime64(3, 'UTC')} ORDER BY kind, id, valid_from DESC LIMIT 1 BY kind, id;

INSERT INTO {database}.migrations (version, name, program) VALUES (6, 'who was what and when; imports', 'ovsight');

INSERT INTO {database}.migrations (version, name, program) VALUES (7, 'TCP segments sent again', 'ovsight');

CREATE TABLE IF NOT EXISTS {database}.collector_metrics
(
    time DateTime64(3, 'UTC') COMMENT 'When the figure was read.' CODEC(T64, ZSTD(1)),
    collector LowCardinality(String) COMMENT 'Name of the machine that the collector runs on.' CODEC(ZSTD(1)),
    metric LowCardinality(String) COMMENT 'Name of the metric, as docs/metrics.md has it.' CODEC(ZSTD(1)),
    label LowCardinality(String) COMMENT 'Values of its labels, with spaces between; empty where it has none.' CODEC(ZSTD(1)),
    value Float64 COMMENT 'The figure. Those whose name ends in `_total` count from the start of the collector.' CODEC(ZSTD(1)),
    time_stored DateTime('UTC') DEFAULT now() COMMENT 'When the row was stored.' CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(time)
ORDER BY (metric, collector, label, time)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'What collectors tell of themselves each minute: spool, insert lag, identity, disk, store.';

INSERT INTO {database}.migrations (version, name, program) VALUES (8, 'what collectors tell of themselves', 'ovsight');

INSERT INTO {database}.migrations (version, name, program) VALUES (9, 'when rows beside the flows were stored', 'ovsight');

INSERT INTO {database}.migrations (version, name, program) VALUES (10, 'templates of exporters', 'ovsight');

CREATE TABLE IF NOT EXISTS {database}.flows_1d
(
    bucket DateTime('UTC') COMMENT 'Start of the bucket that flow_end is in.' CODEC(T64, ZSTD(1)),
    group_hash UInt64 COMMENT 'Hash of all that the sums are kept apart by.' CODEC(ZSTD(1)),
    src_project_id LowCardinality(String) COMMENT 'Project id of the source.' CODEC(ZSTD(1)),
    dst_project_id LowCardinality(String) COMMENT 'Project id of the destination.' CODEC(ZSTD(1)),
    src_server_id SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Server (VM) id of the source.' CODEC(ZSTD(1)),
    dst_server_id SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Server (VM) id of the destination.' CODEC(ZSTD(1)),
    src_port_id SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Neutron port id of the source.' CODEC(ZSTD(1)),
    dst_port_id SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Neutron port id of the destination.' CODEC(ZSTD(1)),
    role SimpleAggregateFunction(any, Enum8('unknown' = 0, 'sent' = 1, 'received' = 2, 'transit' = 3, 'mirror_echo' = 4, 'duplicate' = 5, 'unattributed' = 6)) COMMENT 'Counting role of the record.' CODEC(ZSTD(1)),
    counts_sent SimpleAggregateFunction(any, UInt8) COMMENT '1 when the record counts as sent by its source.' CODEC(ZSTD(1)),
    counts_received SimpleAggregateFunction(any, UInt8) COMMENT '1 when the record counts as received by its destination.' CODEC(ZSTD(1)),
    counts_once SimpleAggregateFunction(any, UInt8) COMMENT '1 when the record counts in totals, in which every byte is held once.' CODEC(ZSTD(1)),
    traffic_class SimpleAggregateFunction(any, Enum8('unknown' = 0, 'same_network' = 1, 'routed' = 2, 'between_projects' = 3, 'north_south_out' = 4, 'north_south_in' = 5, 'infrastructure' = 6)) COMMENT 'Class of the traffic between the two ends.' CODEC(ZSTD(1)),
    ip_protocol SimpleAggregateFunction(any, UInt8) COMMENT 'Protocol number (IANA).' CODEC(ZSTD(1)),
    ip_version SimpleAggregateFunction(any, UInt8) COMMENT '4, 6, or 0 when the frame is not IP.' CODEC(ZSTD(1)),
    src_network_id SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Network id of the source.' CODEC(ZSTD(1)),
    dst_network_id SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Network id of the destination.' CODEC(ZSTD(1)),
    src_host SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Host where the source is.' CODEC(ZSTD(1)),
    dst_host SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Host where the destination is.' CODEC(ZSTD(1)),
    exporter_host SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Host of the exporter (compute or network node); "host" alone as a dimension is the host of the VM end.' CODEC(ZSTD(1)),
    export_protocol SimpleAggregateFunction(any, Enum8('unknown' = 0, 'netflow5' = 1, 'netflow9' = 2, 'ipfix' = 3, 'sflow5' = 4, 'gre' = 5, 'erspan' = 6, 'vxlan' = 7)) COMMENT 'What the record came from.' CODEC(ZSTD(1)),
    src_kind SimpleAggregateFunction(any, Enum8('unknown' = 0, 'server' = 1, 'router' = 2, 'dhcp' = 3, 'floating' = 4, 'snat' = 5, 'infrastructure' = 6, 'external' = 7, 'group' = 8, 'other' = 9)) COMMENT 'What the source is.' CODEC(ZSTD(1)),
    dst_kind SimpleAggregateFunction(any, Enum8('unknown' = 0, 'server' = 1, 'router' = 2, 'dhcp' = 3, 'floating' = 4, 'snat' = 5, 'infrastructure' = 6, 'external' = 7, 'group' = 8, 'other' = 9)) COMMENT 'What the destination is.' CODEC(ZSTD(1)),
    src_grade SimpleAggregateFunction(any, Enum8('unknown' = 0, 'port' = 1, 'port_unverified' = 2, 'mac' = 3, 'address' = 4, 'floating' = 5, 'router' = 6, 'snat' = 7, 'infrastructure' = 8, 'external' = 9, 'ambiguous' = 10)) COMMENT 'How sure the source is.' CODEC(ZSTD(1)),
    dst_grade SimpleAggregateFunction(any, Enum8('unknown' = 0, 'port' = 1, 'port_unverified' = 2, 'mac' = 3, 'address' = 4, 'floating' = 5, 'router' = 6, 'snat' = 7, 'infrastructure' = 8, 'external' = 9, 'ambiguous' = 10)) COMMENT 'How sure the destination is.' CODEC(ZSTD(1)),
    src_project SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Project name of the source.' CODEC(ZSTD(1)),
    dst_project SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Project name of the destination.' CODEC(ZSTD(1)),
    src_server SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Server name of the source.' CODEC(ZSTD(1)),
    dst_server SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Server name of the destination.' CODEC(ZSTD(1)),
    src_port SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Port name of the source, its id where it has none.' CODEC(ZSTD(1)),
    dst_port SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Port name of the destination, its id where it has none.' CODEC(ZSTD(1)),
    src_network SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Network name of the source.' CODEC(ZSTD(1)),
    dst_network SimpleAggregateFunction(any, LowCardinality(String)) COMMENT 'Network name of the destination.' CODEC(ZSTD(1)),
    packets SimpleAggregateFunction(sum, Int64) COMMENT 'Sum of packets.' CODEC(T64, ZSTD(1)),
    bytes SimpleAggregateFunction(sum, Int64) COMMENT 'Sum of bytes.' CODEC(T64, ZSTD(1)),
    l2_bytes SimpleAggregateFunction(sum, Int64) COMMENT 'Sum of l2_bytes.' CODEC(T64, ZSTD(1)),
    records SimpleAggregateFunction(sum, Int64) COMMENT 'Sum of ones.' CODEC(T64, ZSTD(1)),
    samples SimpleAggregateFunction(sum, Int64) COMMENT 'Sum of samples.' CODEC(T64, ZSTD(1)),
    packets_variance SimpleAggregateFunction(sum, Float64) COMMENT 'Sum of greatest(kept_one_in, 1) * samples * toFloat64(sampling_rate) * (toFloat64(sampling_rate) - 1) + (1 - 1 / greatest(kept_one_in, 1)) * pow(toFloat64(packets), 2).' CODEC(ZSTD(1)),
    bytes_variance SimpleAggregateFunction(sum, Float64) COMMENT 'Sum of bytes_variance.' CODEC(ZSTD(1)),
    l2_bytes_variance SimpleAggregateFunction(sum, Float64) COMMENT 'Sum of l2_bytes_variance.' CODEC(ZSTD(1)),
    day_stored Date DEFAULT today() COMMENT 'When the rows were stored.'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day_stored)
ORDER BY (bucket, src_project_id, dst_project_id, group_hash)
SETTINGS non_replicated_deduplication_window = 100000, min_bytes_for_wide_part = 50331648, merge_max_block_size = 65536, merge_max_block_size_bytes = 209715200
COMMENT 'Minutes summed by time and both ends. See docs/store.md.';

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.flows_1d_view TO {database}.flows_1d AS
SELECT toStartOfInterval(bucket, INTERVAL 1 DAY, 'UTC') AS bucket, group_hash, src_project_id, dst_project_id, src_server_id, dst_server_id, src_port_id, dst_port_id, role, counts_sent, counts_received, counts_once, traffic_class, ip_protocol, ip_version, src_network_id, dst_network_id, src_host, dst_host, exporter_host, export_protocol, src_kind, dst_kind, src_grade, dst_grade, src_project, dst_project, src_server, dst_server, src_port, dst_port, src_network, dst_network, packets, bytes, l2_bytes, records, samples, packets_variance, bytes_variance, l2_bytes_variance, day_stored FROM {database}.flows_1m;

INSERT INTO {database}.migrations (version, name, program) VALUES (11, 'sums by day', 'ovsight');
