/**
 * sd_notify(3): tells systemd, over a datagram to the socket that NOTIFY_SOCKET names, that the collector receives (READY), reads its
 * configuration again (RELOADING), stops (STOPPING) and lives (WATCHDOG). Does nothing where nobody wants to know.
 */
import { loadLibc } from '../receive/libc.ts'

const AF_UNIX = 1
const SOCK_DGRAM_CLOEXEC = 0o2000002
const MSG_NOSIGNAL = 0x4000
const LONGEST_PATH = 107

export interface Notify {
  /** Sends assignments, `READY=1`; one that does not arrive is not missed. */
  (...assignments: readonly string[]): void
}

/** `environment` has NOTIFY_SOCKET: a path, or an abstract name after `@`. */
export function openNotify(environment: Readonly<Record<string, string | undefined>>): Notify {
  const path = environment['NOTIFY_SOCKET'] ?? ''
  const libc = loadLibc()
  if (!/^[@/]/.test(path) || Buffer.byteLength(path) > LONGEST_PATH || typeof libc === 'string') return () => undefined
  const name = Buffer.from(path.replace(/^@/, '\0'))
  // struct sockaddr_un: family u16, path; the length says where an abstract name ends.
  const address = new Uint8Array(new ArrayBuffer(2 + name.length))
  address.set([AF_UNIX, 0])
  address.set(name, 2)
  const fd = libc.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0)
  if (fd < 0) return () => undefined
  return (...assignments) => {
    const text = Buffer.from(assignments.join('\n'))
    const bytes = new Uint8Array(new ArrayBuffer(text.length))
    bytes.set(text)
    libc.sendto(fd, bytes, bytes.length, MSG_NOSIGNAL, address, address.length)
  }
}

/** How often systemd is to hear from this process: half of what it waits (sd_watchdog_enabled(3)); undefined when it does not. */
export function watchdogEveryMs(
  environment: Readonly<Record<string, string | undefined>>,
  pid = process.pid,
): number | undefined {
  const [usec, whose] = [Number(environment['WATCHDOG_USEC']), environment['WATCHDOG_PID']]
  if (!Number.isSafeInteger(usec) || usec <= 0 || (whose !== undefined && Number(whose) !== pid)) return undefined
  return usec / 2000
}
