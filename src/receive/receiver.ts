/**
 * Datagrams from the network, many at a time. Implementations behind this interface: `koffi` calls recvmmsg(2) and gets up
 * to 256 datagrams a system call; `dgram` is Node's own, one event a datagram, for machines without koffi (and `tcpdump` a child
 * process for GRE there).
 * A receiver belongs to the thread that opened it; several threads share a port through `sharePort`.
 */

/** `udp`: the payload after the UDP header. `gre`: IP protocol 47, from the outer IPv4 header on, as a raw socket delivers it. */
export type Transport = 'udp' | 'gre'

/**
 * Datagrams in the order they arrived. One object and one arena are reused for ever: everything is valid only during the call
 * of `onBatch`. Datagram i is `bytes[start[i] .. end[i])`; `view` covers the same memory and is never replaced.
 */
export interface DatagramBatch {
  readonly bytes: Uint8Array
  readonly view: DataView
  /** How many datagrams; entries of the arrays from here on are stale. */
  count: number
  readonly start: Uint32Array
  readonly end: Uint32Array
  /** Source address, four u32 lanes a datagram in memory order, IPv4 as ::ffff:a.b.c.d, like an `ip` column. */
  readonly source: Uint32Array
  /** UDP source port; 0 for `gre`. */
  readonly sourcePort: Uint16Array
  /** When the batch was read, milliseconds since 1970. Datagrams of one batch arrived within a few milliseconds. */
  receivedMs: number
}

export interface ReceiverOptions {
  transport: Transport
  /** Local address to bind, IPv4 or IPv6 literal. `::` takes IPv4 too. */
  address: string
  /** UDP port; 0 lets the kernel choose. Ignored for `gre`. */
  port: number
  /** Kernel buffer to ask for, bytes. The kernel may grant less: see `ReceiverStats.bufferBytes`. */
  bufferBytes: number
  /**
   * Several sockets on one port (workers): the kernel deals exporters to them by address and port. The `first` one makes sure that
   * nobody else has the port, else another collector of the same user would silently get half of the datagrams; the others `join`.
   */
  sharePort?: 'first' | 'join'
  /** The user that root is given up for, where it is: a child that receives becomes it, too. */
  user?: string
  /** Longest datagram kept whole; longer ones are cut and counted. Default 65535, so that nothing is cut. */
  maxDatagramBytes?: number
}

/** Running totals since the receiver was opened. */
export interface ReceiverStats {
  datagrams: number
  /** Payload bytes handed over. */
  bytes: number
  /** Datagrams the kernel dropped because the buffer was full; -1 when this machine does not tell. */
  kernelDrops: number
  /** Datagrams longer than `maxDatagramBytes`; they are handed over cut. */
  truncated: number
  /** Kernel buffer in force, bytes of payload and bookkeeping as the kernel counts them (twice what was asked for when granted). */
  bufferBytes: number
  bufferBytesAsked: number
}

export interface Receiver {
  readonly kind: 'koffi' | 'dgram' | 'tcpdump'
  readonly transport: Transport
  readonly address: string
  /** The bound port, also when 0 was asked for. */
  readonly port: number
  /** What to tell the operator at start, or '' : a smaller buffer than asked for, with the sysctl line that mends it. */
  readonly advice: string
  /**
   * Calls `onBatch` on this thread, from the event loop, with at least one datagram, until `close`. What `onBatch` throws is a
   * bug and ends the process.
   */
  start(onBatch: (batch: DatagramBatch) => void): void
  stats(): ReceiverStats
  /** Hands over what the kernel still holds, then closes the socket. */
  close(): Promise<void>
}
