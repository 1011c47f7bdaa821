/**
 * Finds entries by up to four numbers of their key: open addressing over entry numbers, no object a key.
 *
 * Entries are numbers below 2^31; `hashOf` and `same` know their keys, so one entry can stand in several indexes by different parts
 * of its key. Never more than half full.
 */
export class KeyIndex {
  /** Entry + 1; 0 = free. A power of two of them: the hash is taken modulo their number, and then one after the other. */
  slots = new Int32Array(64)
  private size = 0
  private readonly hashOf: (entry: number) => number
  private readonly same: (entry: number, other: number) => boolean

  constructor(hashOf: (entry: number) => number, same: (entry: number, other: number) => boolean) {
    this.hashOf = hashOf
    this.same = same
  }

  /** The entry whose key equals that of `probe`, or -1. */
  find(probe: number): number {
    const { slots } = this
    const mask = slots.length - 1
    for (let slot = this.hashOf(probe) & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot]! - 1
      if (entry < 0 || this.same(entry, probe)) return entry
    }
  }

  /** Puts `entry` in, in place of one with an equal key. */
  set(entry: number): void {
    if ((this.size + 1) * 2 > this.slots.length) this.grow()
    const slot = this.slotOf(entry)
    if (this.slots[slot] === 0) this.size++
    this.slots[slot] = entry + 1
  }

  /** Takes `entry` out, if it stands in and not another with an equal key. */
  delete(entry: number): void {
    const { slots } = this
    const mask = slots.length - 1
    let hole = this.slotOf(entry)
    if (slots[hole] !== entry + 1) return
    // Entries after the hole move into it unless they would come to lie before the slot of their hash.
    for (let slot = (hole + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const home = this.hashOf(slots[slot]! - 1) & mask
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue
      slots[hole] = slots[slot]!
      hole = slot
    }
    slots[hole] = 0
    this.size--
  }

  private slotOf(entry: number): number {
    const mask = this.slots.length - 1
    let slot = this.hashOf(entry) & mask
    while (this.slots[slot] !== 0 && !this.same(this.slots[slot]! - 1, entry)) slot = (slot + 1) & mask
    return slot
  }

  private grow(): void {
    const old = this.slots
    this.slots = new Int32Array(old.length * 2)
    this.size = 0
    for (const value of old) if (value !== 0) this.set(value - 1)
  }
}

/** Odd factors that senders do not know, so that they cannot choose keys that fall together. */
const [A = 1, B = 1, C = 1, D = 1] = crypto.getRandomValues(new Int32Array(4)).map((factor) => factor | 1)

/** Mixes four numbers into 31 bits. The products do not wait for each other. */
export function hash4(a: number, b: number, c: number, d: number): number {
  const sum = (Math.imul(a, A) + Math.imul(b, B) + Math.imul(c, C) + Math.imul(d, D)) | 0
  return (sum ^ (sum >>> 15)) & 0x7fff_ffff
}
