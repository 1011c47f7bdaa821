/**
 * Where a report reads: the records, or the sums of them by minute, hour and day (schema/rollups.ts) for those parts of the span that
 * whole buckets fill. The answer is the same to the byte; over a month it comes from a thousandth of the rows.
 *
 *   span      from ├──────┬──────────┬──────────┬─────────────────┬──────────┬──────────┬───────┤ to
 *   read of        flows  flows_1m   flows_1h   flows_1d          flows_1h   flows_1m   flows
 */
import { COLUMN_NAMES } from '../schema/columns.ts'
import { FLOWS } from '../schema/ddl.ts'
import {
  ROLLUP_KEYS,
  ROLLUP_SUMS,
  ROLLUP_SUM_NAMES,
  ROLLUP_NAMES,
  ROLLUPS,
  type RollupName,
} from '../schema/rollups.ts'
import { Params, type Plan } from './plan.ts'
import { SPAN_CONDITION, spanCondition } from './span-condition.ts'
import type { Span } from './times.ts'

/** A part of a span and the table it is read from. */
export interface Piece {
  readonly table: typeof FLOWS | RollupName
  readonly fromMs: number
  readonly toMs: number
}

/** From so many whole buckets on a table of sums is read; below, the finer one is as quick. */
const LEAST_BUCKETS: Readonly<Record<RollupName, number>> = { flows_1m: 10, flows_1h: 10, flows_1d: 3 }
const FROM_FLOWS = new RegExp(`FROM ${FLOWS} WHERE`, 'g')
/** What sums stand for in SQL over records, the longest first: an expression may hold another's columns. */
const EXPRESSIONS: readonly { name: string; of: string }[] = ROLLUP_SUM_NAMES.map((name) => ({
  name,
  of: ROLLUP_SUMS[name].of(''),
})).toSorted((a, b) => b.of.length - a.of.length)

/**
 * A plan that reads records of a span, made to read sums in their place where they hold all that it names; else the plan itself. All
 * SQL in it is `… FROM flows WHERE` with the condition of the span in it, made of names of this program and bound values.
 *
 * `conditions` are those that choose records: `bytes > 1000` means each record's, which a sum does not tell.
 */
export function onSums(
  plan: Plan,
  span: Pick<Span, 'fromMs' | 'toMs'>,
  conditions: readonly (string | undefined)[],
  { form = plan.sql, grainMs }: OnSums = {},
): Plan {
  if (!hasSums(span, grainMs) || conditions.some(isOfOneRecord)) return plan
  const pieces = piecesOf(span, grainMs)
  let sql = form.replace(SPAN_CONDITION, 'true')
  if (grainMs !== undefined) sql = sql.replaceAll(TIME_MS, SUMS_MS)
  for (const { name, of } of EXPRESSIONS) sql = sql.replaceAll(of, name)
  const words = new Set(sql.match(/\w+/g))
  const keys = ROLLUP_KEYS.filter((name) => words.has(name))
  const sums = ROLLUP_SUM_NAMES.filter((name) => words.has(name))
  const held = new Set<string>([...keys, ...sums])
  if (COLUMN_NAMES.some((name) => words.has(name) && !held.has(name))) return plan
  const params = new Params('sums')
  // Both edges of a table in one SELECT: planning a statement of seven takes as long as answering it of a month of days.
  const source = READ_OF.map((table) => pieces.filter((piece) => piece.table === table))
    .filter((some) => some.length > 0)
    .map((some) => piecesSql(some, words.has(SUMS_MS), keys, sums, params))
    .join(' UNION ALL ')
  return {
    sql: sql.replace(FROM_FLOWS, `FROM (${source}) WHERE`),
    params: { ...plan.params, ...params.values },
    records: plan,
  }
}

/** How sums are asked. */
export interface OnSums {
  /** The same question put in another way that suits sums. */
  readonly form?: string
  /** What `TIME_MS` is divided by, where it is: no coarser buckets are read. */
  readonly grainMs?: number
}

/** The time of a record as plans have it that are on sums, too. */
export const TIME_MS = 'toUnixTimestamp64Milli(flow_end)'
/** The same of a bucket of sums. */
const SUMS_MS = 'bucket_ms'

/** Whether whole buckets of sums, none coarser than the grain, are in a span. */
export function hasSums(span: Pick<Span, 'fromMs' | 'toMs'>, grainMs?: number): boolean {
  return piecesOf(span, grainMs).some(({ table }) => table !== FLOWS)
}

const KEYS: ReadonlySet<string> = new Set(ROLLUP_KEYS)

function isOfOneRecord(condition = ''): boolean {
  const words = new Set(condition.replace(SPAN_CONDITION, '').match(/\w+/g))
  return COLUMN_NAMES.some((name) => words.has(name) && !KEYS.has(name))
}

/** Where a span may be read of, the finest first. */
export const READ_OF: readonly Piece['table'][] = [FLOWS, ...ROLLUP_NAMES]

/** `pieces` are of one table: one, or the two edges around what others hold. */
function piecesSql(
  pieces: readonly Piece[],
  timed: boolean,
  keys: readonly string[],
  sums: readonly (typeof ROLLUP_SUM_NAMES)[number][],
  params: Params,
): string {
  const [{ table, fromMs, toMs }, after] = pieces as readonly [Piece, ...Piece[]]
  const values = sums.map((name) => {
    const { type, of } = ROLLUP_SUMS[name]
    return table === FLOWS ? `to${type}(${of('')}) AS ${name}` : name
  })
  const [time, at] = table === FLOWS ? ['flow_end', msSql] : ['bucket', bucketSql]
  const whole = pieceCondition({ table, fromMs, toMs: after?.toMs ?? toMs }, params)
  const without = after && `(${time} < ${at(toMs, params)} OR ${time} >= ${at(after.fromMs, params)})`
  const condition = without === undefined ? whole : `${whole} AND ${without}`
  const ms = timed ? [`${table === FLOWS ? TIME_MS : 'toInt64(toUnixTimestamp(bucket)) * 1000'} AS ${SUMS_MS}`] : []
  return `SELECT ${[...ms, ...keys, ...values].join(', ') || '1'} FROM ${table} WHERE ${condition}`
}

/** The parts of a span in order of time, whole buckets of a grain; one of the records alone when it is short. */
export function piecesOf({ fromMs, toMs }: Pick<Span, 'fromMs' | 'toMs'>, grainMs = 0): Piece[] {
  let pieces: Piece[] = [{ table: FLOWS, fromMs, toMs }]
  // The middle is read of the next coarser table, as long as that has enough of it.
  for (const table of ROLLUP_NAMES) {
    if (grainMs % ROLLUPS[table].bucketMs !== 0) break
    const at = (pieces.length - 1) / 2
    const middle = pieces[at]!
    const whole = wholeBuckets(middle, table)
    if (whole === undefined) break
    const before = { ...middle, toMs: whole.fromMs }
    const after = { ...middle, fromMs: whole.toMs }
    pieces = [...pieces.slice(0, at), before, whole, after, ...pieces.slice(at + 1)]
  }
  return pieces.filter((piece) => piece.fromMs < piece.toMs)
}

function wholeBuckets({ fromMs, toMs }: Piece, table: RollupName): Piece | undefined {
  const { bucketMs } = ROLLUPS[table]
  const from = Math.ceil(fromMs / bucketMs) * bucketMs
  const to = Math.floor(toMs / bucketMs) * bucketMs
  return to - from < LEAST_BUCKETS[table] * bucketMs ? undefined : { table, fromMs: from, toMs: to }
}

/** The condition that a row of the piece's table is in it. */
export function pieceCondition({ table, fromMs, toMs }: Piece, params: Params): string {
  if (table === FLOWS) return spanCondition({ fromMs, toMs }, params)
  return `bucket >= ${bucketSql(fromMs, params)} AND bucket < ${bucketSql(toMs, params)}`
}

function bucketSql(ms: number, params: Params): string {
  return `toDateTime(${params.bind('Int64', ms / 1000)}, 'UTC')`
}

function msSql(ms: number, params: Params): string {
  return `fromUnixTimestamp64Milli(${params.bind('Int64', ms)})`
}
