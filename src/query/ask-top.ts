import { whatIsMissing } from './completeness.ts'
import { readConversations } from './ask-conversations.ts'
import { parseDimensions } from './dimensions.ts'
import { parseBy } from './measures.ts'
import { settleNames } from './names.ts'
import type { Asker } from './plan.ts'
import {
  parseCondition,
  parseCount,
  parseFlag,
  parseLimit,
  parseSpanOption,
  quoted,
  type Answer,
  type Cell,
  type Condition,
  type RecordsRequest,
} from './request.ts'
import { hasSums } from './rollup.ts'
import { isSided } from './sums.ts'
import { isoTime, parseSpan, type Span } from './times.ts'
import {
  topColumns,
  topPlan,
  topRows,
  TOTALS,
  totalsPlan,
  totalsRow,
  trendPlan,
  trendStepMs,
  type TopQuery,
} from './top.ts'
import { asGuessed, whyNone, withinSpan, type Within } from './within.ts'
import { AppError } from '../errors.ts'

export interface TopRequest extends RecordsRequest {
  dimensions: readonly string[]
  by?: string | undefined
  /** `once` (default) or `all`. */
  count?: string | undefined
  n?: string | undefined
  /** Which of `EXTRAS` the answer has beside the figures, with commas. */
  with?: string | undefined
  /** How long before the same span is to compare with. */
  compare?: string | undefined
  /** Both directions of a conversation in one row. */
  bidirectional?: string | undefined
}

/**
 * THE table of what an answer of top may have beside the figures. Each costs about as much as the figures themselves.
 */
export const EXTRAS = {
  share: 'what part of the total the row is, 0 … 1, of the figure it is sorted by',
  trend: 'the course of that figure over the span, in 24 equal parts',
  totals: 'two rows more: all other groups as one, and all groups as one, in which each byte holds once',
} as const satisfies Readonly<Record<string, string>>

export type Extra = keyof typeof EXTRAS
export const EXTRA_NAMES = Object.keys(EXTRAS) as Extra[]
export const TREND_BUCKETS = 24
export const DEFAULT_TOP_ROWS = 10
const DEFAULT_DIMENSIONS = ['server']

interface Read {
  readonly query: TopQuery & Condition
  readonly span: Span
  readonly extras: ReadonlySet<Extra>
  readonly compareMs: number | undefined
}

/**
 * The figures, and what is missing in them. Errors: column_unknown, filter_invalid, name_ambiguous, time_invalid, usage; query_failed,
 * store_unreachable.
 */
export async function askTop(asker: Asker, request: TopRequest, nowMs: number): Promise<Answer> {
  const [span, figures] = parseFlag('--bidirectional', request.bidirectional)
    ? readConversations(request, nowMs)
    : readFigures(request, nowMs)
  const within = withinSpan(asker, span)
  const [answer, completeness] = await Promise.all([
    figures(asker, within),
    asker.scope === undefined ? asGuessed(span, within, (real) => whatIsMissing(asker, real)) : [],
  ])
  return { ...answer, completeness }
}

/** What asks for figures; it is told the span while that is still looked into. */
export type AskFigures = (asker: Asker, within: Promise<Within>) => Promise<Answer>

function readFigures(request: TopRequest, nowMs: number): [Span, AskFigures] {
  const read = readTop(request, nowMs)
  return [read.span, (asker, within) => askFigures(asker, request, read, within)]
}

async function askFigures(
  asker: Asker,
  request: TopRequest,
  { query, span, extras, compareMs }: Read,
  looked: Promise<Within>,
): Promise<Answer> {
  const names = asGuessed(span, looked, (real) => settleNames(asker, query.tree, real))
  // Of sums the errors of estimates cost a fifth more, of records as much again as the figures.
  const groups = hasSums(span) ? asGuessed(span, looked, (real) => asker.query(topPlan(query, real, true))) : undefined
  groups?.catch(() => {})
  const [within, unknown] = await Promise.all([looked, names])
  const { sampled } = within.contents
  const { rows: found } = await (groups ?? asker.query(topPlan(query, within.span, sampled)))
  const base = topRows(query, sampled, found)
  const hashes = found.map((row) => Number(row['group_hash']))
  const added = await addedTo(asker, { query, span: within.span, sampled, hashes, extras, compareMs })
  const columns = [...(extras.has('totals') ? ['row'] : []), ...topColumns(query, sampled), ...added.columns]
  const blank = Object.fromEntries(topColumns(query, sampled).map((column) => [column, ''] as const))
  const rows = base.map((row, i) => ({
    ...(extras.has('totals') ? { row: 'group' } : {}),
    ...row,
    ...added.cells(row, hashes[i]),
  }))
  const totals =
    extras.has('totals') && rows.length > 0 ? added.totals.map((row) => ({ ...row, ...added.cells(row) })) : []
  return {
    columns,
    rows: [...rows, ...totals.map((row) => ({ row: '', ...blank, ...row }))],
    span: within.span,
    notes: [...within.notes, ...unknown, ...added.notes, ...whyNone(rows.length, within, request, sidedNames(query))],
  }
}

/** Finds the mistakes of a request without asking anybody. Errors: column_unknown, filter_invalid, time_invalid, usage. */
export function checkTop(request: TopRequest, nowMs: number): void {
  if (parseFlag('--bidirectional', request.bidirectional)) readConversations(request, nowMs)
  else readTop(request, nowMs)
}

export function readTop(request: TopRequest, nowMs: number): Read {
  const dimensions = parseDimensions(request.dimensions.length === 0 ? DEFAULT_DIMENSIONS : request.dimensions)
  const query = {
    dimensions,
    by: parseBy(request.by, isSided(dimensions)),
    limit: parseLimit(request.n, DEFAULT_TOP_ROWS),
    count: parseCount(request.count),
    ...parseCondition(request.filter),
  }
  return {
    query,
    span: parseSpan(request, nowMs),
    extras: parseExtras(request.with),
    compareMs: parseSpanOption('--compare', request.compare),
  }
}

export function sidedNames({ dimensions }: Pick<TopQuery, 'dimensions'>): string[] {
  return dimensions.filter(({ sided }) => sided).map(({ name }) => name)
}

function parseExtras(text: string | undefined): ReadonlySet<Extra> {
  const words = (text ?? '').split(',').map((word) => word.trim()).filter(Boolean) // prettier-ignore
  if (words.includes('all')) return new Set(EXTRA_NAMES)
  const unknown = words.find((word) => word !== 'none' && !Object.hasOwn(EXTRAS, word))
  if (unknown !== undefined)
    throw new AppError('usage', `--with ${quoted(unknown)} is none of ${EXTRA_NAMES.join(', ')}, all, none`)
  return new Set(EXTRA_NAMES.filter((name) => words.includes(name)))
}

interface Adding {
  readonly query: TopQuery
  readonly span: Span
  readonly sampled: boolean
  readonly hashes: readonly number[]
  readonly extras: ReadonlySet<Extra>
  readonly compareMs: number | undefined
}

/** What the answer has beside the figures: columns, and their cells by the group's hash. */
interface Added {
  readonly columns: readonly string[]
  readonly totals: readonly Record<string, Cell>[]
  readonly notes: readonly string[]
  cells(row: Readonly<Record<string, Cell>>, hash?: number): Record<string, Cell>
}

async function addedTo(asker: Asker, adding: Adding): Promise<Added> {
  const { query, extras, hashes, compareMs } = adding
  const [totals, trends, before] = await Promise.all([
    extras.has('share') || extras.has('totals') ? totalsOf(asker, adding) : [],
    extras.has('trend') && hashes.length > 0 ? trendsOf(asker, adding) : new Map<number, number[]>(),
    compareMs === undefined ? undefined : beforeOf(asker, adding, compareMs),
  ])
  const whole = Number(totals.find(({ row }) => row === 'total')?.[query.by] ?? 0)
  const [beforeName, changeName] = [`${query.by}_before`, `${query.by}_change`]
  return {
    columns: [
      ...(extras.has('share') ? ['share'] : []),
      ...(extras.has('trend') ? ['trend'] : []),
      ...(before === undefined ? [] : [beforeName, changeName]),
    ],
    totals,
    notes: before?.notes ?? [],
    cells: (row, hash) => ({
      ...(extras.has('share') ? { share: whole === 0 ? 0 : Number(row[query.by]) / whole } : {}),
      ...(extras.has('trend') ? { trend: hash === undefined ? [] : (trends.get(hash) ?? []) } : {}),
      ...(before === undefined
        ? {}
        : changeCells(beforeName, changeName, before.value(row, hash), Number(row[query.by]))),
    }),
  }
}

function changeCells(beforeName: string, changeName: string, before: number, now: number): Record<string, Cell> {
  return { [beforeName]: before, [changeName]: before === 0 ? null : (now - before) / before }
}

/** Rows `other` and `total`. */
async function totalsOf(asker: Asker, { query, span, sampled, hashes }: Adding): Promise<Record<string, Cell>[]> {
  const { rows } = await asker.query(totalsPlan(query, span, sampled, { hashes }))
  const sums = rows[0] ?? {}
  return (['other', 'total'] as const).map((name) => ({ row: name, ...totalsRow(query, sampled, name, sums) }))
}

async function trendsOf(asker: Asker, { query, span, hashes }: Adding): Promise<Map<number, number[]>> {
  const { rows } = await asker.query(trendPlan(query, span, TREND_BUCKETS, { hashes }))
  const buckets = Math.min(TREND_BUCKETS, Math.ceil((span.toMs - span.fromMs) / trendStepMs(span, TREND_BUCKETS)))
  const trends = new Map(hashes.map((hash) => [hash, Array.from({ length: buckets }, () => 0)]))
  for (const row of rows) trends.get(Number(row['group_hash']))![Number(row['bucket'])] = Number(row['value'])
  return trends
}

/** The same groups, and all and other groups, in the same span as long before as `compareMs`. */
async function beforeOf(
  asker: Asker,
  { query, span, hashes }: Adding,
  compareMs: number,
): Promise<{ notes: string[]; value(row: Readonly<Record<string, Cell>>, hash?: number): number }> {
  const past = { ...span, fromMs: Math.max(0, span.fromMs - compareMs), toMs: Math.max(1, span.toMs - compareMs) }
  const limited = { ...query, limit: Math.max(1, hashes.length) }
  const [groups, totals] = await Promise.all([
    hashes.length === 0 ? { rows: [] } : asker.query(topPlan(limited, past, false, { hashes })),
    asker.query(totalsPlan(query, past, false, { hashes })),
  ])
  const ofGroups = new Map(groups.rows.map((row) => [String(row['group_hash']), Number(row[query.by])]))
  const ofTotals = new Map<string, number>(TOTALS.map((name) => [name, totalsRow(query, false, name, totals.rows[0] ?? {})[query.by] ?? 0])) // prettier-ignore
  const none = ofTotals.get('total') === 0
  return {
    notes: none ? [`nothing to compare with from ${isoTime(past.fromMs)} to ${isoTime(past.toMs)}`] : [],
    value: (row, hash) => (hash === undefined ? ofTotals.get(String(row['row'])) : ofGroups.get(String(hash))) ?? 0,
  }
}
