/**
 * What panels select from: the one place where a panel's table is chosen.
 *
 * Spans are those of `ovsight top`: the start is inside, the end is not, to the millisecond.
 */
import type { ColumnName } from '../src/schema/columns.ts'
import { FLOWS } from '../src/schema/ddl.ts'
import { ROLLUP_KEYS, type RollupName } from '../src/schema/rollups.ts'

export const SPAN = 'flow_end >= $__fromTime_ms AND flow_end < $__toTime_ms'

/** What whole minutes and whole hours of the span are, as constants that the engine works out before it reads. */
const MINUTES_FROM = "toStartOfMinute(toDateTime($__fromTime_ms + INTERVAL 59999 MILLISECOND, 'UTC'))"
const MINUTES_TO = "toStartOfMinute(toDateTime($__toTime_ms, 'UTC'))"
const HOURS_FROM = `toStartOfHour(${MINUTES_FROM} + INTERVAL 3599 SECOND)`
const HOURS_TO = `toStartOfHour(${MINUTES_TO})`
/** From so many on sums are read; below, the records are as quick. */
const LEAST_BUCKETS = 10

/** Columns of sums that every source of records has, as each table has them. */
const SUMS = {
  packets: 'toInt64(packets)',
  bytes: 'toInt64(bytes)',
  l2_bytes: 'toInt64(l2_bytes)',
  records: 'toInt64(1)',
  samples: 'toInt64(samples)',
  bytes_variance: 'bytes_variance',
  l2_bytes_variance: 'l2_bytes_variance',
} as const
const KEYS: ReadonlySet<string> = new Set(ROLLUP_KEYS)

/**
 * The records of the span as a table to select from: `time`, sums, and the columns named. Where the tables of sums have all of these
 * columns, whole minutes and hours are read from there, and only the ends of the span from the records: the answer is the same
 * to the byte. ClickHouse reads only those columns that the question around it uses.
 *
 * Days as a fourth table were tried: of 30 days a third of the rows is read, but planning the statement takes longer than that saves
 * (the servers of a network: 167 and 230 ms of the engine's CPU time, over 15 minutes 157 and 183).
 */
export function records(...columns: readonly ColumnName[]): string {
  return source(columns, '1', '1')
}

/** The same for figures over time: minutes and hours serve where the step of the panel is made of whole ones. */
export function recordsOverTime(...columns: readonly ColumnName[]): string {
  return source(columns, '$__interval_s % 60 = 0', '$__interval_s % 3600 = 0')
}

function source(columns: readonly ColumnName[], minutesFit: string, hoursFit: string): string {
  if (!columns.every((name) => KEYS.has(name))) return `(${select(columns, FLOWS, SPAN)})`
  const minutes = `(${minutesFit} AND dateDiff('minute', ${MINUTES_FROM}, ${MINUTES_TO}) >= ${LEAST_BUCKETS})`
  const hours = `(${minutes} AND ${hoursFit} AND dateDiff('hour', ${HOURS_FROM}, ${HOURS_TO}) >= ${LEAST_BUCKETS})`
  const within = (column: string, from: string, to: string) => `${column} >= ${from} AND ${column} < ${to}`
  const parts = [
    select(columns, FLOWS, `${SPAN} AND NOT (${minutes} AND ${within('flow_end', MINUTES_FROM, MINUTES_TO)})`),
    select(
      columns,
      'flows_1m',
      `${minutes} AND ${within('bucket', MINUTES_FROM, MINUTES_TO)} AND NOT (${hours} AND ${within('bucket', HOURS_FROM, HOURS_TO)})`,
    ),
    select(columns, 'flows_1h', `${hours} AND ${within('bucket', HOURS_FROM, HOURS_TO)}`),
  ]
  return `(${parts.join('\nUNION ALL ')})`
}

function select(columns: readonly ColumnName[], table: typeof FLOWS | RollupName, where: string): string {
  const time = table === FLOWS ? 'flow_end' : "toDateTime64(bucket, 3, 'UTC')"
  const sums = Object.entries(SUMS).map(([name, of]) => (table === FLOWS ? `${of} AS ${name}` : name))
  return `SELECT ${time} AS time, ${[...columns, ...sums].join(', ')} FROM ${table} WHERE ${where}`
}

/** The flags and classes by which records count. */
export const COUNTS = ['counts_sent', 'counts_received', 'counts_once'] as const

/** Half the width of the interval that holds a sum in 95 of 100 cases, from the variance of what is summed. */
export function halfWidth(variance: string): string {
  return `1.96 * sqrt(${variance})`
}

/** Order of figures over time, with zeros where nothing was: a step without flows is no traffic, not a line from the last to the next. */
const FILL =
  'time WITH FILL FROM toStartOfInterval(toDateTime($__fromTime_ms), INTERVAL $__interval_s second) TO toDateTime($__toTime_ms) STEP toIntervalSecond($__interval_s)'
export const EVERY_STEP = `ORDER BY ${FILL}`

/** The same where rows are of several series, told apart by the column `label`; `sql` has no order of its own. */
export function everyStepBy(label: string, sql: string): string {
  return `SELECT * FROM (${sql} ORDER BY ${label}, ${FILL}) ORDER BY time, ${label}`
}
