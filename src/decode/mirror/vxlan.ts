/**
 * VXLAN (RFC 7348) in a UDP payload, and what its extensions change.
 *
 *   flags u8: I 0x08 | – u24 | VNI u24 | – u8
 *   GPE (draft-ietf-nvo3-vxlan-gpe)     version 0x30, P 0x04, O 0x01; next protocol in the byte before the VNI
 *   group policy (draft-smith-vxlan)    G 0x80 and a group in the bytes before the VNI: nothing changes
 */
import { enumCodes } from '../../schema/enums.ts'
import type { Datagram } from '../decoder.ts'
import { STATUS, type DecodeStatus } from '../status.ts'
import { INNER, type Encapsulation, type Inner } from './encapsulation.ts'

const VXLAN = enumCodes('export_protocol').vxlan

const HEADER = 8
const VNI_VALID = 0x08
const GPE_VERSION = 0x30
const GPE_NEXT_PROTOCOL = 0x04
const GPE_OAM = 0x01

/** Next protocols of GPE that are decoded: IPv4, IPv6, Ethernet, MPLS. */
const GPE_INNER: readonly (Inner | undefined)[] = [undefined, INNER.ip, INNER.ip, INNER.ethernet, undefined, INNER.mpls]

/** Finds the mirrored frame in a VXLAN packet that starts after its UDP header. */
export function unwrapVxlan(to: Encapsulation, datagram: Datagram): DecodeStatus {
  const { view, start, end } = datagram
  if (end - start < HEADER) return STATUS.short_header
  const first = view.getUint32(start)
  const flags = first >>> 24
  if ((flags & VNI_VALID) === 0) return STATUS.bad_header
  let inner: Inner | undefined = INNER.ethernet
  if ((flags & GPE_NEXT_PROTOCOL) !== 0) {
    if ((flags & GPE_VERSION) !== 0) return STATUS.bad_version
    inner = (flags & GPE_OAM) !== 0 ? undefined : GPE_INNER[first & 0xff]
    if (inner === undefined) return STATUS.unsupported
  }
  to.exportProtocol = VXLAN
  to.point = view.getUint32(start + 4) >>> 8
  to.domain = to.vlan = 0
  to.inner = inner
  to.start = start + HEADER
  to.end = end
  to.frameLength = end - to.start
  return STATUS.ok
}
