/**
 * ClickHouse's own compression (`compress=1`, `decompress=1`): blocks, each for itself.
 *
 *   checksum 16 bytes, CityHash128 of all that follows | method u8 | size of the block from method on u32 | size of its content u32 | data
 */
import { Transform } from 'node:stream'
import { cityHash128 } from './city.ts'
import { compressLz4, decompressLz4 } from './lz4.ts'

const METHOD_NONE = 0x02
const METHOD_LZ4 = 0x82
const HEAD = 9
const CHECKSUM = 16
/** What the server puts into a block at most, max_compress_block_size. */
const BLOCK_BYTES = 1024 * 1024
/** What a block may hold that is read here. */
const MAX_CONTENT = 1024 * 1024

/** Content as a block. */
export function packBlock(content: Buffer): Buffer {
  const packed = compressLz4(content)
  const smaller = packed.length < content.length
  const data = smaller ? packed : content
  const block = Buffer.allocUnsafe(CHECKSUM + HEAD + data.length)
  block[CHECKSUM] = smaller ? METHOD_LZ4 : METHOD_NONE
  block.writeUInt32LE(HEAD + data.length, CHECKSUM + 1)
  block.writeUInt32LE(content.length, CHECKSUM + 5)
  data.copy(block, CHECKSUM + HEAD)
  cityHash128(block.subarray(CHECKSUM)).copy(block)
  return block
}

/** A stream as blocks: what comes is packed when a block is full, or when nothing more comes. */
export function packing(): Transform {
  let held: Buffer[] = []
  let bytes = 0
  const take = (): Buffer => {
    const block = packBlock(Buffer.concat(held))
    held = []
    bytes = 0
    return block
  }
  return new Transform({
    transform(part: Buffer, _, done) {
      for (let at = 0; at < part.length;) {
        const piece = part.subarray(at, at + BLOCK_BYTES - bytes)
        held.push(piece)
        bytes += piece.length
        at += piece.length
        if (bytes === BLOCK_BYTES) this.push(take())
      }
      done()
    },
    flush(done) {
      done(null, bytes > 0 ? take() : undefined)
    },
  })
}

/** The content of blocks; undefined when a checksum is wrong, one is damaged, of another method, or all hold more than `most`. */
export function unpackBlocks(bytes: Buffer, most: number): Buffer | undefined {
  const parts: Buffer[] = []
  let total = 0
  for (let at = 0; at < bytes.length;) {
    if (at + CHECKSUM + HEAD > bytes.length) return undefined
    const from = at + CHECKSUM
    const size = bytes.readUInt32LE(from + 1)
    const content = bytes.readUInt32LE(from + 5)
    total += content
    if (size < HEAD || from + size > bytes.length || content > MAX_CONTENT || total > most) return undefined
    const block = bytes.subarray(from, from + size)
    if (!cityHash128(block).equals(bytes.subarray(at, from))) return undefined
    const data = block.subarray(HEAD)
    const part = block[0] === METHOD_LZ4 ? decompressLz4(data, content) : block[0] === METHOD_NONE ? data : undefined
    if (part === undefined || part.length !== content) return undefined
    parts.push(part)
    at = from + size
  }
  return Buffer.concat(parts)
}
