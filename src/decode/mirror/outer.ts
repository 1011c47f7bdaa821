/**
 * The outer IP header of a GRE packet, as a raw socket delivers it: IPv4 with options, or IPv6 with extension headers (which raw
 * sockets leave out, but captures have).
 */
import { STATUS, type DecodeStatus } from '../status.ts'
import type { Encapsulation } from './encapsulation.ts'

const GRE = 47
const MAX_EXTENSIONS = 8

/**
 * Sets `start` and `end` to the payload of the IP packet `view[start .. end)` and `frameLength` to the length that its header
 * gives to the payload.
 *
 * Statuses: `short_header`, `bad_version`, `bad_length`, and `unsupported` for later fragments and other protocols. A first
 * fragment is `ok`: it holds the headers of the mirrored frame, whose own length field tells the rest. (The kernel puts
 * fragments together before a raw socket sees them; so does replay.)
 */
export function unwrapOuter(to: Encapsulation, view: DataView, start: number, end: number): DecodeStatus {
  if (end - start < 20) return STATUS.short_header
  const version = view.getUint8(start) >>> 4
  if (version === 4) return unwrapIpv4(to, view, start, end)
  return version === 6 ? unwrapIpv6(to, view, start, end) : STATUS.bad_version
}

function unwrapIpv4(to: Encapsulation, view: DataView, start: number, end: number): DecodeStatus {
  const headerLength = (view.getUint8(start) & 15) * 4
  // 0 is what segmentation offload leaves where the length does not fit 16 bits.
  const totalLength = view.getUint16(start + 2) || end - start
  if (headerLength < 20 || totalLength < headerLength || end - start < headerLength) return STATUS.bad_length
  if (view.getUint8(start + 9) !== GRE || (view.getUint16(start + 6) & 0x1fff) !== 0) return STATUS.unsupported
  to.start = start + headerLength
  to.end = Math.min(end, start + totalLength)
  to.frameLength = totalLength - headerLength
  return STATUS.ok
}

function unwrapIpv6(to: Encapsulation, view: DataView, start: number, end: number): DecodeStatus {
  if (end - start < 40) return STATUS.short_header
  const payloadLength = view.getUint16(start + 4) || end - start - 40
  let at = start + 40
  to.end = Math.min(end, at + payloadLength)
  let protocol = view.getUint8(start + 6)
  for (let count = 0; protocol !== GRE; count++) {
    const isFragment = protocol === 44
    if (!isFragment && protocol !== 0 && protocol !== 43 && protocol !== 60) return STATUS.unsupported
    if (count === MAX_EXTENSIONS) return STATUS.too_deep
    if (to.end - at < 8) return STATUS.bad_length
    if (isFragment && view.getUint16(at + 2) >>> 3 !== 0) return STATUS.unsupported
    protocol = view.getUint8(at)
    at += isFragment ? 8 : (view.getUint8(at + 1) + 1) * 8
  }
  if (at > to.end) return STATUS.bad_length
  to.start = at
  to.frameLength = start + 40 + payloadLength - at
  return STATUS.ok
}
