/**
 * Addresses as numbers, the way they lie in the columns of a batch: an IP address is four u32 lanes holding its 16 bytes in
 * network order on a little-endian machine (IPv4 as ::ffff:a.b.c.d), a MAC the low 32 and high 16 bits of a 48-bit number.
 */
import { isIPv4, isIPv6 } from 'node:net'

export type Lanes = readonly [number, number, number, number]

export interface Mac {
  readonly low: number
  readonly high: number
}

/** A range of addresses: `(address & mask) === net`, lane by lane. */
export interface Cidr {
  readonly net: Lanes
  readonly mask: Lanes
  /** 4 or 6. */
  readonly version: number
  /** As written, 0 … 32 or 0 … 128. */
  readonly prefix: number
}

const MAPPED = 0xffff0000

/** Lanes of an address, undefined when it is none. A zone (`fe80::1%eth0`) is not part of it. */
export function parseIp(text: string): Lanes | undefined {
  if (isIPv4(text)) {
    const [a, b, c, d] = text.split('.').map(Number) as [number, number, number, number]
    return [0, 0, MAPPED, (a | (b << 8) | (c << 16) | (d << 24)) >>> 0]
  }
  if (!isIPv6(text)) return undefined
  const bytes = v6Bytes(text.split('%')[0]!)
  const lane = (i: number) => (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)) >>> 0
  return [lane(0), lane(4), lane(8), lane(12)]
}

/** `aa:bb:cc:dd:ee:ff` (or with dashes); undefined when it is no MAC. */
export function parseMac(text: string): Mac | undefined {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) return undefined
  const hex = text.replaceAll(/[:-]/g, '')
  return { high: Number.parseInt(hex.slice(0, 4), 16), low: Number.parseInt(hex.slice(4), 16) }
}

/** `10.0.0.0/8`, or an address alone, which is a range of one. Bits behind the prefix are ignored. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = '', length, ...rest] = text.split('/')
  const lanes = parseIp(address)
  if (lanes === undefined || rest.length > 0) return undefined
  const version = isIPv4(address) ? 4 : 6
  const bits = version === 4 ? 32 : 128
  if (length !== undefined && !/^\d{1,3}$/.test(length)) return undefined
  const prefix = length === undefined ? bits : Number(length)
  if (prefix > bits) return undefined
  const mask = [0, 1, 2, 3].map((i) => laneMask(prefix + (128 - bits) - i * 32)) as unknown as Lanes
  const net = lanes.map((lane, i) => (lane & mask[i]!) >>> 0) as unknown as Lanes
  return { net, mask, version, prefix }
}

/** Whether the address is in the range; lanes may be signed or unsigned. */
export function inCidr({ net, mask }: Cidr, a0: number, a1: number, a2: number, a3: number): boolean {
  return (
    ((a3 ^ net[3]) & mask[3]) === 0 &&
    ((a2 ^ net[2]) & mask[2]) === 0 &&
    ((a1 ^ net[1]) & mask[1]) === 0 &&
    ((a0 ^ net[0]) & mask[0]) === 0
  )
}

/** Mask of one lane whose first `bits` bits in network order are set; the lane is little-endian. */
function laneMask(bits: number): number {
  if (bits <= 0) return 0
  if (bits >= 32) return 0xffffffff
  const big = (0xffffffff << (32 - bits)) >>> 0
  return ((big >>> 24) | ((big >>> 8) & 0xff00) | ((big << 8) & 0xff0000) | (big << 24)) >>> 0
}

/** 16 bytes of an IPv6 address that `isIPv6` has accepted. */
function v6Bytes(text: string): Uint8Array {
  const dotted = text.lastIndexOf('.') === -1 ? undefined : text.slice(text.lastIndexOf(':') + 1)
  if (dotted !== undefined) {
    const [a, b, c, d] = dotted.split('.').map(Number) as [number, number, number, number]
    text = `${text.slice(0, -dotted.length)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  }
  const [head = '', tail] = text.split('::')
  const words = (part: string) => (part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16)))
  const before = words(head)
  const after = tail === undefined ? [] : words(tail)
  const all = [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after]
  return Uint8Array.from(all.flatMap((word) => [word >>> 8, word & 0xff]))
}
