import { AppError } from '../errors.ts'
import { ROLLUP_SUMS } from '../schema/rollups.ts'
import { didYouMean } from './nearest.ts'

/**
 * THE table of measures: what reports sum. `sum` is the expression over one record; `variance` the variance of that figure as
 * an estimate, where sampling makes it one (addable, so a sum of records has the sum of the variances).
 */
export const MEASURES = {
  bytes: { sum: 'bytes', variance: 'bytes_variance', unit: 'bytes' },
  l2_bytes: { sum: 'l2_bytes', variance: 'l2_bytes_variance', unit: 'bytes' },
  packets: { sum: 'packets', variance: ROLLUP_SUMS.packets_variance.of(''), unit: 'count' },
  records: { sum: 'toUInt64(1)', variance: undefined, unit: 'count' },
} as const satisfies Record<string, { sum: string; variance: string | undefined; unit: 'bytes' | 'count' }>

export type MeasureName = keyof typeof MEASURES
export const MEASURE_NAMES = Object.keys(MEASURES) as MeasureName[]

/** The figures of an entity: what it sent, what it received, and both with every byte once, which has no prefix. */
export const DIRECTIONS = ['sent', 'received', 'both'] as const

/** `sent_bytes`, `received_bytes`, `bytes`. */
export function figureName(direction: (typeof DIRECTIONS)[number], measure: MeasureName): string {
  return direction === 'both' ? measure : `${direction}_${measure}`
}

/** Result columns a report can be sorted by. */
export function figureNames(sided: boolean): string[] {
  return MEASURE_NAMES.flatMap((measure) =>
    sided ? DIRECTIONS.map((direction) => figureName(direction, measure)) : [measure],
  )
}

/** Checks `--by`. Errors: column_unknown. */
export function parseBy(by: string | undefined, sided: boolean): string {
  if (by === undefined) return 'bytes'
  const names = figureNames(sided)
  if (names.includes(by)) return by
  if (figureNames(true).includes(by))
    throw new AppError(
      'column_unknown',
      `${by} needs one of the dimensions project, server, port, network or host; sort by ${names.join(', ')}`,
    )
  throw new AppError(
    'column_unknown',
    `${JSON.stringify(by.slice(0, 60))} is no measure${didYouMean(by, names)}; sort by ${names.join(', ')}`,
  )
}
