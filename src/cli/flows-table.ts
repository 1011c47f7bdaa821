import type { Cell, Row } from '../query/ask.ts'
import { flagLetters } from '../query/filter/flags.ts'
import { protocolName } from '../query/protocols.ts'
import { shorten, visible, type TableColumn } from './table.ts'
import { formatBytes, formatCount } from './units.ts'

/** The answer of `flows` for people: a line a record, as much of it as fits. */
export function flowsTable(rows: readonly Row[]): TableColumn[] {
  const sameDay = new Set(rows.map(({ flow_end: time }) => String(time).slice(0, 10))).size <= 1
  const shown = SHOWN.filter(({ rare }) => rare === undefined || rows.some((row) => Number(row[rare]) > 0))
  return shown.map(({ cell, ...column }) => ({ ...column, cells: rows.map((row) => cell(row, sameDay) || '-') }))
}

/** Places of an end in a line by itself. */
const LINE_END = 32

/** A record as a line by itself, for those that come one by one. */
export function flowLine(row: Row): string {
  const end = (side: 'src' | 'dst') => shorten(visible(endText(row, side)), LINE_END).padEnd(LINE_END)
  const [packets, bytes] = [formatCount(Number(row['packets'])), formatBytes(Number(row['bytes']))]
  const time = timeText(String(row['flow_end']), true)
  return `${time}  ${protocolText(row).padEnd(8)}  ${end('src')} -> ${end('dst')} ${packets.padStart(8)} pkt ${bytes.padStart(9)}  ${String(row['role'])}`
}

interface Shown extends Omit<TableColumn, 'cells'> {
  readonly cell: (row: Row, sameDay: boolean) => string
  /** Only shown where this column is not zero in every row. */
  readonly rare?: string
}

const text = (column: string) => (row: Row) => String(row[column] ?? '')

const SHOWN: readonly Shown[] = [
  { title: 'time', weight: 100, keep: true, cell: (row, sameDay) => timeText(String(row['flow_end']), sameDay) },
  { title: 'proto', weight: 90, keep: true, cell: (row) => protocolText(row) },
  { title: 'src', weight: 100, keep: true, minWidth: 15, cell: (row) => endText(row, 'src') },
  { title: 'src_addr', weight: 40, cell: (row) => (row['src_server'] === '' ? '' : String(row['src_addr'])) },
  { title: 'dst', weight: 100, keep: true, minWidth: 15, cell: (row) => endText(row, 'dst') },
  { title: 'dst_addr', weight: 40, cell: (row) => (row['dst_server'] === '' ? '' : String(row['dst_addr'])) },
  { title: 'flags', weight: 35, cell: (row) => flagLetters(Number(row['tcp_flags'])) },
  {
    title: 'retransmits',
    rare: 'tcp_retransmits',
    weight: 12,
    align: 'right',
    cell: (row) => zeroless(row['tcp_retransmits']),
  },
  { title: 'packets', weight: 80, align: 'right', cell: (row) => formatCount(Number(row['packets'])) },
  { title: 'bytes', weight: 90, keep: true, align: 'right', cell: (row) => formatBytes(Number(row['bytes'])) },
  { title: 'role', weight: 60, cell: text('role') },
  { title: 'class', weight: 30, cell: text('traffic_class') },
  { title: 'host', weight: 28, minWidth: 8, cell: text('exporter_host') },
  { title: 'bridge', weight: 20, cell: text('bridge') },
  { title: 'source', weight: 25, cell: text('export_protocol') },
  { title: 'vni', weight: 15, align: 'right', cell: (row) => zeroless(row['tunnel_key']) },
  { title: 'src_grade', weight: 10, cell: text('src_grade') },
  { title: 'dst_grade', weight: 10, cell: text('dst_grade') },
]

const ICMP: ReadonlySet<number> = new Set([1, 58])

/** Time of day, with the date when the rows are of several days. */
function timeText(iso: string, sameDay: boolean): string {
  if (iso === '') return ''
  return sameDay ? iso.slice(11, 23) : iso.replace('T', ' ').slice(0, 19)
}

function protocolText(row: Row): string {
  if (row['ip_version'] === 0) return ETHER_TYPES[Number(row['ether_type'])] ?? hex(Number(row['ether_type']))
  const protocol = Number(row['ip_protocol'])
  return ICMP.has(protocol)
    ? `${protocolName(protocol)} ${Number(row['icmp_type'])}/${Number(row['icmp_code'])}`
    : protocolName(protocol)
}

const ETHER_TYPES: Readonly<Record<number, string>> = { 0: '', 0x0806: 'arp', 0x88cc: 'lldp' }

function hex(etherType: number): string {
  return `0x${etherType.toString(16).padStart(4, '0')}`
}

/**
 * `project/server`, else the address, else the MAC; with the transport port where there is one. The project goes before the name,
 * since names and addresses of two projects are often the same.
 */
function endText(row: Row, side: 'src' | 'dst'): string {
  const value = (part: string) => String(row[`${side}_${part}`])
  const server = value('server')
  const named = server === '' || value('project') === '' ? server : `${value('project')}/${server}`
  const who = named || value('addr') || value('mac')
  const port = Number(row[`${side}_l4_port`])
  if (port === 0) return who
  return server === '' && who.includes(':') ? `[${who}]:${port}` : `${who}:${port}`
}

function zeroless(value: Cell | undefined): string {
  return value === 0 || value === undefined ? '' : String(value)
}
