/**
 * What lies in a span, and where it may begin and end, in one statement before the answer's own.
 *
 * Old records are gone while their sums are still there, minutes before hours, hours before days. A span that begins or ends inside a bucket whose finer
 * rows are gone is widened to the whole bucket: the nearest answer there is, and the user is told.
 *
 *   span       from ├──────┬──────────┬ … ┬──────────┬───────┤ to        what is read of each table (rollup.ts), and
 *   flows_1h   ├────┼──────┼──────────┤   ├──────────┼───────┼────┤      of each bucket that an end cuts, the table below and above
 *   flows_1d   ├────┴──────┴──────────┤ … ├──────────┴───────┴────┤
 */
import { FLOWS } from '../schema/ddl.ts'
import { ROLLUP_NAMES, ROLLUPS, type RollupName } from '../schema/rollups.ts'
import { Params, type Asker, type Plan } from './plan.ts'
import { READ_OF, pieceCondition, piecesOf, type Piece } from './rollup.ts'
import type { Span } from './times.ts'

/** What lies in a span. */
export interface Contents {
  readonly records: number
  /** Whether some of it are estimates from samples. */
  readonly sampled: boolean
}

/** The same, and the span itself or one widened to whole buckets at its ends. */
export interface Look extends Contents {
  readonly span: Span
}

/** A bucket that an end of the span lies in, as the coarser table and the finer one hold it. */
interface Edge {
  readonly end: 'from' | 'to'
  readonly fine: Piece
  readonly coarse: Piece
}

/** Errors: query_failed, store_unreachable. */
export async function lookInto(asker: Asker, span: Span): Promise<Look> {
  const pieces = piecesOf(span)
  const edges = edgesOf(span)
  const { rows } = await asker.query(lookPlan(pieces, edges))
  const found = rows.map((row) => ({
    table: row['name'],
    ms: Number(row['at']) * 1000,
    held: Number(row['held']),
    row,
  }))
  const inside = found.filter(({ table, ms, row }) =>
    table === FLOWS ? Number(row['inside']) === 1 : pieces.some((piece) => piece.table === table && isIn(ms, piece)),
  )
  const contents = {
    records: inside.reduce((sum, { held }) => sum + held, 0),
    sampled: inside.some(({ row }) => Number(row['sampled']) === 1),
  }
  const held = (piece: Piece) =>
    found.reduce((sum, one) => (one.table === piece.table && isIn(one.ms, piece) ? sum + one.held : sum), 0)
  const gone = edges.filter(({ fine, coarse }) => held(fine) < held(coarse))
  if (gone.length === 0) return { ...contents, span }
  const starts = gone.filter(({ end }) => end === 'from').map(({ coarse }) => coarse.fromMs)
  const ends = gone.filter(({ end }) => end === 'to').map(({ coarse }) => coarse.toMs)
  return {
    ...contents,
    span: { ...span, fromMs: Math.min(span.fromMs, ...starts), toMs: Math.max(span.toMs, ...ends) },
  }
}

function isIn(ms: number, { fromMs, toMs }: Piece): boolean {
  return ms >= fromMs && ms < toMs
}

/**
 * What each table holds of what is read of it and of the buckets that are cut: rows of a table's `name`, the second `at` which a bucket
 * starts, the records `held`, and whether some are `sampled`. Records go by minutes, those `inside` the span apart.
 */
function lookPlan(pieces: readonly Piece[], edges: readonly Edge[]): Plan {
  const params = new Params()
  const some = (of: readonly Piece[]) => of.map((piece) => pieceCondition(piece, params)).join(' OR ') || 'false'
  const parts = READ_OF.flatMap((table) => {
    const own = pieces.filter((piece) => piece.table === table)
    const cut = edges.flatMap(({ fine, coarse }) => [fine, coarse]).filter((piece) => piece.table === table)
    if (own.length + cut.length === 0) return []
    const [held, keys] =
      table === FLOWS
        ? ([
            'count()',
            cut.length === 0 ? ['0', '1'] : ['toUnixTimestamp(toStartOfMinute(flow_end))', some(own)],
          ] as const)
        : (['sum(records)', ['toUnixTimestamp(bucket)', '1']] as const)
    const where = some(joined([...own, ...cut]))
    return [
      `SELECT '${table}' AS name, ${keys[0]} AS at, ${keys[1]} AS inside, toInt64(${held}) AS held, ` +
        `max(samples) > 0 OR max(bytes_variance) > 0 AS sampled FROM ${table} WHERE ${where} GROUP BY at, inside`,
    ]
  })
  return { sql: parts.join(' UNION ALL '), params: params.values }
}

/** Pieces of one table put together where they meet. */
function joined(pieces: readonly Piece[]): Piece[] {
  const all: Piece[] = []
  for (const piece of pieces.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const last = all.at(-1)
    if (last === undefined || last.toMs < piece.fromMs) all.push(piece)
    else all[all.length - 1] = { ...last, toMs: Math.max(last.toMs, piece.toMs) }
  }
  return all
}

/** The buckets that the ends cut, where the span is read from sums at all. */
function edgesOf(span: Span): Edge[] {
  const read = piecesOf(span).map(({ table }) => table)
  // The coarsest table that is read, and all finer ones.
  const coarsest = Math.max(...read.map((table) => READ_OF.indexOf(table)))
  return ROLLUP_NAMES.slice(0, coarsest).flatMap((coarse, i) => cuts(span, READ_OF[i]!, coarse))
}

function cuts({ fromMs, toMs }: Span, fine: Piece['table'], coarse: RollupName): Edge[] {
  const { bucketMs } = ROLLUPS[coarse]
  return (['from', 'to'] as const).flatMap((end) => {
    const at = end === 'from' ? fromMs : toMs
    const start = Math.floor(at / bucketMs) * bucketMs
    if (start === at) return []
    const bucket = { fromMs: start, toMs: start + bucketMs }
    return [{ end, fine: { table: fine, ...bucket }, coarse: { table: coarse, ...bucket } }]
  })
}
