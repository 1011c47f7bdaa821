import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { DecodeStatusName } from '../../src/decode/status.ts'
import {
  DST_MAC,
  ethernet,
  extension,
  fragment6,
  gre,
  hex,
  ipv4,
  ipv6,
  join,
  SRC_MAC,
  tcp,
  u16,
  u32,
  udp,
  type Bytes,
  type Gre,
} from '../wire/frames.ts'
import type { Row } from './ipfix-feed.ts'
import { decodeOne, essential } from './mirror-feed.ts'

const PACKET = ipv4({ protocol: 6 }, tcp(46672, 5400, 0x018, new Uint8Array(100)))
const FRAME = ethernet(0x0800, PACKET, [[0x8100, 69]])
const UNTAGGED = ethernet(0x0800, PACKET)

const IP_ROW: Row = {
  ether_type: 0x0800,
  ip_version: 4,
  src_addr: '192.168.10.8',
  dst_addr: '192.168.10.9',
  ip_protocol: 6,
  ttl: 64,
  src_l4_port: 46672,
  dst_l4_port: 5400,
  tcp_flags: 0x018,
  packets: 1,
  bytes: 140,
}
const MACS = { src_mac: SRC_MAC, dst_mac: DST_MAC }
/** The tag that the mirror inserted is in `vlan`, not in `l2_bytes`. */
const ROW: Row = { ...IP_ROW, ...MACS, vlan: 69, l2_bytes: 154, corrections: 4 }
const UNTAGGED_ROW: Row = { ...IP_ROW, ...MACS, l2_bytes: 154 }

const outer = (payload: Bytes) => ipv4({ protocol: 47, src: '10.0.10.14', dst: '10.0.10.53' }, payload)
const mirror = (header: Gre, protocol = 0x6558, payload = FRAME) => outer(gre(protocol, header, payload))

const erspan2 = (payload: Bytes, { vlan = 0, session = 0x2a5, index = 0xabcde, version = 1 } = {}) =>
  gre(0x88be, { sequence: 7 }, join(u16((version << 12) | vlan, 0xe000 | session), u32(0xfff00000 + index), payload))

interface Erspan3 {
  session?: number
  frameType?: number
  version?: number
  subHeader?: boolean
}
const erspan3 = (payload: Bytes, { session = 0x155, frameType = 0, version = 2, subHeader = false }: Erspan3 = {}) =>
  gre(
    0x22eb,
    { sequence: 7 },
    join(
      u16(version << 12, session),
      u32(123_456),
      u16(0, 0x8000 | (frameType << 10) | (33 << 4) | 8 | (subHeader ? 1 : 0)),
      subHeader ? u32(0x0400_0001, 99) : new Uint8Array(0),
      payload,
    ),
  )

const vxlan = (payload: Bytes, { flags = 0x08, reserved = 0, vni = 0x10203 } = {}) =>
  join(Uint8Array.of(flags, reserved >>> 16, reserved >>> 8, reserved), u32(((vni << 8) | 0x77) >>> 0), payload)

const GRE_ROW = { ...ROW, export_protocol: 'gre' }
const ERSPAN = { export_protocol: 'erspan' }

interface Case {
  name: string
  protocol?: 'vxlan'
  bytes: Bytes
  status?: DecodeStatusName
  row?: Row
}

const CASES: Case[] = [
  { name: 'GRE as Open vSwitch sends it: no key, no flags', bytes: mirror({}), row: GRE_ROW },
  { name: 'GRE with a key', bytes: mirror({ key: 0xfffffffe }), row: { ...GRE_ROW, observation_point: 0xfffffffe } },
  { name: 'GRE with checksum, key and sequence', bytes: mirror({ checksum: true, key: 5, sequence: 9 }), row: { ...GRE_ROW, observation_point: 5 } }, // prettier-ignore
  { name: 'GRE with a sequence only', bytes: mirror({ sequence: 9 }), row: GRE_ROW },
  { name: 'GRE with flags that are to be ignored', bytes: mirror({ flags: 0x00f8 }), row: GRE_ROW },
  { name: 'GRE with padding behind the outer packet', bytes: join(mirror({}), new Uint8Array(9)), row: GRE_ROW },
  {
    name: 'GRE behind IP options',
    bytes: ipv4({ protocol: 47, options: new Uint8Array(12).fill(1) }, gre(0x6558, {}, FRAME)),
    row: GRE_ROW,
  },
  { name: 'GRE over IPv6', bytes: ipv6({ next: 60 }, extension(47, gre(0x6558, {}, FRAME))), row: GRE_ROW },
  { name: 'an untagged frame', bytes: mirror({}, 0x6558, UNTAGGED), row: { ...UNTAGGED_ROW, export_protocol: 'gre' } },
  {
    name: 'a frame of a trunk, whose own tag is the second',
    bytes: mirror({}, 0x6558, ethernet(0x0800, PACKET, [[0x8100, 69], [0x8100, 100]])), // prettier-ignore
    row: { ...GRE_ROW, inner_vlan: 100, l2_bytes: 158 },
  },
  {
    name: 'ARP',
    bytes: mirror({}, 0x6558, ethernet(0x0806, new Uint8Array(28), [[0x8100, 69]])),
    row: { ...MACS, export_protocol: 'gre', ether_type: 0x0806, vlan: 69, packets: 1, l2_bytes: 42, corrections: 4 },
  },
  { name: 'plain IPv4', bytes: mirror({}, 0x0800, PACKET), row: { ...IP_ROW, export_protocol: 'gre' } },
  {
    name: 'plain IPv6',
    bytes: mirror({ key: 1 }, 0x86dd, ipv6({ next: 17 }, udp(1, 2, new Uint8Array(4)))),
    row: {
      export_protocol: 'gre',
      observation_point: 1,
      ether_type: 0x86dd,
      ip_version: 6,
      src_addr: '2001:db8:0:0:0:0:0:1',
      dst_addr: '2001:db8:0:0:0:0:0:2',
      ip_protocol: 17,
      ttl: 64,
      src_l4_port: 1,
      dst_l4_port: 2,
      packets: 1,
      bytes: 52,
    },
  },
  {
    name: 'MPLS',
    bytes: mirror({}, 0x8847, join(u32(0x10064140), PACKET)),
    row: { ...IP_ROW, export_protocol: 'gre', mpls_label: 0x10064 },
  },
  { name: 'ERSPAN type I', bytes: outer(gre(0x88be, {}, FRAME)), row: { ...ROW, ...ERSPAN } },
  {
    name: 'ERSPAN type II',
    bytes: outer(erspan2(FRAME)),
    row: { ...ROW, ...ERSPAN, observation_point: 0x2a5, observation_domain: 0xabcde },
  },
  {
    name: 'ERSPAN type II whose header alone tells the VLAN',
    bytes: outer(erspan2(UNTAGGED, { vlan: 70, session: 1, index: 0 })),
    row: { ...UNTAGGED_ROW, ...ERSPAN, vlan: 70, observation_point: 1 },
  },
  { name: 'ERSPAN type III', bytes: outer(erspan3(FRAME)), row: { ...ROW, ...ERSPAN, observation_point: 0x155 } },
  {
    name: 'ERSPAN type III with platform sub-header',
    bytes: outer(erspan3(FRAME, { subHeader: true })),
    row: { ...ROW, ...ERSPAN, observation_point: 0x155 },
  },
  {
    name: 'ERSPAN type III with an IP packet',
    bytes: outer(erspan3(PACKET, { frameType: 2 })),
    row: { ...IP_ROW, ...ERSPAN, observation_point: 0x155 },
  },
  {
    name: 'VXLAN',
    protocol: 'vxlan',
    bytes: vxlan(FRAME),
    row: { ...ROW, export_protocol: 'vxlan', observation_point: 0x10203 },
  },
  {
    name: 'VXLAN with a group policy',
    protocol: 'vxlan',
    bytes: vxlan(FRAME, { flags: 0x88, reserved: 0x000064 }),
    row: { ...ROW, export_protocol: 'vxlan', observation_point: 0x10203 },
  },
  ...(
    [
      ['an IPv4 packet', 1],
      ['an Ethernet frame', 3],
    ] as const
  ).map(([what, reserved]) => ({
    // prettier-ignore
    name: `VXLAN-GPE with ${what}`,
    protocol: 'vxlan' as const,
    bytes: vxlan(reserved === 1 ? PACKET : FRAME, { flags: 0x0c, reserved }),
    row: { ...(reserved === 1 ? IP_ROW : ROW), export_protocol: 'vxlan', observation_point: 0x10203 },
  })),

  { name: 'less than an IP header', bytes: outer(new Uint8Array(0)).slice(0, 19), status: 'short_header' },
  { name: 'IP version 5', bytes: ipv4({ protocol: 47, version: 5 }, gre(0x6558, {}, FRAME)), status: 'bad_version' },
  { name: 'an outer header of four words', bytes: ipv4({ protocol: 47, headerWords: 4 }, FRAME), status: 'bad_length' },
  {
    name: 'an outer length below its header',
    bytes: ipv4({ protocol: 47, totalLength: 19 }, FRAME),
    status: 'bad_length',
  },
  { name: 'UDP where GRE should be', bytes: ipv4({ protocol: 17 }, FRAME), status: 'unsupported' },
  { name: 'a later fragment', bytes: ipv4({ protocol: 47, fragment: 0x2000 | 10 }, FRAME), status: 'unsupported' },
  { name: 'a later fragment of IPv6', bytes: ipv6({ next: 44 }, fragment6(47, 80, 1, FRAME)), status: 'unsupported' },
  { name: 'half a GRE header', bytes: outer(u16(0)), status: 'short_header' },
  { name: 'a GRE key that is missing', bytes: outer(u16(0x2000, 0x6558, 1)), status: 'short_header' },
  { name: 'GRE version 1 (PPTP)', bytes: mirror({ flags: 0x0001, key: 1 }, 0x880b), status: 'bad_version' },
  { name: 'GRE with routing', bytes: mirror({ flags: 0x4000 }), status: 'unsupported' },
  { name: 'GRE with a strict source route', bytes: mirror({ flags: 0x0800 }), status: 'unsupported' },
  { name: 'GRE with recursion control', bytes: mirror({ flags: 0x0100 }), status: 'unsupported' },
  { name: 'a GRE keepalive', bytes: mirror({}, 0, new Uint8Array(0)), status: 'unsupported' },
  { name: 'ERSPAN type II of version 2', bytes: outer(erspan2(FRAME, { version: 2 })), status: 'bad_version' },
  {
    name: 'ERSPAN type II without its header',
    bytes: outer(gre(0x88be, { sequence: 1 }, u32(0))),
    status: 'short_header',
  },
  { name: 'ERSPAN type III of version 1', bytes: outer(erspan3(FRAME, { version: 1 })), status: 'bad_version' },
  {
    name: 'ERSPAN type III with another frame type',
    bytes: outer(erspan3(FRAME, { frameType: 7 })),
    status: 'unsupported',
  },
  { name: 'ERSPAN type III without its sub-header', bytes: outer(erspan3(u32(0), { subHeader: true }).slice(0, -9)), status: 'short_header' }, // prettier-ignore
  { name: 'VXLAN without a valid VNI', protocol: 'vxlan', bytes: vxlan(FRAME, { flags: 0 }), status: 'bad_header' },
  { name: 'VXLAN-GPE of another version', protocol: 'vxlan', bytes: vxlan(FRAME, { flags: 0x1c, reserved: 3 }), status: 'bad_version' }, // prettier-ignore
  { name: 'VXLAN-GPE with NSH', protocol: 'vxlan', bytes: vxlan(FRAME, { flags: 0x0c, reserved: 4 }), status: 'unsupported' }, // prettier-ignore
  { name: 'VXLAN-GPE for its own management', protocol: 'vxlan', bytes: vxlan(FRAME, { flags: 0x0d, reserved: 3 }), status: 'unsupported' }, // prettier-ignore
  { name: 'half a VXLAN header', protocol: 'vxlan', bytes: vxlan(FRAME).slice(0, 7), status: 'short_header' },
  { name: 'less than an Ethernet header', protocol: 'vxlan', bytes: vxlan(FRAME.slice(0, 13)), status: 'truncated' },
  { name: 'nothing in GRE', bytes: mirror({}, 0x6558, new Uint8Array(0)), status: 'truncated' },
  { name: 'no IP in plain IP', bytes: mirror({}, 0x0800, hex('00112233')), status: 'bad_header' },
]

describe('the encapsulation of a mirror', () => {
  for (const { name, protocol = 'gre', bytes, status = 'ok', row } of CASES) {
    it(`${name}: ${status}`, () => {
      const found = decodeOne(protocol, bytes)
      assert.equal(found.status, status)
      assert.deepEqual(found.rows.map(essential), row === undefined ? [] : [row])
    })
  }
})

describe('lengths of mirrored frames', () => {
  const lengths = (bytes: Bytes, options = {}) => {
    const { status, rows } = decodeOne('gre', bytes, options)
    const { bytes: l3, l2_bytes: l2, corrections } = rows[0]!
    return [status, l3, l2, corrections]
  }

  it('of a frame cut by the mirror (snaplen) come from its IP header', () => {
    const large = ethernet(0x0800, ipv4({ protocol: 6, totalLength: 1400 }, tcp(1, 2, 0x10)), [[0x8100, 69]])
    assert.deepEqual(lengths(mirror({}, 0x6558, large)), ['ok', 1400, 1414, 4 | 8])
    const six = ethernet(0x86dd, ipv6({ next: 6, payloadLength: 1460 }, tcp(1, 2, 0x10)))
    assert.deepEqual(lengths(mirror({}, 0x6558, six)), ['ok', 1500, 1514, 8])
  })

  it('of a datagram cut by a capture come from the outer header, padding included', () => {
    const padded = mirror({}, 0x6558, join(UNTAGGED, new Uint8Array(6)))
    assert.deepEqual(lengths(padded.subarray(0, 100)), ['ok', 140, 160, 8])
    const arp = mirror({}, 0x6558, ethernet(0x0806, new Uint8Array(46)))
    assert.deepEqual(lengths(arp.subarray(0, 60)), ['ok', undefined, 60, undefined])
  })

  it('of the first fragment of a datagram are those of the whole frame', () => {
    const whole = gre(0x6558, {}, FRAME)
    const first = ipv4({ protocol: 47, fragment: 0x2000 }, whole.slice(0, 80))
    assert.deepEqual(lengths(first), ['ok', 140, 154, 4 | 8])
  })

  it('keep the tag where the mirror does not insert one', () => {
    assert.deepEqual(lengths(mirror({}), { tagInserted: false }), ['ok', 140, 158, undefined])
  })

  it('of a frame whose headers end early are what is there', () => {
    const cut = ethernet(0x0800, PACKET.slice(0, 10), [[0x8100, 69]])
    assert.deepEqual(lengths(mirror({}, 0x6558, cut)), ['truncated', 10, 24, 4])
  })
})
