/**
 * THE table of metrics. Values are read when somebody asks: the hot path counts in plain numbers and typed arrays, and a reader
 * turns them into samples. Labels are closed sets, except `exporter`, which is bounded (see `exporterLabels` in pipeline/readings.ts).
 */
export const METRICS = {
  ovsight_info: { type: 'gauge', labels: ['version', 'node', 'store'], doc: 'Always 1; the labels say what runs.' },
  ovsight_workers: {
    type: 'gauge',
    labels: [],
    doc: 'Threads that receive and decode; 0 when the main thread does it.',
  },
  ovsight_worker_restarts_total: {
    type: 'counter',
    labels: [],
    doc: 'Workers that failed for a fault of ovsight and were replaced. What they had decoded and not handed over is lost.',
  },
  ovsight_worker_stuck_total: {
    type: 'counter',
    labels: [],
    doc: 'Times a worker did not turn for `watchdog`, and was replaced (watchdog_action).',
  },
  ovsight_http_connections_refused_total: {
    type: 'counter',
    labels: [],
    doc: 'Connections to the API closed at once because http_connections of them were open.',
  },
  ovsight_keystone_tokens_forgotten_total: {
    type: 'counter',
    labels: [],
    doc: 'Answers of Keystone about tokens that were forgotten because http_keystone_tokens of them were remembered.',
  },
  ovsight_engine_restarts_total: {
    type: 'counter',
    labels: [],
    doc: 'Times the process of the embedded engine died and was started again. What was not acknowledged is inserted again, once.',
  },
  ovsight_reloads_total: {
    type: 'counter',
    labels: ['result'],
    doc: 'Times the configuration was read again (SIGHUP): taken, or refused since it was wrong.',
  },
  ovsight_receive_datagrams_total: {
    type: 'counter',
    labels: ['listener'],
    doc: 'Datagrams taken from the kernel.',
  },
  ovsight_receive_bytes_total: { type: 'counter', labels: ['listener'], doc: 'Their payload bytes.' },
  ovsight_receive_kernel_drops_total: {
    type: 'counter',
    labels: ['listener'],
    doc: 'Datagrams the kernel dropped because the receive buffer was full. Absent where the machine does not tell.',
  },
  ovsight_receive_truncated_total: {
    type: 'counter',
    labels: ['listener'],
    doc: 'Datagrams longer than the receiver takes; they were decoded cut.',
  },
  ovsight_receive_buffer_bytes: { type: 'gauge', labels: ['listener'], doc: 'Kernel receive buffer in force.' },
  ovsight_datagrams_total: {
    type: 'counter',
    labels: ['protocol', 'status'],
    doc: 'Datagrams decoded, by what became of them. Everything but ok and ok_no_rows is a fault of the input.',
  },
  ovsight_decoded_bytes_total: { type: 'counter', labels: ['protocol'], doc: 'Payload bytes decoded.' },
  ovsight_rows_total: { type: 'counter', labels: ['protocol'], doc: 'Flow records that decoding gave.' },
  ovsight_datagrams_dropped_total: {
    type: 'counter',
    labels: ['reason'],
    doc: 'Datagrams dropped before decoding: overload (all batches were busy), exporters (more exporters than max_exporters) or not_allowed (the sender may not send: allow, allow_hosts).',
  },
  ovsight_senders_refused: {
    type: 'gauge',
    labels: [],
    doc: 'Senders whose datagrams were dropped since they may not send; at most 1,024 are told apart, and of a flood that the kernel drops only some are seen.',
  },
  ovsight_exporters: { type: 'gauge', labels: [], doc: 'Exporters known.' },
  ovsight_exporters_evicted_total: {
    type: 'counter',
    labels: [],
    doc: 'Idle exporters that gave up their place to another.',
  },
  ovsight_exporter_datagrams_total: {
    type: 'counter',
    labels: ['exporter'],
    doc: 'Datagrams of an exporter. The first exporters seen have their own label, all others are "other".',
  },
  ovsight_exporter_rows_total: { type: 'counter', labels: ['exporter'], doc: 'Flow records of an exporter.' },
  ovsight_exporter_faults_total: {
    type: 'counter',
    labels: ['exporter', 'protocol', 'status'],
    doc: 'Datagrams of an exporter that were not decoded to their end, by reason.',
  },
  ovsight_exporter_lost_records_total: {
    type: 'counter',
    labels: ['exporter', 'protocol'],
    doc: 'Records (sFlow, NetFlow v9: datagrams) lost on the way, from gaps in sequence numbers.',
  },
  ovsight_exporter_lost_samples_total: {
    type: 'counter',
    labels: ['exporter'],
    doc: 'sFlow flow samples lost between sampler and collector, from the sequence numbers of each data source.',
  },
  ovsight_exporter_datapath_lost_packets_total: {
    type: 'counter',
    labels: ['exporter'],
    doc: 'Packets the Open vSwitch datapath lost on their way to vswitchd, samples among them (sFlow 2207).',
  },
  ovsight_exporter_unsent_packets_total: {
    type: 'counter',
    labels: ['exporter'],
    doc: 'Packets whose records the exporter says it could not send (IPFIX notSentPacketTotalCount).',
  },
  ovsight_exporter_limited_records_total: {
    type: 'counter',
    labels: ['exporter'],
    doc: 'Flow records of an exporter left out by exporter_limit; those kept stand for them.',
  },
  ovsight_exporter_kept_one_in: {
    type: 'gauge',
    labels: ['exporter'],
    doc: '1 in how many flow records of an exporter exporter_limit keeps now. Absent where it keeps all.',
  },
  ovsight_exporter_clock_offset_seconds: {
    type: 'gauge',
    labels: ['exporter'],
    doc: 'How far the clock of an exporter is ahead (negative: behind), by the time in its headers. Absent where it is right within 2 s, or tells none.',
  },
  ovsight_exporter_clock_moved_records_total: {
    type: 'counter',
    labels: ['exporter'],
    doc: 'Flow records of an exporter whose times were moved (exporter_clocks).',
  },
  ovsight_sequence_streams: { type: 'gauge', labels: [], doc: 'Sequence counters followed.' },
  ovsight_sequence_streams_refused_total: {
    type: 'counter',
    labels: [],
    doc: 'Datagrams whose sequence was not followed because max_streams was reached.',
  },
  ovsight_sequence_streams_mixed: {
    type: 'gauge',
    labels: [],
    doc: 'Streams that look like two counters in one: give each bridge its own engine_id or domain. No loss is counted for them.',
  },
  ovsight_sequence_late_total: { type: 'counter', labels: [], doc: 'Datagrams that arrived after a later one.' },
  ovsight_sequence_restarts_total: { type: 'counter', labels: [], doc: 'Sequence counters that started again.' },
  ovsight_templates: { type: 'gauge', labels: [], doc: 'NetFlow v9 and IPFIX templates held.' },
  ovsight_templates_events_total: {
    type: 'counter',
    labels: ['event'],
    doc: 'What happened to templates: learned (or refreshed), withdrawn, refused (invalid), evicted (max_templates), fell_back (a set was decoded by a template of another session), set_without_template, set_mismatched, aged (template_age), postponed (max_new_layouts: a datagram brought more layouts never seen before, learned when the template comes again), set_presumed (decoded by a template of Open vSwitch known beforehand), presumption_confirmed or presumption_refuted (by the first template that came).',
  },
  ovsight_sets_waiting: { type: 'gauge', labels: [], doc: 'Data sets held for a template that has not come yet.' },
  ovsight_sets_waited_total: {
    type: 'counter',
    labels: ['event'],
    doc: 'What became of data sets that came before their template: held, decoded; lost: expired (template_wait), displaced or refused (template_wait_bytes).',
  },
  ovsight_mirror_flows: {
    type: 'gauge',
    labels: ['protocol'],
    doc: 'Flows of mirrored frames not yet written as records.',
  },
  ovsight_mirror_flows_evicted_total: {
    type: 'counter',
    labels: ['protocol'],
    doc: 'Flows of mirrored frames written early because mirror_flows was reached.',
  },
  ovsight_strings_refused_total: {
    type: 'counter',
    labels: [],
    doc: 'Names from datagrams that were left empty because too many different ones arrived.',
  },
  ovsight_interfaces: { type: 'gauge', labels: [], doc: 'Interfaces whose last sFlow counters are kept.' },
  ovsight_interfaces_refused_total: {
    type: 'counter',
    labels: [],
    doc: 'Counter samples not kept because max_interfaces was reached.',
  },
  ovsight_interface_readings_dropped_total: {
    type: 'counter',
    labels: [],
    doc: 'Readings of interface counters not stored because max_interfaces of them waited already.',
  },
  ovsight_statistics_answers_total: {
    type: 'counter',
    labels: [],
    doc: 'Times a host’s OVSDB was asked for the counters of its interfaces, and answered.',
  },
  ovsight_statistics_failures_total: { type: 'counter', labels: [], doc: 'Times it did not.' },
  ovsight_clock_steps_total: {
    type: 'counter',
    labels: [],
    doc: 'Times the clock of this machine was set by 2 s or more, by each thread that receives. Nothing that is held ages by it.',
  },
  ovsight_blocks_total: { type: 'counter', labels: [], doc: 'Blocks of rows given to the spool.' },
  ovsight_blocks_waiting: { type: 'gauge', labels: [], doc: 'Blocks in memory that the spool has not taken yet.' },
  ovsight_rows_dropped_total: {
    type: 'counter',
    labels: ['reason'],
    doc: 'Rows lost after decoding: spool_full (the store did not take them for too long) or damaged (their file in the spool was).',
  },
  ovsight_rows_quarantined_total: {
    type: 'counter',
    labels: [],
    doc: 'Rows that the store refused for good; their blocks are kept in the directory quarantine.',
  },
  ovsight_spool_blocks: { type: 'gauge', labels: [], doc: 'Blocks on disk that the store has not taken yet.' },
  ovsight_spool_bytes: { type: 'gauge', labels: [], doc: 'Their size.' },
  ovsight_insert_lag_seconds: {
    type: 'gauge',
    labels: [],
    doc: 'How long the block that waits for longest has been in the spool; 0 when none waits.',
  },
  ovsight_spool_failures_total: {
    type: 'counter',
    labels: [],
    doc: 'Attempts to write a block to the spool that failed, for want of disk space for example.',
  },
  ovsight_store_rows: { type: 'gauge', labels: ['table'], doc: 'Rows of a table of the store, read once a minute.' },
  ovsight_store_bytes: { type: 'gauge', labels: ['table'], doc: 'What they take on disk.' },
  ovsight_store_free_bytes: {
    type: 'gauge',
    labels: ['disk'],
    doc: 'Room on a disk of the store, read once a minute. Disks that are no local ones do not tell.',
  },
  ovsight_disk_guard_rows_total: {
    type: 'counter',
    labels: [],
    doc: 'Rows removed from the store, oldest first, because its disk was nearly full (disk_free).',
  },
  ovsight_disk_guard_partitions_total: { type: 'counter', labels: [], doc: 'Days or months of them.' },
  ovsight_store_ready: {
    type: 'gauge',
    labels: [],
    doc: '1 once the store has been reached and its tables are what this version needs; until then all that is received waits in the spool.',
  },
  ovsight_inserts_total: { type: 'counter', labels: [], doc: 'Blocks the store has acknowledged.' },
  ovsight_inserted_rows_total: {
    type: 'counter',
    labels: ['table'],
    doc: 'Rows the store has acknowledged; the flow records are those of `flows`.',
  },
  ovsight_insert_failures_total: { type: 'counter', labels: [], doc: 'Inserts that failed and are tried again.' },
  ovsight_identity_sources: {
    type: 'gauge',
    labels: ['source', 'state'],
    doc: 'Sources of the model of the cloud (file, openstack, ovsdb, ovsdb_listen, ovn), by state: ok or fault.',
  },
  ovsight_identity_age_seconds: {
    type: 'gauge',
    labels: ['source'],
    doc: 'Age of the stalest source of a kind: how long ago it was last heard. Absent while one was never heard.',
  },
  ovsight_identity_source_age_seconds: {
    type: 'gauge',
    labels: ['source', 'target'],
    doc: 'How long ago a source was last heard, or since the collector began when it never was; the 100 stalest.',
  },
  ovsight_identity_faults_total: { type: 'counter', labels: ['source'], doc: 'Faults of sources of a kind.' },
  ovsight_identity_contradictions: {
    type: 'gauge',
    labels: ['sort'],
    doc: 'What sources say for half a minute or longer that cannot all be true; `ovsight identity status` names it. Each is counted as a fault too.',
  },
  ovsight_identity_entries: { type: 'gauge', labels: ['section'], doc: 'What the model knows, by section.' },
  ovsight_identity_calls_refused_total: {
    type: 'counter',
    labels: ['reason'],
    doc: 'Calls of OVSDB servers that were not taken: connections (too many at a time, no OVSDB, not trusted) or hosts (max_calling_hosts).',
  },
  ovsight_identity_hosts_forgotten_total: {
    type: 'counter',
    labels: [],
    doc: 'Hosts forgotten since they were silent for ovsdb_forget and no source names them.',
  },
  ovsight_identity_history_states: {
    type: 'gauge',
    labels: [],
    doc: 'Projects, networks, servers and ports whose state is in the table identity_history as holding now.',
  },
  ovsight_identity_history_rows_total: {
    type: 'counter',
    labels: [],
    doc: 'Rows written to the table identity_history: states that began or ended.',
  },
  ovsight_identity_past: {
    type: 'gauge',
    labels: [],
    doc: 'Bindings that have ended and are kept for late records (identity_grace).',
  },
  ovsight_identity_snapshots_total: { type: 'counter', labels: [], doc: 'Times a changed model was published.' },
  ovsight_identity_publish_seconds: { type: 'gauge', labels: [], doc: 'What publishing took the last time.' },
  ovsight_late_rows: {
    type: 'gauge',
    labels: [],
    doc: 'Rows whose ends were not known, or not told apart, and that wait for the model to know more (late_window, late_rows).',
  },
  ovsight_late_resolved_total: {
    type: 'counter',
    labels: [],
    doc: 'Rows resolved late: better ones took the place of what was stored.',
  },
  ovsight_late_expired_total: { type: 'counter', labels: [], doc: 'Rows that waited for late_window in vain.' },
  ovsight_late_overflow_total: {
    type: 'counter',
    labels: [],
    doc: 'Rows that would have waited but were too many (late_rows).',
  },
  ovsight_log_lines_suppressed_total: {
    type: 'counter',
    labels: [],
    doc: 'Log lines not written because many of their kind came at once.',
  },
} as const satisfies Record<string, MetricFacts>

/** One row of the table. */
export interface MetricFacts {
  type: 'counter' | 'gauge'
  labels: readonly string[]
  doc: string
}

export type MetricName = keyof typeof METRICS
export const METRIC_NAMES = Object.keys(METRICS) as MetricName[]

/** A value and its labels in the table's order. A counter's value is a running total. */
export type Sample = readonly [value: number, ...labels: string[]]
/** Samples of one metric at this moment; the same labels twice are added up. */
export type Reader = () => Iterable<Sample>
export type Readers = Partial<Record<MetricName, Reader>>

/** Readers of several parts together; where two read the same metric, both are in it. */
export function joinReaders(...all: readonly Readers[]): Readers {
  const joined: Record<string, Reader> = {}
  for (const readers of all)
    for (const [name, reader] of Object.entries(readers)) {
      const before = joined[name]
      if (reader !== undefined) joined[name] = before === undefined ? reader : () => [...before(), ...reader()]
    }
  return joined as Readers
}

/** The whole of docs/metrics.md. */
export function metricsPage(): string {
  const entries = METRIC_NAMES.map((name) => {
    const { type, labels, doc }: MetricFacts = METRICS[name]
    const by = labels.length === 0 ? '' : ` by ${labels.map((label) => `\`${label}\``).join(', ')}`
    return `\n### ${name}\n\n${doc} (${type}${by})\n`
  })
  return `# Metrics

Written from the table in \`src/telemetry/metrics.ts\`; a test holds it equal.

A collector answers \`GET /metrics\` in Prometheus' text format, with these and with those of the Node.js process
(\`process_*\`, \`nodejs_*\`). Counters are totals since the collector started.
${entries.join('')}`
}
