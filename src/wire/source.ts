import { open } from 'node:fs/promises'
import { AppError } from '../errors.ts'

/** Room for the largest packet and its headers; a capture's packets lie in here while they are looked at. */
const ARENA_BYTES = 1 << 20

/**
 * A stream of bytes read by position: `await fill(n)` brings at least n bytes to `bytes[start .. end)`, `advance` and `skip`
 * pass over them. One arena for the whole stream, so `bytes` and `view` never change.
 */
export class ByteSource {
  readonly bytes = new Uint8Array(ARENA_BYTES)
  readonly view = new DataView(this.bytes.buffer)
  start = 0
  end = 0
  /** Offset in the stream of `bytes[start]`. */
  offset = 0

  private readonly chunks: AsyncIterator<Uint8Array>
  private chunk: Uint8Array = new Uint8Array(0)
  private chunkAt = 0

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.chunks = stream[Symbol.asyncIterator]()
  }

  get available(): number {
    return this.end - this.start
  }

  /** Whether `length` (at most ARENA_BYTES) bytes from `start` on are there; false at the end of the stream. */
  async fill(length: number): Promise<boolean> {
    if (this.start + length > ARENA_BYTES) {
      this.bytes.copyWithin(0, this.start, this.end)
      this.end -= this.start
      this.start = 0
    }
    while (this.end - this.start < length) {
      if (this.chunkAt === this.chunk.length && !(await this.next())) return false
      const part = this.chunk.subarray(this.chunkAt, this.chunkAt + ARENA_BYTES - this.end)
      this.bytes.set(part, this.end)
      this.end += part.length
      this.chunkAt += part.length
    }
    return true
  }

  /** Passes over `length` bytes that `fill` brought. */
  advance(length: number): void {
    this.start += length
    this.offset += length
  }

  /** Passes over `length` bytes, however many; false when the stream ends before. */
  async skip(length: number): Promise<boolean> {
    for (let left = length; left > 0;) {
      if (this.available === 0 && !(await this.fill(1))) return false
      const step = Math.min(left, this.available)
      this.advance(step)
      left -= step
    }
    return true
  }

  /** Lets go of the stream, whether it was read to its end or not. */
  async close(): Promise<void> {
    await this.chunks.return?.()
  }

  private async next(): Promise<boolean> {
    const result = await this.chunks.next()
    if (result.done === true) return false
    this.chunk = result.value
    this.chunkAt = 0
    return true
  }
}

/**
 * The bytes of a file, or of standard input for `-`.
 *
 * Throws `file_unreadable` when it is missing, not permitted, a directory, or fails underway.
 */
export async function* fileBytes(path: string): AsyncGenerator<Uint8Array> {
  try {
    if (path === '-') {
      for await (const chunk of process.stdin) yield chunk as Uint8Array
      return
    }
    const file = await open(path)
    yield* file.createReadStream({ highWaterMark: 256 * 1024 }) as AsyncIterable<Uint8Array>
  } catch (cause) {
    const name = path === '-' ? 'standard input' : path
    throw new AppError('file_unreadable', `cannot read ${name}: ${reason(cause)}`, { cause })
  }
}

function reason(cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException).code
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied'
  if (code === 'EISDIR') return 'it is a directory'
  return cause instanceof Error ? cause.message : String(cause)
}
