/**
 * What is asked of the store: what interfaces counted between two readings that bracket a span, and what flow records hold of the
 * same ports between the same two readings.
 *
 *   a   the last reading before the span, else the first in it        b   the first reading after it, else the last in it
 *
 * A record that overlaps a or b is taken in part, by time; how far that may be wrong is summed beside it. So is what flowed while a
 * reading was taken, since the clocks of the exporter and of the reading differ.
 */
import { Params, type Plan } from '../query/plan.ts'
import type { Span } from '../query/times.ts'
import { FLOWS } from '../schema/ddl.ts'
import { COUNTERS_TABLE } from '../schema/side-tables.ts'

/** How far outside the span a reading may be to bracket it, and a record to reach into it. */
export const REACH_MS = 300_000
const LONGEST_RECORD_MS = 600_000
/**
 * How far a reading may be from the moment of its counters: sFlow sends them within a second; Open vSwitch refreshes those of OVSDB
 * every five.
 */
const UNSURE_MS = `if(source = 'ovsdb', 6000, 2000)`
/** Packet counters of sFlow have 32 bits. */
const WRAP = 4_294_967_296

export const DIRECTIONS = {
  sent: { counts: 'counts_sent', side: 'src', bytes: 'in_bytes', packets: 'in_packets' },
  received: { counts: 'counts_received', side: 'dst', bytes: 'out_bytes', packets: 'out_packets' },
} as const
export type Direction = keyof typeof DIRECTIONS

/** Columns of a port, the same in both directions. */
export const NAMES = ['bridge', 'port', 'server_id', 'server', 'network', 'project_id', 'project'] as const
const KEY = 'port_id, host, interface, source'

/** Which ports are audited: all, or those that a word names. */
export interface Scope {
  span: Span
  /** Id or name of a port, server or project, or an interface's name. */
  word?: string | undefined
}

/** Readings at which the span of each server's port begins and ends: KEY, `a`, `b` in milliseconds. */
function edges({ span, word }: Scope, params: Params): string {
  const [from, to] = [params.bind('Int64', span.fromMs), params.bind('Int64', span.toMs)]
  const named =
    word === undefined
      ? ''
      : ` AND ${params.bind('String', word)} IN (port_id, port, server_id, server, project_id, project, interface)`
  return (
    `SELECT ${KEY}, if(countIf(ms <= ${from}) > 0, maxIf(ms, ms <= ${from}), min(ms)) AS a, ` +
    `if(countIf(ms >= ${to}) > 0, minIf(ms, ms >= ${to}), max(ms)) AS b, count() OVER (PARTITION BY port_id, source) AS places ` +
    `FROM (SELECT ${KEY}, toUnixTimestamp64Milli(time) AS ms FROM ${COUNTERS_TABLE.name} WHERE server_id != ''${named} ` +
    `AND time >= fromUnixTimestamp64Milli(${from} - ${REACH_MS}) AND time <= fromUnixTimestamp64Milli(${to} + ${REACH_MS})) ` +
    `GROUP BY ${KEY} HAVING b > a`
  )
}

/** What each interface counted, one row a port, host, interface and source: KEY, NAMES, a, b, the four counts, `resets`. */
export function truthPlan(scope: Scope): Plan {
  const params = new Params()
  const counts = ['in_bytes', 'out_bytes', 'in_packets', 'out_packets']
  const before = counts.map((name) => `lagInFrame(${name}) OVER w AS l_${name}`)
  const reset = 'in_bytes < l_in_bytes OR out_bytes < l_out_bytes'
  // Differences are signed, and one expression has one type.
  const signed = (name: string) => `(toInt64(${name}) - toInt64(l_${name}))`
  const rise = (name: string) =>
    name.endsWith('packets')
      ? `multiIf(${reset}, toInt64(${name}), ${name} < l_${name}, ${signed(name)} + ${WRAP}, ${signed(name)})`
      : `if(${reset}, toInt64(${name}), ${signed(name)})`
  const sql =
    `SELECT ${KEY}, any(a) AS a, any(b) AS b, any(places) AS places, ${NAMES.map((name) => `argMax(${name}, time) AS n_${name}`).join(', ')}, ` +
    `${counts.map((name) => `toUInt64(sum(${rise(name)})) AS t_${name}`).join(', ')}, countIf(${reset}) AS resets ` +
    `FROM (SELECT *, row_number() OVER w AS nth, ${before.join(', ')} FROM ${COUNTERS_TABLE.name} AS c ` +
    `INNER JOIN (${edges(scope, params)}) AS e USING (${KEY.replaceAll(' ', '')}) ` +
    `WHERE toUnixTimestamp64Milli(time) >= a AND toUnixTimestamp64Milli(time) <= b ` +
    `WINDOW w AS (PARTITION BY ${KEY} ORDER BY time ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)) WHERE nth > 1 ` +
    `GROUP BY ${KEY} ORDER BY ${KEY}`
  return { sql, params: params.values }
}

/**
 * What flow records hold of one direction of the same ports: KEY, `bytes`, `packets`, `variance`, `edge_bytes` (by which the bytes may be
 * wrong), `samples`, `rate`, `lag_ms` (from a record's first packet to its arrival), `protocols`.
 */
export function countedPlan(scope: Scope, direction: Direction): Plan {
  const params = new Params()
  const { counts, side } = DIRECTIONS[direction]
  const inner = edges(scope, params)
  const [from, to] = [params.bind('Int64', scope.span.fromMs), params.bind('Int64', scope.span.toMs)]
  const share = overlap('a', 'b')
  const near = [`a - ${UNSURE_MS}`, `b - ${UNSURE_MS}`].map((at) => overlap(at, `${at} + 2 * ${UNSURE_MS}`))
  const sql =
    `SELECT ${KEY}, sum(l2_bytes * share) AS bytes, sum(packets * share) AS packets, sum(l2_bytes_variance * share) AS variance, ` +
    `sum(l2_bytes * greatest(least(share, 1 - share), least(near, 1))) AS edge_bytes, toUInt64(sum(samples)) AS samples, ` +
    `max(sampling_rate) AS rate, max(lag) AS lag_ms, arrayStringConcat(groupUniqArray(toString(export_protocol)), ' ') AS protocols ` +
    `FROM (SELECT *, ${share} AS share, ${near.join(' + ')} AS near FROM (SELECT ${side}_port_id AS port_id, ${side}_host AS at_host, ` +
    `toFloat64(toUnixTimestamp64Milli(flow_start)) AS s, toFloat64(toUnixTimestamp64Milli(flow_end)) AS e, ` +
    `toUnixTimestamp64Milli(time_received) - s AS lag, ` +
    `l2_bytes, packets, l2_bytes_variance, samples, sampling_rate, export_protocol FROM ${FLOWS} ` +
    `WHERE ${counts} = 1 AND ${side}_port_id != '' AND flow_end >= fromUnixTimestamp64Milli(${from} - ${REACH_MS}) ` +
    `AND flow_end <= fromUnixTimestamp64Milli(${to} + ${REACH_MS + LONGEST_RECORD_MS})) AS f INNER JOIN (${inner}) AS g USING (port_id) ` +
    `WHERE places = 1 OR at_host = host) WHERE share > 0 OR near > 0 GROUP BY ${KEY}`
  return { sql, params: params.values }
}

/** What part of a record lies after `from` and up to `to`; one that has no length lies in it or does not. */
function overlap(from: string, to: string): string {
  const [low, high] = [`toFloat64(${from})`, `toFloat64(${to})`]
  const part = `greatest(0, least(e, ${high}) - greatest(s, ${low})) / greatest(e - s, 1)`
  return `if(e <= s, toFloat64(e > ${low} AND e <= ${high}), least(1, ${part}))`
}

/** What came from each bridge in the span: `host`, `bridge`, `records`, `copies` (of mirrors), `unsure_bytes` (that fit several ports), `rate`, `protocols`. */
export function bridgesPlan({ span }: Scope): Plan {
  const params = new Params()
  const [from, to] = [params.bind('Int64', span.fromMs), params.bind('Int64', span.toMs)]
  const sql =
    `SELECT exporter_host AS host, bridge, count() AS records, ` +
    `countIf(role = 'mirror_echo' OR export_protocol IN ('gre', 'erspan', 'vxlan')) AS copies, ` +
    `sumIf(l2_bytes, src_grade = 'ambiguous' AND role != 'duplicate') AS unsure_bytes, max(sampling_rate) AS rate, ` +
    `arrayStringConcat(groupUniqArray(toString(export_protocol)), ' ') AS protocols FROM ${FLOWS} ` +
    `WHERE flow_end >= fromUnixTimestamp64Milli(${from} - ${REACH_MS}) AND flow_end <= fromUnixTimestamp64Milli(${to} + ${REACH_MS}) ` +
    `GROUP BY host, bridge`
  return { sql, params: params.values }
}
