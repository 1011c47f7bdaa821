import { COLUMNS, columnFacts, type ColumnName } from '../schema/columns.ts'
import type { Answer, Row } from '../query/ask.ts'
import { errorName } from '../query/figures.ts'
import { MEASURE_NAMES, MEASURES } from '../query/measures.ts'
import { protocolName } from '../query/protocols.ts'
import { bar, sparkline } from './plot.ts'
import type { TableColumn } from './table.ts'
import { formatBytes, formatChange, formatCount, formatError, formatShare } from './units.ts'

/** Places of the bar of a share. */
const BAR_WIDTH = 10
const PREFIXES = ['', 'sent_', 'received_', 'a_to_b_', 'b_to_a_'] as const

/**
 * The answer of `top` for people: the groups, then the figures of the measure it is sorted by, then as much of the rest as
 * fits. An id is shown where the names alone do not keep two rows apart, or where there is room.
 */
export function topTable({ columns }: Pick<Answer, 'columns'>, by: string, rows: readonly Row[]): TableColumn[] {
  const figures = new Map(FIGURES.filter(({ name }) => columns.includes(name)).map((figure) => [figure.name, figure]))
  const extras = new Set(['row', 'share', 'trend', `${by}_before`, `${by}_change`])
  const dimensions = columns.filter(
    (column) => !figures.has(column) && !column.endsWith('_error') && !extras.has(column),
  )
  const namesakes = hasNamesakes(
    dimensions.filter((column) => !column.endsWith('_id')),
    rows,
  )
  const family = figures.get(by)?.measure
  const shown = columns.flatMap((column): TableColumn[] => {
    const figure = figures.get(column)
    if (figure !== undefined) return [figureColumn(figure, figure.measure === family, column === by, rows)]
    return dimensions.includes(column) ? [dimensionColumn(column, namesakes, rows, dimensions[0] === column)] : []
  })
  const sorted = shown.findIndex(({ title }) => title === by) + 1
  const unit = figures.get(by)?.unit ?? 'bytes'
  return shown.toSpliced(sorted, 0, ...extraColumns(columns, by, unit, rows))
}

/** What stands beside the figure that the rows are sorted by. */
function extraColumns(
  columns: readonly string[],
  by: string,
  unit: Figure['unit'],
  rows: readonly Row[],
): TableColumn[] {
  const format = unit === 'bytes' ? formatBytes : formatCount
  const most = Math.max(0, ...rows.filter(isGroup).map((row) => Number(row['share'])))
  const all: readonly TableColumn[] = [
    { title: 'share', align: 'right', weight: 88, cells: rows.map((row) => formatShare(Number(row['share']))) },
    {
      title: '',
      weight: 61,
      cells: rows.map((row) => (isGroup(row) ? bar(most === 0 ? 0 : Number(row['share']) / most, BAR_WIDTH) : '')),
    },
    { title: 'trend', weight: 58, cells: rows.map((row) => sparkline((row['trend'] ?? []) as readonly number[])) },
    {
      title: `${by}_before`,
      align: 'right',
      weight: 87,
      cells: rows.map((row) => format(Number(row[`${by}_before`]))),
    },
    {
      title: `${by}_change`,
      align: 'right',
      weight: 89,
      cells: rows.map((row) => formatChange(row[`${by}_change`] as number | null)),
    },
  ]
  return all.filter(({ title }) => columns.includes(title === '' ? 'share' : title))
}

/** Not one of the rows `other` and `total`. */
function isGroup(row: Row): boolean {
  return row['row'] === undefined || row['row'] === 'group'
}

interface Figure {
  readonly name: string
  readonly measure: string
  readonly unit: 'bytes' | 'count'
  readonly weight: number
}

const FIGURES: readonly Figure[] = MEASURE_NAMES.flatMap((measure, m) =>
  PREFIXES.map((prefix, d) => ({
    name: `${prefix}${measure}`,
    measure,
    unit: MEASURES[measure].unit,
    weight: (prefix === '' ? 50 : 30 - d) - m,
  })),
)

type Rows = readonly Row[]

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

function dimensionColumn(column: string, namesakes: boolean, rows: Rows, first: boolean): TableColumn {
  const id = column.endsWith('_id')
  const number = isColumn(column) && typeof rows[0]?.[column] === 'number' && column !== 'ip_protocol'
  return {
    title: column,
    weight: id ? (namesakes ? 75 : 1) : 100,
    keep: !id,
    minWidth: id ? 9 : 12,
    ...(number ? { align: 'right' as const } : {}),
    cells: rows.map((row) => {
      if (!isGroup(row)) return first ? String(row['row']) : ''
      return dimensionText(column, row[column] as string | number)
    }),
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

function hasNamesakes(names: readonly string[], all: Rows): boolean {
  const rows = all.filter(isGroup)
  return new Set(rows.map((row) => JSON.stringify(names.map((name) => row[name])))).size < rows.length
}
