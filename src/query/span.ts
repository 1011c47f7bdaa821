import { FLOWS } from '../schema/ddl.ts'
import type { RollupName } from '../schema/rollups.ts'
import type { Contents } from './contents.ts'
import type { Asker, Plan } from './plan.ts'
import { isoTime, type Span } from './times.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** All that the store holds, and how a span is written. */

const RECORDS: Plan = {
  sql:
    `SELECT count() AS records, toUnixTimestamp64Milli(min(flow_end)) AS first_ms, ` +
    `toUnixTimestamp64Milli(max(flow_end)) AS last_ms, ` +
    `max(samples) > 0 OR max(bytes_variance) > 0 AS sampled FROM ${FLOWS}`,
  params: {},
}

const HOURS = bucketsOf('flows_1h')
const DAYS = bucketsOf('flows_1d')

function bucketsOf(table: RollupName): Plan {
  const time = (what: 'min' | 'max') => `toInt64(toUnixTimestamp(${what}(bucket))) * 1000`
  return {
    sql: `SELECT sum(records) AS records, ${time('min')} AS first_ms, ${time('max')} AS last_ms FROM ${table}`,
    params: {},
  }
}

/** All that is stored; what lies in it is known where it was counted on the way. */
export interface Whole {
  readonly span: Span
  readonly contents?: Contents
}

/**
 * The span from the oldest to the newest record, or from the first hour or day of sums where the records of it are gone; undefined when there
 * is none. Errors: query_failed, store_unreachable.
 */
export async function wholeSpan(asker: Asker): Promise<Whole | undefined> {
  const [records, hours, days] = await Promise.all([RECORDS, HOURS, DAYS].map((plan) => held(asker, plan)))
  let firstMs = records?.firstMs ?? Infinity
  if (hours !== undefined && hours.firstMs + HOUR_MS <= firstMs) firstMs = hours.firstMs
  if (days !== undefined && days.firstMs + DAY_MS <= firstMs) firstMs = days.firstMs
  if (firstMs === Infinity) return undefined
  if (records?.firstMs === firstMs) return { span: wholeOf(firstMs, records.lastMs), contents: records }
  const last = records?.lastMs ?? (hours === undefined ? days!.lastMs + DAY_MS : hours.lastMs + HOUR_MS) - 1
  return { span: wholeOf(firstMs, last) }
}

async function held(asker: Asker, plan: Plan): Promise<(Contents & { firstMs: number; lastMs: number }) | undefined> {
  const row = (await asker.query(plan)).rows[0]
  const records = Number(row?.['records'] ?? 0)
  if (row === undefined || records === 0) return undefined
  const [firstMs, lastMs] = [Number(row['first_ms']), Number(row['last_ms'])]
  return { records, sampled: Number(row['sampled'] ?? 0) === 1, firstMs, lastMs }
}

function wholeOf(firstMs: number, lastMs: number): Span {
  return { fromMs: firstMs, toMs: lastMs + 1, explicit: false }
}

/** `2026-01-01 00:00:00 to 00:15:00 UTC`: whole seconds around the span, which `--from` and `--to` take as they stand. */
export function spanText({ fromMs, toMs }: Span): string {
  const [from, to] = [Math.floor(fromMs / 1000), Math.ceil(toMs / 1000)].map((s) => isoTime(s * 1000).slice(0, 19))
  const [day, time] = to!.split('T') as [string, string]
  return `${from!.replace('T', ' ')} to ${from!.startsWith(day) ? time : `${day} ${time}`} UTC`
}
