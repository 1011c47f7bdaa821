/** `ovsight identity history` and /api/v1/history: who was what, and when. */
import { AppError } from '../errors.ts'
import { enumValues } from '../schema/enums.ts'
import { FOR_EVER_MS, IDENTITY_TABLE } from '../schema/identity-tables.ts'
import { macText } from './address.ts'
import { didYouMean } from './nearest.ts'
import { Params, type Asker } from './plan.ts'
import { parseLimit, quoted, type Answer, type Row } from './request.ts'
import { isoTime, parseTime } from './times.ts'

export interface HistoryRequest {
  /** A name, an id or its first eight characters, an address, or a MAC address; without it everything. */
  of?: string | undefined
  /** project, network, server or port. */
  kind?: string | undefined
  /** Only what held then. */
  at?: string | undefined
  n?: string | undefined
}

export const DEFAULT_HISTORY_ROWS = 100

const COLUMNS = ['valid_from', 'valid_to', 'kind', 'name', 'id', 'project', 'project_id', 'network_id', 'server_id', 'host', 'mac', 'addresses'] as const // prettier-ignore
const KINDS: readonly string[] = enumValues('identity_kind')
/** So much of an id is taken for one. */
const ID_CHARACTERS = 8

/** Newest first. Errors: usage, time_invalid; query_failed, store_unreachable. */
export async function askHistory(asker: Asker, request: HistoryRequest, nowMs: number): Promise<Answer> {
  const atMs = checkHistory(request, nowMs)
  const limit = parseLimit(request.n, DEFAULT_HISTORY_ROWS)
  const params = new Params()
  const where = ['1']
  if (request.kind !== undefined) where.push(`toString(kind) = ${params.bind('String', request.kind)}`)
  if (request.of !== undefined && request.of !== '') where.push(ofCondition(request.of, params))
  if (atMs !== undefined) {
    const at = `fromUnixTimestamp64Milli(${params.bind('Int64', atMs)})`
    where.push(`valid_from <= ${at} AND valid_to > ${at}`)
  }
  const texts = COLUMNS.slice(3).filter((name) => name !== 'mac')
  const { rows } = await asker.query({
    sql:
      `SELECT toUnixTimestamp64Milli(valid_from) AS from_ms, toUnixTimestamp64Milli(valid_to) AS to_ms, toString(kind) AS sort, ` +
      `${texts.join(', ')}, mac FROM ${IDENTITY_TABLE.name} FINAL WHERE ${where.join(' AND ')} ` +
      `ORDER BY valid_from DESC, kind, id LIMIT ${limit}`,
    params: params.values,
  })
  const notes = rows.length > 0 ? [] : [await whyNone(asker, atMs)]
  return {
    columns: COLUMNS,
    rows: rows.map(rowOf),
    span: { fromMs: atMs ?? Number(rows.at(-1)?.['from_ms'] ?? nowMs), toMs: (atMs ?? nowMs) + 1, explicit: true },
    notes,
  }
}

/** Finds the mistakes of a request; the time it asks for. Errors: usage, time_invalid. */
export function checkHistory({ kind, at }: HistoryRequest, nowMs: number): number | undefined {
  if (kind !== undefined && !KINDS.includes(kind))
    throw new AppError('usage', `history is of ${KINDS.join(', ')}, not of ${quoted(kind)}${didYouMean(kind, KINDS)}`)
  if (at === undefined) return undefined
  const ms = parseTime(at, nowMs)
  if (ms !== undefined) return ms
  throw new AppError(
    'time_invalid',
    `at ${quoted(at)} is not a time; write 2026-01-31, 2026-01-31T08:00:00Z, -2h or yesterday`,
  )
}

function ofCondition(of: string, params: Params): string {
  const value = params.bind('String', of)
  const mac = /^(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(of) ? Number.parseInt(of.replaceAll(/[:-]/g, ''), 16) : 0
  return [
    `(name = ${value} OR id = ${value} OR has(splitByChar(',', toString(addresses)), ${value})`,
    ...(of.length >= ID_CHARACTERS ? [`startsWith(toString(id), ${value})`] : []),
    ...(mac === 0 ? [] : [`mac = ${params.bind('UInt64', mac)}`]),
  ]
    .join(' OR ')
    .concat(')')
}

async function whyNone(asker: Asker, atMs: number | undefined): Promise<string> {
  const { rows } = await asker.query({
    sql: `SELECT count() AS n, toUnixTimestamp64Milli(min(valid_from)) AS first FROM ${IDENTITY_TABLE.name}`,
    params: {},
  })
  if (Number(rows[0]?.['n'] ?? 0) === 0)
    return 'no history is stored; a collector with --identity, --os-cloud or --ovn-southbound writes it'
  const first = Number(rows[0]?.['first'])
  return atMs !== undefined && atMs < first
    ? `the history begins at ${isoTime(first)}; what records before it were of is in the records`
    : 'nothing of that name, id, address or MAC address is in the history'
}

function rowOf({ from_ms, to_ms, sort, mac, ...texts }: Readonly<Record<string, unknown>>): Row {
  return {
    valid_from: isoTime(Number(from_ms)),
    valid_to: Number(to_ms) === FOR_EVER_MS ? '' : isoTime(Number(to_ms)),
    kind: String(sort),
    mac: Number(mac) === 0 ? '' : macText(Number(mac)),
    ...(texts as Row),
  }
}
