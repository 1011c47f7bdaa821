/**
 * What a row gets beside its fields: what stands in the header of its message, and what follows from the fields it has. Like the
 * copies in two forms, emitted and walked.
 */
import type { BatchLayout, FlowBatch } from '../schema/batch.ts'
import type { ColumnName } from '../schema/columns.ts'
import { enumCodes } from '../schema/enums.ts'
import { IPV4_MAPPED } from './copies.ts'
import { HEAD } from './head.ts'
import { cell, headWord, num } from './source.ts'

const KIND = enumCodes('output_kind')
const IPV4 = 0x0800
const IPV6 = 0x86dd
const ICMP = 1
const ICMP6 = 58

/** What `finish` has to know of the fields of a record. */
export interface Fields {
  /** Columns that a field fills. */
  readonly filled: ReadonlySet<ColumnName>
  /** The address families its fields have. */
  readonly families: 'none' | 'ipv4' | 'ipv6' | 'both'
  /** Code of the protocol in `export_protocol`. */
  readonly protocol: number
  /** ICMP type and code may come in the destination port, a habit of NetFlow v5 that many kept. */
  readonly icmpInPort: boolean
}

/** Statements for the end of a record. */
export function emitFinish(layout: BatchLayout, fields: Fields): string[] {
  return [
    emitHead(layout, fields.protocol),
    emitTimes(layout, fields.filled),
    emitFamily(layout, fields),
    emitOutput(layout, fields.filled),
    emitIcmp(layout, fields),
  ].filter((statement) => statement !== '')
}

/** The same for one row. */
export function walkFinish(head: Uint32Array, fields: Fields, out: FlowBatch, row: number): void {
  walkHead(head, fields.protocol, out, row)
  walkTimes(head, fields.filled, out, row)
  walkFamily(fields, out, row)
  walkOutput(fields.filled, out, row)
  if (fields.icmpInPort) walkIcmp(fields.filled, out, row)
}

function emitHead(layout: BatchLayout, protocol: number): string {
  const word = (index: number) => headWord(index)
  const address = (column: ColumnName, lanes: number[]) =>
    lanes.map((lane) => `${cell(layout, column, lane)}=${word(HEAD.exporter + lane)}`).join(';')
  const [first, second] = [word(HEAD.exporter), word(HEAD.exporter + 1)]
  return [
    `${cell(layout, 'time_received')}=${word(HEAD.receivedLow)}`,
    `${cell(layout, 'time_received', 1)}=${word(HEAD.receivedHigh)}`,
    `${cell(layout, 'export_protocol')}=${num(protocol)}`,
    `${cell(layout, 'observation_domain')}=${word(HEAD.domain)}`,
    `${cell(layout, 'sequence')}=${word(HEAD.sequence)}`,
    address('exporter', [2, 3]),
    address('agent', [2, 3]),
    // The upper half of an IPv4 exporter is zero, as the rows are.
    `if((${first}|${second})!==0){${address('exporter', [0, 1])};${address('agent', [0, 1])}}`,
  ].join(';')
}

function walkHead(head: Uint32Array, protocol: number, out: FlowBatch, row: number): void {
  const { columns } = out
  columns.time_received[row * 2] = head[HEAD.receivedLow]!
  columns.time_received[row * 2 + 1] = head[HEAD.receivedHigh]!
  columns.export_protocol[row] = protocol
  columns.observation_domain[row] = head[HEAD.domain]!
  columns.sequence[row] = head[HEAD.sequence]!
  for (let lane = 0; lane < 4; lane++) {
    columns.exporter[row * 4 + lane] = head[HEAD.exporter + lane]!
    columns.agent[row * 4 + lane] = head[HEAD.exporter + lane]!
  }
}

/** A time that no field gives is the other one; without either both are the header's. */
function emitTimes(layout: BatchLayout, filled: ReadonlySet<ColumnName>): string {
  const copy = (to: ColumnName, from: ColumnName) =>
    `${cell(layout, to)}=${cell(layout, from)};${cell(layout, to, 1)}=${cell(layout, from, 1)}`
  const header = (to: ColumnName) =>
    `${cell(layout, to)}=${headWord(HEAD.timeLow)};${cell(layout, to, 1)}=${headWord(HEAD.timeHigh)}`
  const [start, end] = [filled.has('flow_start'), filled.has('flow_end')]
  if (start && end) return ''
  if (start) return copy('flow_end', 'flow_start')
  return end ? copy('flow_start', 'flow_end') : `${header('flow_start')};${header('flow_end')}`
}

function walkTimes(head: Uint32Array, filled: ReadonlySet<ColumnName>, out: FlowBatch, row: number): void {
  const { flow_start, flow_end } = out.columns
  for (let lane = 0; lane < 2; lane++) {
    const [start, end] = [flow_start[row * 2 + lane]!, flow_end[row * 2 + lane]!]
    const header = head[HEAD.timeLow + lane]!
    if (!filled.has('flow_start')) flow_start[row * 2 + lane] = filled.has('flow_end') ? end : header
    if (!filled.has('flow_end')) flow_end[row * 2 + lane] = filled.has('flow_start') ? start : header
  }
}

/** ip_version from the addresses, ether_type from ip_version, where the record does not say. */
function emitFamily(layout: BatchLayout, { filled, families }: Fields): string {
  const version = cell(layout, 'ip_version')
  const statements: string[] = []
  if (!filled.has('ip_version')) {
    if (families === 'ipv4') statements.push(`${version}=4`)
    if (families === 'ipv6') statements.push(`${version}=6`)
    if (families === 'both') {
      const any = (column: ColumnName, lanes: number[]) => lanes.map((lane) => cell(layout, column, lane)).join('|')
      const mapped = (column: ColumnName) =>
        `(${any(column, [0, 1])})===0&&${cell(layout, column, 2)}===${num(IPV4_MAPPED)}`
      statements.push(
        `${version}=${mapped('src_addr')}||${mapped('dst_addr')}?4:` +
          `(${any('src_addr', [0, 1, 2, 3])}|${any('dst_addr', [0, 1, 2, 3])})===0?0:6`,
      )
    }
  }
  if (!filled.has('ether_type') && (filled.has('ip_version') || families !== 'none')) {
    const known = !filled.has('ip_version') && families !== 'both'
    const type = cell(layout, 'ether_type')
    if (known) statements.push(`${type}=${num(families === 'ipv4' ? IPV4 : IPV6)}`)
    else statements.push(`t=${version};${type}=t===4?${num(IPV4)}:t===6?${num(IPV6)}:0`)
  }
  return statements.join(';')
}

function walkFamily({ filled, families }: Fields, out: FlowBatch, row: number): void {
  const { ip_version, ether_type, src_addr, dst_addr } = out.columns
  if (!filled.has('ip_version') && families !== 'none')
    ip_version[row] = families === 'ipv4' ? 4 : families === 'ipv6' ? 6 : familyOfBoth(src_addr, dst_addr, row)
  if (!filled.has('ether_type')) ether_type[row] = ip_version[row] === 4 ? IPV4 : ip_version[row] === 6 ? IPV6 : 0
}

/** IPv4 when one of the addresses is, whatever the other says. */
function familyOfBoth(source: Uint32Array, destination: Uint32Array, row: number): number {
  const [one, other] = [familyOf(source, row), familyOf(destination, row)]
  return one === 4 || other === 4 ? 4 : Math.max(one, other)
}

function familyOf(column: Uint32Array, row: number): 0 | 4 | 6 {
  const at = row * 4
  const third = column[at + 2]
  if (column[at] !== 0 || column[at + 1] !== 0) return 6
  if (third === IPV4_MAPPED) return 4
  return third === 0 && column[at + 3] === 0 ? 0 : 6
}

/** An egress interface is known by its number or, where OVS has no number for it, by its name. */
function emitOutput(layout: BatchLayout, filled: ReadonlySet<ColumnName>): string {
  const known = (['out_if', 'out_if_name'] as const).filter((column) => filled.has(column))
  if (known.length === 0) return ''
  const any = known.map((column) => cell(layout, column)).join('|')
  return `if((${any})!==0)${cell(layout, 'output_kind')}=${num(KIND.interface)}`
}

function walkOutput(filled: ReadonlySet<ColumnName>, out: FlowBatch, row: number): void {
  const { out_if, out_if_name, output_kind } = out.columns
  if ((filled.has('out_if') && out_if[row] !== 0) || (filled.has('out_if_name') && out_if_name[row] !== 0))
    output_kind[row] = KIND.interface
}

/** ICMP has no ports: type and code are taken from the destination port where no other field gives them. */
function emitIcmp(layout: BatchLayout, { filled, icmpInPort }: Fields): string {
  if (!icmpInPort || !filled.has('ip_protocol') || !filled.has('dst_l4_port')) return ''
  const [source, destination] = [cell(layout, 'src_l4_port'), cell(layout, 'dst_l4_port')]
  const move = filled.has('icmp_type')
    ? ''
    : `t=${destination};${cell(layout, 'icmp_type')}=t>>>8;${cell(layout, 'icmp_code')}=t&255;`
  return `t=${cell(layout, 'ip_protocol')};if(t===${num(ICMP)}||t===${num(ICMP6)}){${move}${source}=0;${destination}=0}`
}

function walkIcmp(filled: ReadonlySet<ColumnName>, out: FlowBatch, row: number): void {
  const { ip_protocol, src_l4_port, dst_l4_port, icmp_type, icmp_code } = out.columns
  if (!filled.has('ip_protocol') || !filled.has('dst_l4_port')) return
  if (ip_protocol[row] !== ICMP && ip_protocol[row] !== ICMP6) return
  if (!filled.has('icmp_type')) {
    icmp_type[row] = dst_l4_port[row]! >>> 8
    icmp_code[row] = dst_l4_port[row]! & 255
  }
  src_l4_port[row] = 0
  dst_l4_port[row] = 0
}
