import { setTimeout as sleep } from 'node:timers/promises'
import type { FlowsRequest, Row } from '../query/ask.ts'
import type { Backend } from './backend.ts'

/** How often it is asked for what is new, and how far back what arrives late may lie: batches of several workers are not in order. */
const PAUSE_MS = 1000
const OVERLAP_MS = 5000
/** How old a record may be that arrives now. */
const SPAN = '1h'

export interface Follow {
  /** Tells records as they arrive, the oldest first; nothing twice. */
  readonly tell: (rows: readonly Row[]) => void
  readonly now: () => number
  signal?: AbortSignal
  pauseMs?: number
}

/** Tells records as they arrive, from now on, until the signal comes. Errors: those of `Backend.flows`. */
export async function followFlows(
  backend: Backend,
  { filter, n = '1000' }: FlowsRequest,
  { tell, now, signal, pauseMs = PAUSE_MS }: Follow,
): Promise<void> {
  let fromMs = now()
  let told = new Map<string, number>()
  const goesOn = () => signal?.aborted !== true
  for (; goesOn(); await pause(pauseMs, signal)) {
    const asked = { filter, n, last: SPAN, received_from: new Date(fromMs).toISOString() }
    const { rows } = await backend.flows(asked)
    tell(rows.filter(({ id }) => !told.has(String(id))).toReversed())
    for (const row of rows) told.set(String(row['id']), Date.parse(String(row['time_received'])))
    const newest = Math.max(fromMs, ...told.values())
    fromMs = Math.max(fromMs, newest - OVERLAP_MS)
    // What can not come again need not be remembered.
    told = new Map([...told].filter(([, ms]) => ms >= fromMs))
  }
}

/** Ends early when the signal comes. */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined)
}
