/**
 * Lost records, from the sequence numbers of exporters.
 *
 * A stream is one sequence counter. Which one a datagram belongs to, and what its number means, is where exporters differ, so two
 * readings are followed and the one that stays without gaps is kept (`latched`), per stream:
 *
 *   NetFlow v5   number of the first record (Cisco)   seq - (previous seq + previous count)
 *                number of the last record (OVS)      seq - previous seq - count
 *   IPFIX        a counter per transport session over all its domains (OVS)
 *                a counter per observation domain (RFC 7011 §3.1)
 *   NetFlow v9   +1 per message and source id (RFC 3954 §5.1); sFlow v5: +1 per datagram and sub-agent
 *
 * Datagrams that arrive late take back what they were missed for; a counter that starts again is no loss; two counters mixed in
 * one stream (two bridges with the same engine id) are noticed and not counted at all.
 */
import type { Protocol } from '../decode/decoder.ts'
import { codeOf, PROTOCOL } from './demultiplex.ts'
import { KeyTable } from './key-table.ts'
import { RecentStreams } from './recent-streams.ts'

/** A gap is final after this many further datagrams of the stream, or after GAP_MS. */
const GAP_DATAGRAMS = 32
const GAP_MS = 2_000
/** Further back than this is a restart at once; nearer, after RESTART_RUN late datagrams that follow each other. */
const LATE_RECORDS = 16_384
const RESTART_RUN = 12
/** Further ahead than this is another counter, not a loss. */
const AHEAD_RECORDS = 1 << 24
/** How many datagrams must speak for a reading before it is believed alone, and how firmly it can be held. */
const LATCH = 2
const HOLD = 16
/**
 * A stream that went back this often (8 up for each time, 1 down for each datagram in order) is two counters mixed. Gaps ahead say nothing: with one in
 * five datagrams lost they would be as many as of two counters.
 */
const MIXED = 64
const WENT_BACK = 8

/** Words of `last`, four a place: the last number and by how much the counter rose with it, -1 = not known, the next number proves nothing; … */
const LAST_SHIFT = 2
const RECORDS = 1
/** … 1 where a stream goes on as it should: nothing is missing, nothing came late, its last number is known; the last datagram's tag. */
const CALM = 2
const TAG = 3

/** Tells the IPFIX counter of a session from the one of a domain, in the key word of the protocol. */
const SESSION = 0x80
const PROTOCOL_MASK = 0x7f
// V8 folds numbers of the module itself into compiled code; properties of an imported object it reads each time.
const { ipfix: IPFIX, netflow5: NETFLOW5 } = PROTOCOL

export interface SequenceOptions {
  maxStreams: number
  idleMs: number
  /** Called with records that were lost for good, of one exporter; `tag` is that of the stream's last datagram. */
  onLost: (exporterId: number, protocol: number, records: number, tag: number) => void
  /** Called for each datagram that came late: `again` when nothing was missing. */
  onLate?: (exporterId: number, protocol: number, tag: number, again: boolean) => void
  onRestart?: (exporterId: number, protocol: number, tag: number) => void
}

export class SequenceTracker {
  /** Datagrams that came after a later one. */
  late = 0
  restarts = 0
  /** Whether the stream of the last datagram looks like two counters mixed. */
  lastMixed = false
  /** Whether the last datagram had been there before, or came after it had been given up. */
  lastAgain = false

  private readonly table: KeyTable
  private readonly onLost: SequenceOptions['onLost']
  private readonly onLate: NonNullable<SequenceOptions['onLate']>
  private readonly onRestart: NonNullable<SequenceOptions['onRestart']>
  private readonly last: Int32Array
  /** > 0 speaks for the first reading, < 0 for the second. */
  private readonly score: Int8Array
  /** Records missing since `gapMs`, not yet given up. */
  private readonly missing: Float64Array
  private readonly gapMs: Float64Array
  private readonly gapAge: Uint8Array
  /** The last late datagram and how many late ones followed each other. */
  private readonly latePrevious: Uint32Array
  private readonly lateRecords: Int32Array
  private readonly lateRun: Uint8Array
  private readonly disorder: Uint8Array
  private readonly recent: RecentStreams
  /** How many streams have something missing. */
  private open = 0

  constructor({ maxStreams, idleMs, onLost, onLate = () => {}, onRestart = () => {} }: SequenceOptions) {
    this.table = new KeyTable(maxStreams, idleMs)
    this.onLost = onLost
    this.onLate = onLate
    this.onRestart = onRestart
    this.last = new Int32Array(maxStreams << LAST_SHIFT)
    this.score = new Int8Array(maxStreams)
    this.missing = new Float64Array(maxStreams)
    this.gapMs = new Float64Array(maxStreams)
    this.gapAge = new Uint8Array(maxStreams)
    this.latePrevious = new Uint32Array(maxStreams)
    this.lateRecords = new Int32Array(maxStreams)
    this.lateRun = new Uint8Array(maxStreams)
    this.disorder = new Uint8Array(maxStreams)
    this.recent = new RecentStreams(this.table)
  }

  get streams(): number {
    return this.table.size
  }

  /** Streams not followed because the table was full. */
  get refused(): number {
    return this.table.refused
  }

  /** Streams that look like two counters in one (for NetFlow v5: two bridges with the same engine id). */
  get mixed(): number {
    let count = 0
    for (let i = 0; i < this.table.size; i++) if (this.disorder[i]! >= MIXED) count++
    return count
  }

  /**
   * One datagram. `records` is by how much the counter advances with it, -1 when not known (a set without its template). What is
   * found out about the stream is told with `tag`.
   */
  observe(
    exporterId: number,
    exporterPort: number,
    protocol: Protocol,
    stream: number,
    sequence: number,
    records: number,
    nowMs: number,
    tag = stream,
  ): void {
    this.lastMixed = false
    this.lastAgain = false
    const code = codeOf(protocol)
    const port = code === IPFIX ? exporterPort : 0
    const { recent } = this
    const known = recent.find(exporterId, stream, port, code)
    if (known >= 0 && this.goesOn(recent.placeAt(known), recent.sessionAt(known), sequence, records, tag, nowMs)) return
    const place = this.table.place(exporterId, code, stream, port, nowMs)
    if (place < 0) return
    this.last[(place << LAST_SHIFT) + TAG] = tag
    this.lastMixed = this.disorder[place]! >= MIXED
    const fresh = this.table.fresh
    if (fresh) this.clear(place)
    if (code === IPFIX) {
      const session = this.observeIpfix(place, fresh, exporterId, code, exporterPort, sequence, records, nowMs)
      if (session >= 0) recent.put(exporterId, stream, port, code, place, session)
      return
    }
    if (fresh) this.begin(place, sequence, records)
    else if (code === NETFLOW5) this.follow(place, this.netflow5Gap(place, sequence, records), sequence, records, nowMs)
    else this.follow(place, this.gap(place, sequence), sequence, records, nowMs)
    this.settleDown(place)
    // Both readings of NetFlow v5 are weighed with each datagram, of thirty records.
    if (code !== NETFLOW5) recent.put(exporterId, stream, port, code, place, place)
  }

  /**
   * A number that is the next by what is believed of a stream, so that nothing but the number changes; false when it is not, and nothing is
   * done then. `session` is `place` but for IPFIX.
   */
  private goesOn(
    place: number,
    session: number,
    sequence: number,
    records: number,
    tag: number,
    nowMs: number,
  ): boolean {
    const { last } = this
    const a = (place << LAST_SHIFT) | 0
    const b = (session << LAST_SHIFT) | 0
    const ofPlace = (sequence - last[a]! - last[a + RECORDS]!) | 0
    const ofSession = (sequence - last[b]! - last[b + RECORDS]!) | 0
    if ((ofPlace | ofSession) === 0) {
      if ((last[a + CALM]! & last[b + CALM]!) === 0) return false
    } else if (!this.otherReading(place, session, ofPlace, ofSession)) return false
    if (records < 0) return false
    const { seenMs } = this.table
    last[a] = last[b] = sequence
    last[a + RECORDS] = last[b + RECORDS] = records
    last[a + TAG] = last[b + TAG] = tag
    seenMs[place] = seenMs[session] = nowMs
    return true
  }

  /** Whether one of two readings is held as firmly as it can be, and goes on: the other does not count. */
  private otherReading(place: number, session: number, ofPlace: number, ofSession: number): boolean {
    if (ofSession === 0) return this.isCalm(session) && this.score[session] === HOLD && this.lateRun[place] === 0
    return ofPlace === 0 && this.isCalm(place) && this.score[session] === -HOLD && this.lateRun[session] === 0
  }

  private isCalm(place: number): boolean {
    return this.last[(place << LAST_SHIFT) + CALM] === 1
  }

  private settleDown(place: number): void {
    const calm =
      this.missing[place] === 0 &&
      this.disorder[place] === 0 &&
      this.lateRun[place] === 0 &&
      this.last[(place << LAST_SHIFT) + RECORDS]! >= 0
    this.last[(place << LAST_SHIFT) + CALM] = calm ? 1 : 0
  }

  /** Gives up what has been missing for long: call once a second. */
  settle(nowMs: number): void {
    if (this.open === 0) return
    for (let place = 0; place < this.table.size; place++)
      if (this.missing[place]! > 0 && Math.abs(nowMs - this.gapMs[place]!) > GAP_MS) this.giveUp(place)
  }

  /** Returns the place of the session, -1 when there is none. */
  private observeIpfix(
    domain: number,
    domainFresh: boolean,
    exporterId: number,
    code: number,
    port: number,
    sequence: number,
    records: number,
    nowMs: number,
  ): number {
    const session = this.table.place(exporterId, code + SESSION, 0, port, nowMs)
    if (session < 0) return -1
    this.last[(session << LAST_SHIFT) + TAG] = this.last[(domain << LAST_SHIFT) + TAG]!
    const sessionFresh = this.table.fresh
    if (sessionFresh) this.clear(session)
    this.followIpfix(domain, domainFresh, session, sessionFresh, sequence, records, nowMs)
    this.settleDown(domain)
    this.settleDown(session)
    return session
  }

  private followIpfix(
    domain: number,
    domainFresh: boolean,
    session: number,
    sessionFresh: boolean,
    sequence: number,
    records: number,
    nowMs: number,
  ): void {
    if (sessionFresh || domainFresh) {
      // A new domain: only the session's counter can say something, once it is believed.
      if (domainFresh) this.begin(domain, sequence, records)
      if (sessionFresh) this.begin(session, sequence, records)
      else if (this.score[session]! >= LATCH)
        this.follow(session, this.gap(session, sequence), sequence, records, nowMs)
      else this.begin(session, sequence, records)
      return
    }
    const ofSession = this.gap(session, sequence)
    const ofDomain = this.gap(domain, sequence)
    this.weigh(session, ofSession, ofDomain)
    const score = this.score[session]!
    const bySession = Math.abs(score) >= LATCH ? score > 0 : Math.abs(ofSession) <= Math.abs(ofDomain)
    const chosen = bySession ? session : domain
    this.follow(chosen, bySession ? ofSession : ofDomain, sequence, records, nowMs)
    // The other reading is only kept up to date, and not by what came late.
    if (this.lateRun[chosen] === 0) this.begin(bySession ? domain : session, sequence, records)
  }

  private netflow5Gap(place: number, sequence: number, records: number): number {
    const first = this.gap(place, sequence)
    if (this.last[(place << LAST_SHIFT) + RECORDS]! < 0) return first
    const last = (sequence - this.last[place << LAST_SHIFT]! - records) | 0
    this.weigh(place, first, last)
    const score = this.score[place]!
    if (Math.abs(score) >= LATCH) return score > 0 ? first : last
    return Math.abs(first) < Math.abs(last) ? first : last
  }

  /** Signed distance to the number that was expected next. */
  private gap(place: number, sequence: number): number {
    const records = this.last[(place << LAST_SHIFT) + RECORDS]!
    return records < 0 ? 0 : (sequence - this.last[place << LAST_SHIFT]! - records) | 0
  }

  private weigh(place: number, first: number, second: number): void {
    const score = this.score[place]!
    if (first === 0 && second !== 0 && score < HOLD) this.score[place] = score + 1
    else if (second === 0 && first !== 0 && score > -HOLD) this.score[place] = score - 1
  }

  private follow(place: number, gap: number, sequence: number, records: number, nowMs: number): void {
    if (gap < 0) return this.followLate(place, gap, sequence, records)
    if (gap >= AHEAD_RECORDS) return this.restart(place, sequence, records)
    if (gap > 0) {
      if (this.missing[place] === 0) {
        this.open++
        this.gapMs[place] = nowMs
        this.gapAge[place] = 0
      }
      this.missing[place]! += gap
    } else {
      if (this.disorder[place]! > 0) this.disorder[place]!--
      if (this.missing[place]! > 0 && ++this.gapAge[place]! >= GAP_DATAGRAMS) this.giveUp(place)
    }
    this.lateRun[place] = 0
    this.advance(place, sequence, records)
  }

  private followLate(place: number, gap: number, sequence: number, records: number): void {
    if (gap < -LATE_RECORDS) return this.restart(place, sequence, records)
    const follows = this.lateRun[place]! > 0 && this.followsLate(place, sequence, records)
    const run = follows ? this.lateRun[place]! + 1 : 1
    this.lateRun[place] = run
    if (run >= RESTART_RUN) return this.restart(place, sequence, records)
    this.latePrevious[place] = sequence
    this.lateRecords[place] = records
    this.late++
    this.upset(place)
    this.lastAgain = this.missing[place] === 0
    this.tell(this.onLate, place, this.lastAgain)
    if (this.missing[place]! > 0) {
      this.missing[place] = Math.max(0, this.missing[place]! - Math.max(records, 0))
      if (this.missing[place] === 0) this.open--
    }
  }

  /** Whether a late datagram is the next after the last late one, in either reading of the number. */
  private followsLate(place: number, sequence: number, records: number): boolean {
    const step = (sequence - this.latePrevious[place]!) | 0
    return step === this.lateRecords[place] || step === records
  }

  private restart(place: number, sequence: number, records: number): void {
    this.restarts++
    this.upset(place)
    this.tell(this.onRestart, place, false)
    // What is missing from before cannot be told from the jump itself.
    if (this.missing[place]! > 0) this.open--
    this.missing[place] = 0
    this.lateRun[place] = 0
    this.advance(place, sequence, records)
  }

  private giveUp(place: number): void {
    if (this.disorder[place]! < MIXED)
      this.onLost(
        this.table.word(place, 0),
        this.table.word(place, 1) & PROTOCOL_MASK,
        this.missing[place]!,
        this.tagOf(place),
      )
    this.missing[place] = 0
    this.open--
  }

  private tell(whom: NonNullable<SequenceOptions['onLate']>, place: number, again: boolean): void {
    whom(this.table.word(place, 0), this.table.word(place, 1) & PROTOCOL_MASK, this.tagOf(place), again)
  }

  private upset(place: number): void {
    this.disorder[place] = Math.min(255, this.disorder[place]! + WENT_BACK)
  }

  private begin(place: number, sequence: number, records: number): void {
    this.lateRun[place] = 0
    this.advance(place, sequence, records)
  }

  private advance(place: number, sequence: number, records: number): void {
    this.last[place << LAST_SHIFT] = sequence
    this.last[(place << LAST_SHIFT) + RECORDS] = records
  }

  private tagOf(place: number): number {
    return this.last[(place << LAST_SHIFT) + TAG]! >>> 0
  }

  private clear(place: number): void {
    if (this.missing[place]! > 0) this.open--
    this.score[place] = 0
    this.missing[place] = 0
    this.gapAge[place] = 0
    this.lateRun[place] = 0
    this.disorder[place] = 0
  }
}
