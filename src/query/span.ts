import { FLOWS } from '../schema/ddl.ts'
import { Params, type Asker, type Plan } from './plan.ts'
import { isoTime, type Span } from './times.ts'

/** Which part of the store a question is about, and what to say when there is nothing in it. */

/** The condition of a span; binds its ends. */
export function spanCondition(span: Span, params: Params): string {
  const from = params.bind('Int64', span.fromMs)
  const to = params.bind('Int64', span.toMs)
  return `flow_end >= fromUnixTimestamp64Milli(${from}) AND flow_end < fromUnixTimestamp64Milli(${to})`
}

/** What the store holds, and how much of it lies in a span. */
export interface Holdings {
  readonly records: number
  readonly recordsInSpan: number
  /** Times of the oldest and the newest record; undefined when there is none. */
  readonly firstMs?: number
  readonly lastMs?: number
}

/** Asks what the store holds. Errors: query_failed, store_unreachable. */
export async function holdings(asker: Asker, span: Span): Promise<Holdings> {
  const row = (await asker.query(holdingsPlan(span))).rows[0] ?? {}
  const records = Number(row['records'] ?? 0)
  if (records === 0) return { records: 0, recordsInSpan: 0 }
  return {
    records,
    recordsInSpan: Number(row['in_span']),
    firstMs: Number(row['first_ms']),
    lastMs: Number(row['last_ms']),
  }
}

function holdingsPlan(span: Span): Plan {
  const params = new Params()
  const sql =
    `SELECT count() AS records, countIf(${spanCondition(span, params)}) AS in_span, ` +
    `toUnixTimestamp64Milli(min(flow_end)) AS first_ms, toUnixTimestamp64Milli(max(flow_end)) AS last_ms FROM ${FLOWS}`
  return { sql, params: params.values }
}

/** The whole span that holds data, when there is some. */
export function wholeSpan({ firstMs, lastMs }: Holdings): Span | undefined {
  if (firstMs === undefined || lastMs === undefined) return undefined
  return { fromMs: firstMs, toMs: lastMs + 1, explicit: false }
}

/** `2026-01-01T00:00:00.000Z to 2026-01-01T00:15:00.000Z`, both inside. */
export function spanText(span: Span): string {
  return `${isoTime(span.fromMs)} to ${isoTime(span.toMs - 1)}`
}
