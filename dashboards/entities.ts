/**
 * What projects, servers, ports, networks and hosts sent, received, and both with each byte once: the sums of `ovsight top`
 * (src/query/top.ts) in one statement. docs/counting.md has the rule.
 */
import type { ColumnName } from '../src/schema/columns.ts'
import { COUNTS, EVERY_STEP, halfWidth, records, recordsOverTime } from './records.ts'

/** Suffixes of `src_` and `dst_` columns: what keeps entities apart, what people read, what else is shown. */
const ENTITIES = {
  project: { id: 'project_id', name: 'project', also: [] },
  server: { id: 'server_id', name: 'server', also: ['project'] },
  port: { id: 'port_id', name: 'port', also: ['server', 'project'] },
  network: { id: 'network_id', name: 'network', also: ['project'] },
  host: { id: 'host', name: 'host', also: [] },
} as const satisfies Record<string, { id: string; name: string; also: readonly string[] }>

export type Entity = keyof typeof ENTITIES
type Side = 'src' | 'dst'

export interface EntityQuestion {
  entity: Entity
  /** Which entities, as SQL over the columns of one side: `src_project_id = …`. */
  of?: (side: Side) => string
  /** Columns that the condition reads, beside those of the entity, without `src_`. */
  reads?: readonly string[]
  limit?: number
}

/** Rows: id, name, what else is shown, sent, received, bytes, error, packets; the largest first. */
export function entityTable({ entity, of, reads = [], limit = 15 }: EntityQuestion): string {
  const { name, also } = ENTITIES[entity]
  const sets = entitySets({ entity, ...(of && { of }), reads })
  const shown = [name, ...also]
  return `SELECT id, ${shown.map((column) => `max(n_${column}) AS ${column}`).join(', ')}, sum(s) AS sent, sum(r) AS received, sum(s) + sum(r) - sum(o) AS bytes, ${halfWidth('greatest(0, sum(v))')} AS error, sum(p) AS packets
FROM (${sets})
WHERE id != ''
GROUP BY id
ORDER BY bytes DESC, ${name}
LIMIT ${limit}`
}

/** The three sets of records of an entity, summed: s sent, r received, o between two of its own ends (in both), v variance, p packets. */
function entitySets({ entity, of, reads }: EntityQuestion): string {
  const { id, name, also } = ENTITIES[entity]
  const suffixes = [...new Set<string>([id, name, ...also, ...(reads ?? [])])]
  const columns = (['src', 'dst'] as const).flatMap((side) =>
    suffixes.map((suffix) => `${side}_${suffix}` as ColumnName),
  )
  const from = records(...columns, ...COUNTS)
  const set = (side: Side, sums: string, where: string) => {
    const names = [name, ...also].map((column) => `max(${side}_${column}) AS n_${column}`)
    const conditions = [where, ...(of === undefined ? [] : [of(side)])].join(' AND ')
    return `SELECT ${side}_${id} AS id, ${names.join(', ')}, ${sums} FROM ${from} WHERE ${conditions} GROUP BY id`
  }
  const sum = (column: string, times = '') => `toInt64(sum(${column}${times}))`
  const twice = 'counts_sent + counts_received'
  const times = ` * (${twice} - counts_once)`
  return [
    set(
      'src',
      `${sum('bytes')} AS s, toInt64(0) AS r, toInt64(0) AS o, sum(bytes_variance) AS v, ${sum('packets')} AS p`,
      'counts_sent = 1',
    ),
    set(
      'dst',
      `toInt64(0) AS s, ${sum('bytes')} AS r, toInt64(0) AS o, sum(bytes_variance) AS v, ${sum('packets')} AS p`,
      'counts_received = 1',
    ),
    set(
      'src',
      `toInt64(0) AS s, toInt64(0) AS r, ${sum('bytes', times)} AS o, -sum(bytes_variance${times}) AS v, -${sum('packets', times)} AS p`,
      `${twice} > counts_once AND src_${id} = dst_${id}`,
    ),
  ].join('\nUNION ALL\n')
}

/** Rows: time, way (sent or received), rate in bits a second and the ends of its error band. */
export function entitySeries({ of, reads = [] }: { of: (side: Side) => string; reads?: readonly string[] }): string {
  const columns = (['src', 'dst'] as const).flatMap((side) => reads.map((suffix) => `${side}_${suffix}` as ColumnName))
  const way = (side: Side, counted: string) =>
    `SELECT $__timeInterval(time) AS time, sum(bytes) AS b, sum(bytes_variance) AS v, '${counted}' AS way FROM ${recordsOverTime(...columns, ...COUNTS)} WHERE counts_${counted} = 1 AND ${of(side)} GROUP BY time`
  const sent = "sumIf(b, way = 'sent')"
  const received = "sumIf(b, way = 'received')"
  const band = (way_: string) => halfWidth(`sumIf(v, way = '${way_}')`)
  return `SELECT time, 8 * ${sent} / $__interval_s AS sent, 8 * greatest(0, ${sent} - ${band('sent')}) / $__interval_s AS sent_low, 8 * (${sent} + ${band('sent')}) / $__interval_s AS sent_high, 8 * ${received} / $__interval_s AS received, 8 * greatest(0, ${received} - ${band('received')}) / $__interval_s AS received_low, 8 * (${received} + ${band('received')}) / $__interval_s AS received_high
FROM (${way('src', 'sent')}
UNION ALL
${way('dst', 'received')})
GROUP BY time
${EVERY_STEP}`
}
