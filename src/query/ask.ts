import { AppError } from '../errors.ts'
import { COLUMN_NAMES } from '../schema/columns.ts'
import { parseDimensions } from './dimensions.ts'
import { compileFilter } from './filter/compile.ts'
import { parseFilter } from './filter/parse.ts'
import { flowsPlan, type FlowsQuery } from './flows.ts'
import { parseBy } from './measures.ts'
import type { Asker, Params, Plan } from './plan.ts'
import { contents, spanText, wholeSpan, type Contents } from './span.ts'
import { parseSpan, type Span, type SpanRequest } from './times.ts'
import { isSided, topColumns, topPlan, topRows, type TopQuery } from './top.ts'
import { readableRecord } from './values.ts'

/**
 * Questions as people put them, in words, and their answers. The command line and the API both come through here, so they
 * take the same words, refuse the same mistakes and give the same rows.
 */
export interface FlowsRequest extends SpanRequest {
  n?: string | undefined
  filter?: string | undefined
}

export interface TopRequest extends FlowsRequest {
  dimensions: readonly string[]
  by?: string | undefined
  /** `once` (default) or `all`. */
  count?: string | undefined
}

export interface Answer {
  /** Result columns in order, also when there are no rows. */
  readonly columns: readonly string[]
  readonly rows: readonly Readonly<Record<string, string | number>>[]
  /** The span the rows are of. */
  readonly span: Span
  /** What the user should know about the answer, a sentence each. */
  readonly notes: readonly string[]
}

/** More rows than that are an export, not an answer. */
export const MAX_ROWS = 50_000
export const DEFAULT_TOP_ROWS = 10
export const DEFAULT_FLOWS_ROWS = 20
const DEFAULT_DIMENSIONS = ['server']

/** Errors: column_unknown, filter_invalid, time_invalid, usage; query_failed, store_unreachable. */
export async function askTop(asker: Asker, request: TopRequest, nowMs: number): Promise<Answer> {
  const { query, span } = readTop(request, nowMs)
  const found = await inSpan(asker, span, (within, held) => topPlan(query, within, held.sampled))
  const { sampled } = found.contents
  const notes = [...found.notes, ...whyNone(found, request, query)]
  return {
    columns: topColumns(query, sampled),
    rows: topRows(query, sampled, found.rows),
    span: found.span,
    notes,
  }
}

/** Errors: filter_invalid, time_invalid, usage; query_failed, store_unreachable. */
export async function askFlows(asker: Asker, request: FlowsRequest, nowMs: number): Promise<Answer> {
  const { query, span } = readFlows(request, nowMs)
  const found = await inSpan(asker, span, (within) => flowsPlan(query, within))
  const notes = [...found.notes, ...whyNone(found, request)]
  return { columns: COLUMN_NAMES, rows: found.rows.map(readableRecord), span: found.span, notes }
}

/** Finds the mistakes of a request without asking anybody. Errors: column_unknown, filter_invalid, time_invalid, usage. */
export function checkTop(request: TopRequest, nowMs: number): void {
  readTop(request, nowMs)
}

/** The same for flows. */
export function checkFlows(request: FlowsRequest, nowMs: number): void {
  readFlows(request, nowMs)
}

function readTop(request: TopRequest, nowMs: number): { query: TopQuery; span: Span } {
  const dimensions = parseDimensions(request.dimensions.length === 0 ? DEFAULT_DIMENSIONS : request.dimensions)
  const query = {
    dimensions,
    by: parseBy(request.by, isSided(dimensions)),
    limit: parseLimit(request.n, DEFAULT_TOP_ROWS),
    count: parseCount(request.count),
    condition: conditionOf(request.filter),
  }
  return { query, span: parseSpan(request, nowMs) }
}

function readFlows(request: FlowsRequest, nowMs: number): { query: FlowsQuery; span: Span } {
  const query = { limit: parseLimit(request.n, DEFAULT_FLOWS_ROWS), condition: conditionOf(request.filter) }
  return { query, span: parseSpan(request, nowMs) }
}

interface Found {
  readonly rows: Record<string, unknown>[]
  readonly span: Span
  readonly contents: Contents
  readonly notes: string[]
}

/**
 * Asks within the span. The default span is only a guess at what is meant: when it holds no record at all (a replayed capture is
 * old), the span that holds data takes its place, and a note says so.
 */
async function inSpan(asker: Asker, span: Span, plan: (span: Span, contents: Contents) => Plan): Promise<Found> {
  const found = await contents(asker, span)
  if (found.records > 0) {
    const { rows } = await asker.query(plan(span, found))
    return { rows, span, contents: found, notes: [] }
  }
  const whole = await wholeSpan(asker)
  if (whole === undefined) return { rows: [], span, contents: found, notes: ['the store holds no records yet'] }
  if (span.explicit) {
    const note = `no records from ${spanText(span)}; there are from ${spanText(whole)}`
    return { rows: [], span, contents: found, notes: [note] }
  }
  const note = `no records in the last 15 minutes; this is all there is, ${spanText(whole)}`
  const held = await contents(asker, whole)
  const { rows } = await asker.query(plan(whole, held))
  return { rows, span: whole, contents: held, notes: [note] }
}

/** Why no row came of a span that holds records, if that is so. */
function whyNone({ rows, contents: { records }, span }: Found, request: FlowsRequest, query?: TopQuery): string[] {
  if (rows.length > 0 || records === 0) return []
  const all = `${records} record${records === 1 ? '' : 's'} from ${spanText(span)}`
  if (request.filter !== undefined && request.filter.trim() !== '') return [`none of the ${all} matches`]
  if (query !== undefined && isSided(query.dimensions)) {
    const names = query.dimensions.filter(({ sided }) => sided).map(({ name }) => name)
    return [
      `no ${names.join(', no ')} is known in the ${all}; collect or replay with --identity, or group by src_addr dst_addr`,
    ]
  }
  return [`nothing counts in the ${all}; --count all sums every record`]
}

function conditionOf(filter: string | undefined): (params: Params) => string | undefined {
  const tree = filter === undefined ? undefined : parseFilter(filter)
  return (params) => (tree === undefined ? undefined : compileFilter(tree, params))
}

function parseLimit(text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  const limit = /^\d{1,9}$/.test(text.trim()) ? Number(text) : 0
  if (limit >= 1 && limit <= MAX_ROWS) return limit
  throw new AppError('usage', `-n ${JSON.stringify(text.slice(0, 60))} is no number of rows; give 1 to ${MAX_ROWS}`)
}

function parseCount(text: string | undefined): 'once' | 'all' {
  if (text === undefined || text === 'once') return 'once'
  if (text === 'all') return 'all'
  throw new AppError('usage', `--count ${JSON.stringify(text.slice(0, 60))} is neither once nor all`)
}
