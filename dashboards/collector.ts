/** How collectors, identity sources and the store fare: what collectors write of themselves into `collector_metrics`. */
import { COLLECTOR_TABLE } from '../src/schema/side-tables.ts'
import type { MetricName } from '../src/telemetry/metrics.ts'
import { BYTES, COUNT, TEXT, TIME } from './columns.ts'
import type { Column, PanelSpec, Threshold } from './panel.ts'

type Recorded = MetricName | 'process_resident_memory_bytes'

const TABLE = COLLECTOR_TABLE.name
const SPAN = 'time >= $__fromTime_ms AND time < $__toTime_ms'
const LATE: readonly Threshold[] = [{ color: 'green' }, { from: 60, color: 'orange' }, { from: 300, color: 'red' }]

/** Rows of some metrics in the span. */
function readings(...metrics: readonly Recorded[]): string {
  return `${TABLE} WHERE ${SPAN} AND metric IN (${metrics.map((name) => `'${name}'`).join(', ')})`
}

/** The last reading of each collector and label: columns collector, metric, label, value. */
export function latest(...metrics: readonly Recorded[]): string {
  return `(SELECT collector, metric, label, argMax(value, time) AS value FROM ${readings(...metrics)} GROUP BY collector, metric, label)`
}

/** What stands before the first space of a label, and behind it. */
export const FIRST_LABEL = "splitByChar(' ', label)[1]"
export const OTHER_LABEL = "substring(label, position(label, ' ') + 1)"

/** A figure over time: the worst of each step, a line a collector or a label. */
function overTime(metric: Recorded, line: string, name: string, worst: 'max' | 'min' = 'max'): string {
  return `SELECT $__timeInterval(time) AS time, ${line} AS line, ${worst}(value) AS ${name} FROM (SELECT * FROM ${readings(metric)}) GROUP BY time, line ORDER BY time, line`
}

const line = (name: string, unit: Column['unit']) => ({ time: TIME, line: TEXT, [name]: { unit } })

export const IDENTITY_SOURCES: readonly PanelSpec[] = [
  {
    kind: 'table',
    title: 'Identity sources and their age',
    question:
      'How long ago was each source of identity last heard, the stalest first? New servers and moved addresses are not known until a stale one is back.',
    sql: `SELECT ${FIRST_LABEL} AS source, ${OTHER_LABEL} AS target, value AS age, collector FROM ${latest('ovsight_identity_source_age_seconds')} ORDER BY age DESC LIMIT 100`,
    columns: { source: TEXT, target: TEXT, age: { unit: 'seconds', bar: true }, collector: TEXT },
    width: 12,
    height: 8,
    empty: 'no identity source, or no collector ran in this span',
  },
  {
    kind: 'series',
    title: 'Age of the stalest identity source',
    question: 'Since when is a source stale? One that is heard goes back to nothing; a slope is a source that is away.',
    sql: overTime('ovsight_identity_source_age_seconds', FIRST_LABEL, 'age'),
    columns: line('age', 'seconds'),
    label: 'line',
    interval: '1m',
    width: 12,
    height: 8,
    empty: 'no identity source, or no collector ran in this span',
  },
]

/** Counters begin at zero with their collector: what is less than before is all new. */
const INCREASES = `SELECT time, collector, metric, label, if(value < before, value, value - before) AS more FROM (SELECT time, collector, metric, label, value, lagInFrame(value, 1, value) OVER (PARTITION BY collector, metric, label ORDER BY time ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before FROM ${readings('ovsight_insert_failures_total', 'ovsight_spool_failures_total', 'ovsight_rows_dropped_total', 'ovsight_rows_quarantined_total')})`

export const COLLECTOR: readonly PanelSpec[] = [
  {
    kind: 'series',
    title: 'Insert lag',
    question:
      'How long does the oldest block wait for the store? Seconds are right; more means that the store is slower than the exports.',
    sql: overTime('ovsight_insert_lag_seconds', 'collector', 'lag'),
    columns: line('lag', 'seconds'),
    label: 'line',
    thresholds: LATE,
    interval: '1m',
    width: 8,
    height: 7,
    empty: 'no collector ran in this span',
  },
  {
    kind: 'series',
    title: 'Spool',
    question:
      'How much waits for the store? It grows while the store does not take blocks, and when it is full (spool_max) the oldest go.',
    sql: overTime('ovsight_spool_bytes', 'collector', 'waiting'),
    columns: line('waiting', 'bytes'),
    label: 'line',
    interval: '1m',
    width: 8,
    height: 7,
    empty: 'no collector ran in this span',
  },
  {
    kind: 'series',
    title: 'Inserts that failed, rows lost',
    question:
      'Does the store refuse or miss blocks (they are tried again), can the spool not be written, and are rows given up or put into quarantine?',
    sql: `SELECT $__timeInterval(time) AS time, sumIf(more, metric = 'ovsight_insert_failures_total') AS inserts_tried_again, sumIf(more, metric = 'ovsight_spool_failures_total') AS spool_not_written, sumIf(more, metric = 'ovsight_rows_dropped_total') AS rows_lost, sumIf(more, metric = 'ovsight_rows_quarantined_total') AS rows_in_quarantine FROM (${INCREASES}) GROUP BY time ORDER BY time`,
    columns: {
      time: TIME,
      inserts_tried_again: COUNT,
      spool_not_written: COUNT,
      rows_lost: COUNT,
      rows_in_quarantine: COUNT,
    },
    interval: '1m',
    width: 8,
    height: 7,
    empty: 'no collector ran in this span',
  },
  {
    kind: 'table',
    title: 'The store, table by table',
    question:
      'What does each table hold, and what does a row of it weigh on disk? docs/store.md says how long rows are kept.',
    sql: `SELECT label AS table, toUInt64(maxIf(value, metric = 'ovsight_store_rows')) AS rows, toUInt64(maxIf(value, metric = 'ovsight_store_bytes')) AS bytes, if(rows > 0, bytes / rows, NULL) AS bytes_per_row FROM ${latest('ovsight_store_rows', 'ovsight_store_bytes')} GROUP BY table ORDER BY bytes DESC`,
    columns: {
      table: TEXT,
      rows: COUNT,
      bytes: { unit: 'bytes', bar: true },
      bytes_per_row: { unit: 'bytes', title: 'bytes a row' },
    },
    width: 7,
    height: 8,
    empty: 'no collector ran in this span',
  },
  {
    kind: 'series',
    title: 'Room on the disks of the store',
    question:
      'How much is free? Below disk_free the collector removes the oldest day of records; a slope says when that will be.',
    sql: overTime('ovsight_store_free_bytes', "concat(collector, ' ', label)", 'free', 'min'),
    columns: line('free', 'bytes'),
    label: 'line',
    interval: '1m',
    width: 6,
    height: 8,
    empty: 'no collector ran in this span, or the store has no local disk',
  },
  {
    kind: 'table',
    title: 'Collectors',
    question: 'Which collectors run, with what version and store, how large have they grown, and what do they hold?',
    sql: `SELECT collector, anyIf(${FIRST_LABEL}, metric = 'ovsight_info') AS version, toUInt64(sumIf(value, metric = 'process_resident_memory_bytes')) AS memory, toUInt64(sumIf(value, metric = 'ovsight_exporters')) AS exporters, toUInt64(sumIf(value, metric = 'ovsight_templates')) AS templates, toUInt64(sumIf(value, metric = 'ovsight_mirror_flows')) AS mirrored_flows, toUInt64(sumIf(value, metric = 'ovsight_late_rows')) AS late_rows FROM ${latest('ovsight_info', 'process_resident_memory_bytes', 'ovsight_exporters', 'ovsight_templates', 'ovsight_mirror_flows', 'ovsight_late_rows')} GROUP BY collector ORDER BY collector`,
    columns: {
      collector: TEXT,
      version: TEXT,
      memory: BYTES,
      exporters: COUNT,
      templates: COUNT,
      mirrored_flows: { unit: 'count', title: 'mirrored flows held' },
      late_rows: { unit: 'count', title: 'rows that wait for identity' },
    },
    width: 11,
    height: 8,
    empty: 'no collector ran in this span',
  },
]
