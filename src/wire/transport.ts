/**
 * From a captured packet to what a socket would have delivered: the payload of a UDP datagram, or a GRE packet from its outer
 * IP header on. Fragments are put together as the kernel does before its sockets see them.
 *
 *   Ethernet (1)     … | type u16 at 12 | 802.1Q/802.1ad tags of 4 bytes
 *   cooked v1 (113)  16 bytes, type u16 at 14        cooked v2 (276)   20 bytes, type u16 at 0
 *   null, loop (0, 108)  4 bytes, address family     raw IP (12, 14, 101, 228, 229)  –
 */
import type { CapturedPacket } from './captured-packet.ts'
import { Reassembly } from './reassembly.ts'

/** What `Transport.find` says of a packet. */
export const TRANSPORT = {
  /** Another protocol, or a link type that is not known. */
  other: 0,
  /** `bytes[start .. end)` is the payload of a UDP datagram. */
  udp: 1,
  /** `bytes[start .. end)` is a GRE packet from its outer IP header on. */
  gre: 2,
  /** A fragment, kept until its datagram is whole. */
  fragment: 3,
  /** IP or UDP whose headers are cut or contradict each other. */
  damaged: 4,
} as const
export type TransportKind = (typeof TRANSPORT)[keyof typeof TRANSPORT]

const LINK = {
  null: 0,
  ethernet: 1,
  loop: 108,
  cooked: 113,
  cooked2: 276,
  rawBsd: 12,
  rawOpenBsd: 14,
  raw: 101,
  ipv4: 228,
  ipv6: 229,
} as const

const MAX_TAGS = 4
const MAX_EXTENSIONS = 8
const GRE = 47
const UDP = 17
const V4_MAPPED = 0xffff0000

/**
 * Finds the datagram in a packet. The fields below are set by `find` when it answers `udp` or `gre`, and are valid until the next
 * call; nothing is allocated for a packet.
 */
export class Transport {
  bytes: Uint8Array = new Uint8Array(0)
  view: DataView = new DataView(this.bytes.buffer)
  start = 0
  end = 0
  /** Four u32 lanes in memory order, IPv4 as ::ffff:a.b.c.d, like an `ip` column. */
  readonly source = new Uint32Array(4)
  readonly destination = new Uint32Array(4)
  /** 0 for `gre`. */
  sourcePort = 0
  destinationPort = 0
  /** Whether the capture cut the datagram to its snapshot length. */
  cut = false

  readonly reassembly: Reassembly

  constructor(reassembly = new Reassembly()) {
    this.reassembly = reassembly
  }

  find(packet: CapturedPacket): TransportKind {
    this.bytes = packet.bytes
    this.view = packet.view
    this.cut = packet.end - packet.start < packet.originalLength
    const at = networkStart(packet)
    if (at < 0) return TRANSPORT.other
    if (at >= packet.end) return TRANSPORT.damaged
    const version = packet.view.getUint8(at) >>> 4
    if (version === 4) return this.ipv4(at, packet.end, packet.timeMs)
    return version === 6 ? this.ipv6(at, packet.end, packet.timeMs) : TRANSPORT.damaged
  }

  private ipv4(at: number, packetEnd: number, timeMs: number): TransportKind {
    const { view } = this
    if (packetEnd - at < 20) return TRANSPORT.damaged
    const protocol = view.getUint8(at + 9)
    if (protocol !== UDP && protocol !== GRE) return TRANSPORT.other
    const headerLength = (view.getUint8(at) & 15) * 4
    // 0 is what segmentation offload leaves where the length does not fit 16 bits.
    const totalLength = view.getUint16(at + 2) || packetEnd - at
    if (headerLength < 20 || totalLength < headerLength || packetEnd - at < headerLength) return TRANSPORT.damaged
    this.source.fill(0)
    this.source[2] = V4_MAPPED
    this.source[3] = view.getUint32(at + 12, true)
    this.destination.fill(0)
    this.destination[2] = V4_MAPPED
    this.destination[3] = view.getUint32(at + 16, true)
    const end = this.limit(at + totalLength, packetEnd)
    const fragment = view.getUint16(at + 6)
    if ((fragment & 0x3fff) === 0) return protocol === UDP ? this.udp(at + headerLength, end) : this.gre(at, end)
    const id = view.getUint16(at + 4)
    const payload = at + headerLength
    return this.fragment(payload, end, (fragment & 0x1fff) * 8, (fragment & 0x2000) !== 0, id, protocol, timeMs)
  }

  private ipv6(at: number, packetEnd: number, timeMs: number): TransportKind {
    const { view } = this
    if (packetEnd - at < 40) return TRANSPORT.damaged
    for (let i = 0; i < 4; i++) {
      this.source[i] = view.getUint32(at + 8 + i * 4, true)
      this.destination[i] = view.getUint32(at + 24 + i * 4, true)
    }
    const payloadLength = view.getUint16(at + 4)
    const end = payloadLength === 0 ? packetEnd : this.limit(at + 40 + payloadLength, packetEnd)
    const header = at
    let protocol = view.getUint8(at + 6)
    at += 40
    for (let count = 0; protocol !== UDP; count++) {
      if (protocol === GRE) return this.gre(header, end)
      if (!isExtension(protocol)) return TRANSPORT.other
      if (count === MAX_EXTENSIONS || end - at < 8) return TRANSPORT.damaged
      const next = view.getUint8(at)
      if (protocol === 44) {
        const fragment = view.getUint16(at + 2)
        const whole = (fragment & 0xfff9) === 0
        if (!whole && next !== UDP && next !== GRE) return TRANSPORT.other
        const id = view.getUint32(at + 4)
        if (!whole) return this.fragment(at + 8, end, fragment & 0xfff8, (fragment & 1) !== 0, id, next, timeMs)
        at += 8
      } else {
        const units = view.getUint8(at + 1)
        at += protocol === 51 ? (units + 2) * 4 : (units + 1) * 8
      }
      protocol = next
    }
    return this.udp(at, end)
  }

  /** A UDP header (RFC 768) at `at`: ports u16, u16 | length u16 | checksum u16. */
  private udp(at: number, end: number): TransportKind {
    if (end - at < 8) return TRANSPORT.damaged
    this.sourcePort = this.view.getUint16(at)
    this.destinationPort = this.view.getUint16(at + 2)
    const length = this.view.getUint16(at + 4)
    if (length !== 0 && length < 8) return TRANSPORT.damaged
    this.start = at + 8
    this.end = length === 0 ? end : this.limit(at + length, end)
    return TRANSPORT.udp
  }

  private gre(at: number, end: number): TransportKind {
    this.sourcePort = this.destinationPort = 0
    this.start = at
    this.end = end
    return TRANSPORT.gre
  }

  /** `wanted`, but not past what was captured. */
  private limit(wanted: number, captured: number): number {
    if (wanted <= captured) return wanted
    this.cut = true
    return captured
  }

  private fragment(
    at: number,
    end: number,
    offset: number,
    more: boolean,
    id: number,
    protocol: number,
    timeMs: number,
  ): TransportKind {
    // A fragment that the capture cut can never complete its datagram.
    if (this.cut) return TRANSPORT.damaged
    const { reassembly } = this
    const length = reassembly.add(this, at, end, offset, more, id, protocol, timeMs)
    if (length < 0) return TRANSPORT.fragment
    this.bytes = reassembly.bytes
    this.view = reassembly.view
    const payload = reassembly.payloadStart
    return protocol === UDP ? this.udp(payload, payload + length) : this.gre(reassembly.headerStart, payload + length)
  }
}

/** Offset of the IP header, or -1 when there is none or the link type is not known. */
function networkStart(packet: CapturedPacket): number {
  const { start, end, view } = packet
  const length = end - start
  switch (packet.linkType) {
    case LINK.ethernet:
      return length < 14 ? -1 : afterType(view, start + 12, end)
    case LINK.cooked:
      return length < 16 ? -1 : afterType(view, start + 14, end)
    case LINK.cooked2:
      if (length < 20) return -1
      return isIp(view.getUint16(start)) ? start + 20 : -1
    case LINK.null:
    case LINK.loop:
      return start + 4
    case LINK.raw:
    case LINK.rawBsd:
    case LINK.rawOpenBsd:
    case LINK.ipv4:
    case LINK.ipv6:
      return start
    default:
      return -1
  }
}

/** Where IP starts when the ether type at `at`, or the one behind tags, is that of IP; else -1. */
function afterType(view: DataView, at: number, end: number): number {
  for (let tags = 0; tags <= MAX_TAGS; tags++) {
    if (end - at < 2) return -1
    const type = view.getUint16(at)
    if (isIp(type)) return at + 2
    if (type !== 0x8100 && type !== 0x88a8 && type !== 0x9100) return -1
    at += 4
  }
  return -1
}

function isIp(type: number): boolean {
  return type === 0x0800 || type === 0x86dd
}

/** Hop-by-hop, routing, fragment, authentication, destination options. */
function isExtension(protocol: number): boolean {
  return protocol === 0 || protocol === 43 || protocol === 44 || protocol === 51 || protocol === 60
}
