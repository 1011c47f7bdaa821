import type { Logger } from './log.ts'

/** Lines of one kind in a window before the rest is only counted. */
const LINES = 5
const WINDOW_MS = 10_000
/** Different kinds in a window; a kind names a protocol and a status, so this is never reached by them. */
const KINDS = 256

/**
 * Warnings about input from the network: at most `lines` of a kind in ten seconds, then one that says how many were left out.
 * Bounded in lines and memory whatever arrives.
 */
export class SampledLog {
  /** Lines not written so far. */
  suppressed = 0
  private readonly log: Logger
  private readonly lines: number
  private readonly counts = new Map<string, number>()
  private windowMs = 0

  constructor(log: Logger, lines = LINES) {
    this.log = log
    this.lines = lines
  }

  /** Whether a line of this kind would be written now; ask before building its fields. Counts as one. */
  wants(kind: string, nowMs: number): boolean {
    if (nowMs - this.windowMs >= WINDOW_MS || nowMs < this.windowMs) this.turn(nowMs)
    const count = (this.counts.get(kind) ?? 0) + 1
    if (count === 1 && this.counts.size >= KINDS) {
      this.suppressed++
      return false
    }
    this.counts.set(kind, count)
    if (count > this.lines) this.suppressed++
    return count <= this.lines
  }

  warn(fields: Record<string, unknown>, message: string): void {
    this.log.warn(fields, message)
  }

  private turn(nowMs: number): void {
    for (const [kind, count] of this.counts)
      if (count > this.lines)
        this.log.warn({ kind, suppressed: count - this.lines }, 'more of the same were not written')
    this.counts.clear()
    this.windowMs = nowMs
  }
}
