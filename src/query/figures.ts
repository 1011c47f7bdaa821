import { DIRECTIONS, figureName, MEASURE_NAMES, MEASURES, type MeasureName } from './measures.ts'

/**
 * From sums over sets of records to the figures of a report.
 *
 * An entity is summed over three sets: the records its ends sent, those they received, and the overlap, those between two of
 * its own ends, which both others hold. Everything else is summed over one set.
 */
export const SETS = ['sent', 'received', 'overlap'] as const
export type SetName = (typeof SETS)[number] | 'all'

/** What is summed of a set of records: the alias of the sum, and the expression over one record. */
export interface Sum {
  readonly set: SetName
  readonly alias: string
  readonly of: string
  readonly type: 'Int64' | 'Float64'
}

/** A result column: what it is called, and what of the sums it is. */
export interface Figure {
  readonly name: string
  readonly measure: MeasureName
  readonly sql: string
}

/** Half the width of an interval that holds 95 % of a normal distribution, in standard deviations. */
const WIDTH_95 = 1.96

/** The sums of a report, in the order in which every set has them. */
export function sumsOf(sided: boolean, sampled: boolean, measures: readonly MeasureName[] = MEASURE_NAMES): Sum[] {
  const sets: readonly SetName[] = sided ? SETS : ['all']
  return sets.flatMap((set) => measures.flatMap((measure) => sumsOfMeasure(set, measure, sampled)))
}

function sumsOfMeasure(set: SetName, measure: MeasureName, sampled: boolean): Sum[] {
  const { sum, variance } = MEASURES[measure]
  const figure: Sum = { set, alias: alias('m', set, measure), of: sum, type: 'Int64' }
  if (!sampled || variance === undefined) return [figure]
  return [figure, { set, alias: alias('v', set, measure), of: variance, type: 'Float64' }]
}

/** The figures of a report, in order; errors last. `suffix` stands behind the aliases of the sums. */
export function figuresOf(sided: boolean, sampled: boolean, suffix = ''): Figure[] {
  const directions = sided ? DIRECTIONS : (['both'] as const)
  const each = MEASURE_NAMES.flatMap((measure) => directions.map((direction) => ({ measure, direction })))
  const figures = each.map(({ measure, direction }) => ({
    name: figureName(direction, measure),
    measure,
    sql: combined('m', direction, measure, sided, suffix),
  }))
  const errors = each
    .filter(({ measure }) => sampled && MEASURES[measure].variance !== undefined)
    .map(({ measure, direction }) => ({
      name: errorName(figureName(direction, measure)),
      measure,
      sql: halfWidth(combined('v', direction, measure, sided, suffix)),
    }))
  return [...figures, ...errors]
}

export function errorName(figure: string): string {
  return `${figure}_error`
}

/** SQL of the error of an estimate with this variance. Differences of floating sums may fall a hair below zero. */
export function halfWidth(variance: string): string {
  return `${WIDTH_95} * sqrt(greatest(0, ${variance}))`
}

/** The measures that sampling makes estimates, and the variance of one record. */
export function variancesOf(): { measure: MeasureName; variance: string }[] {
  return MEASURE_NAMES.flatMap((measure) => {
    const { variance } = MEASURES[measure]
    return variance === undefined ? [] : [{ measure, variance }]
  })
}

/** A figure of a row as a number; errors are rounded. */
export function figureValue(name: string, row: Readonly<Record<string, unknown>>): number {
  const value = Number(row[name])
  return name.endsWith('_error') ? Math.round(value) : value
}

function combined(
  what: 'm' | 'v',
  direction: (typeof DIRECTIONS)[number],
  measure: MeasureName,
  sided: boolean,
  suffix: string,
): string {
  if (!sided) return `${alias(what, 'all', measure)}${suffix}`
  if (direction !== 'both') return `${alias(what, direction, measure)}${suffix}`
  const [sent, received, overlap] = SETS.map((set) => `${alias(what, set, measure)}${suffix}`)
  return `(${sent} + ${received} - ${overlap})`
}

function alias(what: 'm' | 'v', set: SetName, measure: MeasureName): string {
  return `${what}_${set}_${measure}`
}
