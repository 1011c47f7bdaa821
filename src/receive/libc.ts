import { createRequire } from 'node:module'
import { endianness } from 'node:os'
import type * as Koffi from 'koffi'

/**
 * The system calls a receiver needs, through koffi. Constants are those of Linux on x86-64 and arm64, see socket(7), recvmmsg(2).
 *
 * A Buffer given to one of these is used only during the call. Addresses kept in structures (`address`) stay valid only while
 * JavaScript holds the ArrayBuffer: a collected one is heap corruption.
 */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number
  bind(fd: number, address: Uint8Array, length: number): number
  getsockname(fd: number, address: Uint8Array, length: Uint32Array): number
  setsockopt(fd: number, level: number, option: number, value: Uint32Array, length: number): number
  getsockopt(fd: number, level: number, option: number, value: Uint32Array, length: Uint32Array): number
  recvmmsg(fd: number, messages: Uint32Array, count: number, flags: number, timeout: null): number
  /** F_DUPFD_CLOEXEC. */
  fcntl(fd: number, command: number, argument: number): number
  close(fd: number): number
  /** poll(2) on a thread of libuv's pool; `done` is called from the event loop. */
  pollAsync(fds: Uint32Array, count: number, timeoutMs: number, done: () => void): void
  eventfd(initial: number, flags: number): number
  write(fd: number, bytes: Uint8Array, length: number): number
  sendto(fd: number, bytes: Uint8Array, length: number, flags: number, to: Uint8Array, toLength: number): number
  errno(): number
  errorName(errno: number): string
  /** Where an ArrayBuffer lies in memory. */
  address(buffer: ArrayBuffer): bigint
}

export const SOCK_DGRAM = 2
export const SOCK_RAW = 3
export const SOCK_NONBLOCK = 0o4000
export const SOCK_CLOEXEC = 0o2000000
export const IPPROTO_GRE = 47
export const IPPROTO_IPV6 = 41
export const IPV6_V6ONLY = 26
export const SOL_SOCKET = 1
export const SO_RCVBUF = 8
export const SO_REUSEPORT = 15
export const SO_RCVBUFFORCE = 33
/** Since Linux 4.12: nine u32, see MEMINFO_DROPS. Unlike SO_RXQ_OVFL it also tells of drops after the last datagram. */
export const SO_MEMINFO = 55
export const MEMINFO_WORDS = 9
export const MEMINFO_DROPS = 8
export const MSG_TRUNC = 0x20
export const MSG_DONTWAIT = 0x40
export const F_DUPFD_CLOEXEC = 1030
export const POLLIN = 1

const CALLS = {
  socket: 'int socket(int, int, int)',
  bind: 'int bind(int, void *, uint32_t)',
  getsockname: 'int getsockname(int, void *, void *)',
  setsockopt: 'int setsockopt(int, int, int, void *, uint32_t)',
  getsockopt: 'int getsockopt(int, int, int, void *, void *)',
  recvmmsg: 'int recvmmsg(int, void *, uint32_t, int, void *)',
  fcntl: 'int fcntl(int, int, int)',
  close: 'int close(int)',
  eventfd: 'int eventfd(uint32_t, int)',
  write: 'int64_t write(int, void *, uint64_t)',
  sendto: 'int64_t sendto(int, void *, uint64_t, int, void *, uint32_t)',
} as const

let loaded: Libc | string | undefined

/** The C library, or in words why it cannot be called on this machine. */
export function loadLibc(): Libc | string {
  loaded ??= load()
  return loaded
}

function load(): Libc | string {
  if (process.platform !== 'linux') return `recvmmsg is not used on ${process.platform}`
  if (!['x64', 'arm64'].includes(process.arch) || endianness() !== 'LE')
    return `structures of ${process.arch} are not known`
  let koffi: typeof Koffi
  try {
    koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
  } catch (error) {
    // A platform koffi has no prebuilt library for.
    return `koffi cannot be loaded: ${error instanceof Error ? error.message.split('\n')[0]! : String(error)}`
  }
  // The process itself: works with glibc and musl, whatever their library is called.
  const library = koffi.load(null)
  const functions = Object.fromEntries(Object.entries(CALLS).map(([name, call]) => [name, library.func(call)]))
  const poll = library.func('int poll(void *, uint64_t, int)')
  const names = new Map(Object.entries(koffi.os.errno).map(([name, code]) => [code, name]))
  return {
    ...(functions as unknown as Pick<Libc, keyof typeof CALLS>),
    pollAsync: (fds, count, timeoutMs, done) => poll.async(fds, count, timeoutMs, done),
    errno: () => koffi.errno(),
    errorName: (errno) => names.get(errno) ?? `errno ${errno}`,
    address: (buffer) => koffi.address(buffer),
  }
}
