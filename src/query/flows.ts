import { COLUMN_NAMES } from '../schema/columns.ts'
import { FLOWS } from '../schema/ddl.ts'
import { Params, type Plan } from './plan.ts'
import { spanCondition } from './span.ts'
import type { Span } from './times.ts'
import { readExpression } from './values.ts'

/** Stored records, newest first, all columns. */
export interface FlowsQuery {
  readonly limit: number
  /** Adds a condition to the plan; binds its values there. */
  condition(params: Params): string | undefined
}

/**
 * The plan of a listing; its rows are for `readableRecord`. The inner names keep a time that is read as a number apart from the column
 * that the filter means.
 */
export function flowsPlan(query: FlowsQuery, span: Span): Plan {
  const params = new Params()
  const where = [spanCondition(span, params), query.condition(params)].filter((part) => part !== undefined)
  const inner = COLUMN_NAMES.map((column, i) => `${readExpression(column)} AS c${i}`)
  const outer = COLUMN_NAMES.map((column, i) => `c${i} AS ${column}`)
  const sql =
    `SELECT ${outer.join(', ')} FROM (SELECT ${inner.join(', ')} FROM ${FLOWS} WHERE ${where.join(' AND ')} ` +
    `ORDER BY flow_end DESC, time_received DESC, sequence DESC LIMIT ${query.limit})`
  return { sql, params: params.values }
}
