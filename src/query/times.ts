import { AppError } from '../errors.ts'

/**
 * Times as people write them. All are UTC unless they carry a zone; a span holds its start and not its end.
 */

/** A span of `flow_end`: milliseconds since 1970, `fromMs` inside, `toMs` outside. */
export interface Span {
  readonly fromMs: number
  readonly toMs: number
  /** Whether the user asked for this span, or it is the default. */
  readonly explicit: boolean
}

/** The options of a span, as typed. */
export interface SpanRequest {
  last?: string | undefined
  from?: string | undefined
  to?: string | undefined
}

/** Without any option: the last quarter of an hour. */
export const DEFAULT_SPAN_MS = 15 * 60_000

/** DateTime64(3) of ClickHouse ends with the year 2299. */
const MAX_MS = Date.UTC(2300, 0, 1) - 1

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}
const DURATION = /^(?:\d{1,12}(?:\.\d{1,6})?(?:ms|s|m|h|d|w))+$/
const DURATION_PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g
const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?(Z|[+-]\d\d:?\d\d)?$/i
const UNIX_SECONDS = /^\d{9,10}(?:\.\d{1,9})?$/
const UNIX_MILLISECONDS = /^\d{12,13}$/

/** Milliseconds of `15m`, `2h`, `1h30m`, `7d`; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (!DURATION.test(text)) return undefined
  let ms = 0
  for (const [, amount, unit] of text.matchAll(DURATION_PART)) ms += Number(amount) * UNIT_MS[unit!]!
  return Math.round(ms)
}

/**
 * Milliseconds since 1970 of an ISO 8601 date or time, `now`, `today`, `yesterday`, a duration before now (`-2h`), or unix
 * seconds or milliseconds; undefined when it is none.
 */
export function parseTime(text: string, nowMs: number): number | undefined {
  const ms = timeOf(text.trim(), nowMs)
  return ms === undefined || ms < 0 || ms > MAX_MS ? undefined : ms
}

function timeOf(text: string, nowMs: number): number | undefined {
  const midnight = nowMs - (nowMs % UNIT_MS['d']!)
  if (text === 'now') return nowMs
  if (text === 'today') return midnight
  if (text === 'yesterday') return midnight - UNIT_MS['d']!
  if (text.startsWith('-')) {
    const ms = parseDuration(text.slice(1))
    return ms === undefined ? undefined : nowMs - ms
  }
  return absolute(text)
}

/** The same without the times that depend on now. */
export function parseAbsoluteTime(text: string): number | undefined {
  const ms = absolute(text.trim())
  return ms === undefined || ms < 0 || ms > MAX_MS ? undefined : ms
}

function absolute(text: string): number | undefined {
  if (UNIX_SECONDS.test(text)) return Math.round(Number(text) * 1000)
  if (UNIX_MILLISECONDS.test(text)) return Number(text)
  return parseIso(text)
}

function parseIso(text: string): number | undefined {
  const match = DATE.exec(text)
  if (match === null) return undefined
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0)) as Six
  const ms = Math.floor(Number(`0.${match[7] ?? '0'}`) * 1000)
  const at = Date.UTC(year, month - 1, day, hour, minute, second, ms)
  // Date.UTC carries 30 February over into March; that is a mistake here.
  if (hour > 23 || minute > 59 || second > 59 || new Date(at).toISOString().slice(0, 10) !== text.slice(0, 10))
    return undefined
  const offset = offsetMs(match[8])
  return offset === undefined ? undefined : at - offset
}

type Six = [number, number, number, number, number, number]

function offsetMs(zone: string | undefined): number | undefined {
  if (zone === undefined || zone.toUpperCase() === 'Z') return 0
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(-2))]
  if (hours > 14 || minutes > 59) return undefined
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000
}

/**
 * The span of `--last`, or of `--from` and `--to`; `--to` alone ends the default span there. `--last` of a day and more is of whole
 * minutes, so that the sums alone answer it (rollup.ts). Errors: time_invalid.
 */
export function parseSpan(request: SpanRequest, nowMs: number): Span {
  const { last, from, to } = request
  if (last !== undefined) {
    if (from !== undefined || to !== undefined)
      throw new AppError('time_invalid', 'give either --last or --from and --to, not both')
    const ms = parseDuration(last.trim())
    if (ms === undefined || ms === 0)
      throw new AppError('time_invalid', `--last ${quoted(last)} is not a span; write 15m, 2h, 1h30m or 7d`)
    const span = { fromMs: Math.max(0, nowMs - ms), toMs: nowMs + 1, explicit: true }
    return ms < UNIT_MS['d']! ? span : { ...span, ...wholeMinutes(span) }
  }
  if (from === undefined && to === undefined)
    return { fromMs: nowMs - DEFAULT_SPAN_MS, toMs: nowMs + 1, explicit: false }
  const toMs = to === undefined ? nowMs + 1 : timeOption('--to', to, nowMs)
  const fromMs = from === undefined ? Math.max(0, toMs - DEFAULT_SPAN_MS) : timeOption('--from', from, nowMs)
  if (fromMs >= toMs)
    throw new AppError(
      'time_invalid',
      `the span is empty: it starts at ${isoTime(fromMs)} and ends at ${isoTime(toMs)}; give a --from before --to`,
    )
  return { fromMs, toMs, explicit: true }
}

/** The minutes that a span touches. */
function wholeMinutes({ fromMs, toMs }: Span): Pick<Span, 'fromMs' | 'toMs'> {
  const minute = UNIT_MS['m']!
  return { fromMs: Math.floor(fromMs / minute) * minute, toMs: Math.ceil(toMs / minute) * minute }
}

function timeOption(option: string, text: string, nowMs: number): number {
  const ms = parseTime(text, nowMs)
  if (ms !== undefined) return ms
  throw new AppError(
    'time_invalid',
    `${option} ${quoted(text)} is not a time; write 2026-01-31, 2026-01-31T08:00:00Z, -2h, yesterday or unix seconds`,
  )
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
}

/** ISO 8601 in UTC with milliseconds. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
