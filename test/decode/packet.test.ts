import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { layer3Octets, PacketDissector } from '../../src/decode/packet.ts'
import { DECODE_STATUS_NAMES, type DecodeStatusName } from '../../src/decode/status.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { rowOf, restIsZero, type Row } from './ipfix-feed.ts'
import {
  DST_MAC,
  ethernet,
  extension,
  fragment6,
  hex,
  icmp,
  ipv4,
  ipv6,
  join,
  SRC_MAC,
  tcp,
  u16,
  u32,
  udp,
  type Bytes,
} from '../wire/frames.ts'

interface Dissected {
  status: DecodeStatusName
  row: Row
  /** ipVersion, ipLength, l2Length, tags. */
  lengths: number[]
}

function dissect(bytes: Bytes, as: 'ethernet' | 'ip' | 'mpls' = 'ethernet', cut = bytes.length): Dissected {
  const memory = new Uint8Array(bytes.length + 16).fill(0xee)
  memory.set(bytes, 7)
  const batch = new FlowBatch(3)
  const packet = new PacketDissector(batch.columns)
  const status = packet[as](new DataView(memory.buffer), 7, 7 + cut, 1)
  batch.rows = 2
  assert.deepEqual(rowOf(batch, 0), {})
  assert.ok(restIsZero(batch))
  return {
    status: DECODE_STATUS_NAMES[status]!,
    row: rowOf(batch, 1),
    lengths: [packet.ipVersion, packet.ipLength, packet.l2Length, packet.tags],
  }
}

const MACS = { src_mac: SRC_MAC, dst_mac: DST_MAC }
const IP4 = { ether_type: 0x0800, ip_version: 4, src_addr: '192.168.10.8', dst_addr: '192.168.10.9', ttl: 64 }
const IP6 = {
  ether_type: 0x86dd,
  ip_version: 6,
  src_addr: '2001:db8:0:0:0:0:0:1',
  dst_addr: '2001:db8:0:0:0:0:0:2',
  ttl: 64,
}
const PORTS = { src_l4_port: 46672, dst_l4_port: 5400 }
const SYN_TCP = tcp(46672, 5400, 0x002)
const UDP = udp(46672, 5400, new Uint8Array(10))

interface Case {
  name: string
  bytes: Bytes
  as?: 'ip' | 'mpls'
  status?: DecodeStatusName
  row: Row
  lengths: number[]
}

const CASES: Case[] = [
  {
    name: 'TCP over IPv4',
    bytes: ethernet(0x0800, ipv4({ protocol: 6, tos: 0xb8 }, SYN_TCP)),
    row: { ...MACS, ...IP4, tos: 0xb8, ip_protocol: 6, ...PORTS, tcp_flags: 2 },
    lengths: [4, 40, 14, 0],
  },
  {
    name: 'all twelve TCP flags, but not the data offset',
    bytes: ethernet(0x0800, ipv4({ protocol: 6 }, tcp(46672, 5400, 0xfff))),
    row: { ...MACS, ...IP4, ip_protocol: 6, ...PORTS, tcp_flags: 0xfff },
    lengths: [4, 40, 14, 0],
  },
  {
    name: 'IPv4 options, 40 bytes',
    bytes: ethernet(0x0800, ipv4({ protocol: 17, options: new Uint8Array(40).fill(1) }, UDP)),
    row: { ...MACS, ...IP4, ip_protocol: 17, ...PORTS },
    lengths: [4, 78, 14, 0],
  },
  {
    name: 'SCTP',
    bytes: ethernet(0x0800, ipv4({ protocol: 132 }, UDP)),
    row: { ...MACS, ...IP4, ip_protocol: 132, ...PORTS },
    lengths: [4, 38, 14, 0],
  },
  {
    name: 'ICMP',
    bytes: ethernet(0x0800, ipv4({ protocol: 1 }, icmp(3, 4))),
    row: { ...MACS, ...IP4, ip_protocol: 1, icmp_type: 3, icmp_code: 4 },
    lengths: [4, 28, 14, 0],
  },
  {
    name: 'GRE, which has no ports',
    bytes: ethernet(0x0800, ipv4({ protocol: 47 }, UDP)),
    row: { ...MACS, ...IP4, ip_protocol: 47 },
    lengths: [4, 38, 14, 0],
  },
  {
    name: 'a first fragment, with ports',
    bytes: ethernet(0x0800, ipv4({ protocol: 17, fragment: 0x2000 }, UDP)),
    row: { ...MACS, ...IP4, ip_protocol: 17, ...PORTS },
    lengths: [4, 38, 14, 0],
  },
  {
    name: 'a later fragment, whose payload is not taken for ports',
    bytes: ethernet(0x0800, ipv4({ protocol: 17, fragment: 0x2000 | 185 }, UDP)),
    row: { ...MACS, ...IP4, ip_protocol: 17, ip_fragment: 1 },
    lengths: [4, 38, 14, 0],
  },
  {
    name: 'the reserved flag, which is no fragment',
    bytes: ethernet(0x0800, ipv4({ protocol: 17, fragment: 0xc000 }, UDP)),
    row: { ...MACS, ...IP4, ip_protocol: 17, ...PORTS },
    lengths: [4, 38, 14, 0],
  },
  {
    name: 'padding, which is not taken for ports',
    bytes: ethernet(0x0800, join(ipv4({ protocol: 17 }, new Uint8Array(2)), new Uint8Array(24).fill(9))),
    status: 'truncated',
    row: { ...MACS, ...IP4, ip_protocol: 17 },
    lengths: [4, 22, 14, 0],
  },
  {
    name: 'a total length of 0, as segmentation offload leaves it',
    bytes: ethernet(0x0800, ipv4({ protocol: 6, totalLength: 0 }, SYN_TCP)),
    row: { ...MACS, ...IP4, ip_protocol: 6, ...PORTS, tcp_flags: 2 },
    lengths: [4, 0, 14, 0],
  },
  {
    name: 'a total length below the header',
    bytes: ethernet(0x0800, ipv4({ protocol: 6, totalLength: 19 }, SYN_TCP)),
    status: 'bad_header',
    row: { ...MACS, ...IP4, ip_protocol: 6 },
    lengths: [4, 0, 14, 0],
  },
  {
    name: 'a header of four words',
    bytes: ethernet(0x0800, ipv4({ protocol: 6, headerWords: 4 }, SYN_TCP)),
    status: 'bad_header',
    row: { ...MACS, ether_type: 0x0800 },
    lengths: [0, 0, 14, 0],
  },
  {
    name: 'IPv6 behind the ether type of IPv4',
    bytes: ethernet(0x0800, ipv6({ next: 6 }, SYN_TCP)),
    status: 'bad_header',
    row: { ...MACS, ether_type: 0x0800 },
    lengths: [0, 0, 14, 0],
  },
  {
    name: 'TCP over IPv6',
    bytes: ethernet(0x86dd, ipv6({ next: 6, trafficClass: 0x2e, flowLabel: 0xabcde, hopLimit: 255 }, SYN_TCP)),
    row: { ...MACS, ...IP6, ttl: 255, tos: 0x2e, flow_label: 0xabcde, ip_protocol: 6, ...PORTS, tcp_flags: 2 },
    lengths: [6, 60, 14, 0],
  },
  {
    name: 'ICMPv6',
    bytes: ethernet(0x86dd, ipv6({ next: 58 }, icmp(135, 0))),
    row: { ...MACS, ...IP6, ip_protocol: 58, icmp_type: 135 },
    lengths: [6, 48, 14, 0],
  },
  {
    name: 'hop-by-hop, routing, destination options and authentication before UDP',
    bytes: ethernet(
      0x86dd,
      ipv6(
        { next: 0 },
        extension(43, extension(60, extension(51, join(Uint8Array.of(17, 4), new Uint8Array(22), UDP)), 3), 1),
      ),
    ),
    row: { ...MACS, ...IP6, ip_protocol: 17, ...PORTS },
    lengths: [6, 40 + 16 + 32 + 8 + 24 + 18, 14, 0],
  },
  {
    name: 'a first fragment of IPv6',
    bytes: ethernet(0x86dd, ipv6({ next: 44 }, fragment6(17, 1, 5, UDP))),
    row: { ...MACS, ...IP6, ip_protocol: 17, ...PORTS },
    lengths: [6, 66, 14, 0],
  },
  {
    name: 'a later fragment of IPv6, whose payload is not taken for headers',
    bytes: ethernet(0x86dd, ipv6({ next: 0 }, extension(44, fragment6(60, 8, 5, UDP)))),
    row: { ...MACS, ...IP6, ip_protocol: 60, ip_fragment: 1 },
    lengths: [6, 74, 14, 0],
  },
  {
    name: 'nine extension headers',
    bytes: ethernet(0x86dd, ipv6({ next: 60 }, extensions(9, UDP))),
    status: 'too_deep',
    row: { ...MACS, ...IP6, ip_protocol: 60 },
    lengths: [6, 40 + 72 + 18, 14, 0],
  },
  {
    name: 'eight extension headers',
    bytes: ethernet(0x86dd, ipv6({ next: 60 }, extensions(8, UDP))),
    row: { ...MACS, ...IP6, ip_protocol: 17, ...PORTS },
    lengths: [6, 40 + 64 + 18, 14, 0],
  },
  {
    name: 'an extension header longer than the packet',
    bytes: ethernet(0x86dd, ipv6({ next: 60 }, Uint8Array.of(17, 200, 0, 0, 0, 0, 0, 0))),
    status: 'truncated',
    row: { ...MACS, ...IP6, ip_protocol: 17 },
    lengths: [6, 48, 14, 0],
  },
  {
    name: 'no next header',
    bytes: ethernet(0x86dd, ipv6({ next: 59 }, new Uint8Array(0))),
    row: { ...MACS, ...IP6, ip_protocol: 59 },
    lengths: [6, 40, 14, 0],
  },
  {
    name: 'a jumbogram, whose length the header does not tell',
    bytes: ethernet(0x86dd, ipv6({ next: 0, payloadLength: 0 }, extension(17, UDP))),
    row: { ...MACS, ...IP6, ip_protocol: 17, ...PORTS },
    lengths: [6, 0, 14, 0],
  },
  {
    name: '802.1Q',
    bytes: ethernet(0x0800, ipv4({ protocol: 17 }, UDP), [[0x8100, 0xe045]]),
    row: { ...MACS, ...IP4, vlan: 69, ip_protocol: 17, ...PORTS },
    lengths: [4, 38, 18, 1],
  },
  {
    name: '802.1ad',
    bytes: ethernet(0x86dd, ipv6({ next: 17 }, UDP), [[0x88a8, 100], [0x8100, 200]]), // prettier-ignore
    row: { ...MACS, ...IP6, vlan: 100, inner_vlan: 200, ip_protocol: 17, ...PORTS },
    lengths: [6, 58, 22, 2],
  },
  {
    name: 'three tags, of which the third is not stored',
    bytes: ethernet(0x0800, ipv4({ protocol: 17 }, UDP), [[0x9100, 1], [0x8100, 2], [0x8100, 3]]), // prettier-ignore
    row: { ...MACS, ...IP4, vlan: 1, inner_vlan: 2, ip_protocol: 17, ...PORTS },
    lengths: [4, 38, 26, 3],
  },
  {
    name: '20 tags',
    bytes: ethernet(
      0x0800,
      ipv4({ protocol: 17 }, UDP),
      Array.from({ length: 20 }, (_, i) => [0x8100, i + 1]),
    ),
    status: 'too_deep',
    row: { ...MACS, ether_type: 0x8100, vlan: 1, inner_vlan: 2 },
    lengths: [0, 0, 46, 8],
  },
  {
    name: 'ARP',
    bytes: ethernet(0x0806, new Uint8Array(28).fill(1)),
    row: { ...MACS, ether_type: 0x0806 },
    lengths: [0, 0, 14, 0],
  },
  {
    name: 'spanning tree (802.3 with LLC)',
    bytes: ethernet(38, hex('42 42 03 0000 00 00 00')),
    row: { ...MACS },
    lengths: [0, 0, 14, 0],
  },
  {
    name: 'IPv4 in SNAP',
    bytes: ethernet(46, join(hex('aaaa03 000000 0800'), ipv4({ protocol: 17 }, UDP))),
    row: { ...MACS, ...IP4, ip_protocol: 17, ...PORTS },
    lengths: [4, 38, 22, 0],
  },
  {
    name: 'SNAP of Cisco, whose type is no ether type',
    bytes: ethernet(46, join(hex('aaaa03 00000c 2000'), new Uint8Array(38))),
    row: { ...MACS },
    lengths: [0, 0, 14, 0],
  },
  {
    name: 'MPLS with three labels over IPv4',
    bytes: ethernet(0x8847, join(u32(0x10064040, 0x20000040, 0x30000140), ipv4({ protocol: 17 }, UDP))),
    row: { ...MACS, ...IP4, mpls_label: 0x10064, ip_protocol: 17, ...PORTS },
    lengths: [4, 38, 26, 0],
  },
  {
    name: 'MPLS over IPv6 behind a tag',
    bytes: ethernet(0x8848, join(u32(0x00002140), ipv6({ next: 17 }, UDP)), [[0x8100, 5]]),
    row: { ...MACS, ...IP6, vlan: 5, mpls_label: 2, ip_protocol: 17, ...PORTS },
    lengths: [6, 58, 22, 1],
  },
  {
    name: 'MPLS over something else (a control word)',
    bytes: ethernet(0x8847, join(u32(0x10064140), new Uint8Array(60))),
    row: { ...MACS, ether_type: 0x8847, mpls_label: 0x10064 },
    lengths: [0, 0, 18, 0],
  },
  {
    name: 'a label stack without bottom that ends with the packet',
    bytes: ethernet(0x8847, u32(0x10064040, 0x20000040)),
    status: 'truncated',
    row: { ...MACS, ether_type: 0x8847, mpls_label: 0x10064 },
    lengths: [0, 0, 22, 0],
  },
  {
    name: 'a label stack without bottom',
    bytes: ethernet(0x8847, new Uint8Array(400)),
    status: 'too_deep',
    row: { ...MACS, ether_type: 0x8847 },
    lengths: [0, 0, 74, 0],
  },
  {
    name: 'IPv4 alone',
    as: 'ip',
    bytes: ipv4({ protocol: 17 }, UDP),
    row: { ...IP4, ip_protocol: 17, ...PORTS },
    lengths: [4, 38, 0, 0],
  },
  {
    name: 'IPv6 alone',
    as: 'ip',
    bytes: ipv6({ next: 17 }, UDP),
    row: { ...IP6, ip_protocol: 17, ...PORTS },
    lengths: [6, 58, 0, 0],
  },
  { name: 'neither', as: 'ip', bytes: u16(0x5000, 1), status: 'bad_header', row: {}, lengths: [0, 0, 0, 0] },
  {
    name: 'labels alone',
    as: 'mpls',
    bytes: join(u32(0x10064140), ipv4({ protocol: 17 }, UDP)),
    row: { ...IP4, mpls_label: 0x10064, ip_protocol: 17, ...PORTS },
    lengths: [4, 38, 4, 0],
  },
]

function extensions(count: number, payload: Bytes): Bytes {
  return count === 0 ? payload : extension(count === 1 ? 17 : 60, extensions(count - 1, payload))
}

describe('the headers of a packet', () => {
  for (const { name, bytes, as = 'ethernet', status = 'ok', row, lengths } of CASES) {
    it(name, () => assert.deepEqual(dissect(bytes, as), { status, row, lengths }))
  }

  it('cut at any byte, give what was there, a column at a time, and never another value', () => {
    for (const { name, bytes, as = 'ethernet', status = 'ok', row } of CASES) {
      let known = 0
      for (let cut = 0; cut < bytes.length; cut++) {
        const found = dissect(bytes, as, cut)
        assert.ok(['ok', 'truncated', 'bad_header', 'too_deep'].includes(found.status))
        // Where a header ends inside the cut nothing tells that more was there; the ether type may be that of a layer between.
        const { ether_type: _type, ip_protocol: _protocol, ...values } = found.row
        for (const [column, value] of Object.entries(values)) {
          assert.equal(value, row[column as keyof Row], `${name}, cut at ${cut}: ${column}`)
        }
        assert.ok(Object.keys(values).length >= known, `${name}, cut at ${cut}`)
        known = Object.keys(values).length
        if (found.status === 'ok') assert.ok(status !== 'truncated')
      }
    }
  })

  it('damaged at any byte, give a known status and write nothing but the row', () => {
    for (const { bytes, as = 'ethernet' } of CASES) {
      for (let at = 0; at < Math.min(bytes.length, 140); at++) {
        for (const value of [0, 0xff, bytes[at]! ^ 0x40]) {
          const changed = Uint8Array.from(bytes)
          changed[at] = value
          const { status, lengths } = dissect(changed, as)
          assert.ok(['ok', 'truncated', 'bad_header', 'too_deep'].includes(status))
          assert.ok(lengths[2]! <= bytes.length)
        }
      }
    }
  })
})

describe('layer-3 octets', () => {
  const octets = (bytes: Bytes, frameLength: number) => {
    const packet = new PacketDissector(new FlowBatch(1).columns)
    packet.ethernet(new DataView(bytes.buffer), 0, bytes.length, 0)
    return layer3Octets(packet, frameLength)
  }
  const frame = ethernet(0x0800, ipv4({ protocol: 17, totalLength: 300 }, UDP), [[0x8100, 69]])

  it('are the total length of IP, so that padding does not count', () => {
    assert.equal(octets(frame, 18 + 300), 300)
    assert.equal(octets(frame, 18 + 300 + 46), 300)
    assert.equal(octets(ethernet(0x86dd, ipv6({ next: 17, payloadLength: 100 }, UDP)), 200), 140)
  })
  it('are the rest of the frame where IP claims more than that, or does not tell', () => {
    assert.equal(octets(frame, 200), 182)
    assert.equal(octets(ethernet(0x0800, ipv4({ protocol: 17, totalLength: 0 }, UDP)), 9014), 9000)
    assert.equal(octets(frame.slice(0, 25), 200), 182)
  })
  it('leave out the labels of MPLS', () => {
    assert.equal(octets(ethernet(0x8847, join(u32(0x140), ipv4({ protocol: 17, totalLength: 0 }, UDP))), 118), 100)
  })
  it('are 0 for what is not IP, and never negative', () => {
    assert.equal(octets(ethernet(0x0806, new Uint8Array(28)), 42), 0)
    assert.equal(octets(frame, 10), 0)
  })
})
