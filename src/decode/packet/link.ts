/**
 * Ethernet (IEEE 802.3), tags (802.1Q, 802.1ad) and MPLS (RFC 3032).
 *
 *   frame   dst u48 | src u48 | (TPID u16 | PCP 3, DEI 1, VID 12)* | type u16 | payload
 *   802.3   … | length u16 ≤ 1500 | DSAP, SSAP, control | SNAP: OUI u24 | type u16
 *   label   label 20 bits | TC 3 | S 1 (bottom of stack) | TTL 8
 */
import type { PacketDissector } from '../packet.ts'
import { STATUS, type DecodeStatus } from '../status.ts'
import { dissectIp, dissectIpv4, dissectIpv6 } from './ip.ts'

const OK = STATUS.ok
const TRUNCATED = STATUS.truncated
const TOO_DEEP = STATUS.too_deep

const ETHERNET_HEADER = 14
const MAX_TAGS = 8
const MAX_LABELS = 16

const IPV4 = 0x0800
const IPV6 = 0x86dd

export function dissectEthernet(
  packet: PacketDissector,
  view: DataView,
  start: number,
  end: number,
  row: number,
): DecodeStatus {
  if (end - start < ETHERNET_HEADER) return TRUNCATED
  packet.u32[packet.dstMac + row * 2] = view.getUint32(start + 2)
  packet.u32[packet.dstMac + row * 2 + 1] = view.getUint16(start)
  packet.u32[packet.srcMac + row * 2] = view.getUint32(start + 8)
  packet.u32[packet.srcMac + row * 2 + 1] = view.getUint16(start + 6)
  const type = view.getUint16(start + 12)
  if (type === IPV4) {
    packet.u16[packet.etherType + row] = IPV4
    packet.l2Length = ETHERNET_HEADER
    return dissectIpv4(packet, view, start + ETHERNET_HEADER, end, row)
  }
  return isTag(type)
    ? dissectTags(packet, view, start, end, row, type)
    : dissectType(packet, view, start, start + ETHERNET_HEADER, end, row, type)
}

function isTag(type: number): boolean {
  return type === 0x8100 || type === 0x88a8 || type === 0x9100 || type === 0x9200 || type === 0x9300
}

function dissectTags(
  packet: PacketDissector,
  view: DataView,
  start: number,
  end: number,
  row: number,
  tpid: number,
): DecodeStatus {
  let at = start + ETHERNET_HEADER
  let type = tpid
  let tags = 0
  while (isTag(type)) {
    packet.u16[packet.etherType + row] = type
    packet.l2Length = at - start
    if (tags === MAX_TAGS) return TOO_DEEP
    if (end - at < 4) return TRUNCATED
    const vlan = view.getUint16(at) & 0x0fff
    if (tags === 0) packet.u16[packet.vlan + row] = vlan
    else if (tags === 1) packet.u16[packet.innerVlan + row] = vlan
    packet.tags = ++tags
    type = view.getUint16(at + 2)
    at += 4
  }
  return dissectType(packet, view, start, at, end, row, type)
}

/** The payload at `at` of the frame at `start`, whose ether type (or 802.3 length) is `type`. */
function dissectType(
  packet: PacketDissector,
  view: DataView,
  start: number,
  at: number,
  end: number,
  row: number,
  type: number,
): DecodeStatus {
  packet.u16[packet.etherType + row] = type
  packet.l2Length = at - start
  if (type === IPV4) return dissectIpv4(packet, view, at, end, row)
  if (type === IPV6) return dissectIpv6(packet, view, at, end, row)
  if (type === 0x8847 || type === 0x8848) return dissectMpls(packet, view, start, at, end, row)
  if (type < 0x0600) return dissectLlc(packet, view, start, at, end, row)
  return OK
}

/** IEEE 802.2 LLC: `ether_type` is 0, unless SNAP with OUI 0 gives one. */
function dissectLlc(
  packet: PacketDissector,
  view: DataView,
  start: number,
  at: number,
  end: number,
  row: number,
): DecodeStatus {
  packet.u16[packet.etherType + row] = 0
  if (end - at < 8 || view.getUint32(at) !== 0xaaaa0300 || view.getUint16(at + 4) !== 0) return OK
  const type = view.getUint16(at + 6)
  packet.u16[packet.etherType + row] = type
  packet.l2Length = at + 8 - start
  if (type === IPV4) return dissectIpv4(packet, view, at + 8, end, row)
  if (type === IPV6) return dissectIpv6(packet, view, at + 8, end, row)
  return OK
}

/**
 * A label stack at `at` of the packet at `start`. What is below the bottom label is not said; it is IP when its first nibble is
 * that of IP (RFC 4928 §2), and then `ether_type` becomes IP's.
 */
export function dissectMpls(
  packet: PacketDissector,
  view: DataView,
  start: number,
  at: number,
  end: number,
  row: number,
): DecodeStatus {
  for (let depth = 0; depth < MAX_LABELS; depth++) {
    packet.l2Length = at - start
    if (end - at < 4) return TRUNCATED
    const entry = view.getUint32(at)
    if (depth === 0) packet.u32[packet.mplsLabel + row] = entry >>> 12
    at += 4
    if ((entry & 0x100) === 0) continue
    packet.l2Length = at - start
    if (end === at) return TRUNCATED
    const nibble = view.getUint8(at) >>> 4
    return nibble === 4 || nibble === 6 ? dissectIp(packet, view, at, end, row) : OK
  }
  return TOO_DEEP
}
