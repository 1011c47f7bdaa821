/**
 * Who talks with whom, as clouds have it: pairs of ends that go on talking hour after hour, few of them most of the time, and now and
 * then a new pair in place of an old one. Sums by hour of such rows are fewer than the rows; of ends drawn anew for each row they would not be.
 *
 *   popularity   the pair of rank r has a share of 1/r (Zipf's law)
 *   churn        every hour one pair of 200, of any rank, is another; in a month the pool is replaced three and a half times
 */

/** A record of a capture in a copy of its cloud; a pair of ends with its addresses and its service. */
export interface Conversation {
  /** Which capture. */
  readonly which: number
  /** Its row there. */
  readonly row: number
  /** Which copy of the cloud the ends are in. */
  readonly cloud: number
}

/** Who has the next record; times are of the record, ms since 1970, never going back. */
export interface Talk {
  next(nowMs: number): Conversation
}

const POOL = 20_000
const CHURN_SHARE = 1 / 200
const HOUR_MS = 3_600_000

/** `draw` makes a pair, `random` is 0 … 1. */
export class Conversations implements Talk {
  private readonly draw: () => Conversation
  private readonly random: () => number
  private readonly pool: Conversation[]
  private hour = -1

  constructor(draw: () => Conversation, random: () => number) {
    this.draw = draw
    this.random = random
    this.pool = Array.from({ length: POOL }, draw)
  }

  next(nowMs: number): Conversation {
    const hour = Math.floor(nowMs / HOUR_MS)
    if (this.hour >= 0 && hour > this.hour) this.renew((hour - this.hour) * POOL * CHURN_SHARE)
    this.hour = hour
    // The integral of 1/r is the logarithm, so a rank drawn evenly on its scale has Zipf's share.
    return this.pool[Math.floor((POOL + 1) ** this.random()) - 1]!
  }

  private renew(count: number): void {
    for (let i = 0; i < count; i++) this.pool[Math.floor(this.random() * POOL)] = this.draw()
  }
}

/** Another pair for every record: nothing repeats but by chance, which is the worst case for sums. */
export class Strangers implements Talk {
  readonly next: () => Conversation

  constructor(draw: () => Conversation) {
    this.next = draw
  }
}
