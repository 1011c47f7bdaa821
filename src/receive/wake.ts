import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { F_DUPFD_CLOEXEC, POLLIN, SOCK_CLOEXEC, SOCK_NONBLOCK, type Libc } from './libc.ts'

/**
 * Tells once that a socket has something to read. Armed while the traffic pauses, so that an idle collector costs nothing.
 *
 * Measured, CPU per wake-up on a busy two-core machine: UDP wake 45 µs, poll(2) on libuv's pool 155 µs, a timer 100–200 µs (which
 * at 10 ms would be 1–2 % of a core for nothing, hence no timers while idle).
 */
export interface Wake {
  arm(): void
  /** Disarms for good; resolves when nothing refers to the socket any more. */
  close(): Promise<void>
}

/**
 * UDP: libuv watches a duplicate of the socket. Its watcher cannot be asked without reading, so the datagram that woke us comes as
 * `first` and is out of the kernel's queue.
 */
export function udpWake(
  libc: Libc,
  fd: number,
  type: 'udp4' | 'udp6',
  first: (message: Uint8Array, from: RemoteInfo) => void,
): Wake {
  let watcher: Socket | undefined
  function disarm(): void {
    watcher?.close()
    watcher = undefined
  }
  return {
    arm() {
      if (watcher !== undefined) return
      const copy = libc.fcntl(fd, F_DUPFD_CLOEXEC, 0)
      if (copy < 0) throw new Error(`fcntl: ${libc.errorName(libc.errno())}`)
      const armed = createSocket(type)
      watcher = armed
      armed.on('message', (message, from) => {
        // Closing inside the event ends libuv's read loop, so that one datagram at most takes this way.
        if (watcher === armed) disarm()
        first(message, from)
      })
      // A socket error (an ICMP message, memory) is a reason to look, not to fail.
      armed.on('error', () => {})
      armed.bind({ fd: copy, exclusive: true })
    },
    close() {
      disarm()
      return Promise.resolve()
    },
  }
}

/**
 * A thread that ends, by a fault of its own too, is gone only when its poll(2) returns: without a limit a worker that failed would not be
 * replaced before the next mirrored frame. A wake-up a second costs 0.02 % of a core.
 */
const POLL_MS = 1_000

/** Any socket: poll(2) on one thread of libuv's pool, ended early through an eventfd. For the one raw socket of a collector. */
export function pollWake(libc: Libc, fd: number, readable: () => void): Wake {
  const stop = libc.eventfd(0, SOCK_NONBLOCK | SOCK_CLOEXEC)
  if (stop < 0) throw new Error(`eventfd: ${libc.errorName(libc.errno())}`)
  // struct pollfd: fd i32, events i16, revents i16. Held here while the pool's thread uses it.
  const fds = new Uint32Array(new ArrayBuffer(16))
  fds.set([fd, POLLIN, stop, POLLIN])
  let waiting = false
  let closed: (() => void) | undefined
  return {
    arm() {
      if (waiting) return
      waiting = true
      libc.pollAsync(fds, 2, POLL_MS, () => {
        waiting = false
        if (closed === undefined) readable()
        else closed()
      })
    },
    async close() {
      if (waiting) {
        const ended = new Promise<void>((resolve) => (closed = resolve))
        const one = new Uint8Array(new BigUint64Array([1n]).buffer)
        libc.write(stop, one, 8)
        await ended
      }
      libc.close(stop)
    },
  }
}
