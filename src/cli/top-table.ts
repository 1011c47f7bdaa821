import { COLUMNS, columnFacts, type ColumnName } from '../schema/columns.ts'
import type { Answer } from '../query/ask.ts'
import { errorName } from '../query/figures.ts'
import { DIRECTIONS, figureName, MEASURE_NAMES, MEASURES } from '../query/measures.ts'
import { protocolName } from '../query/protocols.ts'
import type { TableColumn } from './table.ts'
import { formatBytes, formatCount, formatError } from './units.ts'

/**
 * The answer of `top` for people: the groups, then the figures of the measure it is sorted by, then as much of the rest as
 * fits. An id is shown where the names alone do not keep two rows apart, or where there is room.
 */
export function topTable({ columns, rows }: Answer, by: string): TableColumn[] {
  const figures = new Map(FIGURES.filter(({ name }) => columns.includes(name)).map((figure) => [figure.name, figure]))
  const dimensions = columns.filter((column) => !figures.has(column) && !column.endsWith('_error'))
  const namesakes = hasNamesakes(
    dimensions.filter((column) => !column.endsWith('_id')),
    rows,
  )
  const family = figures.get(by)?.measure
  return columns.flatMap((column): TableColumn[] => {
    const figure = figures.get(column)
    if (figure !== undefined) return [figureColumn(figure, figure.measure === family, column === by, rows)]
    return dimensions.includes(column) ? [dimensionColumn(column, namesakes, rows)] : []
  })
}

interface Figure {
  readonly name: string
  readonly measure: string
  readonly unit: 'bytes' | 'count'
  readonly weight: number
}

const FIGURES: readonly Figure[] = MEASURE_NAMES.flatMap((measure, m) =>
  DIRECTIONS.map((direction, d) => ({
    name: figureName(direction, measure),
    measure,
    unit: MEASURES[measure].unit,
    weight: (direction === 'both' ? 50 : 30 - d) - m,
  })),
)

type Rows = Answer['rows']

function figureColumn({ name, unit, weight }: Figure, inFamily: boolean, sorted: boolean, rows: Rows): TableColumn {
  const format = unit === 'bytes' ? formatBytes : formatCount
  const errors = rows.map((row) => formatError(Number(row[errorName(name)] ?? 0), Number(row[name])))
  // Numbers stand below one another though the errors behind them are not equally long.
  const width = Math.max(0, ...errors.map(({ length }) => length))
  return {
    title: name,
    align: 'right',
    weight: inFamily ? weight + 45 : weight,
    keep: sorted,
    cells: rows.map((row, i) =>
      width === 0 ? format(Number(row[name])) : `${format(Number(row[name]))} ${errors[i]!.padStart(width)}`,
    ),
  }
}

function dimensionColumn(column: string, namesakes: boolean, rows: Rows): TableColumn {
  const id = column.endsWith('_id')
  const number = isColumn(column) && typeof rows[0]?.[column] === 'number' && column !== 'ip_protocol'
  return {
    title: column,
    weight: id ? (namesakes ? 75 : 1) : 100,
    keep: !id,
    minWidth: id ? 9 : 12,
    ...(number ? { align: 'right' as const } : {}),
    cells: rows.map((row) => dimensionText(column, row[column] ?? '')),
  }
}

/** A value of a group: protocols by name, and a dash for what is not known. */
function dimensionText(column: string, value: string | number): string {
  if (column === 'ip_protocol') return protocolName(Number(value))
  return value === '' ? '-' : String(value)
}

function isColumn(name: string): name is ColumnName {
  return Object.hasOwn(COLUMNS, name) && columnFacts(name as ColumnName).kind !== 'text'
}

function hasNamesakes(names: readonly string[], rows: Rows): boolean {
  return new Set(rows.map((row) => JSON.stringify(names.map((name) => row[name])))).size < rows.length
}
