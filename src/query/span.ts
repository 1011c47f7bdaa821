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

/** What lies in a span. */
export interface Contents {
  readonly records: number
  /** Whether some of it are estimates from samples. */
  readonly sampled: boolean
}

/** Asks what lies in a span; 0.1 s on 10 M records. Errors: query_failed, store_unreachable. */
export async function contents(asker: Asker, span: Span): Promise<Contents> {
  const params = new Params()
  const sql =
    `SELECT count() AS records, max(samples) > 0 OR max(bytes_variance) > 0 AS sampled ` +
    `FROM ${FLOWS} WHERE ${spanCondition(span, params)}`
  const row = (await asker.query({ sql, params: params.values })).rows[0]
  return { records: Number(row?.['records'] ?? 0), sampled: Number(row?.['sampled'] ?? 0) === 1 }
}

const HELD: Plan = {
  sql:
    `SELECT count() AS records, toUnixTimestamp64Milli(min(flow_end)) AS first_ms, ` +
    `toUnixTimestamp64Milli(max(flow_end)) AS last_ms FROM ${FLOWS}`,
  params: {},
}

/** The span from the oldest to the newest record; undefined when there is none. Errors: query_failed, store_unreachable. */
export async function wholeSpan(asker: Asker): Promise<Span | undefined> {
  const row = (await asker.query(HELD)).rows[0]
  if (row === undefined || Number(row['records']) === 0) return undefined
  return { fromMs: Number(row['first_ms']), toMs: Number(row['last_ms']) + 1, explicit: false }
}

/** `2026-01-01 00:00:00 to 00:15:00 UTC`: whole seconds around the span, which `--from` and `--to` take as they stand. */
export function spanText({ fromMs, toMs }: Span): string {
  const [from, to] = [Math.floor(fromMs / 1000), Math.ceil(toMs / 1000)].map((s) => isoTime(s * 1000).slice(0, 19))
  const [day, time] = to!.split('T') as [string, string]
  return `${from!.replace('T', ' ')} to ${from!.startsWith(day) ? time : `${day} ${time}`} UTC`
}
