/**
 * Data that came before its template, held until that comes: Open vSwitch sends templates every ten minutes, so a collector that starts
 * without them would lose as much. Bounded in bytes, in bytes of an exporter, and in time; the oldest goes first.
 *
 * A ring of items, each a message of its own: the header as it came and the one set. Big-endian where the exporter wrote, else
 * little-endian:
 *
 *   size u32 with all of this, a multiple of 8 | done u32 | receivedMs f64 | exporterId f64 | length u32 of the message | port u32
 *   exporter 4 × u32 | message
 */
import type { FlowBatch } from '../../schema/batch.ts'
import { rowsBound, type Datagram } from '../decoder.ts'

export interface LateLimits {
  /** Bytes held in all; 0 = nothing is held. */
  readonly maxBytes: number
  readonly maxBytesPerExporter: number
  readonly maxAgeMs: number
}

export const LATE_LIMITS: LateLimits = {
  maxBytes: 16 * 1024 ** 2,
  maxBytesPerExporter: 2 * 1024 ** 2,
  maxAgeMs: 660_000,
}

/** A held set is done with: its rows were appended (`rows` ≥ 0), or it is lost (-1). */
export type OnSettled = (exporterId: number, version: number, domain: number, rows: number, nowMs: number) => void

const ITEM = 48
const FIRST_CAPACITY = 65_536
/** Sets tried in one call: a thousandth of a second. */
const SETS_A_CALL = 4096
const NETFLOW9 = 9
const HEADER = { [NETFLOW9]: 20 } as Readonly<Record<number, number>>
const IPFIX_HEADER = 16

/** Decodes one message whose template may be known by now: the rows it appended, -1 while it is not. */
export type DecodeLate = (datagram: Datagram, out: FlowBatch) => number

export class LateSets {
  /** Running totals of sets. `displaced` and `expired` are lost. */
  readonly counters = { held: 0, decoded: 0, displaced: 0, expired: 0, refused: 0 }
  private readonly limits: LateLimits
  private readonly decode: DecodeLate
  private readonly onSettled: OnSettled
  private ring = new Uint8Array(0)
  private view = new DataView(this.ring.buffer)
  /** The oldest item, and where the next one goes. `used` bytes lie between them, padding at the end of the ring included. */
  private head = 0
  private tail = 0
  private used = 0
  private waiting = 0
  private lastMs = 0
  private readonly ofExporter = new Map<number, number>()
  /** The item to be tried next and the bytes left to look at; 0 = no template came since. */
  private passAt = 0
  private passLeft = 0
  private again = false
  private wanted = 1
  private readonly datagram: Datagram

  constructor(limits: Partial<LateLimits>, decode: DecodeLate, onSettled: OnSettled) {
    this.limits = { ...LATE_LIMITS, ...limits }
    this.decode = decode
    this.onSettled = onSettled
    this.datagram = {
      bytes: this.ring,
      view: this.view,
      start: 0,
      end: 0,
      receivedMs: 0,
      exporter: new Uint32Array(4),
      exporterPort: 0,
      exporterId: 0,
    }
  }

  /** Sets that wait. */
  get size(): number {
    return this.waiting
  }

  /** Memory of the ring. */
  get bytes(): number {
    return this.ring.length
  }

  /** Rows that the next call of `expire` needs free. */
  get needs(): number {
    return this.wanted
  }

  /** Holds the set `[start .. end)` of the message that begins at `message`; false when it may not be held. */
  hold(datagram: Datagram, message: number, start: number, end: number): boolean {
    const { exporterId, bytes, view } = datagram
    const header = HEADER[view.getUint16(message)] ?? IPFIX_HEADER
    const length = header + end - start
    const size = (ITEM + length + 7) & ~7
    const mine = (this.ofExporter.get(exporterId) ?? 0) + size
    if (mine > this.limits.maxBytesPerExporter || !this.makeRoom(size, datagram.receivedMs)) {
      this.counters.refused++
      return false
    }
    this.lastMs = Math.max(this.lastMs, datagram.receivedMs)
    const at = this.tail
    const item = this.view
    item.setUint32(at, size, true)
    item.setUint32(at + 4, 0, true)
    item.setFloat64(at + 8, datagram.receivedMs, true)
    item.setFloat64(at + 16, exporterId, true)
    item.setUint32(at + 24, length, true)
    item.setUint32(at + 28, datagram.exporterPort, true)
    for (let lane = 0; lane < 4; lane++) item.setUint32(at + 32 + lane * 4, datagram.exporter[lane]!, true)
    this.ring.set(bytes.subarray(message, message + header), at + ITEM)
    this.ring.set(bytes.subarray(start, end), at + ITEM + header)
    // The message that is held has one set.
    if (header === IPFIX_HEADER) item.setUint16(at + ITEM + 2, length)
    this.tail = (at + size) % this.ring.length
    this.used += size
    this.waiting++
    this.counters.held++
    this.ofExporter.set(exporterId, (this.ofExporter.get(exporterId) ?? 0) + size)
    return true
  }

  /** A template came that was not known: what is held is tried again by the next calls of `expire`. */
  templateCame(): void {
    if (this.waiting === 0) return
    if (this.passLeft > 0) this.again = true
    else this.begin()
  }

  /** Gives up what is too old at `nowMs`, and appends rows of sets whose template has come; how many. */
  expire(nowMs: number, out: FlowBatch): number {
    while (this.used > 0 && (this.isDone(this.head) || nowMs - this.receivedAt(this.head) > this.limits.maxAgeMs))
      this.removeHead('expired', nowMs)
    return this.tryHeld(nowMs, out, SETS_A_CALL)
  }

  /** The clock was set by so much: what is held is no older or younger for it. */
  stepped(byMs: number): void {
    for (let at = this.head, left = this.used; left > 0;) {
      this.view.setFloat64(at + 8, this.receivedAt(at) + byMs, true)
      const size = this.view.getUint32(at, true)
      at = (at + size) % this.ring.length
      left -= size
    }
    this.lastMs += byMs
  }

  /** Appends what can be decoded by now, as far as there is room; what cannot be is lost when nothing more can. */
  flush(out: FlowBatch): number {
    const rows = this.tryHeld(this.lastMs, out, Infinity)
    if (this.passLeft === 0) while (this.used > 0) this.removeHead('expired', this.lastMs)
    return rows
  }

  private tryHeld(nowMs: number, out: FlowBatch, most: number): number {
    const before = out.rows
    this.wanted = 1
    for (let tried = 0; tried < most && this.passLeft > 0; tried++) {
      const at = this.passAt
      if (!this.isDone(at)) {
        const length = this.view.getUint32(at + 24, true)
        const bound = rowsBound(length)
        if (out.free < bound) {
          this.wanted = bound
          break
        }
        this.tryOne(at, length, nowMs, out)
      }
      const size = this.view.getUint32(at, true)
      this.passAt = (at + size) % this.ring.length
      this.passLeft -= size
      if (this.passLeft <= 0 && this.again) this.begin()
    }
    return out.rows - before
  }

  private tryOne(at: number, length: number, nowMs: number, out: FlowBatch): void {
    const { datagram, view } = this
    datagram.bytes = this.ring
    datagram.view = view
    datagram.start = at + ITEM
    datagram.end = at + ITEM + length
    datagram.receivedMs = this.receivedAt(at)
    datagram.exporterId = view.getFloat64(at + 16, true)
    datagram.exporterPort = view.getUint32(at + 28, true)
    for (let lane = 0; lane < 4; lane++) datagram.exporter[lane] = view.getUint32(at + 32 + lane * 4, true)
    const rows = this.decode(datagram, out)
    if (rows < 0) return
    view.setUint32(at + 4, 1, true)
    this.counters.decoded++
    this.settle(at, rows, nowMs)
  }

  private begin(): void {
    this.again = false
    this.passAt = this.head
    this.passLeft = this.used
  }

  /** Room for `size` bytes at the tail: of the ring, of a larger one, or of the oldest items. */
  private makeRoom(size: number, nowMs: number): boolean {
    const max = Math.floor(this.limits.maxBytes / 8) * 8
    if (size > max) return false
    for (;;) {
      const toEnd = this.ring.length - this.tail
      // An item lies in one piece: what is left at the end of the ring is an item that is done.
      const wanted = size > toEnd ? size + toEnd : size
      if (this.used + wanted <= this.ring.length) {
        if (size > toEnd) this.pad(toEnd)
        return true
      }
      if (this.ring.length < max) this.grow(Math.min(max, Math.max(FIRST_CAPACITY, this.ring.length * 2)))
      else this.removeHead('displaced', nowMs)
    }
  }

  private pad(size: number): void {
    if (size > 0) {
      this.view.setUint32(this.tail, size, true)
      this.view.setUint32(this.tail + 4, 1, true)
      this.used += size
    }
    this.tail = 0
  }

  private grow(capacity: number): void {
    const ring = new Uint8Array(capacity)
    let to = 0
    for (let at = this.head, left = this.used; left > 0;) {
      const size = this.view.getUint32(at, true)
      if (!this.isDone(at)) {
        ring.set(this.ring.subarray(at, at + size), to)
        to += size
      }
      at = (at + size) % this.ring.length
      left -= size
    }
    this.ring = ring
    this.view = new DataView(ring.buffer)
    this.head = 0
    this.tail = to
    this.used = to
    if (this.passLeft > 0) this.begin()
  }

  private removeHead(reason: 'expired' | 'displaced', nowMs: number): void {
    const at = this.head
    const size = this.view.getUint32(at, true)
    if (!this.isDone(at)) {
      this.counters[reason]++
      this.settle(at, -1, nowMs)
    }
    this.head = (at + size) % this.ring.length
    this.used -= size
    if (this.passLeft > 0 && this.passAt === at) {
      this.passAt = this.head
      this.passLeft -= size
    }
    if (this.used === 0) this.head = this.tail = this.passLeft = 0
  }

  private settle(at: number, rows: number, nowMs: number): void {
    const { view } = this
    const exporterId = view.getFloat64(at + 16, true)
    const rest = this.ofExporter.get(exporterId)! - view.getUint32(at, true)
    if (rest > 0) this.ofExporter.set(exporterId, rest)
    else this.ofExporter.delete(exporterId)
    this.waiting--
    const version = view.getUint16(at + ITEM)
    const domain = view.getUint32(at + ITEM + (version === NETFLOW9 ? 16 : 12))
    this.onSettled(exporterId, version, domain, rows, nowMs)
  }

  private isDone(at: number): boolean {
    return this.view.getUint32(at + 4, true) !== 0
  }

  private receivedAt(at: number): number {
    return this.view.getFloat64(at + 8, true)
  }
}
