/**
 * The second form of table updates, of `monitor_cond_since` and `update3` (ovsdb-server(7), 4.1.14 and 4.1.15):
 *
 *   {table: {uuid: {initial: row} | {insert: row} | {modify: row} | {delete: null}}}
 *
 * `initial` and `insert` leave out columns that have the default of their type; `modify` has the columns that changed, of a set or map
 * what differs only.
 */
import { isObject, type Row } from './values.ts'

/** What a column can hold: one value, or none (`optional`), or several. */
export interface ColumnType {
  many: 'one' | 'optional' | 'set' | 'map'
  /** What a column holds that is left out. */
  missing: unknown
}
export type TableTypes = ReadonlyMap<string, ReadonlyMap<string, ColumnType>>

const EMPTY_SET = ['set', []]
const EMPTY_MAP = ['map', []]
const NO_UUID = ['uuid', '00000000-0000-0000-0000-000000000000']
const DEFAULTS: Readonly<Record<string, unknown>> = { integer: 0, real: 0, boolean: false, string: '', uuid: NO_UUID }

/** Types of the columns that are monitored, from the schema (RFC 7047, 3.2: <type>). */
export function typesOf(
  schema: unknown,
  requests: Readonly<Record<string, { columns: readonly string[] }>>,
): TableTypes {
  const tables = inner(schema, 'tables')
  return new Map(
    Object.entries(requests).map(([table, { columns }]) => {
      const known = inner(inner(tables, table), 'columns')
      return [table, new Map(columns.map((column) => [column, typeOf(inner(known, column)['type'])]))]
    }),
  )
}

function typeOf(type: unknown): ColumnType {
  if (!isObject(type)) return { many: 'one', missing: DEFAULTS[String(type)] ?? '' }
  const { key, value, min = 1, max = 1 } = type
  if (value !== undefined) return { many: 'map', missing: EMPTY_MAP }
  if (max === 'unlimited' || Number(max) > 1) return { many: 'set', missing: EMPTY_SET }
  if (min === 0) return { many: 'optional', missing: EMPTY_SET }
  return { many: 'one', missing: DEFAULTS[String(isObject(key) ? key['type'] : key)] ?? '' }
}

/**
 * The row after an update; undefined when it is gone, null when the update does not have the form or changes a row that is not there.
 */
export function rowAfter(
  before: Row | undefined,
  update: unknown,
  types: ReadonlyMap<string, ColumnType>,
): Row | undefined | null {
  if (!isObject(update)) return null
  if ('delete' in update) return undefined
  const whole = update['initial'] ?? update['insert']
  if (isObject(whole))
    return Object.fromEntries([...types].map(([column, { missing }]) => [column, whole[column] ?? missing]))
  const { modify } = update
  if (!isObject(modify) || before === undefined) return null
  const after: Record<string, unknown> = { ...before }
  for (const [column, diff] of Object.entries(modify)) {
    const type = types.get(column)
    if (type !== undefined) after[column] = valueAfter(type, before[column], diff)
  }
  return after
}

/** What is in both and the same is gone, what is in one of them is there, of what is in both with other values the difference holds. */
function valueAfter({ many }: ColumnType, before: unknown, diff: unknown): unknown {
  if (many === 'one' || many === 'optional') return diff
  const items = new Map(listOf(before, many).map((item) => [keyOf(item, many), item]))
  for (const item of listOf(diff, many)) {
    const key = keyOf(item, many)
    if (items.has(key) && JSON.stringify(items.get(key)) === JSON.stringify(item)) items.delete(key)
    else items.set(key, item)
  }
  // In the order in which the server tells a whole set, so that one is like the other.
  return [many, [...items].sort(byKey).map(([, item]) => item)]
}

/** Items of a set, or pairs of a map. A set of one is written as its item (RFC 7047, 5.1: <set>). */
function listOf(value: unknown, many: 'set' | 'map'): unknown[] {
  if (Array.isArray(value) && value[0] === many && Array.isArray(value[1])) return value[1] as unknown[]
  return many === 'set' && value !== undefined ? [value] : []
}

function byKey([a]: [string, unknown], [b]: [string, unknown]): number {
  const [x, y] = [Number(a), Number(b)]
  if (!Number.isNaN(x) && !Number.isNaN(y)) return x - y
  return a < b ? -1 : 1
}

function keyOf(item: unknown, many: 'set' | 'map'): string {
  return JSON.stringify(many === 'map' && Array.isArray(item) ? item[0] : item)
}

function inner(of: unknown, name: string): Record<string, unknown> {
  const found = isObject(of) ? of[name] : undefined
  return isObject(found) ? found : {}
}
