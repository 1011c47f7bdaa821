/** The data source and what a question to it looks like in a dashboard: the ClickHouse data source, 4.0.3 and newer (times to the
 * millisecond, `$__fromTime_ms`, begin there). */
import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog'

export const PLUGIN = 'grafana-clickhouse-datasource'
/** Chosen by the variable of that name; no dashboard names one. */
export const DATASOURCE = { type: PLUGIN, uid: '${datasource}' }

/** How the data source shapes an answer: one row a point with its labels, or the rows as they are. */
const FORMAT = { series: 0, table: 1 } as const
const QUERY_TYPE = { series: 'timeseries', table: 'table' } as const

export type Shape = keyof typeof FORMAT

export interface ClickHouseQuery {
  refId: string
  datasource: { type: string; uid: string }
  editorType: 'sql'
  pluginVersion: string
  rawSql: string
  format: number
  queryType: string
}

/** A question in SQL, with the data source's macros in it. */
export function clickHouseQuery(rawSql: string, shape: Shape, datasource = DATASOURCE): ClickHouseQuery {
  return {
    refId: 'A',
    datasource,
    editorType: 'sql',
    pluginVersion: '4.0.3',
    rawSql,
    format: FORMAT[shape],
    queryType: QUERY_TYPE[shape],
  }
}

/** The SDK's panels take queries as its own builders. */
export function asQuery(query: object): Builder<Dataquery> {
  return { build: () => query as Dataquery }
}
