import { isIPv4, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { AppError } from '../errors.ts'

/**
 * struct sockaddr of Linux. Ports and addresses are big-endian, the family is not.
 *
 *   IPv4  16 bytes   family u16 = 2  | port u16 | address 4 | zero 8
 *   IPv6  28 bytes   family u16 = 10 | port u16 | flowinfo u32 | address 16 | scope id u32
 */
export const AF_INET = 2
export const AF_INET6 = 10

/** A local address to bind. Errors: `config_invalid` when it is no IP literal or its zone is no interface of this machine. */
export function sockaddr(address: string, port: number): { family: number; bytes: Uint8Array<ArrayBuffer> } {
  if (isIPv4(address)) {
    const bytes = new Uint8Array(new ArrayBuffer(16))
    writePort(bytes, AF_INET, port)
    bytes.set(parseIpv4(address), 4)
    return { family: AF_INET, bytes }
  }
  if (!isIPv6(address)) throw new AppError('config_invalid', `${address} is not an IPv4 or IPv6 address to listen on`)
  const [literal = '', zone] = address.split('%')
  const bytes = new Uint8Array(new ArrayBuffer(28))
  writePort(bytes, AF_INET6, port)
  bytes.set(parseIpv6(literal), 8)
  if (zone !== undefined) new DataView(bytes.buffer).setUint32(24, scopeId(zone, address), true)
  return { family: AF_INET6, bytes }
}

/** Writes the 16 bytes of an IP literal as Node reports it (IPv4 as ::ffff:a.b.c.d, a zone is dropped). */
export function writeAddress(literal: string, into: Uint8Array, at: number): void {
  if (literal.includes(':')) {
    into.set(parseIpv6(literal.split('%')[0]!), at)
    return
  }
  into.fill(0, at, at + 10).fill(0xff, at + 10, at + 12)
  into.set(parseIpv4(literal), at + 12)
}

function writePort(bytes: Uint8Array<ArrayBuffer>, family: number, port: number): void {
  const view = new DataView(bytes.buffer)
  view.setUint16(0, family, true)
  view.setUint16(2, port)
}

function parseIpv4(literal: string): number[] {
  return literal.split('.').map(Number)
}

/** `literal` is valid: `isIPv6` or Node itself said so. */
function parseIpv6(literal: string): Uint8Array {
  const bytes = new Uint8Array(16)
  const [head = '', tail = ''] = literal.split('::')
  bytes.set(groups(head), 0)
  const end = groups(tail)
  bytes.set(end, 16 - end.length)
  return bytes
}

function groups(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return parseIpv4(group)
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}

function scopeId(zone: string, address: string): number {
  const number = networkInterfaces()[zone]?.find((own) => own.family === 'IPv6')?.scopeid ?? Number(zone)
  if (Number.isInteger(number)) return number
  throw new AppError('config_invalid', `${address}: there is no interface ${zone} with an IPv6 address`)
}
