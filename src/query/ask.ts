import { COLUMN_NAMES } from '../schema/columns.ts'
import { askTop as askFigures, type TopRequest } from './ask-top.ts'
import { whatIsMissing } from './completeness.ts'
import { flowsPlan, type FlowsQuery } from './flows.ts'
import { settleNames } from './names.ts'
import type { Asker } from './plan.ts'
import { parseCondition, parseLimit, type Answer, type Condition, type RecordsRequest } from './request.ts'
import { parseSpan, type Span } from './times.ts'
import { readableRecord } from './values.ts'
import { whyNone, withinSpan } from './within.ts'

/**
 * Questions as people put them, in words, and their answers. The command line and the API both come through here, so they
 * take the same words, refuse the same mistakes and give the same rows.
 */
export { checkTop, DEFAULT_TOP_ROWS, type TopRequest } from './ask-top.ts'
export { askCompleteness } from './completeness.ts'
export { askMatrix, checkMatrix, type MatrixRequest } from './ask-matrix.ts'
export { askSeries, checkSeries, type SeriesRequest } from './ask-series.ts'
export { MAX_ROWS, type Answer, type Cell, type Row } from './request.ts'

export interface FlowsRequest extends RecordsRequest {
  n?: string | undefined
}

export const DEFAULT_FLOWS_ROWS = 20

/** The figures, and what is missing in them. Errors: column_unknown, those of `askFlows`. */
export async function askTop(asker: Asker, request: TopRequest, nowMs: number): Promise<Answer> {
  const answer = await askFigures(asker, request, nowMs)
  return { ...answer, completeness: await whatIsMissing(asker, answer.span) }
}

/** Errors: filter_invalid, name_ambiguous, time_invalid, usage; query_failed, store_unreachable. */
export async function askFlows(asker: Asker, request: FlowsRequest, nowMs: number): Promise<Answer> {
  const { query, span } = readFlows(request, nowMs)
  const within = await withinSpan(asker, span)
  await settleNames(asker, query.tree, within.span)
  const { rows } = await asker.query(flowsPlan(query, within.span))
  return {
    columns: COLUMN_NAMES,
    rows: rows.map(readableRecord),
    span: within.span,
    notes: [...within.notes, ...whyNone(rows.length, within, request)],
  }
}

/** Finds the mistakes of a request without asking anybody. Errors: filter_invalid, time_invalid, usage. */
export function checkFlows(request: FlowsRequest, nowMs: number): void {
  readFlows(request, nowMs)
}

function readFlows(request: FlowsRequest, nowMs: number): { query: FlowsQuery & Condition; span: Span } {
  const query = { limit: parseLimit(request.n, DEFAULT_FLOWS_ROWS), ...parseCondition(request.filter) }
  return { query, span: parseSpan(request, nowMs) }
}
