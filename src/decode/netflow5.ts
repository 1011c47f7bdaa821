/**
 * NetFlow v5. Cisco "NetFlow Export Datagram Format", tables B-3 and B-4; what Open vSwitch puts into it is in
 * ofproto/netflow.c. Big-endian.
 *
 *   header  24 bytes   version u16 = 5 | count u16, 1–30 | sysUptime u32 ms | unix_secs u32 | unix_nsecs u32
 *                      | flow_sequence u32 | engine_type u8 | engine_id u8 | sampling_interval u16
 *   record  48 bytes   `count` times, see FIELDS
 */
import { setU64, type FlowBatch } from '../schema/batch.ts'
import type { ColumnName, Columns } from '../schema/columns.ts'
import { enumCodes } from '../schema/enums.ts'
import { copyIp4, copyU16, copyU16toU32, copyU32toU64, copyU8, copyU8toU16, fillIp, fillU64 } from '../wire/copies.ts'
import type { Datagram, DecodeSink, Decoder } from './decoder.ts'
import { STATUS, type DecodeStatus } from './status.ts'

const VERSION = 5
const HEADER = 24
const RECORD = 48
const MAX_RECORDS = 30

/** How a field is copied. A row of FIELDS may only name a copy whose target array is that of its column. */
const COPIES = {
  u8: copyU8,
  u8to16: copyU8toU16,
  u16: copyU16,
  u16to32: copyU16toU32,
  u32to64: copyU32toU64,
  ip4: copyIp4,
} as const

interface Field {
  /** Cisco's name. */
  name: string
  /** Offset in the record. */
  at: number
  copy: keyof typeof COPIES
  to: ColumnName
}

const FIELDS = [
  { name: 'srcaddr', at: 0, copy: 'ip4', to: 'src_addr' },
  { name: 'dstaddr', at: 4, copy: 'ip4', to: 'dst_addr' },
  { name: 'input', at: 12, copy: 'u16to32', to: 'in_if' },
  { name: 'output', at: 14, copy: 'u16to32', to: 'out_if' },
  { name: 'dPkts', at: 16, copy: 'u32to64', to: 'packets' },
  { name: 'srcport', at: 32, copy: 'u16', to: 'src_l4_port' },
  { name: 'dstport', at: 34, copy: 'u16', to: 'dst_l4_port' },
  { name: 'tcp_flags', at: 37, copy: 'u8to16', to: 'tcp_flags' },
  { name: 'prot', at: 38, copy: 'u8', to: 'ip_protocol' },
  { name: 'tos', at: 39, copy: 'u8', to: 'tos' },
] as const satisfies readonly Field[]

// Fields that need more than a copy, and those in which OVS always sends zero.
const OUTPUT = 14
const PACKETS = 16
const OCTETS = 20
const FIRST = 24
const LAST = 28
const DST_PORT = 34
const PROT = 38
const NEXTHOP = 8
const AS_NUMBERS = 40
const MASKS = 44

const ETHERNET = 14
const ICMP = 1
const ETHER_TYPE_IPV4 = 0x0800
const PROTOCOL = enumCodes('export_protocol').netflow5
const INGRESS = enumCodes('flow_direction').ingress
const KIND = enumCodes('output_kind')

/** Exporters whose clock stands before this (2^32 ms, 19 February 1970) have none: the time of arrival is used. */
const NO_CLOCK_BEFORE_MS = 0x1_0000_0000
/** A stamp may be this far ahead of sysUptime (an exporter that reads its clock twice) before it is taken as wrapped. */
const AHEAD_MS = 3_600_000

/** What an output interface number means in plain form, for `output_kind` (ovs ofproto/netflow.h). */
export function outputKind(port: number): number {
  if (port === 0) return KIND.unknown
  if (port < 65_533) return KIND.interface
  return port === 65_533 ? KIND.none : port === 65_534 ? KIND.local : KIND.flood
}

/**
 * The plain interface number inside one that `add_id_to_interface` made: `(engine_id & 0x7f) << 9 | (port & 0x1ff)`.
 *
 * Ports 509, 510 and 511 are the special outputs 65533, 65534 and 65535 again; ports from 512 alias (OVS loses their upper
 * bits). -1 when the upper seven bits are not those of `engineId`, so `raw` is a plain number.
 */
export function splitInterface(raw: number, engineId: number): number {
  if (raw >> 9 !== (engineId & 0x7f)) return -1
  const port = raw & 0x1ff
  return port >= 509 ? port + 65_024 : port
}

/**
 * Decodes NetFlow v5 of Open vSwitch: dOctets are layer-2 octets without FCS, input and output are OpenFlow ports, ICMP
 * type and code come in the destination port, flow_sequence is that of the last record (see `DecodeSink.sequence`).
 *
 * A datagram that carries what OVS never sends (a sampling interval, next hop, AS numbers or masks) is a router's: there
 * dOctets are layer-3 octets, and packets and octets are multiplied by the sampling interval, the packets as they came
 * standing in `samples`.
 *
 * The records that fit are kept when the datagram is cut (`truncated`) or goes on after them (`bad_count`).
 */
export class Netflow5Decoder implements Decoder {
  readonly protocol = 'netflow5'
  private readonly sink: DecodeSink

  constructor(sink: DecodeSink) {
    this.sink = sink
  }

  decode(datagram: Datagram, out: FlowBatch): DecodeStatus {
    const { view, start, end } = datagram
    const length = end - start
    if (length < HEADER) return STATUS.short_header
    if (view.getUint16(start) !== VERSION) return STATUS.bad_version
    const count = view.getUint16(start + 2)
    if (count === 0 || count > MAX_RECORDS) return STATUS.bad_count
    const n = Math.min(count, Math.floor((length - HEADER) / RECORD))
    const { columns, rows } = out

    const at = start + HEADER
    for (const field of FIELDS) {
      // A row of FIELDS names a copy made for its column's array; TypeScript cannot follow that through the table.
      const copy = COPIES[field.copy] as (
        view: DataView,
        at: number,
        stride: number,
        n: number,
        to: Columns[ColumnName],
        row: number,
      ) => void
      copy(view, at + field.at, RECORD, n, columns[field.to], rows)
    }
    fillHeader(datagram, n, columns, rows)
    copyTimes(datagram, FIRST, n, columns.flow_start, rows)
    copyTimes(datagram, LAST, n, columns.flow_end, rows)
    copyOutputKinds(view, at, n, columns.output_kind, rows)
    moveIcmp(view, at, n, columns, rows)
    const interval = view.getUint16(start + 22) & 0x3fff
    if (interval === 0 && isOvs(view, at, n)) {
      columns.sampling_rate.fill(1, rows, rows + n)
      copyOctets(view, at, n, columns, rows)
    } else {
      columns.sampling_rate.fill(Math.max(interval, 1), rows, rows + n)
      copyScaled(view, at, n, interval, columns, rows)
    }
    out.rows = rows + n
    this.sink.sequence(datagram, 'netflow5', view.getUint16(start + 20), view.getUint32(start + 16), count)
    if (n < count) return STATUS.truncated
    return length > HEADER + count * RECORD ? STATUS.bad_count : STATUS.ok
  }
}

/** What is the same in all records. */
function fillHeader(datagram: Datagram, n: number, columns: Columns, row: number): void {
  const { view, start, receivedMs, exporter } = datagram
  const last = row + n
  fillU64(receivedMs >>> 0, Math.floor(receivedMs / 0x1_0000_0000), n, columns.time_received, row)
  columns.export_protocol.fill(PROTOCOL, row, last)
  fillIp(exporter, n, columns.exporter, row)
  fillIp(exporter, n, columns.agent, row)
  columns.observation_domain.fill(view.getUint16(start + 20), row, last)
  columns.sequence.fill(view.getUint32(start + 16), row, last)
  columns.flow_direction.fill(INGRESS, row, last)
  columns.ether_type.fill(ETHER_TYPE_IPV4, row, last)
  columns.ip_version.fill(4, row, last)
}

/**
 * Wall time of the uptime stamps at `field`: header time − (sysUptime − stamp), the difference modulo 2^32 since sysUptime
 * wraps after 49.7 days. Counted from AHEAD_MS later, so that a stamp a little ahead of sysUptime does not wrap.
 */
function copyTimes(datagram: Datagram, field: number, n: number, to: Uint32Array, row: number): void {
  const { view, start } = datagram
  const headerMs = view.getUint32(start + 8) * 1000 + Math.floor(view.getUint32(start + 12) / 1e6)
  const baseMs = headerMs < NO_CLOCK_BEFORE_MS ? Math.max(datagram.receivedMs, NO_CLOCK_BEFORE_MS) : headerMs
  const low = (baseMs + AHEAD_MS) >>> 0
  const high = Math.floor((baseMs + AHEAD_MS) / 0x1_0000_0000)
  const uptime = (view.getUint32(start + 4) + AHEAD_MS) >>> 0
  for (let i = 0, at = start + HEADER + field, lane = row * 2; i < n; i++, at += RECORD, lane += 2) {
    const age = (uptime - view.getUint32(at)) >>> 0
    to[lane] = low - age
    to[lane + 1] = low < age ? high - 1 : high
  }
}

function copyOutputKinds(view: DataView, at: number, n: number, to: Uint8Array, row: number): void {
  for (let i = 0; i < n; i++) to[row + i] = outputKind(view.getUint16(at + OUTPUT + i * RECORD))
}

/** ICMP type and code from the destination port, where v5 puts them; the ports of such a record are zero. */
function moveIcmp(view: DataView, at: number, n: number, columns: Columns, row: number): void {
  for (let i = 0; i < n; i++, at += RECORD, row++) {
    if (view.getUint8(at + PROT) !== ICMP) continue
    columns.icmp_type[row] = view.getUint8(at + DST_PORT)
    columns.icmp_code[row] = view.getUint8(at + DST_PORT + 1)
    columns.src_l4_port[row] = 0
    columns.dst_l4_port[row] = 0
  }
}

/** Whether all fields that OVS leaves zero are. */
function isOvs(view: DataView, at: number, n: number): boolean {
  let seen = 0
  for (let i = 0; i < n; i++, at += RECORD)
    seen |= view.getUint32(at + NEXTHOP) | view.getUint32(at + AS_NUMBERS) | view.getUint32(at + MASKS)
  return seen === 0
}

/** dOctets of OVS: the frame without FCS; layer 3 is what follows the Ethernet header. */
function copyOctets(view: DataView, at: number, n: number, columns: Columns, row: number): void {
  const { l2_bytes, bytes } = columns
  for (let i = 0, lane = row * 2; i < n; i++, at += RECORD, lane += 2) {
    const octets = view.getUint32(at + OCTETS)
    l2_bytes[lane] = octets
    bytes[lane] = Math.max(0, octets - ETHERNET * view.getUint32(at + PACKETS))
  }
}

/** Layer-3 octets of a router, scaled by its sampling interval (0 = unsampled). Products stay below 2^46. */
function copyScaled(view: DataView, at: number, n: number, interval: number, columns: Columns, row: number): void {
  const rate = Math.max(interval, 1)
  for (let i = 0; i < n; i++, at += RECORD, row++) {
    const packets = view.getUint32(at + PACKETS)
    setU64(columns.packets, row, packets * rate)
    setU64(columns.bytes, row, view.getUint32(at + OCTETS) * rate)
    if (interval > 1) columns.samples[row] = packets
  }
}
