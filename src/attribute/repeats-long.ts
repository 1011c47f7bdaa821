/**
 * Repeated records of any kind: an entry is two cache lines.
 *
 *   entry   32 words: 28 that attribution reads (the order is that of `read`) | number of the answer | interfaces | sampling rate
 *
 * Direct-mapped: a record displaces another in its place, which is spared once each time it comes.
 */
import { newLines } from '../identity/memory.ts'
import type { BatchMemory } from '../schema/batch.ts'
import { CHUNK, type Found } from './found.ts'
import type { RowKinds } from './row-kinds.ts'

const ENTRY_BITS = 5
const KEY_WORDS = 28
const NUMBER = 28
const IN_IF = 29
const OUT_IF = 30
const RATE = 31
/** Beside the number: no other has wanted the place since the record last came. */
const WANTED = 0x8000_0000 | 0
const FIRST_BITS = 9
/** 16 MiB a thread. */
const MOST_BITS = 17

export class LongRepeats {
  private bits = FIRST_BITS
  private entries: Int32Array = new Int32Array(0)
  private displaced = 0
  private readonly keys = new Int32Array(CHUNK << ENTRY_BITS)
  private readonly places = new Uint32Array(CHUNK)
  /** So that no compiler finds the reads of `touch` useless. */
  touched = 0

  clear(): void {
    this.entries.fill(0)
  }

  /** Looks for the long rows of the chunk, which begins at row `first` of the memory; how many are known. */
  find(
    memory: BatchMemory,
    first: number,
    kinds: RowKinds,
    numbers: Uint32Array,
    rates: Int32Array,
    found: Found,
  ): number {
    if (this.entries.length === 0 || (this.displaced > 1 << this.bits && this.bits < MOST_BITS)) this.grow()
    this.read(memory, first, kinds)
    this.touch(kinds)
    return this.compare(kinds, numbers, rates, found)
  }

  /** Puts row `i` of the chunk, a long one. */
  put(i: number, number: number, rate: number, found: Found): void {
    const { entries, keys } = this
    const at = this.places[i]! << ENTRY_BITS
    const key = i << ENTRY_BITS
    const there = entries[at + NUMBER]!
    if (there !== 0 && (entries[at]! ^ keys[key]!) >>> 16 === 0) {
      this.displaced++
      entries[at + NUMBER] = there & ~WANTED
      if (there < 0) return
    }
    for (let word = 0; word < KEY_WORDS; word++) entries[at + word] = keys[key + word]!
    entries[at + NUMBER] = number | WANTED
    entries[at + IN_IF] = found.inIfs[i]!
    entries[at + OUT_IF] = found.outIfs[i]!
    entries[at + RATE] = rate
  }

  /** Reads both lines of each entry, so that the processor waits for many at once. */
  private touch({ long, longs }: RowKinds): void {
    const { entries, places } = this
    let touched = 0
    for (let k = 0; k < longs; k++) {
      const at = places[long[k]!]! << ENTRY_BITS
      touched ^= entries[at]! ^ entries[at + 16]!
    }
    this.touched = touched
  }

  private compare({ long, longs }: RowKinds, numbers: Uint32Array, rates: Int32Array, found: Found): number {
    const { entries, keys, places } = this
    let known = 0
    for (let k = 0; k < longs; k++) {
      const i = long[k]!
      const at = places[i]! << ENTRY_BITS
      const key = i << ENTRY_BITS
      let word = 0
      while (word < KEY_WORDS && entries[at + word] === keys[key + word]) word++
      if (word !== KEY_WORDS) continue
      numbers[i] = entries[at + NUMBER]! & ~WANTED
      entries[at + NUMBER]! |= WANTED
      found.inIfs[i] = entries[at + IN_IF]!
      found.outIfs[i] = entries[at + OUT_IF]!
      rates[i] = entries[at + RATE]!
      known++
    }
    return known
  }

  /** The keys of the rows, and where they would be. Through the memory's views: see Names. */
  private read({ u8, u32, layout }: BatchMemory, first: number, { long, longs, kind, where }: RowKinds): void {
    const { keys, places } = this
    const shift = 32 - this.bits
    // Out of the loop: the layout has too many names for a quick look at each.
    const {
      src_mac: srcMacAt,
      dst_mac: dstMacAt,
      tunnel_type: tunnelTypeAt,
      in_if: inIfAt,
      out_if: outIfAt,
      in_if_name: inIfNameAt,
      out_if_name: outIfNameAt,
      src_addr: srcAddrAt,
      dst_addr: dstAddrAt,
      observation_domain: observationDomainAt,
      observation_point: observationPointAt,
      tunnel_key: tunnelKeyAt,
      tunnel_src_addr: tunnelSrcAddrAt,
      tunnel_dst_addr: tunnelDstAddrAt,
    } = layout.first
    for (let k = 0; k < longs; k++) {
      const i = long[k]!
      const row = first + i
      const two = row * 2
      const four = row * 4
      const key = i << ENTRY_BITS
      // What kinds say of names follows from these.
      const kinds = (keys[key] = (kind[i]! & ~0xf000) | (u8[tunnelTypeAt + row]! << 12))
      const at = (keys[key + 1] = where[i]!)
      const inIf = (keys[key + 2] = u32[inIfAt + row]!)
      const outIf = (keys[key + 3] = u32[outIfAt + row]!)
      const inName = (keys[key + 4] = u32[inIfNameAt + row]!)
      const outName = (keys[key + 5] = u32[outIfNameAt + row]!)
      const sourceMac = (keys[key + 6] = u32[srcMacAt + two]!)
      const destinationMac = (keys[key + 7] = u32[dstMacAt + two]!)
      keys[key + 8] = u32[srcMacAt + two + 1]! | (u32[dstMacAt + two + 1]! << 16)
      const source = srcAddrAt + four
      keys[key + 9] = u32[source]!
      keys[key + 10] = u32[source + 1]!
      keys[key + 11] = u32[source + 2]!
      const sourceLow = (keys[key + 12] = u32[source + 3]!)
      const destination = dstAddrAt + four
      keys[key + 13] = u32[destination]!
      keys[key + 14] = u32[destination + 1]!
      keys[key + 15] = u32[destination + 2]!
      const destinationLow = (keys[key + 16] = u32[destination + 3]!)
      keys[key + 17] = u32[observationDomainAt + row]!
      keys[key + 18] = u32[observationPointAt + row]!
      const tunnel = (keys[key + 19] = u32[tunnelKeyAt + row]!)
      const outer = tunnelSrcAddrAt + four
      keys[key + 20] = u32[outer]!
      keys[key + 21] = u32[outer + 1]!
      keys[key + 22] = u32[outer + 2]!
      keys[key + 23] = u32[outer + 3]!
      const outerTo = tunnelDstAddrAt + four
      keys[key + 24] = u32[outerTo]!
      keys[key + 25] = u32[outerTo + 1]!
      keys[key + 26] = u32[outerTo + 2]!
      keys[key + 27] = u32[outerTo + 3]!
      const hash =
        Math.imul(sourceLow, 0x9e3779b1) +
        Math.imul(destinationLow, 0x85ebca77) +
        Math.imul(inIf ^ (inName << 16), 0xc2b2ae3d) +
        Math.imul(outIf ^ (outName << 16) ^ tunnel, 0x27d4eb2f) +
        Math.imul(sourceMac, 0x165667b1) +
        Math.imul(destinationMac, 0x2c1b3c6d) +
        Math.imul(at ^ (kinds << 24), 0x297a2d39)
      places[i] = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> shift
    }
  }

  /** Twice the room, and nothing in it: it is filled again by the next rows. */
  private grow(): void {
    if (this.entries.length > 0) this.bits++
    this.displaced = 0
    this.entries = newLines(1 << (this.bits + ENTRY_BITS))
  }
}
