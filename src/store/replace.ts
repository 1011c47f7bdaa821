/**
 * Rows that a block takes the place of. All steps may be done again, so a crash between them is repaired by doing all of them:
 *
 *   1  their sums are taken out of the rollups, by rows of negative sums under a token made of the block's: once, and not
 *      at all when the old rows are gone already
 *   2  the old rows are taken out; there are none the second time
 *   3  the block is inserted, and its sums; their tokens are known the second time
 *
 * So for a moment a question sees neither of the two, never both; on a cluster that holds of the replica that was written to, others
 * follow.
 */
import { storedIn } from '../schema/cluster.ts'
import { type DdlTarget, FLOWS, qualified, quote } from '../schema/ddl.ts'
import { MINUTES, ROLLUP_COLUMNS, sumsSelect } from '../schema/rollups.ts'
import { DEDUPLICATION } from './insert-settings.ts'
import type { BlockFacts, Replaced } from './store.ts'

/** Text of a list of numbers stays below max_query_size (256 KiB) with as many ids as this. */
export const MOST_REPLACED = 8_192

/** Statements that take the old rows out of the block's table and their sums out of the rollups, in order; none where it replaces none. */
export function replaceStatements({ table, token, replaces }: BlockFacts, target: DdlTarget): string[] {
  if (replaces === undefined) return []
  const stored = qualified(target, storedIn(target, table))
  const remove = `DELETE FROM ${stored} WHERE ${replacedRows(replaces)}`
  if (table !== FLOWS) return [remove]
  // A replica may lag behind the one that the rows were inserted into: what it lacks it would not sum.
  const catchUp = target.cluster === undefined ? [] : [`SYSTEM SYNC REPLICA ${stored} LIGHTWEIGHT`]
  return [...catchUp, takeOut(token, replaces, target), remove]
}

function takeOut(token: string, replaces: Replaced, target: DdlTarget): string {
  const settings = Object.entries({ ...DEDUPLICATION, insert_deduplication_token: quote(`${token}-out`) })
  return (
    `INSERT INTO ${qualified(target, storedIn(target, MINUTES))} (${ROLLUP_COLUMNS.join(', ')}) ` +
    `SETTINGS ${settings.map(([name, value]) => `${name} = ${value}`).join(', ')} ` +
    sumsSelect(target, { sign: -1, where: replacedRows(replaces, 't.') })
  )
}

/** SQL condition on the rows; `prefix` stands before its columns. Only numbers of this program are in it. */
export function replacedRows({ ids, fromMs, toMs }: Replaced, prefix = ''): string {
  const time = (ms: number) => `fromUnixTimestamp64Milli(toInt64(${Math.floor(ms)}), 'UTC')`
  // The time names the partitions: no other is looked at.
  return `${prefix}time_received >= ${time(fromMs)} AND ${prefix}time_received <= ${time(toMs)} AND ${prefix}late_id IN (${ids.map((id) => Math.floor(id)).join(', ')})`
}
