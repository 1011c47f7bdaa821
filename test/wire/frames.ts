/** Headers made by hand, for tests. Each takes its payload and gives header and payload. */

export type Bytes = Uint8Array

export function join(...parts: readonly Bytes[]): Bytes {
  return Uint8Array.from(Buffer.concat(parts))
}

export function hex(text: string): Bytes {
  return Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'))
}

export const u16 = (...values: number[]) => join(...values.map((value) => Uint8Array.of(value >>> 8, value)))
export const u32 = (...values: number[]) => u16(...values.flatMap((value) => [value >>> 16, value & 0xffff]))

export const SRC_MAC = 'fa163e21cf75'
export const DST_MAC = 'fa163efd7f88'

export function ethernet(type: number, payload: Bytes, tags: readonly [tpid: number, tci: number][] = []): Bytes {
  return join(hex(DST_MAC), hex(SRC_MAC), ...tags.map(([tpid, tci]) => u16(tpid, tci)), u16(type), payload)
}

export interface Ipv4 {
  protocol: number
  src?: string
  dst?: string
  tos?: number
  ttl?: number
  id?: number
  /** Flags and fragment offset, as the header has them. */
  fragment?: number
  options?: Bytes
  /** When it should differ from the truth. */
  totalLength?: number
  headerWords?: number
  version?: number
}

export function ipv4(header: Ipv4, payload: Bytes): Bytes {
  const { options = new Uint8Array(0), src = '192.168.10.8', dst = '192.168.10.9' } = header
  const words = header.headerWords ?? 5 + options.length / 4
  return join(
    Uint8Array.of(((header.version ?? 4) << 4) | words, header.tos ?? 0),
    u16(header.totalLength ?? 20 + options.length + payload.length, header.id ?? 0, header.fragment ?? 0),
    Uint8Array.of(header.ttl ?? 64, header.protocol, 0, 0),
    Uint8Array.from([src, dst].flatMap((address) => address.split('.').map(Number))),
    options,
    payload,
  )
}

export interface Ipv6 {
  next: number
  src?: string
  dst?: string
  trafficClass?: number
  flowLabel?: number
  hopLimit?: number
  payloadLength?: number
  version?: number
}

export const V6_SRC = '20010db8000000000000000000000001'
export const V6_DST = '20010db8000000000000000000000002'

/** Addresses as 32 hex digits. */
export function ipv6(header: Ipv6, payload: Bytes): Bytes {
  const { trafficClass = 0, flowLabel = 0, version = 6 } = header
  return join(
    u32((version * 0x10000000 + trafficClass * 0x100000 + flowLabel) >>> 0),
    u16(header.payloadLength ?? payload.length),
    Uint8Array.of(header.next, header.hopLimit ?? 64),
    hex(header.src ?? V6_SRC),
    hex(header.dst ?? V6_DST),
    payload,
  )
}

/** An extension header whose length field counts eight bytes beyond the first. */
export function extension(next: number, payload: Bytes, moreUnits = 0): Bytes {
  return join(Uint8Array.of(next, moreUnits, 1, 4 + moreUnits * 8), new Uint8Array(4 + moreUnits * 8), payload)
}

/** Fragment header of IPv6; `field` as in the header: offset in the upper 13 bits, M in the lowest. */
export function fragment6(next: number, field: number, id: number, payload: Bytes): Bytes {
  return join(Uint8Array.of(next, 0), u16(field), u32(id), payload)
}

export function udp(src: number, dst: number, payload: Bytes, length = 8 + payload.length): Bytes {
  return join(u16(src, dst, length, 0), payload)
}

/** `flags` are the lower twelve bits of the word at 12. */
export function tcp(src: number, dst: number, flags: number, payload: Bytes = new Uint8Array(0), sequence = 1): Bytes {
  return join(u16(src, dst), u32(sequence, 2), u16(0x5000 | flags, 0xffff, 0, 0), payload)
}

export function icmp(type: number, code: number): Bytes {
  return Uint8Array.of(type, code, 0, 0, 0, 1, 0, 1)
}

export interface Gre {
  checksum?: boolean
  key?: number
  sequence?: number
  /** Further flag bits. */
  flags?: number
}

export function gre(protocol: number, header: Gre, payload: Bytes): Bytes {
  const { checksum = false, key, sequence, flags = 0 } = header
  const word =
    flags | (checksum ? 0x8000 : 0) | (key === undefined ? 0 : 0x2000) | (sequence === undefined ? 0 : 0x1000)
  return join(
    u16(word, protocol),
    checksum ? u16(0xbeef, 0) : new Uint8Array(0),
    key === undefined ? new Uint8Array(0) : u32(key),
    sequence === undefined ? new Uint8Array(0) : u32(sequence),
    payload,
  )
}
