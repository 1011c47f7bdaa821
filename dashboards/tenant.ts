/** One project: what its servers do, with whom, and what of the cloud it uses. */
import type { DashboardSpec } from './build.ts'
import { BYTES, COUNT, FIGURES, ID, TEXT, TIME, TO_NETWORK, TO_SERVER, TO_TENANT } from './columns.ts'
import { entitySeries, entityTable } from './entities.ts'
import type { PanelSpec } from './panel.ts'
import { COUNTS, records, recordsOverTime, everyStepBy } from './records.ts'
import { service, shown } from './text-sql.ts'

const of = (side: string) => `${side}_project_id = '\${project}'`
const EITHER = `(${of('src')} OR ${of('dst')})`
const READS = ['project_id'] as const
const ENDS = ['src_project_id', 'dst_project_id'] as const
/** The project's counted records, each byte once, seen from its own end. */
const PEER = (column: string) => `if(${of('src')}, dst_${column}, src_${column})`
const OWN = (column: string) => `if(${of('src')}, src_${column}, dst_${column})`
const WAY = `if(${of('src')}, if(${of('dst')}, 'inside', 'sent'), 'received')`
const COUNTED = `counts_once = 1 AND ${EITHER}`

const FIGURE = (title: string, question: string, column: string): PanelSpec => ({
  kind: 'stat',
  title,
  question,
  sql: `SELECT ${column} FROM (${entityTable({ entity: 'project', of, reads: READS, limit: 1 })})`,
  columns: { [column]: column === 'packets' ? COUNT : BYTES },
  width: 6,
  height: 4,
  empty: 'no flows of this project',
})

const HOW_MUCH: readonly PanelSpec[] = [
  FIGURE('Sent', "What did the project's servers send?", 'sent'),
  FIGURE('Received', "What did the project's servers receive?", 'received'),
  FIGURE(
    'Total',
    'How much is that together, what stays inside the project counted once? As `ovsight top project` says.',
    'bytes',
  ),
  FIGURE('Packets', 'In how many packets?', 'packets'),
  {
    kind: 'series',
    title: 'Sent and received, with the error of sampling',
    question:
      'How much does the project send and receive over time? The bands hold the true figures in 95 of 100 cases.',
    sql: entitySeries({ of, reads: READS }),
    columns: {
      time: TIME,
      sent: { unit: 'bits_per_second' },
      sent_low: { unit: 'bits_per_second' },
      sent_high: { unit: 'bits_per_second' },
      received: { unit: 'bits_per_second' },
      received_low: { unit: 'bits_per_second' },
      received_high: { unit: 'bits_per_second' },
    },
    bands: [
      ['sent_low', 'sent_high'],
      ['received_low', 'received_high'],
    ],
    width: 12,
    height: 8,
    empty: 'no flows of this project',
  },
  {
    kind: 'series',
    title: 'Where to',
    question: 'Does the traffic stay inside, go to other projects, or to and from the outside?',
    sql: everyStepBy(
      'class',
      `SELECT $__timeInterval(time) AS time, toString(traffic_class) AS class, 8 * sum(bytes) / $__interval_s AS bits FROM ${recordsOverTime(...ENDS, 'counts_once', 'traffic_class')} WHERE ${COUNTED} GROUP BY time, class`,
    ),
    columns: { time: TIME, class: TEXT, bits: { unit: 'bits_per_second' } },
    label: 'class',
    stack: true,
    width: 12,
    height: 8,
    empty: 'no flows of this project',
  },
]

const WHO: readonly PanelSpec[] = [
  {
    kind: 'table',
    title: 'Servers',
    question: "Which of the project's servers moved most? Click for the server.",
    sql: entityTable({ entity: 'server', of, reads: READS, limit: 50 }),
    columns: { id: ID, server: TO_SERVER, project: TEXT, ...FIGURES },
    width: 12,
    height: 9,
    empty: 'no server of this project was seen',
  },
  {
    kind: 'table',
    title: 'Networks',
    question: "Which of the project's networks carry most? Click for the network.",
    sql: entityTable({ entity: 'network', of, reads: READS, limit: 50 }),
    columns: { id: ID, network: TO_NETWORK, project: TEXT, ...FIGURES },
    width: 12,
    height: 9,
    empty: 'no network of this project was seen',
  },
  {
    kind: 'table',
    title: 'Other projects',
    question: 'With which other projects does it talk? Click for that project; Isolation says whether it should.',
    sql: `SELECT ${PEER('project_id')} AS id, max(${PEER('project')}) AS peer, sumIf(bytes, ${of('src')}) AS sent, sumIf(bytes, ${of('dst')}) AS received, sum(bytes) AS total FROM ${records(...ENDS, 'src_project', 'dst_project', 'counts_once')} WHERE ${COUNTED} AND src_project_id != dst_project_id AND src_project_id != '' AND dst_project_id != '' GROUP BY id ORDER BY total DESC LIMIT 20`,
    columns: {
      id: ID,
      peer: { ...TO_TENANT, title: 'project' },
      sent: BYTES,
      received: BYTES,
      total: { unit: 'bytes', bar: true },
    },
    width: 12,
    height: 7,
    empty: 'none: it talks to no other project',
  },
  {
    kind: 'table',
    title: 'Outside',
    question:
      'Which addresses outside the cloud does it talk to, and how do its servers reach them: by floating IP or behind SNAT?',
    sql: `SELECT ${PEER('addr_text')} AS address, if(${WAY} = 'sent', 'out', 'in') AS way, anyHeavy(${OWN('server')}) AS server, sum(bytes) AS bytes, sum(packets) AS packets FROM (SELECT *, ${shown('src')} AS src_addr_text, ${shown('dst')} AS dst_addr_text FROM ${records(...ENDS, 'src_addr', 'dst_addr', 'src_server', 'dst_server', 'counts_once', 'traffic_class')}) WHERE ${COUNTED} AND traffic_class IN ('north_south_out', 'north_south_in') GROUP BY address, way ORDER BY bytes DESC LIMIT 20`,
    columns: {
      address: TEXT,
      way: TEXT,
      server: { unit: 'text', title: 'mostly of' },
      bytes: { unit: 'bytes', bar: true },
      packets: COUNT,
    },
    width: 12,
    height: 7,
    empty: 'no traffic with the outside',
  },
]

const WHAT: readonly PanelSpec[] = [
  {
    kind: 'bars',
    title: 'Ports and protocols',
    question: 'What do the servers serve and use? The lower port of a TCP or UDP flow stands for its service.',
    sql: `SELECT ${service()} AS service, sum(bytes) AS bytes FROM ${records(...ENDS, 'ip_version', 'ip_protocol', 'src_l4_port', 'dst_l4_port', 'counts_once')} WHERE ${COUNTED} GROUP BY service ORDER BY bytes DESC LIMIT 15`,
    columns: { service: TEXT, bytes: BYTES },
    width: 8,
    height: 9,
    empty: 'no flows of this project',
  },
  {
    kind: 'table',
    title: 'Conversations',
    question: 'Who talks to whom most, both directions together?',
    sql: `SELECT least(a, b) AS one, greatest(a, b) AS other, sum(bytes) AS bytes, sum(packets) AS packets FROM (SELECT ${end('src')} AS a, ${end('dst')} AS b, bytes, packets FROM ${records(...ENDS, 'src_server', 'dst_server', 'src_addr', 'dst_addr', 'src_project', 'dst_project', 'counts_once')} WHERE ${COUNTED}) GROUP BY one, other ORDER BY bytes DESC LIMIT 20`,
    columns: { one: TEXT, other: TEXT, bytes: { unit: 'bytes', bar: true }, packets: COUNT },
    width: 16,
    height: 9,
    empty: 'no flows of this project',
  },
  {
    kind: 'table',
    title: 'North–south by its path',
    question:
      'How much goes to and comes from the outside by floating IPs, and how much behind the SNAT address of a router? Counted at the server.',
    sql: `SELECT if(way = 'out', 'to the outside', 'from the outside') AS direction, path, bytes, packets FROM (SELECT if(${of('src')}, 'out', 'in') AS way, multiIf(has(floating, ${OWN('server_id')}), 'server with a floating IP', 'behind SNAT') AS path, sum(bytes) AS bytes, sum(packets) AS packets FROM (SELECT * FROM ${records(...ENDS, 'src_server_id', 'dst_server_id', 'counts_once', 'traffic_class')} WHERE ${COUNTED} AND traffic_class IN ('north_south_out', 'north_south_in')) AS r CROSS JOIN (SELECT groupUniqArray(if(src_grade = 'floating', src_server_id, dst_server_id)) AS floating FROM ${records('src_grade', 'dst_grade', 'src_server_id', 'dst_server_id', ...ENDS)} WHERE ${EITHER} AND (src_grade = 'floating' OR dst_grade = 'floating')) AS f GROUP BY way, path) ORDER BY bytes DESC`,
    columns: { direction: TEXT, path: TEXT, bytes: { unit: 'bytes', bar: true }, packets: COUNT },
    width: 12,
    height: 7,
    empty: 'no traffic with the outside',
  },
  {
    kind: 'table',
    title: "Share of the hosts' uplinks",
    question:
      'Of what left each host for another host or the outside, how much is of this project? A large share on a busy host is a noisy neighbour.',
    sql: `SELECT src_host AS host, sumIf(bytes, ${of('src')}) AS own, sum(bytes) AS total, own / total AS share FROM ${records('src_project_id', 'src_host', 'dst_host', ...COUNTS)} WHERE counts_sent = 1 AND src_host != '' AND src_host != dst_host GROUP BY host HAVING own > 0 ORDER BY own DESC LIMIT 50`,
    columns: {
      host: TEXT,
      own: { unit: 'bytes', title: 'this project' },
      total: { unit: 'bytes', title: 'all projects' },
      share: { unit: 'share', bar: true },
    },
    width: 12,
    height: 7,
    empty: 'nothing of this project left a host',
  },
]

export const TENANT: DashboardSpec = {
  name: 'tenant',
  title: 'Tenant',
  doc: 'One project: its servers, networks, peers and services, and its share of the cloud. Nothing of other projects but the names of those it talks to.',
  variables: ['datasource', 'project'],
  rows: [
    { title: 'How much', panels: HOW_MUCH },
    { title: 'Who', panels: WHO },
    { title: 'What', panels: WHAT },
  ],
}

/** A server of this project by name, another project by its name alone, the outside by address. */
function end(side: 'src' | 'dst'): string {
  return `multiIf(${of(side)} AND ${side}_server != '', ${side}_server, ${side}_project_id != '' AND NOT ${of(side)}, concat('project ', ${side}_project), ${shown(side)})`
}
