import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FlowCache, type FlowCacheOptions } from '../../src/decode/mirror/flow-cache.ts'
import { MirroredFrame } from '../../src/decode/mirror/frame.ts'
import { MirrorDecoder } from '../../src/decode/mirror/decoder.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { ethernet, gre, ipv4, tcp, udp } from '../wire/frames.ts'
import { rowsOf, type Row } from './ipfix-feed.ts'
import { mirrored, NOW } from './mirror-feed.ts'

/** A frame between two ports `n` milliseconds after NOW. */
function frame(port: number, n: number, flags = 0x10): MirroredFrame {
  const result = new MirroredFrame()
  result.from(Uint32Array.of(0, 0, 0xffff0000, 0x0e0a000a), 0, 0, 5)
  result.columns.ip_protocol[0] = 6
  result.columns.src_l4_port[0] = port
  result.columns.dst_l4_port[0] = 5400
  result.columns.tcp_flags[0] = flags
  result.atMs = NOW + n
  result.bytes = 100
  result.l2Bytes = 114
  return result
}

const ms = (value: unknown) => Date.parse(value as string) - NOW
const brief = (row: Row) => [row.src_l4_port, row.packets, ms(row.flow_start), ms(row.flow_end), row.flow_end_reason]

function emitted(batch: FlowBatch): unknown[][] {
  const rows = rowsOf(batch).map(brief)
  batch.reset()
  return rows
}

describe('the flow cache', () => {
  it('adds frames of one flow up and reports it when it was idle for the inactive timeout', () => {
    const cache = new FlowCache()
    const batch = new FlowBatch(8)
    cache.add(frame(1, 0, 0x02), batch)
    cache.add(frame(1, 10, 0x18), batch)
    cache.add(frame(1, 700, 0x11), batch)
    assert.equal(cache.expire(NOW + 700 + 14_999, batch), 0)
    assert.equal(cache.expire(NOW + 700 + 15_000, batch), 1)
    const [row] = rowsOf(batch)
    assert.deepEqual(brief(row!), [1, 3, 0, 700, 'idle_timeout'])
    assert.deepEqual([row!.bytes, row!.l2_bytes, row!.tcp_flags, row!.sampling_rate], [300, 342, 0x1b, 1])
    assert.equal(cache.size, 0)
  })

  it('reports a flow that goes on at the active timeout, and begins anew', () => {
    const cache = new FlowCache()
    const batch = new FlowBatch(8)
    for (let at = 0; at <= 130_000; at += 10_000) {
      cache.add(frame(1, at), batch)
      cache.expire(NOW + at, batch)
    }
    assert.deepEqual(emitted(batch), [
      [1, 6, 0, 50_000, 'active_timeout'],
      [1, 6, 60_000, 110_000, 'active_timeout'],
    ])
  })

  it('does the same without anyone calling expire, so that no record covers more than the active timeout', () => {
    const cache = new FlowCache()
    const batch = new FlowBatch(8)
    for (let at = 0; at <= 130_000; at += 10_000) cache.add(frame(1, at), batch)
    cache.add(frame(1, 150_000), batch)
    cache.flush(batch)
    assert.deepEqual(emitted(batch), [
      [1, 6, 0, 50_000, 'active_timeout'],
      [1, 6, 60_000, 110_000, 'active_timeout'],
      [1, 2, 120_000, 130_000, 'idle_timeout'],
      [1, 1, 150_000, 150_000, 'forced_end'],
    ])
  })

  it('pushes the flow out that was idle for longest when it is full, and counts that', () => {
    const cache = new FlowCache({ maxFlows: 3 })
    const batch = new FlowBatch(8)
    for (const port of [1, 2, 3]) cache.add(frame(port, port), batch)
    cache.add(frame(1, 4), batch)
    cache.add(frame(4, 5), batch)
    assert.deepEqual(emitted(batch), [[2, 1, 2, 2, 'lack_of_resources']])
    assert.equal(cache.evicted, 1)
    assert.equal(cache.size, 3)
  })

  it('ends a flow at FIN or RST where asked to', () => {
    for (const [endOnTcpClose, rows] of [
      [true, 1],
      [false, 0],
    ] as const) {
      // prettier-ignore
      const cache = new FlowCache({ endOnTcpClose })
      const batch = new FlowBatch(8)
      cache.add(frame(1, 0), batch)
      cache.add(frame(1, 1, 0x11), batch)
      assert.equal(batch.rows, rows)
      if (rows === 1) assert.deepEqual(emitted(batch), [[1, 2, 0, 1, 'end_of_flow']])
    }
  })

  it('goes on in the next batch when one is full', () => {
    const cache = new FlowCache()
    const batch = new FlowBatch(4)
    for (let port = 1; port <= 10; port++) cache.add(frame(port, port), batch)
    const seen: unknown[] = []
    for (const count of [4, 4, 2, 0]) {
      assert.equal(cache.expire(NOW + 20_000, batch), count)
      seen.push(...emitted(batch).map((row) => row[0]))
    }
    assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    for (let port = 1; port <= 10; port++) cache.add(frame(port, port), batch)
    for (const count of [4, 4, 2, 0]) {
      assert.equal(cache.flush(batch), count)
      batch.reset()
    }
  })

  it('reports flows when the clock goes back by more than a timeout (an older capture follows)', () => {
    const cache = new FlowCache()
    const batch = new FlowBatch(4)
    cache.add(frame(1, 0), batch)
    assert.equal(cache.expire(NOW - 3_600_000, batch), 1)
    cache.add(frame(1, 0), batch)
    cache.add(frame(1, -3_600_000), batch)
    assert.equal(batch.rows, 2)
    assert.equal(cache.size, 1)
  })

  it('sets start and end by the earliest and latest frame, whatever their order', () => {
    const cache = new FlowCache()
    const batch = new FlowBatch(4)
    for (const at of [50, 20, 90, 60]) cache.add(frame(1, at), batch)
    cache.flush(batch)
    assert.deepEqual(emitted(batch), [[1, 4, 20, 90, 'forced_end']])
  })
})

/** Repeatable numbers below a bound. */
class Dice {
  private state: number
  constructor(seed: number) {
    this.state = seed
  }
  below(bound: number): number {
    this.state = (Math.imul(this.state ^ (this.state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0
    return (this.state >>> 8) % bound
  }
}

type Sums = Map<string, { packets: number; bytes: number; l2: number; flags: number }>

function addTo(sums: Sums, key: string, packets: number, bytes: number, l2: number, flags: number): void {
  const sum = sums.get(key) ?? { packets: 0, bytes: 0, l2: 0, flags: 0 }
  sums.set(key, { packets: sum.packets + packets, bytes: sum.bytes + bytes, l2: sum.l2 + l2, flags: sum.flags | flags })
}

describe('sums over rows are sums over frames', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const dice = new Dice(seed)
    const options: FlowCacheOptions = {
      maxFlows: [1, 2, 7, 50, 1000][dice.below(5)]!,
      activeTimeoutMs: [1, 1000, 60_000][dice.below(3)]!,
      inactiveTimeoutMs: [1, 300, 15_000][dice.below(3)]!,
      endOnTcpClose: dice.below(2) === 1,
    }
    it(`seed ${seed}: ${JSON.stringify(options)}`, () => {
      const cache = new FlowCache(options)
      const batch = new FlowBatch(2 + dice.below(20))
      const sent: Sums = new Map()
      const stored: Sums = new Map()
      const ports = [1, 5, 200][dice.below(3)]!
      const drain = () => {
        for (const row of rowsOf(batch)) {
          const [packets, bytes, l2] = [row.packets, row.bytes, row.l2_bytes].map((value) => Number(value ?? 0))
          assert.ok(packets! > 0)
          const span = ms(row.flow_end) - ms(row.flow_start)
          assert.ok(span >= 0 && span <= options.activeTimeoutMs)
          addTo(stored, `${row.src_l4_port} ${row.vlan}`, packets!, bytes!, l2!, Number(row.tcp_flags ?? 0))
        }
        batch.reset()
      }
      for (let i = 0, at = 0; i < 3000; i++) {
        at += dice.below(20) === 0 ? dice.below(2000) : dice.below(10)
        const one = frame(1 + dice.below(ports), at, dice.below(0x40))
        const { src_l4_port: port, vlan, tcp_flags: flags } = one.columns
        vlan[0] = 1 + dice.below(3)
        one.bytes = dice.below(1500)
        one.l2Bytes = one.bytes + 14
        addTo(sent, `${port[0]} ${vlan[0]}`, 1, one.bytes, one.l2Bytes, flags[0]!)
        if (batch.free < 2) drain()
        cache.add(one, batch)
        assert.ok(cache.size <= options.maxFlows)
        if (dice.below(50) === 0) {
          if (batch.free === 0) drain()
          while (cache.expire(NOW + at, batch) > 0 && batch.free === 0) drain()
        }
      }
      do drain()
      while (cache.flush(batch) > 0)
      assert.equal(cache.size, 0)
      assert.deepEqual(stored, sent)
    })
  }
})

describe('flows in the cache', () => {
  it('are never there twice, though others come and go around them', () => {
    const cache = new FlowCache({ maxFlows: 400, activeTimeoutMs: 1e12, inactiveTimeoutMs: 1e12, endOnTcpClose: true })
    const batch = new FlowBatch(1000)
    const dice = new Dice(5)
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 5000; i++) {
        cache.add(frame(dice.below(500), i, dice.below(4) === 0 ? 0x04 : 0x10), batch)
        if (batch.free < 2) batch.reset()
      }
      batch.reset()
      const { size } = cache
      assert.equal(cache.flush(batch), size)
      const ports = rowsOf(batch).map((row) => row.src_l4_port)
      assert.equal(new Set(ports).size, ports.length)
      batch.reset()
    }
  })
})

describe('a mirror decoder', () => {
  it('keeps mirrors, exporters and directions apart', () => {
    const decoder = new MirrorDecoder('gre')
    const batch = new FlowBatch(16)
    const inner = ethernet(0x0800, ipv4({ protocol: 17 }, udp(1, 2, new Uint8Array(4))))
    const packet = (key: number) => mirrored(ipv4({ protocol: 47 }, gre(0x6558, { key }, inner)))
    const other = packet(1)
    other.exporter[3] = 0x0f0a000a
    for (const datagram of [packet(1), packet(1), packet(2), other]) decoder.decode(datagram, batch)
    decoder.flush(batch)
    assert.deepEqual(
      rowsOf(batch).map((row) => [row.exporter, row.observation_point, row.packets]),
      [
        ['10.0.10.14', 1, 2],
        ['10.0.10.14', 2, 1],
        ['10.0.10.15', 1, 1],
      ],
    )
  })

  it('takes the type of service into the key, unless told not to', () => {
    for (const [keyTos, rows] of [
      [true, 2],
      [false, 1],
    ] as const) {
      // prettier-ignore
      const decoder = new MirrorDecoder('gre', { keyTos })
      const batch = new FlowBatch(16)
      for (const tos of [0, 0xb8]) {
        const inner = ethernet(0x0800, ipv4({ protocol: 6, tos }, tcp(1, 2, 0x10)))
        decoder.decode(mirrored(ipv4({ protocol: 47 }, gre(0x6558, {}, inner))), batch)
      }
      assert.equal(decoder.flush(batch), rows)
    }
  })

  it('allocates nothing for a frame', () => {
    const decoder = new MirrorDecoder('gre', { maxFlows: 100 })
    const batch = new FlowBatch(512)
    const inner = ethernet(0x0800, ipv4({ protocol: 6 }, tcp(1, 2, 0x10)), [[0x8100, 69]])
    const datagram = mirrored(ipv4({ protocol: 47 }, gre(0x6558, {}, inner)))
    const at = datagram.end - 20
    const pass = (frames: number) => {
      for (let i = 0; i < frames; i++) {
        datagram.view.setUint16(at, i % 150)
        datagram.receivedMs = NOW + i / 10
        decoder.decode(datagram, batch)
        if (batch.free < 2) batch.reset()
      }
    }
    pass(50_000)
    const before = process.memoryUsage().heapUsed
    pass(300_000)
    assert.ok(process.memoryUsage().heapUsed - before < 8e6)
  })
})
