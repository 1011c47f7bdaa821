import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import type { StoreTarget } from './context.ts'

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
