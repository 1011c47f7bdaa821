/** A network with its VNI, and the hosts below: who uses the underlay, and where to. */
import { COUNTERS_TABLE } from '../src/schema/side-tables.ts'
import type { DashboardSpec } from './build.ts'
import { BYTES, COUNT, FIGURES, ID, TEXT, TIME, TO_SERVER, TO_TENANT } from './columns.ts'
import { entitySeries, entityTable } from './entities.ts'
import type { PanelSpec } from './panel.ts'
import { COUNTS, records, recordsOverTime, everyStepBy } from './records.ts'

const BPS = { unit: 'bits_per_second' } as const
const inNetwork = (side: string) => `${side}_network_id = '\${network}'`
const onHost = (side: string) => `$__conditionalAll(${side}_host = '\${host}', $host)`
/** What a server sent to another host, or out: it crosses the underlay. */
const CROSSES = "counts_sent = 1 AND src_host != '' AND src_host != dst_host"
const TOP_N = 5

const NETWORK: readonly PanelSpec[] = [
  {
    kind: 'series',
    title: 'Network: sent and received',
    question:
      "How much do the network's ports send and receive over time? The bands hold the true figures in 95 of 100 cases.",
    sql: entitySeries({ of: inNetwork, reads: ['network_id'] }),
    columns: {
      time: TIME,
      sent: BPS,
      sent_low: BPS,
      sent_high: BPS,
      received: BPS,
      received_low: BPS,
      received_high: BPS,
    },
    bands: [
      ['sent_low', 'sent_high'],
      ['received_low', 'received_high'],
    ],
    width: 12,
    height: 8,
    empty: 'no flows in this network',
  },
  {
    kind: 'table',
    title: 'Network: its servers',
    question: 'Which servers of the network moved most? Click for the server.',
    sql: entityTable({ entity: 'server', of: inNetwork, reads: ['network_id'], limit: 50 }),
    columns: { id: ID, server: TO_SERVER, project: TEXT, ...FIGURES },
    width: 12,
    height: 8,
    empty: 'no server in this network was seen',
  },
  {
    kind: 'series',
    title: `Network: top ${TOP_N} servers, other, total`,
    question: `Which servers send most over time? The ${TOP_N} largest of the span, all others as one, and the sum.`,
    sql: everyStepBy(
      'server',
      `WITH largest AS (SELECT src_server_id FROM ${recordsOverTime('src_server_id', 'src_network_id', ...COUNTS)} WHERE counts_sent = 1 AND ${inNetwork('src')} GROUP BY src_server_id ORDER BY sum(bytes) DESC LIMIT ${TOP_N})
SELECT time, server, 8 * sum(b) / $__interval_s AS bits FROM (SELECT $__timeInterval(time) AS time, arrayJoin([if(src_server_id IN (SELECT src_server_id FROM largest), src_server, 'other'), 'total']) AS server, sum(bytes) AS b FROM ${recordsOverTime('src_server_id', 'src_server', 'src_network_id', ...COUNTS)} WHERE counts_sent = 1 AND ${inNetwork('src')} GROUP BY time, src_server_id, src_server) GROUP BY time, server`,
    ),
    columns: { time: TIME, server: TEXT, bits: BPS },
    label: 'server',
    width: 12,
    height: 8,
    empty: 'no flows in this network',
  },
  {
    kind: 'table',
    title: 'VNIs on the wire',
    question:
      'Which tunnel keys (VNIs) were seen, between which tunnel ends, and of which networks? Tunnel headers are told by IPFIX and sFlow only; every report is summed, so a packet may be in two rows.',
    sql: `SELECT tunnel_key AS vni, toString(tunnel_type) AS tunnel, ${address('tunnel_src_addr')} AS from_end, ${address('tunnel_dst_addr')} AS to_end, arrayStringConcat(arraySort(arrayFilter(x -> x != '', groupUniqArray(5)(src_network))), ', ') AS networks, sum(records) AS records, sum(bytes) AS bytes FROM ${records('tunnel_key', 'tunnel_type', 'tunnel_src_addr', 'tunnel_dst_addr', 'src_network')} WHERE tunnel_type != 'none' GROUP BY vni, tunnel, from_end, to_end ORDER BY bytes DESC LIMIT 50`,
    columns: {
      vni: { unit: 'number' },
      tunnel: TEXT,
      from_end: { unit: 'text', title: 'from' },
      to_end: { unit: 'text', title: 'to' },
      networks: TEXT,
      records: COUNT,
      bytes: { unit: 'bytes', bar: true },
    },
    width: 12,
    height: 8,
    empty: 'no export tells a tunnel header',
  },
]

const HOSTS: readonly PanelSpec[] = [
  {
    kind: 'table',
    title: 'Who uses the underlay',
    question: 'Which projects send most from host to host and out? Click for the project.',
    sql: `SELECT src_project_id AS id, max(src_project) AS project, sum(bytes) AS bytes, sum(packets) AS packets, uniqExact(src_host) AS hosts FROM ${records('src_project_id', 'src_project', 'src_host', 'dst_host', ...COUNTS)} WHERE ${CROSSES} AND ${onHost('src')} AND src_project_id != '' GROUP BY id ORDER BY bytes DESC LIMIT 20`,
    columns: {
      id: ID,
      project: TO_TENANT,
      bytes: { unit: 'bytes', bar: true },
      packets: COUNT,
      hosts: { unit: 'count', title: 'from hosts' },
    },
    width: 8,
    height: 8,
    empty: 'nothing left a host',
  },
  {
    kind: 'table',
    title: 'Between hosts',
    question:
      'How much do the servers of each host send to those of each other, over tunnels or VLANs? Counted at the sender; without outer headers.',
    sql: `SELECT src_host AS from_host, if(dst_host = '', 'outside or not known', dst_host) AS to_host, sum(bytes) AS bytes, sum(packets) AS packets, uniqExact(src_project_id) AS projects FROM ${records('src_host', 'dst_host', 'src_project_id', ...COUNTS)} WHERE ${CROSSES} AND ($__conditionalAll(src_host = '\${host}' OR dst_host = '\${host}', $host)) GROUP BY from_host, to_host ORDER BY bytes DESC LIMIT 100`,
    columns: {
      from_host: { unit: 'text', title: 'from' },
      to_host: { unit: 'text', title: 'to' },
      bytes: { unit: 'bytes', bar: true },
      packets: COUNT,
      projects: COUNT,
    },
    width: 8,
    height: 8,
    empty: 'nothing left a host',
  },
  {
    kind: 'table',
    title: 'East–west: network to network',
    question: 'Which networks talk to which, inside the cloud?',
    sql: `SELECT concat(src_network, ' (', src_project, ')') AS from_network, concat(dst_network, ' (', dst_project, ')') AS to_network, sum(bytes) AS bytes, sum(packets) AS packets FROM ${records('src_network', 'dst_network', 'src_project', 'dst_project', 'src_host', 'dst_host', 'counts_once')} WHERE counts_once = 1 AND src_network != '' AND dst_network != '' AND (${onHost('src')} OR ${onHost('dst')}) GROUP BY from_network, to_network ORDER BY bytes DESC LIMIT 100`,
    columns: {
      from_network: { unit: 'text', title: 'from' },
      to_network: { unit: 'text', title: 'to' },
      bytes: { unit: 'bytes', bar: true },
      packets: COUNT,
    },
    width: 8,
    height: 8,
    empty: 'no traffic inside the cloud',
  },
  {
    kind: 'series',
    title: 'Hosts: what leaves them',
    question:
      'How much do the servers of each host send to other hosts and out? The load of its uplinks by traffic of servers.',
    sql: everyStepBy(
      'host',
      `SELECT $__timeInterval(time) AS time, src_host AS host, 8 * sum(bytes) / $__interval_s AS bits FROM ${recordsOverTime('src_host', 'dst_host', ...COUNTS)} WHERE ${CROSSES} AND ${onHost('src')} GROUP BY time, host`,
    ),
    columns: { time: TIME, host: TEXT, bits: BPS },
    label: 'host',
    width: 12,
    height: 8,
    empty: 'nothing left a host',
  },
  {
    kind: 'table',
    title: 'Hosts: their servers',
    question: 'Which servers on the host move most? Click for the server.',
    sql: entityTable({ entity: 'server', of: onHost, reads: ['host'], limit: 50 }),
    columns: { id: ID, server: TO_SERVER, project: TEXT, ...FIGURES },
    width: 12,
    height: 8,
    empty: 'no server on this host was seen',
  },
  {
    kind: 'table',
    title: 'Hosts: drops and errors of interfaces',
    question:
      'On which interfaces does the switch drop packets or see errors? Increase of the counters within the span.',
    sql: `SELECT host, interface, any(server) AS its_server, max(in_drops) - min(in_drops) AS drops_in, max(out_drops) - min(out_drops) AS drops_out, max(in_errors) - min(in_errors) + max(out_errors) - min(out_errors) AS errors, max(in_bytes) - min(in_bytes) AS in, max(out_bytes) - min(out_bytes) AS out FROM ${COUNTERS_TABLE.name} WHERE time >= $__fromTime_ms AND time < $__toTime_ms AND $__conditionalAll(host = '\${host}', $host) GROUP BY host, interface ORDER BY drops_in + drops_out + errors DESC, in + out DESC LIMIT 50`,
    columns: {
      host: TEXT,
      interface: TEXT,
      its_server: { unit: 'text', title: 'server' },
      drops_in: { unit: 'count', title: 'dropped in' },
      drops_out: { unit: 'count', title: 'dropped out' },
      errors: COUNT,
      in: BYTES,
      out: BYTES,
    },
    width: 24,
    height: 8,
    empty: 'no counters of interfaces: needs sFlow with polling, or OVSDB',
  },
]

export const NETWORK_AND_HOST: DashboardSpec = {
  name: 'network',
  title: 'Network and host',
  doc: 'A network with its servers and VNI, and below it the hosts: who uses the underlay, and who talks to whom.',
  variables: ['datasource', 'network', 'host'],
  rows: [
    { title: 'Network', panels: NETWORK },
    { title: 'Hosts and underlay', panels: HOSTS },
  ],
}

function address(column: string): string {
  return `replaceRegexpOne(toString(${column}), '^::ffff:', '')`
}
