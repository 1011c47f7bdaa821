/** Statements that bring the columns of a table in use up to its specification: it only ever grows. */
import { onCluster } from '../../schema/cluster.ts'
import {
  type ColumnSpec,
  type DdlTarget,
  type TableSpec,
  columnDefinition,
  identifier,
  qualified,
} from '../../schema/ddl.ts'

/** A column as `system.columns` tells it. */
export interface ColumnInUse {
  name: string
  type: string
}

/**
 * ALTER TABLE statements, none when nothing is to be done. Columns that are missing are added after the one before them; closed
 * sets that have got new values are widened. Columns that the specification does not have are somebody's own, and left alone.
 */
export function alignTable(table: TableSpec, inUse: readonly ColumnInUse[], target: DdlTarget): string[] {
  const types = new Map(inUse.map(({ name, type }) => [name, type]))
  const alter = `ALTER TABLE ${qualified(target, table.name)}${onCluster(target)}`
  return table.columns.flatMap((column, i) => {
    const type = types.get(column.name)
    if (type === undefined) {
      const after = i === 0 ? 'FIRST' : `AFTER ${identifier(table.columns[i - 1]!.name)}`
      return [`${alter} ADD COLUMN IF NOT EXISTS ${columnDefinition(column)} ${after}`]
    }
    return isWidened(column, type) ? [`${alter} MODIFY COLUMN ${identifier(column.name)} ${column.type}`] : []
  })
}

/** Whether the specification adds values to a set, keeping all that are in use. */
function isWidened({ type }: ColumnSpec, inUse: string): boolean {
  const before = setValues(inUse)
  const now = setValues(type)
  return before.length > 0 && now.length > before.length && before.every((value, i) => now[i] === value)
}

/** `Enum8('a' = 0, …)` → `'a' = 0` …, inside `SimpleAggregateFunction(any, …)` as well; nothing for other types. */
function setValues(type: string): string[] {
  const [, values] = /^(?:SimpleAggregateFunction\(any, )?Enum8\(([^)]*)\)+$/s.exec(type) ?? []
  return values === undefined ? [] : values.split(', ')
}
