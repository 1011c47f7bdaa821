import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { AppError } from '../errors.ts'
import type { ReceiverOptions } from './receiver.ts'

/**
 * /proc/net/udp and udp6, proc(5): one socket a line after a heading.
 *
 *   sl  local_address(hex ip:port)  rem_address  st  tx:rx  tr:when  retrnsmt  uid  timeout  inode  ref  pointer  drops
 */
const TABLES = ['/proc/net/udp', '/proc/net/udp6']
const LOCAL = 1
const INODE = 9
const DROPS = 12

export interface UdpSocket {
  port: number
  inode: string
  drops: number
}

/** UDP sockets of this machine as the kernel lists them; none where there is no /proc. */
export function udpSockets(): UdpSocket[] {
  return TABLES.flatMap((table) => readLines(table).map(parseLine)).filter((socket) => socket !== undefined)
}

/** Inodes of this process's UDP sockets. */
export function ownUdpSockets(): Set<string> {
  const own = new Set(list('/proc/self/fd').map((fd) => link(`/proc/self/fd/${fd}`)))
  return new Set(udpSockets().flatMap(({ inode }) => (own.has(`socket:[${inode}]`) ? [inode] : [])))
}

/** The error for a port that is taken, with who holds it where that can be found out. */
export function portTaken(options: ReceiverOptions): AppError {
  const holder = holderOf(options.port)
  const who = holder === '' ? `another process (ss -ulpn 'sport = :${options.port}' tells which)` : holder
  return new AppError(
    'port_in_use',
    `UDP port ${options.port} on ${options.address} is taken by ${who}: stop it, or listen on another port`,
  )
}

/** `nfcapd (pid 1234)`, or '' when no process that may be looked at has the port. Slow: walks all processes. */
export function holderOf(port: number): string {
  const inodes = new Set(
    udpSockets()
      .filter((socket) => socket.port === port)
      .map((socket) => `socket:[${socket.inode}]`),
  )
  if (inodes.size === 0) return ''
  for (const pid of list('/proc').filter((name) => /^\d+$/.test(name))) {
    if (list(`/proc/${pid}/fd`).some((fd) => inodes.has(link(`/proc/${pid}/fd/${fd}`)))) {
      const name = readLines(`/proc/${pid}/comm`, 0)[0] ?? 'a process'
      return `${name} (pid ${pid})`
    }
  }
  return ''
}

function parseLine(line: string): UdpSocket | undefined {
  const fields = line.trim().split(/\s+/)
  const [, port] = (fields[LOCAL] ?? '').split(':')
  if (port === undefined || fields[DROPS] === undefined) return undefined
  return { port: Number.parseInt(port, 16), inode: fields[INODE]!, drops: Number(fields[DROPS]) }
}

/** Missing or forbidden files are normal here: processes end, others belong to other users. */
function readLines(path: string, heading = 1): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(heading, -1)
  } catch {
    return []
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
