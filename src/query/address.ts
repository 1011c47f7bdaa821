import { isIPv4, isIPv6 } from 'node:net'

/**
 * IP addresses and prefixes as ClickHouse keeps them (IPv6, IPv4 as ::ffff:a.b.c.d), and MAC addresses as 48-bit numbers.
 */

/** First and last address of a prefix. */
export interface AddressRange {
  readonly first: string
  readonly last: string
}

const IPV4_BYTES = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]

/** The 16 bytes of an IPv4 or IPv6 address, IPv4 mapped; undefined when it is none. Zones are no part of an address. */
export function addressBytes(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from([...IPV4_BYTES, ...text.split('.').map(Number)])
  if (!isIPv6(text) || text.includes('%')) return undefined
  const [head, tail] = text.split('::') as [string, string | undefined]
  const left = groups(head)
  const right = tail === undefined ? [] : groups(tail)
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => 0)
  return Uint8Array.from([...left, ...zeros, ...right].flatMap((group) => [group >> 8, group & 0xff]))
}

function groups(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((part) => {
    if (!part.includes('.')) return [Number.parseInt(part, 16)]
    const [a, b, c, d] = part.split('.').map(Number) as [number, number, number, number]
    return [a * 256 + b, c * 256 + d]
  })
}

/** Canonical text: dotted for IPv4, RFC 5952 for IPv6. */
export function addressText(bytes: Uint8Array): string {
  if (IPV4_BYTES.every((byte, i) => bytes[i] === byte)) return bytes.slice(12).join('.')
  const words = Array.from({ length: 8 }, (_, i) => bytes[i * 2]! * 256 + bytes[i * 2 + 1]!)
  const { start, length } = longestZeros(words)
  const hex = words.map((word) => word.toString(16))
  if (length < 2) return hex.join(':')
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`
}

/** RFC 5952 §4.2: the longest run of zero groups, the first of several. */
function longestZeros(words: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  for (let start = 0; start < words.length; start++) {
    let length = 0
    while (words[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  return best
}

/** An address of the store: the mapped prefix of IPv4 taken off. */
export function readableAddress(text: string): string {
  return text.startsWith('::ffff:') && text.includes('.') ? text.slice(7) : text
}

/**
 * A prefix or a single address in canonical text, host bits cleared: `10.1.2.3/8` → `10.0.0.0/8`; undefined when it is none.
 */
export function parsePrefix(text: string): string | undefined {
  const [address, length, ...rest] = text.split('/')
  const bytes = addressBytes(address!)
  if (bytes === undefined || rest.length > 0) return undefined
  const v4 = isIPv4(address!)
  if (length === undefined) return addressText(bytes)
  if (!/^\d{1,3}$/.test(length) || Number(length) > (v4 ? 32 : 128)) return undefined
  const bits = Number(length) + (v4 ? 96 : 0)
  if (bits === 128) return addressText(bytes)
  const cleared = masked(bytes, bits, 0)
  const shown = v4 ? cleared.slice(12).join('.') : addressText(cleared)
  return `${shown}/${Number(length)}`
}

/** The range of a canonical prefix or address, in the text of ClickHouse's IPv6. */
export function prefixRange(prefix: string): AddressRange {
  const [address, length] = prefix.split('/') as [string, string | undefined]
  const bytes = addressBytes(address)
  if (bytes === undefined) throw new Error(`not a canonical prefix: ${prefix}`)
  const bits = length === undefined ? 128 : Number(length) + (isIPv4(address) ? 96 : 0)
  return { first: storedText(masked(bytes, bits, 0)), last: storedText(masked(bytes, bits, 0xff)) }
}

function storedText(bytes: Uint8Array): string {
  const text = addressText(bytes)
  return isIPv4(text) ? `::ffff:${text}` : text
}

function masked(bytes: Uint8Array, bits: number, fill: 0 | 0xff): Uint8Array {
  return bytes.map((byte, i) => {
    const kept = Math.min(8, Math.max(0, bits - i * 8))
    const mask = (0xff00 >> kept) & 0xff
    return (byte & mask) | (fill & ~mask & 0xff)
  })
}

const MAC = /^(?:[0-9a-f]{2}([:-]))(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}$|^[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}$/i

/** The 48-bit number of `fa:16:3e:00:00:01`, `fa-16-…` or `fa16.3e00.0001`; undefined when it is none. */
export function parseMac(text: string): number | undefined {
  return MAC.test(text) ? Number.parseInt(text.replaceAll(/[^0-9a-f]/gi, ''), 16) : undefined
}

/** `fa:16:3e:00:00:01`. */
export function macText(mac: number): string {
  return mac
    .toString(16)
    .padStart(12, '0')
    .replaceAll(/..(?!$)/g, '$&:')
}
