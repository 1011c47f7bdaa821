import { COLUMN_NAMES } from '../schema/columns.ts'
import { FLOWS } from '../schema/ddl.ts'
import { AppError } from '../errors.ts'
import { Params, type Plan } from './plan.ts'
import { RECORD_HASH, recordId } from './record-id.ts'
import { quoted, type Cell } from './request.ts'
import { spanCondition } from './span-condition.ts'
import type { Span } from './times.ts'
import { readableRecord, readExpression } from './values.ts'

/** Stored records, newest first, all columns and the id. */
export interface FlowsQuery {
  readonly limit: number
  /** Adds a condition to the plan; binds its values there. */
  condition(params: Params): string | undefined
  /** Only records that arrived then or later, milliseconds. */
  readonly receivedFromMs?: number | undefined
  /** Only records after this place, and with the last one all that have its place: pages of it lose and double nothing. */
  readonly cursor?: Cursor | 'start' | undefined
}

/** A place in the order of records: several records of one datagram may have the same. */
export interface Cursor {
  readonly flowEndMs: number
  readonly receivedMs: number
  readonly sequence: number
}

/** Columns of the answer, in order. */
export const FLOW_COLUMNS: readonly string[] = [...COLUMN_NAMES, 'id']

/**
 * The plan of a listing; its rows are for `flowRow`. The inner names keep a time that is read as a number apart from the column
 * that the filter means.
 */
export function flowsPlan(query: FlowsQuery, span: Span): Plan {
  const params = new Params()
  const where = [
    spanCondition(span, params),
    query.condition(params),
    query.receivedFromMs === undefined
      ? undefined
      : `time_received >= fromUnixTimestamp64Milli(${params.bind('Int64', query.receivedFromMs)})`,
    typeof query.cursor === 'object' ? afterCursor(query.cursor, params) : undefined,
  ].filter((part) => part !== undefined)
  return {
    sql: recordsSql(where, `${query.limit}${query.cursor === undefined ? '' : ' WITH TIES'}`),
    params: params.values,
  }
}

/** The plan that finds the records with an id: one, or several that are equal in all that was received. */
export function recordPlan({ flowEndMs, hash }: { flowEndMs: number; hash: number }): Plan {
  const params = new Params()
  const where = [
    `flow_end = fromUnixTimestamp64Milli(${params.bind('Int64', flowEndMs)})`,
    `${RECORD_HASH} = ${params.bind('UInt64', hash)}`,
  ]
  return { sql: recordsSql(where, '100'), params: params.values }
}

function recordsSql(where: readonly string[], limit: string): string {
  const inner = [...COLUMN_NAMES.map((column, i) => `${readExpression(column)} AS c${i}`), `${RECORD_HASH} AS h`]
  const outer = [...COLUMN_NAMES.map((column, i) => `c${i} AS ${column}`), 'h AS id']
  return (
    `SELECT ${outer.join(', ')} FROM (SELECT ${inner.join(', ')} FROM ${FLOWS} WHERE ${where.join(' AND ')} ` +
    `ORDER BY flow_end DESC, time_received DESC, sequence DESC LIMIT ${limit})`
  )
}

function afterCursor({ flowEndMs, receivedMs, sequence }: Cursor, params: Params): string {
  const end = `fromUnixTimestamp64Milli(${params.bind('Int64', flowEndMs)})`
  const received = `fromUnixTimestamp64Milli(${params.bind('Int64', receivedMs)})`
  const number = params.bind('UInt64', sequence)
  return (
    `flow_end <= ${end} AND (flow_end < ${end} OR time_received < ${received} OR ` +
    `(time_received = ${received} AND sequence < ${number}))`
  )
}

/** A row of the answer. */
export function flowRow({ id, ...row }: Readonly<Record<string, unknown>>): Record<string, Cell> {
  return { ...readableRecord(row), id: recordId(Number(row['flow_end']), Number(id)) }
}

const CURSOR = /^([0-9a-z]{1,9})\.([0-9a-z]{1,9})\.([0-9a-z]{1,7})$/

/** The place of a row, as `parseCursor` reads it. */
export function cursorText(row: Readonly<Record<string, unknown>>): string {
  return ['flow_end', 'time_received', 'sequence'].map((column) => Number(row[column]).toString(36)).join('.')
}

/** `start`, or the place that an answer ended with. Errors: usage. */
export function parseCursor(text: string | undefined): Cursor | 'start' | undefined {
  if (text === undefined || text === 'start') return text
  const [, end, received, sequence] = CURSOR.exec(text) ?? []
  if (end === undefined || received === undefined || sequence === undefined)
    throw new AppError(
      'usage',
      `cursor ${quoted(text)} is none; write start, or what the last answer had in ovsight-next`,
    )
  const [flowEndMs, receivedMs, number] = [end, received, sequence].map((part) => Number.parseInt(part, 36))
  return { flowEndMs: flowEndMs!, receivedMs: receivedMs!, sequence: Math.min(number!, 0xffff_ffff) }
}
