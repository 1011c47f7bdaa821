import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { NO_SINK, type Datagram, type DecodeSink, type InterfaceCounters } from '../../src/decode/decoder.ts'
import { Sflow5Decoder } from '../../src/decode/sflow5/decoder.ts'
import { DECODE_STATUS_NAMES, type DecodeStatusName } from '../../src/decode/status.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { PCAPS } from '../paths.ts'
import { assertGolden } from './golden.ts'
import { datagram, readPayloads, rowsOf, type Row } from './ipfix-feed.ts'

/** Everything a decoder tells beside rows, by exporter where it matters. */
class Told implements DecodeSink {
  readonly sequences: string[] = []
  readonly samples: string[] = []
  readonly interfaces: (InterfaceCounters & { agent: string; subAgent: number })[] = []
  readonly lost: number[] = []

  sequence(from: Datagram, _: string, stream: number, sequence: number, records: number): void {
    this.sequences.push(`${exporter(from)} ${stream}: ${sequence} +${records}`)
  }
  sampleSequence(from: Datagram, subAgent: number, source: number, sequence: number, samples: number): void {
    this.samples.push(`${exporter(from)} ${subAgent}/${source.toString(16)}: ${sequence} +${samples}`)
  }
  interfaceCounters(from: Datagram, subAgent: number, counters: InterfaceCounters): void {
    this.interfaces.push({ agent: exporter(from), subAgent, ...counters })
  }
  datapathLost(_: Datagram, __: number, lost: number): void {
    this.lost.push(lost)
  }
  notSent(): void {}
  samplingRate(): void {}
}

function exporter(from: Datagram): string {
  return new Uint8Array(from.exporter.buffer).subarray(12).join('.')
}

function decodeCapture(file: string) {
  const told = new Told()
  const decoder = new Sflow5Decoder(told)
  const out = new FlowBatch(1024)
  const counts: Partial<Record<DecodeStatusName, number>> = {}
  // The version is a 32-bit word here, so the first 16 bits are zero.
  for (const payload of readPayloads(PCAPS + file, 0)) {
    const status = DECODE_STATUS_NAMES[decoder.decode(datagram(payload.bytes, payload), out)]!
    counts[status] = (counts[status] ?? 0) + 1
  }
  return { rows: rowsOf(out), counts, told }
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
}

/** ifIndex of the interfaces of a node, by name, from its OVSDB dump: one table a line. */
function ifIndexes(node: string): Map<string, number> {
  const tables = readFileSync(`${PCAPS}sflow5/ovsdb-${node}.json`, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { caption: string; headings: string[]; data: unknown[][] })
  const { headings, data } = tables.find(({ caption }) => caption === 'Interface table')!
  const [name, ifIndex] = [headings.indexOf('name'), headings.indexOf('ifindex')]
  return new Map(data.map((row) => [row[name] as string, row[ifIndex] as number]))
}

describe('sFlow v5 of Open vSwitch', () => {
  it('decodes every sample of three nodes (rows compared with tshark)', () => {
    const { rows, counts, told } = decodeCapture('sflow5/capture.pcap')
    assert.deepEqual(counts, { ok: 35, ok_no_rows: 52 })
    assert.equal(rows.length, 192)
    assertGolden('sflow5/capture.pcap', rows)
    assert.equal(told.sequences.length, 87)
    assert.deepEqual(new Set(told.lost), new Set([0]))
  })

  it('decodes the frames of the dummy datapath, tagged and IPv6 among them (rows compared with tshark)', () => {
    const { rows, counts } = decodeCapture('openvswitch/ovs-sflow.pcap')
    assert.deepEqual(counts, { ok: 4, ok_no_rows: 6 })
    assert.equal(rows.length, 28)
    assertGolden('openvswitch/ovs-sflow.pcap', rows)
  })

  it('tells port name, OpenFlow port and datapath id of each ifIndex, as OVSDB has them', () => {
    const { told } = decodeCapture('sflow5/capture.pcap')
    const nodes = { '10.0.10.14': 'c0', '10.0.10.23': 'c1', '10.0.10.10': 'n0' } as const
    let compared = 0
    for (const { agent, name, ifIndex, ofport, datapathId, inPackets, inOctets } of told.interfaces) {
      const known = ifIndexes(nodes[agent as keyof typeof nodes])
      assert.equal(known.get(name), ifIndex, `${agent} ${name}`)
      assert.ok(ofport > 0)
      assert.match(datapathId, /^0000[0-9a-f]{12}$/)
      assert.ok(inOctets >= inPackets * 42)
      compared++
    }
    assert.ok(compared > 50)
  })

  it('tells runs of flow samples with no sample missing', () => {
    const { told, rows } = decodeCapture('sflow5/capture.pcap')
    const next = new Map<string, number>()
    let samples = 0
    for (const run of told.samples) {
      const [, source, first, length] = /^(.*): (\d+) \+(\d+)$/.exec(run)!
      assert.equal(Number(first), next.get(source!) ?? 1, run)
      next.set(source!, Number(first) + Number(length))
      samples += Number(length)
    }
    assert.equal(samples, rows.length)
  })

  it('gives the same rows the short and the general way, of damaged datagrams too', () => {
    const ways = [{ bindAfterDatagrams: 0, compileAfterRecords: 0 }, { bindAfterDatagrams: Infinity }].map(
      (limits) => ({
        decoder: new Sflow5Decoder(NO_SINK, limits),
        out: new FlowBatch(512),
      }),
    )
    const [short, general] = ways as [(typeof ways)[0], (typeof ways)[0]]
    for (const file of ['sflow5/capture.pcap', 'openvswitch/ovs-sflow.pcap'])
      for (const payload of readPayloads(PCAPS + file, 0)) {
        const input = datagram(payload.bytes, payload)
        for (let at = -1; at < payload.bytes.length; at += 1) {
          const byte = input.start + Math.max(at, 0)
          const original = input.bytes[byte]!
          // Lengths and counts that grow or shrink by a little, protocols and versions near by.
          if (at >= 0) input.bytes[byte] = original ^ (1 << (at % 8))
          assert.equal(short.decoder.decode(input, short.out), general.decoder.decode(input, general.out))
          input.bytes[byte] = original
          if (short.out.free > 64) continue
          assert.ok(same(short.out, general.out), `${file}, byte ${at}`)
          short.out.reset()
          general.out.reset()
        }
      }
    assert.ok(same(short.out, general.out))
    assert.ok(short.decoder.programs.compiled > 0)
    assert.equal(general.decoder.programs.compiled, 0)
  })

  it('decodes a million samples in the same memory', () => {
    const inputs = readPayloads(`${PCAPS}sflow5/capture.pcap`, 0).map((payload) => datagram(payload.bytes, payload))
    const decoder = new Sflow5Decoder(NO_SINK)
    const out = new FlowBatch(1024)
    const decodeAll = () => {
      let rows = 0
      for (const input of inputs) decoder.decode(input, out)
      rows += out.rows
      out.reset()
      return rows
    }
    for (let i = 0; i < 200; i++) decodeAll()
    collectGarbage()
    const before = process.memoryUsage()
    let samples = 0
    while (samples < 1e6) samples += decodeAll()
    collectGarbage()
    const after = process.memoryUsage()
    assert.ok(after.heapUsed - before.heapUsed < 2 << 20, `${after.heapUsed - before.heapUsed} bytes of heap`)
    assert.ok(after.arrayBuffers - before.arrayBuffers < 65_536)
  })

  it('estimates what each VM sent within four standard errors of its interface counters', () => {
    const { rows } = decodeCapture('sflow5/capture.pcap')
    const truth = readTruth(`${PCAPS}sflow5/truth.txt`)
    for (const [vm, { node, exporter: address, tap }] of Object.entries(VMS)) {
      const ifIndex = ifIndexes(node).get(tap)!
      const own = rows.filter((row) => row.exporter === address && row.in_if === ifIndex)
      const sum = (column: keyof Row) => own.reduce((total, row) => total + Number(row[column] ?? 0), 0)
      const error = Math.abs(sum('l2_bytes') - truth.get(vm)!)
      assert.ok(error <= 4 * Math.sqrt(sum('l2_bytes_variance')), `${vm}: off by ${error} of ${truth.get(vm)}`)
    }
  })
})

const VMS = {
  r8: { node: 'c0', exporter: '10.0.10.14', tap: 'tap425fe781-d3' },
  r10: { node: 'c0', exporter: '10.0.10.14', tap: 'tap525fe781-d4' },
  b8: { node: 'c0', exporter: '10.0.10.14', tap: 'tapb25fe781-b8' },
  r9: { node: 'c1', exporter: '10.0.10.23', tap: 'tapaeee0c10-2e' },
  r3: { node: 'c1', exporter: '10.0.10.23', tap: 'tapb2018738-8a' },
  b9: { node: 'c1', exporter: '10.0.10.23', tap: 'tapbeee0c10-b9' },
} as const

/** tx_bytes of each VM. */
function readTruth(file: string): Map<string, number> {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(1)
  return new Map(lines.map((line) => line.split(' ')).map(([vm, sent]) => [vm!, Number(sent)]))
}

function same(a: FlowBatch, b: FlowBatch): boolean {
  return Buffer.compare(a.memory.u8, b.memory.u8) === 0
}
