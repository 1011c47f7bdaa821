import type { Dimension } from './dimensions.ts'
import { figuresOf, figureValue, type Figure } from './figures.ts'
import { pairedSql } from './pairs.ts'
import { Params, type Plan } from './plan.ts'
import type { Cell } from './request.ts'
import { ROLLUP_NAMES, ROLLUPS } from '../schema/rollups.ts'
import { onSums, TIME_MS } from './rollup.ts'
import { spanCondition } from './span-condition.ts'
import { groupedSql, groupHash, isSided, shownBy, unionSql, type Grouping } from './sums.ts'
import type { Span } from './times.ts'
import { readable } from './values.ts'

/** Who moved most: sums over groups of records, see sums.ts. */
export interface TopQuery {
  readonly dimensions: readonly Dimension[]
  /** A figure to sort by, see `figureNames`. */
  readonly by: string
  readonly limit: number
  readonly count: 'once' | 'all'
  /** Adds a condition to the plan; binds its values there. */
  condition(params: Params): string | undefined
}

/** The same groups again: those with these hashes. */
export interface Among {
  readonly hashes: readonly number[]
}

/** A plan's conditions on records: its span and its filter. */
export function conditions(query: Pick<TopQuery, 'condition'>, span: Span, params: Params): string[] {
  return [spanCondition(span, params), query.condition(params)].filter((part) => part !== undefined)
}

/**
 * The plan of a report; its rows are for `topRows`, and each has its group's hash in `group_hash`. `sampled` adds the errors of
 * estimates, which cost as much again as the figures. What groups show is s0, s1, … inside; only the outermost SELECT
 * names them, so that no alias hides a column.
 */
export function topPlan(query: TopQuery, span: Span, sampled: boolean, among?: Among): Plan {
  const params = new Params()
  const where = conditions(query, span, params)
  const inner = groupedSql(query, where, sampled, { hashed: true, ...memberOf(query, among, params) })
  const shows = shownBy(query.dimensions)
  const names = shows.map(({ as }, i) => `s${i} AS ${as}`)
  const figures = figuresOf(isSided(query.dimensions), sampled).map(selected)
  const order = [`${query.by} DESC`, ...shows.map(({ as }) => as)]
  const sql =
    `SELECT ${[...names, ...figures, 'h AS group_hash'].join(', ')} FROM (${inner}) WHERE ${recordsOf(query, sampled)} != 0 ` +
    `ORDER BY ${order.join(', ')} LIMIT ${query.limit}`
  const kept = among === undefined ? [] : [`group_hash IN ${params.bind('Array(UInt64)', among.hashes)}`]
  const form = isSided(query.dimensions) ? pairedSql(query, where, sampled, kept) : sql
  return onSums({ sql, params: params.values }, span, where, { form })
}

/** A group that sums hold with as many records taken out as were put in (schema/rollups.ts) is none. */
function recordsOf({ dimensions }: TopQuery, sampled: boolean): string {
  return figuresOf(isSided(dimensions), sampled).find(({ name }) => name === 'records')!.sql
}

/** What `totalsPlan` sums: every known group, and those beside the given ones. */
export const TOTALS = ['total', 'other'] as const

/** One row with the figures of each of TOTALS, each byte once; for `totalsRow`. */
export function totalsPlan(query: TopQuery, span: Span, sampled: boolean, besides: Among): Plan {
  const params = new Params()
  const where = conditions(query, span, params)
  const unions = [{ suffix: '_total' }, { suffix: '_other', ...besidesOf(query, besides, params) }]
  const figures = TOTALS.flatMap((row) =>
    figuresOf(isSided(query.dimensions), sampled, `_${row}`).map(({ name, sql }) => `${sql} AS ${name}_${row}`),
  )
  const sql = `SELECT ${figures.join(', ')} FROM (${unionSql(query, where, sampled, unions)})`
  return onSums({ sql, params: params.values }, span, where)
}

/** The figures of one of TOTALS in the row of `totalsPlan`. */
export function totalsRow(
  { dimensions }: Pick<TopQuery, 'dimensions'>,
  sampled: boolean,
  of: (typeof TOTALS)[number],
  row: Record<string, unknown>,
): Record<string, number> {
  const figures = figuresOf(isSided(dimensions), sampled)
  return figureCells(figures, Object.fromEntries(figures.map(({ name }) => [name, row[`${name}_${of}`]])))
}

/** Part of a trend is at least so many buckets of sums long; the last of them counts where it begins. */
const TREND_GRAINS = 12

/**
 * Of each of the given groups the figure that `by` names, in buckets of time: `group_hash`, `bucket` (from 0), `value`. Long ones begin with a
 * whole minute, hour or day.
 */
export function trendPlan(query: TopQuery, span: Span, buckets: number, among: Among): Plan {
  const params = new Params()
  const where = conditions(query, span, params)
  const from = params.bind('Int64', span.fromMs)
  const stepMs = trendStepMs(span, buckets)
  const step = params.bind('Int64', stepMs)
  const grainMs = ROLLUP_NAMES.map((name) => ROLLUPS[name].bucketMs).findLast((ms) => ms * TREND_GRAINS <= stepMs)
  const time = grainMs === undefined ? TIME_MS : `intDiv(${TIME_MS}, ${grainMs}) * ${grainMs}`
  const bucket = `intDiv(${time} - ${from}, ${step})`
  const figure = figuresOf(isSided(query.dimensions), false).find(({ name }) => name === query.by)!
  const only = { measures: [figure.measure], nameless: true, ...memberOf(query, among, params) }
  const inner = groupedSql(query, where, false, { bucket, hashed: true, ...only })
  const sql = `SELECT h AS group_hash, t AS bucket, ${figure.sql} AS value FROM (${inner})`
  const plan = { sql, params: params.values }
  return grainMs === undefined ? plan : onSums(plan, span, where, { grainMs })
}

export function trendStepMs({ fromMs, toMs }: Span, buckets: number): number {
  return Math.max(1, Math.ceil((toMs - fromMs) / buckets))
}

/** Keeps the groups with the hashes. */
export function memberOf({ dimensions }: TopQuery, among: Among | undefined, params: Params): Grouping {
  if (among === undefined) return {}
  const list = params.bind('Array(UInt64)', among.hashes)
  return { member: (side) => [`${groupHash(dimensions, side)} IN ${list}`] }
}

/** Keeps all other groups. */
export function besidesOf({ dimensions }: TopQuery, { hashes }: Among, params: Params): Grouping {
  if (hashes.length === 0) return {}
  const list = params.bind('Array(UInt64)', hashes)
  return { member: (side) => [`${groupHash(dimensions, side)} NOT IN ${list}`] }
}

export function selected({ name, sql }: Pick<Figure, 'name' | 'sql'>): string {
  return `${sql} AS ${name}`
}

/** Names of the columns of an answer, in order. */
export function topColumns({ dimensions }: Pick<TopQuery, 'dimensions'>, sampled: boolean): string[] {
  const figures = figuresOf(isSided(dimensions), sampled)
  return [...shownBy(dimensions).map(({ as }) => as), ...figures.map(({ name }) => name)]
}

/** Rows of the answer: values as people read them, numbers for figures. */
export function topRows(
  { dimensions }: Pick<TopQuery, 'dimensions'>,
  sampled: boolean,
  rows: readonly Record<string, unknown>[],
): Record<string, Cell>[] {
  const shows = shownBy(dimensions)
  const figures = figuresOf(isSided(dimensions), sampled)
  return rows.map((row) => ({
    ...Object.fromEntries(shows.map(({ as, column }) => [as, readable(column('src'), row[as])] as const)),
    ...figureCells(figures, row),
  }))
}

/** Figures of a row as numbers. */
export function figureCells(figures: readonly Figure[], row: Record<string, unknown>): Record<string, number> {
  return Object.fromEntries(figures.map(({ name }) => [name, figureValue(name, row)] as const))
}
