import { AppError } from '../errors.ts'
import {
  IPPROTO_GRE,
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  MEMINFO_DROPS,
  MEMINFO_WORDS,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOL_SOCKET,
  SO_MEMINFO,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_REUSEPORT,
  type Libc,
} from './libc.ts'
import { portTaken } from './holder.ts'
import type { ReceiverOptions } from './receiver.ts'
import { AF_INET, AF_INET6, sockaddr } from './sockaddr.ts'

export interface OpenSocket {
  fd: number
  family: number
  /** Bound port, 0 for a raw socket. */
  port: number
  /** What the kernel granted, as it counts. */
  bufferBytes: number
}

/** Opens and binds a non-blocking socket. Errors: port_in_use, socket_refused, config_invalid. */
export function openSocket(libc: Libc, options: ReceiverOptions): OpenSocket {
  const local = sockaddr(options.address, options.transport === 'gre' ? 0 : options.port)
  const raw = options.transport === 'gre'
  if (raw && local.family !== AF_INET)
    throw new AppError('config_invalid', `GRE is received over IPv4, so ${options.address} cannot be listened on`)
  const type = (raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC
  const fd = libc.socket(local.family, type, raw ? IPPROTO_GRE : 0)
  if (fd < 0) throw refused(options, libc.errorName(libc.errno()))
  try {
    const bufferBytes = askForBuffer(libc, fd, options.bufferBytes)
    if (options.sharePort === 'join' && !raw) set(libc, fd, SOL_SOCKET, SO_REUSEPORT, 1)
    if (local.family === AF_INET6) set(libc, fd, IPPROTO_IPV6, IPV6_V6ONLY, 0)
    if (libc.bind(fd, local.bytes, local.bytes.length) < 0) {
      const error = libc.errorName(libc.errno())
      throw error === 'EADDRINUSE' ? portTaken(options) : refused(options, error)
    }
    // Only now, so that the bind above would have failed if anybody had the port.
    if (options.sharePort === 'first' && !raw) set(libc, fd, SOL_SOCKET, SO_REUSEPORT, 1)
    return { fd, family: local.family, port: raw ? 0 : boundPort(libc, fd), bufferBytes }
  } catch (error) {
    libc.close(fd)
    throw error
  }
}

/** Datagrams the kernel dropped for want of buffer since the socket was opened, modulo 2^32; -1 on a kernel that does not tell. */
export function drops(libc: Libc, fd: number): number {
  const info = new Uint32Array(MEMINFO_WORDS)
  const length = new Uint32Array([info.byteLength])
  if (libc.getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, length) < 0) return -1
  return length[0]! < info.byteLength ? -1 : info[MEMINFO_DROPS]!
}

/** What to tell the operator when the kernel granted less than half of what was asked for twice over; '' when all is well. */
export function bufferAdvice(options: ReceiverOptions, granted: number): string {
  // The kernel doubles what is asked for, to hold its own bookkeeping (socket(7)).
  if (granted >= options.bufferBytes * 2) return ''
  return (
    `the kernel grants ${granted / 2} of the ${options.bufferBytes} bytes asked for as receive buffer of ${describe(options)}, ` +
    `bursts may be lost: sysctl -w net.core.rmem_max=${options.bufferBytes}, or give CAP_NET_ADMIN`
  )
}

/** `UDP 0.0.0.0:2055` or `GRE on 0.0.0.0`. */
export function describe(options: ReceiverOptions): string {
  if (options.transport === 'gre') return `GRE on ${options.address}`
  return `UDP ${options.address.includes(':') ? `[${options.address}]` : options.address}:${options.port}`
}

/** A socket that could not be opened: says which privilege or address is missing. */
export function refused(options: ReceiverOptions, error: string): AppError {
  const what = describe(options)
  if (options.transport === 'gre' && (error === 'EPERM' || error === 'EACCES'))
    return new AppError(
      'socket_refused',
      `${what} needs a raw socket, which this process may not open: run as root, give the capability ` +
        '(setcap cap_net_raw+ep on the node binary, or AmbientCapabilities=CAP_NET_RAW in the systemd unit), ' +
        'or mirror through VXLAN (UDP), which needs no privilege',
    )
  const reason =
    {
      EACCES: 'ports below 1024 need root or CAP_NET_BIND_SERVICE',
      EPERM: 'not permitted by the system',
      EADDRNOTAVAIL: 'the address is not one of this machine',
      EAFNOSUPPORT: 'the machine has no such address family (IPv6 switched off?)',
      EMFILE: 'the process has too many files open (ulimit -n)',
      ENFILE: 'the machine has too many files open',
    }[error] ?? 'see the name of the error'
  return new AppError('socket_refused', `cannot listen on ${what}: ${reason} (${error})`)
}

/** SO_RCVBUFFORCE passes net.core.rmem_max but needs CAP_NET_ADMIN. Returns what is in force. */
function askForBuffer(libc: Libc, fd: number, bytes: number): number {
  const value = new Uint32Array([Math.min(bytes, 0x3fffffff)])
  if (libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, value, 4) < 0)
    libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, value, 4)
  const granted = new Uint32Array(1)
  libc.getsockopt(fd, SOL_SOCKET, SO_RCVBUF, granted, new Uint32Array([4]))
  return granted[0]!
}

function set(libc: Libc, fd: number, level: number, option: number, value: number): void {
  if (libc.setsockopt(fd, level, option, new Uint32Array([value]), 4) < 0)
    throw new Error(`setsockopt ${level}/${option}: ${libc.errorName(libc.errno())}`)
}

function boundPort(libc: Libc, fd: number): number {
  const bytes = new Uint8Array(new ArrayBuffer(32))
  if (libc.getsockname(fd, bytes, new Uint32Array([32])) < 0) throw new Error('getsockname failed')
  return bytes[2]! * 256 + bytes[3]!
}
