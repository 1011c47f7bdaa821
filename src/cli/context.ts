import type { ServerOptions } from '../store/open.ts'
import type { Store } from '../store/store.ts'

/** What a command sees of the world: passed in, so that tests give their own. */
export interface CliContext {
  /** Data only. */
  readonly stdout: Output
  /** What people should know; never data. */
  readonly stderr: Output
  /** Keys, where there is a terminal. */
  readonly stdin?: Keyboard
  readonly env: Readonly<Record<string, string | undefined>>
  now(): number
  /** Opens the store of `data`, or the server. Errors: data_dir_locked, data_dir_unwritable, store_…. */
  openStore(target: StoreTarget): Promise<Store>
  /** Ends what would go on by itself; without it that goes on until the process ends. */
  readonly signal?: AbortSignal
}

/** A terminal's keys, one or several characters at a time. */
export interface Keyboard {
  readonly isTTY?: boolean
  setRawMode(raw: boolean): unknown
  on(event: 'data', listener: (keys: Buffer) => void): unknown
  off(event: 'data', listener: (keys: Buffer) => void): unknown
  resume(): unknown
  pause(): unknown
}

export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean
  /** Width of the terminal. */
  readonly columns?: number
  /** Its height. */
  readonly rows?: number
}

/** Where flows are kept: a ClickHouse server when there is a URL, else the embedded store in the data directory. */
export interface StoreTarget extends Readonly<ServerOptions> {
  readonly data: string
  readonly clickhouse: string | null
}
