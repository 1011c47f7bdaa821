import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CapturedPacket } from '../../src/wire/captured-packet.ts'
import { Reassembly } from '../../src/wire/reassembly.ts'
import { TRANSPORT, Transport, type TransportKind } from '../../src/wire/transport.ts'
import { ethernet, extension, fragment6, gre, hex, ipv4, ipv6, join, u16, udp, V6_SRC, type Bytes } from './frames.ts'

const PAYLOAD = Uint8Array.from({ length: 40 }, (_, i) => i + 1)
const LINK = { null: 0, ethernet: 1, raw: 101, loop: 108, cooked: 113, cooked2: 276 }

function captured(linkType: number, bytes: Bytes, { timeMs = 0, originalLength = bytes.length } = {}): CapturedPacket {
  // Not at the start of its memory, and not aligned.
  const memory = new Uint8Array(bytes.length + 10).fill(0x5a)
  memory.set(bytes, 5)
  const view = new DataView(memory.buffer)
  return { number: 1, timeMs, linkType, bytes: memory, view, start: 5, end: 5 + bytes.length, originalLength }
}

function found(transport: Transport): Bytes {
  return transport.bytes.slice(transport.start, transport.end)
}

function source(transport: Transport): string {
  return Buffer.from(transport.source.buffer).toString('hex')
}

const UDP4 = ipv4({ protocol: 17, src: '10.0.10.14' }, udp(40_000, 4739, PAYLOAD))
const UDP6 = ipv6({ next: 17 }, udp(40_000, 4739, PAYLOAD))
const MAPPED = '00000000000000000000ffff0a000a0e'

describe('the datagram in a packet', () => {
  const links: [string, number, Bytes][] = [
    ['Ethernet', LINK.ethernet, ethernet(0x0800, UDP4)],
    ['Ethernet with padding', LINK.ethernet, join(ethernet(0x0800, UDP4), new Uint8Array(9))],
    ['802.1Q', LINK.ethernet, ethernet(0x0800, UDP4, [[0x8100, 69]])],
    ['QinQ', LINK.ethernet, ethernet(0x0800, UDP4, [[0x88a8, 7], [0x8100, 69]])], // prettier-ignore
    ['raw IP', LINK.raw, UDP4],
    ['raw IP of BSD', 12, UDP4],
    ['raw IP of OpenBSD', 14, UDP4],
    ['IPv4', 228, UDP4],
    ['null', LINK.null, join(hex('02000000'), UDP4)],
    ['loop', LINK.loop, join(hex('00000002'), UDP4)],
    ['cooked', LINK.cooked, join(hex('0000 0001 0006 fa163e21cf75 0000 0800'), UDP4)],
    ['cooked with tag', LINK.cooked, join(hex('0000 0001 0006 fa163e21cf75 0000 8100 0045 0800'), UDP4)],
    ['cooked v2', LINK.cooked2, join(hex('0800 0000 00000003 0001 00 06 fa163e21cf75 0000'), UDP4)],
    ['Ethernet, IPv6', LINK.ethernet, ethernet(0x86dd, UDP6)],
    ['IPv6', 229, UDP6],
    ['cooked v2, IPv6', LINK.cooked2, join(hex('86dd 0000 00000003 0001 00 06 fa163e21cf75 0000'), UDP6)],
  ]
  for (const [name, linkType, bytes] of links) {
    it(`is found on ${name}`, () => {
      const transport = new Transport()
      assert.equal(transport.find(captured(linkType, bytes)), TRANSPORT.udp)
      assert.deepEqual(found(transport), PAYLOAD)
      assert.equal(transport.sourcePort, 40_000)
      assert.equal(transport.destinationPort, 4739)
      assert.equal(transport.cut, false)
      assert.equal(source(transport), name.includes('IPv6') ? V6_SRC : MAPPED)
    })
  }

  it('lies behind IP options and extension headers', () => {
    const transport = new Transport()
    const options = ipv4({ protocol: 17, options: new Uint8Array(40).fill(1) }, udp(1, 2, PAYLOAD))
    assert.equal(transport.find(captured(LINK.raw, options)), TRANSPORT.udp)
    assert.deepEqual(found(transport), PAYLOAD)
    const whole = fragment6(17, 0, 1, udp(1, 2, PAYLOAD))
    const chain = ipv6({ next: 0 }, extension(60, extension(43, extension(44, whole), 1), 2))
    assert.equal(transport.find(captured(LINK.raw, chain)), TRANSPORT.udp)
    assert.deepEqual(found(transport), PAYLOAD)
  })

  it('is the whole GRE packet from its outer IP header on', () => {
    const transport = new Transport()
    for (const packet of [
      ipv4({ protocol: 47 }, gre(0x6558, {}, PAYLOAD)),
      ipv6({ next: 47 }, gre(0x6558, {}, PAYLOAD)),
    ]) {
      assert.equal(transport.find(captured(LINK.raw, join(packet, new Uint8Array(4)))), TRANSPORT.gre)
      assert.deepEqual(found(transport), packet)
      assert.equal(transport.sourcePort, 0)
    }
  })

  it('is marked when the capture cut it, and ends where the capture does', () => {
    const transport = new Transport()
    const cut = captured(LINK.raw, UDP4.subarray(0, 50), { originalLength: UDP4.length })
    assert.equal(transport.find(cut), TRANSPORT.udp)
    assert.equal(transport.cut, true)
    assert.deepEqual(found(transport), PAYLOAD.slice(0, 22))
  })

  const others: [string, number, Bytes, TransportKind][] = [
    ['TCP', LINK.raw, ipv4({ protocol: 6 }, PAYLOAD), TRANSPORT.other],
    ['ARP', LINK.ethernet, ethernet(0x0806, PAYLOAD), TRANSPORT.other],
    ['ICMPv6 behind hop-by-hop', LINK.raw, ipv6({ next: 0 }, extension(58, PAYLOAD)), TRANSPORT.other],
    ['20 tags', LINK.ethernet, ethernet(0x0800, UDP4, Array(20).fill([0x8100, 1])), TRANSPORT.other],
    ['an unknown link type', 147, UDP4, TRANSPORT.other],
    ['a header of four words', LINK.raw, ipv4({ protocol: 17, headerWords: 4 }, udp(1, 2, PAYLOAD)), TRANSPORT.damaged],
    [
      'a total length below its header',
      LINK.raw,
      ipv4({ protocol: 17, totalLength: 19 }, udp(1, 2, PAYLOAD)),
      TRANSPORT.damaged,
    ],
    ['a UDP length of 7', LINK.raw, ipv4({ protocol: 17 }, udp(1, 2, PAYLOAD, 7)), TRANSPORT.damaged],
    ['half a UDP header', LINK.raw, ipv4({ protocol: 17 }, u16(1, 2)), TRANSPORT.damaged],
    ['IP version 5', LINK.raw, ipv4({ protocol: 17, version: 5 }, udp(1, 2, PAYLOAD)), TRANSPORT.damaged],
    ['nine extension headers', LINK.raw, ipv6({ next: 0 }, nested(9, udp(1, 2, PAYLOAD))), TRANSPORT.damaged],
  ]
  for (const [name, linkType, bytes, kind] of others) {
    it(`is not found in ${name}`, () => assert.equal(new Transport().find(captured(linkType, bytes)), kind))
  }

  it('any packet cut or damaged at any byte, it stays inside the packet', () => {
    const transport = new Transport()
    for (const [, linkType, bytes] of links) {
      for (let at = 0; at < bytes.length; at++) {
        const changed = Uint8Array.from(bytes)
        changed[at] = changed[at]! ^ (1 << (at % 8))
        for (const packet of [captured(linkType, bytes.subarray(0, at)), captured(linkType, changed)]) {
          const kind = transport.find(packet)
          if (kind !== TRANSPORT.udp && kind !== TRANSPORT.gre) continue
          assert.ok(transport.start >= packet.start && transport.start <= transport.end && transport.end <= packet.end)
        }
      }
    }
  })
})

function nested(count: number, payload: Bytes): Bytes {
  return count === 0 ? payload : extension(count === 1 ? 17 : 60, nested(count - 1, payload))
}

const LARGE = Uint8Array.from({ length: 4000 }, (_, i) => i * 7)

/** Fragments of a UDP datagram, `size` bytes each. */
function fragments(
  version: 4 | 6,
  size: number,
  { id = 9, src = '10.0.10.14', payload = LARGE, protocol = 17 } = {},
): Bytes[] {
  const whole = protocol === 17 ? udp(1000, 4739, payload) : gre(0x6558, {}, payload)
  const result: Bytes[] = []
  for (let at = 0; at < whole.length; at += size) {
    const part = whole.slice(at, at + size)
    const more = at + size < whole.length
    result.push(
      version === 4
        ? ipv4({ protocol, src, id, fragment: (more ? 0x2000 : 0) | (at / 8) }, part)
        : ipv6({ next: 44 }, fragment6(protocol, at | (more ? 1 : 0), id, part)),
    )
  }
  return result
}

/** What the last packet gave; all before it must be fragments. */
function feed(transport: Transport, packets: readonly Bytes[], timeMs = 0): TransportKind {
  let kind: TransportKind = TRANSPORT.other
  for (const [i, packet] of packets.entries()) {
    kind = transport.find(captured(LINK.raw, packet, { timeMs }))
    if (i < packets.length - 1) assert.equal(kind, TRANSPORT.fragment)
  }
  return kind
}

describe('fragments', () => {
  for (const version of [4, 6] as const) {
    it(`of IPv${version} are put together in any order`, () => {
      const transport = new Transport()
      const parts = fragments(version, 1480)
      for (const order of [
        [0, 1, 2],
        [2, 1, 0],
        [1, 2, 0],
        [1, 0, 2],
      ]) {
        // prettier-ignore
        assert.equal(feed(transport, order.map((i) => parts[i]!)), TRANSPORT.udp)
        assert.deepEqual(found(transport), LARGE)
        assert.equal(transport.destinationPort, 4739)
        assert.equal(source(transport), version === 4 ? MAPPED : V6_SRC)
      }
      assert.equal(transport.reassembly.reassembled, 4)
    })

    it(`of GRE over IPv${version} become a packet with an outer header`, () => {
      const transport = new Transport()
      assert.equal(feed(transport, fragments(version, 1024, { protocol: 47 })), TRANSPORT.gre)
      const packet = gre(0x6558, {}, LARGE)
      const header = version === 4 ? { protocol: 47, src: '10.0.10.14', ttl: 64 } : undefined
      const expected = header === undefined ? ipv6({ next: 47 }, packet) : ipv4(header, packet)
      const actual = found(transport)
      if (version === 4) actual[8] = 64
      assert.deepEqual(actual, expected)
    })
  }

  it('of several datagrams at once do not mix', () => {
    const transport = new Transport()
    const a = fragments(4, 1480, { id: 1 })
    const b = fragments(4, 1480, { id: 2, payload: LARGE.slice(0, 3000) })
    const c = fragments(4, 1480, { id: 1, src: '10.0.10.23', payload: LARGE.slice(0, 3500) })
    assert.equal(feed(transport, [a[0]!, b[0]!, c[0]!, a[1]!, b[1]!, c[1]!, a[2]!]), TRANSPORT.udp)
    assert.deepEqual(found(transport), LARGE)
    assert.equal(feed(transport, [b[2]!]), TRANSPORT.udp)
    assert.equal(transport.end - transport.start, 3000)
    assert.equal(feed(transport, [c[2]!]), TRANSPORT.udp)
    assert.equal(transport.end - transport.start, 3500)
  })

  it('that come twice do no harm', () => {
    const transport = new Transport()
    const [a, b, c] = fragments(4, 1480)
    assert.equal(feed(transport, [a!, a!, b!, b!, c!]), TRANSPORT.udp)
    assert.deepEqual(found(transport), LARGE)
  })

  it('that overlap or contradict each other give the datagram up', () => {
    const [a, b, c] = fragments(4, 1480)
    const overlapping = ipv4({ protocol: 17, src: '10.0.10.14', id: 9, fragment: 0x2000 | 184 }, new Uint8Array(1480))
    const otherEnd = ipv4({ protocol: 17, src: '10.0.10.14', id: 9, fragment: 400 }, new Uint8Array(80))
    for (const bad of [overlapping, otherEnd]) {
      const transport = new Transport()
      assert.equal(feed(transport, [a!, c!, bad, b!]), TRANSPORT.fragment)
      assert.equal(transport.reassembly.dropped, 1)
    }
  })

  it('wait thirty seconds for the rest', () => {
    for (const [later, kind] of [
      [29_999, TRANSPORT.udp],
      [30_001, TRANSPORT.fragment],
    ] as const) {
      // prettier-ignore
      const transport = new Transport()
      const parts = fragments(4, 1480)
      feed(transport, parts.slice(0, 2), 1000)
      assert.equal(feed(transport, parts.slice(2), 1000 + later), kind)
    }
  })

  it('never finished take a bounded room, and the oldest go first', () => {
    const transport = new Transport(new Reassembly(4))
    const all = Array.from({ length: 10 }, (_, id) => fragments(4, 1480, { id }))
    for (const [id, parts] of all.entries()) feed(transport, parts.slice(0, 2), id)
    assert.equal(transport.reassembly.dropped, 6)
    assert.equal(feed(transport, [all[9]![2]!], 10), TRANSPORT.udp)
    assert.equal(feed(transport, [all[0]![2]!], 10), TRANSPORT.fragment)
  })

  it('that reach beyond 64 KiB, or that the capture cut, are refused', () => {
    const transport = new Transport()
    const beyond = ipv4({ protocol: 17, id: 9, fragment: 0x1fff }, new Uint8Array(64))
    assert.equal(transport.find(captured(LINK.raw, beyond)), TRANSPORT.fragment)
    const [first] = fragments(4, 1480)
    const cut = captured(LINK.raw, first!.subarray(0, 100), { originalLength: first!.length })
    assert.equal(transport.find(cut), TRANSPORT.damaged)
    const odd = ipv4({ protocol: 17, id: 10, fragment: 0x2000 }, new Uint8Array(9))
    assert.equal(transport.find(captured(LINK.raw, odd)), TRANSPORT.fragment)
    assert.equal(transport.reassembly.reassembled, 0)
  })

  it('at random, damaged and mixed, never give more than was sent', () => {
    const transport = new Transport(new Reassembly(8))
    let seed = 1
    const random = (below: number) => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) % below
    const parts = [1, 2, 3, 4, 5].flatMap((id) => [...fragments(4, 504, { id }), ...fragments(6, 504, { id })])
    for (let i = 0; i < 20_000; i++) {
      const packet = captured(LINK.raw, parts[random(parts.length)]!, { timeMs: i * 10 })
      if (random(3) === 0) packet.bytes[packet.start + random(48)] = random(256)
      const kind = transport.find(packet)
      if (kind === TRANSPORT.udp) assert.ok(transport.end - transport.start <= 65_535)
    }
  })
})
