import { yaml } from '../config/yaml.ts'
import type { Cell } from '../query/request.ts'

/**
 * THE table of formats in which rows are written as data; a table for people is layed out by table.ts. Values are exact in each.
 */
export type DataRow = Readonly<Record<string, Cell | boolean>>

export const DATA_FORMATS = {
  json: { doc: 'an array with an object a line', text: jsonText },
  csv: { doc: 'RFC 4180 with a head', text: csvText },
  yaml: { doc: 'a list of mappings', text: yamlText },
  value: { doc: 'values alone, a row a line, for shell scripts', text: valueText },
} as const satisfies Readonly<
  Record<string, { doc: string; text: (columns: readonly string[], rows: readonly DataRow[]) => string }>
>

export type DataFormat = keyof typeof DATA_FORMATS

function jsonText(columns: readonly string[], rows: readonly DataRow[]): string {
  const lines = rows.map((row) => JSON.stringify(picked(columns, row)))
  return lines.length === 0 ? '[]\n' : `[\n${lines.join(',\n')}\n]\n`
}

function yamlText(columns: readonly string[], rows: readonly DataRow[]): string {
  return yaml().stringify(
    rows.map((row) => picked(columns, row)),
    { lineWidth: 0 },
  )
}

function picked(columns: readonly string[], row: DataRow): DataRow {
  return Object.fromEntries(columns.map((column) => [column, row[column] ?? (row[column] === null ? null : '')]))
}

/** RFC 4180: CRLF, fields with comma, quote or line break in quotes, quotes doubled. */
function csvText(columns: readonly string[], rows: readonly DataRow[]): string {
  const lines = [columns, ...rows.map((row) => columns.map((column) => plain(row[column])))]
  return lines.map((line) => `${line.map(csvField).join(',')}\r\n`).join('')
}

function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** As cliff's `value`: separated by a space, nothing quoted; a line break in a value would be another row, so it becomes a space. */
function valueText(columns: readonly string[], rows: readonly DataRow[]): string {
  return rows
    .map((row) => `${columns.map((column) => plain(row[column]).replaceAll(/[\r\n]+/g, ' ')).join(' ')}\n`)
    .join('')
}

/** A value as text: what does not exist is empty, a list has spaces between. */
export function plain(value: Cell | boolean | undefined): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'object' ? value.join(' ') : String(value)
}
