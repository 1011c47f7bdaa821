/**
 * NetFlow v5. Cisco "NetFlow Export Datagram Format", tables B-3 and B-4; what Open vSwitch puts into it is in
 * ofproto/netflow.c. Big-endian.
 *
 *   header  24 bytes   version u16 = 5 | count u16, 1–30 | sysUptime u32 ms | unix_secs u32 | unix_nsecs u32
 *                      | flow_sequence u32 | engine_type u8 | engine_id u8 | sampling_interval u16
 *   record  48 bytes   `count` times, see FIELDS
 */
import { setU64, type BatchLayout, type FlowBatch } from '../schema/batch.ts'
import type { ColumnName } from '../schema/columns.ts'
import { enumCodes } from '../schema/enums.ts'
import { COPIES, type Copy, type CopyName } from './copies.ts'
import type { Datagram, DecodeSink, Decoder } from './decoder.ts'
import { emitFinish, walkFinish, type Fields } from './finish.ts'
import { HEAD, HEAD_WORDS, setSource, setTime, setUptime } from './head.ts'
import { Programs, type ProgramLimits } from './programs.ts'
import { cell, low32, num, position, type Place, type RecordSource } from './source.ts'
import { STATUS, type DecodeStatus } from './status.ts'

const VERSION = 5
const HEADER = 24
const RECORD = 48
const MAX_RECORDS = 30

interface Field {
  /** Cisco's name. */
  readonly name: string
  /** Offset in the record. */
  readonly at: number
  readonly length: number
  readonly copy: CopyName
  readonly to: ColumnName
}

const FIELDS: readonly Field[] = [
  { name: 'srcaddr', at: 0, length: 4, copy: 'ip4', to: 'src_addr' },
  { name: 'dstaddr', at: 4, length: 4, copy: 'ip4', to: 'dst_addr' },
  { name: 'input', at: 12, length: 2, copy: 'int', to: 'in_if' },
  { name: 'output', at: 14, length: 2, copy: 'int', to: 'out_if' },
  { name: 'dPkts', at: 16, length: 4, copy: 'int', to: 'packets' },
  { name: 'dOctets', at: 20, length: 4, copy: 'int', to: 'l2_bytes' },
  { name: 'first', at: 24, length: 4, copy: 'uptime', to: 'flow_start' },
  { name: 'last', at: 28, length: 4, copy: 'uptime', to: 'flow_end' },
  { name: 'srcport', at: 32, length: 2, copy: 'int', to: 'src_l4_port' },
  { name: 'dstport', at: 34, length: 2, copy: 'int', to: 'dst_l4_port' },
  { name: 'tcp_flags', at: 37, length: 1, copy: 'int', to: 'tcp_flags' },
  { name: 'prot', at: 38, length: 1, copy: 'int', to: 'ip_protocol' },
  { name: 'tos', at: 39, length: 1, copy: 'int', to: 'tos' },
]

const OUTPUT = 14
const PACKETS = 16
const OCTETS = 20
/** Words of the record in which OVS always sends zero: nexthop; src_as and dst_as; masks and padding. */
const ZERO_IN_OVS = [8, 40, 44]

/** What follows this of each frame is layer 3. */
const ETHERNET = 14
const KIND = enumCodes('output_kind')
const INGRESS = enumCodes('flow_direction').ingress

/** What an output interface number means in plain form, as a code of `output_kind` (ovs ofproto/netflow.h). */
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
  private readonly head = new Uint32Array(HEAD_WORDS)
  private readonly programs: Programs

  constructor(sink: DecodeSink, limits: Partial<ProgramLimits> = {}) {
    this.sink = sink
    this.programs = new Programs(this.head, limits)
  }

  decode(datagram: Datagram, out: FlowBatch): DecodeStatus {
    const { view, start, end } = datagram
    const length = end - start
    if (length < HEADER) return STATUS.short_header
    if (view.getUint16(start) !== VERSION) return STATUS.bad_version
    const count = view.getUint16(start + 2)
    if (count === 0 || count > MAX_RECORDS) return STATUS.bad_count

    const { head, programs } = this
    const headerMs = view.getUint32(start + 8) * 1000 + Math.floor(view.getUint32(start + 12) / 1e6)
    const sequence = view.getInt32(start + 16)
    const engine = view.getUint16(start + 20)
    const interval = view.getUint16(start + 22) & 0x3fff
    setSource(head, datagram)
    setTime(head, headerMs, datagram.receivedMs)
    head[HEAD.domain] = engine
    head[HEAD.sequence] = sequence
    setUptime(head, view.getUint32(start + 4))

    const { rows } = out
    programs.select(out.memory, view)
    const program = programs.find(0) ?? programs.want(0, count, sourceOf)
    const n = program?.(out.base + rows, start + HEADER, end, count, start) ?? walk(datagram, head, count, out)
    if (interval !== 0 || head[HEAD.seen] !== 0) toRouter(out, rows, n, interval)
    out.rows = rows + n
    this.sink.sequence(datagram, 'netflow5', engine, sequence >>> 0, count)
    if (n < count) return STATUS.truncated
    return length > HEADER + count * RECORD ? STATUS.bad_count : STATUS.ok
  }
}

/** What `emitFinish` is told. output_kind is not only whether there is an output: that is set here. */
const FINISH: Fields = {
  filled: new Set(FIELDS.map(({ to }) => to).filter((to) => to !== 'out_if')),
  families: 'ipv4',
  protocol: enumCodes('export_protocol').netflow5,
  icmpInPort: true,
}

function sourceOf(layout: BatchLayout): RecordSource {
  const field = (offset: number): Place => ({ base: 'p', offset })
  const [packets, octets] = [`(${low32(field(PACKETS), 4)}>>>0)`, `(${low32(field(OCTETS), 4)}>>>0)`]
  const { none, local, flood, unknown } = KIND
  return {
    statements: [
      ...FIELDS.map((row) => COPIES[row.copy].emit(layout, row.to, field(row.at), row.length)),
      ...emitFinish(layout, FINISH),
      `t=v.getUint16(${position(field(OUTPUT))});${cell(layout, 'output_kind')}=` +
        `t===65533?${num(none)}:t===65534?${num(local)}:t===65535?${num(flood)}:t===0?${num(unknown)}:${num(KIND.interface)}`,
      `${cell(layout, 'bytes')}=Math.max(0,${octets}-${num(ETHERNET)}*${packets})`,
      `${cell(layout, 'flow_direction')}=${num(INGRESS)}`,
      `${cell(layout, 'sampling_rate')}=1`,
      `seen|=${ZERO_IN_OVS.map((offset) => low32(field(offset), 4)).join('|')}`,
      `p=p+${num(RECORD)}|0`,
    ],
    minLength: RECORD,
  }
}

/** What the program does, done field by field: for arenas that come once, and the reference in tests. */
function walk(datagram: Datagram, head: Uint32Array, count: number, out: FlowBatch): number {
  const { view, bytes, start, end } = datagram
  const { columns } = out
  let n = 0
  head[HEAD.seen] = 0
  for (let at = start + HEADER; n < count && end - at >= RECORD; at += RECORD, n++) {
    const row = out.rows + n
    for (const field of FIELDS) {
      const copy: Copy = COPIES[field.copy]
      copy.walk({ view, bytes, head }, at + field.at, field.length, out, field.to, row)
    }
    walkFinish(head, FINISH, out, row)
    columns.output_kind[row] = outputKind(view.getUint16(at + OUTPUT))
    columns.bytes[row * 2] = Math.max(0, view.getUint32(at + OCTETS) - ETHERNET * view.getUint32(at + PACKETS))
    columns.flow_direction[row] = INGRESS
    columns.sampling_rate[row] = 1
    for (const offset of ZERO_IN_OVS) head[HEAD.seen]! |= view.getUint32(at + offset)
  }
  return n
}

/** Turns `n` rows from OVS's meaning to a router's: layer-3 octets, scaled by the sampling interval (0 = unsampled). */
function toRouter(out: FlowBatch, row: number, n: number, interval: number): void {
  const { packets, bytes, l2_bytes, samples, sampling_rate } = out.columns
  const rate = Math.max(interval, 1)
  for (const end = row + n; row < end; row++) {
    const sampled = packets[row * 2]!
    setU64(bytes, row, l2_bytes[row * 2]! * rate)
    setU64(l2_bytes, row, 0)
    setU64(packets, row, sampled * rate)
    sampling_rate[row] = rate
    if (rate > 1) samples[row] = sampled
  }
}
