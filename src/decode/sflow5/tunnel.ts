/**
 * Outer headers of a tunnel, as records 1023–1026 give them:
 *
 *   length u32 | protocol u32 | source 4 or 16 | destination 4 or 16 | source port u32 | destination port u32 | tcp_flags u32 | tos u32
 *
 * On little-endian hosts OVS swaps the bytes of both ports once too often: 4789 arrives as 46354 (ovs
 * ofproto/ofproto-dpif-sflow.c: dpif_sflow_tunnel_v4 hands on network order). They are put right when that makes a known tunnel port.
 */
import { enumCodes } from '../../schema/enums.ts'
import type { FlowColumns } from './flow-columns.ts'
import { BIT, SLOT, type FlowRecords } from './flow-records.ts'

const TYPE = enumCodes('tunnel_type')
const UDP = 17
const TCP = 6
const GRE = 47
const IPV4_MAPPED = 0xffff_0000

/** Destination ports of tunnels: VXLAN (and the port Linux had first), Geneve, LISP; STT looks like TCP. */
const TYPE_OF_PORT: ReadonlyMap<number, number> = new Map([
  [4789, TYPE.vxlan],
  [8472, TYPE.vxlan],
  [6081, TYPE.geneve],
  [4341, TYPE.lisp],
  [7471, TYPE.stt],
])

/** Bits of all records of this file. */
export const TUNNEL_BITS = BIT.tunnel4In | BIT.tunnel4Out | BIT.tunnel6In | BIT.tunnel6Out | BIT.vniIn | BIT.vniOut

/** Writes the tunnel the packet came by; where it came by none, the one it leaves by. A key alone is a tunnel of unknown type. */
export function writeTunnel(columns: FlowColumns, view: DataView, records: FlowRecords, row: number): void {
  const { seen, at } = records
  const came = (seen & (BIT.tunnel4In | BIT.tunnel6In | BIT.vniIn)) !== 0
  const four = came ? SLOT.tunnel4In : SLOT.tunnel4Out
  const six = came ? SLOT.tunnel6In : SLOT.tunnel6Out
  const key = came ? SLOT.vniIn : SLOT.vniOut
  columns.u8[columns.tunnelType + row] = TYPE.unknown
  if ((seen & (1 << key)) !== 0) columns.u32[columns.tunnelKey + row] = view.getUint32(at[key]!)
  if ((seen & (1 << four)) !== 0) {
    writeIpv4(columns.u32, columns.tunnelSrc + row * 4, view, at[four]! + 8)
    writeIpv4(columns.u32, columns.tunnelDst + row * 4, view, at[four]! + 12)
    writePorts(columns, view, at[four]! + 4, at[four]! + 16, row)
  } else if ((seen & (1 << six)) !== 0) {
    writeIpv6(columns.u32, columns.tunnelSrc + row * 4, view, at[six]! + 8)
    writeIpv6(columns.u32, columns.tunnelDst + row * 4, view, at[six]! + 24)
    writePorts(columns, view, at[six]! + 4, at[six]! + 40, row)
  }
}

/** Four bytes at `from` into the `ip` cell at `u32[to]`. */
export function writeIpv4(u32: Uint32Array, to: number, view: DataView, from: number): void {
  u32[to + 2] = IPV4_MAPPED
  u32[to + 3] = view.getUint32(from, true)
}

/** Sixteen bytes at `from` into the `ip` cell at `u32[to]`. */
export function writeIpv6(u32: Uint32Array, to: number, view: DataView, from: number): void {
  for (let lane = 0; lane < 4; lane++) u32[to + lane] = view.getUint32(from + lane * 4, true)
}

function writePorts(columns: FlowColumns, view: DataView, protocolAt: number, portsAt: number, row: number): void {
  const protocol = view.getUint32(protocolAt)
  let source = view.getUint32(portsAt) & 0xffff
  let destination = view.getUint32(portsAt + 4) & 0xffff
  if (protocol === UDP && !TYPE_OF_PORT.has(destination) && TYPE_OF_PORT.has(swap(destination))) {
    source = swap(source)
    destination = swap(destination)
  }
  columns.u16[columns.tunnelSrcPort + row] = source
  columns.u16[columns.tunnelDstPort + row] = destination
  if (protocol === GRE) columns.u8[columns.tunnelType + row] = TYPE.gre
  else if (protocol === UDP || protocol === TCP)
    columns.u8[columns.tunnelType + row] = TYPE_OF_PORT.get(destination) ?? TYPE.unknown
}

function swap(port: number): number {
  return ((port & 0xff) << 8) | (port >>> 8)
}
