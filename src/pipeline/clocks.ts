/**
 * Clocks of exporters: how far off each is, and rows whose times cannot be.
 *
 * A header's time against the time of arrival tells how far a clock is ahead; delays make it look behind, by little. Where a row's
 * flow_end lies outside `[arrival − pastMs, arrival + futureMs]` it is moved, with its flow_start: by how far the exporter's clock is
 * off, where that brings it inside, else to its arrival. Partitions are of the time of storing, so nothing here can open one; but a row
 * in another year is found by no question, and spoils each that looks for the whole span.
 */
import { PROTOCOLS } from '../decode/decoder.ts'
import { getU64, setTime } from '../schema/batch.ts'
import type { Columns } from '../schema/columns.ts'
import { CORRECTIONS } from '../schema/enums.ts'

/** `trust` moves only what no calendar has, `far` what is outside of the window, `correct` all rows of a clock that is off. */
export const CLOCK_RULES = ['trust', 'far', 'correct'] as const
export type ClockRule = (typeof CLOCK_RULES)[number]

export interface ClockOptions {
  rule: ClockRule
  pastMs: number
  futureMs: number
}

/** Headers say seconds, Open vSwitch rounds them up (IPFIX): nearer than this a clock is right. */
export const TOLERANCE_MS = 2_000
/** A new offset is believed when so many headers in a row agree, so that one forged datagram moves nothing. */
const AGREE = 3
const SMOOTH = 1 / 16
/** 2106, where times of 32 bits end. */
const END_MS = 0xffff_ffff * 1000
const BIT = CORRECTIONS.clock.bit

/** Where the header has its time in seconds, by index into PROTOCOLS; -1 where it has none. */
const TIME_AT = PROTOCOLS.map((protocol) => ({ netflow5: 8, netflow9: 8, ipfix: 4 })[protocol as string] ?? -1)

export class Clocks {
  /** May be replaced at any time. */
  options: ClockOptions
  /** How far the clock of the exporter at a place is ahead, ms; NaN = not known. */
  readonly offsetMs: Float64Array
  /** Rows moved, by place of the exporter. */
  readonly moved: Float64Array
  /** An offset that was told lately and is not believed yet, and by how many. */
  private readonly told: Float64Array
  private readonly agreed: Uint8Array
  /** The last header that agreed with what is known of its place: of a second header with the same time nothing is learned. */
  private lastPlace = -1
  private lastSeconds = 0
  private lastReceivedMs = 0

  constructor(options: ClockOptions, maxExporters: number) {
    this.options = options
    this.offsetMs = new Float64Array(maxExporters).fill(NaN)
    this.moved = new Float64Array(maxExporters)
    this.told = new Float64Array(maxExporters)
    this.agreed = new Uint8Array(maxExporters)
  }

  /** Whether the clock at a place is known to be off. */
  isOff(place: number): boolean {
    return Math.abs(this.offsetMs[place]!) > TOLERANCE_MS
  }

  /** Another exporter has the place now. */
  forget(place: number): void {
    this.offsetMs[place] = NaN
    this.agreed[place] = 0
    this.lastPlace = -1
  }

  /** Whether `read` would learn nothing from this header: one of the same exporter, with the same time, was the last. */
  knows(place: number, protocol: number, view: DataView, start: number, receivedMs: number): boolean {
    const at = TIME_AT[protocol]!
    if (at < 0) return true
    return place === this.lastPlace && receivedMs === this.lastReceivedMs && view.getUint32(start + at) === this.lastSeconds // prettier-ignore
  }

  /** Reads the time in the header of a sound datagram at `start`; true when the clock is found to be off, anew. */
  read(place: number, protocol: number, view: DataView, start: number, receivedMs: number): boolean {
    const at = TIME_AT[protocol]!
    if (at < 0) return false
    const seconds = view.getUint32(start + at)
    // Without a clock it begins at 0; decoders take the time of arrival then.
    if (seconds < 0x1_0000_0000 / 1000) return false
    const offset = seconds * 1000 - receivedMs
    const known = this.offsetMs[place]!
    if (Math.abs(offset - known) <= TOLERANCE_MS) {
      this.offsetMs[place] = known + (offset - known) * SMOOTH
      this.agreed[place] = 0
      this.lastPlace = place
      this.lastSeconds = seconds
      this.lastReceivedMs = receivedMs
      return false
    }
    this.lastPlace = -1
    const same = this.agreed[place]! > 0 && Math.abs(offset - this.told[place]!) <= TOLERANCE_MS
    this.told[place] = offset
    this.agreed[place] = same ? this.agreed[place]! + 1 : 1
    if (this.agreed[place] < AGREE) return false
    this.offsetMs[place] = offset
    this.agreed[place] = 0
    return this.isOff(place)
  }

  /** Looks at rows `from … to − 1`, which arrived at one time, of the exporter at `place` (-1 = not known); how many were moved. */
  check(c: Columns, from: number, to: number, place: number): number {
    const { rule, pastMs, futureMs } = this.options
    const off = place >= 0 && this.isOff(place) ? this.offsetMs[place]! : 0
    const always = rule === 'correct' && off !== 0
    const arrival = getU64(c.time_received, from)
    const first = rule === 'trust' ? 0 : arrival - pastMs
    const last = rule === 'trust' ? END_MS - 1 : arrival + futureMs
    const { flow_end: ends } = c
    let moved = 0
    for (let row = from; row < to; row++) {
      const end = ends[row * 2]! + ends[row * 2 + 1]! * 0x1_0000_0000
      if (end >= first && end <= last && !always) continue
      moveRow(c, row, end, arrival, off, pastMs, futureMs)
      moved++
    }
    if (moved > 0 && place >= 0) this.moved[place]! += moved
    return moved
  }
}

function moveRow(
  c: Columns,
  row: number,
  end: number,
  arrival: number,
  off: number,
  pastMs: number,
  futureMs: number,
): void {
  const lasted = end - getU64(c.flow_start, row)
  const by = Math.round(end - off)
  const inside = off !== 0 && by >= arrival - pastMs && by <= arrival + futureMs
  const to = inside ? by : arrival
  setTime(c.flow_end, row, to)
  setTime(c.flow_start, row, to - (lasted >= 0 && lasted <= pastMs ? lasted : 0))
  c.corrections[row]! |= BIT
}
