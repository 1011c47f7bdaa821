/**
 * Everything that was said, to be searched: pairs of ends, then the stored records themselves.
 *
 * The data source applies conditions that are added by hand to the table it finds in the question, with a parser of PostgreSQL's SQL: so the
 * questions here are written in what both understand (a test holds it).
 */
import { FLOWS } from '../src/schema/ddl.ts'
import type { DashboardSpec } from './build.ts'
import { COUNT, TEXT, TIME } from './columns.ts'
import type { PanelSpec } from './panel.ts'
import { SPAN } from './records.ts'
import { service, SERVICE_PORT, shown } from './text-sql.ts'

/** Grafana escapes every character that could end a text, and the engine takes that back: what is typed stays a value. */
const TYPED = "decodeURLComponent('${search:percentencode}')"
const NAMES = ['server', 'project', 'network'] as const
const SEARCHED = (['src', 'dst'] as const)
  .flatMap((side) => [...NAMES.map((name) => `${side}_${name}`), shown(side)])
  .map((text) => `positionCaseInsensitive(${text}, ${TYPED}) > 0`)
const FOUND = `(${TYPED} = '' OR ${SEARCHED.join(' OR ')})`
const CHOSEN = "$__conditionalAll(src_project_id = '${project}' OR dst_project_id = '${project}', $project)"
const WHERE = `(${CHOSEN}) AND ${FOUND}`
/** Grouped by as they are, and made readable when there are few: four times as quick as the other way round. */
const SIDES = ['src_server', 'src_project', 'src_addr', 'dst_server', 'dst_project', 'dst_addr']
const end = (side: 'src' | 'dst') =>
  `if(${side}_server = '', ${shown(side)}, concat(${side}_server, ' ', ${shown(side)}))`

const PANELS: readonly PanelSpec[] = [
  {
    kind: 'series',
    title: 'What matches',
    question: 'When did the traffic that matches happen? Drag over a peak to look at it alone.',
    sql: `SELECT $__timeInterval(flow_end) AS time, 8 * sum(bytes) / $__interval_s AS bits FROM ${FLOWS} WHERE ${SPAN} AND counts_once = 1 AND ${WHERE} GROUP BY time ORDER BY time`,
    columns: { time: TIME, bits: { unit: 'bits_per_second' } },
    asBars: true,
    width: 24,
    height: 6,
    empty: 'nothing matches',
  },
  {
    kind: 'table',
    title: 'Conversations',
    question: 'Who said how much to whom by which service? Each byte once, one row a direction; the largest 200.',
    sql: `SELECT ${end('src')} AS source, src_project AS of_project, ${end('dst')} AS destination, dst_project AS to_project, ${service('port')} AS service, total AS bytes, packages AS packets, records, first, last FROM (SELECT ${SIDES.join(', ')}, ip_version, ip_protocol, ${SERVICE_PORT} AS port, sum(bytes) AS total, sum(packets) AS packages, count() AS records, min(flow_end) AS first, max(flow_end) AS last FROM ${FLOWS} WHERE ${SPAN} AND counts_once = 1 AND ${WHERE} GROUP BY ${SIDES.join(', ')}, ip_version, ip_protocol, port ORDER BY total DESC LIMIT 200) AS pairs ORDER BY bytes DESC`,
    columns: {
      source: TEXT,
      of_project: { unit: 'text', title: 'of project' },
      destination: TEXT,
      to_project: { unit: 'text', title: 'of project (dst)' },
      service: TEXT,
      bytes: { unit: 'bytes', bar: true },
      packets: COUNT,
      records: COUNT,
      first: TIME,
      last: TIME,
    },
    width: 24,
    height: 11,
    empty: 'nothing matches',
  },
  {
    kind: 'table',
    title: 'Records',
    question:
      'What exactly was exported? The newest 500 stored records that match, every report of a packet, with role and grade: `ovsight flows` shows the same.',
    sql: `SELECT flow_end, toString(export_protocol) AS protocol, exporter_host, bridge, in_if_name AS in_interface, ${end('src')} AS source, src_l4_port AS source_port, ${end('dst')} AS destination, dst_l4_port AS destination_port, ip_protocol, tcp_flags, bytes, packets, sampling_rate, toString(role) AS role, toString(src_grade) AS source_grade, toString(dst_grade) AS destination_grade FROM ${FLOWS} WHERE ${SPAN} AND ${WHERE} ORDER BY flow_end DESC LIMIT 500`,
    columns: {
      flow_end: { unit: 'time', title: 'time' },
      protocol: TEXT,
      exporter_host: { unit: 'text', title: 'host' },
      bridge: TEXT,
      in_interface: { unit: 'text', title: 'in' },
      source: TEXT,
      source_port: { unit: 'number' },
      destination: TEXT,
      destination_port: { unit: 'number' },
      ip_protocol: { unit: 'number' },
      tcp_flags: { unit: 'number' },
      bytes: { unit: 'bytes' },
      packets: COUNT,
      sampling_rate: { unit: 'number', title: '1 in' },
      role: TEXT,
      source_grade: TEXT,
      destination_grade: TEXT,
    },
    width: 24,
    height: 14,
    empty: 'nothing matches',
  },
]

export const CONVERSATIONS: DashboardSpec = {
  name: 'conversations',
  title: 'Conversations',
  doc: 'Search for a server, project, network or address, add conditions on any column, and go down to the stored records.',
  variables: ['datasource', 'projects', 'search', 'filters'],
  rows: [{ title: 'Search', panels: PANELS }],
}
