import { AppError } from '../errors.ts'
import { parseDimensions } from './dimensions.ts'
import { figuresOf } from './figures.ts'
import { parseBy } from './measures.ts'
import { settleNames } from './names.ts'
import type { Asker } from './plan.ts'
import {
  MAX_ROWS,
  parseCondition,
  parseCount,
  parseLimit,
  type Answer,
  type Cell,
  type RecordsRequest,
} from './request.ts'
import { groupsPlan, othersPlan, parseStep, stepFor, stepsOf, wholePlan } from './series.ts'
import { isSided, shownBy } from './sums.ts'
import { isoTime, parseSpan, type Span } from './times.ts'
import { figureCells, topPlan, topRows, type TopQuery } from './top.ts'
import { whyNone, withinSpan } from './within.ts'

export interface SeriesRequest extends RecordsRequest {
  dimensions: readonly string[]
  by?: string | undefined
  count?: string | undefined
  /** How many groups have a series of their own. */
  n?: string | undefined
  step?: string | undefined
}

export const DEFAULT_SERIES = 5

/**
 * Rows by time: `time` (ISO 8601, the beginning of the step), the group, `row` = `group` or `other` (all other groups as one; only with
 * dimensions), and figures. Every series has a row for every step. Errors: column_unknown, filter_invalid, name_ambiguous,
 * time_invalid, usage; query_failed, store_unreachable.
 */
export async function askSeries(asker: Asker, request: SeriesRequest, nowMs: number): Promise<Answer> {
  const { query, span, step } = readSeries(request, nowMs)
  const within = await withinSpan(asker, span)
  const unknown = await settleNames(asker, query.tree, within.span)
  const stepMs = stepFor(within.span, step)
  const { sampled } = within.contents
  const grid = { query, sampled, span: within.span, stepMs, steps: stepsOf(within.span, stepMs) }
  const rows = within.contents.records === 0 ? [] : await (query.dimensions.length === 0 ? whole : grouped)(asker, grid)
  const figures = figuresOf(isSided(query.dimensions), sampled).map(({ name }) => name)
  const shows = shownBy(query.dimensions).map(({ as }) => as)
  return {
    columns: ['time', ...(query.dimensions.length === 0 ? [] : ['row']), ...shows, ...figures],
    rows,
    span: within.span,
    notes: [...within.notes, ...unknown, ...whyNone(rows.length, within, request)],
  }
}

/** Errors: column_unknown, filter_invalid, time_invalid, usage. */
export function checkSeries(request: SeriesRequest, nowMs: number): void {
  readSeries(request, nowMs)
}

function readSeries(request: SeriesRequest, nowMs: number) {
  const dimensions = parseDimensions(request.dimensions)
  const query = {
    dimensions,
    by: parseBy(request.by, isSided(dimensions)),
    limit: parseLimit(request.n, DEFAULT_SERIES, 100),
    count: parseCount(request.count),
    ...parseCondition(request.filter),
  }
  return { query, span: parseSpan(request, nowMs), step: parseStep(request.step) }
}

interface Grid {
  readonly query: TopQuery
  readonly sampled: boolean
  readonly span: Span
  readonly stepMs: number
  readonly steps: readonly number[]
}

type Figures = Readonly<Record<string, number>>

async function whole(asker: Asker, { query, sampled, span, stepMs, steps }: Grid): Promise<Record<string, Cell>[]> {
  const { rows } = await asker.query(wholePlan(query, span, stepMs, sampled))
  const figures = byStep(query, sampled, rows)
  return steps.map((ms) => ({ time: isoTime(ms), ...(figures.get(ms / stepMs) ?? zeros(query, sampled)) }))
}

async function grouped(asker: Asker, { query, sampled, span, stepMs, steps }: Grid): Promise<Record<string, Cell>[]> {
  const { rows: found } = await asker.query(topPlan(query, span, false))
  if (found.length === 0) return []
  if (found.length * steps.length > MAX_ROWS)
    throw new AppError(
      'usage',
      `${found.length} series of ${steps.length} steps; give a longer --step or a smaller -n, at most ${MAX_ROWS} rows are given`,
    )
  const hashes = found.map((row) => Number(row['group_hash']))
  const [groups, others] = await Promise.all([
    asker.query(groupsPlan(query, span, stepMs, sampled, { hashes })),
    asker.query(othersPlan(query, span, stepMs, sampled, { hashes })),
  ])
  const shows = shownBy(query.dimensions).map(({ as }) => as)
  const heads = topRows(query, false, found).map((row) => Object.fromEntries(shows.map((as) => [as, row[as] ?? ''])))
  const series = heads.map((head, i) => ({
    head: { row: 'group', ...head },
    figures: byStep(query, sampled, groups.rows.filter((row) => Number(row['group_hash']) === hashes[i])), // prettier-ignore
  }))
  const other = {
    head: { row: 'other', ...Object.fromEntries(shows.map((as) => [as, ''])) },
    figures: byStep(query, sampled, others.rows.filter(holdsAny)),
  }
  const all = other.figures.size === 0 ? series : [...series, other]
  return steps.flatMap((ms) =>
    all.map(({ head, figures }) => ({
      time: isoTime(ms),
      ...head,
      ...(figures.get(ms / stepMs) ?? zeros(query, sampled)),
    })),
  )
}

/** The steps of all others hold nothing where there is nobody else. */
function holdsAny(row: Record<string, unknown>): boolean {
  return Object.entries(row).some(([name, value]) => name !== 'step' && Number(value) !== 0)
}

function byStep(
  { dimensions }: TopQuery,
  sampled: boolean,
  rows: readonly Record<string, unknown>[],
): Map<number, Figures> {
  const figures = figuresOf(isSided(dimensions), sampled)
  return new Map(rows.map((row) => [Number(row['step']), figureCells(figures, row)]))
}

function zeros({ dimensions }: TopQuery, sampled: boolean): Figures {
  return Object.fromEntries(figuresOf(isSided(dimensions), sampled).map(({ name }) => [name, 0]))
}
