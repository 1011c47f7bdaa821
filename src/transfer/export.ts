/** Flow records as a file: which columns, how each value is written, and how many there were. */
import type { Readable } from 'node:stream'
import { AppError } from '../errors.ts'
import { settleNames } from '../query/names.ts'
import { didYouMean } from '../query/nearest.ts'
import { Params, type Plan } from '../query/plan.ts'
import { parseCondition, quoted } from '../query/request.ts'
import { wholeSpan } from '../query/span.ts'
import { spanCondition } from '../query/span-condition.ts'
import { parseSpan, type Span, type SpanRequest } from '../query/times.ts'
import { columnFacts, COLUMN_NAMES, type ColumnName } from '../schema/columns.ts'
import { FLOWS } from '../schema/ddl.ts'
import type { Store } from '../store/store.ts'

export interface ExportRequest extends SpanRequest {
  filter?: string | undefined
  format?: string | undefined
}

/** THE table of export formats. */
export const EXPORT_FORMATS = {
  parquet: { engine: 'Parquet', type: 'application/vnd.apache.parquet', doc: 'Apache Parquet, packed with zstd' },
  csv: { engine: 'CSVWithNames', type: 'text/csv; charset=utf-8', doc: 'comma-separated values with a head' },
  jsonl: { engine: 'JSONEachRow', type: 'application/x-ndjson', doc: 'a JSON object a line' },
} as const

export type ExportFormat = keyof typeof EXPORT_FORMATS

/** Columns of an export, in order: all but the number by which this store finds a row that waits. */
export const EXPORT_COLUMNS: readonly ColumnName[] = COLUMN_NAMES.filter((name) => name !== 'late_id')

const SETTINGS = {
  date_time_output_format: 'iso',
  session_timezone: 'UTC',
  output_format_json_quote_64bit_integers: 0,
  output_format_json_escape_forward_slashes: 0,
  output_format_parquet_compression_method: 'zstd',
  // A row group is held before it is written: smaller ones than by default, so that memory stays small.
  output_format_parquet_row_group_size: 100_000,
  output_format_parquet_row_group_size_bytes: 64 * 1024 ** 2,
  max_block_size: 16_384,
} as const

/** Errors: usage. */
export function parseExportFormat(text: string | undefined): ExportFormat {
  const names = Object.keys(EXPORT_FORMATS)
  if (text !== undefined && Object.hasOwn(EXPORT_FORMATS, text)) return text as ExportFormat
  throw new AppError(
    'usage',
    `give --format ${names.join(', ')}${text === undefined ? '' : `, not ${quoted(text)}${didYouMean(text, names)}`}`,
  )
}

export interface Exporting {
  body: Readable
  /** Records that lay there when it began. */
  records: number
  format: ExportFormat
}

/** Finds the mistakes of a request. Errors: filter_invalid, time_invalid, usage. */
export function checkExport(request: ExportRequest, nowMs: number): void {
  parseExportFormat(request.format)
  parseCondition(request.filter)
  if (isSpan(request)) parseSpan(request, nowMs)
}

/** Without a span all that is stored. Errors: those of `checkExport`; name_ambiguous; query_failed, store_unreachable, also of the body. */
export async function openExport(
  store: Pick<Store, 'query' | 'stream'>,
  request: ExportRequest,
  nowMs: number,
): Promise<Exporting> {
  const format = parseExportFormat(request.format)
  const filter = parseCondition(request.filter)
  const span: Span = isSpan(request)
    ? parseSpan(request, nowMs)
    : ((await wholeSpan(store))?.span ?? { fromMs: 0, toMs: nowMs, explicit: false })
  await settleNames(store, filter.tree, span)
  const params = new Params()
  const where = [spanCondition(span, params), filter.condition(params)]
    .filter((part) => part !== undefined)
    .join(' AND ')
  const { rows } = await store.query({ sql: `SELECT count() AS n FROM ${FLOWS} WHERE ${where}`, params: params.values })
  const plan: Plan = { sql: exportSql(where), params: params.values }
  return {
    body: await store.stream(plan, EXPORT_FORMATS[format].engine, SETTINGS),
    records: Number(rows[0]?.['n'] ?? 0),
    format,
  }
}

function isSpan({ last, from, to }: SpanRequest): boolean {
  return last !== undefined || from !== undefined || to !== undefined
}

/** The inner names keep a value that is written as text apart from the column that the condition means. */
function exportSql(where: string): string {
  const inner = EXPORT_COLUMNS.map((column, i) => `${valueSql(column)} AS c${i}`)
  const outer = EXPORT_COLUMNS.map((column, i) => `c${i} AS ${column}`)
  return `SELECT ${outer.join(', ')} FROM (SELECT ${inner.join(', ')} FROM ${FLOWS} WHERE ${where})`
}

/** As answers show it: addresses with IPv4 dotted, MAC addresses with colons, empty where they are not set; sets by name. */
function valueSql(column: ColumnName): string {
  switch (columnFacts(column).kind) {
    case 'ip':
      return `replaceRegexpOne(toString(${column}), '^::(ffff:([0-9]+[.][0-9.]+))?$', '\\\\2')`
    case 'mac':
      return `if(${column} = 0, '', lower(MACNumToString(${column})))`
    case 'enum':
      return `toString(${column})`
    default:
      return column
  }
}
