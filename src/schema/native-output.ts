import type { StringTable } from './strings.ts'

/** Strings of so many bytes are copied here, a multiple of a word; below 0x80, so that their length is one byte. */
const SHORT = 64

/** Where a Native block is written: one buffer that grows by doubling and is used again. */
export class NativeOutput {
  private buffer: Buffer
  private view: DataView
  private at = 0
  private readonly shared: boolean

  /** `initialBytes` is what is expected; it grows beyond. With `shared` other threads can be given what was written as it lies. */
  constructor(initialBytes: number, shared = false) {
    this.shared = shared
    this.buffer = this.make(initialBytes)
    this.view = viewOf(this.buffer)
  }

  reset(): void {
    this.at = 0
  }

  /** Bytes written since `reset`. */
  get length(): number {
    return this.at
  }

  /** What was written since `reset`; a view that the next `reset` gives up. */
  written(): Uint8Array {
    return this.buffer.subarray(0, this.at)
  }

  bytes(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    copy(bytes, this.buffer, this.at)
    this.at += bytes.length
  }

  /** `values[numbers[i]]` for each of `count` numbers. */
  picked(values: Uint8Array | Uint16Array | Uint32Array, numbers: Uint32Array, count: number): void {
    for (let at = 0; at < count; at += PART) {
      const n = Math.min(PART, count - at)
      if (values instanceof Uint8Array) pick8(values, numbers, at, n)
      else if (values instanceof Uint16Array) pick16(values, numbers, at, n)
      else pick32(values, numbers, at, n)
      this.bytes(PART_BYTES.subarray(0, n * values.BYTES_PER_ELEMENT))
    }
  }

  /** So many bytes that were written before, from `start` on. */
  again(start: number, bytes: number): void {
    this.reserve(bytes)
    copy(this.buffer.subarray(start, start + bytes), this.buffer, this.at)
    this.at += bytes
  }

  /** The same byte so often. */
  fill(value: number, bytes: number): void {
    this.reserve(bytes)
    ONE[0] = value
    this.buffer.fill(ONE, this.at, this.at + bytes)
    this.at += bytes
  }

  /** Unsigned LEB128, below 2^32. */
  varint(value: number): void {
    this.reserve(5)
    while (value > 0x7f) {
      this.buffer[this.at++] = (value & 0x7f) | 0x80
      value >>>= 7
    }
    this.buffer[this.at++] = value
  }

  /** Below 2^32, as 64 bits. */
  u64(value: number): void {
    this.reserve(8)
    for (let i = 0; i < 4; i++) this.buffer[this.at++] = value >>> (8 * i)
    for (let i = 0; i < 4; i++) this.buffer[this.at++] = 0
  }

  string(value: string): void {
    this.blob(Buffer.from(value))
  }

  /** Length and bytes of each of `count` strings, word by word: a call for each would cost more than most of them are long. */
  strings({ bytes, words, starts }: StringTable, codes: Uint32Array, count: number): void {
    for (let i = 0; i < count; i++) {
      const code = codes[i]!
      const start = starts[code]!
      const length = starts[code + 1]! - start
      if (length > SHORT) {
        this.blob(bytes.subarray(start, start + length))
        continue
      }
      this.reserve(1 + SHORT)
      const { view } = this
      const to = this.at + 1
      view.setUint8(to - 1, length)
      // The last word may go beyond the string: what follows is written over it.
      for (let at = 0; at < length; at += 4) view.setUint32(to + at, words.getUint32(start + at, true), true)
      this.at = to + length
    }
  }

  /** Length and bytes. */
  blob(bytes: Uint8Array): void {
    this.varint(bytes.length)
    this.bytes(bytes)
  }

  private reserve(bytes: number): void {
    const needed = this.at + bytes
    if (needed <= this.buffer.length) return
    const grown = this.make(Math.max(needed, this.buffer.length * 2))
    copy(this.buffer.subarray(0, this.at), grown, 0)
    this.buffer = grown
    this.view = viewOf(grown)
  }

  private make(bytes: number): Buffer {
    return this.shared ? Buffer.from(new SharedArrayBuffer(bytes)) : Buffer.allocUnsafeSlow(bytes)
  }
}

function viewOf({ buffer, byteOffset, length }: Buffer): DataView {
  return new DataView(buffer, byteOffset, length)
}

const ONE = Buffer.alloc(1)

/**
 * `to[at + i] = from[i]` for all bytes of `from`.
 *
 * By filling with what is as long as the room, since that is a memcpy into shared memory as well. Measured there: 0.03 ns a byte, and 0.35 to 0.7
 * by `set`, which goes byte by byte where the two are not aligned alike.
 */
function copy(from: Uint8Array, to: Buffer, at: number): void {
  // `fill` takes nothing for a mistake.
  if (from.length > 0) to.fill(from, at, at + from.length)
}

/** Values picked before they are copied to where they need not be aligned: they stay in the first cache. */
const PART = 2048
const PART_WORDS = new Uint32Array(PART)
const PART_BYTES = new Uint8Array(PART_WORDS.buffer)
const PART_HALVES = new Uint16Array(PART_WORDS.buffer)

// Three times the same, so that each loop sees arrays of one type only.
function pick8(values: Uint8Array, numbers: Uint32Array, at: number, n: number): void {
  for (let i = 0; i < n; i++) PART_BYTES[i] = values[numbers[at + i]!]!
}

function pick16(values: Uint16Array, numbers: Uint32Array, at: number, n: number): void {
  for (let i = 0; i < n; i++) PART_HALVES[i] = values[numbers[at + i]!]!
}

function pick32(values: Uint32Array, numbers: Uint32Array, at: number, n: number): void {
  for (let i = 0; i < n; i++) PART_WORDS[i] = values[numbers[at + i]!]!
}
