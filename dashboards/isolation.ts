/** What should not be: traffic between projects without a path, borrowed addresses, scans, new acquaintances. */
import { FLOWS } from '../src/schema/ddl.ts'
import type { DashboardSpec } from './build.ts'
import { BYTES, COUNT, ID, TEXT, TIME, TO_SERVER } from './columns.ts'
import { BREACH, BREACH_COLUMNS, SCANS } from './isolation-sql.ts'
import type { PanelSpec, Threshold } from './panel.ts'
import { records, recordsOverTime, SPAN, everyStepBy } from './records.ts'
import { shown } from './text-sql.ts'

const NONE_IS_GOOD: readonly Threshold[] = [{ color: 'green' }, { from: 1, color: 'red' }]
/** How far back a pair of projects counts as known. */
const KNOWN_DAYS = 30

const PANELS: readonly PanelSpec[] = [
  {
    kind: 'stat',
    title: 'Flows without a path',
    question: 'How many records are between two projects that share no router, network or floating IP? None is right.',
    sql: `SELECT sum(records) AS records FROM ${records(...BREACH_COLUMNS)} WHERE ${BREACH}`,
    columns: { records: COUNT },
    thresholds: NONE_IS_GOOD,
    width: 8,
    height: 4,
    empty: 'none',
  },
  {
    kind: 'stat',
    title: 'Records with a borrowed address',
    question:
      'How many records came from a port by an address that it does not have? Spoofing, forwarding, or an allowed address pair that the model does not know.',
    sql: `SELECT sum(records) AS records FROM ${records('src_grade')} WHERE src_grade = 'port_unverified'`,
    columns: { records: COUNT },
    thresholds: NONE_IS_GOOD,
    width: 8,
    height: 4,
    empty: 'none',
  },
  {
    kind: 'stat',
    title: 'Ends that fit several ports',
    question:
      'How many records have an end that several ports could be? They are counted for nobody; Telemetry health says why.',
    sql: `SELECT sum(records) AS records FROM ${records('src_grade', 'dst_grade')} WHERE src_grade = 'ambiguous' OR dst_grade = 'ambiguous'`,
    columns: { records: COUNT },
    thresholds: [{ color: 'green' }, { from: 1, color: 'yellow' }],
    width: 8,
    height: 4,
    empty: 'none',
  },
  {
    kind: 'table',
    title: 'Between projects without a path',
    question:
      'Which servers of two projects talk though nothing joins them? Look at security groups, provider networks and the flows of the bridge.',
    sql: `SELECT src_server AS source, src_project AS of_project, dst_server AS destination, dst_project AS to_project, any(${shown('src')}) AS source_address, any(${shown('dst')}) AS destination_address, any(exporter_host) AS seen_on, sum(bytes) AS bytes, sum(records) AS records, max(time) AS last FROM ${records(...BREACH_COLUMNS, 'src_server', 'dst_server', 'src_project', 'dst_project', 'src_addr', 'dst_addr', 'exporter_host')} WHERE ${BREACH} GROUP BY source, of_project, destination, to_project ORDER BY bytes DESC LIMIT 100`,
    columns: {
      source: TEXT,
      of_project: { unit: 'text', title: 'of project' },
      destination: TEXT,
      to_project: { unit: 'text', title: 'of project (dst)' },
      source_address: TEXT,
      destination_address: TEXT,
      seen_on: TEXT,
      bytes: BYTES,
      records: COUNT,
      last: TIME,
    },
    width: 24,
    height: 8,
    empty: 'none: no two projects talk without a path',
  },
  {
    kind: 'table',
    title: 'Borrowed addresses',
    question: 'Which ports send from addresses that are not theirs?',
    sql: `SELECT src_server_id AS id, any(src_server) AS server, any(src_project) AS project, any(src_port) AS port, ${shown('src')} AS address, sum(records) AS records, sum(bytes) AS bytes, max(time) AS last FROM ${records('src_server_id', 'src_server', 'src_project', 'src_port', 'src_addr', 'src_grade')} WHERE src_grade = 'port_unverified' GROUP BY id, address ORDER BY records DESC LIMIT 100`,
    columns: {
      id: ID,
      server: TO_SERVER,
      project: TEXT,
      port: TEXT,
      address: TEXT,
      records: COUNT,
      bytes: BYTES,
      last: TIME,
    },
    width: 12,
    height: 8,
    empty: 'none: every port uses its own addresses',
  },
  {
    kind: 'table',
    title: 'Scans',
    question:
      'Who tries many addresses or many ports with next to nothing said to each? A longer span finds slower ones.',
    sql: SCANS,
    columns: {
      source: TEXT,
      project: TEXT,
      sort: TEXT,
      addresses: COUNT,
      ports: COUNT,
      packets: COUNT,
    },
    width: 12,
    height: 8,
    empty: 'none',
  },
  {
    kind: 'table',
    title: 'New pairs of projects',
    question: `Which projects talk to each other for the first time in ${KNOWN_DAYS} days?`,
    sql: `SELECT any(src_project) AS source, any(dst_project) AS destination, sum(bytes) AS bytes, count() AS records, min(flow_end) AS first FROM ${FLOWS} WHERE ${SPAN} AND counts_once = 1 AND src_project_id != '' AND dst_project_id != '' AND src_project_id != dst_project_id AND (src_project_id, dst_project_id) NOT IN (SELECT src_project_id, dst_project_id FROM ${FLOWS} WHERE flow_end >= $__fromTime_ms - INTERVAL ${KNOWN_DAYS} DAY AND flow_end < $__fromTime_ms AND counts_once = 1 AND src_project_id != dst_project_id) GROUP BY src_project_id, dst_project_id ORDER BY first LIMIT 100`,
    columns: { source: TEXT, destination: TEXT, bytes: BYTES, records: COUNT, first: TIME },
    width: 12,
    height: 8,
    empty: 'none',
  },
  {
    kind: 'series',
    title: 'Between projects',
    question: 'How much traffic is there between projects at all, with and without a path?',
    sql: everyStepBy(
      'path',
      `SELECT $__timeInterval(time) AS time, if(${BREACH}, 'without a path', 'by router, network or floating IP') AS path, 8 * sum(bytes) / $__interval_s AS bits FROM ${recordsOverTime(...BREACH_COLUMNS, 'counts_once')} WHERE counts_once = 1 AND traffic_class = 'between_projects' GROUP BY time, path`,
    ),
    columns: { time: TIME, path: TEXT, bits: { unit: 'bits_per_second' } },
    label: 'path',
    stack: true,
    width: 12,
    height: 8,
    empty: 'no traffic between projects',
  },
]

export const ISOLATION: DashboardSpec = {
  name: 'isolation',
  title: 'Isolation',
  doc: 'Whether tenants are kept apart: traffic between projects without a path, borrowed addresses, scans, new pairs.',
  variables: ['datasource'],
  rows: [{ title: 'Isolation', panels: PANELS }],
}
