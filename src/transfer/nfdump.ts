/**
 * Lines of `nfdump -o csv`. The head says what a line holds, in one of two vocabularies: nfdump 1.6 to 1.7.2 (`ts,te,td,sa,da,…`) and 1.7.3 on
 * (`firstSeen,duration,proto,srcAddr,…`); any choice and order of them is read, as `-o "csv:…"` makes it. Times are of the zone that nfdump ran in.
 */
import { flagBits } from '../query/filter/flags.ts'
import { protocolNumber } from '../query/protocols.ts'
import { parseTime } from '../query/times.ts'
import { type FlowBatch, getU64, setTime, setU64 } from '../schema/batch.ts'
import { COLUMN_NAMES, type ColumnName, columnFacts } from '../schema/columns.ts'
import { KINDS } from '../schema/kinds.ts'
import { damaged, fillValue } from './fill.ts'
import type { Zone } from './zone.ts'

/** Fields that are a column as they stand. */
const PLAIN: Readonly<Record<string, ColumnName>> = {
  sa: 'src_addr', srcAddr: 'src_addr', da: 'dst_addr', dstAddr: 'dst_addr', sp: 'src_l4_port', srcPort: 'src_l4_port',
  stos: 'tos', tos: 'tos', srcTos: 'tos', ipkt: 'packets', pkt: 'packets', packets: 'packets', inPackets: 'packets',
  ibyt: 'bytes', byt: 'bytes', bytes: 'bytes', inBytes: 'bytes', in: 'in_if', input: 'in_if', out: 'out_if', output: 'out_if',
  svln: 'vlan', srcVlan: 'vlan', ra: 'exporter', router: 'exporter', exporterIP: 'exporter',
} // prettier-ignore
/** Of several that tell of one column the first that is set counts. */
const MACS: Readonly<Record<string, ColumnName>> = { ismc: 'src_mac', inSrcMac: 'src_mac', idmc: 'dst_mac', odmc: 'dst_mac', outDstMac: 'dst_mac' } // prettier-ignore
const START = ['ts', 'firstSeen']
const END = ['te', 'lastSeen']
const DURATION = ['td', 'duration']
const PROTOCOL = ['pr', 'proto']
const DESTINATION_PORT = ['dp', 'dstPort']
const FLAGS = ['flg', 'flags']
const RECEIVED = ['tr', 'received']
const DIRECTION = ['dir', 'direction']
/** Of the answers, where nfdump has put both directions into one line (-B). */
const OUT_PACKETS = ['opkt', 'outPackets']
const OUT_BYTES = ['obyt', 'outBytes']
const OUT_TOS = ['dtos', 'dstTos']
const KNOWN: ReadonlySet<string> = new Set([...Object.keys(PLAIN), ...Object.keys(MACS), ...START, ...END, ...DURATION, ...PROTOCOL, ...DESTINATION_PORT, ...FLAGS, ...RECEIVED, ...DIRECTION, ...OUT_PACKETS, ...OUT_BYTES, ...OUT_TOS]) // prettier-ignore
/** What nfdump tells and ovsight has no column for. */
const PASSED =
  /^(?:fwd|sas|das|smk|dmk|nh|nhb|dvln|osmc|mpls\d+|cl|sl|al|eng|exid|fl|flows|td|bps|pps|bpp|srcAS|dstAS|srcMask|dstMask)$/
/** The line with which nfdump ends its records. */
export const NFDUMP_END = /^(?:Summary|No matching flows|Time window:|Total flows processed:|Sys:)/
/** Names of nfdump that filters do not have. */
const MORE_PROTOCOLS: Readonly<Record<string, number>> = { rsvp: 46, ipv6: 41, eigrp: 88, 'ipv6-icmp': 58, l2tp: 115, hopopt: 0, igp: 9, egp: 8, ipencap: 4, isis: 124, idp: 22, ipip: 94 } // prettier-ignore
const ICMP: ReadonlySet<number> = new Set([1, 58])

/** Whether a head is nfdump's. */
export function isNfdump(head: readonly string[]): boolean {
  return (head.includes('sa') && head.includes('da')) || (head.includes('srcAddr') && head.includes('dstAddr'))
}

/** Names in a head that say nothing to this reader. */
export function nfdumpUnknown(head: readonly string[]): string[] {
  return head.filter((name) => !KNOWN.has(name) && !PASSED.test(name))
}

/** Writes a line into a row of a batch; the answers, where they are counted in it, into the next one. Returns how many rows it wrote. Throws Damage. */
export function fillNfdump(
  batch: FlowBatch,
  row: number,
  head: readonly string[],
  fields: readonly string[],
  zone: Zone,
): 1 | 2 {
  const of = (names: readonly string[]): string | undefined => {
    const at = head.findIndex((name) => names.includes(name))
    return at < 0 ? undefined : fields[at]!.trim()
  }
  for (const [i, name] of head.entries()) {
    const text = fields[i]!.trim()
    const plain = PLAIN[name]
    if (plain !== undefined) fillValue(batch, row, plain, text)
    const mac = MACS[name]
    if (mac !== undefined && text !== '00:00:00:00:00:00' && getU64(batch.columns[mac] as Uint32Array, row) === 0)
      fillValue(batch, row, mac, text)
  }
  fillTimes(batch, row, { start: of(START), end: of(END), duration: of(DURATION), received: of(RECEIVED) }, zone)
  const { columns } = batch
  columns.ip_protocol[row] = protocolOf(of(PROTOCOL) ?? '')
  fillDestination(batch, row, of(DESTINATION_PORT) ?? '')
  columns.tcp_flags[row] = flagsOf(of(FLAGS) ?? '')
  const direction = of(DIRECTION)
  // 0 is ingress, 1 is egress; nfdump writes 0 as well for what was not told.
  if (direction === '1') fillValue(batch, row, 'flow_direction', 'egress')
  columns.agent.set(columns.exporter.subarray(row * 4, row * 4 + 4), row * 4)
  const six = columns.src_addr[row * 4 + 2] !== 0xffff_0000
  columns.ip_version[row] = six ? 6 : 4
  columns.ether_type[row] = six ? 0x86dd : 0x0800
  const [packets = '', bytes = '', tos = ''] = [of(OUT_PACKETS), of(OUT_BYTES), of(OUT_TOS)]
  if (/^0*$/.test(packets) && /^0*$/.test(bytes)) return 1
  turnRound(batch, row, row + 1)
  for (const [name, text] of [['packets', packets], ['bytes', bytes], ['tos', tos]] as const) fillValue(batch, row + 1, name, text) // prettier-ignore
  return 2
}

/** The way back of a record: ends and interfaces the other way round, and nothing of what is told of one direction alone. */
function turnRound({ columns }: FlowBatch, from: number, to: number): void {
  for (const name of COLUMN_NAMES) {
    const source = columns[OTHER_WAY.get(name) ?? name]
    const { lanes } = KINDS[columnFacts(name).kind]
    for (let lane = 0; lane < lanes; lane++) columns[name][to * lanes + lane] = source[from * lanes + lane]!
  }
  for (const name of ['packets', 'bytes'] as const) setU64(columns[name], to, 0)
  for (const name of ['tos', 'tcp_flags', 'icmp_type', 'icmp_code', 'flow_direction'] as const) columns[name][to] = 0
}

/** What the name of a column becomes when a record is turned round. */
const OTHER_WAY: ReadonlyMap<ColumnName, ColumnName> = new Map([
  ['src_addr', 'dst_addr'],
  ['dst_addr', 'src_addr'],
  ['src_mac', 'dst_mac'],
  ['dst_mac', 'src_mac'],
  ['src_l4_port', 'dst_l4_port'],
  ['dst_l4_port', 'src_l4_port'],
  ['in_if', 'out_if'],
  ['out_if', 'in_if'],
])

interface Times {
  start: string | undefined
  end: string | undefined
  duration: string | undefined
  received: string | undefined
}

function fillTimes({ columns }: FlowBatch, row: number, { start, end, duration, received }: Times, zone: Zone): void {
  const timeOf = (name: string, text: string | undefined): number | undefined =>
    text === undefined || text === '' ? undefined : zone.utc(parseTime(text, 0) ?? damaged(name, text, 'a time'))
  const startMs = timeOf('start', start)
  const lasted = Number(duration ?? 0)
  const told = timeOf('end', end)
  const endMs = Math.max(told ?? 0, startMs === undefined || !(lasted >= 0) ? 0 : startMs + Math.round(lasted * 1000))
  if (endMs === 0) damaged('end', end ?? '', 'a time')
  setTime(columns.flow_end, row, endMs)
  setTime(columns.flow_start, row, startMs ?? endMs)
  setTime(columns.time_received, row, timeOf('received', received) ?? endMs)
}

function protocolOf(text: string): number {
  const name = text.toLowerCase()
  const number = /^\d{1,3}$/.test(text) ? Number(text) : (protocolNumber(name) ?? MORE_PROTOCOLS[name])
  return number !== undefined && number <= 255 ? number : damaged('protocol', text, 'a protocol')
}

/** Of ICMP type and code stand there: as `3.1`, or as type * 256 + code. */
function fillDestination(batch: FlowBatch, row: number, text: string): void {
  const { columns } = batch
  if (!ICMP.has(columns.ip_protocol[row]!)) return fillValue(batch, row, 'dst_l4_port', text)
  const [, type, code] = /^(\d{1,3})\.(\d{1,3})$/.exec(text) ?? []
  const both = type === undefined ? Number(text) : Number(type) * 256 + Number(code)
  if (!(both <= 0xffff)) damaged('ICMP type and code', text, 'such')
  columns.icmp_type[row] = both >> 8
  columns.icmp_code[row] = both & 255
}

/** `...AP.SF`, `0x1b`, or a number. */
function flagsOf(text: string): number {
  const letters = text.replaceAll('.', '')
  if (letters === '') return 0
  const bits = /^0x[0-9a-f]{1,4}$/i.test(text) || /^\d{1,5}$/.test(text) ? Number(text) : flagBits(letters)
  return bits ?? damaged('flags', text, 'TCP flags')
}
