import type { RemoteInfo } from 'node:dgram'
import { BATCH_DATAGRAMS, LONGEST_DATAGRAM } from './arena.ts'
import type { Libc } from './libc.ts'
import { messageVector, type MessageVector } from './mmsg.ts'
import type { DatagramBatch, Receiver, ReceiverOptions, ReceiverStats, Transport } from './receiver.ts'
import { AF_INET, writeAddress } from './sockaddr.ts'
import { bufferAdvice, drops, openSocket, type OpenSocket } from './socket.ts'
import { pollWake, udpWake, type Wake } from './wake.ts'

/** Batches handed over before the event loop gets its turn: 2048 datagrams, some 5 ms of decoding. */
const BATCHES_A_TURN = 8

/**
 * Pause after a turn that emptied the socket, so that datagrams gather: 250 turns a second instead of one event a datagram.
 * A burst of 1464-byte datagrams fills 4 MiB of kernel buffer at 450,000 a second in that time.
 */
const GATHER_MS = 4

/** A drain at close ends after this, however fast datagrams still come. */
const CLOSE_MS = 1000

/** recvmmsg through koffi, on a port that a gate may join. Errors: port_in_use, socket_refused, config_invalid. */
export function openKoffiReceiver(libc: Libc, options: ReceiverOptions): Receiver {
  const socket = openSocket(libc, { sharePort: 'first', ...options })
  return new KoffiReceiver(libc, messageVector(libc), socket, options, true)
}

/**
 * The same on a socket that another thread has opened, and closes when this receiver is closed. `toldDrops` of those that the kernel
 * counted for it are not counted again.
 */
export function adoptKoffiReceiver(
  libc: Libc,
  socket: OpenSocket,
  options: ReceiverOptions,
  toldDrops: number,
): Receiver {
  return new KoffiReceiver(libc, messageVector(libc), socket, options, false, toldDrops)
}

class KoffiReceiver implements Receiver {
  readonly kind = 'koffi'
  readonly transport: Transport
  readonly address: string
  readonly port: number
  readonly advice: string
  private readonly libc: Libc
  private readonly vector: MessageVector
  private readonly socket: OpenSocket
  private readonly owned: boolean
  private readonly maxBytes: number
  private readonly wake: Wake
  private readonly totals: ReceiverStats
  private onBatch: ((batch: DatagramBatch) => void) | undefined
  private timer: NodeJS.Timeout | undefined
  private immediate: NodeJS.Immediate | undefined
  private lastDrops: number
  private closing: Promise<void> | undefined

  constructor(
    libc: Libc,
    messages: MessageVector,
    socket: OpenSocket,
    options: ReceiverOptions,
    owned: boolean,
    toldDrops = 0,
  ) {
    this.libc = libc
    this.lastDrops = toldDrops
    this.owned = owned
    this.vector = messages
    this.socket = socket
    this.transport = options.transport
    this.address = options.address
    this.port = socket.port
    this.maxBytes = Math.min(options.maxDatagramBytes ?? LONGEST_DATAGRAM, LONGEST_DATAGRAM)
    this.totals = {
      datagrams: 0,
      bytes: 0,
      kernelDrops: 0,
      truncated: 0,
      bufferBytes: socket.bufferBytes,
      bufferBytesAsked: options.bufferBytes,
    }
    this.advice = bufferAdvice(options, socket.bufferBytes)
    this.wake =
      options.transport === 'gre'
        ? pollWake(libc, socket.fd, () => this.turn())
        : udpWake(libc, socket.fd, socket.family === AF_INET ? 'udp4' : 'udp6', (message, from) => {
            this.takeFirst(message, from)
            this.turn()
          })
  }

  start(onBatch: (batch: DatagramBatch) => void): void {
    if (this.onBatch !== undefined || this.closing !== undefined) throw new Error('a receiver is started once')
    this.onBatch = onBatch
    this.turn()
  }

  stats(): ReceiverStats {
    if (this.closing === undefined) this.readDrops()
    return { ...this.totals }
  }

  close(): Promise<void> {
    this.closing ??= this.closeNow()
    return this.closing
  }

  private async closeNow(): Promise<void> {
    clearTimeout(this.timer)
    clearImmediate(this.immediate)
    await this.wake.close()
    const until = performance.now() + CLOSE_MS
    if (this.onBatch !== undefined) while (this.drain() && performance.now() < until);
    this.readDrops()
    if (this.owned) this.libc.close(this.socket.fd)
  }

  /** Empties the socket, at most BATCHES_A_TURN at a time, and decides what to wait for next. */
  private turn(): void {
    if (this.closing !== undefined) return
    const before = this.totals.datagrams
    if (this.drain()) this.immediate = setImmediate(() => this.turn())
    else if (this.totals.datagrams > before) this.timer = setTimeout(() => this.turn(), GATHER_MS)
    else this.wake.arm()
  }

  /** True when the kernel may hold more. */
  private drain(): boolean {
    for (let i = 0; i < BATCHES_A_TURN; i++) {
      const count = this.vector.receive(this.socket.fd, this.maxBytes)
      if (count > 0) this.handOver()
      if (count < BATCH_DATAGRAMS) return false
    }
    return true
  }

  private handOver(): void {
    const { batch } = this.vector
    let bytes = 0
    for (let i = 0; i < batch.count; i++) bytes += batch.end[i]! - batch.start[i]!
    this.totals.datagrams += batch.count
    this.totals.bytes += bytes
    this.totals.truncated += this.vector.truncated
    this.onBatch!(batch)
  }

  /** The datagram that woke us, as a batch of its own. */
  private takeFirst(message: Uint8Array, from: RemoteInfo): void {
    this.vector.put(message, this.maxBytes)
    const { batch } = this.vector
    writeAddress(from.address, batch.sourceBytes, 0)
    batch.sourcePort[0] = from.port
    this.handOver()
  }

  private readDrops(): void {
    // A 32-bit counter of the kernel, so the difference is taken modulo 2^32.
    const now = drops(this.libc, this.socket.fd)
    if (now < 0) {
      this.totals.kernelDrops = -1
      return
    }
    this.totals.kernelDrops += (now - this.lastDrops) >>> 0
    this.lastDrops = now
  }
}
