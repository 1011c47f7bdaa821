/**
 * How long states that have ended are kept. What holds now always stays.
 *
 * Not a TTL: the engine would take the row that ends a state out of its part while the row that began it lies in another, and the state
 * would hold again. So all rows of a state go together, by their key.
 */
import { identifier, quote } from '../schema/ddl.ts'
import { FOR_EVER_MS, IDENTITY_TABLE } from '../schema/identity-tables.ts'
import type { Store } from '../store/store.ts'

/** States of one deletion, which rewrites the parts that they are in. */
const MAX_STATES = 5_000

/** Removes states that ended before `beforeMs`, 5,000 at most; how many. Errors: query_failed, store_unreachable, store_refused. */
export async function forgetHistory(store: Store, beforeMs: number): Promise<number> {
  const { rows } = await store.query({
    sql:
      `SELECT toString(kind) AS kind, id, toUnixTimestamp64Milli(valid_from) AS from_ms FROM ${IDENTITY_TABLE.name} FINAL ` +
      `WHERE valid_to < fromUnixTimestamp64Milli({before:Int64}) ORDER BY valid_to LIMIT ${MAX_STATES}`,
    params: { before: Math.min(beforeMs, FOR_EVER_MS) },
  })
  if (rows.length === 0) return 0
  const keys = rows.map(
    ({ kind, id, from_ms: from }) => `(${quote(String(kind))}, ${quote(String(id))}, ${Number(from)})`,
  )
  await store.run(
    `ALTER TABLE ${identifier(store.database)}.${IDENTITY_TABLE.name} DELETE ` +
      `WHERE (toString(kind), toString(id), toUnixTimestamp64Milli(valid_from)) IN (${keys.join(', ')}) SETTINGS mutations_sync = 1`,
  )
  return rows.length
}
