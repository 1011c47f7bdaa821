import { AppError } from '../errors.ts'
import { didYouMean } from '../query/nearest.ts'
import type { CliContext, Output } from './context.ts'
import { layoutTable, type TableColumn } from './table.ts'

/** How answers are written: tables for people, JSON and CSV for programs. */
export const FORMATS = ['table', 'json', 'csv'] as const
export type Format = (typeof FORMATS)[number]

type Row = Readonly<Record<string, string | number | boolean>>

/** Width of a table that goes to a file or a pipe; `COLUMNS` says otherwise. */
const DEFAULT_WIDTH = 160

/** Checks `--format`. Errors: usage. */
export function parseFormat(text: string): Format {
  const found = FORMATS.find((format) => format === text)
  if (found !== undefined) return found
  throw new AppError(
    'usage',
    `--format ${JSON.stringify(text.slice(0, 40))} is none of ${FORMATS.join(', ')}${didYouMean(text, FORMATS)}`,
  )
}

/** Writes rows as data: a JSON array with an object a line, or CSV with a head. */
export function writeRows(out: Output, format: 'json' | 'csv', columns: readonly string[], rows: readonly Row[]): void {
  out.write(format === 'json' ? jsonText(rows) : csvText(columns, rows))
}

function jsonText(rows: readonly Row[]): string {
  return rows.length === 0 ? '[]\n' : `[\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`
}

/** RFC 4180: CRLF, fields with comma, quote or line break in quotes, quotes doubled. */
function csvText(columns: readonly string[], rows: readonly Row[]): string {
  const lines = [columns, ...rows.map((row) => columns.map((column) => row[column] ?? ''))]
  return lines.map((line) => `${line.map((field) => csvField(String(field))).join(',')}\r\n`).join('')
}

function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Writes a table that fits the terminal, its titles in bold where that shows. */
export function writeTable(context: CliContext, columns: readonly TableColumn[]): void {
  const [titles, ...lines] = layoutTable(columns, tableWidth(context))
  if (titles === undefined) return
  const bold = hasColour(context.stdout, context.env)
  context.stdout.write(`${[bold ? `\u001B[1m${titles}\u001B[22m` : titles, ...lines].join('\n')}\n`)
}

function tableWidth({ stdout, env }: CliContext): number {
  if (stdout.isTTY === true && stdout.columns !== undefined && stdout.columns > 0) return stdout.columns
  const asked = Number(env['COLUMNS'])
  return Number.isInteger(asked) && asked > 0 ? asked : DEFAULT_WIDTH
}

/** https://no-color.org: any value but the empty one. */
function hasColour(out: Output, env: CliContext['env']): boolean {
  return out.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
}

/** Writes what the user should know beside the data. */
export function writeNotes({ stderr }: CliContext, notes: readonly string[]): void {
  for (const note of notes) stderr.write(`ovsight: ${note}\n`)
}
