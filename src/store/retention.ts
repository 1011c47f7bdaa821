/**
 * How long rows are kept. Counted from when they were stored, so that a capture that is replayed is not gone at once; whole days at a time,
 * so that it costs the removal of files and nothing else.
 */
import { type DdlTarget, type FLOWS, identifier, quote } from '../schema/ddl.ts'
import type { RollupName } from '../schema/rollups.ts'
import type { AUDIT_TABLE, COLLECTOR_TABLE, COUNTERS_TABLE, HEALTH_TABLE } from '../schema/side-tables.ts'
import type { Store } from './store.ts'

/** Tables of flows and their sums: what makes room when a disk is nearly full. */
type FlowTable = typeof FLOWS | RollupName
type SideName = (typeof HEALTH_TABLE | typeof COUNTERS_TABLE | typeof AUDIT_TABLE | typeof COLLECTOR_TABLE)['name']

/** Seconds that rows of a table are kept; 0 = for ever. */
export type Retention = Readonly<Record<FlowTable | SideName, number>>

/** When a row of each table was stored. */
const FLOWS_STORED = {
  flows: 'time_stored',
  flows_1m: 'day_stored',
  flows_1h: 'day_stored',
} as const satisfies Record<FlowTable, string>
const STORED = {
  ...FLOWS_STORED,
  exporter_health: 'time_stored',
  interface_counters: 'time_stored',
  audit: 'time_stored',
  collector_metrics: 'time_stored',
} as const satisfies Record<keyof Retention, string>

/** Only parts of which every row is to go are removed; a change of the time is written into parts without writing their rows. */
const SETTINGS = 'ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1'

/** Makes the tables keep rows for as long. Does nothing where they do. Errors: store_unreachable, store_refused, query_failed. */
export async function keepFor(store: Store, retention: Partial<Retention>): Promise<void> {
  const { database } = store
  const { rows } = await store.query({
    sql: 'SELECT name, create_table_query AS made FROM system.tables WHERE database = {database:String}',
    params: { database },
  })
  const made = new Map(rows.map((row) => [String(row['name']), String(row['made'])]))
  for (const [table, seconds] of Object.entries(retention) as [keyof Retention, number][])
    for (const sql of statements({ database }, table, made.get(table) ?? '', seconds)) await store.run(sql)
}

function statements({ database }: DdlTarget, table: keyof Retention, made: string, seconds: number): string[] {
  const alter = `ALTER TABLE ${identifier(database)}.${table}`
  const [, kept] = new RegExp(`TTL ${STORED[table]} \\+ toIntervalSecond\\((\\d+)\\)`).exec(made) ?? []
  if (Number(kept ?? 0) === seconds) return []
  if (seconds === 0) return [`${alter} REMOVE TTL`]
  return [`${alter} MODIFY SETTING ${SETTINGS}`, `${alter} MODIFY TTL ${STORED[table]} + toIntervalSecond(${seconds})`]
}

/** A partition of a table. */
export interface Partition {
  table: FlowTable
  /** Name of the partition in the engine, and the day or month it holds. */
  id: string
  name: string
  rows: number
  bytes: number
}

/**
 * The partition whose removal costs least: the oldest day of records, and only when these are down to one day the oldest of their
 * sums. Never the newest of a table; undefined when nothing else is left. Errors: query_failed, store_unreachable.
 */
export async function oldestPartition(store: Store): Promise<Partition | undefined> {
  const { rows } = await store.query({
    sql:
      `SELECT table, partition_id AS id, any(partition) AS name, sum(rows) AS n, sum(bytes_on_disk) AS bytes FROM system.parts ` +
      `WHERE active AND rows > 0 AND database = {database:String} AND table IN {tables:Array(String)} GROUP BY table, id ORDER BY table, id`,
    params: { database: store.database, tables: Object.keys(FLOWS_STORED) },
  })
  for (const table of Object.keys(FLOWS_STORED) as FlowTable[]) {
    const own = rows.filter((row) => row['table'] === table)
    const [oldest] = own
    if (own.length < 2 || oldest === undefined) continue
    const [id, name] = [String(oldest['id']), String(oldest['name'])]
    return { table, id, name, rows: Number(oldest['n']), bytes: Number(oldest['bytes']) }
  }
  return undefined
}

/** Removes a partition, however large. Errors: store_unreachable, store_refused. */
export async function dropPartition(store: Store, { table, id }: Partition): Promise<void> {
  await store.run(
    `ALTER TABLE ${identifier(store.database)}.${table} DROP PARTITION ID ${quote(id)} SETTINGS max_partition_size_to_drop = 0`,
  )
}
