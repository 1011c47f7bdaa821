/**
 * Fragments of IPv4 (RFC 791) and IPv6 (RFC 8200 §4.5) datagrams put together, for captures: a socket gets them whole from the
 * kernel. Bounded: `maxDatagrams` at a time, each up to 64 KiB; when all are taken the oldest goes, and after 30 s (ip(7),
 * ipfrag_time) by the capture's own time it is too late for the rest. All that is lost is counted.
 */
const UNIT = 8
const MAX_PAYLOAD = 65_535
const MAX_IP_HEADER = 60
const TIMEOUT_MS = 30_000
const V4_MAPPED = 0xffff0000

/** What a fragment belongs to, and where it lies. Implemented by Transport. */
interface FragmentOwner {
  readonly bytes: Uint8Array
  readonly source: Uint32Array
  readonly destination: Uint32Array
}

/** One datagram in the making. Its payload starts at MAX_IP_HEADER of `bytes`, so that an IP header fits before it. */
class Datagram {
  readonly bytes = new Uint8Array(MAX_IP_HEADER + MAX_PAYLOAD + 1)
  readonly view = new DataView(this.bytes.buffer)
  /** Source, destination, identification, protocol. */
  readonly key = new Uint32Array(10)
  /** A bit for each unit of eight bytes that came. */
  readonly seen = new Uint32Array(Math.ceil((MAX_PAYLOAD + 1) / UNIT / 32))
  used = false
  firstMs = 0
  units = 0
  /** Payload length, known with the last fragment; else 0. */
  total = 0
}

export class Reassembly {
  /** The whole datagram, valid until the next `add`. */
  bytes: Uint8Array = new Uint8Array(0)
  view: DataView = new DataView(this.bytes.buffer)
  readonly payloadStart = MAX_IP_HEADER
  /** Where an IP header without options or extensions stands before the payload. */
  headerStart = 0

  /** Datagrams put together. */
  reassembled = 0
  /** Datagrams given up: too old, pushed out by newer ones, or fragments that overlap. */
  dropped = 0

  private readonly slots: Datagram[]
  private readonly maxDatagrams: number
  private readonly key = new Uint32Array(10)

  constructor(maxDatagrams = 64) {
    this.maxDatagrams = Math.max(1, maxDatagrams)
    this.slots = []
  }

  /**
   * Adds the payload `owner.bytes[at .. end)` at `offset` of its datagram. The length of the payload when the datagram is whole
   * now, -1 when more is needed or the fragment was refused.
   */
  add(
    owner: FragmentOwner,
    at: number,
    end: number,
    offset: number,
    more: boolean,
    id: number,
    protocol: number,
    timeMs: number,
  ): number {
    const length = end - at
    if (length <= 0 || offset + length > MAX_PAYLOAD || (more && length % UNIT !== 0)) return -1
    this.key.set(owner.source, 0)
    this.key.set(owner.destination, 4)
    this.key[8] = id
    this.key[9] = protocol
    const datagram = this.find(timeMs)
    if (!more) {
      if (datagram.total !== 0 && datagram.total !== offset + length) return this.give(datagram)
      datagram.total = offset + length
    }
    // RFC 5722: a datagram with overlapping fragments is given up. One that came twice is only ignored.
    const fresh = mark(datagram, offset / UNIT, Math.ceil(length / UNIT))
    if (fresh < 0) return this.give(datagram)
    if (fresh === 0) return -1
    datagram.bytes.set(owner.bytes.subarray(at, end), MAX_IP_HEADER + offset)
    if (datagram.total === 0 || datagram.units < Math.ceil(datagram.total / UNIT)) return -1
    // A fragment beyond the last one.
    if (datagram.units > Math.ceil(datagram.total / UNIT)) return this.give(datagram)
    this.finish(datagram, owner, protocol)
    return datagram.total
  }

  private find(timeMs: number): Datagram {
    let free: Datagram | undefined
    let oldest: Datagram | undefined
    for (const slot of this.slots) {
      if (slot.used && Math.abs(timeMs - slot.firstMs) > TIMEOUT_MS) this.give(slot)
      if (!slot.used) free ??= slot
      else if (sameKey(slot.key, this.key)) return slot
      else if (oldest === undefined || slot.firstMs < oldest.firstMs) oldest = slot
    }
    if (free === undefined && this.slots.length < this.maxDatagrams) this.slots.push((free = new Datagram()))
    if (free === undefined && oldest !== undefined) this.give((free = oldest))
    const slot = free!
    slot.used = true
    slot.firstMs = timeMs
    slot.units = 0
    slot.total = 0
    slot.seen.fill(0)
    slot.key.set(this.key)
    return slot
  }

  private give(datagram: Datagram): number {
    datagram.used = false
    this.dropped++
    return -1
  }

  private finish(datagram: Datagram, owner: FragmentOwner, protocol: number): void {
    datagram.used = false
    this.reassembled++
    this.bytes = datagram.bytes
    this.view = datagram.view
    const { view } = datagram
    const { source, destination } = owner
    const isV4 = source[0] === 0 && source[1] === 0 && source[2] === V4_MAPPED
    const at = (this.headerStart = MAX_IP_HEADER - (isV4 ? 20 : 40))
    if (isV4) {
      view.setUint32(at, 0x4500_0000 | Math.min(0xffff, 20 + datagram.total))
      view.setUint32(at + 4, 0)
      view.setUint32(at + 8, 0x4000_0000 | (protocol << 16))
      view.setUint32(at + 12, source[3]!, true)
      view.setUint32(at + 16, destination[3]!, true)
      return
    }
    view.setUint32(at, 0x6000_0000)
    view.setUint32(at + 4, ((datagram.total << 16) | (protocol << 8) | 64) >>> 0)
    for (let i = 0; i < 4; i++) {
      view.setUint32(at + 8 + i * 4, source[i]!, true)
      view.setUint32(at + 24 + i * 4, destination[i]!, true)
    }
  }
}

/** Marks units as seen: how many are new (all of them), 0 when all had been there, -1 when only some. */
function mark(datagram: Datagram, first: number, count: number): number {
  let known = 0
  for (let unit = first; unit < first + count; unit++) {
    if ((datagram.seen[unit >>> 5]! >>> (unit & 31)) & 1) known++
  }
  if (known > 0) return known === count ? 0 : -1
  for (let unit = first; unit < first + count; unit++) {
    datagram.seen[unit >>> 5] = datagram.seen[unit >>> 5]! | (1 << (unit & 31))
  }
  datagram.units += count
  return count
}

function sameKey(a: Uint32Array, b: Uint32Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
