/**
 * One port for several threads. The sockets are opened by one thread, which keeps them: a thread that fails loses nothing that is in
 * the kernel, and the one that follows it goes on where it was. Which socket gets a datagram: steer.ts.
 */
import { adoptKoffiReceiver } from './koffi.ts'
import { loadLibc, type Libc } from './libc.ts'
import type { Receiver, ReceiverOptions } from './receiver.ts'
import { bufferAdvice, openSocket, type OpenSocket } from './socket.ts'
import { steer } from './steer.ts'

/** One socket as it is given to a thread. Plain data. */
export interface SharedSocket {
  options: ReceiverOptions
  socket: OpenSocket
  /** Of the kernel's count of drops, which goes on as long as the socket, what earlier receivers have told. */
  toldDrops: number
}

export interface SharedSockets {
  /** One for each thread; a raw socket (GRE) cannot be shared, so there is only one. */
  sockets: readonly SharedSocket[]
  port: number
  /** What to tell the operator at start, or ''. */
  advice: string
  /** To be called when no thread uses them any more. */
  close(): void
}

/** Opens sockets for `threads` threads. Errors: those of `openReceiver`; where recvmmsg cannot be used a bug. */
export function openSharedSockets(options: ReceiverOptions, threads: number): SharedSockets {
  const libc = libcOrThrow()
  const open: SharedSocket[] = []
  const close = () => {
    for (const { socket } of open) libc.close(socket.fd)
  }
  const count = options.transport === 'gre' ? 1 : threads
  try {
    for (let i = 0; i < count; i++) {
      const port = open[0]?.socket.port ?? options.port
      const own: ReceiverOptions = { ...options, port, sharePort: i === 0 ? 'first' : 'join' }
      open.push({ options: own, socket: openSocket(libc, own), toldDrops: 0 })
    }
  } catch (error) {
    close()
    throw error
  }
  const [{ socket, options: own }] = open as [SharedSocket]
  const failed = count > 1 ? steer(libc, socket.fd, socket.family, count) : ''
  const notSteered =
    failed === ''
      ? ''
      : `the kernel does not steer exporters by address (${failed}): one that changes its port may lose templates`
  return { sockets: open, port: socket.port, advice: notSteered || bufferAdvice(own, socket.bufferBytes), close }
}

/** A receiver of this thread on a socket of another one's. */
export function adoptReceiver({ socket, options, toldDrops }: SharedSocket): Receiver {
  return adoptKoffiReceiver(libcOrThrow(), socket, options, toldDrops)
}

function libcOrThrow(): Libc {
  const libc = loadLibc()
  if (typeof libc === 'string') throw new Error(libc)
  return libc
}
