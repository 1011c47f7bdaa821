/** Data before its template: held within bounds, decoded when that comes, at the time it came itself. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LateLimits } from '../../src/decode/ipfix/late.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { PCAPS } from '../paths.ts'
import { Bench, EXPORT_TIME, ipfix, netflow9, set, template, u32, u64, type FieldSpec } from './ipfix-build.ts'
import { readPayloads, datagram, restIsZero, rowsOf, type Payload } from './ipfix-feed.ts'

const PACKETS: readonly FieldSpec[] = [[2, 4]]
const NOW = EXPORT_TIME + 1000

interface Settled {
  exporterId: number
  rows: number
}

function benchOf(late: Partial<LateLimits> = {}) {
  const settled: Settled[] = []
  const told: unknown[] = []
  const bench = new Bench(
    { late, onSettled: (exporterId, _version, _domain, rows) => void settled.push({ exporterId, rows }) },
    { sequence: (_, ...rest) => void told.push(rest) },
  )
  return { bench, settled, told, late: bench.decoder.late! }
}

describe('data before its template', () => {
  it('is held and decoded when the template comes, and told to the sink once', () => {
    const { bench, settled, told, late } = benchOf()
    assert.equal(bench.decode(ipfix([set(256, u32(7), u32(8))], 5, 3), { id: 9 }), 'template_awaited')
    assert.equal(bench.decode(netflow9([set(257, u32(9))], 6, 4), { id: 9 }), 'template_awaited')
    assert.equal(late.expire(NOW, bench.out), 0)
    assert.equal(late.size, 2)
    bench.decode(ipfix([set(2, template(256, PACKETS))], 5, 4), { id: 9 })
    bench.decode(netflow9([set(0, template(257, PACKETS))], 6, 5), { id: 9 })
    assert.equal(late.expire(NOW, bench.out), 3)
    assert.deepEqual(
      rowsOf(bench.out).map(({ packets, sequence, export_protocol, observation_domain }) => ({
        packets,
        sequence,
        export_protocol,
        observation_domain,
      })),
      [
        { packets: 7, sequence: 3, export_protocol: 'ipfix', observation_domain: 5 },
        { packets: 8, sequence: 3, export_protocol: 'ipfix', observation_domain: 5 },
        { packets: 9, sequence: 4, export_protocol: 'netflow9', observation_domain: 6 },
      ],
    )
    assert.deepEqual(settled, [
      { exporterId: 9, rows: 2 },
      { exporterId: 9, rows: 1 },
    ])
    assert.equal(told.length, 4)
    assert.equal(late.size, 0)
    assert.deepEqual(late.counters, { held: 2, decoded: 2, displaced: 0, expired: 0, refused: 0 })
  })

  it('keeps the time it came at, and the sets beside it are decoded at once', () => {
    const { bench, late } = benchOf()
    bench.decode(ipfix([set(2, template(256, PACKETS)), set(256, u32(1)), set(300, u32(2))], 5), { id: 9 })
    assert.equal(bench.out.rows, 1)
    bench.decode(ipfix([set(2, template(300, PACKETS))], 5), { id: 9 })
    assert.equal(late.expire(NOW + 60_000, bench.out), 1)
    const [first, second] = rowsOf(bench.out)
    assert.equal(second!.time_received, first!.time_received)
    assert.equal(second!.packets, 2)
  })

  it('is given up after its time, and counted', () => {
    const { bench, settled, late } = benchOf({ maxAgeMs: 1000 })
    bench.decode(ipfix([set(256, u32(7))], 5), { id: 9 })
    late.expire(EXPORT_TIME + 1400, bench.out)
    assert.equal(late.size, 1)
    late.expire(EXPORT_TIME + 1600, bench.out)
    assert.equal(late.size, 0)
    assert.equal(late.counters.expired, 1)
    assert.deepEqual(settled, [{ exporterId: 9, rows: -1 }])
    bench.decode(ipfix([set(2, template(256, PACKETS))], 5), { id: 9 })
    assert.equal(late.expire(NOW, bench.out), 0)
  })

  it('is bounded in bytes, of all and of each exporter; what is held still decodes', () => {
    const { bench, settled, late } = benchOf({ maxBytes: 8192, maxBytesPerExporter: 2400 })
    for (let i = 0; i < 3000; i++)
      bench.decode(ipfix([set(256, u32(i), u32(i))], 5), { id: i % 3 === 0 ? 1 + (i % 7) : 8 })
    assert.ok(late.bytes <= 8192)
    const { held, displaced, refused } = late.counters
    assert.equal(held - displaced, late.size)
    assert.ok(refused > 0 && displaced + refused + late.size === 3000)
    for (let id = 1; id <= 8; id++) bench.decode(ipfix([set(2, template(256, PACKETS))], 5), { id })
    const out = new FlowBatch(1024)
    const waiting = late.size
    assert.equal(late.expire(NOW, out), waiting * 2)
    assert.ok(restIsZero(out))
    assert.equal(late.size, 0)
    assert.equal(settled.filter(({ rows }) => rows === 2).length, waiting)
  })

  it('waits while the batch has no room, and says how much it needs', () => {
    const { bench, late } = benchOf()
    for (let i = 0; i < 9; i++) bench.decode(ipfix([set(256, u32(i), u32(i), u32(i))], 5), { id: 1 })
    bench.decode(ipfix([set(2, template(256, PACKETS))], 5), { id: 1 })
    const rows: number[] = []
    for (let i = 0; i < 40 && late.size > 0; i++) {
      const out = new FlowBatch(Math.max(late.needs, 12))
      late.expire(NOW, out)
      rows.push(out.rows)
    }
    assert.equal(late.size, 0)
    assert.equal(
      rows.reduce((sum, n) => sum + n),
      27,
    )
    assert.equal(late.needs, 1)
  })

  it('does not grow by what is never told a template, and costs no more for being much', () => {
    const { bench, late } = benchOf({ maxBytes: 1 << 20, maxBytesPerExporter: 1 << 20 })
    const message = datagram(ipfix([set(256, ...Array.from({ length: 40 }, () => u64(1)))]), { id: 3 })
    for (let i = 0; i < 20_000; i++) bench.decoder.decode(message, bench.out)
    assert.ok(late.bytes <= 1 << 20)
    const cpu = process.cpuUsage()
    for (let i = 0; i < 50; i++) {
      late.templateCame()
      late.expire(NOW, bench.out)
    }
    assert.ok(process.cpuUsage(cpu).user < 2e6, `${process.cpuUsage(cpu).user} µs`)
  })

  it('of a real Open vSwitch gives the same rows whichever comes first', () => {
    const files = [`${PCAPS}ipfix/capture.pcap`, `${PCAPS}openvswitch/ovs-ipfix-bridge.pcap`]
    for (const file of files) {
      const payloads = readPayloads(file, 10)
      const isTemplate = ({ bytes }: Payload) => bytes[16] === 0 && bytes[17]! < 4
      const inOrder = rowsInOrder(
        payloads.filter(isTemplate),
        payloads.filter((one) => !isTemplate(one)),
      )
      const late = rowsInOrder(
        payloads.filter((one) => !isTemplate(one)),
        payloads.filter(isTemplate),
      )
      assert.ok(inOrder.length > 10)
      assert.deepEqual(late, inOrder)
    }
  })
})

/** Rows of what comes first, then of what comes then, sorted. */
function rowsInOrder(...parts: Payload[][]): string[] {
  const bench = new Bench({ late: {}, presume: false }, {}, 4096)
  for (const payload of parts.flat()) bench.decoder.decode(datagram(payload.bytes, payload), bench.out)
  bench.decoder.late!.expire(0, bench.out)
  return rowsOf(bench.out)
    .map((row) => JSON.stringify(row))
    .sort()
}
