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
/** `aa:bb:cc:dd:ee:ff`. */
const MAC_CHARS = 17

/** Lanes of an address, undefined when it is none. A zone (`fe80::1%eth0`) is not part of it. */
export function parseIp(text: string): Lanes | undefined {
  const lane4 = v4Lane(text)
  if (lane4 >= 0) return [0, 0, MAPPED, lane4]
  if (!isIPv6(text)) return undefined
  const bytes = v6Bytes(text.split('%')[0]!)
  const lane = (i: number) => (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)) >>> 0
  return [lane(0), lane(4), lane(8), lane(12)]
}

/** `aa:bb:cc:dd:ee:ff` (or with dashes); undefined when it is no MAC. */
export function parseMac(text: string): Mac | undefined {
  if (text.length !== MAC_CHARS) return undefined
  let high = 0
  let low = 0
  for (let at = 0; at < MAC_CHARS; at += 3) {
    const tens = hexDigit(text.charCodeAt(at))
    const ones = hexDigit(text.charCodeAt(at + 1))
    if (tens < 0 || ones < 0) return undefined
    if (at + 2 < MAC_CHARS && text[at + 2] !== ':' && text[at + 2] !== '-') return undefined
    if (at < 6) high = (high << 8) | (tens << 4) | ones
    else low = (low << 8) | (tens << 4) | ones
  }
  return { high, low: low >>> 0 }
}

/** Value of a hexadecimal digit's character code, -1 when it is none. */
export function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  const lower = code | 0x20
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
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

/** Lane of a dotted address, read without a string more: a large cloud has half a million of them. -1 when it is none. */
function v4Lane(text: string): number {
  const { length } = text
  if (length < 7 || length > 15) return -1
  let lane = 0
  let part = 0
  let digits = 0
  let dots = 0
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at)
    if (code === 46) {
      if (digits === 0 || dots === 3) return -1
      lane |= part << (8 * dots++)
      part = digits = 0
      continue
    }
    // No leading zeros, as `isIPv4` has it: they may mean octal.
    if (code < 48 || code > 57 || (digits > 0 && part === 0)) return -1
    part = part * 10 + code - 48
    if (++digits > 3 || part > 255) return -1
  }
  return dots === 3 && digits > 0 ? (lane | (part << 24)) >>> 0 : -1
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
