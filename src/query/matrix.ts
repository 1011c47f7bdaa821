import { FLOWS } from '../schema/ddl.ts'
import type { EntityName } from './dimensions.ts'
import { entityParty } from './ends.ts'
import { errorName, figureValue, halfWidth, variancesOf } from './figures.ts'
import { MEASURE_NAMES, MEASURES } from './measures.ts'
import { Params, type Plan } from './plan.ts'
import type { Cell, Condition } from './request.ts'
import { onSums } from './rollup.ts'
import { spanCondition } from './span-condition.ts'
import type { Span } from './times.ts'
import { readable } from './values.ts'

/**
 * Who talks to whom: sums over pairs of a source and a destination. A pair has three figures of each measure, so that it agrees with
 * `top` to the byte:
 *
 *   bytes            Σ counts_once      every byte once; all pairs together are the total
 *   sent_bytes       Σ counts_sent      over the row of X: what X sent
 *   received_bytes   Σ counts_received  over the column of X: what X received
 */
export interface MatrixQuery extends Condition {
  readonly entity: EntityName
  /** A result column. */
  readonly by: string
  readonly limit: number
}

const WEIGHTS = [
  ['sent_', 'counts_sent'],
  ['received_', 'counts_received'],
  ['', 'counts_once'],
] as const

/** What pairs can be sorted by, in order. */
export const MATRIX_FIGURES: readonly string[] = MEASURE_NAMES.flatMap((measure) =>
  WEIGHTS.map(([prefix]) => `${prefix}${measure}`),
)

/** The figures of a pair, in order; errors last. `sampled` adds these. */
function matrixFigures(sampled: boolean): readonly string[] {
  const errors = sampled ? variancesOf() : []
  return [
    ...MATRIX_FIGURES,
    ...errors.flatMap(({ measure }) => WEIGHTS.map(([prefix]) => errorName(`${prefix}${measure}`))),
  ]
}

/** The plan; its rows are for `matrixRows`. */
export function matrixPlan(query: MatrixQuery, span: Span, sampled: boolean): Plan {
  const params = new Params()
  const { key, shows } = entityParty(query.entity)
  const where = [
    spanCondition(span, params),
    query.condition(params),
    'counts_sent + counts_received + counts_once > 0',
  ].filter((part) => part !== undefined)
  const variances = sampled ? variancesOf() : []
  const inner = [
    `${key('src')} AS ks`,
    `${key('dst')} AS kd`,
    ...shows.flatMap(({ sql }, i) => [`${sql('src')} AS ns${i}`, `${sql('dst')} AS nd${i}`]),
    ...MEASURE_NAMES.map((measure, i) => `${MEASURES[measure].sum} AS m${i}`),
    ...variances.map(({ variance }, i) => `${variance} AS v${i}`),
    ...WEIGHTS.map(([, column], i) => `${column} AS w${i}`),
  ]
  const names = matrixShows(query).map(
    (name, i) => `max(n${i < shows.length ? 's' : 'd'}${i % shows.length}) AS ${name}`,
  )
  const sums = MEASURE_NAMES.flatMap((measure, m) =>
    WEIGHTS.map(([prefix], w) => `sum(m${m} * w${w}) AS ${prefix}${measure}`),
  )
  const errors = variances.flatMap(({ measure }, v) =>
    WEIGHTS.map(([prefix], w) => `${halfWidth(`sum(v${v} * w${w})`)} AS ${errorName(`${prefix}${measure}`)}`),
  )
  const order = [`${query.by} DESC`, ...matrixShows(query)]
  const sql =
    `SELECT ${[...names, ...sums, ...errors].join(', ')} FROM (SELECT ${inner.join(', ')} FROM ${FLOWS} WHERE ${where.join(' AND ')}) ` +
    `GROUP BY ks, kd HAVING sum(m${MEASURE_NAMES.indexOf('records')}) != 0 ORDER BY ${order.join(', ')} LIMIT ${query.limit}`
  return onSums({ sql, params: params.values }, span, where)
}

function matrixShows({ entity }: Pick<MatrixQuery, 'entity'>): string[] {
  const { shows } = entityParty(entity)
  return (['src', 'dst'] as const).flatMap((side) => shows.map(({ as }) => `${side}_${as}`))
}

export function matrixColumns(query: Pick<MatrixQuery, 'entity'>, sampled: boolean): string[] {
  return [...matrixShows(query), ...matrixFigures(sampled)]
}

export function matrixRows(
  { entity }: Pick<MatrixQuery, 'entity'>,
  sampled: boolean,
  rows: readonly Record<string, unknown>[],
): Record<string, Cell>[] {
  const { shows } = entityParty(entity)
  return rows.map((row) =>
    Object.fromEntries([
      ...(['src', 'dst'] as const).flatMap((side) =>
        shows.map(({ as, of }) => [`${side}_${as}`, readable(of, row[`${side}_${as}`])] as const),
      ),
      ...matrixFigures(sampled).map((name) => [name, figureValue(name, row)] as const),
    ]),
  )
}
