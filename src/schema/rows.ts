/**
 * Rows of a side table as one Native block. For tables of few rows, where an object a row costs nothing; flow records go through
 * native.ts.
 */
import { setU64 } from './batch.ts'
import { enumCodes } from './enums.ts'
import { KINDS } from './kinds.ts'
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
export type SideRow<T extends SideTable> = { [C in keyof T['columns']]?: ValueOf<T['columns'][C]> }

export interface RowBlock {
  table: string
  columns: readonly string[]
  rows: number
  bytes: Uint8Array
}

/** Rows in order. Numbers are integers from 0 to 2^53, but for floating columns; the caller owns the block. */
export function encodeRows<T extends SideTable>(table: T, rows: readonly SideRow<T>[]): RowBlock {
  const columns = Object.entries<SideColumn>(table.columns)
  const output = new NativeOutput(1024 + rows.length * columns.length * 8)
  output.varint(columns.length)
  output.varint(rows.length)
  for (const [name, facts] of columns) {
    const values = (rows as readonly Readonly<Record<string, Value>>[]).map((row) => row[name])
    output.string(name)
    output.string(kindType(facts.kind, facts.of))
    if (rows.length === 0) continue
    if (facts.kind === 'text') writeTexts(output, values as (string | undefined)[])
    else output.bytes(bytesOf(facts, values))
  }
  return {
    table: table.name,
    columns: columns.map(([name]) => name),
    rows: rows.length,
    bytes: output.written().slice(),
  }
}

type Value = string | number | Uint32Array | undefined

function writeTexts(output: NativeOutput, values: readonly (string | undefined)[]): void {
  const strings = new StringTable(16)
  const codes = Uint32Array.from(values, (value) => strings.intern(value ?? ''))
  const writer = new TextColumnWriter()
  writer.begin(strings, codes.length)
  writer.append(codes, codes.length)
  writer.end(output, strings)
}

function bytesOf({ kind, of }: SideColumn, values: readonly Value[]): Uint8Array {
  const { array, lanes } = KINDS[kind]
  const column = new array(values.length * lanes)
  const codes: Readonly<Record<string, number>> = of === undefined ? {} : enumCodes(of)
  for (const [row, value] of values.entries()) {
    if (value === undefined) continue
    if (typeof value === 'object') column.set(value, row * lanes)
    else if (typeof value === 'string') column[row] = codes[value] ?? 0
    else if (lanes === 2) setU64(column as Uint32Array, row, value)
    else column[row] = value
  }
  return new Uint8Array(column.buffer)
}
