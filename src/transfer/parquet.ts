/**
 * How many rows a Parquet file has, by its footer (parquet.thrift, Thrift's compact protocol).
 *
 *   … FileMetaData | length of it u32 | `PAR1`
 *   FileMetaData   1: version i32 | 2: schema, a list of structs | 3: num_rows i64 | …
 */

/** The end of a file that is looked at. A row group costs some ten kilobytes of footer: this is ten thousand of them. */
export const PARQUET_TAIL = 64 * 1024 ** 2

const [BOOL_TRUE, BOOL_FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, , STRUCT] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] // prettier-ignore
const NUM_ROWS = 3

/** Undefined when it is no end of a Parquet file. */
export function footerRows(tail: Buffer): number | undefined {
  const { length } = tail
  if (length < 8 || tail.toString('latin1', length - 4) !== 'PAR1') return undefined
  const size = tail.readUInt32LE(length - 8)
  if (size > length - 8) return undefined
  const reader = new Compact(tail.subarray(length - 8 - size, length - 8))
  let field = 0
  for (;;) {
    const head = reader.byte()
    if (head <= 0) return undefined
    field = head >> 4 === 0 ? reader.zigzag() : field + (head >> 4)
    if (field === NUM_ROWS) return reader.zigzag()
    if (!reader.skip(head & 15, 0)) return undefined
  }
}

/** Deeper than this is no schema. */
const MAX_DEPTH = 16

class Compact {
  private at = 0
  private readonly bytes: Buffer

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  /** −1 at the end. */
  byte(): number {
    return this.bytes[this.at++] ?? -1
  }

  varint(): number {
    let value = 0
    for (let factor = 1; factor < 2 ** 63; factor *= 128) {
      const byte = this.byte()
      if (byte < 0) return 0
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
    return value
  }

  zigzag(): number {
    const value = this.varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  /** Passes over a value; false when it cannot be read. */
  skip(type: number, depth: number): boolean {
    if (depth > MAX_DEPTH || this.at > this.bytes.length) return false
    if (type === BOOL_TRUE || type === BOOL_FALSE) return true
    if (type === BYTE) return this.byte() >= 0
    if (type === STRUCT) return this.skipStruct(depth)
    if (type === I16 || type === I32 || type === I64) {
      this.varint()
      return true
    }
    if (type === DOUBLE || type === BINARY) {
      const size = type === DOUBLE ? 8 : this.varint()
      this.at += size
      return true
    }
    if (type !== LIST && type !== SET) return false
    const head = this.byte()
    const count = head >> 4 === 15 ? this.varint() : head >> 4
    for (let i = 0; i < count; i++) if (!this.skip(head & 15, depth + 1)) return false
    return head >= 0
  }

  private skipStruct(depth: number): boolean {
    for (;;) {
      const head = this.byte()
      if (head <= 0) return head === 0
      if (head >> 4 === 0) this.varint()
      if (!this.skip(head & 15, depth + 1)) return false
    }
  }
}
