/**
 * What the tables are on a cluster. One template (ddl.ts) makes them everywhere:
 *
 *   embedded, one server    flows        MergeTree
 *   cluster                 flows_local  ReplicatedMergeTree on every server: a shard's part, the same on its replicas
 *                           flows        Distributed over them: what questions name
 *
 * Servers tell by their macros `{shard}` and `{replica}` which part they hold. Tables that are small and looked up are whole on every
 * server, without shards.
 */
import type { DdlTarget } from './ddl.ts'

/** Tables of which every server has all rows: one replicated table over all shards. */
const WHOLE: ReadonlySet<string> = new Set(['migrations', 'identity_history', 'imports'])

/** Whether a table has all its rows on every server, also on a cluster. */
export function isWhole(table: string): boolean {
  return WHOLE.has(table)
}

/** The name of the table that holds rows: what is inserted into, altered and removed from. */
export function storedIn({ cluster }: DdlTarget, table: string): string {
  return cluster === undefined || isWhole(table) ? table : `${table}_local`
}

/** The name by which questions ask for what a table holds. */
export function askedAs(table: string): string {
  return table.replace(/_local$/, '')
}

/** ` ON CLUSTER name` after the name of what is made or altered; nothing without a cluster. */
export function onCluster({ cluster }: DdlTarget): string {
  return cluster === undefined ? '' : ` ON CLUSTER '${cluster}'`
}

/** How long a cluster knows the token of a block: by blocks of a shard, and by time, whichever ends first. */
const KNOWN_FOR_S = 7 * 86_400

/** An engine of the MergeTree family as it is on a cluster: `MergeTree` → `ReplicatedMergeTree('…', '{replica}')`. */
export function replicatedEngine(engine: string, { cluster }: DdlTarget, table: string): string {
  const [, name = engine, rest] = /^(\w+)(?:\((.*)\))?$/.exec(engine) ?? []
  const [shard, replica] = isWhole(table) ? ['all', '{shard}-{replica}'] : ['{shard}', '{replica}']
  const path = `/clickhouse/tables/${cluster}/${shard}/{database}/{table}`
  return `Replicated${name}('${path}', '${replica}'${rest === undefined ? '' : `, ${rest}`})`
}

/** Settings of a table as its replicated engine calls them. */
export function replicatedSettings(settings: Readonly<Record<string, number>>): Record<string, number> {
  const { non_replicated_deduplication_window: window, ...others } = settings
  if (window === undefined) return others
  return {
    replicated_deduplication_window: window,
    replicated_deduplication_window_seconds: KNOWN_FOR_S,
    ...others,
  }
}
