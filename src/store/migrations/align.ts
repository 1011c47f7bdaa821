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

/** Columns whose type is not that of the specification, as sentences: somebody has altered the table, and blocks or questions would fail. */
export function alteredColumns(table: TableSpec, inUse: readonly ColumnInUse[]): string[] {
  const types = new Map(inUse.map(({ name, type }) => [name, type]))
  return table.columns.flatMap((column) => {
    const found = types.get(column.name)
    const wanted = column.type.replace(/ DEFAULT .*/, '')
    // Values that somebody added to a set do no harm.
    const isWider = found !== undefined && isWidened({ ...column, type: found }, wanted)
    return found === undefined || found === wanted || isWider
      ? []
      : [`column ${column.name} of table ${table.name} is ${found}, and was made as ${wanted}`]
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
