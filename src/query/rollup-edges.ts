/**
 * Old records are gone while their sums are still there, minutes before hours, hours before days. A span that begins or ends inside a bucket whose finer
 * rows are gone is widened to the whole bucket: the nearest answer there is, and the user is told.
 */
import { FLOWS } from '../schema/ddl.ts'
import { ROLLUP_NAMES, ROLLUPS, type RollupName } from '../schema/rollups.ts'
import { Params, type Asker } from './plan.ts'
import { READ_OF, pieceCondition, piecesOf, type Piece } from './rollup.ts'
import type { Span } from './times.ts'

/** A bucket that an end of the span lies in, as the coarser table and the finer one hold it. */
interface Edge {
  readonly end: 'from' | 'to'
  readonly fine: Piece
  readonly coarse: Piece
}

/** The span itself, or one widened to whole buckets at its ends. Errors: query_failed, store_unreachable. */
export async function widened(asker: Asker, span: Span): Promise<Span> {
  const edges = edgesOf(span)
  if (edges.length === 0) return span
  const params = new Params()
  const parts = edges.flatMap(({ fine, coarse }, i) => [
    `SELECT ${i} AS edge, toInt64(${fine.table === FLOWS ? 'count()' : 'sum(records)'}) AS fine, toInt64(0) AS coarse ` +
      `FROM ${fine.table} WHERE ${pieceCondition(fine, params)}`,
    `SELECT ${i} AS edge, toInt64(0) AS fine, toInt64(sum(records)) AS coarse FROM ${coarse.table} WHERE ${pieceCondition(coarse, params)}`,
  ])
  const sql = `SELECT edge, sum(fine) < sum(coarse) AS gone FROM (${parts.join(' UNION ALL ')}) GROUP BY edge`
  const { rows } = await asker.query({ sql, params: params.values })
  if (rows.every((row) => Number(row['gone']) === 0)) return span
  const gone = edges.filter((_, i) => rows.some((row) => Number(row['edge']) === i && Number(row['gone']) === 1))
  const starts = gone.filter(({ end }) => end === 'from').map(({ coarse }) => coarse.fromMs)
  const ends = gone.filter(({ end }) => end === 'to').map(({ coarse }) => coarse.toMs)
  return { ...span, fromMs: Math.min(span.fromMs, ...starts), toMs: Math.max(span.toMs, ...ends) }
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
