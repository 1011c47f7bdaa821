import { endianness } from 'node:os'
import { ANSWER_COLUMNS, Answers, isAnswerColumn } from './answers.ts'
import { COLUMN_NAMES, columnFacts, type ColumnName, type Columns } from './columns.ts'
import { KINDS } from './kinds.ts'
import { StringTable } from './strings.ts'

if (endianness() !== 'LE')
  throw new Error('ovsight needs a little-endian machine: columns are the wire image of ClickHouse')

// Measured: columns of exactly 2^n rows alias in the cache, 3.3 times slower at 16384 rows than at 16448.
const DEFAULT_ROWS = 16_448

/** Columns start on a cache line, each STAGGER further on in its page than the one before: else they evict each other. */
const ALIGN = 64
const PAGE = 4096
const STAGGER = 3 * ALIGN

// Measured: memcmp against zeros costs a twentieth of a loop over the typed array (0.03 ns a byte-sized row).
const ZEROS = new Uint8Array(1 << 16)

/** Where the columns of `rows` rows lie in their buffer. */
export interface BatchLayout {
  readonly rows: number
  readonly byteLength: number
  /** Index of a column's first element in the view of its element size (`u8`, `u16`, `u32`, `f64`). */
  readonly first: Readonly<Record<ColumnName, number>>
}

function layOut(rows: number): BatchLayout {
  let at = 0
  const first = {} as Record<ColumnName, number>
  for (const [i, name] of COLUMN_NAMES.entries()) {
    const { array, lanes } = KINDS[columnFacts(name).kind]
    at += (((i * STAGGER - at) % PAGE) + PAGE) % PAGE
    first[name] = at / array.BYTES_PER_ELEMENT
    at += Math.ceil((array.BYTES_PER_ELEMENT * lanes * rows) / ALIGN) * ALIGN
  }
  // As a copy its properties are found quickly: what is built name by name is a dictionary.
  return { rows, byteLength: at, first: { ...first } }
}

/**
 * Memory of batches that take turns: all columns of all of them in one buffer, so that generated code is bound to one set of arrays
 * whichever batch it fills. It finds its columns by `layout` in the four views, which cover the whole buffer.
 *
 * Measured, NetFlow v5 into 27 columns: 30 ns a record through four views and constant offsets, 70 ns through one typed array a
 * column.
 */
export class BatchMemory {
  readonly layout: BatchLayout
  readonly u8: Uint8Array
  readonly u16: Uint16Array
  readonly u32: Uint32Array
  readonly f64: Float64Array
  readonly bytes: Buffer
  readonly strings: StringTable
  readonly answers = new Answers()
  /** Number of each row's answer. */
  readonly answer: Uint32Array

  constructor(rows: number, strings: StringTable) {
    this.layout = layOut(rows)
    const buffer = new ArrayBuffer(this.layout.byteLength)
    this.u8 = new Uint8Array(buffer)
    this.u16 = new Uint16Array(buffer)
    this.u32 = new Uint32Array(buffer)
    this.f64 = new Float64Array(buffer)
    this.bytes = Buffer.from(buffer)
    this.strings = strings
    this.answer = new Uint32Array(rows)
  }
}

/**
 * Flow records as a struct of arrays, see schema/kinds.ts for how a value lies in its column.
 *
 * Invariant: all rows from `rows` on are zero in every column, so a decoder writes only what its protocol has, and taking a
 * row back means zeroing it (`truncate`). `rows` never passes `capacity`.
 *
 * While it is `answered` the columns of attribution are zero in `columns`, and what they hold are the `answers` with the numbers in `answer`.
 *
 * `columns` are views of parts of `memory` (so mind `byteOffset`); row 0 is row `base` of it.
 */
export class FlowBatch {
  readonly capacity: number
  readonly memory: BatchMemory
  readonly base: number
  readonly columns: Columns
  readonly strings: StringTable
  readonly answers: Answers
  readonly answer: Uint32Array
  answered = false
  rows = 0

  constructor(
    capacity = DEFAULT_ROWS,
    strings = new StringTable(),
    memory = new BatchMemory(capacity, strings),
    base = 0,
  ) {
    this.capacity = capacity
    this.memory = memory
    this.base = base
    this.strings = memory.strings
    this.answers = memory.answers
    this.answer = memory.answer.subarray(base, base + capacity)
    this.columns = Object.fromEntries(
      COLUMN_NAMES.map((name) => {
        const { array, lanes } = KINDS[columnFacts(name).kind]
        const first = (memory.layout.first[name] + base * lanes) * array.BYTES_PER_ELEMENT
        return [name, new array(memory.u8.buffer as ArrayBuffer, first, capacity * lanes)]
      }),
    ) as unknown as Columns
  }

  /** `count` batches that take turns, in one memory. */
  static several(count: number, capacity = DEFAULT_ROWS, strings = new StringTable()): FlowBatch[] {
    const memory = new BatchMemory(count * capacity, strings)
    return Array.from({ length: count }, (_, i) => new FlowBatch(capacity, strings, memory, i * capacity))
  }

  get free(): number {
    return this.capacity - this.rows
  }

  /** Whether a column is zero in rows `from … to − 1`. */
  isZero(name: ColumnName, from = 0, to = this.rows): boolean {
    const { array, lanes } = KINDS[columnFacts(name).kind]
    const bytes = array.BYTES_PER_ELEMENT * lanes
    const start = this.memory.layout.first[name] * array.BYTES_PER_ELEMENT + this.base * bytes
    const end = start + to * bytes
    for (let at = start + from * bytes; at < end; at += ZEROS.length) {
      const part = Math.min(ZEROS.length, end - at)
      if (this.memory.bytes.compare(ZEROS, 0, part, at, at + part) !== 0) return false
    }
    return true
  }

  /** Writes the answers of rows from `from` on into their columns, so that the batch is not answered any more. */
  expand(from = 0): void {
    for (const name of ANSWER_COLUMNS) {
      const values = this.answers.columns[name]
      const column = this.columns[name]
      for (let row = from; row < this.rows; row++) column[row] = values[this.answer[row]!]!
    }
    this.answered = false
  }

  /** Takes back every row from `rows` on, zeroing what decoders may have written up to `touched` rows. */
  truncate(rows: number, touched = this.rows): void {
    for (const name of COLUMN_NAMES) {
      const lanes = KINDS[columnFacts(name).kind].lanes
      this.columns[name].fill(0, rows * lanes, Math.max(touched, this.rows) * lanes)
    }
    this.rows = rows
  }

  /** Takes out the rows for which `column` holds `value`; those after them move up. Column by column, so best of many rows at once. */
  removeRows(column: 'kept_one_in', value: number): void {
    const marks = this.columns[column]
    const stay: number[] = []
    for (let row = 0; row < this.rows; row++) if (marks[row] !== value) stay.push(row)
    const kept = stay.length
    if (kept === this.rows) return
    for (const name of COLUMN_NAMES) {
      const { lanes } = KINDS[columnFacts(name).kind]
      const values = this.columns[name]
      // Measured: row by row; copyWithin of short runs takes ten times as long.
      for (let to = 0; to < kept; to++) {
        const from = stay[to]! * lanes
        for (let lane = 0; lane < lanes; lane++) values[to * lanes + lane] = values[from + lane]!
      }
    }
    this.truncate(kept)
  }

  /** Empties the batch for reuse; `filled` are the columns that are not zero in all rows. */
  reset(filled: readonly ColumnName[] = COLUMN_NAMES): void {
    for (const name of filled) {
      if (this.answered && isAnswerColumn(name)) continue
      this.columns[name].fill(0, 0, KINDS[columnFacts(name).kind].lanes * this.rows)
    }
    this.answered = false
    this.rows = 0
  }
}

/** Writes milliseconds since 1970 (0 … 2^53) into row `row` of a time column. */
export function setTime(column: Uint32Array, row: number, ms: number): void {
  column[row * 2] = ms >>> 0
  column[row * 2 + 1] = Math.floor(ms / 0x1_0000_0000)
}

/** Reads a 64-bit column as a number; exact up to 2^53. */
export function getU64(column: Uint32Array, row: number): number {
  return column[row * 2]! + column[row * 2 + 1]! * 0x1_0000_0000
}

/** Writes a non-negative integer below 2^53 into a 64-bit column. */
export function setU64(column: Uint32Array, row: number, value: number): void {
  column[row * 2] = value >>> 0
  column[row * 2 + 1] = Math.floor(value / 0x1_0000_0000)
}
