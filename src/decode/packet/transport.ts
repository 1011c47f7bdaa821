/**
 * Transport headers, of which only the first bytes matter:
 *
 *   TCP (RFC 9293), UDP, UDP-Lite, SCTP, DCCP   source port u16 | destination port u16
 *   TCP at 12                                   data offset 4 bits | 12 flags (RFC 9565: reserved 3, NS/AE, CWR … FIN)
 *   ICMP, ICMPv6                                type u8 | code u8
 */
import type { PacketDissector } from '../packet.ts'
import { STATUS, type DecodeStatus } from '../status.ts'

const OK = STATUS.ok
const TRUNCATED = STATUS.truncated

const ICMP = 1
const TCP = 6
const UDP = 17
const DCCP = 33
const ICMPV6 = 58
const SCTP = 132
const UDP_LITE = 136

export function dissectTransport(
  packet: PacketDissector,
  view: DataView,
  at: number,
  end: number,
  row: number,
  protocol: number,
): DecodeStatus {
  if (protocol === TCP) {
    if (end - at < 4) return TRUNCATED
    ports(packet, view, at, row)
    if (end - at < 14) return TRUNCATED
    packet.u16[packet.tcpFlags + row] = view.getUint16(at + 12) & 0x0fff
    packet.tcpAt = at
    return OK
  }
  if (protocol === UDP || protocol === SCTP || protocol === DCCP || protocol === UDP_LITE) {
    if (end - at < 4) return TRUNCATED
    ports(packet, view, at, row)
    return OK
  }
  if (protocol === ICMP || protocol === ICMPV6) {
    if (end - at < 2) return TRUNCATED
    packet.u8[packet.icmpType + row] = view.getUint8(at)
    packet.u8[packet.icmpCode + row] = view.getUint8(at + 1)
  }
  return OK
}

function ports(packet: PacketDissector, view: DataView, at: number, row: number): void {
  const both = view.getUint32(at)
  packet.u16[packet.srcPort + row] = both >>> 16
  packet.u16[packet.dstPort + row] = both & 0xffff
}
