import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NO_SINK, type DecodeSink } from '../../src/decode/decoder.ts'
import { Netflow5Decoder, outputKind, splitInterface } from '../../src/decode/netflow5.ts'
import { DECODE_STATUS_NAMES } from '../../src/decode/status.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { enumCodes } from '../../src/schema/enums.ts'
import { PCAPS } from '../paths.ts'
import { assertGolden } from './golden.ts'
import { u16, u32, WAYS } from './ipfix-build.ts'
import { datagram, readPayloads, restIsZero, rowsOf, type Row } from './ipfix-feed.ts'

const UNIX_SECS = Date.UTC(2026, 10, 22, 7) / 1000
const UPTIME = 3_600_000

interface Header {
  count: number
  uptime: number
  secs: number
  nsecs: number
  sequence: number
  engine: number
  sampling: number
}

/** A datagram of `records`, 48 bytes each. */
function message(records: readonly number[][], header: Partial<Header> = {}): Uint8Array {
  const { count = records.length, uptime = UPTIME, secs = UNIX_SECS, nsecs = 0, sequence = 7 } = header
  const { engine = 0x0102, sampling = 0 } = header
  const head = [...u16(5), ...u16(count), ...u32(uptime), ...u32(secs), ...u32(nsecs), ...u32(sequence)]
  return Uint8Array.from([...head, ...u16(engine), ...u16(sampling), ...records.flat()])
}

interface Flow {
  input: number
  output: number
  packets: number
  octets: number
  first: number
  last: number
  ports: [number, number]
  flags: number
  protocol: number
  tos: number
  nexthop: number
  as: number
}

function record(flow: Partial<Flow> = {}): number[] {
  const { input = 1, output = 2, packets = 3, octets = 342, first = UPTIME - 1000, last = UPTIME - 100 } = flow
  const { ports = [1000, 80], flags = 0x12, protocol = 6, tos = 0xb8, nexthop = 0, as = 0 } = flow
  const addresses = [10, 0, 0, 1, 10, 0, 0, 2, ...u32(nexthop)]
  const counts = [...u16(input), ...u16(output), ...u32(packets), ...u32(octets), ...u32(first), ...u32(last)]
  return [...addresses, ...counts, ...u16(ports[0]), ...u16(ports[1]), 0, flags, protocol, tos, ...u32(as), ...u32(0)]
}

for (const { way, limits } of WAYS) {
  const decode = (bytes: Uint8Array, sink: Partial<DecodeSink> = {}, receivedMs = UNIX_SECS * 1000 + 500) => {
    const out = new FlowBatch(64)
    const decoder = new Netflow5Decoder({ ...NO_SINK, ...sink }, limits)
    const status = DECODE_STATUS_NAMES[decoder.decode(datagram(bytes, { timeMs: receivedMs }), out)]
    assert.ok(restIsZero(out))
    return { status, rows: rowsOf(out) }
  }
  const decodeOne = (flow: Partial<Flow>, header: Partial<Header> = {}): Row =>
    decode(message([record(flow)], header)).rows[0]!

  describe(`NetFlow v5, ${way}`, () => {
    for (const [file, records] of [
      ['openvswitch/ovs-netflow5.pcap', 18],
      ['openvswitch/ovs-netflow5-addid.pcap', 7],
      ['netflow5/capture.pcap', 41],
    ] as const) {
      it(`of Open vSwitch is decoded to the rows of ${file}`, () => {
        const out = new FlowBatch(64)
        const decoder = new Netflow5Decoder(NO_SINK, limits)
        for (const payload of readPayloads(PCAPS + file, 5))
          assert.equal(DECODE_STATUS_NAMES[decoder.decode(datagram(payload.bytes, payload), out)], 'ok')
        assert.equal(out.rows, records)
        assertGolden(file, rowsOf(out))
      })
    }

    it('has octets of layer 2 from OVS, and those of layer 3 behind the Ethernet headers', () => {
      const { packets, l2_bytes, bytes, sampling_rate } = decodeOne({ packets: 3, octets: 342 })
      assert.deepEqual([packets, l2_bytes, bytes, sampling_rate], [3, 342, 300, 1])
      assert.equal(decodeOne({ packets: 100, octets: 342 }).bytes, undefined)
      assert.equal(decodeOne({ packets: 1, octets: 2 ** 32 - 1 }).bytes, 2 ** 32 - 15)
    })

    it('has octets of layer 3 from a router, multiplied by its sampling interval', () => {
      const sampled = decodeOne({}, { sampling: 0x4000 | 1000 })
      const { packets, bytes, l2_bytes, samples, sampling_rate } = sampled
      assert.deepEqual([packets, bytes, l2_bytes, samples, sampling_rate], [3000, 342_000, undefined, 3, 1000])
      for (const flow of [{ nexthop: 9 }, { as: 65_000 }]) {
        const row = decodeOne(flow)
        assert.deepEqual(
          [row.packets, row.bytes, row.l2_bytes, row.samples, row.sampling_rate],
          [3, 342, undefined, undefined, 1],
        )
      }
      assert.equal(decodeOne({ octets: 2 ** 32 - 1 }, { sampling: 16_383 }).bytes, (2 ** 32 - 1) * 16_383)
    })

    it('turns uptime stamps into wall time, over the wrap of sysUptime too', () => {
      const at = (ms: number) => new Date(UNIX_SECS * 1000 + ms).toISOString()
      const { flow_start, flow_end } = decodeOne({}, { nsecs: 250_900_000 })
      assert.deepEqual([flow_start, flow_end], [at(-750), at(150)])
      assert.equal(decodeOne({ first: 2 ** 32 - 500 }, { uptime: 300 }).flow_start, at(-800))
      assert.equal(decodeOne({ last: UPTIME + 7 }).flow_end, at(7))
      // No clock: counted from the arrival.
      assert.equal(decodeOne({}, { secs: 3 }).flow_start, at(500 - 1000))
    })

    it('puts ICMP type and code in their columns', () => {
      const { icmp_type, icmp_code, src_l4_port, dst_l4_port } = decodeOne({ protocol: 1, ports: [0, 0x0301] })
      assert.deepEqual([icmp_type, icmp_code, src_l4_port, dst_l4_port], [3, 1, undefined, undefined])
      assert.equal(decodeOne({ protocol: 17, ports: [5, 6] }).dst_l4_port, 6)
    })

    it('keeps the number of the output and says what it means', () => {
      const kinds = [0, 1, 65_279, 65_533, 65_534, 65_535].map((output) => decodeOne({ output }).output_kind)
      assert.deepEqual(kinds, [undefined, 'interface', 'interface', 'none', 'local', 'flood'])
      assert.equal(decodeOne({ output: 65_533 }).out_if, 65_533)
    })

    it('tells engine, sequence and count', () => {
      const told: unknown[] = []
      decode(message([record(), record()], { sequence: 2 ** 32 - 1, engine: 0xffee }), {
        sequence: (_, ...rest) => void told.push(rest),
      })
      assert.deepEqual(told, [['netflow5', 0xffee, 2 ** 32 - 1, 2]])
      assert.equal(decodeOne({}, { engine: 0xffee, sequence: 2 ** 32 - 1 }).sequence, 2 ** 32 - 1)
    })

    it('keeps the records that are whole', () => {
      const whole = message([record(), record({ packets: 9 })])
      const cut = decode(whole.subarray(0, whole.length - 1))
      assert.equal(cut.status, 'truncated')
      assert.deepEqual(
        cut.rows.map(({ packets }) => packets),
        [3],
      )
      const long = decode(Uint8Array.from([...whole, 0]))
      assert.deepEqual([long.status, long.rows.length], ['bad_count', 2])
      assert.deepEqual(decode(whole.subarray(0, 24)), { status: 'truncated', rows: [] })
    })

    it('refuses what is none', () => {
      assert.equal(decode(Uint8Array.of(0)).status, 'short_header')
      assert.equal(decode(message([]).subarray(0, 23)).status, 'short_header')
      for (const count of [0, 31, 65_535]) assert.equal(decode(message([record()], { count })).status, 'bad_count')
      const version7 = message([record()])
      version7[1] = 7
      assert.equal(decode(version7).status, 'bad_version')
    })
  })
}

describe('interface numbers of NetFlow v5', () => {
  it('have special outputs', () => {
    const kind = enumCodes('output_kind')
    assert.deepEqual([0, 7, 65_533, 65_534, 65_535].map(outputKind), [
      kind.unknown,
      kind.interface,
      kind.none,
      kind.local,
      kind.flood,
    ])
  })

  it('may carry the engine id (add_id_to_interface)', () => {
    assert.equal(splitInterface(1035, 130), 11)
    assert.equal(splitInterface(1533, 130), 65_533)
    assert.equal(splitInterface(1534, 130), 65_534)
    assert.equal(splitInterface(1535, 130), 65_535)
    assert.equal(splitInterface(2561, 5), 1)
    assert.equal(splitInterface(1035, 5), -1)
    assert.equal(splitInterface(65_533, 130), -1)
  })
})
