CREATE TABLE IF NOT EXISTS {database}.migrations
(
    version UInt32,
    name String,
    program String,
    done_at DateTime('UTC') DEFAULT now()
)
ENGINE = MergeTree
ORDER BY (version);

CREATE TABLE IF NOT EXISTS {database}.flows
(
    flow_end DateTime64(3, 'UTC') CODEC(T64, ZSTD(1)),
    flow_start DateTime64(3, 'UTC') CODEC(T64, ZSTD(1)),
    time_received DateTime64(3, 'UTC') CODEC(T64, ZSTD(1)),
    export_protocol Enum8('unknown' = 0, 'netflow5' = 1, 'netflow9' = 2, 'ipfix' = 3, 'sflow5' = 4, 'gre' = 5, 'erspan' = 6, 'vxlan' = 7) CODEC(ZSTD(1)),
    exporter IPv6 CODEC(ZSTD(1)),
    agent IPv6 CODEC(ZSTD(1)),
    observation_domain UInt32 CODEC(T64, ZSTD(1)),
    observation_point UInt32 CODEC(T64, ZSTD(1)),
    virtual_obs_id LowCardinality(String) CODEC(ZSTD(1)),
    sequence UInt32 CODEC(T64, ZSTD(1)),
    in_if UInt32 CODEC(T64, ZSTD(1)),
    out_if UInt32 CODEC(T64, ZSTD(1)),
    in_if_name LowCardinality(String) CODEC(ZSTD(1)),
    out_if_name LowCardinality(String) CODEC(ZSTD(1)),
    output_kind Enum8('unknown' = 0, 'interface' = 1, 'local' = 2, 'none' = 3, 'flood' = 4, 'multiple' = 5, 'unknown_single' = 6) CODEC(ZSTD(1)),
    flow_direction Enum8('unknown' = 0, 'ingress' = 1, 'egress' = 2) CODEC(ZSTD(1)),
    exporter_host LowCardinality(String) CODEC(ZSTD(1)),
    bridge LowCardinality(String) CODEC(ZSTD(1)),
    src_mac UInt64 CODEC(ZSTD(1)),
    dst_mac UInt64 CODEC(ZSTD(1)),
    ether_type UInt16 CODEC(ZSTD(1)),
    vlan UInt16 CODEC(ZSTD(1)),
    inner_vlan UInt16 CODEC(ZSTD(1)),
    mpls_label UInt32 CODEC(T64, ZSTD(1)),
    ip_version UInt8 CODEC(ZSTD(1)),
    src_addr IPv6 CODEC(ZSTD(1)),
    dst_addr IPv6 CODEC(ZSTD(1)),
    ip_protocol UInt8 CODEC(ZSTD(1)),
    tos UInt8 CODEC(ZSTD(1)),
    ttl UInt8 CODEC(ZSTD(1)),
    flow_label UInt32 CODEC(T64, ZSTD(1)),
    ip_fragment UInt8 CODEC(ZSTD(1)),
    src_l4_port UInt16 CODEC(ZSTD(1)),
    dst_l4_port UInt16 CODEC(ZSTD(1)),
    tcp_flags UInt16 CODEC(ZSTD(1)),
    icmp_type UInt8 CODEC(ZSTD(1)),
    icmp_code UInt8 CODEC(ZSTD(1)),
    tunnel_type Enum8('none' = 0, 'vxlan' = 1, 'gre' = 2, 'lisp' = 3, 'stt' = 4, 'ipsec_gre' = 5, 'geneve' = 6, 'unknown' = 7) CODEC(ZSTD(1)),
    tunnel_src_addr IPv6 CODEC(ZSTD(1)),
    tunnel_dst_addr IPv6 CODEC(ZSTD(1)),
    tunnel_src_port UInt16 CODEC(ZSTD(1)),
    tunnel_dst_port UInt16 CODEC(ZSTD(1)),
    tunnel_key UInt32 CODEC(T64, ZSTD(1)),
    packets UInt64 CODEC(T64, ZSTD(1)),
    bytes UInt64 CODEC(T64, ZSTD(1)),
    l2_bytes UInt64 CODEC(T64, ZSTD(1)),
    sampling_rate UInt32 CODEC(T64, ZSTD(1)),
    samples UInt32 CODEC(T64, ZSTD(1)),
    bytes_variance Float64 CODEC(ZSTD(1)),
    l2_bytes_variance Float64 CODEC(ZSTD(1)),
    flow_end_reason Enum8('unknown' = 0, 'idle_timeout' = 1, 'active_timeout' = 2, 'end_of_flow' = 3, 'forced_end' = 4, 'lack_of_resources' = 5) CODEC(ZSTD(1)),
    corrections UInt8 CODEC(ZSTD(1)),
    src_project_id LowCardinality(String) CODEC(ZSTD(1)),
    src_project LowCardinality(String) CODEC(ZSTD(1)),
    src_network_id LowCardinality(String) CODEC(ZSTD(1)),
    src_network LowCardinality(String) CODEC(ZSTD(1)),
    src_server_id LowCardinality(String) CODEC(ZSTD(1)),
    src_server LowCardinality(String) CODEC(ZSTD(1)),
    src_port_id LowCardinality(String) CODEC(ZSTD(1)),
    src_port LowCardinality(String) CODEC(ZSTD(1)),
    src_host LowCardinality(String) CODEC(ZSTD(1)),
    src_router_id LowCardinality(String) CODEC(ZSTD(1)),
    src_kind Enum8('unknown' = 0, 'server' = 1, 'router' = 2, 'dhcp' = 3, 'floating' = 4, 'snat' = 5, 'infrastructure' = 6, 'external' = 7, 'group' = 8, 'other' = 9) CODEC(ZSTD(1)),
    src_grade Enum8('unknown' = 0, 'port' = 1, 'port_unverified' = 2, 'mac' = 3, 'address' = 4, 'floating' = 5, 'router' = 6, 'snat' = 7, 'infrastructure' = 8, 'external' = 9, 'ambiguous' = 10) CODEC(ZSTD(1)),
    src_evidence Enum8('none' = 0, 'ofport' = 1, 'if_index' = 2, 'if_name' = 3, 'mirror_port' = 4, 'network_mac' = 5, 'network_address' = 6, 'routing_domain_address' = 7, 'floating_address' = 8, 'router_address' = 9, 'host_address' = 10, 'outside_address' = 11, 'group_address' = 12, 'no_model' = 13, 'no_host' = 14, 'no_interface' = 15, 'no_network' = 16, 'no_match' = 17, 'several_matches' = 18, 'not_ip' = 19, 'host_mac' = 20, 'host_address_port' = 21) CODEC(ZSTD(1)),
    src_candidates UInt16 CODEC(ZSTD(1)),
    dst_project_id LowCardinality(String) CODEC(ZSTD(1)),
    dst_project LowCardinality(String) CODEC(ZSTD(1)),
    dst_network_id LowCardinality(String) CODEC(ZSTD(1)),
    dst_network LowCardinality(String) CODEC(ZSTD(1)),
    dst_server_id LowCardinality(String) CODEC(ZSTD(1)),
    dst_server LowCardinality(String) CODEC(ZSTD(1)),
    dst_port_id LowCardinality(String) CODEC(ZSTD(1)),
    dst_port LowCardinality(String) CODEC(ZSTD(1)),
    dst_host LowCardinality(String) CODEC(ZSTD(1)),
    dst_router_id LowCardinality(String) CODEC(ZSTD(1)),
    dst_kind Enum8('unknown' = 0, 'server' = 1, 'router' = 2, 'dhcp' = 3, 'floating' = 4, 'snat' = 5, 'infrastructure' = 6, 'external' = 7, 'group' = 8, 'other' = 9) CODEC(ZSTD(1)),
    dst_grade Enum8('unknown' = 0, 'port' = 1, 'port_unverified' = 2, 'mac' = 3, 'address' = 4, 'floating' = 5, 'router' = 6, 'snat' = 7, 'infrastructure' = 8, 'external' = 9, 'ambiguous' = 10) CODEC(ZSTD(1)),
    dst_evidence Enum8('none' = 0, 'ofport' = 1, 'if_index' = 2, 'if_name' = 3, 'mirror_port' = 4, 'network_mac' = 5, 'network_address' = 6, 'routing_domain_address' = 7, 'floating_address' = 8, 'router_address' = 9, 'host_address' = 10, 'outside_address' = 11, 'group_address' = 12, 'no_model' = 13, 'no_host' = 14, 'no_interface' = 15, 'no_network' = 16, 'no_match' = 17, 'several_matches' = 18, 'not_ip' = 19, 'host_mac' = 20, 'host_address_port' = 21) CODEC(ZSTD(1)),
    dst_candidates UInt16 CODEC(ZSTD(1)),
    role Enum8('unknown' = 0, 'sent' = 1, 'received' = 2, 'transit' = 3, 'mirror_echo' = 4, 'duplicate' = 5, 'unattributed' = 6) CODEC(ZSTD(1)),
    traffic_class Enum8('unknown' = 0, 'same_network' = 1, 'routed' = 2, 'between_projects' = 3, 'north_south_out' = 4, 'north_south_in' = 5, 'infrastructure' = 6) CODEC(ZSTD(1)),
    counts_sent UInt8 CODEC(ZSTD(1)),
    counts_received UInt8 CODEC(ZSTD(1)),
    counts_once UInt8 CODEC(ZSTD(1)),
    late_id UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(time_received)
ORDER BY (toStartOfFiveMinutes(flow_end), src_project_id, src_port_id, dst_port_id)
SETTINGS non_replicated_deduplication_window = 100000, min_bytes_for_wide_part = 134217728;

INSERT INTO {database}.migrations (version, name, program) VALUES (1, 'flow records', 'ovsight');

INSERT INTO {database}.migrations (version, name, program) VALUES (2, 'rows that wait to be resolved again', 'ovsight');

CREATE TABLE IF NOT EXISTS {database}.exporter_health
(
    minute DateTime64(3, 'UTC') CODEC(T64, ZSTD(1)),
    exporter IPv6 CODEC(ZSTD(1)),
    exporter_host LowCardinality(String) CODEC(ZSTD(1)),
    protocol Enum8('unknown' = 0, 'netflow5' = 1, 'netflow9' = 2, 'ipfix' = 3, 'sflow5' = 4, 'gre' = 5, 'erspan' = 6, 'vxlan' = 7) CODEC(ZSTD(1)),
    domain UInt32 CODEC(T64, ZSTD(1)),
    fault LowCardinality(String) CODEC(ZSTD(1)),
    faults UInt64 CODEC(T64, ZSTD(1)),
    datagrams UInt64 CODEC(T64, ZSTD(1)),
    bytes UInt64 CODEC(T64, ZSTD(1)),
    records UInt64 CODEC(T64, ZSTD(1)),
    expected UInt64 CODEC(T64, ZSTD(1)),
    lost UInt64 CODEC(T64, ZSTD(1)),
    reordered UInt64 CODEC(T64, ZSTD(1)),
    duplicates UInt64 CODEC(T64, ZSTD(1)),
    restarts UInt64 CODEC(T64, ZSTD(1)),
    mixed UInt64 CODEC(T64, ZSTD(1)),
    samples UInt64 CODEC(T64, ZSTD(1)),
    lost_samples UInt64 CODEC(T64, ZSTD(1)),
    kernel_drops UInt64 CODEC(T64, ZSTD(1)),
    overload_drops UInt64 CODEC(T64, ZSTD(1)),
    refused_drops UInt64 CODEC(T64, ZSTD(1)),
    datapath_lost UInt64 CODEC(T64, ZSTD(1)),
    unsent UInt64 CODEC(T64, ZSTD(1)),
    rows_dropped UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(minute)
ORDER BY (minute, exporter, protocol, domain)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS {database}.interface_counters
(
    time DateTime64(3, 'UTC') CODEC(T64, ZSTD(1)),
    source Enum8('unknown' = 0, 'sflow' = 1, 'ovsdb' = 2) CODEC(ZSTD(1)),
    host LowCardinality(String) CODEC(ZSTD(1)),
    bridge LowCardinality(String) CODEC(ZSTD(1)),
    interface LowCardinality(String) CODEC(ZSTD(1)),
    if_index UInt32 CODEC(T64, ZSTD(1)),
    ofport UInt32 CODEC(T64, ZSTD(1)),
    port_id LowCardinality(String) CODEC(ZSTD(1)),
    port LowCardinality(String) CODEC(ZSTD(1)),
    server_id LowCardinality(String) CODEC(ZSTD(1)),
    server LowCardinality(String) CODEC(ZSTD(1)),
    network LowCardinality(String) CODEC(ZSTD(1)),
    project_id LowCardinality(String) CODEC(ZSTD(1)),
    project LowCardinality(String) CODEC(ZSTD(1)),
    in_bytes UInt64 CODEC(T64, ZSTD(1)),
    out_bytes UInt64 CODEC(T64, ZSTD(1)),
    in_packets UInt64 CODEC(T64, ZSTD(1)),
    out_packets UInt64 CODEC(T64, ZSTD(1)),
    in_drops UInt64 CODEC(T64, ZSTD(1)),
    out_drops UInt64 CODEC(T64, ZSTD(1)),
    in_errors UInt64 CODEC(T64, ZSTD(1)),
    out_errors UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(time)
ORDER BY (port_id, host, interface, time)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS {database}.audit
(
    span_from DateTime64(3, 'UTC') CODEC(T64, ZSTD(1)),
    span_to DateTime64(3, 'UTC') CODEC(T64, ZSTD(1)),
    host LowCardinality(String) CODEC(ZSTD(1)),
    bridge LowCardinality(String) CODEC(ZSTD(1)),
    interface LowCardinality(String) CODEC(ZSTD(1)),
    port_id LowCardinality(String) CODEC(ZSTD(1)),
    port LowCardinality(String) CODEC(ZSTD(1)),
    server_id LowCardinality(String) CODEC(ZSTD(1)),
    server LowCardinality(String) CODEC(ZSTD(1)),
    network LowCardinality(String) CODEC(ZSTD(1)),
    project_id LowCardinality(String) CODEC(ZSTD(1)),
    project LowCardinality(String) CODEC(ZSTD(1)),
    direction Enum8('unknown' = 0, 'sent' = 1, 'received' = 2) CODEC(ZSTD(1)),
    source Enum8('unknown' = 0, 'sflow' = 1, 'ovsdb' = 2) CODEC(ZSTD(1)),
    counted_bytes UInt64 CODEC(T64, ZSTD(1)),
    true_bytes UInt64 CODEC(T64, ZSTD(1)),
    counted_packets UInt64 CODEC(T64, ZSTD(1)),
    true_packets UInt64 CODEC(T64, ZSTD(1)),
    ratio Float64 CODEC(ZSTD(1)),
    expected_error Float64 CODEC(ZSTD(1)),
    sampling_error Float64 CODEC(ZSTD(1)),
    verdict Enum8('unknown' = 0, 'agrees' = 1, 'within_sampling_error' = 2, 'short' = 3, 'over' = 4) CODEC(ZSTD(1)),
    cause Enum8('none' = 0, 'counter_span' = 1, 'no_exporter' = 2, 'losses' = 3, 'datapath_losses' = 4, 'not_ipv4' = 5, 'broadcast' = 6, 'caches' = 7, 'offload' = 8, 'mirror' = 9, 'tunnel_overhead' = 10, 'ambiguous' = 11, 'unexplained' = 12) CODEC(ZSTD(1)),
    note LowCardinality(String) CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(span_to)
ORDER BY (span_to, port_id, direction)
SETTINGS non_replicated_deduplication_window = 10000;

INSERT INTO {database}.migrations (version, name, program) VALUES (3, 'health of exporters, counters of interfaces, audit', 'ovsight');
