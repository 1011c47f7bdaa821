/** Sends a load over loopback, many datagrams a system call (sendmmsg(2) through koffi), and counts what the kernel took. */
import { createRequire } from 'node:module'
import type * as Koffi from 'koffi'
import { loadLibc, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_RAW, type Libc } from '../../src/receive/libc.ts'
import { AF_INET, sockaddr } from '../../src/receive/sockaddr.ts'
import type { Load } from './loads.ts'

/** Datagrams a call at most. */
const BURST = 32
const HEADER_BYTES = 64

type SendMany = (fd: number, messages: Uint8Array, count: number, flags: number) => number

/** One exporter's socket and its datagrams, laid out for sendmmsg; see src/receive/mmsg.ts for the structures. */
interface Lane {
  fd: number
  headers: Uint8Array<ArrayBuffer>
  count: number
  /** Datagram of the vector that goes next, and its sequence number. */
  next: number
  sequence: number
  views: DataView[]
  /** Of each datagram, see `Load.numbersAt`. */
  numbers: (readonly number[])[]
  /** Held while the headers point at them. */
  held: unknown[]
}

export class Sender {
  sent = 0
  private readonly libc: Libc
  private readonly sendMany: SendMany
  private readonly load: Load
  private readonly lanes: Lane[]
  private turn = 0

  constructor(load: Load, port: number) {
    const libc = loadLibc()
    if (typeof libc === 'string') throw new Error(libc)
    this.libc = libc
    const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
    this.sendMany = koffi.load(null).func('int sendmmsg(int, void *, uint32_t, int)') as SendMany
    this.load = load
    this.lanes = load.exporters.map(({ from, datagrams }) => this.lane(from, datagrams, port))
  }

  /** Sends what goes before: templates. Not counted as sent. */
  begin(port: number): void {
    for (const [i, { before, from }] of this.load.exporters.entries()) {
      if (before.length === 0) continue
      const lane = this.lane(from, before, port, this.lanes[i]!.fd)
      if (this.sendMany(lane.fd, lane.headers, lane.count, 0) !== lane.count) throw new Error('templates were not sent')
    }
  }

  /** Sends `wanted` datagrams, exporters in turn; how many the kernel took. */
  send(wanted: number): number {
    let left = wanted
    while (left > 0) {
      const lane = this.lanes[this.turn++ % this.lanes.length]!
      const count = Math.min(BURST, left, lane.count - lane.next)
      this.number(lane, count)
      const headers = lane.headers.subarray(lane.next * HEADER_BYTES)
      const done = this.sendMany(lane.fd, headers, count, 0)
      if (done <= 0) throw new Error(`sendmmsg: ${this.libc.errorName(this.libc.errno())}`)
      lane.next = (lane.next + done) % lane.count
      lane.sequence = (lane.sequence + done * (this.load.numbersAt === undefined ? this.load.records : 1)) >>> 0
      left -= done
    }
    this.sent += wanted
    return wanted
  }

  close(): void {
    for (const { fd } of this.lanes) this.libc.close(fd)
  }

  private number(lane: Lane, count: number): void {
    const { sequenceAt, records } = this.load
    for (let i = 0; i < count; i++) {
      const view = lane.views[lane.next + i]!
      const numbers = lane.numbers[lane.next + i]!
      if (sequenceAt > 0) view.setUint32(sequenceAt, lane.sequence + i * records)
      if (numbers.length === 0) continue
      const number = lane.sequence + i
      view.setUint32(numbers[0]!, number)
      for (let n = 1; n < numbers.length; n++) view.setUint32(numbers[n]!, number * records + n - 1)
    }
  }

  private lane(from: string, datagrams: readonly Buffer[], port: number, open?: number): Lane {
    const raw = this.load.input === 'gre'
    const fd = open ?? this.libc.socket(AF_INET, (raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC, raw ? port : 0)
    const own = sockaddr(from, 0).bytes
    if (open === undefined && this.libc.bind(fd, own, own.length) < 0) throw new Error(`bind ${from}`)
    const to = new ArrayBuffer(16)
    new Uint8Array(to).set(sockaddr('127.0.0.1', raw ? 0 : port).bytes)
    const headers = new Uint8Array(new ArrayBuffer(datagrams.length * HEADER_BYTES))
    const words = new DataView(headers.buffer)
    const iovecs = new ArrayBuffer(datagrams.length * 16)
    const pointers = new DataView(iovecs)
    const payloads = datagrams.map((datagram) => {
      const memory = new ArrayBuffer(datagram.length)
      new Uint8Array(memory).set(datagram)
      return memory
    })
    for (const [i, memory] of payloads.entries()) {
      pointers.setBigUint64(i * 16, this.libc.address(memory), true)
      pointers.setBigUint64(i * 16 + 8, BigInt(memory.byteLength), true)
      words.setBigUint64(i * HEADER_BYTES, this.libc.address(to), true)
      words.setUint32(i * HEADER_BYTES + 8, 16, true)
      words.setBigUint64(i * HEADER_BYTES + 16, this.libc.address(iovecs) + BigInt(i * 16), true)
      words.setBigUint64(i * HEADER_BYTES + 24, 1n, true)
    }
    const views = payloads.map((memory) => new DataView(memory))
    const numbers = datagrams.map((datagram) => this.load.numbersAt?.(datagram) ?? [])
    return { fd, headers, count: datagrams.length, next: 0, sequence: 0, views, numbers, held: [to, iovecs, payloads] }
  }
}
