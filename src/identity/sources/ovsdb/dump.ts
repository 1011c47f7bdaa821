/**
 * A saved dump: the output of `ovsdb-client --format=json dump TARGET Open_vSwitch`, one JSON object a line and table.
 *
 *   {"caption": "Bridge table", "headings": ["_uuid", "name", …], "data": [[["uuid", "…"], "br-int", …], …]}
 */
import { isObject, isTable, OvsdbTables, TABLES } from './tables.ts'
import { uuidOf, type Row } from './values.ts'

/**
 * Tables of a dump. `faults` are the lines that could not be used, 1-based, with the reason; empty lines and tables that are
 * not needed are passed over.
 */
export function parseDump(text: string): { tables: OvsdbTables; faults: string[] } {
  const tables = new OvsdbTables()
  const faults: string[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    const fault = addTable(tables, line)
    if (fault !== '') faults.push(`line ${index + 1}: ${fault}`)
  }
  if (tables.table('Bridge').size === 0 && faults.length === 0)
    faults.push('there is no Bridge table in it: not a dump of the Open_vSwitch database, or one without bridges')
  return { tables, faults }
}

function addTable(tables: OvsdbTables, line: string): string {
  let table: unknown
  try {
    table = JSON.parse(line)
  } catch (error) {
    return `not JSON: ${(error as Error).message}`
  }
  if (!isObject(table)) return 'not a table'
  const { caption, headings, data } = table
  if (typeof caption !== 'string' || !Array.isArray(headings) || !Array.isArray(data))
    return 'not a table: caption, headings and data are expected'
  const name = caption.replace(/ table$/, '')
  if (!isTable(name)) return ''
  const columns: readonly string[] = TABLES[name]
  const uuidAt = headings.indexOf('_uuid')
  const wanted = headings.flatMap((heading: unknown, at) =>
    typeof heading === 'string' && columns.includes(heading) ? [[heading, at] as const] : [],
  )
  for (const values of data as unknown[]) {
    if (!Array.isArray(values)) return `a row of ${caption} is not a list`
    const uuid = uuidOf((values as unknown[])[uuidAt])
    if (uuid === '') return `a row of ${caption} has no _uuid`
    const row: Row = Object.fromEntries(wanted.map(([column, at]) => [column, (values as unknown[])[at]]))
    tables.put(name, uuid, row)
  }
  return ''
}
