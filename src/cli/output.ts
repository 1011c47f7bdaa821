import { Option, type Command } from 'commander'
import { AppError } from '../errors.ts'
import { didYouMean } from '../query/nearest.ts'
import type { CliContext, Output } from './context.ts'
import { DATA_FORMATS, plain, type DataFormat, type DataRow } from './formats.ts'
import { layoutTable, wrapWords, type TableColumn } from './table.ts'

/** How every command writes its answer: the same options, the same formats. */
export const FORMATS = ['table', ...(Object.keys(DATA_FORMATS) as DataFormat[])] as const
export type Format = 'table' | DataFormat

/** Values of the options of `addOutputOptions`. */
export interface OutputOptions {
  format: string
  column?: string[]
  sortColumn?: string[]
  sortDescending?: boolean
  fitWidth?: boolean
  maxWidth?: string
}

/** An answer to write. */
export interface Written {
  /** Columns of the data, in order. */
  readonly columns: readonly string[]
  readonly rows: readonly DataRow[]
  /** The table for people; without it, or when it is empty, the data's own columns. */
  table?(rows: readonly DataRow[]): readonly TableColumn[]
}

/** Width of a table that goes to a file or a pipe; `COLUMNS` says otherwise. */
const DEFAULT_WIDTH = 160

/** Adds the options that every command with an answer has. */
export function addOutputOptions(command: Command): Command {
  const collect = (value: string, before: string[] = []) => [...before, value]
  return command
    .option('-f, --format <format>', `${FORMATS.slice(0, -1).join(', ')} or ${FORMATS.at(-1)!}`, 'table')
    .option('-c, --column <column>', 'show this column; repeat it for more', collect)
    .option('--sort-column <column>', 'sort the rows shown by this column; repeat it for more', collect)
    .option('--sort-descending', 'with --sort-column, the largest first')
    .option('--fit-width', 'cut cells of a table to fit the width, leave no column out')
    .addOption(new Option('--max-width <places>', 'width of a table, in place of the terminal’s').hideHelp())
}

/** Checks `--format`. Errors: usage. */
export function parseFormat(text: string): Format {
  const found = FORMATS.find((format) => format === text)
  if (found !== undefined) return found
  throw new AppError(
    'usage',
    `--format ${JSON.stringify(text.slice(0, 40))} is none of ${FORMATS.join(', ')}${didYouMean(text, FORMATS)}`,
  )
}

/** Writes an answer as the options say. Errors: usage, column_unknown. */
export function writeAnswer(context: CliContext, options: OutputOptions, written: Written): void {
  const format = parseFormat(options.format)
  const rows = sorted(written, options)
  if (format !== 'table') {
    const columns = (options.column ?? written.columns).map((name) => known(name, written.columns))
    return writeRows(context.stdout, format, columns, rows)
  }
  if (rows.length === 0) return
  const layed = written.table?.(rows) ?? []
  const all = layed.length > 0 ? layed : written.columns.map((name) => plainColumn(name, rows))
  const chosen = options.column?.map((name) => chosenColumn(name, all, written.columns, rows)) ?? all
  const fitted = options.fitWidth === true ? chosen.map(cuttable) : chosen
  const width = widthOf(context, options)
  writeTable(context, fitted, options.column !== undefined && options.fitWidth !== true ? Infinity : width)
}

function sorted({ columns, rows }: Written, { sortColumn = [], sortDescending }: OutputOptions): readonly DataRow[] {
  if (sortColumn.length === 0) return rows
  const names = sortColumn.map((name) => known(name, columns))
  const sign = sortDescending === true ? -1 : 1
  return rows.toSorted((a, b) => {
    for (const name of names) {
      const order = compared(a[name], b[name])
      if (order !== 0) return sign * order
    }
    return 0
  })
}

function compared(a: DataRow[string] | undefined, b: DataRow[string] | undefined): number {
  return typeof a === 'number' && typeof b === 'number' ? a - b : plain(a).localeCompare(plain(b))
}

function known(name: string, columns: readonly string[]): string {
  if (columns.includes(name)) return name
  throw new AppError(
    'column_unknown',
    `the answer has no column ${JSON.stringify(name.slice(0, 60))}${didYouMean(name, columns)}`,
    { details: [`its columns: ${columns.join(' ')}`] },
  )
}

/** A column of the table by its title, or one of the data as it is. Chosen columns all stay. */
function chosenColumn(
  name: string,
  table: readonly TableColumn[],
  columns: readonly string[],
  rows: readonly DataRow[],
): TableColumn {
  const shown = table.find(({ title }) => title === name)
  if (shown !== undefined) return { ...shown, keep: true }
  const titles = table.map(({ title }) => title)
  return plainColumn(known(name, [...columns, ...titles.filter((title) => title !== '')]), rows)
}

function plainColumn(title: string, rows: readonly DataRow[]): TableColumn {
  const right = rows.length > 0 && rows.every((row) => typeof row[title] === 'number')
  const cells = rows.map((row) => plain(row[title]))
  return { title, weight: 1, keep: true, minWidth: 8, cells, ...(right ? { align: 'right' as const } : {}) }
}

function cuttable(column: TableColumn): TableColumn {
  return { ...column, keep: true, minWidth: Math.min(column.minWidth ?? 4, 4) }
}

/** Writes rows as data, all of them with these columns. */
export function writeRows(out: Output, format: DataFormat, columns: readonly string[], rows: readonly DataRow[]): void {
  out.write(DATA_FORMATS[format].text(columns, rows))
}

/** Writes a table that fits the terminal, its titles in bold where that shows. */
export function writeTable(context: CliContext, columns: readonly TableColumn[], width = tableWidth(context)): void {
  const [titles, ...lines] = layoutTable(columns, width)
  if (titles === undefined) return
  const bold = hasColour(context.stdout, context.env)
  context.stdout.write(`${[bold ? `\u001B[1m${titles}\u001B[22m` : titles, ...lines].join('\n')}\n`)
}

function widthOf(context: CliContext, { maxWidth }: OutputOptions): number {
  if (maxWidth === undefined) return tableWidth(context)
  if (/^[1-9]\d{0,4}$/.test(maxWidth)) return Number(maxWidth)
  throw new AppError('usage', `--max-width ${JSON.stringify(maxWidth.slice(0, 40))} is no number of places`)
}

export function tableWidth({ stdout, env }: CliContext): number {
  if (stdout.isTTY === true && stdout.columns !== undefined && stdout.columns > 0) return stdout.columns
  const asked = Number(env['COLUMNS'])
  return Number.isInteger(asked) && asked > 0 ? asked : DEFAULT_WIDTH
}

/** https://no-color.org: any value but the empty one. */
export function hasColour(out: Output, env: CliContext['env']): boolean {
  return out.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
}

/** Writes what the user should know beside the data. */
export function writeNotes({ stderr }: CliContext, notes: readonly string[]): void {
  const width = stderr.isTTY === true && (stderr.columns ?? 0) > 0 ? stderr.columns! : Infinity
  for (const note of notes) stderr.write(`${wrapWords(`ovsight: ${note}`, width).join('\n')}\n`)
}
