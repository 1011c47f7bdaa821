/** Sends from any address of 127.0.0.0/8 without a socket of its own for each, and without privileges: sendmmsg(2) with IP_PKTINFO. */
import { createRequire } from 'node:module'
import type * as Koffi from 'koffi'
import { loadLibc, SOCK_CLOEXEC, SOCK_DGRAM, type Libc } from '../../src/receive/libc.ts'
import { AF_INET, sockaddr } from '../../src/receive/sockaddr.ts'
import { LONGEST } from './datagrams.ts'

/** Datagrams a call. */
export const BURST = 32
const HEADER_BYTES = 64
/** struct cmsghdr 16 bytes, struct in_pktinfo 12, padded to 8. */
const CONTROL_BYTES = 32
const IP_PKTINFO = 8

type SendMany = (fd: number, messages: Uint8Array, count: number, flags: number) => number

export class Spoofer {
  /** The payload of datagram i lies at `i * LONGEST`. */
  readonly payloads = new DataView(new ArrayBuffer(BURST * LONGEST))
  private readonly libc: Libc
  private readonly sendMany: SendMany
  private readonly fd: number
  private readonly headers = new Uint8Array(new ArrayBuffer(BURST * HEADER_BYTES))
  private readonly words = new DataView(this.headers.buffer)
  private readonly iovecs = new DataView(new ArrayBuffer(BURST * 16))
  private readonly controls = new DataView(new ArrayBuffer(BURST * CONTROL_BYTES))
  private readonly to = new Map<number, ArrayBuffer>()

  constructor() {
    const libc = loadLibc()
    if (typeof libc === 'string') throw new Error(libc)
    this.libc = libc
    const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
    this.sendMany = koffi.load(null).func('int sendmmsg(int, void *, uint32_t, int)') as SendMany
    this.fd = libc.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)
    const { words, iovecs, controls } = this
    for (let i = 0; i < BURST; i++) {
      const header = i * HEADER_BYTES
      iovecs.setBigUint64(i * 16, this.address(this.payloads) + BigInt(i * LONGEST), true)
      words.setUint32(header + 8, 16, true)
      words.setBigUint64(header + 16, this.address(iovecs) + BigInt(i * 16), true)
      words.setBigUint64(header + 24, 1n, true)
      words.setBigUint64(header + 32, this.address(controls) + BigInt(i * CONTROL_BYTES), true)
      words.setBigUint64(header + 40, BigInt(CONTROL_BYTES), true)
      controls.setBigUint64(i * CONTROL_BYTES, 28n, true)
      controls.setInt32(i * CONTROL_BYTES + 12, IP_PKTINFO, true)
    }
  }

  /** Sends `count` datagrams to a port of 127.0.0.1; datagram i has `lengths[i]` bytes and comes from `sources[i]`. */
  send(port: number, count: number, lengths: Uint32Array, sources: Uint32Array): void {
    const to = this.toPort(port)
    for (let i = 0; i < count; i++) {
      this.words.setBigUint64(i * HEADER_BYTES, to, true)
      this.iovecs.setBigUint64(i * 16 + 8, BigInt(lengths[i]!), true)
      this.controls.setUint32(i * CONTROL_BYTES + 20, sources[i]!)
    }
    for (let done = 0; done < count;) {
      const sent = this.sendMany(this.fd, this.headers.subarray(done * HEADER_BYTES), count - done, 0)
      if (sent <= 0) throw new Error(`sendmmsg: ${this.libc.errorName(this.libc.errno())}`)
      done += sent
    }
  }

  close(): void {
    this.libc.close(this.fd)
  }

  private toPort(port: number): bigint {
    let known = this.to.get(port)
    if (known === undefined) {
      known = new ArrayBuffer(16)
      new Uint8Array(known).set(sockaddr('127.0.0.1', port).bytes)
      this.to.set(port, known)
    }
    return this.libc.address(known)
  }

  private address(view: DataView): bigint {
    return this.libc.address(view.buffer as ArrayBuffer)
  }
}
