import type { AskFigures, TopRequest } from './ask-top.ts'
import {
  conversationColumns,
  conversationRows,
  conversationsPlan,
  parseConversations,
  parseConversationsBy,
  type ConversationsQuery,
} from './conversations.ts'
import { settleNames } from './names.ts'
import type { Asker } from './plan.ts'
import { parseCondition, parseCount, parseLimit, type Answer } from './request.ts'
import { parseSpan, type Span } from './times.ts'
import { whyNone, type Within } from './within.ts'

const DEFAULT_ROWS = 10

/** Both directions in one row: the span, and what asks within it. Errors: column_unknown, filter_invalid, time_invalid, usage. */
export function readConversations(request: TopRequest, nowMs: number): [Span, AskFigures] {
  const query = {
    ...parseConversations(request.dimensions),
    ...parseCondition(request.filter),
    by: parseConversationsBy(request.by),
    limit: parseLimit(request.n, DEFAULT_ROWS),
    count: parseCount(request.count),
  }
  return [parseSpan(request, nowMs), async (asker, within) => askConversations(asker, request, query, await within)]
}

/** Errors: name_ambiguous; query_failed, store_unreachable. */
async function askConversations(
  asker: Asker,
  request: TopRequest,
  query: ConversationsQuery,
  within: Within,
): Promise<Answer> {
  const { sampled } = within.contents
  const unknown = await settleNames(asker, query.tree, within.span)
  const { rows } = await asker.query(conversationsPlan(query, within.span, sampled))
  return {
    columns: conversationColumns(query, sampled),
    rows: conversationRows(query, sampled, rows),
    span: within.span,
    notes: [...within.notes, ...unknown, ...whyNone(rows.length, within, request)],
  }
}
