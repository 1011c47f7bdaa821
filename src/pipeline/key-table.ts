/**
 * Four u32 words → the number of a place, 0 … max-1, for state that the network can make us keep: exporters, streams, interfaces.
 * Bounded: when all places are taken, one that was not used for `idleMs` is given away, else the key is refused and counted.
 * The values lie in arrays of the owner, indexed by place; when `fresh` is true after `place`, the owner clears them.
 *
 * Open addressing over a hash with a random seed, so that nobody outside can aim at one slot. No allocation after construction.
 */
import { randomInt } from 'node:crypto'

/** How many places a full table looks at for one that is idle, each time it is asked for a new one. */
const SEARCH = 32

export class KeyTable {
  readonly max: number
  readonly idleMs: number
  /** Places in use. */
  size = 0
  /** Keys that found no place. */
  refused = 0
  /** Places taken from idle keys. */
  evicted = 0
  /** Whether the last `place` gave a new place (or one taken from another key). */
  fresh = false
  /** When each place was last asked for, milliseconds since 1970. */
  readonly seenMs: Float64Array

  private readonly keys: Uint32Array
  /** Place + 1 of the key whose probe sequence passes here; 0 = free. At most half full. */
  private readonly slots: Uint32Array
  private readonly mask: number
  private readonly seed = randomInt(0x7fff_ffff) | 1
  private hand = 0

  constructor(max: number, idleMs: number) {
    this.max = max
    this.idleMs = idleMs
    this.keys = new Uint32Array(max * 4)
    this.seenMs = new Float64Array(max)
    let slots = 16
    while (slots < max * 2) slots *= 2
    this.slots = new Uint32Array(slots)
    this.mask = slots - 1
  }

  /** Place of a known key, or -1. Does not touch its time. */
  find(a: number, b: number, c: number, d: number): number {
    return this.slots[this.slotOf(a, b, c, d)]! - 1
  }

  /** Place of a key, known or new; -1 when there is none left. */
  place(a: number, b: number, c: number, d: number, nowMs: number): number {
    this.fresh = false
    const known = this.find(a, b, c, d)
    if (known >= 0) {
      this.seenMs[known] = nowMs
      return known
    }
    const place = this.size < this.max ? this.size++ : this.takeIdle(nowMs)
    if (place < 0) {
      this.refused++
      return -1
    }
    // The slot is looked for only now: taking an idle place moves entries.
    this.slots[this.slotOf(a, b, c, d)] = place + 1
    const at = place * 4
    this.keys[at] = a
    this.keys[at + 1] = b
    this.keys[at + 2] = c
    this.keys[at + 3] = d
    this.seenMs[place] = nowMs
    this.fresh = true
    return place
  }

  /** Word `index` of the key at a place. */
  word(place: number, index: number): number {
    return this.keys[place * 4 + index]!
  }

  /** Forgets all keys: places are given from 0 on again. */
  clear(): void {
    if (this.size > 0) this.slots.fill(0)
    this.size = 0
    this.hand = 0
  }

  /** The slot that holds the key, or the free one where it belongs. */
  private slotOf(a: number, b: number, c: number, d: number): number {
    const { keys, slots, mask } = this
    let slot = this.hash(a, b, c, d)
    for (let held = slots[slot]!; held !== 0; held = slots[slot]!) {
      const at = (held - 1) * 4
      if (keys[at] === a && keys[at + 1] === b && keys[at + 2] === c && keys[at + 3] === d) return slot
      slot = (slot + 1) & mask
    }
    return slot
  }

  private hash(a: number, b: number, c: number, d: number): number {
    let h = this.seed
    h = Math.imul(h ^ a, 0x85eb_ca6b)
    h = Math.imul(h ^ (h >>> 15) ^ b, 0xc2b2_ae35)
    h = Math.imul(h ^ (h >>> 13) ^ c, 0x27d4_eb2f)
    h = Math.imul(h ^ (h >>> 16) ^ d, 0x1656_67b1)
    return (h ^ (h >>> 15)) & this.mask
  }

  private takeIdle(nowMs: number): number {
    for (let i = 0; i < SEARCH; i++) {
      const place = this.hand
      this.hand = place + 1 === this.max ? 0 : place + 1
      // Either way: a clock that was set back must not keep everybody.
      if (Math.abs(nowMs - this.seenMs[place]!) > this.idleMs) {
        this.remove(place)
        this.evicted++
        return place
      }
    }
    return -1
  }

  /** Takes a key out by moving back those that were displaced by it, so that no probe sequence is broken. */
  private remove(place: number): void {
    const { slots, mask } = this
    let free = this.slotOf(this.word(place, 0), this.word(place, 1), this.word(place, 2), this.word(place, 3))
    let slot = (free + 1) & mask
    for (let held = slots[slot]!; held !== 0; held = slots[slot]!) {
      const other = held - 1
      const home = this.hash(this.word(other, 0), this.word(other, 1), this.word(other, 2), this.word(other, 3))
      if (((slot - home) & mask) >= ((slot - free) & mask)) {
        slots[free] = held
        free = slot
      }
      slot = (slot + 1) & mask
    }
    slots[free] = 0
  }
}
