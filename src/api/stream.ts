import { Readable } from 'node:stream'
import { askFlows, type Answer, type FlowsRequest } from '../query/ask.ts'
import type { Asker } from '../query/plan.ts'

/** Newline-delimited JSON: an object a line, as long as the client reads. */
export const NDJSON = 'application/x-ndjson'

const PAGE_ROWS = 5_000

/** Whether a client wants lines in place of an array. */
export function wantsLines(accept: string | undefined): boolean {
  return (accept ?? '').split(',').some((part) => part.split(';')[0]!.trim().toLowerCase() === NDJSON)
}

/** Rows as lines. */
export function linesOf({ rows }: Answer): Readable {
  return Readable.from(rows.map((row) => `${JSON.stringify(row)}\n`))
}

/**
 * Records as lines, page after page, so that no more than a page is held whatever the client asks for or how slowly it reads. `most` ends
 * it; a page may be a little longer than asked, see `flowsPlan`.
 */
export function flowLines(
  asker: Asker,
  request: FlowsRequest,
  first: Answer & { next?: string },
  most: number,
  nowMs: number,
): Readable {
  return Readable.from(pages(asker, request, first, most, nowMs), { highWaterMark: 1 })
}

async function* pages(
  asker: Asker,
  request: FlowsRequest,
  first: Answer & { next?: string },
  most: number,
  nowMs: number,
): AsyncGenerator<string> {
  let page = first
  let left = most
  for (;;) {
    const rows = page.rows.slice(0, left)
    yield rows.map((row) => `${JSON.stringify(row)}\n`).join('')
    left -= rows.length
    if (page.next === undefined || left <= 0) return
    // The span of the first page, also where the default one gave way to another.
    const { fromMs, toMs } = first.span
    const span = { last: undefined, from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() }
    page = await askFlows(asker, { ...request, ...span, cursor: page.next, n: pageRows(left) }, nowMs)
  }
}

/** Rows of the next page. */
export function pageRows(left: number): string {
  return String(Math.min(PAGE_ROWS, left))
}
