/**
 * The kernel keeps datagrams of those who may not send away from the receiving sockets: a flood of them costs the collector nothing and
 * takes no room in the buffers of those who may.
 *
 * A further socket joins the group on the port, with a small buffer, and the program that steers the group (steer.ts) gives it what comes
 * from outside the allowed networks. What finds no room there the kernel drops and counts on that socket, apart from the drops
 * of the others; the rest is read now and then and handed over, so that senders can be listed.
 */
import { LONGEST_DATAGRAM } from './arena.ts'
import { messageVector } from './mmsg.ts'
import type { Libc } from './libc.ts'
import type { DatagramBatch, ReceiverOptions } from './receiver.ts'
import { drops, openSocket, type OpenSocket } from './socket.ts'
import { attachSteering, MOST_INSTRUCTIONS, steeringProgram, type Network } from './steer.ts'

/** Room for some two hundred small datagrams. */
const BUFFER_BYTES = 65_536
const READ_MS = 250
/** Batches in one reading: what the buffer holds at the most, so that a flood cannot keep the thread here. */
const MOST_BATCHES = 4
export interface GateEnds {
  /** As of a receiver: a batch of datagrams, which may hold some that are allowed, sent while that changed. */
  onBatch: (batch: DatagramBatch) => void
  /** So many more the kernel dropped at the gate. */
  onDropped: (datagrams: number) => void
}

export class Gate {
  private readonly libc: Libc
  private readonly socket: OpenSocket
  private readonly sockets: number
  private timer: NodeJS.Timeout | undefined
  private ends: GateEnds | undefined
  private lastDrops: number
  /** Datagrams that came here, those that the kernel dropped too, and bytes of those that were read. */
  received = 0
  bytes = 0

  private constructor(libc: Libc, socket: OpenSocket, sockets: number) {
    this.libc = libc
    this.socket = socket
    this.sockets = sockets
    this.lastDrops = Math.max(0, drops(libc, socket.fd))
  }

  /**
   * Joins the port of `options`, on which `sockets` sockets of a group are bound; undefined where the kernel does not take it. Open to
   * everybody at first.
   */
  static open(libc: Libc, options: ReceiverOptions, sockets: number): Gate | undefined {
    const socket = openSocket(libc, { ...options, bufferBytes: BUFFER_BYTES, sharePort: 'join' })
    const gate = new Gate(libc, socket, sockets)
    if (gate.allow(undefined)) return gate
    libc.close(socket.fd)
    return undefined
  }

  /** Those in `networks` may send, or everybody; false, and then as before, when the kernel does not take so many. */
  allow(networks: readonly Network[] | undefined): boolean {
    const { libc, socket, sockets } = this
    const program = steeringProgram(socket.family, sockets, networks)
    if (program.length > MOST_INSTRUCTIONS) return false
    return attachSteering(libc, socket.fd, program) === ''
  }

  start(ends: GateEnds): void {
    this.ends = ends
    this.timer = setInterval(() => this.read(), READ_MS)
    this.timer.unref()
  }

  /** Hands over what has gathered, and tells what the kernel dropped since the last call. */
  read(): void {
    const { libc, socket, ends } = this
    if (ends === undefined) return
    const vector = messageVector(libc)
    const { batch } = vector
    for (let i = 0; i < MOST_BATCHES; i++) {
      const count = vector.receive(socket.fd, LONGEST_DATAGRAM)
      if (count <= 0) break
      this.received += count
      for (let j = 0; j < count; j++) this.bytes += batch.end[j]! - batch.start[j]!
      ends.onBatch(batch)
    }
    const now = drops(libc, socket.fd)
    if (now < 0) return
    const more = (now - this.lastDrops) >>> 0
    this.lastDrops = now
    this.received += more
    if (more > 0) ends.onDropped(more)
  }

  close(): void {
    clearInterval(this.timer)
    this.read()
    this.libc.close(this.socket.fd)
  }
}
