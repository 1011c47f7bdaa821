import { newBatch, BATCH_DATAGRAMS, LONGEST_DATAGRAM, type FillableBatch } from './arena.ts'
import { MSG_DONTWAIT, MSG_TRUNC, type Libc } from './libc.ts'
import { AF_INET } from './sockaddr.ts'

/**
 * The vector of recvmmsg(2): one slot of the arena for each datagram, everything in memory that is never replaced.
 *
 *   struct mmsghdr  64 bytes  name *, namelen u32, -, iov *, iovlen u64, control *, controllen u64, flags i32, -, msg_len u32, -
 *   struct iovec    16 bytes  base *, length u64
 *   name            32 bytes  struct sockaddr, see sockaddr.ts
 */
const HEADER_WORDS = 16
const NAMELEN = 2
const FLAGS = 12
const MSG_LEN = 14
const IOVEC_BYTES = 16
const NAME_BYTES = 32
const NAME_WORDS = 8

// Errors that only a fault of this program makes. All others pass: nothing there, interrupted, no memory, an interface went down.
const BROKEN = new Set(['EBADF', 'EFAULT', 'EINVAL', 'ENOTSOCK'])

/**
 * Receives into its own batch. One vector serves all sockets of a thread, since a batch is used up before the next call.
 *
 * Slots are 65 600 bytes apart: no datagram is ever cut, memory is touched only as far as datagrams reach (one page each, most
 * times), and no two slots share the low bits of their address (the cache would hold few of them).
 */
export class MessageVector {
  readonly batch: FillableBatch
  private readonly libc: Libc
  private readonly headers: Uint32Array
  private readonly names: Uint32Array
  private readonly iovecs: BigUint64Array
  private readonly slotBytes: number
  private longest = 0

  constructor(libc: Libc) {
    this.libc = libc
    this.slotBytes = Math.ceil(LONGEST_DATAGRAM / 64) * 64 + 64
    this.batch = newBatch(BATCH_DATAGRAMS * this.slotBytes)
    const headers = new ArrayBuffer(BATCH_DATAGRAMS * HEADER_WORDS * 4)
    const names = new ArrayBuffer(BATCH_DATAGRAMS * NAME_BYTES)
    const iovecs = new ArrayBuffer(BATCH_DATAGRAMS * IOVEC_BYTES)
    this.headers = new Uint32Array(headers)
    this.names = new Uint32Array(names)
    // Held, or the collector frees memory that the headers point at.
    this.iovecs = new BigUint64Array(iovecs)

    const arenaAt = libc.address(this.batch.bytes.buffer as ArrayBuffer)
    const namesAt = libc.address(names)
    const iovecsAt = libc.address(iovecs)
    const pointers = new BigUint64Array(headers)
    for (let i = 0; i < BATCH_DATAGRAMS; i++) {
      const at = (i * HEADER_WORDS) / 2
      pointers[at] = namesAt + BigInt(i * NAME_BYTES)
      pointers[at + 2] = iovecsAt + BigInt(i * IOVEC_BYTES)
      pointers[at + 3] = 1n
      this.iovecs[i * 2] = arenaAt + BigInt(i * this.slotBytes)
      this.batch.start[i] = i * this.slotBytes
    }
  }

  /** How many datagrams of the last batch were longer than `maxBytes`. */
  truncated = 0

  /**
   * Reads what `fd` holds, without waiting; answers how many datagrams are in `batch` now. Longer ones than `maxBytes` are cut.
   * A closed socket or a bad address is a bug and throws.
   */
  receive(fd: number, maxBytes: number): number {
    if (maxBytes !== this.longest) this.limit(maxBytes)
    const { batch, headers } = this
    for (let i = 0; i < batch.count; i++) headers[i * HEADER_WORDS + NAMELEN] = NAME_BYTES
    const count = this.libc.recvmmsg(fd, headers, BATCH_DATAGRAMS, MSG_DONTWAIT, null)
    this.truncated = 0
    batch.count = Math.max(count, 0)
    if (count < 0) {
      const name = this.libc.errorName(this.libc.errno())
      if (BROKEN.has(name)) throw new Error(`recvmmsg: ${name}`)
      return 0
    }
    batch.receivedMs = Date.now()
    for (let i = 0; i < count; i++) this.finish(i)
    return count
  }

  /** Makes `message` the only datagram of the batch; its source is left to the caller. */
  put(message: Uint8Array, maxBytes: number): void {
    const { batch } = this
    const length = Math.min(message.length, maxBytes)
    batch.bytes.set(length < message.length ? message.subarray(0, length) : message, 0)
    batch.start[0] = 0
    batch.end[0] = length
    batch.count = 1
    batch.receivedMs = Date.now()
    this.truncated = length < message.length ? 1 : 0
  }

  private finish(i: number): void {
    const { batch, headers, names } = this
    const header = i * HEADER_WORDS
    const name = i * NAME_WORDS
    const lane = i * 4
    batch.start[i] = i * this.slotBytes
    batch.end[i] = i * this.slotBytes + headers[header + MSG_LEN]!
    if ((headers[header + FLAGS]! & MSG_TRUNC) !== 0) this.truncated++
    const word = names[name]!
    batch.sourcePort[i] = (word >>> 24) | ((word >>> 8) & 0xff00)
    if ((word & 0xffff) === AF_INET) {
      batch.source[lane] = 0
      batch.source[lane + 1] = 0
      // The bytes 00 00 ff ff, as a little-endian machine reads them.
      batch.source[lane + 2] = 0xffff0000
      batch.source[lane + 3] = names[name + 1]!
    } else {
      for (let j = 0; j < 4; j++) batch.source[lane + j] = names[name + 2 + j]!
    }
  }

  private limit(maxBytes: number): void {
    this.longest = maxBytes
    for (let i = 0; i < BATCH_DATAGRAMS; i++) this.iovecs[i * 2 + 1] = BigInt(maxBytes)
    for (let i = 0; i < BATCH_DATAGRAMS; i++) this.headers[i * HEADER_WORDS + NAMELEN] = NAME_BYTES
  }
}

let shared: MessageVector | undefined

/** The one vector of this thread: a batch is used up before the next call of recvmmsg. */
export function messageVector(libc: Libc): MessageVector {
  return (shared ??= new MessageVector(libc))
}
