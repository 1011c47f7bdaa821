/**
 * The usual flow sample, nearly all there are: compact form, sampled Ethernet header without tags of which only the FCS was taken off,
 * IPv4 without options or IPv6 without extensions, TCP, UDP or ICMP, and at most a switch record beside it.
 *
 * One function that reads and writes everything, since calls and columns looked up again cost more than the work. Measured: 55 ns a
 * sample against 140 ns the general way, which is kept for all else and is what tests compare this with.
 */
import { CORRECTIONS } from '../../schema/enums.ts'
import type { FlowColumns } from './flow-columns.ts'
import { directionOf, writeOutput } from './interfaces.ts'

const ETHERNET = 1
const ETHERNET_HEADER = 14
const FCS = 4
const IPV4 = 0x0800
const IPV6 = 0x86dd
const ICMP = 1
const TCP = 6
const UDP = 17
const ICMPV6 = 58
const IPV4_HEADER = 20
const IPV6_HEADER = 40
const IPV4_MAPPED = 0xffff_0000
const NO_FCS = CORRECTIONS.no_fcs.bit

/** Octets of a transport header that are read, by protocol; 0 for what is not usual. */
const TRANSPORT_BYTES = new Uint8Array(256)
TRANSPORT_BYTES[TCP] = 14
TRANSPORT_BYTES[UDP] = 4
TRANSPORT_BYTES[ICMP] = 2
TRANSPORT_BYTES[ICMPV6] = 2

/**
 * Writes row `row` from the compact sample at `at` and says whether it did: false when the sample is not usual, with nothing written.
 *
 * `header` is the content of its sampled_header record, which ends at `recordEnd`; `vlan` that of its extended_switch record, 0 without.
 */
export function writeUsual(
  columns: FlowColumns,
  view: DataView,
  at: number,
  header: number,
  recordEnd: number,
  vlan: number,
  row: number,
): boolean {
  const frame = header + 16
  const there = Math.min(view.getUint32(header + 12), recordEnd - frame) - ETHERNET_HEADER
  const layer2 = view.getUint32(header + 4) - FCS
  if (view.getUint32(header) !== ETHERNET || view.getUint32(header + 8) !== FCS || there < IPV4_HEADER) return false
  const etherType = view.getUint16(frame + 12)
  const ip = frame + ETHERNET_HEADER
  const first = view.getUint32(ip)
  let length: number
  let life: number
  let protocol: number
  let transport: number
  if (etherType === IPV4) {
    length = first & 0xffff
    life = view.getUint32(ip + 8)
    protocol = (life >>> 16) & 0xff
    transport = IPV4_HEADER
    if (first >>> 24 !== 0x45 || (view.getUint16(ip + 6) & 0x1fff) !== 0) return false
  } else if (etherType === IPV6 && there >= IPV6_HEADER) {
    length = view.getUint16(ip + 4) + IPV6_HEADER
    protocol = view.getUint8(ip + 6)
    life = view.getUint8(ip + 7) << 24
    transport = IPV6_HEADER
    if (first >>> 28 !== 6) return false
  } else return false
  const needed = TRANSPORT_BYTES[protocol]!
  const layer3 = length
  // Less than its headers, or more than the frame: the general way knows what to do.
  if (needed === 0 || transport + needed > there || transport + needed > length || length > layer2 - ETHERNET_HEADER)
    return false

  const { u8, u16, u32, f64 } = columns
  const source = view.getUint32(at + 4)
  const rate = view.getUint32(at + 8)
  const input = view.getUint32(at + 20)
  const output = view.getUint32(at + 24)
  u32[columns.point + row] = source
  u32[columns.inIf + row] = input >>> 30 === 0 ? input : 0
  writeOutput(columns, row, output >>> 30, output & 0x3fff_ffff)
  u8[columns.direction + row] = directionOf(source >>> 24, source & 0xff_ffff, input, output)

  const dstMac = columns.dstMac + row * 2
  const srcMac = columns.srcMac + row * 2
  u32[dstMac] = view.getUint32(frame + 2)
  u32[dstMac + 1] = view.getUint16(frame)
  u32[srcMac] = view.getUint32(frame + 8)
  u32[srcMac + 1] = view.getUint16(frame + 6)
  u16[columns.etherType + row] = etherType
  const srcAddr = columns.srcAddr + row * 4
  const dstAddr = columns.dstAddr + row * 4
  if (etherType === IPV4) {
    u8[columns.version + row] = 4
    u8[columns.tos + row] = first >>> 16
    u32[srcAddr + 2] = IPV4_MAPPED
    u32[srcAddr + 3] = view.getUint32(ip + 12, true)
    u32[dstAddr + 2] = IPV4_MAPPED
    u32[dstAddr + 3] = view.getUint32(ip + 16, true)
  } else {
    u8[columns.version + row] = 6
    u8[columns.tos + row] = first >>> 20
    u32[columns.flowLabel + row] = first & 0xf_ffff
    for (let lane = 0; lane < 4; lane++) {
      u32[srcAddr + lane] = view.getUint32(ip + 8 + lane * 4, true)
      u32[dstAddr + lane] = view.getUint32(ip + 24 + lane * 4, true)
    }
  }
  u8[columns.ttl + row] = life >>> 24
  u8[columns.ipProtocol + row] = protocol
  if (protocol === TCP || protocol === UDP) {
    const ports = view.getUint32(ip + transport)
    u16[columns.srcPort + row] = ports >>> 16
    u16[columns.dstPort + row] = ports
    if (protocol === TCP) u16[columns.tcpFlags + row] = view.getUint16(ip + transport + 12) & 0x0fff
  } else {
    u8[columns.icmpType + row] = view.getUint8(ip + transport)
    u8[columns.icmpCode + row] = view.getUint8(ip + transport + 1)
  }
  if (vlan !== 0) {
    const id = view.getUint32(vlan)
    if (id < 4096) u16[columns.vlan + row] = id
  }

  const factor = rate > 1 ? rate : 1
  const bytes = layer3 * factor
  const l2Bytes = layer2 * factor
  u32[columns.samplingRate + row] = rate
  u32[columns.packets + row * 2] = factor
  u32[columns.bytes + row * 2] = bytes
  u32[columns.l2Bytes + row * 2] = l2Bytes
  if (l2Bytes > 0xffff_ffff) {
    u32[columns.bytes + row * 2 + 1] = bytes / 0x1_0000_0000
    u32[columns.l2Bytes + row * 2 + 1] = l2Bytes / 0x1_0000_0000
  }
  u8[columns.corrections + row] = NO_FCS
  if (factor > 1) {
    const spread = factor * (factor - 1)
    u32[columns.samples + row] = 1
    f64[columns.bytesVariance + row] = spread * layer3 * layer3
    f64[columns.l2BytesVariance + row] = spread * layer2 * layer2
  }
  return true
}
