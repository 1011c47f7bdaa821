import { createSocket, type RemoteInfo, type Socket, type SocketOptions } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { AppError } from '../errors.ts'
import { Gather } from './gather.ts'
import { ownUdpSockets, portTaken, udpSockets } from './holder.ts'
import type { DatagramBatch, Receiver, ReceiverOptions, ReceiverStats } from './receiver.ts'
import { writeAddress } from './sockaddr.ts'
import { bufferAdvice, refused } from './socket.ts'

/** The turns at close end after this, however fast datagrams still come. */
const CLOSE_MS = 1000

/**
 * Node's own UDP sockets: one event a datagram, copied into the arena (0.1 µs) and handed over when the loop has read them.
 * Measured: 7–10 µs CPU a datagram against 1.7–3.2 µs of recvmmsg. Errors: port_in_use, socket_refused, config_invalid.
 */
export async function openDgramReceiver(options: ReceiverOptions): Promise<Receiver> {
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
  private readonly gather: Gather
  private lastAddress = ''
  private closing: Promise<void> | undefined

  constructor(socket: Socket, port: number, inode: string, options: ReceiverOptions) {
    this.socket = socket
    this.address = options.address
    this.port = port
    this.inode = inode
    this.gather = new Gather(options)
    socket.setRecvBufferSize(options.bufferBytes)
    const granted = socket.getRecvBufferSize()
    this.gather.totals.bufferBytes = granted
    this.advice = bufferAdvice(options, granted)
    socket.on('message', (message, from) => this.take(message, from))
    // An error of a bound UDP socket (an ICMP message, memory) passes; what is lost by it shows in the drops.
    socket.on('error', () => {})
  }

  start(onBatch: (batch: DatagramBatch) => void): void {
    if (this.closing !== undefined) throw new Error('a receiver is started before it is closed')
    this.gather.start(onBatch)
  }

  stats(): ReceiverStats {
    if (this.closing === undefined) this.readDrops()
    return { ...this.gather.totals }
  }

  close(): Promise<void> {
    this.closing ??= this.closeNow()
    return this.closing
  }

  private async closeNow(): Promise<void> {
    const { totals } = this.gather
    // libuv reads 32 datagrams a turn of the loop: turn it until a turn brings nothing.
    const until = performance.now() + CLOSE_MS
    for (let before = -1; before < totals.datagrams && performance.now() < until;) {
      before = totals.datagrams
      await setTimeout(1)
    }
    this.gather.flush()
    this.readDrops()
    const closed = once(this.socket, 'close')
    this.socket.close()
    await closed
  }

  private take(message: Uint8Array, from: RemoteInfo): void {
    const i = this.gather.add(message, 0, message.length)
    if (i < 0) return
    const { sourceBytes, sourcePort } = this.gather.batch
    // Exporters send in bursts: the parsed address of the datagram before mostly serves.
    if (i > 0 && from.address === this.lastAddress) sourceBytes.copyWithin(i * 16, i * 16 - 16, i * 16)
    else writeAddress(from.address, sourceBytes, i * 16)
    this.lastAddress = from.address
    sourcePort[i] = from.port
  }

  private readDrops(): void {
    const kernel = udpSockets().find((socket) => socket.inode === this.inode)?.drops ?? -1
    this.gather.totals.kernelDrops = kernel < 0 ? -1 : kernel + this.gather.early
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
