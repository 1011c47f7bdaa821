/**
 * GRE (RFC 2784, 2890) and ERSPAN (draft-foschiano-erspan-03) inside an IP packet.
 *
 *   GRE         C – K S s, recursion 3 bits | – 5 bits | version 3 bits = 0 | protocol u16
 *               checksum u16, – u16 with C | key u32 with K | sequence u32 with S
 *   ERSPAN I    nothing: protocol 0x88be without S
 *   ERSPAN II   version 4 bits = 1, VLAN 12, COS 3, EN 2, T 1, session 10 | – 12, index 20
 *   ERSPAN III  version 4 bits = 2, VLAN 12, COS 3, BSO 2, T 1, session 10 | timestamp u32 |
 *               SGT 16, P 1, FT 5, HW id 6, D 1, Gra 2, O 1 | platform sub-header of 8 bytes with O
 *
 * The checksum is not compared: where the network card computes it, a capture on the sending host shows it unfinished.
 */
import { enumCodes } from '../../schema/enums.ts'
import type { Datagram } from '../decoder.ts'
import { STATUS, type DecodeStatus } from '../status.ts'
import { INNER, type Encapsulation } from './encapsulation.ts'
import { unwrapOuter } from './outer.ts'

const EXPORT_PROTOCOL = enumCodes('export_protocol')

const CHECKSUM = 0x8000
const KEY = 0x2000
const SEQUENCE = 0x1000
/** Source routes and recursion control of RFC 1701, which RFC 2784 §2.3 says to discard. */
const REFUSED = 0x4f00
const VERSION = 0x0007

/** ERSPAN III frame types. */
const FT_ETHERNET = 0
const FT_IP = 2

/** Finds the mirrored frame in a GRE packet that starts at its outer IP header. */
export function unwrapGre(to: Encapsulation, datagram: Datagram): DecodeStatus {
  const { view } = datagram
  const outer = unwrapOuter(to, view, datagram.start, datagram.end)
  if (outer !== STATUS.ok) return outer
  const at = to.start
  if (to.end - at < 4) return STATUS.short_header
  const flags = view.getUint16(at)
  if ((flags & VERSION) !== 0) return STATUS.bad_version
  if ((flags & REFUSED) !== 0) return STATUS.unsupported
  const keyAt = at + ((flags & CHECKSUM) !== 0 ? 8 : 4)
  const header = keyAt - at + ((flags & KEY) !== 0 ? 4 : 0) + ((flags & SEQUENCE) !== 0 ? 4 : 0)
  if (to.end - at < header) return STATUS.short_header
  to.exportProtocol = EXPORT_PROTOCOL.gre
  to.point = (flags & KEY) !== 0 ? view.getUint32(keyAt) : 0
  to.domain = to.vlan = 0
  to.start += header
  to.frameLength -= header
  return unwrapProtocol(to, view, view.getUint16(at + 2), (flags & SEQUENCE) !== 0)
}

function unwrapProtocol(to: Encapsulation, view: DataView, protocol: number, sequence: boolean): DecodeStatus {
  switch (protocol) {
    case 0x6558:
      to.inner = INNER.ethernet
      return STATUS.ok
    case 0x0800:
    case 0x86dd:
      to.inner = INNER.ip
      return STATUS.ok
    case 0x8847:
    case 0x8848:
      to.inner = INNER.mpls
      return STATUS.ok
    case 0x88be:
      to.exportProtocol = EXPORT_PROTOCOL.erspan
      to.inner = INNER.ethernet
      return sequence ? unwrapErspan2(to, view) : STATUS.ok
    case 0x22eb:
      to.exportProtocol = EXPORT_PROTOCOL.erspan
      return unwrapErspan3(to, view)
    default:
      return STATUS.unsupported
  }
}

function unwrapErspan2(to: Encapsulation, view: DataView): DecodeStatus {
  if (to.end - to.start < 8) return STATUS.short_header
  const first = view.getUint32(to.start)
  if (first >>> 28 !== 1) return STATUS.bad_version
  describe(to, first)
  to.domain = view.getUint32(to.start + 4) & 0xfffff
  pass(to, 8)
  return STATUS.ok
}

function unwrapErspan3(to: Encapsulation, view: DataView): DecodeStatus {
  if (to.end - to.start < 12) return STATUS.short_header
  const first = view.getUint32(to.start)
  if (first >>> 28 !== 2) return STATUS.bad_version
  const flags = view.getUint16(to.start + 10)
  const header = (flags & 1) !== 0 ? 20 : 12
  if (to.end - to.start < header) return STATUS.short_header
  const frameType = (flags >>> 10) & 0x1f
  if (frameType !== FT_ETHERNET && frameType !== FT_IP) return STATUS.unsupported
  describe(to, first)
  to.inner = frameType === FT_IP ? INNER.ip : INNER.ethernet
  pass(to, header)
  return STATUS.ok
}

function describe(to: Encapsulation, first: number): void {
  to.vlan = (first >>> 16) & 0x0fff
  to.point = first & 0x3ff
}

function pass(to: Encapsulation, length: number): void {
  to.start += length
  to.frameLength -= length
}
