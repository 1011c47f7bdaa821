/**
 * How long rows are kept. Counted from when they were stored, so that a capture that is replayed is not gone at once; whole days at a time,
 * so that it costs the removal of files and nothing else.
 */
import { storedIn } from '../schema/cluster.ts'
import { type DdlTarget, type FLOWS, alterStored, quote } from '../schema/ddl.ts'
import type { RollupName } from '../schema/rollups.ts'
import type { AUDIT_TABLE, COLLECTOR_TABLE, COUNTERS_TABLE, HEALTH_TABLE } from '../schema/side-tables.ts'
import { type Store, askEvery, targetOf } from './store.ts'

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
  flows_1d: 'day_stored',
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
  const target = targetOf(store)
  const { rows } = await store.query({
    sql: 'SELECT name, create_table_query AS made FROM system.tables WHERE database = {database:String}',
    params: { database },
  })
  const made = new Map(rows.map((row) => [String(row['name']), String(row['made'])]))
  for (const [table, seconds] of Object.entries(retention) as [keyof Retention, number][])
    for (const sql of statements(target, table, made.get(storedIn(target, table)) ?? '', seconds)) await store.run(sql)
}

function statements(target: DdlTarget, table: keyof Retention, made: string, seconds: number): string[] {
  const alter = alterStored(target, table)
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
 * sums. Never the newest of a table; undefined when nothing else is left. On a cluster of all shards together, so that a day is there whole
 * or not at all. Errors: query_failed, store_unreachable.
 */
export async function oldestPartition(store: Store): Promise<Partition | undefined> {
  const target = targetOf(store)
  const tables = Object.keys(FLOWS_STORED) as FlowTable[]
  const { rows } = await askEvery(store, 'shard', {
    sql:
      `SELECT table, partition_id AS id, any(partition) AS name, sum(rows) AS n, sum(bytes_on_disk) AS bytes FROM system.parts ` +
      `WHERE active AND rows > 0 AND database = {database:String} AND table IN {tables:Array(String)} GROUP BY table, id`,
    params: { database: store.database, tables: tables.map((table) => storedIn(target, table)) },
  })
  for (const table of tables) {
    const own = rows.filter((row) => row['table'] === storedIn(target, table))
    const ids = [...new Set(own.map((row) => String(row['id'])))].sort()
    const [id] = ids
    if (ids.length < 2 || id === undefined) continue
    const parts = own.filter((row) => String(row['id']) === id)
    const sum = (name: string) => parts.reduce((all, row) => all + Number(row[name]), 0)
    return { table, id, name: String(parts[0]!['name']), rows: sum('n'), bytes: sum('bytes') }
  }
  return undefined
}

/** Removes a partition, however large. Errors: store_unreachable, store_refused. */
export async function dropPartition(store: Store, { table, id }: Partition): Promise<void> {
  await store.run(
    `${alterStored(targetOf(store), table)} DROP PARTITION ID ${quote(id)} SETTINGS max_partition_size_to_drop = 0`,
  )
}

/** Whether files of a partition that was removed are still on a disk. Errors: query_failed, store_unreachable. */
export async function isLeaving(store: Store, { table, id }: Partition): Promise<boolean> {
  const { rows } = await askEvery(store, 'server', {
    sql:
      `SELECT count() AS parts FROM system.parts WHERE NOT active AND rows > 0 AND database = {database:String} ` +
      `AND table = {table:String} AND partition_id = {id:String}`,
    params: { database: store.database, table: storedIn(targetOf(store), table), id },
  })
  return rows.some((row) => Number(row['parts']) > 0)
}
