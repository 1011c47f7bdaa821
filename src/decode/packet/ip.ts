/**
 * IPv4 (RFC 791) and IPv6 (RFC 8200) with its extension headers.
 *
 *   IPv4   version 4 bits | IHL 4 bits, words ≥ 5 | TOS u8 | total length u16 | id u16 | flags 3, fragment offset 13 | TTL u8 |
 *          protocol u8 | checksum u16 | source u32 | destination u32 | options
 *   IPv6   version 4 bits | traffic class 8 | flow label 20 | payload length u16 | next header u8 | hop limit u8 |
 *          source 16 bytes | destination 16 bytes
 */
import type { PacketDissector } from '../packet.ts'
import { STATUS, type DecodeStatus } from '../status.ts'
import { dissectTransport } from './transport.ts'

const OK = STATUS.ok
const TRUNCATED = STATUS.truncated
const BAD_HEADER = STATUS.bad_header
const TOO_DEEP = STATUS.too_deep

/** ::ffff:0:0/96 as the third lane of an address column: bytes 00 00 ff ff read as a little-endian word. */
const V4_MAPPED = 0xffff0000
const IPV4_HEADER = 20
const IPV6_HEADER = 40
/** RFC 8200 §4.1 names at most six; some stacks repeat them. */
const MAX_EXTENSIONS = 8

/** An IP packet of either version at `at`; the first nibble tells. */
export function dissectIp(packet: PacketDissector, view: DataView, at: number, end: number, row: number): DecodeStatus {
  if (at >= end) return TRUNCATED
  const version = view.getUint8(at) >>> 4
  if (version === 4) {
    packet.u16[packet.etherType + row] = 0x0800
    return dissectIpv4(packet, view, at, end, row)
  }
  if (version !== 6) return BAD_HEADER
  packet.u16[packet.etherType + row] = 0x86dd
  return dissectIpv6(packet, view, at, end, row)
}

export function dissectIpv4(
  packet: PacketDissector,
  view: DataView,
  at: number,
  end: number,
  row: number,
): DecodeStatus {
  packet.ipVersion = 4
  if (end - at < IPV4_HEADER) return TRUNCATED
  const first = view.getUint32(at)
  const headerLength = (first >>> 22) & 0x3c
  if (first >>> 28 !== 4 || headerLength < IPV4_HEADER) return notIp(packet)
  packet.u8[packet.version + row] = 4
  packet.u8[packet.tos + row] = (first >>> 16) & 0xff
  const life = view.getUint32(at + 8)
  const protocol = (life >>> 16) & 0xff
  packet.u8[packet.ttl + row] = life >>> 24
  packet.u8[packet.protocol + row] = protocol
  const { u32 } = packet
  const src = packet.srcAddr + row * 4 + 2
  const dst = packet.dstAddr + row * 4 + 2
  u32[src] = V4_MAPPED
  u32[src + 1] = view.getUint32(at + 12, true)
  u32[dst] = V4_MAPPED
  u32[dst + 1] = view.getUint32(at + 16, true)
  const totalLength = first & 0xffff
  if (totalLength < headerLength) {
    // Segmentation offload leaves 0 where the length does not fit 16 bits; anything else contradicts the header.
    if (totalLength !== 0) return BAD_HEADER
  } else {
    packet.ipLength = totalLength
    if (at + totalLength < end) end = at + totalLength
  }
  const fragmentOffset = view.getUint16(at + 6) & 0x1fff
  if (fragmentOffset !== 0) {
    packet.u8[packet.fragment + row] = 1
    return OK
  }
  return dissectTransport(packet, view, at + headerLength, end, row, protocol)
}

export function dissectIpv6(
  packet: PacketDissector,
  view: DataView,
  at: number,
  end: number,
  row: number,
): DecodeStatus {
  packet.ipVersion = 6
  if (end - at < IPV6_HEADER) return TRUNCATED
  const first = view.getUint32(at)
  if (first >>> 28 !== 6) return notIp(packet)
  packet.u8[packet.version + row] = 6
  packet.u8[packet.tos + row] = (first >>> 20) & 0xff
  packet.u32[packet.flowLabel + row] = first & 0xfffff
  const life = view.getUint32(at + 4)
  const protocol = (life >>> 8) & 0xff
  packet.u8[packet.ttl + row] = life & 0xff
  packet.u8[packet.protocol + row] = protocol
  const { u32 } = packet
  const src = packet.srcAddr + row * 4
  const dst = packet.dstAddr + row * 4
  u32[src] = view.getUint32(at + 8, true)
  u32[src + 1] = view.getUint32(at + 12, true)
  u32[src + 2] = view.getUint32(at + 16, true)
  u32[src + 3] = view.getUint32(at + 20, true)
  u32[dst] = view.getUint32(at + 24, true)
  u32[dst + 1] = view.getUint32(at + 28, true)
  u32[dst + 2] = view.getUint32(at + 32, true)
  u32[dst + 3] = view.getUint32(at + 36, true)
  const payloadLength = life >>> 16
  // 0 with a header behind it is a jumbogram (RFC 2675) or segmentation offload: the length is not known.
  if (payloadLength !== 0 || protocol === NO_NEXT_HEADER) {
    packet.ipLength = IPV6_HEADER + payloadLength
    if (at + packet.ipLength < end) end = at + packet.ipLength
  }
  return isExtension(protocol)
    ? dissectExtensions(packet, view, at + IPV6_HEADER, end, row, protocol)
    : dissectTransport(packet, view, at + IPV6_HEADER, end, row, protocol)
}

/** The ether type said IP, the header is none: nothing of it is believed. */
function notIp(packet: PacketDissector): DecodeStatus {
  packet.ipVersion = 0
  return BAD_HEADER
}

const HOP_BY_HOP = 0
const ROUTING = 43
const FRAGMENT = 44
const AUTHENTICATION = 51
const NO_NEXT_HEADER = 59
const DESTINATION_OPTIONS = 60
const MOBILITY = 135
const HOST_IDENTITY = 139
const SHIM6 = 140

function isExtension(protocol: number): boolean {
  return (
    protocol === HOP_BY_HOP ||
    protocol === ROUTING ||
    protocol === FRAGMENT ||
    protocol === AUTHENTICATION ||
    protocol === DESTINATION_OPTIONS ||
    protocol === MOBILITY ||
    protocol === HOST_IDENTITY ||
    protocol === SHIM6
  )
}

/**
 * Extension headers (RFC 8200 §4, RFC 4302, RFC 6564), each next header u8 | length u8 | …; `ip_protocol` becomes the first
 * header that is none, or the last extension that was there.
 */
function dissectExtensions(
  packet: PacketDissector,
  view: DataView,
  at: number,
  end: number,
  row: number,
  protocol: number,
): DecodeStatus {
  let later = false
  for (let count = 0; isExtension(protocol); count++) {
    if (count === MAX_EXTENSIONS) return TOO_DEEP
    if (end - at < 8) return TRUNCATED
    const next = view.getUint8(at)
    if (protocol === FRAGMENT) {
      later = view.getUint16(at + 2) >>> 3 !== 0
      if (later) packet.u8[packet.fragment + row] = 1
      at += 8
    } else {
      const units = view.getUint8(at + 1)
      at += protocol === AUTHENTICATION ? (units + 2) * 4 : (units + 1) * 8
    }
    protocol = next
    packet.u8[packet.protocol + row] = next
    // What follows in a later fragment is payload, whatever its next header says.
    if (later) return OK
    if (at > end) return TRUNCATED
  }
  return dissectTransport(packet, view, at, end, row, protocol)
}
