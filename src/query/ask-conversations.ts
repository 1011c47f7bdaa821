import type { TopRequest } from './ask-top.ts'
import {
  conversationColumns,
  conversationRows,
  conversationsPlan,
  parseConversations,
  parseConversationsBy,
} from './conversations.ts'
import { settleNames } from './names.ts'
import type { Asker } from './plan.ts'
import { parseCondition, parseCount, parseLimit, type Answer } from './request.ts'
import { parseSpan } from './times.ts'
import { whyNone, withinSpan } from './within.ts'

const DEFAULT_ROWS = 10

/** Both directions in one row. Errors: column_unknown, filter_invalid, name_ambiguous, time_invalid, usage; query_failed, store_unreachable. */
export async function askConversations(asker: Asker, request: TopRequest, nowMs: number): Promise<Answer> {
  const query = {
    ...parseConversations(request.dimensions),
    ...parseCondition(request.filter),
    by: parseConversationsBy(request.by),
    limit: parseLimit(request.n, DEFAULT_ROWS),
    count: parseCount(request.count),
  }
  const within = await withinSpan(asker, parseSpan(request, nowMs))
  const unknown = await settleNames(asker, query.tree, within.span)
  const { rows } = await asker.query(conversationsPlan(query, within.span))
  return {
    columns: conversationColumns(query),
    rows: conversationRows(query, rows),
    span: within.span,
    notes: [...within.notes, ...unknown, ...whyNone(rows.length, within, request)],
  }
}
