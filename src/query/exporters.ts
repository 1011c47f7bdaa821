import { FLOWS } from '../schema/ddl.ts'
import { readableAddress } from './address.ts'
import { completeness, type Completeness } from './completeness.ts'
import { Params, type Asker, type Plan } from './plan.ts'
import type { Answer, RecordsRequest, Row } from './request.ts'
import { isoTime, parseSpan, type Span } from './times.ts'
import { wholeSpan } from './span.ts'

/** Every exporter and protocol: what it sends, how much of it came, whether it is known, and how its clock goes. */
export interface Exporter {
  exporter: string
  host: string
  protocol: string
  records: number
  /** Observation domains, engine ids, sub-agents. */
  domains: string
  bridges: string
  /** Sampling rates, 1 in how many; 0 is not known. */
  rates: string
  /** Templates held of it (NetFlow v9, IPFIX); null where its protocol has none. */
  templates: number | null
  last_seen: string
  /** 0 to 100; null when nothing can be said. */
  percent: number | null
  lost: number
  undecoded: number
  faults: string
  mixed: number
  /** Records of which no end is known. */
  unattributed: number
  /** Why, the most frequent. */
  evidence: string
  /** By how much its clock is ahead (or, negative, behind, or its exports late), seconds: of the records that arrived soonest. */
  clock_s: number | null
  /** Records left out by exporter_limit, those kept standing for them; and records whose times were moved. */
  limited: number
  clock_moved: number
}

export const EXPORTER_COLUMNS = ['exporter', 'host', 'protocol', 'records', 'percent', 'last_seen', 'rates', 'templates', 'domains', 'bridges', 'lost', 'undecoded', 'faults', 'mixed', 'unattributed', 'evidence', 'clock_s', 'limited', 'clock_moved'] as const satisfies readonly (keyof Exporter)[] // prettier-ignore

/** Errors: time_invalid; query_failed, store_unreachable. */
export async function askExporters(asker: Asker, request: RecordsRequest, nowMs: number): Promise<Answer> {
  let span = parseSpan(request, nowMs)
  let rows = await exporters(asker, span)
  const notes: string[] = []
  if (rows.length === 0 && !span.explicit) {
    // A replayed capture is old.
    span = (await wholeSpan(asker))?.span ?? span
    rows = await exporters(asker, span)
  }
  if (rows.length === 0) notes.push('nothing was received in that time')
  return { columns: EXPORTER_COLUMNS, rows: rows.map((row): Row => ({ ...row })), span, notes }
}

/** Errors: query_failed, store_unreachable. */
export async function exporters(asker: Asker, span: Span): Promise<Exporter[]> {
  const [{ rows }, health] = await Promise.all([asker.query(plan(span)), completeness(asker, span)])
  const found = new Map(rows.map((row) => [`${address(row)} ${String(row['protocol'])}`, row]))
  const of = new Map(health.map((one) => [`${one.exporter} ${one.protocol}`, one]))
  const keys = [...new Set([...found.keys(), ...of.keys()])].filter((key) => !key.startsWith(' ')).toSorted()
  return keys.map((key) => merged(key, found.get(key), of.get(key)))
}

function plan(span: Span): Plan {
  const params = new Params()
  const lag = 'toUnixTimestamp64Milli(time_received) - toUnixTimestamp64Milli(flow_end)'
  const texts = (column: string) => `arrayStringConcat(arraySort(groupUniqArray(20)(toString(${column}))), ' ')`
  return {
    sql:
      `SELECT exporter AS address, toString(export_protocol) AS protocol, count() AS n, anyLast(exporter_host) AS host, ` +
      `${texts('observation_domain')} AS domains, ${texts('bridge')} AS bridges, ${texts('sampling_rate')} AS rates, ` +
      `toUnixTimestamp64Milli(max(time_received)) AS last_ms, countIf(role = 'unattributed') AS unattributed, ` +
      `toString(topKIf(1)(src_evidence, role = 'unattributed')[1]) AS evidence, ` +
      `quantile(0.05)(${lag}) AS lag_ms FROM ${FLOWS} WHERE ${arrived(span, params)} GROUP BY exporter, export_protocol`,
    params: params.values,
  }
}

/** By time of arrival: the records of a clock that is ahead lie in the future. */
function arrived({ fromMs, toMs }: Span, params: Params): string {
  const [from, to] = [params.bind('Int64', fromMs), params.bind('Int64', toMs)]
  return `time_received >= fromUnixTimestamp64Milli(${from}) AND time_received < fromUnixTimestamp64Milli(${to})`
}

function address(row: Readonly<Record<string, unknown>>): string {
  return readableAddress(String(row['address']))
}

/** Protocols whose data needs templates. */
const TEMPLATED: ReadonlySet<string> = new Set(['netflow9', 'ipfix'])

/** Less than this is no fault of a clock: active timeouts and caches. */
const CLOCK_S = 2

/** The header's word goes before what the times of records let guess, which may have been moved. */
function clockOf(lag: number | undefined, offsetMs: number): number | null {
  const seconds = Math.abs(offsetMs) / 1000 >= CLOCK_S ? offsetMs / 1000 : lag
  return seconds === undefined ? null : Math.abs(seconds) < CLOCK_S ? 0 : Math.round(seconds)
}

function merged(
  key: string,
  row: Readonly<Record<string, unknown>> | undefined,
  health: Completeness | undefined,
): Exporter {
  const [exporter = '', protocol = ''] = key.split(' ')
  const text = (name: string, otherwise = '') => (typeof row?.[name] === 'string' ? row[name] : otherwise)
  const lag = row === undefined ? 0 : -Number(row['lag_ms']) / 1000
  return {
    exporter,
    protocol,
    host: text('host', health?.host),
    records: Number(row?.['n'] ?? 0),
    domains: text('domains'),
    bridges: text('bridges').trim(),
    rates: text('rates'),
    templates: TEMPLATED.has(protocol) ? (health?.templates ?? 0) : null,
    last_seen: row === undefined ? '' : isoTime(Number(row['last_ms'])),
    percent: health?.percent ?? null,
    lost: health?.lost ?? 0,
    undecoded: health?.undecoded ?? 0,
    faults: health?.faults ?? '',
    mixed: health?.mixed ?? 0,
    unattributed: Number(row?.['unattributed'] ?? 0),
    evidence: Number(row?.['unattributed'] ?? 0) === 0 ? '' : text('evidence'),
    clock_s: clockOf(row === undefined ? undefined : lag, health?.clock_offset ?? 0),
    limited: health?.limited ?? 0,
    clock_moved: health?.clock_moved ?? 0,
  }
}
