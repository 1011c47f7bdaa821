/**
 * Native blocks for clients that name a revision of the protocol (`client_protocol_version`, as clickhouse-go and Grafana's data source do):
 * the engine writes those of revision 0.
 *
 *   revision 0        columns varint | rows varint | name, type, data …
 *   > 0               block info before it: field 1, is_overflows u8 | field 2, bucket_num i32 | 0
 *   ≥ 54454           after each type a byte, whether the serialization is a special one: no
 *
 * Nothing marks where a column ends, so data is walked through by its type.
 */
import { Transform } from 'node:stream'

const BLOCK_INFO = Buffer.from([1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0])
const WITH_SERIALIZATION = 54_454
/** A column of a block may have so many bytes, and no more is held. */
const MAX_COLUMN = 256 * 1024 ** 2

/** What has not come yet. */
const MORE = -1

/** Blocks of revision 0 as those of `revision`. Fails on types that it cannot walk through. */
export function withRevision(revision: number): Transform {
  let held: Buffer = Buffer.alloc(0)
  const state = { columns: 0, rows: 0 }
  const step = (push: (part: Buffer) => void): boolean => {
    const walk = new Walk(held)
    if (state.columns === 0) {
      state.columns = walk.varint()
      state.rows = walk.varint()
      if (walk.short) return (state.columns = 0) > 0
      push(Buffer.concat([BLOCK_INFO, held.subarray(0, walk.at)]))
    } else {
      walk.text()
      const type = walk.text()
      const head = walk.at
      if (!walk.short && state.rows > 0) {
        walk.prefix(type)
        walk.column(type, state.rows)
      }
      if (walk.short) {
        if (held.length > MAX_COLUMN) throw new Error('a column of a block is too large for a protocol revision')
        return false
      }
      state.columns--
      push(held.subarray(0, head))
      if (revision >= WITH_SERIALIZATION) push(Buffer.from([0]))
      push(held.subarray(head, walk.at))
    }
    held = held.subarray(walk.at)
    return held.length > 0
  }
  /** So many bytes before a column that was too short is tried again: not at every piece of it. */
  let wait = 0
  return new Transform({
    transform(part: Buffer, _, done) {
      held = held.length === 0 ? part : Buffer.concat([held, part])
      if (held.length < wait) return done()
      try {
        while (step((out) => this.push(out)));
        wait = held.length + (held.length >> 1)
        done()
      } catch (error) {
        done(error as Error)
      }
    },
    flush(done) {
      try {
        while (step((out) => this.push(out)));
        done(held.length > 0 ? new Error('a block is cut') : undefined)
      } catch (error) {
        done(error as Error)
      }
    },
  })
}

/** Bytes of a value, by the name of its type without arguments. */
const SIZES: Readonly<Record<string, number>> = {
  UInt8: 1, Int8: 1, Bool: 1, Enum8: 1, Nothing: 1, UInt16: 2, Int16: 2, Enum16: 2, Date: 2, BFloat16: 2, UInt32: 4, Int32: 4, Float32: 4, Date32: 4, DateTime: 4, IPv4: 4, Time: 4, Decimal32: 4, UInt64: 8, Int64: 8, Float64: 8, DateTime64: 8, Time64: 8, Decimal64: 8, UUID: 16, IPv6: 16, UInt128: 16, Int128: 16, Decimal128: 16, UInt256: 32, Int256: 32, Decimal256: 32,
} // prettier-ignore

class Walk {
  at = 0
  /** Whether the bytes ended too early. */
  short = false
  private readonly bytes: Buffer

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  skip(count: number): void {
    this.at += count
    if (this.at > this.bytes.length) this.short = true
  }

  varint(): number {
    let value = 0
    for (let factor = 1; !this.short; factor *= 128) {
      const byte = this.bytes[this.at++] ?? MORE
      if (byte === MORE) this.short = true
      else if (byte < 128) return value + byte * factor
      else value += (byte & 127) * factor
    }
    return 0
  }

  text(): string {
    const length = this.varint()
    const start = this.at
    this.skip(length)
    return this.short ? '' : this.bytes.toString('utf8', start, this.at)
  }

  /** What stands before the data of a column. */
  prefix(type: string): void {
    const { name, inner } = typeOf(type)
    if (name === 'LowCardinality') this.skip(8)
    else if (CONTAINERS.has(name)) for (const one of inner) this.prefix(elementType(name, one))
  }

  /** The data of a column of `rows` rows. */
  column(type: string, rows: number): void {
    const { name, inner } = typeOf(type)
    if (this.short) return
    const size = name === 'Decimal' ? decimalSize(Number(inner[0])) : name.startsWith('Interval') ? 8 : SIZES[name]
    if (size !== undefined) return this.skip(size * rows)
    if (name === 'String') {
      for (let row = 0; row < rows && !this.short; row++) this.skip(this.varint())
      return
    }
    if (name === 'FixedString') return this.skip(Number(inner[0]) * rows)
    if (name === 'LowCardinality') return this.dictionary(inner[0]!, rows)
    if (name === 'SimpleAggregateFunction') return this.column(inner[1]!, rows)
    if (name === 'Nullable') {
      this.skip(rows)
      return this.column(inner[0]!, rows)
    }
    if (name === 'Array' || name === 'Map') {
      const elements = this.lastOffset(rows)
      for (const one of inner) this.column(one, elements)
      return
    }
    if (name !== 'Tuple') throw new Error(`the type ${type.slice(0, 60)} is not offered in a protocol revision`)
    for (const one of inner) this.column(elementType(name, one), rows)
  }

  /** Keys, their count, the values' count and indexes: flags u64 whose low byte is the width of an index. */
  private dictionary(type: string, rows: number): void {
    if (rows === 0) return
    const flags = this.number()
    const keys = this.number()
    // The dictionary holds plain values: of Nullable ones the first stands for NULL.
    const { name, inner } = typeOf(type)
    this.column(name === 'Nullable' ? inner[0]! : type, keys)
    this.number()
    this.skip(rows * 2 ** (flags % 256))
  }

  private lastOffset(rows: number): number {
    this.skip(rows * 8)
    return this.short || rows === 0 ? 0 : Number(this.bytes.readBigUInt64LE(this.at - 8))
  }

  private number(): number {
    this.skip(8)
    return this.short ? 0 : this.bytes.readUInt32LE(this.at - 8)
  }
}

const CONTAINERS: ReadonlySet<string> = new Set(['Array', 'Map', 'Tuple', 'Nullable', 'SimpleAggregateFunction'])

/** An element of a tuple may have a name before its type. */
function elementType(container: string, text: string): string {
  return container === 'Tuple' ? text.replace(/^(?:[A-Za-z_]\w*|`[^`]*`) /, '') : text
}

function decimalSize(precision: number): number {
  return precision <= 9 ? 4 : precision <= 18 ? 8 : precision <= 38 ? 16 : 32
}

const types = new Map<string, { name: string; inner: string[] }>()
const MAX_TYPES = 1_000

/** `Map(String, Array(UInt8))` → `Map` and its two arguments. */
function typeOf(text: string): { name: string; inner: string[] } {
  const known = types.get(text)
  if (known !== undefined) return known
  const open = text.indexOf('(')
  const made =
    open < 0
      ? { name: text, inner: [] }
      : { name: text.slice(0, open), inner: parts(text.slice(open + 1, text.lastIndexOf(')'))) }
  if (types.size < MAX_TYPES) types.set(text, made)
  return made
}

/** Arguments: what the commas outside of parentheses and quotes part. */
function parts(text: string): string[] {
  const found: string[] = []
  let depth = 0
  let quoted = false
  let start = 0
  for (let i = 0; i < text.length; i++) {
    const character = text[i]
    if (quoted && character === '\\') i++
    else if (character === "'") quoted = !quoted
    else if (quoted) continue
    else if (character === '(') depth++
    else if (character === ')') depth--
    else if (character === ',' && depth === 0) {
      found.push(text.slice(start, i).trim())
      start = i + 1
    }
  }
  found.push(text.slice(start).trim())
  return found
}
