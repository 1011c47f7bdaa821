/**
 * Ids of the APIs as keys without a string each. Nearly all are UUIDs, which are four words in an open-addressed table: a look-up
 * costs one or two cache lines, where a Map of strings costs four, and the garbage collector has nothing to walk. Any other id goes
 * into a Map, so that whatever a file calls its ports is found.
 */
import { LaneTable, type PackedLanes } from './lanes.ts'
import { newWords, touchPages } from './memory.ts'

const UUID_CHARS = 36
const FIRST_SLOTS = 16
/** Four words and the value; value 0 = free slot, GONE = the id was taken out. */
const STRIDE = 5
const GONE = -1

/** By character code: value of a lower-case hexadecimal digit, NO_DIGIT for all others. */
const NO_DIGIT = 0x100
const DIGITS = new Uint16Array(0x80).fill(NO_DIGIT)
for (let value = 0; value < 16; value++) DIGITS[value.toString(16).charCodeAt(0)] = value

/** Words of the id read last. */
const read = new Int32Array(4)

/** `count` hexadecimal digits from `at` on as a number; with NO_DIGIT in `wrong` where there are others. */
let wrong = 0
function digits(text: string, at: number, count: number): number {
  let value = 0
  for (let i = at; i < at + count; i++) {
    const code = text.charCodeAt(i)
    const digit = code < 0x80 ? DIGITS[code]! : NO_DIGIT
    wrong |= digit
    value = (value << 4) | digit
  }
  return value
}

/** Reads an id into `read`; false when it is no UUID as the APIs write it, in lower case. */
function readUuid(id: string): boolean {
  if (id.length !== UUID_CHARS || id[8] !== '-' || id[13] !== '-' || id[18] !== '-' || id[23] !== '-') return false
  wrong = 0
  read[0] = digits(id, 0, 8)
  read[1] = (digits(id, 9, 4) << 16) | digits(id, 14, 4)
  read[2] = (digits(id, 19, 4) << 16) | digits(id, 24, 4)
  read[3] = digits(id, 28, 8)
  return (wrong & NO_DIGIT) === 0
}

/** Id → number above 0. */
export class IdTable {
  private slots: Int32Array
  private mask: number
  private used = 0
  private readonly others = new Map<string, number>()

  constructor(expected = 0) {
    let slots = FIRST_SLOTS
    while (slots < expected * 2) slots *= 2
    this.slots = newWords(slots * STRIDE)
    this.mask = slots - 1
  }

  /** Before anything is in it: see touchPages. */
  touchPages(): Generator<void, void> {
    return touchPages(this.slots)
  }

  /** The number of an id, 0 when it has none. */
  get(id: string): number {
    if (!readUuid(id)) return this.others.get(id) ?? 0
    return Math.max(0, this.slots[this.find(this.slots, this.mask) + 4]!)
  }

  set(id: string, value: number): void {
    if (!readUuid(id)) {
      this.others.set(id, value)
      return
    }
    const at = this.find(this.slots, this.mask)
    if (this.slots[at + 4] === 0) this.used++
    this.slots.set(read, at)
    this.slots[at + 4] = value
    if (this.used * 2 > this.mask) this.grow()
  }

  delete(id: string): void {
    if (!readUuid(id)) {
      this.others.delete(id)
      return
    }
    const at = this.find(this.slots, this.mask)
    if (this.slots[at + 4] !== 0) this.slots[at + 4] = GONE
  }

  /** Where the id in `read` is, or would be. */
  private find(slots: Int32Array, mask: number): number {
    const [w0, w1, w2, w3] = read as unknown as [number, number, number, number]
    // Of UUIDs that programs make every word is random; those of version 1 differ in the first.
    let hash = Math.imul(w0, 0x9e3779b1) ^ Math.imul(w3, 0x85ebca77) ^ Math.imul(w1 ^ w2, 0xc2b2ae3d)
    hash ^= hash >>> 15
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const at = slot * STRIDE
      if (slots[at + 4] === 0) return at
      if (slots[at] === w0 && slots[at + 3] === w3 && slots[at + 1] === w1 && slots[at + 2] === w2) return at
    }
  }

  private grow(): void {
    const old = this.slots
    this.mask = this.mask * 2 + 1
    this.slots = newWords((this.mask + 1) * STRIDE)
    for (let from = 0; from < old.length; from += STRIDE) {
      if (old[from + 4] === 0) continue
      read.set(old.subarray(from, from + 4))
      const at = this.find(this.slots, this.mask)
      this.slots.set(old.subarray(from, from + STRIDE), at)
    }
  }
}

/** First characters of a port's id, which device names carry: eight digits, a dash, two digits. */
const PREFIX_CHARS = 11
/** In the place of a number: ids of several ports begin so. */
const SHARED = 0x7fffffff

/** The first eleven characters of ids → number above 0; where two ids share them, none. */
export class PrefixTable {
  private readonly table: LaneTable

  constructor(expected = 0, table = new LaneTable(2, expected)) {
    this.table = table
  }

  static unpack(packed: PackedLanes): PrefixTable {
    return new PrefixTable(0, LaneTable.unpack(packed))
  }

  pack(): PackedLanes {
    return this.table.pack()
  }

  touchPages(): Generator<void, void> {
    return this.table.touchPages()
  }

  /** Number of the one id that begins like the text, 0 when there is none or are several. */
  get(text: string): number {
    if (!readPrefix(text)) return 0
    const value = this.table.get2(read[0]!, read[1]!)
    return value === SHARED ? 0 : value
  }

  /** Enters an id that was not there before. */
  add(id: string, value: number): void {
    if (!readPrefix(id)) return
    const known = this.table.get2(read[0]!, read[1]!)
    this.table.set2(read[0]!, read[1]!, known === 0 ? value : SHARED)
  }

  /** Gives another number to an id that has one; where several share the beginning, it stays so. */
  replace(id: string, value: number): void {
    if (readPrefix(id) && this.table.get2(read[0]!, read[1]!) !== SHARED) this.table.set2(read[0]!, read[1]!, value)
  }
}

function readPrefix(text: string): boolean {
  if (text.length < PREFIX_CHARS || text[8] !== '-') return false
  wrong = 0
  read[0] = digits(text, 0, 8)
  read[1] = digits(text, 9, 2)
  return (wrong & NO_DIGIT) === 0
}
