import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NO_SINK, type InterfaceCounters } from '../../src/decode/decoder.ts'
import { Sflow5Decoder } from '../../src/decode/sflow5/decoder.ts'
import { DECODE_STATUS_NAMES } from '../../src/decode/status.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { datagram, rowsOf, type Row } from './ipfix-feed.ts'
import { ethernetFrame, flowSample, sampledHeader, sflowDatagram, tagged, xdr, type Flow } from './sflow5-build.ts'

const ip4 = (...bytes: number[]) => Uint8Array.from(bytes)
const ip6 = (last: number) => Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last)
const HEADER = sampledHeader(ethernetFrame(1000), 1004)

function decode(bytes: Uint8Array): { status: string; rows: Row[] } {
  const out = new FlowBatch(64)
  const status =
    DECODE_STATUS_NAMES[new Sflow5Decoder(NO_SINK).decode(datagram(bytes, { source: '198.51.100.1' }), out)]!
  return { status, rows: rowsOf(out) }
}

/** The only row of a datagram with one flow sample of these records. */
function rowOf(records: Uint8Array[], flow: Flow = {}): Row {
  const { status, rows } = decode(sflowDatagram([flowSample(records, flow)]))
  assert.equal(status, 'ok')
  assert.equal(rows.length, 1)
  return rows[0]!
}

describe('sFlow v5 datagram', () => {
  it('keeps agent and exporter apart, and takes the exporter where there is no agent address', () => {
    const { agent, exporter, observation_domain, sequence } = rowOf([HEADER])
    assert.deepEqual([agent, exporter, observation_domain, sequence], ['192.0.2.7', '198.51.100.1', 3, 9])
    assert.equal(decode(xdr(5, 2, ip6(7), 0, 1, 0, 1, flowSample([HEADER]))).rows[0]!.agent, '2001:db8:0:0:0:0:0:7')
    assert.equal(decode(xdr(5, 0, 0, 1, 0, 1, flowSample([HEADER]))).rows[0]!.agent, '198.51.100.1')
  })

  it('refuses other versions and agent addresses of unknown form', () => {
    for (const version of [0, 2, 4, 6]) assert.equal(decode(xdr(version, 1, 0, 0, 0, 0, 0)).status, 'bad_version')
    for (const type of [3, 0xffffffff]) assert.equal(decode(xdr(5, type, 0, 0, 0, 0, 0)).status, 'bad_version')
    assert.equal(decode(xdr(5)).status, 'short_header')
    assert.equal(decode(xdr(5, 2, 0, 0, 0, 0)).status, 'short_header')
  })

  it('passes over samples and records of others by their length', () => {
    const foreign = tagged((4413 << 12) | 1, new Uint8Array(13))
    const { status, rows } = decode(
      sflowDatagram([foreign, flowSample([foreign, HEADER, foreign]), tagged(99, xdr(1)), flowSample([HEADER])]),
    )
    assert.equal(status, 'ok')
    assert.deepEqual(
      rows.map((row) => row.l2_bytes),
      [1000, 1000],
    )
  })

  it('keeps the other samples when one is at fault, and says what was first', () => {
    const cut = tagged(1, xdr(1, 2, 3, 4))
    const long = flowSample([tagged(1, new Uint8Array(16), 17)])
    const { status, rows } = decode(sflowDatagram([flowSample([HEADER]), long, cut, flowSample([HEADER], { rate: 7 })]))
    assert.equal(status, 'bad_length')
    assert.deepEqual(
      rows.map((row) => row.packets),
      [1, 7],
    )
  })

  it('tells how many samples should have been there', () => {
    assert.equal(decode(sflowDatagram([flowSample([HEADER])], 2)).status, 'truncated')
    assert.equal(decode(sflowDatagram([flowSample([HEADER]), flowSample([HEADER])], 1)).status, 'bad_count')
    assert.equal(decode(sflowDatagram([], 0)).status, 'ok_no_rows')
  })

  it('tells runs of samples per source, a run ending where a number is missing', () => {
    const runs: number[][] = []
    const sink = { ...NO_SINK, sampleSequence: (_: unknown, ...run: number[]) => void runs.push(run) }
    const sample = (source: number, sequence: number) => flowSample([HEADER], { source, sequence })
    const bytes = sflowDatagram([
      sample(1, 5),
      sample(1, 6),
      sample(1, 8),
      sample(2, 9),
      sample(2, 0xffffffff),
      sample(2, 0),
    ])
    new Sflow5Decoder(sink).decode(datagram(bytes), new FlowBatch(64))
    assert.deepEqual(runs, [
      [3, 1, 5, 2],
      [3, 1, 8, 1],
      [3, 2, 9, 1],
      [3, 2, 0xffffffff, 2],
    ])
  })
})

describe('sFlow v5 flow sample', () => {
  it('scales by its rate and gives the variance of the estimate', () => {
    const row = rowOf([HEADER], { rate: 400 })
    const spread = 400 * 399
    assert.deepEqual(
      [row.packets, row.samples, row.sampling_rate, row.bytes, row.l2_bytes, row.bytes_variance, row.l2_bytes_variance],
      [400, 1, 400, 986 * 400, 1000 * 400, spread * 986 ** 2, spread * 1000 ** 2],
    )
  })

  it('is no sample at rate 1, and counts once when the rate is not given', () => {
    for (const rate of [0, 1]) {
      const row = rowOf([HEADER], { rate })
      assert.deepEqual([row.packets, row.bytes, row.samples, row.bytes_variance], [1, 986, undefined, undefined])
      assert.equal(row.sampling_rate ?? 0, rate)
    }
  })

  it('tells what an output is', () => {
    const output = (value: number) => {
      const { output_kind, out_if } = rowOf([HEADER], { output: value })
      return [output_kind, out_if]
    }
    assert.deepEqual(output(17), ['interface', 17])
    assert.deepEqual(output(0), [undefined, undefined])
    assert.deepEqual(output(0x3fffffff), ['local', 0x3fffffff])
    assert.deepEqual(output(0x40000100), ['none', undefined])
    assert.deepEqual(output(0x80000001), ['unknown_single', undefined])
    assert.deepEqual(output(0x80000002), ['multiple', 2])
    assert.deepEqual(output(0x80000000), ['multiple', undefined])
    assert.deepEqual(output(0xc0000001), [undefined, undefined])
  })

  it('tells the direction by the data source', () => {
    const direction = (source: number) => rowOf([HEADER], { source, input: 4, output: 5 }).flow_direction
    assert.equal(direction(0x020003e8), 'ingress')
    assert.equal(direction(4), 'ingress')
    assert.equal(direction(5), 'egress')
    assert.equal(direction(6), undefined)
    assert.equal(direction(0x01000004), undefined)
  })

  it('reads the expanded form, whose numbers are 32 bits wide', () => {
    const expanded = (...words: number[]) => tagged(3, xdr(...words, 1, HEADER))
    const bytes = sflowDatagram([
      expanded(1, 0, 0x16000064, 10, 0, 0, 0, 0x40000001, 0, 0x80000001),
      expanded(2, 2, 5, 10, 0, 0, 2, 9, 1, 256),
    ])
    const [first, second] = decode(bytes).rows
    assert.deepEqual(
      [first!.observation_point, first!.in_if, first!.out_if, first!.output_kind],
      [0x16000064, 0x40000001, 0x80000001, 'interface'],
    )
    assert.deepEqual(
      [second!.observation_point, second!.in_if, second!.out_if, second!.output_kind],
      [0x02000005, undefined, undefined, 'none'],
    )
  })

  it('counts layer 2 without the FCS, whatever else a switch says it stripped', () => {
    const lengths = (frameLength: number, stripped: number) => {
      const { l2_bytes, bytes, corrections } = rowOf([sampledHeader(ethernetFrame(1000), frameLength, stripped)])
      return [l2_bytes, bytes, corrections]
    }
    assert.deepEqual(lengths(1004, 4), [1000, 986, 2])
    assert.deepEqual(lengths(1000, 0), [1000, 986, undefined])
    assert.deepEqual(lengths(1008, 8), [1004, 986, 2])
    assert.deepEqual(lengths(1004, 962), [1000, 986, 2])
    assert.deepEqual(lengths(3, 4), [3, undefined, undefined])
    assert.deepEqual(lengths(0, 0xffffffff), [undefined, undefined, undefined])
  })

  it('takes IP and MPLS headers without Ethernet', () => {
    const packet = ethernetFrame(1000).subarray(14)
    const ip = rowOf([sampledHeader(packet, 986, 0, 11)])
    assert.deepEqual(
      [ip.src_addr, ip.dst_l4_port, ip.bytes, ip.l2_bytes, ip.src_mac],
      ['10.0.0.1', 53, 986, undefined, undefined],
    )
    const stripped = rowOf([sampledHeader(packet, 1004, 18, 11)])
    assert.deepEqual([stripped.bytes, stripped.l2_bytes, stripped.corrections], [986, 1000, 2])
    const mpls = rowOf([sampledHeader(Buffer.concat([xdr((17 << 12) | 0x140), packet]), 990, 0, 13)])
    assert.deepEqual([mpls.mpls_label, mpls.src_addr, mpls.bytes], [17, '10.0.0.1', 986])
  })

  it('is a row even when nothing of the packet is known', () => {
    const row = rowOf([sampledHeader(new Uint8Array(8), 100, 0, 7)], { rate: 10, input: 4 })
    assert.deepEqual([row.packets, row.in_if, row.bytes, row.l2_bytes], [10, 4, undefined, undefined])
    assert.equal(rowOf([], { rate: 10 }).packets, 10)
  })

  it('takes the sampled Ethernet, IPv4 and IPv6 records where there is no header', () => {
    const mac = (last: number) => Uint8Array.of(0xfa, 0x16, 0x3e, 0, 0, last)
    const ethernet = tagged(2, xdr(1004, mac(1), mac(2), 0x0800))
    const four = tagged(3, xdr(986, 6, ip4(10, 0, 0, 1), ip4(10, 0, 0, 2), 1234, 443, 0x18, 0xb8))
    const six = tagged(4, xdr(976, 17, ip6(1), ip6(2), 1234, 53, 0, 0x20))
    assert.deepEqual(pick(rowOf([ethernet, four], { rate: 2 })), {
      ...{
        src_mac: 'fa163e000001',
        dst_mac: 'fa163e000002',
        ether_type: 0x800,
        ip_version: 4,
        ip_protocol: 6,
        tos: 0xb8,
      },
      ...{ src_addr: '10.0.0.1', dst_addr: '10.0.0.2', src_l4_port: 1234, dst_l4_port: 443, tcp_flags: 0x18 },
      ...{ bytes: 986 * 2, l2_bytes: 1000 * 2 },
    })
    assert.deepEqual(pick(rowOf([six])), {
      ...{ ether_type: 0x86dd, ip_version: 6, ip_protocol: 17, tos: 0x20, src_addr: '2001:db8:0:0:0:0:0:1' },
      ...{ dst_addr: '2001:db8:0:0:0:0:0:2', src_l4_port: 1234, dst_l4_port: 53, bytes: 976 },
    })
    assert.equal(rowOf([HEADER, four]).src_addr, '10.0.0.1')
    assert.equal(rowOf([HEADER, four]).ip_protocol, 17)
    assert.deepEqual([rowOf([ethernet]).bytes, rowOf([ethernet]).l2_bytes], [986, 1000])
  })

  it("takes the VLAN of the frame's own tag, else of the switch record", () => {
    const vlans = (src: number) => tagged(1001, xdr(src, 0, 9, 0))
    const tag = sampledHeader(ethernetFrame(1004, [0x81, 0, 0x20, 0x45]), 1008)
    assert.equal(rowOf([vlans(7), HEADER]).vlan, 7)
    assert.equal(rowOf([HEADER, vlans(7)]).vlan, 7)
    assert.equal(rowOf([vlans(7), tag]).vlan, 69)
    assert.equal(rowOf([vlans(0xffffffff), HEADER]).vlan, undefined)
  })

  it('takes the MPLS label it came with, else the one it leaves with', () => {
    const mpls = (...words: number[]) => rowOf([HEADER, tagged(1006, xdr(...words))]).mpls_label
    assert.equal(mpls(1, 0x0a000001, 1, 100 << 12, 1, 200 << 12), 100)
    assert.equal(mpls(2, 0, 0, 0, 0, 0, 1, 200 << 12), 200)
    assert.equal(mpls(0, 0, 1, 300 << 12), 300)
    assert.equal(mpls(0, 0, 0), undefined)
    assert.equal(mpls(1, 0x0a000001, 0xffffffff), undefined)
  })
})

const PICKED = ['src_mac', 'dst_mac', 'ether_type', 'ip_version', 'ip_protocol', 'tos', 'src_addr', 'dst_addr'] as const
const COUNTED = ['src_l4_port', 'dst_l4_port', 'tcp_flags', 'bytes', 'l2_bytes'] as const

function pick(row: Row): Row {
  return Object.fromEntries(
    [...PICKED, ...COUNTED].flatMap((name) => (row[name] === undefined ? [] : [[name, row[name]]])),
  )
}

describe('sFlow v5 tunnel records', () => {
  const tunnel = (format: number, protocol: number, sourcePort: number, port: number) =>
    tagged(format, xdr(0, protocol, ip4(10, 0, 10, 14), ip4(10, 0, 10, 23), sourcePort, port, 0, 0))
  const vni = (format: number, key: number) => tagged(format, xdr(key))
  const read = (...records: Uint8Array[]) => {
    const row = rowOf([HEADER, ...records])
    return [
      row.tunnel_type,
      row.tunnel_src_addr,
      row.tunnel_dst_addr,
      row.tunnel_src_port,
      row.tunnel_dst_port,
      row.tunnel_key,
    ]
  }
  const ENDS = ['10.0.10.14', '10.0.10.23'] as const

  it('puts ports right that OVS swapped once too often', () => {
    assert.deepEqual(read(vni(1030, 1010), tunnel(1024, 17, 0x39b2, 46354)), ['vxlan', ...ENDS, 0xb239, 4789, 1010])
    assert.deepEqual(read(vni(1030, 1010), tunnel(1024, 17, 0xb239, 4789)), ['vxlan', ...ENDS, 0xb239, 4789, 1010])
    assert.deepEqual(read(tunnel(1024, 17, 0, 49431)), ['geneve', ...ENDS, undefined, 6081, undefined])
    assert.deepEqual(read(tunnel(1024, 17, 1, 5000)), ['unknown', ...ENDS, 1, 5000, undefined])
    assert.deepEqual(read(vni(1030, 7), tunnel(1024, 47, 0, 0)), ['gre', ...ENDS, undefined, undefined, 7])
  })

  it('shows the tunnel a packet came by, and only without one the tunnel it leaves by', () => {
    const out = [vni(1029, 20), tunnel(1023, 17, 0, 6081)]
    assert.deepEqual(read(...out), ['geneve', ...ENDS, undefined, 6081, 20])
    assert.deepEqual(read(...out, vni(1030, 10), tunnel(1024, 17, 0, 4789)), ['vxlan', ...ENDS, undefined, 4789, 10])
    assert.deepEqual(read(vni(1030, 10)), ['unknown', undefined, undefined, undefined, undefined, 10])
  })

  it('reads tunnels over IPv6', () => {
    const six = (format: number) => tagged(format, xdr(0, 17, ip6(1), ip6(2), 9, 4789, 0, 0))
    const expected = ['vxlan', '2001:db8:0:0:0:0:0:1', '2001:db8:0:0:0:0:0:2', 9, 4789]
    assert.deepEqual(read(six(1026), vni(1030, 5)), [...expected, 5])
    assert.deepEqual(read(six(1025), vni(1029, 6)), [...expected, 6])
  })
})

describe('sFlow v5 counter samples', () => {
  const ifCounters = (inKinds: number[], outKinds: number[]) =>
    tagged(1, xdr(8, 6, 2, 0x540be400, 1, 3, 1, 2, ...inKinds, 10, 11, 0xffffffff, 0, 99, ...outKinds, 20, 21, 0))
  const port = tagged(1004, xdr(0x00004e2d, 0x4f248547, 3))
  const name = tagged(1005, xdr(5, Buffer.from('tap-5')))

  function counters(sample: Uint8Array): (InterfaceCounters & { subAgent: number })[] {
    const told: (InterfaceCounters & { subAgent: number })[] = []
    const sink = {
      ...NO_SINK,
      interfaceCounters: (_: unknown, subAgent: number, from: InterfaceCounters) =>
        void told.push({ subAgent, ...from }),
    }
    new Sflow5Decoder(sink).decode(datagram(sflowDatagram([sample])), new FlowBatch(8))
    return told
  }

  it('tells counters with port, datapath id and name, packets as OVS counts them', () => {
    const records = [
      tagged(2, new Uint8Array(52)),
      port,
      name,
      tagged(7, new Uint8Array(56)),
      ifCounters([100, 7, 0xffffffff], [50, 0xffffffff, 0xffffffff]),
    ]
    assert.deepEqual(counters(tagged(2, xdr(1, 8, records.length, ...records))), [
      {
        ...{ subAgent: 3, ifIndex: 8, ofport: 3, datapathId: '00004e2d4f248547', name: 'tap-5', speed: 10_000_000_000 },
        ...{ inOctets: 0x1_0000_0002, outOctets: 99, inPackets: 100, outPackets: 50 },
        ...{ inDiscards: 10, outDiscards: 20, inErrors: 11, outErrors: 21 },
      },
    ])
  })

  it('adds up unicast, multicast and broadcast of other agents', () => {
    const [one] = counters(tagged(4, xdr(1, 0, 8, 1, ifCounters([100, 7, 1], [50, 0xffffffff, 2]))))
    assert.deepEqual([one!.inPackets, one!.outPackets, one!.ofport, one!.name], [108, 52, -1, ''])
  })

  it('tells nothing of a sample at fault, and does not keep the name of the one before', () => {
    assert.deepEqual(counters(tagged(2, xdr(1, 8, 2, ifCounters([1, 0, 0], [1, 0, 0])))), [])
    assert.deepEqual(counters(tagged(2, xdr(1, 8, 1, tagged(1, new Uint8Array(88), 89)))), [])
    assert.deepEqual(counters(tagged(2, xdr(1, 8))), [])
    const [one] = counters(tagged(2, xdr(1, 8, 2, tagged(1005, xdr(0xffffffff)), ifCounters([1, 0, 0], [1, 0, 0]))))
    assert.equal(one!.name, '')
  })

  it('tells packets the datapath lost', () => {
    const lost: number[] = []
    const sink = { ...NO_SINK, datapathLost: (_: unknown, __: number, packets: number) => void lost.push(packets) }
    const sample = tagged(
      2,
      xdr(1, 0x020003e8, 2, tagged(2203, new Uint8Array(40)), tagged(2207, xdr(1, 2, 77, 4, 5, 6))),
    )
    new Sflow5Decoder(sink).decode(datagram(sflowDatagram([sample])), new FlowBatch(8))
    assert.deepEqual(lost, [77])
  })
})
