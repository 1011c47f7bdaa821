import { AppError } from '../errors.ts'
import { ENTITIES, ENTITY_NAMES, type EntityName } from './dimensions.ts'
import { MATRIX_FIGURES, matrixColumns, matrixPlan, matrixRows, type MatrixQuery } from './matrix.ts'
import { settleNames } from './names.ts'
import { didYouMean } from './nearest.ts'
import type { Asker } from './plan.ts'
import { parseCondition, parseLimit, quoted, type Answer, type RecordsRequest } from './request.ts'
import { parseSpan, type Span } from './times.ts'
import { whyNone, withinSpan } from './within.ts'

export interface MatrixRequest extends RecordsRequest {
  /** project (default), server, port, network or host. */
  of?: string | undefined
  by?: string | undefined
  n?: string | undefined
}

export const DEFAULT_MATRIX_ROWS = 1000

/** Errors: column_unknown, filter_invalid, name_ambiguous, time_invalid, usage; query_failed, store_unreachable. */
export async function askMatrix(asker: Asker, request: MatrixRequest, nowMs: number): Promise<Answer> {
  const { query, span } = readMatrix(request, nowMs)
  const within = await withinSpan(asker, span)
  const { sampled } = within.contents
  const unknown = await settleNames(asker, query.tree, within.span)
  const { rows } = await asker.query(matrixPlan(query, within.span, sampled))
  const cut =
    rows.length === query.limit ? [`these are the ${rows.length} largest pairs; -n gives more, --filter fewer`] : []
  return {
    columns: matrixColumns(query, sampled),
    rows: matrixRows(query, sampled, rows),
    span: within.span,
    notes: [...within.notes, ...unknown, ...cut, ...whyNone(rows.length, within, request)],
  }
}

/** Errors: column_unknown, filter_invalid, time_invalid, usage. */
export function checkMatrix(request: MatrixRequest, nowMs: number): void {
  readMatrix(request, nowMs)
}

function readMatrix({ of, by, n, ...request }: MatrixRequest, nowMs: number): { query: MatrixQuery; span: Span } {
  const query = {
    entity: parseEntity(of),
    by: parseBy(by),
    limit: parseLimit(n, DEFAULT_MATRIX_ROWS),
    ...parseCondition(request.filter),
  }
  return { query, span: parseSpan(request, nowMs) }
}

function parseEntity(word: string | undefined): EntityName {
  if (word === undefined) return 'project'
  if (Object.hasOwn(ENTITIES, word)) return word as EntityName
  throw new AppError(
    'column_unknown',
    `a matrix is of ${ENTITY_NAMES.join(', ')}, not of ${quoted(word)}${didYouMean(word, ENTITY_NAMES)}`,
  )
}

function parseBy(by: string | undefined): string {
  if (by === undefined) return 'bytes'
  if (MATRIX_FIGURES.includes(by)) return by
  throw new AppError(
    'column_unknown',
    `${quoted(by)} is no measure${didYouMean(by, MATRIX_FIGURES)}; sort by ${MATRIX_FIGURES.join(', ')}`,
  )
}
