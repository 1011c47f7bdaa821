/** Which files were imported: the table `imports`. */
import { basename } from 'node:path'
import { isoTime } from '../query/times.ts'
import { IMPORTS_TABLE } from '../schema/identity-tables.ts'
import { encodeRows } from '../schema/rows.ts'
import type { Store } from '../store/store.ts'
import type { Imported } from './import.ts'

/** When a file with this digest was imported, and under what name; undefined when it was not. */
export async function importedBefore(store: Pick<Store, 'query'>, digest: string): Promise<string | undefined> {
  const { rows } = await store.query({
    sql:
      `SELECT toUnixTimestamp64Milli(time) AS ms, file, rows AS n FROM ${IMPORTS_TABLE.name} ` +
      `WHERE digest = {digest:String} ORDER BY time DESC LIMIT 1`,
    params: { digest },
  })
  const [row] = rows
  if (row === undefined) return undefined
  return `${String(row['file'])}, ${String(row['n'])} records, on ${isoTime(Number(row['ms'])).slice(0, 19).replace('T', ' ')}`
}

/** Notes that a file is stored. */
export async function noteImport(
  store: Pick<Store, 'insert'>,
  file: string,
  digest: string,
  { format, rows, damaged }: Imported,
  nowMs: number,
): Promise<void> {
  const block = encodeRows(IMPORTS_TABLE, [{ time: nowMs, digest, file: basename(file), format, rows, damaged }])
  await store.insert({ ...block, token: `imports-${digest}-${nowMs}` })
}
