/**
 * TCP segments that were sent again, counted from the sequence numbers of one direction (RFC 9293 §3.4).
 *
 *   |—————— seen ——————|hole, or seen in part|—————— seen ——————|
 *                      holeFrom         holeTo                  next
 *
 * A segment that begins before `next` was sent again, but for
 *
 *   - a keep-alive (RFC 9293 §3.8.4): at most one octet, the last one before `next`, without SYN and FIN;
 *   - what a probe of a closed window (§3.8.6.1) had begun: one octet of it was there, the rest is new;
 *   - what fills a hole within REORDERED_MS: it was overtaken on its way. Later than that it was lost before the mirror, and this
 *     is what replaces it.
 *
 * Holes are kept as one, from the first octet that is missing to the last. Memory is what the constructor takes.
 */
const FIN_OR_SYN = 0x03
const SYN = 0x02
/** What Wireshark takes without a handshake to measure by ("TCP Analysis", out-of-order). */
const REORDERED_MS = 3

/** Whether sequence number `a` is before `b`: less than half the space behind it. */
const before = (a: number, b: number) => ((a - b) | 0) < 0

export class Retransmits {
  /** Of each flow. */
  readonly counts: Uint32Array
  /** Sequence number after the last octet seen. */
  private readonly next: Uint32Array
  /** Equal where nothing is missing. */
  private readonly holeFrom: Uint32Array
  private readonly holeTo: Uint32Array
  /** When `next` advanced last; NaN before the first segment. */
  private readonly advancedMs: Float64Array

  constructor(flows: number) {
    this.counts = new Uint32Array(flows)
    this.next = new Uint32Array(flows)
    this.holeFrom = new Uint32Array(flows)
    this.holeTo = new Uint32Array(flows)
    this.advancedMs = new Float64Array(flows)
  }

  /** A connection begins: nothing is known of what was sent before. */
  begin(flow: number): void {
    this.counts[flow] = 0
    this.advancedMs[flow] = NaN
  }

  /** A segment of `length` > 0 in sequence space, with the flags of TCP. */
  add(flow: number, sequence: number, length: number, flags: number, atMs: number): void {
    const next = this.next[flow]!
    const end = (sequence + length) >>> 0
    const advancedMs = this.advancedMs[flow]!
    // A SYN that is not the last one again begins another connection of the same ports.
    if (Number.isNaN(advancedMs) || ((flags & SYN) !== 0 && end !== next)) {
      this.holeFrom[flow] = this.holeTo[flow] = end
      this.advance(flow, end, atMs)
      return
    }
    if (!before(sequence, next)) {
      if (sequence !== next) this.miss(flow, next, sequence)
      this.advance(flow, end, atMs)
      return
    }
    const overlap = (next - sequence) >>> 0
    const octet = overlap === 1 && (flags & FIN_OR_SYN) === 0
    const overtaken = this.fill(flow, sequence, end) && Math.abs(atMs - advancedMs) < REORDERED_MS
    if (!octet && !overtaken) this.counts[flow]! += 1
    if (before(next, end)) this.advance(flow, end, atMs)
  }

  private advance(flow: number, end: number, atMs: number): void {
    this.next[flow] = end
    this.advancedMs[flow] = atMs
  }

  private miss(flow: number, from: number, to: number): void {
    if (this.holeFrom[flow] === this.holeTo[flow]) this.holeFrom[flow] = from
    this.holeTo[flow] = to
  }

  /** Whether a segment lies where something is missing; the hole is what is missing after it. */
  private fill(flow: number, sequence: number, end: number): boolean {
    const from = this.holeFrom[flow]!
    const to = this.holeTo[flow]!
    if (from === to || !before(sequence, to) || !before(from, end)) return false
    if (!before(from, sequence)) this.holeFrom[flow] = before(end, to) ? end : to
    else if (!before(end, to)) this.holeTo[flow] = sequence
    return true
  }
}
