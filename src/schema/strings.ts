import { NameCache } from './name-cache.ts'

const WORD = 4

/**
 * Strings of text columns, each once. Code 0 is the empty string. A batch holds codes; the encoder turns them into the
 * dictionary of a LowCardinality column.
 *
 * Two bounds, since some strings come from the network: `maxWire` strings interned from datagrams, then `internBytes` answers
 * 0 and counts `overflowed`; names of the model are trusted and unbounded.
 */
export class StringTable {
  readonly values: string[] = ['']
  /** UTF-8 of all strings, one after the other: that of a code is `bytes[starts[code] .. starts[code + 1])`. Replaced when they grow. */
  bytes = new Uint8Array(1 << 12)
  /** The same memory, in which a word may be read at the last byte of every string. */
  words = new DataView(this.bytes.buffer)
  starts = new Uint32Array(1 << 8)
  overflowed = 0

  private readonly codes = new Map<string, number>([['', 0]])
  private readonly maxWire: number
  private wire = 0
  /** Open addressing over the bytes' hash; 0 = free. Twice the bound, so that it is never more than half full. */
  private readonly slots: Uint32Array
  private readonly mask: number
  private readonly encoder = new TextEncoder()
  private readonly decoder = new TextDecoder('utf-8', { fatal: false })
  readonly names = new NameCache()

  constructor(maxWire = 65_536) {
    this.maxWire = maxWire
    let size = 16
    while (size < maxWire * 2) size *= 2
    this.slots = new Uint32Array(size)
    this.mask = size - 1
  }

  get size(): number {
    return this.values.length
  }

  /** Code of a string of the model. */
  intern(value: string): number {
    let code = this.codes.get(value)
    if (code === undefined) {
      code = this.add(value, this.encoder.encode(value))
    }
    return code
  }

  /**
   * Code of the UTF-8 bytes `bytes[start..start+length)` from a datagram; trailing NULs are not part of it. No string is made
   * when it is known already. Invalid UTF-8 becomes U+FFFD. 0 when the bound is reached.
   */
  internBytes(bytes: Uint8Array, start: number, length: number): number {
    let end = start + length
    while (end > start && bytes[end - 1] === 0) end--
    if (end === start) return 0
    let hash = 0x811c9dc5
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
    let slot = (hash ^ (hash >>> 15)) & this.mask
    for (let code = this.slots[slot]!; code !== 0; code = this.slots[slot]!) {
      if (this.isText(code, bytes, start, end)) return code
      slot = (slot + 1) & this.mask
    }
    if (this.wire >= this.maxWire) {
      this.overflowed++
      return 0
    }
    const raw = bytes.slice(start, end)
    const value = this.decoder.decode(raw)
    const known = this.codes.get(value)
    // Only exact UTF-8 goes into the byte index; damaged bytes are found through the decoded string.
    if (known !== undefined && !this.isText(known, raw, 0, raw.length)) return known
    this.wire++
    const code = known ?? this.add(value, this.encoder.encode(value))
    if (this.isText(code, raw, 0, raw.length)) this.slots[slot] = code
    return code
  }

  /**
   * `internBytes` of the bytes in `view`, which covers the same memory as `bytes`. For the names that come in every record: those seen
   * lately are found by a few words.
   */
  internName(view: DataView, bytes: Uint8Array, start: number, length: number): number {
    const known = this.names.find(view, start, length, this)
    if (known >= 0) return known
    const code = this.internBytes(bytes, start, length)
    if (code !== 0) this.names.put(view, start, length, code, this)
    return code
  }

  private add(value: string, utf8: Uint8Array): number {
    const code = this.values.length
    const start = this.starts[code]!
    const end = start + utf8.length
    if (code + 1 === this.starts.length) {
      const starts = new Uint32Array(this.starts.length * 2)
      starts.set(this.starts)
      this.starts = starts
    }
    if (end + WORD > this.bytes.length) {
      const bytes = new Uint8Array(Math.max(end + WORD, this.bytes.length * 2))
      bytes.set(this.bytes)
      this.bytes = bytes
      this.words = new DataView(bytes.buffer)
    }
    this.bytes.set(utf8, start)
    this.starts[code + 1] = end
    this.values.push(value)
    this.codes.set(value, code)
    return code
  }

  private isText(code: number, bytes: Uint8Array, start: number, end: number): boolean {
    const from = this.starts[code]!
    if (this.starts[code + 1]! - from !== end - start) return false
    for (let i = 0; i < end - start; i++) if (this.bytes[from + i] !== bytes[start + i]) return false
    return true
  }
}
