/**
 * Rows that a block takes the place of. Both steps may be done again, so a crash between them is repaired by doing both:
 *
 *   1  the old rows are taken out; there are none the second time
 *   2  the block is inserted; its token is known the second time
 *
 * So for a moment a question sees neither of the two, never both.
 */
import { type DdlTarget, identifier } from '../schema/ddl.ts'
import type { Replaced } from './store.ts'

/** Text of a list of numbers stays below max_query_size (256 KiB) with as many ids as this. */
export const MOST_REPLACED = 8_192

/** Statements that take the old rows out of `table`, in order. Each is idempotent. */
export function replaceStatements(table: string, replaced: Replaced, { database }: DdlTarget): string[] {
  return [`DELETE FROM ${identifier(database)}.${identifier(table)} WHERE ${replacedRows(replaced)}`]
}

/** SQL condition on the rows; `prefix` stands before its columns. Only numbers of this program are in it. */
export function replacedRows({ ids, fromMs, toMs }: Replaced, prefix = ''): string {
  const time = (ms: number) => `fromUnixTimestamp64Milli(toInt64(${Math.floor(ms)}), 'UTC')`
  // The time names the partitions: no other is looked at.
  return `${prefix}time_received >= ${time(fromMs)} AND ${prefix}time_received <= ${time(toMs)} AND ${prefix}late_id IN (${ids.map((id) => Math.floor(id)).join(', ')})`
}
