import { createSocket, type RemoteInfo, type Socket, type SocketOptions } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { AppError } from '../errors.ts'
import { BATCH_DATAGRAMS, LONGEST_DATAGRAM, newBatch, type FillableBatch } from './arena.ts'
import { ownUdpSockets, portTaken, udpSockets } from './holder.ts'
import type { DatagramBatch, Receiver, ReceiverOptions, ReceiverStats } from './receiver.ts'
import { writeAddress } from './sockaddr.ts'
import { bufferAdvice, refused } from './socket.ts'

/** Room for a batch of datagrams as exporters send them, and one of any size behind them. */
const ARENA_BYTES = BATCH_DATAGRAMS * 1536 + LONGEST_DATAGRAM

/** The turns at close end after this, however fast datagrams still come. */
const CLOSE_MS = 1000

/**
 * Node's own UDP sockets: one event a datagram, copied into the arena (0.1 µs) and handed over when the loop has read them.
 * Measured: 12 µs CPU a datagram against 2.7 µs of recvmmsg. Errors: port_in_use, socket_refused, config_invalid.
 */
export async function openDgramReceiver(options: ReceiverOptions): Promise<Receiver> {
  if (options.transport === 'gre')
    throw new AppError(
      'socket_refused',
      'GRE is received through a raw socket, which needs the npm package koffi on Linux',
    )
  const type = isIPv6(options.address) ? 'udp6' : 'udp4'
  const before = ownUdpSockets()
  const socket = createSocket({ type, ...sharing(options) })
  try {
    socket.bind({ port: options.port, address: options.address, exclusive: true })
    await once(socket, 'listening')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    socket.close()
    throw code === 'EADDRINUSE' ? portTaken(options) : refused(options, code)
  }
  const { port } = socket.address()
  const inode = [...ownUdpSockets()].find((own) => !before.has(own)) ?? ''
  return new DgramReceiver(socket, port, inode, options)
}

class DgramReceiver implements Receiver {
  readonly kind = 'dgram'
  readonly transport = 'udp'
  readonly address: string
  readonly port: number
  readonly advice: string
  private readonly socket: Socket
  /** Of the socket in /proc/net/udp; '' when not found. */
  private readonly inode: string
  private readonly batch: FillableBatch = newBatch(ARENA_BYTES)
  private readonly maxBytes: number
  private readonly totals: ReceiverStats
  private used = 0
  private lastAddress = ''
  private pending: NodeJS.Immediate | undefined
  private onBatch: ((batch: DatagramBatch) => void) | undefined
  private closing: Promise<void> | undefined
  /** Before `start` the arena may fill up; what then does not fit counts as dropped. */
  private droppedEarly = 0

  constructor(socket: Socket, port: number, inode: string, options: ReceiverOptions) {
    this.socket = socket
    this.address = options.address
    this.port = port
    this.inode = inode
    this.maxBytes = Math.min(options.maxDatagramBytes ?? LONGEST_DATAGRAM, LONGEST_DATAGRAM)
    socket.setRecvBufferSize(options.bufferBytes)
    const bufferBytes = socket.getRecvBufferSize()
    this.totals = {
      datagrams: 0,
      bytes: 0,
      kernelDrops: 0,
      truncated: 0,
      bufferBytes,
      bufferBytesAsked: options.bufferBytes,
    }
    this.advice = bufferAdvice(options, bufferBytes)
    socket.on('message', (message, from) => this.take(message, from))
    // An error of a bound UDP socket (an ICMP message, memory) passes; what is lost by it shows in the drops.
    socket.on('error', () => {})
  }

  start(onBatch: (batch: DatagramBatch) => void): void {
    if (this.onBatch !== undefined || this.closing !== undefined) throw new Error('a receiver is started once')
    this.onBatch = onBatch
    if (this.batch.count > 0) this.pending = setImmediate(() => this.flush())
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
    // libuv reads 32 datagrams a turn of the loop: turn it until a turn brings nothing.
    const until = Date.now() + CLOSE_MS
    for (let before = -1; before < this.totals.datagrams && Date.now() < until;) {
      before = this.totals.datagrams
      await setTimeout(1)
    }
    this.flush()
    this.readDrops()
    const closed = once(this.socket, 'close')
    this.socket.close()
    await closed
  }

  private take(message: Uint8Array, from: RemoteInfo): void {
    const { batch } = this
    const length = Math.min(message.length, this.maxBytes)
    if (batch.count === BATCH_DATAGRAMS || this.used + length > batch.bytes.length) {
      if (this.onBatch === undefined) {
        this.droppedEarly++
        return
      }
      this.flush()
    }
    const i = batch.count++
    batch.bytes.set(length < message.length ? message.subarray(0, length) : message, this.used)
    batch.start[i] = this.used
    this.used += length
    batch.end[i] = this.used
    // Exporters send in bursts: the parsed address of the datagram before mostly serves.
    if (i > 0 && from.address === this.lastAddress) batch.sourceBytes.copyWithin(i * 16, i * 16 - 16, i * 16)
    else writeAddress(from.address, batch.sourceBytes, i * 16)
    this.lastAddress = from.address
    batch.sourcePort[i] = from.port
    this.totals.datagrams++
    this.totals.bytes += length
    if (length < message.length) this.totals.truncated++
    if (this.onBatch !== undefined) this.pending ??= setImmediate(() => this.flush())
  }

  private flush(): void {
    clearImmediate(this.pending)
    this.pending = undefined
    if (this.batch.count === 0 || this.onBatch === undefined) return
    this.batch.receivedMs = Date.now()
    this.onBatch(this.batch)
    this.batch.count = 0
    this.used = 0
  }

  private readDrops(): void {
    const kernel = udpSockets().find((socket) => socket.inode === this.inode)?.drops ?? -1
    this.totals.kernelDrops = kernel < 0 ? -1 : kernel + this.droppedEarly
  }
}

/** Node has the option from 22.12 on. It cannot be set after the bind, so `first` looks who has the port. */
function sharing(options: ReceiverOptions): Partial<SocketOptions> {
  if (options.sharePort === undefined) return {}
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (options.sharePort === 'first' && options.port !== 0 && udpSockets().some(({ port }) => port === options.port))
    throw portTaken(options)
  if (major > 22 || (major === 22 && minor >= 12)) return { reusePort: true } as Partial<SocketOptions>
  throw new AppError(
    'config_invalid',
    'several sockets on one port need Linux with the npm package koffi, or Node.js 22.12',
  )
}
