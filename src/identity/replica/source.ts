/** How a source of the model stands: what `identity status` and the metrics show. */
import { AppError } from '../../errors.ts'

export const SOURCE_KINDS = ['file', 'openstack', 'ovsdb', 'ovsdb_listen', 'ovn', 'saved'] as const
export type SourceKind = (typeof SOURCE_KINDS)[number]

export interface SourceState {
  kind: SourceKind
  /** Path, name of the cloud, OVSDB target, or `host (address)` of a server that called. */
  target: string
  ok: boolean
  /** Why it is not ok, '' when it is. */
  fault: string
  /** When it was last true, ms since 1970; 0 = never. */
  freshAtMs: number
  /** Faults since the start. */
  faults: number
  /** What it knows: entries by section. */
  counts: Readonly<Record<string, number>>
}

/** Told of a source's fault when it begins, changes or ends; '' = it ended. */
export type OnFault = (kind: SourceKind, target: string, fault: string) => void

/** Keeps a source's state, and names each fault once. */
export class SourceRecord {
  readonly state: SourceState
  private readonly onFault: OnFault

  constructor(kind: SourceKind, target: string, onFault: OnFault) {
    this.state = { kind, target, ok: false, fault: 'not read yet', freshAtMs: 0, faults: 0, counts: {} }
    this.onFault = onFault
  }

  /** The source said something true at `atMs`. */
  good(atMs: number, counts?: Readonly<Record<string, number>>): void {
    const { state } = this
    const ended = !state.ok && state.faults > 0
    state.ok = true
    state.fault = ''
    state.freshAtMs = atMs
    if (counts !== undefined) state.counts = counts
    if (ended) this.onFault(state.kind, state.target, '')
  }

  /** It says something that cannot be true together with the rest; what it says stands. */
  doubted(): void {
    this.state.faults++
  }

  /** The source failed; what it said before stands. */
  bad(cause: unknown): void {
    const { state } = this
    const fault = faultText(cause)
    const news = state.ok || state.faults === 0 || state.fault !== fault
    state.ok = false
    state.fault = fault
    state.faults++
    if (news) this.onFault(state.kind, state.target, fault)
  }
}

/** One line of a fault: its message, and what to do about it. */
export function faultText(cause: unknown): string {
  if (cause instanceof AppError) return [cause.message, ...cause.details].join('; ')
  return cause instanceof Error ? cause.message : String(cause)
}
