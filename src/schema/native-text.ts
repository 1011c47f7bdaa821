/**
 * A text column of a Native block: LowCardinality(String) with a dictionary of its own.
 *
 *   version u64 = 1 | flags and index width u64 | keys u64, strings … | rows u64, index of every row
 *
 * Flags: 0x200 the keys follow, 0x400 they replace what was known; the lowest byte is the width of an index (0 = u8, 1 = u16,
 * 2 = u32). See ClickHouse's SerializationLowCardinality.cpp.
 */
import type { NativeOutput } from './native-output.ts'
import type { StringTable } from './strings.ts'

const VERSION = 1
const KEYS_FOLLOW = 0x600
const WIDTHS = [
  { array: Uint8Array, maxKeys: 0x100 },
  { array: Uint16Array, maxKeys: 0x1_0000 },
  { array: Uint32Array, maxKeys: 0x1_0000_0000 },
] as const
const MAX_MARK = 0xffff_ffff

export type Indexes = Uint8Array | Uint16Array | Uint32Array

/**
 * Turns codes of a StringTable into indexes of the column's dictionary. No string is touched per row and no map is asked.
 *
 * Invariant: `marks[code]` is `base` + index when the code was already met in this column, below `base` when not, so nothing
 * is cleared between columns: `base` moves past the marks of the last one.
 */
export class TextColumnWriter {
  private marks = new Uint32Array(0)
  private base = 1
  /** Code of every key of the dictionary, and how many there are. */
  private keyCodes = new Uint32Array(1024)
  keys = 0
  /** Where the indexes go; the narrowest that holds them, widened as the dictionary grows. */
  private width = 0
  private indexes: Indexes = new Uint8Array(0)
  private count = 0
  private readonly scratch: Indexes[] = []

  /** Starts a column of `rows` rows in all. */
  begin(strings: StringTable, rows: number): void {
    this.base += this.keys
    if (this.marks.length < strings.size || this.base > MAX_MARK - strings.size) {
      this.marks = new Uint32Array(Math.max(1024, strings.size * 2))
      this.base = 1
    }
    this.keys = this.width = this.count = 0
    this.indexes = this.scratchOf(0, rows)
  }

  /** The first `rows` codes of the next batch. */
  append(codes: Uint32Array, rows: number): void {
    let row = this.index(codes, 0, rows)
    while (row < rows) {
      const wider = this.scratchOf(++this.width, this.indexes.length)
      wider.set(this.indexes.subarray(0, this.count))
      this.indexes = wider
      row = this.index(codes, row, rows)
    }
  }

  /** Writes the column's data. */
  end(output: NativeOutput, strings: StringTable): void {
    this.writeKeys(output, strings)
    output.u64(this.count)
    output.bytes(new Uint8Array(this.indexes.buffer, 0, this.count * this.indexes.BYTES_PER_ELEMENT))
  }

  /** Indexes of what was appended, until another column is begun. */
  get written(): Indexes {
    return this.indexes.subarray(0, this.count)
  }

  /** Writes what goes before the number of rows: the dictionary. */
  writeKeys(output: NativeOutput, strings: StringTable): void {
    output.u64(VERSION)
    output.u64(KEYS_FOLLOW | this.width)
    output.u64(this.keys)
    output.strings(strings, this.keyCodes, this.keys)
  }

  /** Indexes rows from `row` on, up to `rows` or the first one whose index does not fit the width; returns where it stopped. */
  private index(codes: Uint32Array, row: number, rows: number): number {
    const { marks, base, indexes } = this
    const maxKeys = WIDTHS[this.width]!.maxKeys
    const shift = this.count - row
    const from = row
    for (; row < rows; row++) {
      const code = codes[row]!
      let index = marks[code]! - base
      if (index < 0) {
        if (this.keys === maxKeys) break
        index = this.addKey(code)
        marks[code] = base + index
      }
      indexes[row + shift] = index
    }
    this.count += row - from
    return row
  }

  private addKey(code: number): number {
    if (this.keys === this.keyCodes.length) {
      const grown = new Uint32Array(this.keyCodes.length * 2)
      grown.set(this.keyCodes)
      this.keyCodes = grown
    }
    this.keyCodes[this.keys] = code
    return this.keys++
  }

  private scratchOf(width: number, rows: number): Indexes {
    const known = this.scratch[width]
    if (known !== undefined && known.length >= rows) return known
    return (this.scratch[width] = new WIDTHS[width]!.array(rows))
  }
}
