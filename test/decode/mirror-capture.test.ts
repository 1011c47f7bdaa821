/**
 * The frames of captures beside what others say of them: the counters of the mirrored interface, tshark, golden rows.
 *
 * `pcaps/gre-mirror/capture.rows.jsonl` are the flow records of that capture; tshark's own sums over the same packets, by the
 * same key, are compared with them below.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { MirrorDecoder } from '../../src/decode/mirror/decoder.ts'
import { PacketDissector } from '../../src/decode/packet.ts'
import { DECODE_STATUS_NAMES, STATUS } from '../../src/decode/status.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { readCapture } from '../../src/wire/capture.ts'
import { fileBytes } from '../../src/wire/source.ts'
import { INTEROP, PCAPS } from '../paths.ts'
import { missing, run } from '../wire/captures.ts'
import { rowOf, rowsOf, type Row } from './ipfix-feed.ts'
import { readMirror } from './mirror-feed.ts'

const CAPTURE = `${PCAPS}gre-mirror/capture.pcap`
const R8 = 'fa163e21cf75'

async function flowsOfCapture(): Promise<Row[]> {
  const decoder = new MirrorDecoder('gre')
  const batch = new FlowBatch(256)
  for (const { datagram } of await readMirror(CAPTURE)) {
    decoder.expire(datagram.receivedMs, batch)
    assert.equal(decoder.decode(datagram, batch), STATUS.ok)
  }
  decoder.flush(batch)
  return rowsOf(batch)
}

function sum(rows: readonly Row[], column: keyof Row): number {
  return rows.reduce((total, row) => total + Number(row[column] ?? 0), 0)
}

describe('the GRE mirror of a port', () => {
  it('gives the golden rows', async () => {
    const golden = readFileSync(`${PCAPS}gre-mirror/capture.rows.jsonl`, 'utf8').trim().split('\n')
    assert.deepEqual(
      await flowsOfCapture(),
      golden.map((line) => JSON.parse(line) as Row),
    )
  })

  it('adds up to the counters of the mirrored interface, to the byte', async () => {
    const truth = readFileSync(`${PCAPS}gre-mirror/truth.txt`, 'utf8')
    const [, txBytes, txPackets, rxBytes, rxPackets] = /^r8 (\d+) (\d+) (\d+) (\d+)$/m.exec(truth)!.map(Number)
    const rows = await flowsOfCapture()
    const sent = rows.filter((row) => row.src_mac === R8)
    const received = rows.filter((row) => row.src_mac !== R8)
    assert.deepEqual([sum(sent, 'l2_bytes'), sum(sent, 'packets')], [txBytes, txPackets])
    assert.deepEqual([sum(received, 'l2_bytes'), sum(received, 'packets')], [rxBytes, rxPackets])
  })

  it('adds up to what tshark adds up, flow by flow', { skip: missing('tshark') }, async () => {
    const fields = ['eth.src', 'eth.dst', 'vlan.id', 'ip.src', 'ip.dst', 'ip.proto', 'ip.len', 'frame.len']
    fields.push('tcp.srcport', 'tcp.dstport', 'udp.srcport', 'udp.dstport', 'icmp.type')
    const expected = new Map<string, number[]>()
    for (const values of tshark(CAPTURE, fields)) {
      const inner = values.map((value) => value.split(',').at(-1)!)
      const [src, dst, vlan, from, to, protocol, l3, frame] = inner
      const isIp = values[3]!.includes(',')
      const ports = inner.slice(8).filter((value) => value !== '')
      const key = [src, dst, vlan, ...(isIp ? [from, to, protocol, ...ports] : [])].join(' ').replaceAll(':', '')
      // Outer Ethernet, IPv4 and GRE are 14 + 20 + 4 octets; the tag is the mirror's.
      const counts = [1, isIp ? Number(l3) : 0, Number(frame) - 38 - 4]
      expected.set(
        key,
        (expected.get(key) ?? [0, 0, 0]).map((value, i) => value + counts[i]!),
      )
    }
    const actual = new Map<string, number[]>()
    for (const row of await flowsOfCapture()) {
      const icmp = row.ip_protocol === 1 ? [row.icmp_type ?? 0] : []
      const values = [row.src_mac, row.dst_mac, row.vlan, row.src_addr, row.dst_addr, row.ip_protocol, row.src_l4_port, row.dst_l4_port] // prettier-ignore
      const key = [...values.filter((value) => value !== undefined), ...icmp].join(' ')
      const counts = [row.packets, row.bytes ?? 0, row.l2_bytes].map(Number)
      actual.set(
        key,
        (actual.get(key) ?? [0, 0, 0]).map((value, i) => value + counts[i]!),
      )
    }
    assert.deepEqual(actual, expected)
  })
})

/** Values of the fields, all occurrences separated by commas, packet by packet. */
function tshark(file: string, fields: readonly string[]): string[][] {
  const args = [
    '-n',
    '-d',
    'udp.port==8472,vxlan',
    '-r',
    file,
    '-T',
    'fields',
    ...fields.flatMap((field) => ['-e', field]),
  ]
  return run('tshark', args)
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => line.split('\t'))
}

/** The same for many captures in one run, since tshark needs a third of a second to start. */
async function tsharkOfAll(files: readonly string[], fields: readonly string[]): Promise<Map<string, string[][]>> {
  const result = new Map<string, string[][]>()
  if (files.length === 0) return result
  const directory = mkdtempSync(join(tmpdir(), 'ovsight-'))
  const merged = join(directory, 'all')
  run('mergecap', ['-a', '-w', merged, ...files])
  const packets = tshark(merged, fields)
  rmSync(directory, { recursive: true })
  for (const file of files) {
    let count = 0
    for await (const packet of readCapture(fileBytes(file))) count = packet.number
    result.set(file, packets.splice(0, count))
  }
  assert.equal(packets.length, 0)
  return result
}

const TCPDUMP = `${INTEROP}tcpdump/`
const ENCAP = `${INTEROP}akvorado/encap/`

/** How many datagrams have which status. Everything `ok` is compared with tshark. */
const MIRRORS: readonly [file: string, Readonly<Record<string, number>>][] = [
  [`${TCPDUMP}erspan-type-i-1.pcap`, { ok: 2 }],
  [`${TCPDUMP}erspan-type-i-3.pcap`, { ok: 1 }],
  [`${TCPDUMP}erspan-type-i-4.pcap`, { ok: 96 }],
  [`${TCPDUMP}erspan-type-ii-1.pcap`, { ok: 1 }],
  [`${TCPDUMP}erspan-type-ii-2.pcap`, { ok: 16 }],
  [`${TCPDUMP}erspan-type-ii-3.pcap`, { ok: 108 }],
  [`${TCPDUMP}erspan-type-iii-ft-0.pcap`, { ok: 9 }],
  // A frame type that the draft does not define; tshark shows bytes.
  [`${TCPDUMP}erspan-type-iii-ft-7.pcap`, { unsupported: 58 }],
  // A GRE header with routing bits.
  [`${TCPDUMP}erspan-type-iii-pb-1.pcap`, { unsupported: 1 }],
  // Cisco's inline tags and keepalives, CDP; no mirrored frames.
  [`${TCPDUMP}various_gre.pcap`, { unsupported: 30 }],
  [`${TCPDUMP}wccp_redirect_gre.pcap`, { unsupported: 1 }],
  // The outer header of the first has four words.
  [`${TCPDUMP}gre-heapoverflow-1.pcap`, {}],
  [`${TCPDUMP}gre-heapoverflow-2.pcap`, { unsupported: 1 }],
  [`${TCPDUMP}udp-length-heapoverflow.pcap`, {}],
  [`${TCPDUMP}vxlan.pcap`, { ok: 10 }],
  [`${TCPDUMP}vxlan_port_8472.pcap`, { ok: 10 }],
  [`${TCPDUMP}gso-ipv4-vxlan-ipv4.pcap`, { ok: 1 }],
  [`${TCPDUMP}gso-ipv4-vxlan-ipv6.pcap`, { ok: 1 }],
  [`${TCPDUMP}gso-ipv6-vxlan-ipv4.pcap`, { ok: 1 }],
  [`${TCPDUMP}gso-ipv6-vxlan-ipv6.pcap`, { ok: 1 }],
  [`${TCPDUMP}nsh-over-vxlan-gpe.pcap`, { unsupported: 1 }],
  [`${ENCAP}gre-v4-key.pcap`, { ok: 2 }],
  [`${ENCAP}gre-v4-plain.pcap`, { ok: 1 }],
  [`${ENCAP}gre-v6-plain.pcap`, { ok: 1 }],
]

const INNER_FIELDS = ['eth.src', 'vlan.id', 'ip.src', 'ip.dst', 'ip.proto', 'ipv6.src', 'ipv6.dst', 'ipv6.nxt']
const PORT_FIELDS = [
  'tcp.srcport',
  'tcp.dstport',
  'udp.srcport',
  'udp.dstport',
  'icmp.type',
  'icmpv6.type',
  'erspan.vlan',
]

/** Source MAC, VLAN, addresses, protocol, ports or ICMP type of the inner packet, as tshark has them. */
function innerOfTshark(values: readonly string[], isVxlan: boolean): string {
  const all = values.map((value) => (value === '' ? [] : value.split(',')))
  const [macs, vlans, ip4src, ip4dst, ip4proto, ip6src, ip6dst, ip6next] = all as [string[], string[], string[], string[], string[], string[], string[], string[]] // prettier-ignore
  // One of the two versions has the outer header as its first.
  const outer4 = ip4src.length > 0 && (ip6src.length === 0 || ip4proto[0] === '47' || ip4proto[0] === '17')
  const at4 = outer4 ? 1 : 0
  const at6 = outer4 ? 0 : 1
  const ip =
    ip4src[at4] !== undefined
      ? [ip4src[at4], ip4dst[at4], ip4proto[at4]]
      : ip6src[at6] !== undefined
        ? [long(ip6src[at6]), long(ip6dst[at6]!), ip6next[at6]]
        : []
  const [tcpSrc, tcpDst, udpSrc, udpDst, icmp, icmp6, erspan] = all.slice(8)
  const vlan = vlans[0] ?? erspan!.find((value) => value !== '0')
  const outerUdp = isVxlan ? 1 : 0
  const ports = [tcpSrc![0] ?? udpSrc![outerUdp], tcpDst![0] ?? udpDst![outerUdp], icmp![0] ?? icmp6![0]]
  return [macs[1]?.replaceAll(':', ''), vlan, ...ip, ...ports].filter((value) => value !== undefined).join(' ')
}

/** An IPv6 address without `::`. */
function long(address: string): string {
  const [head, tail] = address.split('::')
  if (tail === undefined) return address
  const known = [head!, tail].map((part) => (part === '' ? [] : part.split(':')))
  return [...known[0]!, ...Array<string>(8 - known[0]!.length - known[1]!.length).fill('0'), ...known[1]!].join(':')
}

function innerOfRow(row: Row): string {
  const isIcmp = row.ip_protocol === 1 || row.ip_protocol === 58
  const hasPorts = row.ip_protocol === 6 || row.ip_protocol === 17
  const values = [row.src_mac, row.vlan, row.src_addr, row.dst_addr, row.ip_protocol]
  if (hasPorts) values.push(row.src_l4_port ?? 0, row.dst_l4_port ?? 0)
  if (isIcmp) values.push(row.icmp_type ?? 0)
  return values.filter((value) => value !== undefined).join(' ')
}

const noTools = missing('tshark') || missing('mergecap')

describe('mirrors of others, beside tshark', { skip: noTools }, () => {
  let all = new Map<string, string[][]>()
  before(async () => {
    const files = MIRRORS.filter(([file, expected]) => 'ok' in expected && existsSync(file)).map(([file]) => file)
    all = await tsharkOfAll(files, [...INNER_FIELDS, ...PORT_FIELDS])
  })
  for (const [file, expected] of MIRRORS) {
    it(file.slice(INTEROP.length), { skip: !existsSync(file) && 'no such capture here' }, async () => {
      const datagrams = await readMirror(file)
      const statuses: Record<string, number> = {}
      for (const { protocol, packet, datagram } of datagrams) {
        const decoder = new MirrorDecoder(protocol, { maxFlows: 1 })
        const batch = new FlowBatch(4)
        const status = DECODE_STATUS_NAMES[decoder.decode(datagram, batch)]!
        statuses[status] = (statuses[status] ?? 0) + 1
        decoder.flush(batch)
        assert.equal(batch.rows, status === 'ok' ? 1 : 0)
        if (status !== 'ok') continue
        const values = all.get(file)![packet - 1]!
        assert.equal(innerOfRow(rowOf(batch, 0)), innerOfTshark(values, protocol === 'vxlan'), `packet ${packet}`)
      }
      assert.deepEqual(statuses, expected)
    })
  }
})

const PLAIN = ['mpls-explicit-null-ipv4', 'mpls-explicit-null-ipv6', 'mpls-ipv4', 'mpls-ipv6', 'vlan-ipv6', 'ipv4-ipv4', 'ipv4-ipv6'] // prettier-ignore
const NOT_IP = ['mpls-eompls-cw', 'mpls-eompls-invalid-cw', 'mpls-invalid-nibble']

describe('frames of others, beside tshark', { skip: noTools }, () => {
  let all = new Map<string, string[][]>()
  before(async () => {
    const fields = ['frame.protocols', 'eth.src', 'vlan.id', 'mpls.label', 'ip.src', 'ip.dst', 'ip.proto', 'ipv6.src']
    fields.push('ipv6.dst', 'tcp.srcport', 'tcp.dstport', 'udp.srcport', 'udp.dstport')
    const files = [...PLAIN, ...NOT_IP].map((name) => `${ENCAP}${name}.pcap`).filter((file) => existsSync(file))
    all = await tsharkOfAll(files, fields)
  })
  for (const name of [...PLAIN, ...NOT_IP]) {
    const file = `${ENCAP}${name}.pcap`
    it(name, { skip: !existsSync(file) && 'no such capture here' }, async () => {
      for await (const packet of readCapture(fileBytes(file))) {
        const batch = new FlowBatch(2)
        new PacketDissector(batch.columns).ethernet(packet.view, packet.start, packet.end, 0)
        const row = rowOf(batch, 0)
        const values = all.get(file)![packet.number - 1]!.map((value) => value.split(',')[0]!)
        const [protocols, mac, vlan, label, src4, dst4, proto4, src6, dst6, ...ports] = values
        assert.equal(row.src_mac, mac!.replaceAll(':', ''))
        assert.equal(row.vlan ?? '', vlan === '' ? '' : Number(vlan))
        assert.equal(row.mpls_label ?? 0, Number(label))
        if (NOT_IP.includes(name)) {
          assert.equal(row.ether_type, 0x8847)
          assert.equal(row.src_addr, undefined)
          continue
        }
        const isV6 = /^[^i]*ipv6/.test(protocols!)
        assert.equal(row.src_addr, isV6 ? long(src6!) : src4)
        assert.equal(row.dst_addr, isV6 ? long(dst6!) : dst4)
        if (!isV6) assert.equal(row.ip_protocol, Number(proto4))
        const wanted = ports.filter((value) => value !== '').map(Number)
        // tshark goes on into a second IP header; a row has the first.
        if (row.ip_protocol === 6 || row.ip_protocol === 17)
          assert.deepEqual([row.src_l4_port, row.dst_l4_port], wanted)
        else assert.equal(row.src_l4_port, undefined)
      }
    })
  }
})
