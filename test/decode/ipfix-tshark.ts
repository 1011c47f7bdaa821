/** Flow records as tshark reads them, as rows with the columns that tshark tells. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Payload, Row } from './ipfix-feed.ts'

export const NO_TSHARK = spawnSync('tshark', ['--version']).status === 0 ? false : 'tshark is not installed'

/** A node of tshark's JSON. Repeated fields are lists. */
interface Tree {
  readonly [key: string]: string | Tree | readonly (string | Tree)[] | null | undefined
}

type Packet = Record<'_source', { layers: Tree & { ip: { 'ip.src': string } } }>

const PORT = 4739
/** "pdu 1/7" of NetFlow v5, "Flow 1" of the others. */
const RECORD = /^(pdu|Flow) \d+/

/** The flow records in `payloads`, in order. */
export function readWithTshark(payloads: readonly Payload[]): Row[] {
  return readPackets(payloads).flatMap(({ rows }) => rows)
}

/** The same by source address: one run of tshark for many exporters. */
export function readBySource(payloads: readonly Payload[]): Map<string, Row[]> {
  const bySource = new Map<string, Row[]>()
  for (const { source, rows } of readPackets(payloads)) bySource.set(source, [...(bySource.get(source) ?? []), ...rows])
  return bySource
}

function readPackets(payloads: readonly Payload[]): { source: string; rows: Row[] }[] {
  const folder = mkdtempSync(join(tmpdir(), 'ovsight-tshark-'))
  try {
    const file = join(folder, 'capture.pcap')
    writeFileSync(file, pcapOf(payloads))
    const args = ['-r', file, '-d', `udp.port==${PORT},cflow`, '-T', 'json', '--no-duplicate-keys']
    const json = execFileSync('tshark', args, { maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'ignore'] })
    return (JSON.parse(json.toString()) as Packet[]).map(({ ['_source']: { layers } }) => {
      const rows: Row[] = []
      collect(layers, rows)
      return { source: layers.ip['ip.src'], rows }
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function collect(node: Tree, rows: Row[]): void {
  for (const [key, value] of Object.entries(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof child !== 'object' || child === null) continue
      if (!RECORD.test(key)) collect(child as Tree, rows)
      else if (!isOptions(child as Tree)) rows.push(rowOf(child as Tree))
    }
  }
}

/** Options records have a scope, a sampler or the exporter itself, and no addresses. */
function isOptions(flow: Tree): boolean {
  const names = Object.keys(flow)
  return (
    !names.some((name) => /(src|dst)(addr|mac)/.test(name)) &&
    names.some((name) => /scope|exporting|sampl|flow_exporter|vrf|notsent|application|if_descr/.test(name))
  )
}

/** The columns that tshark tells of a record; undefined where it says nothing. */
function rowOf(flow: Tree): Row {
  const one = (name: string) => {
    const value = flow[`cflow.${name}`]
    return (Array.isArray(value) ? value[0] : value) as string | undefined
  }
  const number = (name: string) => (one(name) === undefined ? undefined : Number(one(name)))
  const time = flow['cflow.timedelta_tree'] as Tree | undefined
  // An empty name is not shown, so one name of an egress record is the second.
  const names = [flow['cflow.if_name'] ?? []].flat() as string[]
  const inward = names.length === 2 || one('outputint') === undefined ? 0 : -1
  // ICMP has no ports; some exporters put type and code there.
  const portless = one('protocol') === '1' || one('protocol') === '58'
  return {
    src_addr: address(one('srcaddr'), one('srcaddrv6')),
    dst_addr: address(one('dstaddr'), one('dstaddrv6')),
    src_l4_port: portless ? undefined : number('srcport'),
    dst_l4_port: portless ? undefined : number('dstport'),
    ip_protocol: number('protocol'),
    packets: number('packets'),
    bytes: number('octets'),
    l2_bytes: number('layer2_octet_delta_count'),
    bytes_variance: number('delta_octets_squared'),
    in_if: number('inputint'),
    out_if: number('outputint'),
    in_if_name: names[inward],
    out_if_name: names[inward + 1],
    src_mac: mac(one('srcmac')),
    dst_mac: mac(one('dstmac')),
    ether_type: number('ethernet_type'),
    vlan: number('dot1q_vlan_id'),
    ip_version: number('ip_version'),
    ttl: number('ip_ttl'),
    tos: number('tos'),
    tcp_flags: number('tcpflags'),
    observation_point: number('observation_point_id'),
    flow_start: instant(time?.['cflow.abstimestart']),
    flow_end: instant(time?.['cflow.abstimeend']),
  } as Row
}

function mac(text: string | undefined): string | undefined {
  return text === '00:00:00:00:00:00' ? '' : text?.replaceAll(':', '')
}

/** "Nov 22, 2026 07:49:22.989000000 UTC", cut to milliseconds. */
function instant(text: unknown): string | undefined {
  const parts = /^(\w+ +\d+, \d+ [\d:]+)(\.\d{3})?\d* UTC$/.exec(typeof text === 'string' ? text : '')
  return parts === null ? undefined : new Date(`${parts[1]}${parts[2] ?? ''} UTC`).toISOString()
}

/** The one of the two that is set, IPv6 with all its groups, as test rows have it. */
function address(ipv4: string | undefined, ipv6: string | undefined): string | undefined {
  if (ipv6 === undefined || ipv6 === '::') return ipv4 ?? (ipv6 === undefined ? undefined : '')
  const [head = '', tail = ''] = ipv6.split('::')
  const [left, right] = [head, tail].map((half) => half.split(':').filter((group) => group !== ''))
  return [...left!, ...Array<string>(8 - left!.length - right!.length).fill('0'), ...right!].join(':')
}

/** A capture of the payloads, Ethernet and IPv4 around them. */
function pcapOf(payloads: readonly Payload[]): Buffer {
  const head = Buffer.alloc(24)
  head.writeUInt32LE(0xa1b2c3d4)
  head.writeUInt16LE(2, 4)
  head.writeUInt16LE(4, 6)
  head.writeUInt32LE(0xffff, 16)
  head.writeUInt32LE(1, 20)
  return Buffer.concat([head, ...payloads.map(frameOf)])
}

function frameOf({ timeMs, source, port, bytes }: Payload): Buffer {
  const frame = Buffer.alloc(16 + 42 + bytes.length)
  frame.writeUInt32LE(Math.floor(timeMs / 1000))
  frame.writeUInt32LE((timeMs % 1000) * 1000, 4)
  frame.writeUInt32LE(42 + bytes.length, 8)
  frame.writeUInt32LE(42 + bytes.length, 12)
  frame.writeUInt16BE(0x0800, 16 + 12)
  frame[30] = 0x45
  frame.writeUInt16BE(28 + bytes.length, 32)
  frame[38] = 64
  frame[39] = 17
  frame.set(source.split('.').map(Number), 42)
  frame.set([192, 0, 2, 254], 46)
  frame.writeUInt16BE(port, 50)
  frame.writeUInt16BE(PORT, 52)
  frame.writeUInt16BE(8 + bytes.length, 54)
  frame.set(bytes, 58)
  return frame
}
