/**
 * `additional_table_filters`: conditions that the engine adds wherever a table is read. The door sets them so that tables which describe the
 * engine tell of ovsight's database alone, and Grafana's data source sends its filters by hand with them, in the SETTINGS of a query.
 */
import { quote } from '../schema/ddl.ts'
import { type Token, tokensOf } from './tokens.ts'

export const FILTERS_SETTING = 'additional_table_filters'

/** The column that names the database. */
const DESCRIBING: Readonly<Record<string, string>> = {
  'system.tables': 'database',
  'system.columns': 'database',
  'system.parts': 'database',
  'system.parts_columns': 'database',
  'system.databases': 'name',
}

/** The door's own conditions, as `'table': 'condition', …`. */
export function ownFilters(database: string): string {
  return Object.entries(DESCRIBING)
    .map(([table, column]) => `${quote(table)}: ${quote(`${column} = ${quote(database)}`)}`)
    .join(', ')
}

/** A query whose own conditions would take the place of the door's: they go beside them. */
export function withOwnFilters(sql: string, database: string): string {
  const tokens = tokensOf(sql)
  let out = ''
  let from = 0
  for (const [i, { type, value, end }] of tokens.entries()) {
    if (type !== 'sign' || value !== '{') continue
    out += `${sql.slice(from, end)}${ownFilters(database)}${tokens[i + 1]?.value === '}' ? '' : ', '}`
    from = end
  }
  return out + sql.slice(from)
}

/** A condition on a table, as a query gives it. */
export interface Filter {
  table: string
  condition: string
}

/** The conditions in `{'table': 'condition', …}` that begins at `at`, and where it ends; undefined when it is no such thing. */
export function filtersAt(tokens: readonly Token[], at: number): { filters: Filter[]; end: number } | undefined {
  const filters: Filter[] = []
  if (tokens[at]?.value !== '{') return undefined
  for (let i = at + 1; ; i += 4) {
    if (tokens[i]?.value === '}' && filters.length === 0) return { filters, end: i }
    const [table, colon, condition, after] = tokens.slice(i, i + 4)
    const [name, sql] = [textOf(table), textOf(condition)]
    if (name === undefined || sql === undefined || colon?.value !== ':') return undefined
    filters.push({ table: name, condition: sql })
    if (after?.value === '}') return { filters, end: i + 3 }
    if (after?.value !== ',') return undefined
  }
}

/** What a text says; undefined where it has an escape beside those of quote and backslash. */
function textOf(token: Token | undefined): string | undefined {
  if (token?.type !== 'text') return undefined
  const inner = token.value.slice(1, -1)
  return /^(?:[^\\']|\\[\\']|'')*$/.test(inner) ? inner.replaceAll(/\\([\\'])|'(')/g, '$1$2') : undefined
}
