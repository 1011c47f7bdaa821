/**
 * LZ4 blocks (lz4_Block_format.md): sequences of a token (literal length 4 bits | match length − 4, 4 bits), more of the literal length, the
 * literals, offset u16, more of the match length. The last five bytes are literals.
 */
const MIN_MATCH = 4
const LAST_LITERALS = 5
/** A match may not begin in the last twelve bytes. */
const MATCH_LIMIT = 12
const MAX_OFFSET = 0xffff
const HASH_BITS = 14

/** Compresses; what does not compress grows by less than a hundredth. */
export function compressLz4(from: Buffer): Buffer {
  const to = Buffer.allocUnsafe(from.length + Math.ceil(from.length / 255) + 16)
  const heads = new Int32Array(1 << HASH_BITS).fill(-1)
  const end = from.length - MATCH_LIMIT
  let out = 0
  let anchor = 0
  let at = 0
  // After each 64 misses the steps grow: what is random is passed over quickly.
  for (let misses = 1 << 6; at < end; at += misses++ >> 6) {
    const sequence = from.readInt32LE(at)
    const slot = Math.imul(sequence, 0x9e37_79b1) >>> (32 - HASH_BITS)
    const match = heads[slot]!
    heads[slot] = at
    if (match < 0 || at - match > MAX_OFFSET || from.readInt32LE(match) !== sequence) continue
    let length = MIN_MATCH
    const most = from.length - LAST_LITERALS - at
    while (length < most && from[match + length] === from[at + length]) length++
    out = writeSequence(to, out, from, anchor, at, length)
    out = to.writeUInt16LE(at - match, out)
    out = writeMore(to, out, length - MIN_MATCH)
    at += length
    anchor = at
    misses = 1 << 6
    at -= misses >> 6
  }
  return to.subarray(0, writeSequence(to, out, from, anchor, from.length, 0))
}

/** Token, literal length, literals; the match length in the token is of a match of `length`, 0 for none. */
function writeSequence(to: Buffer, out: number, from: Buffer, start: number, end: number, length: number): number {
  const literals = end - start
  to[out++] = (Math.min(literals, 15) << 4) | Math.min(Math.max(0, length - MIN_MATCH), 15)
  out = writeMore(to, out, literals)
  return out + from.copy(to, out, start, end)
}

/** What of a length does not fit into the token's four bits. */
function writeMore(to: Buffer, out: number, length: number): number {
  let rest = length - 15
  if (rest < 0) return out
  for (; rest >= 255; rest -= 255) to[out++] = 255
  to[out++] = rest
  return out
}

/** Undefined when it is damaged, or is not of `size` bytes. */
export function decompressLz4(from: Buffer, size: number): Buffer | undefined {
  const to = Buffer.alloc(size)
  let at = 0
  let out = 0
  /** A length that begins with four bits; −1 when it does not end. */
  const lengthOf = (bits: number): number => {
    let length = bits
    if (bits < 15) return length
    for (;;) {
      const byte = from[at++]
      if (byte === undefined || length > size) return -1
      length += byte
      if (byte < 255) return length
    }
  }
  while (at < from.length) {
    const token = from[at++]!
    const literals = lengthOf(token >> 4)
    if (literals < 0 || at + literals > from.length || out + literals > size) return undefined
    from.copy(to, out, at, at + literals)
    at += literals
    out += literals
    if (at === from.length) break
    if (at + 2 > from.length) return undefined
    const offset = from.readUInt16LE(at)
    at += 2
    const more = lengthOf(token & 15)
    if (offset === 0 || offset > out || more < 0 || out + more + MIN_MATCH > size) return undefined
    // Byte by byte: a match may overlap what it makes.
    for (let left = more + MIN_MATCH; left > 0; left--, out++) to[out] = to[out - offset]!
  }
  return out === size ? to : undefined
}
