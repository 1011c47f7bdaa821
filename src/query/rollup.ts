/**
 * Where a report reads: the records, or the sums of them by minute and hour (schema/rollups.ts) for those parts of the span that
 * whole buckets fill. The answer is the same to the byte; over a month it comes from a thousandth of the rows.
 *
 *   span      from ├──────┬───────────────┬──────────────────────┬──────────────┬────┤ to
 *   read of        flows  flows_1m        flows_1h               flows_1m       flows
 */
import { COLUMN_NAMES, type ColumnName } from '../schema/columns.ts'
import { FLOWS } from '../schema/ddl.ts'
import { ROLLUP_KEYS, ROLLUP_SUMS, ROLLUP_SUM_NAMES, ROLLUPS, type RollupName } from '../schema/rollups.ts'
import type { Params } from './plan.ts'
import type { Span } from './times.ts'

/** What a report reads in place of the table of records. */
export interface Source {
  /** What stands after FROM, the span's condition inside. */
  readonly from: string
  /** What an expression over one record is called there. */
  sum(of: string): string
}

/** A part of a span and the table it is read from. */
export interface Piece {
  readonly table: typeof FLOWS | RollupName
  readonly fromMs: number
  readonly toMs: number
}

/** From so many whole buckets on a table of sums is read; below, the records are as quick. */
const LEAST_BUCKETS = 10
const MINUTE_MS = ROLLUPS.flows_1m.bucketMs
const HOUR_MS = ROLLUPS.flows_1h.bucketMs
const KEYS: ReadonlySet<string> = new Set(ROLLUP_KEYS)

/** Whether sums hold all that SQL over records names: the text is made of column names of this program and bound values. */
export function summed(...sql: readonly string[]): boolean {
  const words = new Set(sql.flatMap((part) => part.match(/\w+/g) ?? []))
  return COLUMN_NAMES.every((name) => !words.has(name) || KEYS.has(name))
}

/** The parts of a span in order of time; one of the records alone when it is short. */
export function piecesOf({ fromMs, toMs }: Pick<Span, 'fromMs' | 'toMs'>): Piece[] {
  const minutes = wholeBuckets(fromMs, toMs, MINUTE_MS)
  if (minutes === undefined) return [{ table: FLOWS, fromMs, toMs }]
  const hours = wholeBuckets(minutes.fromMs, minutes.toMs, HOUR_MS)
  const inner: Piece[] =
    hours === undefined
      ? [{ table: 'flows_1m', ...minutes }]
      : [
          { table: 'flows_1m', fromMs: minutes.fromMs, toMs: hours.fromMs },
          { table: 'flows_1h', ...hours },
          { table: 'flows_1m', fromMs: hours.toMs, toMs: minutes.toMs },
        ]
  const all: Piece[] = [
    { table: FLOWS, fromMs, toMs: minutes.fromMs },
    ...inner,
    { table: FLOWS, fromMs: minutes.toMs, toMs },
  ]
  return all.filter((piece) => piece.fromMs < piece.toMs)
}

function wholeBuckets(fromMs: number, toMs: number, bucketMs: number): { fromMs: number; toMs: number } | undefined {
  const from = Math.ceil(fromMs / bucketMs) * bucketMs
  const to = Math.floor(toMs / bucketMs) * bucketMs
  return to - from < LEAST_BUCKETS * bucketMs ? undefined : { fromMs: from, toMs: to }
}

/** The sums of a span, whatever they are read from, as one source. `columns` are those that are named, all of them keys. */
export function summedSource(span: Span, columns: readonly ColumnName[], params: Params): Source {
  const selects = piecesOf(span).map((piece) => selectOf(piece, columns, params))
  return { from: `(${selects.join(' UNION ALL ')})`, sum: sumColumn }
}

function selectOf(piece: Piece, columns: readonly ColumnName[], params: Params): string {
  const sums = ROLLUP_SUM_NAMES.map((name) => {
    const { of, type } = ROLLUP_SUMS[name]
    return piece.table === FLOWS ? `to${type}(${of('')}) AS sum_${name}` : `${name} AS sum_${name}`
  })
  return `SELECT ${[...columns, ...sums].join(', ')} FROM ${piece.table} WHERE ${pieceCondition(piece, params)}`
}

/** The condition that a row of the piece's table is in it. */
export function pieceCondition({ table, fromMs, toMs }: Piece, params: Params): string {
  const from = params.bind('Int64', fromMs)
  const to = params.bind('Int64', toMs)
  return table === FLOWS
    ? `flow_end >= fromUnixTimestamp64Milli(${from}) AND flow_end < fromUnixTimestamp64Milli(${to})`
    : `bucket >= toDateTime(intDiv(${from}, 1000), 'UTC') AND bucket < toDateTime(intDiv(${to}, 1000), 'UTC')`
}

const SUM_OF: ReadonlyMap<string, string> = new Map(ROLLUP_SUM_NAMES.map((name) => [ROLLUP_SUMS[name].of(''), name]))

function sumColumn(of: string): string {
  const name = SUM_OF.get(of)
  if (name === undefined) throw new Error(`no sum of ${of}`)
  return `sum_${name}`
}
