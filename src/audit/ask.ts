/** `ovsight audit` and /api/v1/audit: the question in words, and its answer. */
import { parseLimit, quoted, type Answer, type Row } from '../query/request.ts'
import { spanText, wholeSpan } from '../query/span.ts'
import { isoTime, parseSpan, type Span, type SpanRequest } from '../query/times.ts'
import type { Asker } from '../query/plan.ts'
import { audit, type Audited } from './audit.ts'

export interface AuditRequest extends SpanRequest {
  /** Id or name of a port, server or project; all ports when it is left out. */
  of?: string | undefined
  n?: string | undefined
}

export const DEFAULT_AUDIT_ROWS = 1000
const DEFAULT_SPAN = '1h'

export const AUDIT_ANSWER = [
  'verdict',
  'cause',
  'direction',
  'counted_bytes',
  'true_bytes',
  'ratio',
  'expected_error',
  'sampling_error',
  'counted_packets',
  'true_packets',
  'port',
  'port_id',
  'server',
  'server_id',
  'network',
  'project',
  'project_id',
  'host',
  'bridge',
  'interface',
  'source',
  'span_from',
  'span_to',
  'note',
] as const satisfies readonly (keyof Audited)[]

/** Finds the mistakes of a request. Errors: time_invalid, usage. */
export function checkAudit(request: AuditRequest, nowMs: number): void {
  readAudit(request, nowMs)
}

/** What disagrees comes first. Errors: time_invalid, usage; query_failed, store_unreachable. */
export async function askAudit(asker: Asker, request: AuditRequest, nowMs: number): Promise<Answer> {
  const { limit, word, span: asked } = readAudit(request, nowMs)
  let span = asked
  let found = await audit(asker, { span, word }, nowMs)
  const notes: string[] = []
  if (found.length === 0 && !span.explicit) {
    // A replayed capture is old.
    const whole = (await wholeSpan(asker))?.span
    if (whole !== undefined) {
      found = await audit(asker, { span: whole, word }, nowMs)
      if (found.length > 0) notes.push(`nothing in the last hour; this is all there is, ${spanText((span = whole))}`)
    }
  }
  const rows = found.slice(0, limit).map(readable)
  return { columns: AUDIT_ANSWER, rows, span, notes: [...notes, ...notesOf(found, word, span)] }
}

function readAudit(request: AuditRequest, nowMs: number): { limit: number; word: string | undefined; span: Span } {
  const { of, n, ...asked } = request
  const none = [asked.last, asked.from, asked.to].every((one) => one === undefined)
  const span = parseSpan(none ? { last: DEFAULT_SPAN } : asked, nowMs)
  const word = of === undefined || of.trim() === '' ? undefined : of.trim()
  return { limit: parseLimit(n, DEFAULT_AUDIT_ROWS), word, span: { ...span, explicit: !none } }
}

function notesOf(found: readonly Audited[], word: string | undefined, span: Span): string[] {
  if (found.length > 0) return []
  const when = spanText(span)
  if (word !== undefined) return [`no counters of a port, server or project ${quoted(word)} from ${when}`]
  return [
    `no counters of ports' interfaces from ${when}: let Open vSwitch send sFlow (its counter samples are enough), or let ovsight ` +
      `reach the OVSDB of the hosts; both need a model that knows the ports`,
  ]
}

function readable(one: Audited): Row {
  const cells = Object.fromEntries(AUDIT_ANSWER.map((name) => [name, one[name]]))
  return { ...cells, span_from: isoTime(one.span_from), span_to: isoTime(one.span_to) }
}
