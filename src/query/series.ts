import { AppError } from '../errors.ts'
import type { Dimension } from './dimensions.ts'
import { figuresOf } from './figures.ts'
import { Params, type Plan } from './plan.ts'
import { quoted } from './request.ts'
import { onSums, TIME_MS } from './rollup.ts'
import { groupedSql, isSided, unionSql } from './sums.ts'
import { parseDuration, type Span } from './times.ts'
import { besidesOf, conditions, memberOf, selected, type Among, type TopQuery } from './top.ts'

/**
 * Figures over time. A record's bytes lie where it ended (`flow_end`), as everywhere, so the sums over a series are those of `top`.
 * Steps begin at multiples of their length since 1970 UTC; the first and the last may be cut by the span.
 */
const NICE_MS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30].map((s) => s * 1000)
  .concat([1, 2, 5, 10, 15, 30].map((m) => m * 60_000))
  .concat([1, 2, 6, 12].map((h) => h * 3_600_000))
  .concat([1, 7].map((d) => d * 86_400_000)) // prettier-ignore
const WANTED_STEPS = 120
/** More are no series that anybody reads. */
export const MAX_STEPS = 5_000

/** The step of `--step`, or one that gives at most 120. Errors: time_invalid. */
export function parseStep(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = parseDuration(text.trim())
  if (ms === undefined || ms < 1)
    throw new AppError('time_invalid', `--step ${quoted(text)} is no step; write 10s, 5m or 1h`)
  return ms
}

/** The step for a span. Errors: time_invalid when there would be too many. */
export function stepFor(span: Span, wanted: number | undefined): number {
  const length = span.toMs - span.fromMs
  const step = wanted ?? NICE_MS.find((ms) => length / ms <= WANTED_STEPS) ?? Math.ceil(length / WANTED_STEPS)
  if (length / step > MAX_STEPS)
    throw new AppError(
      'time_invalid',
      `--step ${step} ms gives ${Math.ceil(length / step)} steps; at most ${MAX_STEPS} are given`,
    )
  return step
}

/** The beginnings of all steps of a span, milliseconds. */
export function stepsOf({ fromMs, toMs }: Span, step: number): number[] {
  const first = Math.floor(fromMs / step)
  return Array.from({ length: Math.floor((toMs - 1) / step) - first + 1 }, (_, i) => (first + i) * step)
}

type SeriesQuery = Pick<TopQuery, 'count' | 'condition'> & { readonly dimensions: readonly Dimension[] }

/** All records: `step` (its number since 1970) and figures. */
export function wholePlan(query: SeriesQuery, span: Span, stepMs: number, sampled: boolean): Plan {
  return bucketPlan(query, { span, stepMs, sampled }, (bucket, where) =>
    unionSql(query, where, sampled, [{ suffix: '' }], bucket),
  )
}

/** The groups with these hashes: `group_hash`, `step` and figures. */
export function groupsPlan(query: TopQuery, span: Span, stepMs: number, sampled: boolean, among: Among): Plan {
  return bucketPlan(
    query,
    { span, stepMs, sampled },
    (bucket, where, params) =>
      groupedSql(query, where, sampled, { bucket, hashed: true, nameless: true, ...memberOf(query, among, params) }),
    'h AS group_hash, ',
  )
}

/** All other groups as one: `step` and figures. */
export function othersPlan(query: TopQuery, span: Span, stepMs: number, sampled: boolean, besides: Among): Plan {
  return bucketPlan(query, { span, stepMs, sampled }, (bucket, where, params) =>
    unionSql(query, where, sampled, [{ suffix: '', ...besidesOf(query, besides, params) }], bucket),
  )
}

/** Of sums where the step is of whole buckets. */
function bucketPlan(
  query: SeriesQuery,
  { span, stepMs, sampled }: { readonly span: Span; readonly stepMs: number; readonly sampled: boolean },
  inner: (bucket: string, where: readonly string[], params: Params) => string,
  more = '',
): Plan {
  const params = new Params()
  const where = conditions(query, span, params)
  const bucket = `intDiv(${TIME_MS}, ${params.bind('Int64', stepMs)})`
  const figures = figuresOf(isSided(query.dimensions), sampled).map(selected)
  const sql = `SELECT ${more}t AS step, ${figures.join(', ')} FROM (${inner(bucket, where, params)})`
  return onSums({ sql, params: params.values }, span, where, { grainMs: stepMs })
}
