import type { Store } from '../store/store.ts'

/** What a command sees of the world: passed in, so that tests give their own. */
export interface CliContext {
  /** Data only. */
  readonly stdout: Output
  /** What people should know; never data. */
  readonly stderr: Output
  readonly env: Readonly<Record<string, string | undefined>>
  now(): number
  /** Opens the store of `data`, or the server. Errors: data_dir_locked, data_dir_unwritable, store_…. */
  openStore(target: StoreTarget): Promise<Store>
  /** Ends what would go on by itself; without it that goes on until the process ends. */
  readonly signal?: AbortSignal
}

export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean
  /** Width of the terminal. */
  readonly columns?: number
}

/** Where flows are kept: a ClickHouse server when there is a URL, else the embedded store in the data directory. */
export interface StoreTarget {
  readonly data: string
  readonly clickhouse: string | null
}
