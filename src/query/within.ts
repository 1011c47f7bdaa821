import type { RecordsRequest } from './request.ts'
import type { Asker } from './plan.ts'
import { widened } from './rollup-edges.ts'
import { contents, spanText, wholeSpan, type Contents } from './span.ts'
import type { Span } from './times.ts'

/** Which span a question is really about, and why nothing came of it. */
export interface Within {
  readonly span: Span
  readonly contents: Contents
  readonly notes: readonly string[]
}

/**
 * The span to ask within. The default one is only a guess at what is meant: when it holds no record at all (a replayed capture is
 * old), the span that holds data takes its place, and a note says so. Errors: query_failed, store_unreachable.
 */
export async function withinSpan(asker: Asker, span: Span): Promise<Within> {
  const [found, wide] = await Promise.all([contents(asker, span), widened(asker, span)])
  if (found.records > 0) return whatIsLeft(asker, span, found, wide)
  const whole = await wholeSpan(asker)
  if (whole === undefined) return { span, contents: found, notes: ['the store holds no records yet'] }
  if (span.explicit) {
    const note = `no records from ${spanText(span)}; there are from ${spanText(whole.span)}`
    return { span, contents: found, notes: [note] }
  }
  const note = `no records in the last 15 minutes; this is all there is, ${spanText(whole.span)}`
  return { span: whole.span, contents: whole.contents ?? (await contents(asker, whole.span)), notes: [note] }
}

/** The span, or a wider one where its ends lie in what is kept as sums only. */
async function whatIsLeft(asker: Asker, span: Span, found: Contents, wide: Span): Promise<Within> {
  if (wide === span) return { span, contents: found, notes: [] }
  const note = `records that old are kept as sums only; this is from ${spanText(wide)}`
  return { span: wide, contents: await contents(asker, wide), notes: [note] }
}

/** Why no row came of a span that holds records, if that is so. `sided` are the entities that were asked for. */
export function whyNone(
  rows: number,
  { contents: { records }, span }: Within,
  { filter }: RecordsRequest,
  sided: readonly string[] = [],
): string[] {
  if (rows > 0 || records === 0) return []
  const all = `${records} record${records === 1 ? '' : 's'} from ${spanText(span)}`
  if (filter !== undefined && filter.trim() !== '') return [`none of the ${all} matches`]
  if (sided.length > 0)
    return [
      `no ${sided.join(', no ')} is known in the ${all}; collect or replay with --identity, or group by src_addr dst_addr`,
    ]
  return [`nothing counts in the ${all}; --count all sums every record`]
}
