/**
 * The rate limit of exporters: figures stay right on average, and the error that they state holds the truth in 95 of 100 of two hundred
 * seeded runs, for records of every packet and for those that were sampled before.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Attributor } from '../../src/attribute/attributor.ts'
import { EMPTY_SNAPSHOT } from '../../src/identity/snapshot/build.ts'
import { ExporterTable } from '../../src/pipeline/exporters.ts'
import { LEFT_OUT, RecordLimit } from '../../src/pipeline/record-limit.ts'
import { FlowBatch, getU64, setU64 } from '../../src/schema/batch.ts'
import { enumCodes } from '../../src/schema/enums.ts'
import { NativeEncoder } from '../../src/schema/native.ts'
import { formatAddress } from '../../src/pipeline/exporters.ts'
import { askTop } from '../../src/query/ask.ts'
import { FLOWS } from '../../src/schema/ddl.ts'
import { Engine } from '../query/engine.ts'
import { NO_ENGINE } from '../store/engine.ts'
import { NOTHING_KNOWN, lanesOf, testPipeline } from './parts.ts'

const RUNS = 200
const SFLOW = enumCodes('export_protocol').sflow5
const NETFLOW = enumCodes('export_protocol').netflow5
/** Bulk, talk, and a few records that hold most of the bytes. */
const SIZES = [66, 66, 98, 590, 1514, 9_000, 40_000]

/** Mulberry32: the same draws every time. */
function generator(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

interface Run {
  bytes: number
  packets: number
  kept: number
  batch: FlowBatch
}

const ATTRIBUTOR = new Attributor()
/** Used again by each run. */
const ROWS = new FlowBatch(3_000)

/** Seconds of one exporter, 400 records each: at `rate` 1 whole flows, above it one sampled packet a record. */
function run(seed: number, rate: number, perSecond: number): Run {
  const random = generator(seed)
  const limit = new RecordLimit(perSecond, 4, seed * 7 + 1)
  const batch = ROWS
  batch.reset()
  const { columns: c } = batch
  let [bytes, packets] = [0, 0]
  for (let second = 0; second < 6; second++) {
    for (let i = 0; i < 400; i++) {
      const size = SIZES[Math.floor(random() * SIZES.length)]!
      // As many packets of this size as one sample stands for; which of them are drawn is chance.
      let drawn = rate === 1 ? 1 : 0
      if (rate > 1) for (let packet = 0; packet < rate; packet++) if (random() < 1 / rate) drawn++
      bytes += size * rate
      packets += rate
      for (let n = 0; n < drawn; n++) {
        const row = batch.rows++
        setU64(c.time_received, row, Date.UTC(2026, 0, 1) + second * 1000)
        setU64(c.flow_end, row, Date.UTC(2026, 0, 1) + second * 1000)
        c.export_protocol[row] = rate === 1 ? NETFLOW : SFLOW
        c.sampling_rate[row] = rate
        c.dst_l4_port[row] = 1000 + seed
        setU64(c.packets, row, rate)
        setU64(c.bytes, row, size * rate)
        if (rate > 1) {
          c.samples[row] = 1
          c.bytes_variance[row] = rate * (rate - 1) * size ** 2
        }
        limit.mark(c, row, row + 1, 1, 1_000_000 + second * 1000 + i * 2)
      }
    }
  }
  batch.removeRows('kept_one_in', LEFT_OUT)
  return { bytes, packets, kept: batch.rows, batch }
}

function sumOf(batch: FlowBatch, of: (row: number) => number): number {
  let sum = 0
  for (let row = 0; row < batch.rows; row++) sum += of(row)
  return sum
}

describe('the rate limit of exporters', () => {
  for (const [name, rate] of [
    ['every packet', 1],
    ['one packet in 8', 8],
  ] as const)
    it(`leaves sums right on average, within the error that they state: records of ${name}`, () => {
      let [hits, ratio, thinnest] = [0, 0, Infinity]
      for (let seed = 1; seed <= RUNS; seed++) {
        const one = run(seed, rate, 80)
        const { batch } = one
        ATTRIBUTOR.attribute(batch, EMPTY_SNAPSHOT)
        const found = sumOf(batch, (row) => getU64(batch.columns.bytes, row))
        const width = 1.96 * Math.sqrt(sumOf(batch, (row) => batch.columns.bytes_variance[row]!))
        if (Math.abs(found - one.bytes) <= width) hits++
        ratio += found / one.bytes / RUNS
        thinnest = Math.min(thinnest, one.kept)
        assert.ok(one.kept < 6 * 80 * 1.8, `${one.kept} kept`)
      }
      assert.ok(thinnest > 200, `${thinnest} of 2400 kept`)
      assert.ok(Math.abs(ratio - 1) < 0.01, `${ratio} of the truth on average`)
      assert.ok(hits / RUNS >= 0.925 && hits / RUNS <= 0.975, `${hits} of ${RUNS} within the error`)
    })

  it('lets through what is under it, and is the same for the same seed', () => {
    const under = run(3, 1, 400)
    assert.equal(under.kept, 2_400)
    assert.ok(under.batch.columns.kept_one_in.every((k) => k === 0))
    const of = ({ batch }: Run) => batch.columns.kept_one_in.slice(0, batch.rows)
    assert.deepEqual(of(run(5, 1, 80)), of(run(5, 1, 80)))
    assert.notDeepEqual(of(run(5, 1, 80)), of(run(6, 1, 80)))
  })

  it('is of each exporter alone; a clock set back begins a new second', () => {
    const limit = new RecordLimit(10, 4, 1)
    const { columns: c } = new FlowBatch(4_000)
    assert.ok(limit.mark(c, 0, 1_000, 1, 5_000) > 900)
    assert.equal(limit.mark(c, 1_000, 1_010, 2, 5_000), 0)
    assert.ok(limit.keptOneIn(1) >= 64)
    assert.equal(limit.mark(c, 1_010, 1_011, 1, 1_000), 0)
    assert.equal(limit.leftOut[2], 0)
  })

  it('multiplies counts once, whoever attributes a row again', () => {
    const { batch } = run(5, 1, 80)
    const attributor = ATTRIBUTOR
    attributor.attribute(batch, EMPTY_SNAPSHOT)
    const once = batch.columns.bytes.slice()
    attributor.attribute(batch, EMPTY_SNAPSHOT)
    assert.deepEqual(batch.columns.bytes, once)
  })

  it('takes rows out of a batch and leaves zeros behind them', () => {
    const batch = new FlowBatch(64)
    const { columns: c } = batch
    for (let row = 0; row < 50; row++) {
      c.kept_one_in[row] = row % 3 === 0 ? LEFT_OUT : 2
      for (let lane = 0; lane < 4; lane++) c.src_addr[row * 4 + lane] = row * 4 + lane + 1
      c.tos[row] = row
      batch.rows++
    }
    batch.removeRows('kept_one_in', LEFT_OUT)
    const stay = Array.from({ length: 50 }, (_, row) => row).filter((row) => row % 3 !== 0)
    assert.equal(batch.rows, stay.length)
    assert.deepEqual([...c.tos.slice(0, batch.rows)], stay)
    assert.deepEqual([...c.src_addr.slice(0, 8)], [5, 6, 7, 8, 9, 10, 11, 12])
    assert.ok(c.src_addr.subarray(batch.rows * 4).every((lane) => lane === 0))
    assert.ok(c.tos.subarray(batch.rows).every((value) => value === 0))
  })

  it('is counted by exporter, in metrics and in health; what is stored is the rest', async () => {
    const exporters = new ExporterTable({ max: 64, idleMs: 1e9, aliases: ['127.0.0.9=10.0.10.9'] })
    const recordLimit = new RecordLimit(50, 64, 3)
    let stored = 0
    let bytes = 0
    const pipeline = testPipeline({
      exporters,
      recordLimit,
      attribute: (batch) => {
        ATTRIBUTOR.attribute(batch, EMPTY_SNAPSHOT)
        stored += batch.rows
        bytes += sumOf(batch, (row) => getU64(batch.columns.l2_bytes, row))
      },
    })
    const datagram = Buffer.alloc(24 + 30 * 48)
    datagram.set([0, 5, 0, 30])
    for (let r = 0; r < 30; r++) datagram.writeUInt32BE(100, 24 + r * 48 + 20)
    const nowMs = Date.UTC(2026, 0, 1)
    // More than a batch holds: what is left out gives its room back.
    for (let i = 0; i < 1_000; i++) {
      datagram.writeUInt32BE(Math.floor(nowMs / 1000) + Math.floor(i / 100), 8)
      datagram.writeUInt32BE(i * 30, 16)
      pipeline.feed('netflow', {
        bytes: datagram,
        view: new DataView(datagram.buffer, datagram.byteOffset, datagram.length),
        count: 1,
        start: Uint32Array.of(0),
        end: Uint32Array.of(datagram.length),
        source: lanesOf('127.0.0.9'),
        sourcePort: Uint16Array.of(5000),
        receivedMs: nowMs + i * 10,
      })
    }
    await pipeline.flush()
    const place = exporters.find(lanesOf('10.0.10.9'), 0)
    assert.equal(formatAddress(exporters.address, place * 4), '10.0.10.9')
    assert.equal(stored + recordLimit.leftOut[place]!, 30_000)
    assert.ok(stored > 300 && stored < 900, `${stored} of 30000 at 50 a second for 10 s`)
    assert.ok(Math.abs(bytes / 3_000_000 - 1) < 0.2, `${bytes} of 3000000`)
    const [row] = pipeline.parts.observations.health.take(0, NOTHING_KNOWN)
    assert.deepEqual(
      [row?.limited, row?.records, row?.lost, row?.expected],
      [30_000 - stored, 30_000, undefined, 30_000],
    )
  })
})

describe('figures of limited rows, asked of the engine', { skip: NO_ENGINE }, () => {
  it('state the error of bytes and packets that the rows have', async () => {
    const engine = await Engine.open()
    try {
      const { batch, packets } = run(2, 1, 80)
      ATTRIBUTOR.attribute(batch, EMPTY_SNAPSHOT)
      await engine.store.insert({ table: FLOWS, ...new NativeEncoder().encode([batch]), token: 'limited' })
      const answer = await askTop(
        engine.store,
        { dimensions: ['dst_l4_port'], from: '2025-01-01', to: '2027-01-01' },
        Date.UTC(2026, 0, 1),
      )
      const [row] = answer.rows
      const { columns: c } = batch
      const width = (of: (row: number) => number) => 1.96 * Math.sqrt(sumOf(batch, of))
      const byBytes = width((at) => c.bytes_variance[at]!)
      const byPackets = width((at) => {
        const k = Math.max(1, c.kept_one_in[at]!)
        return k * (k - 1)
      })
      assert.ok(Math.abs(Number(row?.['bytes_error']) / byBytes - 1) < 1e-3)
      assert.ok(Math.abs(Number(row?.['packets_error']) / byPackets - 1) < 1e-3)
      assert.ok(Math.abs(Number(row?.['packets']) - packets) <= 2 * byPackets)
    } finally {
      await engine.close()
    }
  })
})
