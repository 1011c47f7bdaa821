import { AppError } from '../errors.ts'
import { cursorText, FLOW_COLUMNS, flowRow, flowsPlan, parseCursor, type FlowsQuery } from './flows.ts'
import { settleNames } from './names.ts'
import type { Asker } from './plan.ts'
import { parseCondition, parseLimit, quoted, type Answer, type Condition, type RecordsRequest } from './request.ts'
import { parseSpan, parseTime, type Span } from './times.ts'
import { whyNone, withinSpan } from './within.ts'

export interface FlowsRequest extends RecordsRequest {
  n?: string | undefined
  /** Only what arrived then or later. */
  received_from?: string | undefined
  /** `start`, or where the answer before ended: pages. */
  cursor?: string | undefined
}

/** An answer that may go on. */
export interface FlowsAnswer extends Answer {
  /** The cursor of the next page; undefined when this was the last, or none was asked for. */
  readonly next?: string
}

export const DEFAULT_FLOWS_ROWS = 20

/** Errors: filter_invalid, name_ambiguous, time_invalid, usage; query_failed, store_unreachable. */
export async function askFlows(asker: Asker, request: FlowsRequest, nowMs: number): Promise<FlowsAnswer> {
  const { query, span } = readFlows(request, nowMs)
  const within = await withinSpan(asker, span)
  const unknown = await settleNames(asker, query.tree, within.span)
  const { rows } = await asker.query(flowsPlan(query, within.span))
  const last = rows.at(-1)
  return {
    columns: FLOW_COLUMNS,
    rows: rows.map(flowRow),
    span: within.span,
    notes: [...within.notes, ...unknown, ...(query.cursor === undefined ? whyNone(rows.length, within, request) : [])],
    ...(query.cursor === undefined || rows.length < query.limit || last === undefined
      ? {}
      : { next: cursorText(last) }),
  }
}

/** Finds the mistakes of a request without asking anybody. Errors: filter_invalid, time_invalid, usage. */
export function checkFlows(request: FlowsRequest, nowMs: number): void {
  readFlows(request, nowMs)
}

function readFlows(request: FlowsRequest, nowMs: number): { query: FlowsQuery & Condition; span: Span } {
  const query = {
    limit: parseLimit(request.n, DEFAULT_FLOWS_ROWS),
    ...parseCondition(request.filter),
    receivedFromMs: parseReceived(request.received_from, nowMs),
    cursor: parseCursor(request.cursor),
  }
  return { query, span: parseSpan(request, nowMs) }
}

function parseReceived(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined
  const ms = parseTime(text, nowMs)
  if (ms !== undefined) return ms
  throw new AppError('time_invalid', `received_from ${quoted(text)} is not a time; write 2026-01-31T08:00:00Z or -2h`)
}
