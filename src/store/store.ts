/**
 * Where flow records are kept. Two implementations: the embedded engine (chdb, a child process) and a ClickHouse server or
 * cluster through its official client. Both get the same Native bytes and answer the same SQL.
 */

import type { Readable } from 'node:stream'
import type { DdlTarget } from '../schema/ddl.ts'
import type { SumsBlock } from '../schema/native-sums.ts'
import { MINUTES } from '../schema/rollups.ts'

/** What is known of a sealed batch wherever it lies. */
export interface BlockFacts {
  /** Target table, without database. */
  table: string
  /** The columns inside, in order; the table's other columns take their defaults. */
  columns: readonly string[]
  rows: number
  /** Deduplication token: the same token is stored once, however often it is inserted. */
  token: string
  /** Rows that this block takes the place of: they are taken out before it is inserted. */
  replaces?: Replaced
  /** The shard of a cluster that it goes to, chosen once. */
  shard?: number
}

/** Stored rows, by what is written in them. */
export interface Replaced {
  /** `late_id` of each; below 2^53. */
  ids: readonly number[]
  /** Their `time_received` lies between these, both inside; ms since 1970. */
  fromMs: number
  toMs: number
}

/** A sealed batch in ClickHouse's Native format, in memory. */
export interface Block extends BlockFacts {
  bytes: Uint8Array
  /** Flow records summed, schema/native-sums.ts: inserted after the records, under a token made of theirs. */
  sums?: SumsBlock
  /** Gives the memory of `bytes` back, see schema/native.ts. */
  release?: () => void
}

/** The same in a file, which the store only reads. */
export interface FileBlock extends BlockFacts {
  /** Absolute path. */
  file: string
  bytesInFile: number
  sums?: SumsFile
}

/** Sums in a file of their own. */
export interface SumsFile {
  columns: readonly string[]
  rows: number
  file: string
  bytesInFile: number
}

/** The sums of a block of flow records as a block of their own table; undefined where there are none. */
export function sumsOf(block: Block | FileBlock): Block | FileBlock | undefined {
  if (block.sums === undefined || block.sums.rows === 0) return undefined
  const { shard } = block
  const sums = { ...block.sums, table: MINUTES, token: `${block.token}-${MINUTES}` }
  return shard === undefined ? sums : { ...sums, shard }
}

/** SQL with bound parameters only: `{name:Type}` in the text, values here. Never a value in the text. */
export interface QueryPlan {
  sql: string
  params: Readonly<Record<string, QueryParam>>
  /** Stops the query; milliseconds. Default: the store's own limit. */
  timeoutMs?: number
}

/** Settings of the engine for an answer that is streamed. */
export type StreamSettings = Readonly<Record<string, string | number>>

export type QueryParam = string | number | boolean | readonly (string | number)[]

/** One answer. Rows are objects keyed by result column; 64-bit integers arrive as numbers when exact, else as strings. */
export interface Rows {
  columns: readonly { name: string; type: string }[]
  rows: Record<string, unknown>[]
  /** Engine time in seconds and rows it read, for the user who asks why it was slow. */
  elapsedS: number
  rowsRead: number
}

export interface Store {
  /** What to show: `embedded ./ovsight-data` or the server's URL without credentials. */
  readonly name: string
  /** The database that holds the tables. */
  readonly database: string
  /** The cluster that the tables are spread over. */
  readonly cluster?: string
  /** Brings the schema up to date. Errors: store_unreachable, store_newer, store_refused. */
  migrate(): Promise<void>
  /** Acknowledged = durable. The same token again has no effect. Errors: store_unreachable (try again), store_refused (never). */
  insert(block: Block | FileBlock): Promise<void>
  /** Runs a statement of this program that has no answer. Errors: store_unreachable, store_refused. */
  run(sql: string): Promise<void>
  /** Errors: query_failed, store_unreachable. */
  query(plan: QueryPlan): Promise<Rows>
  /**
   * Rows of a plan in one of ClickHouse's formats, while the engine writes them: nothing is held beside what is under way, and what is not
   * read on stops the engine. Errors, of the call or of the body: query_failed, store_unreachable.
   */
  stream(plan: QueryPlan, format: string, settings: StreamSettings): Promise<Readable>
  /**
   * Asks a server of every shard, or every server that answers, of itself; rows one after the other. Without it there is one server.
   * Errors: as query.
   */
  queryEvery?(what: 'server' | 'shard', plan: QueryPlan): Promise<Rows>
  /** The shard that a block of this token goes to; undefined where there are none. */
  place?(token: string): number | undefined
  close(): Promise<void>
}

/** Where the tables of a store are. */
export function targetOf({ database, cluster }: Store): DdlTarget {
  return cluster === undefined ? { database } : { database, cluster }
}

/** Answers of every server of a store, or of one of each shard, to a question on itself. Errors: as Store.query. */
export function askEvery(store: Store, what: 'server' | 'shard', plan: QueryPlan): Promise<Rows> {
  return store.queryEvery === undefined ? store.query(plan) : store.queryEvery(what, plan)
}
