/** How records of one group are found, and hashed as they are stored: see native-sums.ts. */
import type { ColumnArray, Kind } from './kinds.ts'
import { ROLLUP_KEYS } from './rollups.ts'
import type { StringTable } from './strings.ts'

/**
 * Odd constants of what is hashed, low and high in turn. Multiples of one number would not do: values that differ by +1, -1, -1, +1 in
 * four columns would leave both sums as they were.
 */
export const LANES = Int32Array.from({ length: (ROLLUP_KEYS.length + 16) * 2 }, (_, i) => scattered(i) | 1)

/** Two hashes of every string of a table, by code. */
export class TextHashes {
  low = new Uint32Array(0)
  high = new Uint32Array(0)
  private strings: StringTable | undefined
  private known = 0

  /** Hashes the strings that are new since the last time. Code 0 is the empty string, whose hash is 0. */
  learn(strings: StringTable): void {
    if (strings !== this.strings) {
      this.strings = strings
      this.known = 0
    }
    if (this.low.length < strings.size) {
      this.low = longer(this.low, strings.size * 2)
      this.high = longer(this.high, strings.size * 2)
    }
    for (; this.known < strings.size; this.known++) {
      let low = 0
      let high = 0
      if (this.known === 0) continue
      for (let at = strings.starts[this.known]!; at < strings.starts[this.known + 1]!; at++) {
        const byte = strings.bytes[at]!
        low = Math.imul(low ^ (byte + 1), 0x0100_0193)
        high = Math.imul(high + byte + 1, 0x85eb_ca6b) ^ (high >>> 13)
      }
      this.low[this.known] = scattered(low)
      this.high[this.known] = scattered(high)
    }
  }
}

/** Mixes the hashes of texts into two lanes. */
export function mixTexts(
  low: Uint32Array,
  high: Uint32Array,
  codes: ColumnArray<Kind>,
  texts: TextHashes,
  a: number,
  b: number,
): void {
  for (let group = 0; group < codes.length; group++) {
    const code = codes[group]!
    low[group] = low[group]! + Math.imul(texts.low[code]!, a)
    high[group] = high[group]! + Math.imul(texts.high[code]!, b)
  }
}

/** Mixes values times odd constants into two lanes. */
export function mix(
  low: Uint32Array,
  high: Uint32Array,
  values: ColumnArray<Kind>,
  rows: number,
  a: number,
  b: number,
): void {
  if (values instanceof Uint8Array) mixBytes(low, high, values, rows, a, b)
  else mixWords(low, high, values as Uint32Array, rows, a, b)
}

// Twice the same, so that each loop sees arrays of one type only.
function mixBytes(low: Uint32Array, high: Uint32Array, values: Uint8Array, rows: number, a: number, b: number): void {
  for (let row = 0; row < rows; row++) {
    const value = values[row]!
    low[row] = low[row]! + Math.imul(value, a)
    high[row] = high[row]! + Math.imul(value, b)
  }
}

function mixWords(low: Uint32Array, high: Uint32Array, values: Uint32Array, rows: number, a: number, b: number): void {
  for (let row = 0; row < rows; row++) {
    const value = values[row]!
    low[row] = low[row]! + Math.imul(value, a)
    high[row] = high[row]! + Math.imul(value, b)
  }
}

/** Mixes columns into hashes, with the constants from `lane` on. Four at a time: else most of the time goes into reading and writing the hashes. */
export function mixColumns(
  low: Uint32Array,
  high: Uint32Array,
  columns: readonly ColumnArray<Kind>[],
  rows: number,
  lane: number,
): void {
  const words = columns.filter((values) => values instanceof Uint32Array)
  const bytes = columns.filter((values) => values instanceof Uint8Array)
  reserveZeros(rows)
  for (let i = 0; i < words.length; i += 4, lane += 4)
    mixFourWords(low, high, fourOf(words, i, noWords), rows, LANES.subarray(lane * 2))
  for (let i = 0; i < bytes.length; i += 4, lane++)
    mixFourBytes(low, high, fourOf(bytes, i, noBytes), rows, LANES[lane * 2]!, LANES[lane * 2 + 1]!)
}

/** Columns of zeros, which change no hash. */
let noWords = new Uint32Array(0)
let noBytes = new Uint8Array(0)

function reserveZeros(rows: number): void {
  if (rows <= noWords.length) return
  noWords = new Uint32Array(rows * 2)
  noBytes = new Uint8Array(noWords.buffer)
}

/** Four columns from the `i`-th on; `none` where there are no more. */
function fourOf<T>(columns: readonly T[], i: number, none: T): Four<T> {
  return [columns[i]!, columns[i + 1] ?? none, columns[i + 2] ?? none, columns[i + 3] ?? none]
}

/** Mixes four columns into two lanes. `lanes`: the odd constants of the first column, low and high, then those of the next. */
function mixFourWords(
  low: Uint32Array,
  high: Uint32Array,
  [a, b, c, d]: Four<Uint32Array>,
  rows: number,
  lanes: Int32Array,
): void {
  const [al, ah, bl, bh, cl, ch, dl, dh] = lanes as unknown as Eight
  for (let row = 0; row < rows; row++) {
    const av = a[row]!
    const bv = b[row]!
    const cv = c[row]!
    const dv = d[row]!
    low[row] = (low[row]! + Math.imul(av, al) + Math.imul(bv, bl) + Math.imul(cv, cl) + Math.imul(dv, dl)) | 0
    high[row] = (high[row]! + Math.imul(av, ah) + Math.imul(bv, bh) + Math.imul(cv, ch) + Math.imul(dv, dh)) | 0
  }
}

/** The same of four columns of bytes: four bytes are one word. */
function mixFourBytes(
  low: Uint32Array,
  high: Uint32Array,
  [a, b, c, d]: Four<Uint8Array>,
  rows: number,
  l: number,
  h: number,
): void {
  for (let row = 0; row < rows; row++) {
    const value = a[row]! | (b[row]! << 8) | (c[row]! << 16) | (d[row]! << 24)
    low[row] = (low[row]! + Math.imul(value, l)) | 0
    high[row] = (high[row]! + Math.imul(value, h)) | 0
  }
}

type Four<T> = readonly [T, T, T, T]
type Eight = readonly [number, number, number, number, number, number, number, number]

/** The last step of MurmurHash3: numbers beside each other come far apart. */
export function scattered(value: number): number {
  let hash = Math.imul(value + 1, 0x9e37_79b1)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return hash ^ (hash >>> 16)
}

/** Where a hash begins to look for its group. */
export function mixed(low: number, high: number): number {
  const hash = Math.imul(low ^ (low >>> 15) ^ high, 0x2c1b_3c6d)
  return hash ^ (hash >>> 13)
}

/** The same numbers with room for `size`. */
export function longer(array: Uint32Array, size: number): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(size)
  grown.set(array)
  return grown
}
