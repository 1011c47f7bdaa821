/**
 * Where flow records are kept. Two implementations: the embedded engine (chdb, a child process) and a ClickHouse server or
 * cluster through its official client. Both get the same Native bytes and answer the same SQL.
 */

/** A sealed batch in ClickHouse's Native format, columns in the order of `columns`. */
export interface Block {
  /** Target table, without database. */
  table: string
  columns: readonly string[]
  rows: number
  bytes: Uint8Array
  /** Deduplication token: the same token is stored once, however often it is inserted. */
  token: string
}

/** SQL with bound parameters only: `{name:Type}` in the text, values here. Never a value in the text. */
export interface QueryPlan {
  sql: string
  params: Readonly<Record<string, QueryParam>>
  /** Stops the query; milliseconds. Default: the store's own limit. */
  timeoutMs?: number
}

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
  /** Brings the schema up to date. Errors: store_unreachable, store_newer, store_refused. */
  migrate(): Promise<void>
  /** Acknowledged = durable. The same token again has no effect. Errors: store_unreachable (try again), store_refused (never). */
  insert(block: Block): Promise<void>
  /** Errors: query_failed, store_unreachable. */
  query(plan: QueryPlan): Promise<Rows>
  close(): Promise<void>
}
