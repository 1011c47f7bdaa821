import { join } from 'node:path'
import type { Config } from '../config/options.ts'
import { Awaited, type AwaitedLog } from '../store/awaited.ts'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import type { StoreTarget } from './context.ts'
import { formatBytes } from './units.ts'

/** The store that the configuration names, open and migrated. Errors: those of openStore and of migrate. */
export async function openMigrated(target: StoreTarget): Promise<Store> {
  const store = await openStore(target)
  try {
    await store.migrate()
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}

export interface OpenAwaited {
  store: Store
  /** Where a server is waited for; the embedded store is there once it is open. */
  awaited: Awaited | undefined
}

/**
 * The same for a collector, which does not wait for a server that does not answer: what it receives goes into the spool meanwhile. Errors:
 * as openMigrated, but for store_unreachable of a server.
 */
export async function openAwaited(
  config: StoreTarget & Pick<Config, 'spool_max'>,
  log: AwaitedLog,
): Promise<OpenAwaited> {
  if (!config.clickhouse) return { store: await openMigrated(config), awaited: undefined }
  const store = await openStore(config)
  try {
    const advice =
      `what is received is kept in ${join(config.data, 'spool')}, up to spool_max (${formatBytes(config.spool_max)}), and stored when ` +
      'the store takes it. Look at the server, and at clickhouse, its user and its password in the configuration'
    return { store, awaited: await Awaited.begin(store, { log, advice }) }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** Ends the waiting, and closes the store. */
export async function closeStore({ store, awaited }: OpenAwaited): Promise<void> {
  await awaited?.stop()
  await store.close()
}
