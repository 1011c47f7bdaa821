import { AppError } from '../errors.ts'
import { compileFilter } from './filter/compile.ts'
import { parseFilter } from './filter/parse.ts'
import type { Tree } from './filter/tree.ts'
import type { Params } from './plan.ts'
import { parseDuration, type Span, type SpanRequest } from './times.ts'

/** Questions as people put them, in words, and what their words mean; the same for the command line and the API. */
export interface RecordsRequest extends SpanRequest {
  filter?: string | undefined
}

/** A value of an answer: numbers are exact, `null` is a figure that does not exist, a list is a course over time. */
export type Cell = string | number | null | readonly number[]
export type Row = Readonly<Record<string, Cell>>

export interface Answer {
  /** Result columns in order, also when there are no rows. */
  readonly columns: readonly string[]
  readonly rows: readonly Row[]
  /** The span the rows are of. */
  readonly span: Span
  /** What the user should know about the answer, a sentence each. */
  readonly notes: readonly string[]
  /** What exporters sent in the span and is missing, a sentence each. */
  readonly completeness?: readonly string[]
}

/** More rows than that are an export, not an answer. */
export const MAX_ROWS = 50_000

/** A filter that was read: its tree, and the condition, which binds its values in each plan anew. */
export interface Condition {
  readonly tree: Tree | undefined
  condition(params: Params): string | undefined
}

/** Errors: filter_invalid. */
export function parseCondition(filter: string | undefined): Condition {
  const tree = filter === undefined ? undefined : parseFilter(filter)
  return { tree, condition: (params) => (tree === undefined ? undefined : compileFilter(tree, params)) }
}

/** Checks `-n`. Errors: usage. */
export function parseLimit(text: string | undefined, fallback: number, most = MAX_ROWS): number {
  if (text === undefined) return fallback
  const limit = /^\d{1,9}$/.test(text.trim()) ? Number(text) : 0
  if (limit >= 1 && limit <= most) return limit
  throw new AppError(
    'usage',
    `-n ${quoted(text)} is no number of rows; give 1 to ${most}${most === MAX_ROWS ? ' (ovsight export writes any number of records)' : ''}`,
  )
}

/** Checks `--count`. Errors: usage. */
export function parseCount(text: string | undefined): 'once' | 'all' {
  if (text === undefined || text === 'once') return 'once'
  if (text === 'all') return 'all'
  throw new AppError('usage', `--count ${quoted(text)} is neither once nor all`)
}

/** Checks a flag that comes as text over HTTP. Errors: usage. */
export function parseFlag(name: string, text: string | undefined): boolean {
  if (text === undefined || text === 'false' || text === '0') return false
  if (text === 'true' || text === '1' || text === '') return true
  throw new AppError('usage', `${name} ${quoted(text)} is neither true nor false`)
}

/** Checks a span of time such as `--compare 1d`; milliseconds. Errors: time_invalid. */
export function parseSpanOption(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = parseDuration(text.trim())
  if (ms !== undefined && ms > 0) return ms
  throw new AppError('time_invalid', `${name} ${quoted(text)} is not a span; write 15m, 2h, 1h30m or 7d`)
}

export function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
}
