/**
 * The ways a field gets into its column, each in two forms: `emit` gives the statements of a generated decoder, `walk` does the
 * same at once. Tests hold the two against each other. For both the caller has checked that the field lies inside its set.
 */
import type { BatchLayout, FlowBatch } from '../schema/batch.ts'
import { COLUMN_NAMES, columnFacts, type ColumnName } from '../schema/columns.ts'
import { enumCodes } from '../schema/enums.ts'
import { KINDS } from '../schema/kinds.ts'
import { HEAD } from './head.ts'
import { cell, emitName, headWord, high32, low32, num, position, type Place } from './source.ts'

/** Where `walk` reads. */
export interface Input {
  readonly view: DataView
  readonly bytes: Uint8Array
  readonly head: Uint32Array
}

export interface Copy {
  /** Lengths it can read, in bytes; a field of any other length is skipped. */
  readonly min: number
  readonly max: number
  emit(layout: BatchLayout, to: ColumnName, from: Place, length: number): string
  walk(input: Input, from: number, length: number, out: FlowBatch, to: ColumnName, row: number): void
  /** `emit` for a field of variable length (RFC 7011 §7); without it such a field is skipped. The length is in `length`. */
  emitVariable?(layout: BatchLayout, to: ColumnName, from: Place): string
}

/** Lane 2 of an IPv4 address in an `ip` column: the bytes 00 00 ff ff, as ::ffff:a.b.c.d has them. */
export const IPV4_MAPPED = 0xffff_0000
/** Names longer than this are cut: they are those of interfaces and labels. */
const MAX_TEXT = 255
/** Seconds from 1900 to 1970. */
const NTP_TO_UNIX = 2_208_988_800
/** Upper word of the last ms that is a time. */
const LAST_HIGH_WORD = 2047

const DIRECTION = enumCodes('flow_direction')
const REASON = enumCodes('flow_end_reason')
const TUNNEL = enumCodes('tunnel_type')

/** Unsigned big-endian integer, reduced-size encoding included (RFC 7011 §6.2). Low bits, where the column is narrower. */
const int: Copy = {
  min: 1,
  max: 8,
  emit(layout, to, from, length) {
    const low = `${cell(layout, to)}=${low32(from, length)}`
    // Rows are zero before they are written, and counts of more than 32 bits are rare.
    return isWide(to) && length > 4 ? `${low};t=${high32(from, length)};if(t!==0)${cell(layout, to, 1)}=t` : low
  },
  walk({ view }, from, length, out, to, row) {
    const low = uint(view, from + Math.max(0, length - 4), Math.min(4, length))
    if (!isWide(to)) out.columns[to][row] = low
    else setLanes(out, to, row, low, length > 4 ? uint(view, from, length - 4) : 0)
  },
}

/** The same into a floating-point column. */
const float: Copy = {
  min: 1,
  max: 8,
  emit(layout, to, from, length) {
    const high = length > 4 ? `+(${high32(from, length)}>>>0)*4294967296` : ''
    return `${cell(layout, to)}=(${low32(from, length)}>>>0)${high}`
  },
  walk({ view }, from, length, out, to, row) {
    const high = length > 4 ? uint(view, from, length - 4) : 0
    out.columns[to][row] = high * 0x1_0000_0000 + uint(view, from + Math.max(0, length - 4), Math.min(4, length))
  },
}

/** Unsigned integer of any length up to 8, also variable: tunnelKey (VMware 892) is 3 bytes for a VNI, 4 for a GRE key. */
const key: Copy = {
  ...int,
  emitVariable: (layout, to) =>
    `${cell(layout, to)}=length>8?0:length>3?v.getInt32(q+length-4):length===3?v.getUint16(q)<<8|v.getUint8(q+2)` +
    `:length===2?v.getUint16(q):length===1?v.getUint8(q):0`,
  walk(input, from, length, out, to, row) {
    if (length >= 1 && length <= 8) int.walk(input, from, length, out, to, row)
    else out.columns[to][row] = 0
  },
}

const mac: Copy = { ...int, min: 6, max: 6 }

const ip4: Copy = {
  min: 4,
  max: 4,
  emit: (layout, to, from) =>
    `${cell(layout, to, 2)}=~${num(0xffff)};${cell(layout, to, 3)}=v.getInt32(${position(from)},true)`,
  walk({ view }, from, _length, out, to, row) {
    const address = out.columns[to].subarray(row * 4, row * 4 + 4)
    address.set([0, 0, IPV4_MAPPED, view.getUint32(from, true)])
  },
}

const ip6: Copy = {
  min: 16,
  max: 16,
  emit: (layout, to, from) =>
    [0, 1, 2, 3].map((i) => `${cell(layout, to, i)}=v.getInt32(${position(from, i * 4)},true)`).join(';'),
  walk({ view }, from, _length, out, to, row) {
    for (let i = 0; i < 4; i++) out.columns[to][row * 4 + i] = view.getUint32(from + i * 4, true)
  },
}

const text: Copy = {
  min: 1,
  max: 0xffff,
  emit: (layout, to, from, length) =>
    `${cell(layout, to)}=strings.internName(v,bytes,${position(from)},${num(Math.min(length, MAX_TEXT))})`,
  emitVariable: (layout, to) => emitName(cell(layout, to), MAX_TEXT),
  walk({ bytes }, from, length, out, to, row) {
    out.columns[to][row] = out.strings.internBytes(bytes, from, Math.min(length, MAX_TEXT))
  },
}

/** flowDirection (61): 0 ingress, 1 egress. */
const direction: Copy = {
  min: 1,
  max: 1,
  emit: (layout, to, from) =>
    `t=${low32(from, 1)};${cell(layout, to)}=t<2?t+${num(DIRECTION.ingress)}:${num(DIRECTION.unknown)}`,
  walk({ view }, from, _length, out, to, row) {
    out.columns[to][row] = [DIRECTION.ingress, DIRECTION.egress][view.getUint8(from)] ?? DIRECTION.unknown
  },
}

/** An 8-bit code that the column has under another number: `codes[value]`, `other` beyond them. */
function recode(codes: readonly number[], other: number): Copy {
  return {
    min: 1,
    max: 1,
    emit(layout, to, from) {
      const cases = codes.map((code, i) => `t===${num(i)}?${num(code)}:`).join('')
      const same = codes.every((code, i) => code === i)
      return `t=${low32(from, 1)};${cell(layout, to)}=${same ? `t<${num(codes.length)}?t:` : cases}${num(other)}`
    },
    walk({ view }, from, _length, out, to, row) {
      out.columns[to][row] = codes[view.getUint8(from)] ?? other
    },
  }
}

/** flowEndReason (136). The enum has the numbers of RFC 5102. */
const endReason: Copy = recode(
  [
    REASON.unknown,
    REASON.idle_timeout,
    REASON.active_timeout,
    REASON.end_of_flow,
    REASON.forced_end,
    REASON.lack_of_resources,
  ],
  REASON.unknown,
)

/** tunnelType (VMware 891). OVS: 0 unknown, 1 VXLAN, 2 GRE, 3 LISP, 4 STT, 5 GRE over IPsec, 7 Geneve. */
const tunnelType: Copy = recode(
  [TUNNEL.unknown, TUNNEL.vxlan, TUNNEL.gre, TUNNEL.lisp, TUNNEL.stt, TUNNEL.ipsec_gre, TUNNEL.unknown, TUNNEL.geneve],
  TUNNEL.unknown,
)

/** layer2SegmentId (351): a byte of encapsulation type (1 VXLAN, 2 NVGRE), then in the last three the segment. */
const segment: Copy = {
  min: 8,
  max: 8,
  emit: (layout, to, from) =>
    `t=v.getUint8(${position(from)});${cell(layout, to)}=v.getInt32(${position(from, 4)})&${num(0xff_ffff)};` +
    `${cell(layout, 'tunnel_type')}=t===1?${num(TUNNEL.vxlan)}:t===2?${num(TUNNEL.gre)}:${num(TUNNEL.none)}`,
  walk({ view }, from, _length, out, to, row) {
    out.columns[to][row] = view.getUint32(from + 4) & 0xff_ffff
    out.columns.tunnel_type[row] = [TUNNEL.none, TUNNEL.vxlan, TUNNEL.gre][view.getUint8(from)] ?? TUNNEL.none
  },
}

/** icmpTypeCode (32, 139): type * 256 + code, into two columns. */
const icmpTypeCode: Copy = {
  min: 2,
  max: 2,
  emit: (layout, to, from) =>
    `${cell(layout, to)}=v.getUint8(${position(from)});${cell(layout, 'icmp_code')}=v.getUint8(${position(from, 1)})`,
  walk({ view }, from, _length, out, to, row) {
    out.columns[to][row] = view.getUint8(from)
    out.columns.icmp_code[row] = view.getUint8(from + 1)
  },
}

/** mplsTopLabelStackSection (70): label 20 bits, experimental 3, bottom of stack 1. */
const mplsLabel: Copy = {
  min: 3,
  max: 3,
  emit: (layout, to, from) => `${cell(layout, to)}=(${low32(from, 3)})>>>4`,
  walk({ view }, from, _length, out, to, row) {
    out.columns[to][row] = uint(view, from, 3) >>> 4
  },
}

/** ipDiffServCodePoint (195) into the byte it is a part of. */
const dscp: Copy = {
  min: 1,
  max: 1,
  emit: (layout, to, from) => `${cell(layout, to)}=(${low32(from, 1)})<<2`,
  walk({ view }, from, _length, out, to, row) {
    out.columns[to][row] = view.getUint8(from) << 2
  },
}

/**
 * dateTimeSeconds. As in all absolute times, what lies before 19 February 1970 (2^32 ms: zero, or the uptime of a device without
 * clock) or after 2248 (2^43 ms) is no time, and the one in the header is taken.
 */
const seconds: Copy = {
  min: 4,
  max: 4,
  emit: (layout, to, from) => `t=v.getUint32(${position(from)})*1000;` + emitMs(layout, to),
  walk({ view, head }, from, _length, out, to, row) {
    setMs(head, out, to, row, view.getUint32(from) * 1000)
  },
}

/** dateTimeMilliseconds. */
const milliseconds: Copy = {
  min: 8,
  max: 8,
  emit: (layout, to, from) =>
    `t=v.getInt32(${position(from, 4)});s=v.getInt32(${position(from)});` +
    emitTime(layout, to, `(s-1>>>0)>${num(LAST_HIGH_WORD - 1)}`, 't', 's'),
  walk({ view, head }, from, _length, out, to, row) {
    const high = view.getUint32(from)
    if (high === 0 || high > LAST_HIGH_WORD) setHeaderTime(head, out, to, row)
    else setLanes(out, to, row, view.getUint32(from + 4), high)
  },
}

/**
 * dateTimeMicroseconds and dateTimeNanoseconds: NTP seconds since 1900 and 2^-32 fractions. The era of NTP ends in 2036: what would
 * lie before 1970 lies after it. Zero is no time.
 */
const ntp: Copy = {
  min: 8,
  max: 8,
  emit: (layout, to, from) =>
    `t=v.getUint32(${position(from)});s=v.getUint32(${position(from, 4)});` +
    `t=t===0?0:(t-${num(NTP_TO_UNIX)}>>>0)*1000+Math.floor(s*1000/4294967296);` +
    emitMs(layout, to),
  walk({ view, head }, from, _length, out, to, row) {
    const whole = view.getUint32(from)
    const fraction = Math.floor((view.getUint32(from + 4) * 1000) / 0x1_0000_0000)
    setMs(head, out, to, row, whole === 0 ? 0 : ((whole - NTP_TO_UNIX) >>> 0) * 1000 + fraction)
  },
}

/** flowStart/EndDeltaMicroseconds (158, 159): how long before the time in the header. Rounded to the earlier millisecond. */
const deltaMicros: Copy = {
  min: 4,
  max: 4,
  emit: (layout, to, from) =>
    `s=v.getUint32(${position(from)});t=s/1000>>>0;if(Math.imul(t,1000)!==(s|0))t=t+1>>>0;` +
    emitAgo(layout, to, HEAD.timeLow, HEAD.timeHigh),
  walk({ view, head }, from, _length, out, to, row) {
    setAgo(head, HEAD.timeLow, Math.ceil(view.getUint32(from) / 1000), out, to, row)
  },
}

/** flowStart/EndSysUpTime (22, 21) against the sysUptime in the header of NetFlow v5 and v9. */
const uptime: Copy = {
  min: 4,
  max: 4,
  emit: (layout, to, from) =>
    `t=(${headWord(HEAD.uptime)}-v.getUint32(${position(from)}))>>>0;` +
    emitAgo(layout, to, HEAD.uptimeTimeLow, HEAD.uptimeTimeHigh),
  walk({ view, head }, from, _length, out, to, row) {
    setAgo(head, HEAD.uptimeTimeLow, (head[HEAD.uptime]! - view.getUint32(from)) >>> 0, out, to, row)
  },
}

/** flowStart/EndSysUpTime (22, 21) of IPFIX, whose header has no uptime: since the record's systemInitTimeMilliseconds. */
const sinceInit: Copy = {
  min: 4,
  max: 4,
  emit: (layout, to, from) =>
    `t=h[${num(HEAD.initLow)}]+v.getUint32(${position(from)});s=h[${num(HEAD.initHigh)}];` +
    emitTime(layout, to, `(s-1>>>0)>${num(LAST_HIGH_WORD - 1)}`, 't', 's+(t>4294967295?1:0)'),
  walk({ view, head }, from, _length, out, to, row) {
    const ms = head[HEAD.initLow]! + view.getUint32(from)
    const high = head[HEAD.initHigh]!
    if (high === 0 || high > LAST_HIGH_WORD) setHeaderTime(head, out, to, row)
    else setLanes(out, to, row, ms, high + Math.floor(ms / 0x1_0000_0000))
  },
}

export const COPIES = {
  int,
  float,
  key,
  mac,
  ip4,
  ip6,
  text,
  direction,
  endReason,
  tunnelType,
  segment,
  icmpTypeCode,
  mplsLabel,
  dscp,
  seconds,
  milliseconds,
  ntp,
  deltaMicros,
  uptime,
  sinceInit,
} as const satisfies Record<string, Copy>

export type CopyName = keyof typeof COPIES

/** Columns of two lanes; asked for with every value that is walked. */
const WIDE: ReadonlySet<ColumnName> = new Set(COLUMN_NAMES.filter((name) => KINDS[columnFacts(name).kind].lanes === 2))

function isWide(column: ColumnName): boolean {
  return WIDE.has(column)
}

function uint(view: DataView, from: number, length: number): number {
  let value = 0
  for (let i = 0; i < length; i++) value = value * 256 + view.getUint8(from + i)
  return value
}

function setLanes(out: FlowBatch, to: ColumnName, row: number, low: number, high: number): void {
  out.columns[to][row * 2] = low
  out.columns[to][row * 2 + 1] = high
}

function setHeaderTime(head: Uint32Array, out: FlowBatch, to: ColumnName, row: number): void {
  setLanes(out, to, row, head[HEAD.timeLow]!, head[HEAD.timeHigh]!)
}

/** `ageMs` before the time whose low word is head word `base`. */
function setAgo(head: Uint32Array, base: number, ageMs: number, out: FlowBatch, to: ColumnName, row: number): void {
  const ms = head[base + 1]! * 0x1_0000_0000 + head[base]! - ageMs
  setLanes(out, to, row, ms, ms / 0x1_0000_0000)
}

/** `t` ms since 1970, at most some of the year 2106. */
function emitMs(layout: BatchLayout, to: ColumnName): string {
  return emitTime(layout, to, 't<4294967296', 't', 't/4294967296')
}

function setMs(head: Uint32Array, out: FlowBatch, to: ColumnName, row: number, ms: number): void {
  if (ms < 0x1_0000_0000) setHeaderTime(head, out, to, row)
  else setLanes(out, to, row, ms, ms / 0x1_0000_0000)
}

function emitTime(layout: BatchLayout, to: ColumnName, none: string, low: string, high: string): string {
  const [a, b] = [cell(layout, to), cell(layout, to, 1)]
  const header = `${a}=${headWord(HEAD.timeLow)};${b}=${headWord(HEAD.timeHigh)}`
  return `if(${none}){${header}}else{${a}=${low};${b}=${high}}`
}

/** The time `t` ms before the one in two head words. */
function emitAgo(layout: BatchLayout, to: ColumnName, low: number, high: number): string {
  const [a, b] = [headWord(low), headWord(high)]
  return `${cell(layout, to)}=${a}-t;${cell(layout, to, 1)}=${a}<t?${b}-1:${b}`
}
