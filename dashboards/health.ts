/** Whether the telemetry itself can be trusted: what exporters send, what is lost where, how ends are found, and the collector. */
import type { DashboardSpec } from './build.ts'
import { COLLECTOR, IDENTITY_SOURCES } from './collector.ts'
import { COUNT, TEXT, TIME } from './columns.ts'
import {
  AUDIT,
  AUDIT_SPAN,
  COMPLETE,
  COMPLETENESS,
  DROPS,
  GOOD_VERDICTS,
  HEALTH as TABLE,
  HEALTH_SPAN,
} from './health-sql.ts'
import type { PanelSpec, Threshold } from './panel.ts'
import { records, recordsOverTime, everyStepBy } from './records.ts'

const BAD_BELOW: readonly Threshold[] = [{ color: 'red' }, { from: 95, color: 'orange' }, { from: 99, color: 'green' }]
const LATE: readonly Threshold[] = [{ color: 'green' }, { from: 60, color: 'orange' }, { from: 300, color: 'red' }]
const HOST = "if(exporter_host = '', replaceRegexpOne(toString(exporter), '^::ffff:', ''), exporter_host)"

/** Zeros for minutes in which nothing was heard: a silent host is no line from before to after. The last two may not be written yet. */
const STEP_S = 'greatest(60, $__interval_s)'
const FIRST = `toStartOfInterval(toDateTime($__fromTime_ms), INTERVAL ${STEP_S} second)`
const EVERY_MINUTE = `time WITH FILL FROM ${FIRST} TO greatest(${FIRST} + INTERVAL ${STEP_S} second, toDateTime($__toTime_ms) - INTERVAL 120 SECOND) STEP toIntervalSecond(${STEP_S})`

const ARRIVING: readonly PanelSpec[] = [
  {
    kind: 'stat',
    title: 'Completeness',
    question:
      'How much of what the exporters sent was counted? All exporters, each with the weight of its datagrams; the table below has them apart.',
    sql: COMPLETENESS,
    columns: { completeness: { unit: 'percent' } },
    thresholds: BAD_BELOW,
    width: 6,
    height: 4,
    empty: 'not known',
  },
  {
    kind: 'stat',
    title: 'Exporters',
    question: 'How many addresses sent exports in the span?',
    sql: `SELECT uniqExact(exporter) AS exporters FROM ${TABLE} WHERE ${HEALTH_SPAN} AND datagrams > 0`,
    columns: { exporters: COUNT },
    width: 6,
    height: 4,
    empty: 'none',
  },
  {
    kind: 'stat',
    title: 'Newest record',
    question:
      'How long before the end of the span did the newest record arrive? A growing age means that exports or inserts have stopped.',
    sql: `SELECT dateDiff('second', max(time_received), $__toTime_ms) AS age FROM (SELECT time_received FROM flows WHERE flow_end >= $__fromTime_ms AND flow_end < $__toTime_ms) HAVING count() > 0`,
    columns: { age: { unit: 'seconds' } },
    thresholds: LATE,
    width: 6,
    height: 4,
    empty: 'no flows in this span',
  },
  {
    kind: 'stat',
    title: 'Faults of decoding',
    question: 'How many datagrams could not be decoded to their end? The table below says of whom and why.',
    sql: `SELECT sum(faults) AS faults FROM ${TABLE} WHERE ${HEALTH_SPAN}`,
    columns: { faults: COUNT },
    thresholds: [{ color: 'green' }, { from: 1, color: 'yellow' }],
    width: 6,
    height: 4,
    empty: 'none',
  },
  {
    kind: 'table',
    title: 'Exporters',
    question:
      'What does each exporter send, how much of it is lost on the way, dropped here or not understood, and when was it last heard?',
    sql: `SELECT ${HOST} AS host, toString(h.protocol) AS protocol, sum(h.datagrams) AS datagrams, sum(h.records) AS records, ${COMPLETE} AS complete, sum(h.lost) AS lost, sum(h.lost_samples) AS lost_samples, sum(${DROPS}) AS dropped, sum(h.faults) AS not_understood, sum(h.reordered) AS reordered, sum(h.duplicates) AS duplicates, sum(h.restarts) AS restarts, sum(h.mixed) AS mixed, sum(h.unsent) + sum(h.datapath_lost) AS lost_there, max(minute) AS last_heard FROM ${TABLE} AS h WHERE ${HEALTH_SPAN} AND exporter != toIPv6('::') GROUP BY host, exporter, h.protocol ORDER BY host, protocol LIMIT 500`,
    columns: {
      host: TEXT,
      protocol: TEXT,
      datagrams: COUNT,
      records: COUNT,
      complete: { unit: 'percent' },
      lost: COUNT,
      lost_samples: COUNT,
      dropped: { unit: 'count', title: 'dropped here' },
      not_understood: COUNT,
      reordered: COUNT,
      duplicates: COUNT,
      restarts: COUNT,
      mixed: COUNT,
      lost_there: { unit: 'count', title: 'lost at the switch' },
      last_heard: TIME,
    },
    width: 24,
    height: 10,
    empty: 'no exporter was heard',
  },
  {
    kind: 'series',
    title: 'Datagrams per second, by host',
    question: 'Does a host fall silent, or send more than it used to?',
    sql: `SELECT * FROM (SELECT toStartOfInterval(toDateTime(minute), INTERVAL greatest(60, $__interval_s) second) AS time, ${HOST} AS host, sum(datagrams) / greatest(60, $__interval_s) AS datagrams FROM ${TABLE} WHERE ${HEALTH_SPAN} AND exporter != toIPv6('::') GROUP BY time, host ORDER BY host, ${EVERY_MINUTE}) ORDER BY time, host`,
    columns: { time: TIME, host: TEXT, datagrams: { unit: 'datagrams_per_second' } },
    label: 'host',
    interval: '1m',
    width: 12,
    height: 8,
    empty: 'no exporter was heard',
  },
  {
    kind: 'series',
    title: 'Lost and dropped, a minute',
    question: 'Where does it get lost: on the way, in the kernel, in the collector, or before the store?',
    sql: `SELECT toStartOfInterval(toDateTime(minute), INTERVAL greatest(60, $__interval_s) second) AS time, sum(lost) AS on_the_way, sum(kernel_drops) AS in_the_kernel, sum(overload_drops) AS overload, sum(refused_drops) AS too_many_exporters, sum(rows_dropped) AS before_the_store FROM ${TABLE} WHERE ${HEALTH_SPAN} GROUP BY time ORDER BY ${EVERY_MINUTE}`,
    columns: {
      time: TIME,
      on_the_way: COUNT,
      in_the_kernel: COUNT,
      overload: COUNT,
      too_many_exporters: COUNT,
      before_the_store: COUNT,
    },
    interval: '1m',
    width: 12,
    height: 8,
    empty: 'no exporter was heard',
  },
  {
    kind: 'table',
    title: 'Faults of decoding',
    question:
      'Whose datagrams are not understood, and why? docs/design.md names the reasons; templates that are missing come by themselves after their interval.',
    sql: `SELECT ${HOST} AS host, toString(protocol) AS protocol, fault, sum(faults) AS datagrams, max(minute) AS last FROM ${TABLE} WHERE ${HEALTH_SPAN} AND faults > 0 GROUP BY host, protocol, fault ORDER BY datagrams DESC LIMIT 100`,
    columns: { host: TEXT, protocol: TEXT, fault: TEXT, datagrams: COUNT, last: TIME },
    width: 12,
    height: 7,
    empty: 'none: every datagram was decoded',
  },
  {
    kind: 'table',
    title: 'Audit',
    question: 'Where do flows and interface counters disagree, and what is the likeliest cause?',
    sql: `SELECT toString(verdict) AS verdict, toString(cause) AS cause, count() AS spans, uniqExact(port_id) AS ports, anyHeavy(note) AS for_example FROM ${AUDIT} WHERE ${AUDIT_SPAN} GROUP BY verdict, cause ORDER BY verdict IN ${GOOD_VERDICTS}, spans DESC`,
    columns: {
      verdict: TEXT,
      cause: TEXT,
      spans: COUNT,
      ports: COUNT,
      for_example: { unit: 'text', title: 'for example' },
    },
    width: 12,
    height: 7,
    empty: 'not audited: no interface counters in this span',
  },
]

const IDENTITY: readonly PanelSpec[] = [
  {
    kind: 'series',
    title: 'Records by how their source was found',
    question: 'How sure are the ends? A growing share of unknown means that an identity source is stale.',
    sql: everyStepBy(
      'grade',
      `SELECT $__timeInterval(time) AS time, toString(src_grade) AS grade, sum(records) / $__interval_s AS records FROM ${recordsOverTime('src_grade')} GROUP BY time, grade`,
    ),
    columns: { time: TIME, grade: TEXT, records: { unit: 'records_per_second' } },
    label: 'grade',
    stack: true,
    width: 12,
    height: 8,
    empty: 'no flows in this span',
  },
  {
    kind: 'table',
    title: 'Why ends are what they are',
    question: 'By which key were ends found, or why were they not? `ovsight identity resolve` tells it for one case.',
    sql: `SELECT end.1 AS grade, end.2 AS evidence, sum(many) AS ends, anyHeavy(host) AS mostly_on FROM (SELECT arrayJoin([(toString(src_grade), toString(src_evidence)), (toString(dst_grade), toString(dst_evidence))]) AS end, many, host FROM (SELECT src_grade, src_evidence, dst_grade, dst_evidence, sum(records) AS many, anyHeavy(exporter_host) AS host FROM ${records('src_grade', 'src_evidence', 'dst_grade', 'dst_evidence', 'exporter_host')} GROUP BY src_grade, src_evidence, dst_grade, dst_evidence)) GROUP BY grade, evidence ORDER BY ends DESC LIMIT 100`,
    columns: { grade: TEXT, evidence: TEXT, ends: COUNT, mostly_on: TEXT },
    width: 12,
    height: 8,
    empty: 'no flows in this span',
  },
]

export const HEALTH: DashboardSpec = {
  name: 'health',
  title: 'Telemetry health',
  doc: 'Whether the numbers can be trusted: what exporters send, what is lost and where, how ends are found, and how the collector fares.',
  variables: ['datasource'],
  rows: [
    { title: 'What arrives', panels: ARRIVING },
    { title: 'Identity', panels: [...IDENTITY, ...IDENTITY_SOURCES] },
    { title: 'The collectors and the store', panels: COLLECTOR },
  ],
}
