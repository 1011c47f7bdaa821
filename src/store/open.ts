/** The store and the writer that the options ask for. */
import { resolve } from 'node:path'
import type { TlsOptions } from './agent.ts'
import { ChdbStore } from './chdb.ts'
import type { DdlTarget } from '../schema/ddl.ts'
import { lockDirectory } from './lock.ts'
import { type Credentials, DEFAULT_DATABASE, checkedCluster, parseServerUrls } from './server-url.ts'
import type { Store } from './store.ts'
import { Writer, type WriterOptions } from './writer.ts'

export interface StoreOptions extends ServerOptions {
  /** Data directory. With a server it holds the spool only. */
  data: string
  queryTimeoutMs?: number
  /** Whether blocks are on the disk itself when they are acknowledged, in spool and embedded engine. */
  sync?: boolean
}

/** How a server or cluster is reached; names are those of the options. */
export interface ServerOptions extends Credentials, TlsOptions {
  /** URLs of servers, with commas between; without one the embedded engine is used. */
  clickhouse?: string | null
  clickhouse_cluster?: string | null
}

/**
 * Opens a store; `migrate` is the caller's. The embedded one takes the data directory.
 * Errors: data_dir_locked, data_dir_unwritable, store_unavailable, store_refused, config_invalid.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { data, clickhouse, queryTimeoutMs, sync } = options
  const limit = queryTimeoutMs === undefined ? {} : { queryTimeoutMs }
  if (clickhouse) {
    // Its client is a quarter of the start of a command that does not need it.
    const { ClickHouseStore } = await import('./clickhouse.ts')
    return new ClickHouseStore({ url: clickhouse, ...serverOptions(options), ...limit })
  }
  return ChdbStore.open({ directory: data, sync: sync ?? false, ...limit })
}

/** Where the tables are of the server or cluster that the options name. Errors: config_invalid. */
export function ddlTarget(
  { clickhouse, clickhouse_cluster: cluster }: ServerOptions,
  environment: Readonly<Record<string, string | undefined>>,
): DdlTarget {
  const database = clickhouse ? parseServerUrls(clickhouse, environment)[0]!.database : DEFAULT_DATABASE
  return cluster ? { database, cluster: checkedCluster(cluster) } : { database }
}

/** A configuration has other options besides. */
function serverOptions(given: ServerOptions): Omit<ServerOptions, 'clickhouse'> {
  const { clickhouse_cluster, clickhouse_user, clickhouse_password_file } = given
  const { clickhouse_ca, clickhouse_cert, clickhouse_key, clickhouse_insecure } = given
  const tls = { clickhouse_ca, clickhouse_cert, clickhouse_key, clickhouse_insecure }
  const all = { clickhouse_cluster, clickhouse_user, clickhouse_password_file, ...tls }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

/** A Writer and what it holds besides. */
export interface OpenWriter {
  writer: Writer
  /** Writes into the lock of the data directory where the API of this process answers, for the command line to ask it. */
  announce: (api: string) => void
  /** See Writer.close. Gives the data directory back unless the store holds it. */
  close: (limitMs?: number) => Promise<void>
}

/** Opens the spool in `data` in front of a migrated store. With a server this takes the data directory. Errors: as openStore. */
export async function openWriter(
  store: Store,
  { data, ...options }: { data: string } & Omit<WriterOptions, 'directory'>,
): Promise<OpenWriter> {
  const directory = resolve(data)
  const lock = store instanceof ChdbStore ? undefined : await lockDirectory(directory)
  try {
    const writer = await Writer.open(store, { ...options, directory })
    return {
      writer,
      announce: (api) => (store instanceof ChdbStore ? store.announce(api) : lock!.announce(api)),
      async close(limitMs) {
        await writer.close(limitMs)
        lock?.release()
      },
    }
  } catch (error) {
    lock?.release()
    throw error
  }
}
