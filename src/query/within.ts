import type { RecordsRequest } from './request.ts'
import type { Asker } from './plan.ts'
import { lookInto, type Contents, type Look } from './contents.ts'
import { spanText, wholeSpan } from './span.ts'
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
  const found = await lookInto(asker, span)
  if (found.records > 0) return whatIsLeft(asker, span, found)
  const whole = await wholeSpan(asker)
  if (whole === undefined) return { span, contents: found, notes: ['the store holds no records yet'] }
  if (span.explicit) {
    const note = `no records from ${spanText(span)}; there are from ${spanText(whole.span)}`
    return { span, contents: found, notes: [note] }
  }
  const note = `no records in the last 15 minutes; this is all there is, ${spanText(whole.span)}`
  return { span: whole.span, contents: whole.contents ?? (await lookInto(asker, whole.span)), notes: [note] }
}

/** The span, or a wider one where its ends lie in what is kept as sums only. */
async function whatIsLeft(asker: Asker, span: Span, found: Look): Promise<Within> {
  const wide = found.span
  if (wide === span) return { span, contents: found, notes: [] }
  const note = `records that old are kept as sums only; this is from ${spanText(wide)}`
  return { span: wide, contents: await lookInto(asker, wide), notes: [note] }
}

/**
 * An answer about the span that the question is really about, asked of the span that was given at once: where that is the same, which it
 * is but for old and empty ones, nobody waits for `within` first. Errors: those of either.
 */
export async function asGuessed<T>(guess: Span, within: Promise<Within>, ask: (span: Span) => Promise<T>): Promise<T> {
  const early = ask(guess)
  // Its failure counts where its answer does.
  early.catch(() => {})
  const { span } = await within
  return span === guess ? early : ask(span)
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
