/**
 * What panels select from: the one place where a panel's table is chosen.
 *
 * Spans are those of `ovsight top`: the start is inside, the end is not, to the millisecond.
 */
import type { ColumnName } from '../src/schema/columns.ts'
import { FLOWS } from '../src/schema/ddl.ts'

export const SPAN = 'flow_end >= $__fromTime_ms AND flow_end < $__toTime_ms'

/** Columns of sums that every source of records has. */
const SUMS = [
  'packets',
  'bytes',
  'l2_bytes',
  'toInt64(1) AS records',
  'samples',
  'bytes_variance',
  'l2_bytes_variance',
] as const

/**
 * The records of the span as a table to select from: `time`, the sums, and the columns named, so that it could be the sums by minute
 * as well where these have them. ClickHouse reads only those columns that the question around it uses.
 */
export function records(...columns: readonly ColumnName[]): string {
  return `(SELECT flow_end AS time, ${[...columns, ...SUMS].join(', ')} FROM ${FLOWS} WHERE ${SPAN})`
}

/** The flags and classes by which records count. */
export const COUNTS = ['counts_sent', 'counts_received', 'counts_once'] as const

/** Half the width of the interval that holds a sum in 95 of 100 cases, from the variance of what is summed. */
export function halfWidth(variance: string): string {
  return `1.96 * sqrt(${variance})`
}
