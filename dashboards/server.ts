/** One server, or one of its ports: both directions, with whom, in what form, how sure, and beside its own interface counters. */
import type { DashboardSpec } from './build.ts'
import { BYTES, COUNT, TEXT, TIME } from './columns.ts'
import { entitySeries } from './entities.ts'
import { AUDIT, AUDIT_SPAN } from './health-sql.ts'
import type { PanelSpec } from './panel.ts'
import { COUNTS, records, recordsOverTime, everyStepBy } from './records.ts'
import { service, shown } from './text-sql.ts'

const READS = ['server_id', 'port_id'] as const
const of = (side: string) =>
  `${side}_server_id = '\${server}' AND $__conditionalAll(${side}_port_id = '\${port}', $port)`
const MINE = (side: string) => `(${of(side)})`
const ENDS = ['src_server_id', 'dst_server_id', 'src_port_id', 'dst_port_id'] as const
const SENT = `counts_sent = 1 AND ${of('src')}`
const RECEIVED = `counts_received = 1 AND ${of('dst')}`
const ITS_PORT = "server_id = '${server}' AND $__conditionalAll(port_id = '${port}', $port)"
const BPS = { unit: 'bits_per_second' } as const

/** The other end: a server of the same project by name, one of another by the project's name alone, anybody else by address. */
const PEER = `if(mine, ${peer('dst')}, ${peer('src')})`

const TRAFFIC: readonly PanelSpec[] = [
  {
    kind: 'series',
    title: 'Sent and received, with the error of sampling',
    question:
      'How much does the server send and receive over time? The bands hold the true figures in 95 of 100 cases.',
    sql: entitySeries({ of, reads: READS }),
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
    empty: 'no flows of this server',
  },
  {
    kind: 'series',
    title: 'Protocols',
    question: 'What sort of traffic is it? TCP, UDP, ICMP and others, both directions.',
    sql: everyStepBy(
      'protocol',
      `SELECT $__timeInterval(time) AS time, multiIf(ip_protocol = 6, 'tcp', ip_protocol = 17, 'udp', ip_protocol IN (1, 58), 'icmp', 'other') AS protocol, 8 * sum(bytes) / $__interval_s AS bits FROM ${recordsOverTime(...ENDS, 'ip_protocol', 'counts_once')} WHERE counts_once = 1 AND (${MINE('src')} OR ${MINE('dst')}) GROUP BY time, protocol`,
    ),
    columns: { time: TIME, protocol: TEXT, bits: BPS },
    label: 'protocol',
    stack: true,
    width: 12,
    height: 8,
    empty: 'no flows of this server',
  },
]

/** Of mirrored frames, which alone have sequence numbers; both ways of the server. */
const SENT_AGAIN = `SELECT $__timeInterval(time) AS time, 100 * sumIf(tcp_retransmits, ${SENT}) / nullIf(sumIf(packets, ${SENT}), 0) AS sent, 100 * sumIf(tcp_retransmits, ${RECEIVED}) / nullIf(sumIf(packets, ${RECEIVED}), 0) AS received FROM ${records(...ENDS, 'ip_protocol', 'export_protocol', 'tcp_retransmits', ...COUNTS)} WHERE ip_protocol = 6 AND export_protocol IN ('gre', 'erspan', 'vxlan') AND ((${SENT}) OR (${RECEIVED})) GROUP BY time ORDER BY time`

const WITH_WHOM: readonly PanelSpec[] = [
  {
    kind: 'table',
    title: 'Peers',
    question:
      'With whom does it talk? Servers of its project by name, other projects by theirs, everybody else by address.',
    sql: `SELECT ${PEER} AS peer, sumIf(bytes, mine) AS sent, sumIf(bytes, not mine) AS received, sum(bytes) AS total, sum(packets) AS packets FROM (SELECT *, ${MINE('src')} AS mine, ${shown('src')} AS src_text, ${shown('dst')} AS dst_text FROM ${records(...ENDS, 'src_addr', 'dst_addr', 'src_server', 'dst_server', 'src_project', 'dst_project', 'src_project_id', 'dst_project_id', 'counts_once')} WHERE counts_once = 1 AND (${MINE('src')} OR ${MINE('dst')})) GROUP BY peer ORDER BY total DESC LIMIT 30`,
    columns: { peer: TEXT, sent: BYTES, received: BYTES, total: { unit: 'bytes', bar: true }, packets: COUNT },
    width: 12,
    height: 9,
    empty: 'no flows of this server',
  },
  {
    kind: 'bars',
    title: 'Services',
    question: 'Which services does it use or offer? The lower port of a TCP or UDP flow stands for the service.',
    sql: `SELECT ${service()} AS service, sum(bytes) AS bytes FROM ${records(...ENDS, 'ip_version', 'ip_protocol', 'src_l4_port', 'dst_l4_port', 'counts_once')} WHERE counts_once = 1 AND (${MINE('src')} OR ${MINE('dst')}) GROUP BY service ORDER BY bytes DESC LIMIT 15`,
    columns: { service: TEXT, bytes: BYTES },
    width: 6,
    height: 9,
    empty: 'no flows of this server',
  },
  {
    kind: 'bars',
    title: 'TCP flags',
    question:
      'How many records carry each TCP flag? Many SYN without ACK are attempts that nobody answers, many RST refusals. NetFlow of Open vSwitch repeats flags of a flow in every record of it. What was sent again only mirrors tell, below.',
    sql: `SELECT flag, toUInt64(records) AS records FROM (SELECT ['SYN without ACK', 'SYN and ACK', 'FIN', 'RST', 'PSH', 'ACK'] AS flags, [countIf(bitAnd(tcp_flags, 18) = 2), countIf(bitAnd(tcp_flags, 18) = 18), countIf(bitTest(tcp_flags, 0)), countIf(bitTest(tcp_flags, 2)), countIf(bitTest(tcp_flags, 3)), countIf(bitTest(tcp_flags, 4))] AS counts FROM ${records(...ENDS, 'ip_protocol', 'tcp_flags', ...COUNTS)} WHERE ip_protocol = 6 AND ((${SENT}) OR (${RECEIVED}))) ARRAY JOIN flags AS flag, counts AS records`,
    columns: { flag: TEXT, records: COUNT },
    width: 6,
    height: 9,
    empty: 'no TCP',
  },
  {
    kind: 'series',
    title: 'TCP segments sent again (where a mirror knows)',
    question:
      'What share of the TCP segments carried what had been sent before, keep-alives aside? Above one percent is a path that loses packets: look at drops of the interface. NetFlow, IPFIX and sFlow do not tell it.',
    sql: SENT_AGAIN,
    columns: { time: TIME, sent: { unit: 'percent' }, received: { unit: 'percent' } },
    width: 24,
    height: 6,
    empty: 'no mirror of this server in this span',
  },
]

const HOW_SURE: readonly PanelSpec[] = [
  {
    kind: 'table',
    title: 'How sure the ends are',
    question:
      'By what was the server found in each record, and its peers? port is surest; port_unverified means an address that is not its own, see Isolation.',
    sql: `SELECT toString(if(mine, src_grade, dst_grade)) AS server_found_by, toString(if(mine, dst_grade, src_grade)) AS peer_found_by, sum(records) AS records, sum(bytes) AS bytes FROM (SELECT *, ${MINE('src')} AS mine FROM ${records(...ENDS, 'src_grade', 'dst_grade')} WHERE ${MINE('src')} OR ${MINE('dst')}) GROUP BY server_found_by, peer_found_by ORDER BY records DESC LIMIT 30`,
    columns: { server_found_by: TEXT, peer_found_by: TEXT, records: COUNT, bytes: { unit: 'bytes', bar: true } },
    width: 9,
    height: 8,
    empty: 'no flows of this server',
  },
  {
    kind: 'table',
    title: 'Audit against the interface counters',
    question:
      "Do the flows hold what the port's own interface counted (layer 2)? Verdict, the likeliest cause of a difference, and the error to be expected from sampling and the ends of the span.",
    sql: `SELECT span_to, port, toString(direction) AS direction, toString(verdict) AS verdict, toString(cause) AS cause, counted_bytes AS flows, true_bytes AS interface, expected_error, ratio, note FROM ${AUDIT} WHERE ${AUDIT_SPAN} AND ${ITS_PORT} ORDER BY span_to DESC LIMIT 100`,
    columns: {
      span_to: { unit: 'time', title: 'until' },
      port: TEXT,
      direction: TEXT,
      verdict: TEXT,
      cause: TEXT,
      flows: { unit: 'bytes', title: 'flows' },
      interface: { unit: 'bytes', title: 'interface' },
      expected_error: { unit: 'bytes', title: '± expected' },
      ratio: { unit: 'share' },
      note: TEXT,
    },
    width: 15,
    height: 8,
    empty: 'not audited: no counters of its interface in this span',
  },
  {
    kind: 'series',
    title: 'Flows beside the interface counter',
    question:
      'How does that comparison look over time? As rates: what the interface counted, and the band in which the flows should be.',
    sql: `SELECT span_to AS time, 8 * sum(counted_bytes) / seconds AS flows, 8 * sum(true_bytes) / seconds AS interface, 8 * greatest(0, sum(true_bytes) - sqrt(sum(expected_error * expected_error))) / seconds AS low, 8 * (sum(true_bytes) + sqrt(sum(expected_error * expected_error))) / seconds AS high FROM (SELECT *, greatest(1, dateDiff('second', span_from, span_to)) AS seconds FROM ${AUDIT} WHERE ${AUDIT_SPAN} AND ${ITS_PORT}) GROUP BY time, seconds ORDER BY time`,
    columns: { time: TIME, flows: BPS, interface: BPS, low: BPS, high: BPS },
    bands: [['low', 'high']],
    width: 24,
    height: 7,
    empty: 'not audited: no counters of its interface in this span',
  },
]

export const SERVER: DashboardSpec = {
  name: 'server',
  title: 'Server and port',
  doc: 'One server: both directions, peers, services, flags, how sure its flows are, and whether its interface counted the same.',
  variables: ['datasource', 'server', 'port'],
  annotations: [
    {
      name: 'Audit disagrees',
      color: 'red',
      sql: `SELECT span_to AS time, concat(port, ' ', toString(direction), ': ', toString(verdict), ', ', note) AS text, 'audit' AS tags FROM ${AUDIT} WHERE ${AUDIT_SPAN} AND ${ITS_PORT} AND verdict IN ('short', 'over') ORDER BY span_to LIMIT 100`,
    },
  ],
  rows: [
    { title: 'Traffic', panels: TRAFFIC },
    { title: 'With whom', panels: WITH_WHOM },
    { title: 'How sure', panels: HOW_SURE },
  ],
}

function peer(side: 'src' | 'dst'): string {
  return `multiIf(${side}_project_id != '' AND src_project_id != dst_project_id, concat('project ', ${side}_project), ${side}_server != '', ${side}_server, ${side}_text)`
}
