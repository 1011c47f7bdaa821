/**
 * Rows of a side table as Native blocks. For tables of few rows, where an object a row costs little; flow records go through
 * native.ts.
 */
import { setU64 } from './batch.ts'
import { enumCodes } from './enums.ts'
import { type ColumnArray, KINDS, type Kind } from './kinds.ts'
import { NativeOutput } from './native-output.ts'
import { TextColumnWriter } from './native-text.ts'
import type { SideColumn, SideTable } from './side-tables.ts'
import { StringTable } from './strings.ts'
import { kindType } from './types.ts'

/** What a value of a kind is in a row: an address is its four lanes, an enum the name of its value, a time milliseconds. */
type ValueOf<C extends SideColumn> = C['kind'] extends 'ip'
  ? Uint32Array
  : C['kind'] extends 'text' | 'enum'
    ? string
    : number

/** A row of a table; what is left out is zero or empty. */
export type SideRow<T extends SideTable> = { -readonly [C in keyof T['columns']]?: ValueOf<T['columns'][C]> }

export interface RowBlock {
  table: string
  columns: readonly string[]
  rows: number
  bytes: Uint8Array
}

/** Rows in order. Numbers are integers from 0 to 2^53, but for floating columns; the caller owns the block. */
export function encodeRows<T extends SideTable>(table: T, rows: Iterable<SideRow<T>>): RowBlock {
  const encoder = new RowEncoder(table)
  for (const row of rows) encoder.add(row)
  return encoder.take()
}

/** Strings kept from block to block. */
const MAX_STRINGS = 4_096

/**
 * Rows to blocks, with memory that is used again: a row is read when it is added, and nothing of it is kept. A column that is zero in
 * every row is left out of the block, since the table's own default is the same.
 */
export class RowEncoder<T extends SideTable> {
  /** Rows since the last block. */
  rows = 0
  private readonly table: T
  private readonly columns: readonly RowColumn[]
  private strings = new StringTable(1)
  private readonly text = new TextColumnWriter()
  private readonly output = new NativeOutput(1024)

  constructor(table: T) {
    this.table = table
    this.columns = Object.entries<SideColumn>(table.columns).map(([name, facts]) => new RowColumn(name, facts))
  }

  add(row: SideRow<T>): void {
    const values = row as Readonly<Record<string, Value>>
    for (const column of this.columns) {
      const value = values[column.name]
      if (value !== undefined && value !== 0 && value !== '') column.set(this.rows, value, this.strings)
    }
    this.rows++
  }

  /** The block of all rows since the last one. */
  take(): RowBlock {
    const { output, rows, table } = this
    const filled = this.columns.filter(({ isZero }) => !isZero)
    // What a block without any column holds, so that its rows exist.
    const columns = filled.length === 0 ? this.columns.slice(0, 1) : filled
    output.reset()
    output.varint(columns.length)
    output.varint(rows)
    for (const column of columns) {
      output.string(column.name)
      output.string(column.type)
      if (rows > 0) column.write(output, rows, this.strings, this.text)
    }
    for (const column of this.columns) column.clear()
    if (this.strings.size > MAX_STRINGS) this.strings = new StringTable(1)
    this.rows = 0
    return {
      table: table.name,
      columns: columns.map(({ name }) => name),
      rows,
      bytes: new Uint8Array(output.written()),
    }
  }
}

/**
 * The same as blocks of at most `most` rows, none of them empty. Rows may be made while they are asked for, so that there are never
 * many of them.
 */
export function* blocksOfRows<T extends SideTable>(
  encoder: RowEncoder<T>,
  rows: Iterable<SideRow<T>>,
  most: number,
): Generator<RowBlock> {
  for (const row of rows) {
    encoder.add(row)
    if (encoder.rows === most) yield encoder.take()
  }
  if (encoder.rows > 0) yield encoder.take()
}

type Value = string | number | Uint32Array | undefined

/** The cells of a column, of memory from its first value that is not zero. */
class RowColumn {
  readonly name: string
  readonly type: string
  isZero = true
  private readonly kind: Kind
  private readonly codes: Readonly<Record<string, number>>
  private cells: ColumnArray<Kind>

  constructor(name: string, { kind, of }: SideColumn) {
    this.name = name
    this.type = kindType(kind, of)
    this.kind = kind
    this.codes = of === undefined ? {} : enumCodes(of)
    this.cells = new KINDS[kind].array(0)
  }

  set(row: number, value: string | number | Uint32Array, strings: StringTable): void {
    const { lanes } = KINDS[this.kind]
    if ((row + 1) * lanes > this.cells.length) this.grow(row + 1)
    const { cells } = this
    this.isZero = false
    if (typeof value === 'object') cells.set(value, row * lanes)
    else if (typeof value === 'string')
      cells[row] = this.kind === 'text' ? strings.intern(value) : (this.codes[value] ?? 0)
    else if (lanes === 2) setU64(cells as Uint32Array, row, value)
    else cells[row] = value
  }

  write(output: NativeOutput, rows: number, strings: StringTable, text: TextColumnWriter): void {
    if (rows * KINDS[this.kind].lanes > this.cells.length) this.grow(rows)
    const cells = this.cells.subarray(0, rows * KINDS[this.kind].lanes)
    if (this.kind !== 'text') return output.bytes(new Uint8Array(cells.buffer, 0, cells.byteLength))
    text.begin(strings, rows)
    text.append(cells as Uint32Array, rows)
    text.end(output, strings)
  }

  clear(): void {
    if (!this.isZero) this.cells.fill(0)
    this.isZero = true
  }

  private grow(rows: number): void {
    const { array, lanes } = KINDS[this.kind]
    const grown = new array(Math.max(64, rows, (this.cells.length / lanes) * 2) * lanes)
    grown.set(this.cells)
    this.cells = grown
  }
}
