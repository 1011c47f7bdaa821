/**
 * THE tables beside `flows`: few rows, written minute by minute. What exporters delivered and what of it was lost, what interfaces
 * counted themselves, and how the two agree. DDL, rows as Native blocks (rows.ts) and docs/fields.md follow.
 */
import { CODECS } from './codecs.ts'
import { type ColumnSpec, type TableSpec, TIME_STORED } from './ddl.ts'
import type { EnumName } from './enums.ts'
import { IDENTITY_TABLE, IMPORTS_TABLE } from './identity-tables.ts'
import type { Kind } from './kinds.ts'
import { kindType } from './types.ts'

export interface SideColumn {
  kind: Kind
  /** Which closed set, for kind `enum`. */
  of?: EnumName
  doc: string
}

export type SideColumns = Readonly<Record<string, SideColumn>>

/** A table of this sort; `columns` in storage order. */
export interface SideTable {
  name: string
  doc: string
  columns: SideColumns
  /** MergeTree when not given. */
  engine?: string
  /** One partition when not given: then rows are kept for ever, else for as long as an option says (store/retention.ts). */
  partitionBy?: string
  orderBy: readonly string[]
}

/**
 * What an exporter delivered in a minute. Every count is of this row alone, so sums over rows hold; a later row for the same minute
 * adds to it. Faults have a row for each reason, in which all other counts are zero.
 */
const HEALTH_COLUMNS = {
  minute: { kind: 'time', doc: 'Start of the minute of arrival.' },
  exporter: { kind: 'ip', doc: 'Source address of the datagrams; `::` where no exporter can be named.' },
  exporter_host: { kind: 'text', doc: 'Host of that address, empty when it is not known.' },
  protocol: {
    kind: 'enum',
    of: 'export_protocol',
    doc: 'Protocol of the datagrams; ERSPAN comes under gre. `unknown` where none can be named.',
  },
  domain: { kind: 'u32', doc: 'As observation_domain of the flows; 0 for mirrored frames.' },
  fault: { kind: 'text', doc: 'Why `faults` datagrams were not decoded to their end; empty in the row of the counts.' },
  faults: { kind: 'u64', doc: 'Datagrams that were not decoded to their end.' },
  datagrams: { kind: 'u64', doc: 'Datagrams decoded.' },
  bytes: { kind: 'u64', doc: 'Their payload.' },
  records: { kind: 'u64', doc: 'Flow records in them. A mirrored frame is one when it is read.' },
  expected: {
    kind: 'u64',
    doc: 'What was sent, by the sequence numbers: records (NetFlow v5, IPFIX) or datagrams (NetFlow v9, sFlow). 0 where there are none.',
  },
  lost: { kind: 'u64', doc: 'Of these, what never arrived.' },
  reordered: { kind: 'u64', doc: 'Datagrams that arrived after a later one.' },
  duplicates: { kind: 'u64', doc: 'Datagrams that arrived again, or so late that they had been counted as lost.' },
  restarts: { kind: 'u64', doc: 'Times the sequence began anew: the exporter was started again.' },
  mixed: {
    kind: 'u64',
    doc: 'Datagrams whose sequence could not be followed, since two bridges of the exporter share one number.',
  },
  samples: { kind: 'u64', doc: 'Flow samples sent, by the sequence numbers of their sources (sFlow).' },
  lost_samples: { kind: 'u64', doc: 'Of these, what never arrived.' },
  kernel_drops: {
    kind: 'u64',
    doc: 'Datagrams dropped for want of room in the socket; those of a socket are shared out by what each exporter sent.',
  },
  overload_drops: { kind: 'u64', doc: 'Datagrams dropped because rows came faster than they could be stored.' },
  refused_drops: { kind: 'u64', doc: 'Datagrams dropped because max_exporters was reached.' },
  datapath_lost: {
    kind: 'u64',
    doc: 'Packets the Open vSwitch datapath lost on their way to vswitchd, samples among them (sFlow 2207).',
  },
  unsent: { kind: 'u64', doc: 'Packets whose records the exporter says it did not send (IPFIX 167).' },
  limited: {
    kind: 'u64',
    doc: 'Records left out by the rate limit (exporter_limit); those kept stand for them (kept_one_in of the flows).',
  },
  clock_moved: {
    kind: 'u64',
    doc: "Records whose times were moved, since the exporter's clock is off (exporter_clocks).",
  },
  clock_offset: {
    kind: 'f64',
    doc: 'How far the clock in the headers is ahead of the time of arrival (negative: behind, or late), milliseconds; 0 where nothing is told.',
  },
  templates: {
    kind: 'u32',
    doc: "Templates held of the exporter, of all its domains, when the row was written (NetFlow v9, IPFIX); the largest count is the exporter's.",
  },
  rows_dropped: { kind: 'u64', doc: 'Rows lost after decoding: the spool was full, or a block was damaged.' },
} as const satisfies SideColumns

/** Counts of the rows without `fault`: a place keeps them in this order, and questions sum them. */
export const HEALTH_COUNTS = [
  'datagrams',
  'bytes',
  'records',
  'expected',
  'lost',
  'reordered',
  'duplicates',
  'restarts',
  'mixed',
  'samples',
  'lost_samples',
  'kernel_drops',
  'overload_drops',
  'refused_drops',
  'datapath_lost',
  'unsent',
  'limited',
  'clock_moved',
  'rows_dropped',
] as const satisfies readonly (keyof typeof HEALTH_COLUMNS)[]

export type HealthCount = (typeof HEALTH_COUNTS)[number]

/** Counters of an interface as the switch tells them: running totals since it was made. */
const COUNTERS_COLUMNS = {
  time: {
    kind: 'time',
    doc: 'When the counters were read; those of OVSDB may be `stats-update-interval` older, 5 s by default.',
  },
  source: { kind: 'enum', of: 'counter_source', doc: 'Who told them.' },
  host: { kind: 'text', doc: 'Host of the interface; the address of its agent when it is not known.' },
  bridge: { kind: 'text', doc: 'Bridge of the interface, when it is known.' },
  interface: { kind: 'text', doc: 'Name of the interface.' },
  if_index: { kind: 'u32', doc: 'ifIndex, 0 when there is none.' },
  ofport: { kind: 'u32', doc: 'OpenFlow port, 0 when it is not told.' },
  port_id: { kind: 'text', doc: 'Neutron port that is plugged there; empty for all other interfaces.' },
  port: { kind: 'text', doc: 'Its name.' },
  server_id: { kind: 'text', doc: 'Server (VM) of the port.' },
  server: { kind: 'text', doc: 'Its name.' },
  network: { kind: 'text', doc: 'Network of the port.' },
  project_id: { kind: 'text', doc: 'Project of the port.' },
  project: { kind: 'text', doc: 'Its name.' },
  in_bytes: {
    kind: 'u64',
    doc: 'Octets that came in, seen from the switch: what the server sent. Frames without FCS.',
  },
  out_bytes: { kind: 'u64', doc: 'Octets that went out: what the server received.' },
  in_packets: { kind: 'u64', doc: 'Packets that came in.' },
  out_packets: { kind: 'u64', doc: 'Packets that went out.' },
  in_drops: { kind: 'u64', doc: 'Packets dropped on the way in.' },
  out_drops: { kind: 'u64', doc: 'Packets dropped on the way out.' },
  in_errors: { kind: 'u64', doc: 'Packets with errors on the way in.' },
  out_errors: { kind: 'u64', doc: 'Packets with errors on the way out.' },
} as const satisfies SideColumns

/** One port, one direction, one span: what flow records hold of it, and what its interface counted. */
const AUDIT_COLUMNS = {
  span_from: { kind: 'time', doc: 'The counter reading that begins the span.' },
  span_to: { kind: 'time', doc: 'The counter reading that ends it.' },
  host: { kind: 'text', doc: 'Host of the interface.' },
  bridge: { kind: 'text', doc: 'Bridge of the interface.' },
  interface: { kind: 'text', doc: 'Name of the interface.' },
  port_id: { kind: 'text', doc: 'Neutron port.' },
  port: { kind: 'text', doc: 'Its name.' },
  server_id: { kind: 'text', doc: 'Server (VM) of the port.' },
  server: { kind: 'text', doc: 'Its name.' },
  network: { kind: 'text', doc: 'Network of the port.' },
  project_id: { kind: 'text', doc: 'Project of the port.' },
  project: { kind: 'text', doc: 'Its name.' },
  direction: { kind: 'enum', of: 'audit_direction', doc: 'What the server sent, or what it received.' },
  source: { kind: 'enum', of: 'counter_source', doc: 'Who told the counters.' },
  counted_bytes: { kind: 'u64', doc: 'l2_bytes of the flow records that count for the port.' },
  true_bytes: { kind: 'u64', doc: 'What the interface counted.' },
  counted_packets: { kind: 'u64', doc: 'Packets of the flow records that count for the port.' },
  true_packets: { kind: 'u64', doc: 'What the interface counted.' },
  ratio: { kind: 'f64', doc: 'counted_bytes / true_bytes; 0 when nothing was to be counted.' },
  expected_error: {
    kind: 'f64',
    doc: 'Bytes by which the two may differ though nothing is wrong: half-width of sampling at 95 %, flows that overlap the ends of the span.',
  },
  sampling_error: { kind: 'f64', doc: 'The part of it that comes from sampling.' },
  verdict: { kind: 'enum', of: 'audit_verdict', doc: 'Whether they agree.' },
  cause: { kind: 'enum', of: 'audit_cause', doc: 'The likeliest reason when they do not.' },
  note: { kind: 'text', doc: 'What speaks for that reason, as a sentence.' },
} as const satisfies SideColumns

/** What a collector tells of itself: figures of the table of metrics, as they were at a time. */
const COLLECTOR_COLUMNS = {
  time: { kind: 'time', doc: 'When the figure was read.' },
  collector: { kind: 'text', doc: 'Name of the machine that the collector runs on.' },
  metric: { kind: 'text', doc: 'Name of the metric, as docs/metrics.md has it.' },
  label: { kind: 'text', doc: 'Values of its labels, with spaces between; empty where it has none.' },
  value: { kind: 'f64', doc: 'The figure. Those whose name ends in `_total` count from the start of the collector.' },
} as const satisfies SideColumns

const DAYS = 'toDate'

export const HEALTH_TABLE = {
  name: 'exporter_health',
  doc: 'What exporters delivered in each minute, and what of it was lost.',
  columns: HEALTH_COLUMNS,
  partitionBy: `${DAYS}(minute)`,
  orderBy: ['minute', 'exporter', 'protocol', 'domain'],
} as const satisfies SideTable

export const COUNTERS_TABLE = {
  name: 'interface_counters',
  doc: 'Counters of interfaces as their switches told them.',
  columns: COUNTERS_COLUMNS,
  partitionBy: `${DAYS}(time)`,
  orderBy: ['port_id', 'host', 'interface', 'time'],
} as const satisfies SideTable

export const AUDIT_TABLE = {
  name: 'audit',
  doc: 'Flow totals of ports against the counters of their interfaces.',
  columns: AUDIT_COLUMNS,
  partitionBy: `${DAYS}(span_to)`,
  orderBy: ['span_to', 'port_id', 'direction'],
} as const satisfies SideTable

export const COLLECTOR_TABLE = {
  name: 'collector_metrics',
  doc: 'What collectors tell of themselves each minute: spool, insert lag, identity, disk, store.',
  columns: COLLECTOR_COLUMNS,
  partitionBy: `${DAYS}(time)`,
  orderBy: ['metric', 'collector', 'label', 'time'],
} as const satisfies SideTable

export const SIDE_TABLES = [
  HEALTH_TABLE,
  COUNTERS_TABLE,
  AUDIT_TABLE,
  IDENTITY_TABLE,
  IMPORTS_TABLE,
  COLLECTOR_TABLE,
] as const satisfies readonly SideTable[]

/** Blocks whose tokens are known, so that one sent twice is stored once: a few a minute, for days. */
const KNOWN_TOKENS = 10_000

/** The table as DDL needs it. */
export function sideTableSpec({ name, doc, columns, engine, partitionBy, orderBy }: SideTable): TableSpec {
  const specs = Object.entries(columns).map(([column, facts]): ColumnSpec => ({
    name: column,
    type: kindType(facts.kind, facts.of),
    codec: CODECS[facts.kind],
    doc: facts.doc,
  }))
  return {
    name,
    doc,
    columns: partitionBy === undefined ? specs : [...specs, TIME_STORED],
    ...(engine === undefined ? {} : { engine }),
    ...(partitionBy === undefined ? {} : { partitionBy }),
    orderBy,
    settings: { non_replicated_deduplication_window: KNOWN_TOKENS },
  }
}
