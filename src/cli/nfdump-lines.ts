import { protocolName } from '../query/protocols.ts'
import type { Row } from '../query/ask.ts'

/**
 * Records as nfdump 1.7 prints them with -o line, long and extended (its output.c, FORMAT_line and so on), for people and scripts that
 * know it. Times are UTC. Bytes are layer-3 octets as everywhere in ovsight; nfdump repeats what the exporter counted, which NetFlow
 * of Open vSwitch does from layer 2.
 */
export const LINE_FORMATS = {
  line: ['ts', 'td', 'pr', 'sap', 'arrow', 'dap', 'pkt', 'byt', 'fl'],
  long: ['ts', 'td', 'pr', 'sap', 'arrow', 'dap', 'flg', 'tos', 'pkt', 'byt', 'fl'],
  extended: ['ts', 'td', 'pr', 'sap', 'arrow', 'dap', 'flg', 'tos', 'pkt', 'byt', 'pps', 'bps', 'bpp', 'fl'],
} as const satisfies Readonly<Record<string, readonly Field[]>>

export type LineFormat = keyof typeof LINE_FORMATS
type Field = keyof typeof FIELDS

/** Title and text of every field, as wide as nfdump has them. */
const FIELDS = {
  ts: { title: 'Date first seen            ', text: (row) => timeText(startOf(row)).padEnd(27) },
  td: { title: 'Duration    ', text: (row) => durationText(durationMs(row)) },
  pr: { title: 'Proto', text: (row) => protocolText(row).padEnd(5) },
  sap: { title: '     Src IP Addr:Port ', text: (row) => endText(row, 'src') },
  arrow: { title: '  ', text: () => '->' },
  dap: { title: '     Dst IP Addr:Port ', text: (row) => endText(row, 'dst') },
  flg: { title: '   Flags', text: (row) => flagsText(Number(row['tcp_flags'])) },
  tos: { title: 'Tos', text: (row) => String(Number(row['tos'])).padStart(3) },
  pkt: { title: ' Packets', text: (row) => numberText(Number(row['packets']), 8) },
  byt: { title: '   Bytes', text: (row) => numberText(Number(row['bytes']), 8) },
  pps: { title: '     pps', text: (row) => numberText(perSecond(Number(row['packets']), row), 8) },
  bps: { title: '     bps', text: (row) => numberText(perSecond(8 * Number(row['bytes']), row), 8) },
  bpp: { title: '   Bpp', text: (row) => String(perPacket(row)).padStart(6) },
  fl: { title: 'Flows', text: () => '    1' },
} as const satisfies Readonly<Record<string, { title: string; text: (row: Row) => string }>>

export function lineHead(format: LineFormat): string {
  return LINE_FORMATS[format].map((field) => FIELDS[field].title).join(' ')
}

export function lineText(format: LineFormat, row: Row): string {
  return LINE_FORMATS[format].map((field) => FIELDS[field].text(row)).join(' ')
}

function startOf(row: Row): string {
  return String(row['flow_start'] === '' ? row['flow_end'] : row['flow_start'])
}

function durationMs(row: Row): number {
  return Math.max(0, Date.parse(String(row['flow_end'])) - Date.parse(startOf(row)))
}

function timeText(iso: string): string {
  return iso.slice(0, 23).replace('T', ' ')
}

function durationText(ms: number): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  return `${two(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}.${String(ms % 1000).padStart(3, '0')}`
}

function protocolText(row: Row): string {
  return protocolName(Number(row['ip_protocol'])).toUpperCase().slice(0, 5)
}

const ICMP: ReadonlySet<number> = new Set([1, 58])
const ADDRESS_PLACES = 16

/** Address and port; of ICMP type and code stand in place of the destination's port. */
function endText(row: Row, side: 'src' | 'dst'): string {
  const address = String(row[`${side}_addr`] || '0.0.0.0')
  const six = address.includes(':')
  const icmp = side === 'dst' && ICMP.has(Number(row['ip_protocol']))
  const port = icmp ? `${Number(row['icmp_type'])}.${Number(row['icmp_code'])}` : String(Number(row[`${side}_l4_port`]))
  return `${condensed(address).padStart(ADDRESS_PLACES)}${six ? '.' : ':'}${port.padEnd(5)}`
}

/** An IPv6 address that is too long: its first and last seven characters. */
function condensed(address: string): string {
  return address.length <= ADDRESS_PLACES ? address : `${address.slice(0, 7)}..${address.slice(-7)}`
}

function flagsText(flags: number): string {
  return 'CEUAPRSF'
    .split('')
    .map((letter, i) => ((flags & (0x80 >> i)) === 0 ? '.' : letter))
    .join('')
}

/** nfdump's own rounding: from a million on with one digit and M, G or T. */
function numberText(value: number, width: number): string {
  for (const [unit, size] of [
    ['T', 1e12],
    ['G', 1e9],
    ['M', 1e6],
  ] as const)
    // prettier-ignore
    if (value >= size) return `${(value / size).toFixed(1)} ${unit}`.padStart(width)
  return String(Math.floor(value)).padStart(width)
}

function perSecond(value: number, row: Row): number {
  const ms = durationMs(row)
  return ms === 0 ? 0 : Math.floor((value * 1000) / ms)
}

function perPacket(row: Row): number {
  const packets = Number(row['packets'])
  return packets === 0 ? 0 : Math.floor(Number(row['bytes']) / packets)
}
