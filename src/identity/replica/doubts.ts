/**
 * Contradictions of a running collector's model: named once when they have stood for a while, counted, and named again when they are
 * over. Sources are never quite at the same time, and a migration is on two hosts, so the first moments do not count.
 */
import { CONTRADICTIONS, type Contradiction, type ContradictionSort } from '../contradictions.ts'

export interface DoubtOptions {
  /** Whether one that stands since then is to be named. */
  isSettled: (doubt: Contradiction, sinceMs: number, nowMs: number) => boolean
  log: { info(text: string): void; warn(text: string): void }
  /** Told of one that is named: the fault is counted at its source. */
  onNamed: (doubt: Contradiction) => void
}

/** So many are named in the log at a time; the rest is counted there. */
const MOST_LINES = 10

interface Standing {
  doubt: Contradiction
  sinceMs: number
  named: boolean
}

export class Doubts {
  private readonly options: DoubtOptions
  private readonly standing = new Map<string, Standing>()

  constructor(options: DoubtOptions) {
    this.options = options
  }

  /** Those that are named, and still hold. */
  get named(): Contradiction[] {
    return [...this.standing.values()].filter(({ named }) => named).map(({ doubt }) => doubt)
  }

  /** Whether some have been found that are not named yet. */
  get unnamed(): boolean {
    return [...this.standing.values()].some(({ named }) => !named)
  }

  /** How many are named, by sort. */
  get counts(): Record<ContradictionSort, number> {
    const counts = Object.fromEntries(Object.keys(CONTRADICTIONS).map((sort) => [sort, 0]))
    for (const { sort } of this.named) counts[sort]!++
    return counts as Record<ContradictionSort, number>
  }

  /** Takes over what has been found; all that is not among it is over. */
  put(found: readonly Contradiction[], nowMs: number): void {
    const { isSettled, log, onNamed } = this.options
    const still = new Set(found.map(({ key }) => key))
    const over = [...this.standing].filter(([key]) => !still.has(key))
    for (const [key] of over) this.standing.delete(key)
    const ended = over.flatMap(([, { named, doubt }]) => (named ? [doubt] : []))
    const begun: Contradiction[] = []
    for (const doubt of found) {
      const known = this.standing.get(doubt.key) ?? { doubt, sinceMs: nowMs, named: false }
      this.standing.set(doubt.key, known)
      known.doubt = doubt
      if (known.named || !isSettled(doubt, known.sinceMs, nowMs)) continue
      known.named = true
      begun.push(doubt)
      onNamed(doubt)
    }
    tell(begun, '', (text) => log.warn(text))
    tell(ended, 'no longer: ', (text) => log.info(text))
  }
}

function tell(doubts: readonly Contradiction[], prefix: string, log: (text: string) => void): void {
  for (const { text, host } of doubts.slice(0, MOST_LINES))
    log(`identity: ${prefix}${host === undefined ? 'ports' : 'ovsdb'}: ${text}`)
  const more = doubts.length - MOST_LINES
  if (more > 0) log(`identity: ${prefix}and ${more} more that cannot be true; ovsight identity status has them`)
}
