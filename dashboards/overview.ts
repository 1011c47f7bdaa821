/** The whole cloud on one page: how much, whose, where to, and how far the numbers can be trusted. */
import type { DashboardSpec } from './build.ts'
import { BYTES, COUNT, FIGURES, ID, TEXT, TIME, TO_NETWORK, TO_SERVER, TO_TENANT } from './columns.ts'
import { entityTable } from './entities.ts'
import { AUDIT_AGREES, COMPLETENESS, HEALTH, HEALTH_SPAN, UNKNOWN_SHARE } from './health-sql.ts'
import type { PanelSpec, Threshold } from './panel.ts'
import { EVERY_STEP, halfWidth, records, recordsOverTime, everyStepBy } from './records.ts'

const SPAN_S = '((toUnixTimestamp64Milli($__toTime_ms) - toUnixTimestamp64Milli($__fromTime_ms)) / 1000)'
const BAD_BELOW: readonly Threshold[] = [{ color: 'red' }, { from: 95, color: 'orange' }, { from: 99, color: 'green' }]
const BAD_ABOVE: readonly Threshold[] = [{ color: 'green' }, { from: 5, color: 'orange' }, { from: 20, color: 'red' }]
const ONCE = records('counts_once')
const ONCE_OVER_TIME = recordsOverTime('counts_once')

const NOW: readonly PanelSpec[] = [
  {
    kind: 'stat',
    title: 'Traffic',
    question: 'How much traffic was there on average, each byte counted once wherever it was reported?',
    sql: `SELECT 8 * sum(bytes) / ${SPAN_S} AS bits FROM ${ONCE} WHERE counts_once = 1`,
    columns: { bits: { unit: 'bits_per_second' } },
    width: 4,
    height: 4,
    empty: 'no flows',
  },
  {
    kind: 'stat',
    title: 'Volume',
    question:
      'How many bytes were that in all (layer 3, each once)? The same figure as `ovsight top` over all projects.',
    sql: `SELECT sum(bytes) AS bytes FROM ${ONCE} WHERE counts_once = 1`,
    columns: { bytes: BYTES },
    width: 4,
    height: 4,
    empty: 'no flows',
  },
  {
    kind: 'stat',
    title: 'Records stored',
    question: 'How many flow records arrived, all reports of the same packets included?',
    sql: `SELECT sum(records) AS records FROM ${ONCE}`,
    columns: { records: COUNT },
    width: 4,
    height: 4,
    empty: 'none',
  },
  {
    kind: 'stat',
    title: 'Completeness',
    question:
      'How much of what the exporters sent has arrived and was stored? From sequence numbers, and from drops where an export has none. Below 99 % sums are too low; see Telemetry health for where it is lost.',
    sql: COMPLETENESS,
    columns: { completeness: { unit: 'percent' } },
    thresholds: BAD_BELOW,
    width: 4,
    height: 4,
    empty: 'not known',
  },
  {
    kind: 'stat',
    title: 'Audit',
    question:
      "In how many of the compared spans do the flows agree with the interfaces' own counters, within the expected error? Server has the comparison port by port.",
    sql: AUDIT_AGREES,
    columns: { agrees: { unit: 'percent' } },
    thresholds: BAD_BELOW,
    width: 4,
    height: 4,
    empty: 'not audited',
  },
  {
    kind: 'stat',
    title: 'Bytes of unknown ends',
    question:
      'What share of the counted bytes has an end that could not be resolved (unknown or ambiguous)? Telemetry health says why.',
    sql: UNKNOWN_SHARE,
    columns: { unknown: { unit: 'percent' } },
    thresholds: BAD_ABOVE,
    width: 4,
    height: 4,
    empty: 'no flows',
  },
]

const BAND = halfWidth('sum(bytes_variance)')

const TRAFFIC: readonly PanelSpec[] = [
  {
    kind: 'series',
    title: 'Bits per second, with the error of sampling',
    question:
      'How much traffic is there over time? The band holds the true figure in 95 of 100 cases where exports are sampled; without sampling it has no width.',
    sql: `SELECT $__timeInterval(time) AS time, 8 * sum(bytes) / $__interval_s AS traffic, 8 * greatest(0, sum(bytes) - ${BAND}) / $__interval_s AS low, 8 * (sum(bytes) + ${BAND}) / $__interval_s AS high FROM ${ONCE_OVER_TIME} WHERE counts_once = 1 GROUP BY time ${EVERY_STEP}`,
    columns: {
      time: TIME,
      traffic: { unit: 'bits_per_second' },
      low: { unit: 'bits_per_second' },
      high: { unit: 'bits_per_second' },
    },
    bands: [['low', 'high']],
    width: 12,
    height: 8,
    empty: 'no flows in this span',
  },
  {
    kind: 'series',
    title: 'Where to: east–west, between projects, north–south',
    question:
      'Does the traffic stay in a network, cross a router of the same project, go to another project, or to and from the outside?',
    sql: everyStepBy(
      'class',
      `SELECT $__timeInterval(time) AS time, toString(traffic_class) AS class, 8 * sum(bytes) / $__interval_s AS bits FROM ${recordsOverTime('counts_once', 'traffic_class')} WHERE counts_once = 1 GROUP BY time, class`,
    ),
    columns: { time: TIME, class: TEXT, bits: { unit: 'bits_per_second' } },
    label: 'class',
    stack: true,
    width: 12,
    height: 8,
    empty: 'no flows in this span',
  },
  {
    kind: 'series',
    title: 'Packets per second',
    question: 'How many packets are that? Many packets with few bits are floods, scans, or chatty protocols.',
    sql: `SELECT $__timeInterval(time) AS time, sum(packets) / $__interval_s AS packets FROM ${ONCE_OVER_TIME} WHERE counts_once = 1 GROUP BY time ${EVERY_STEP}`,
    columns: { time: TIME, packets: { unit: 'packets_per_second' } },
    width: 12,
    height: 6,
    empty: 'no flows in this span',
  },
  {
    kind: 'series',
    title: 'Records per second, by protocol',
    question: 'What do the exporters send, and does one sort of export stop?',
    sql: everyStepBy(
      'protocol',
      `SELECT $__timeInterval(time) AS time, toString(export_protocol) AS protocol, sum(records) / $__interval_s AS records FROM ${recordsOverTime('export_protocol')} GROUP BY time, protocol`,
    ),
    columns: { time: TIME, protocol: TEXT, records: { unit: 'records_per_second' } },
    label: 'protocol',
    stack: true,
    width: 12,
    height: 6,
    empty: 'no flows in this span',
  },
]

const TOP: readonly PanelSpec[] = [
  {
    kind: 'table',
    title: 'Projects',
    question: 'Which projects moved most? Equal to `ovsight top project` for the same span. Click for the project.',
    sql: entityTable({ entity: 'project' }),
    columns: { id: ID, project: TO_TENANT, ...FIGURES },
    width: 12,
    height: 9,
    empty: 'no project is known: is there an identity source?',
  },
  {
    kind: 'table',
    title: 'Servers',
    question: 'Which servers moved most? Equal to `ovsight top server`. Click for the server.',
    sql: entityTable({ entity: 'server' }),
    columns: { id: ID, server: TO_SERVER, project: TEXT, ...FIGURES },
    width: 12,
    height: 9,
    empty: 'no server is known: is there an identity source?',
  },
  {
    kind: 'table',
    title: 'Networks',
    question: 'Which networks carry most? Equal to `ovsight top network`. Click for the network.',
    sql: entityTable({ entity: 'network' }),
    columns: { id: ID, network: TO_NETWORK, project: TEXT, ...FIGURES },
    width: 12,
    height: 9,
    empty: 'no network is known: is there an identity source?',
  },
  {
    kind: 'table',
    title: 'Hosts',
    question: 'On which hosts are the servers that moved most?',
    sql: entityTable({ entity: 'host' }),
    columns: { id: ID, host: TEXT, ...FIGURES },
    width: 12,
    height: 9,
    empty: 'no host is known: is there an identity source?',
  },
]

export const OVERVIEW: DashboardSpec = {
  name: 'overview',
  title: 'Overview',
  doc: 'How much traffic the cloud has, whose it is, where it goes, and how far the numbers can be trusted.',
  variables: ['datasource'],
  annotations: [
    {
      name: 'Exporter restarts',
      color: 'orange',
      sql: `SELECT minute AS time, concat(if(exporter_host = '', toString(exporter), exporter_host), ' began to count anew (', toString(protocol), ')') AS text, 'restart' AS tags FROM ${HEALTH} WHERE ${HEALTH_SPAN} AND restarts > 0 ORDER BY minute LIMIT 100`,
    },
  ],
  rows: [
    { title: 'Now', panels: NOW },
    { title: 'Traffic', panels: TRAFFIC },
    { title: 'Who', panels: TOP },
  ],
}
