/** The store and the writer that the options ask for. */
import { resolve } from 'node:path'
import { ChdbStore } from './chdb.ts'
import { ClickHouseStore } from './clickhouse.ts'
import { lockDirectory } from './lock.ts'
import type { Store } from './store.ts'
import { Writer, type WriterOptions } from './writer.ts'

export interface StoreOptions {
  /** Data directory. With a server it holds the spool only. */
  data: string
  /** A server's URL; without it the embedded engine is used. */
  clickhouse?: string | null
  queryTimeoutMs?: number
  /** Whether blocks are on the disk itself when they are acknowledged, in spool and embedded engine. */
  sync?: boolean
}

/**
 * Opens a store; `migrate` is the caller's. The embedded one takes the data directory.
 * Errors: data_dir_locked, data_dir_unwritable, store_unavailable, store_refused, config_invalid.
 */
export async function openStore({ data, clickhouse, queryTimeoutMs, sync }: StoreOptions): Promise<Store> {
  const limit = queryTimeoutMs === undefined ? {} : { queryTimeoutMs }
  if (clickhouse) return new ClickHouseStore({ url: clickhouse, ...limit })
  return ChdbStore.open({ directory: data, sync: sync ?? false, ...limit })
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
