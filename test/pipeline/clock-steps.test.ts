/** The clock of the collector's own machine is set while it runs, forth and back: nothing is stuck, nothing that is held is lost. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NO_SINK } from '../../src/decode/decoder.ts'
import { IpfixDecoder } from '../../src/decode/ipfix/decoder.ts'
import { STATUS } from '../../src/decode/status.ts'
import { ClockSteps } from '../../src/pipeline/clock-steps.ts'
import { ExporterTable } from '../../src/pipeline/exporters.ts'
import { KeyTable } from '../../src/pipeline/key-table.ts'
import { Alarm } from '../../src/store/pacing.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { ipfix, set, template, u32 } from '../decode/ipfix-build.ts'
import { datagram } from '../decode/ipfix-feed.ts'
import { RateLimit } from '../../src/api/rate.ts'
import { collectBlocks, lanesOf, testPipeline } from './parts.ts'

const DAY = 86_400_000
const NOW = Date.UTC(2026, 0, 1)

describe('a clock that is set', () => {
  it('is noticed against one that nobody sets; what is slewed, or a look that is late, is not', () => {
    let steady = 0
    const steps = new ClockSteps(() => steady)
    const look = (passed: number, wall: number) => steps.look(((steady += passed), wall))
    assert.equal(look(0, NOW), 0)
    assert.equal(look(100, NOW + 100), 0)
    assert.equal(look(60_000, NOW + 60_100), 0)
    assert.equal(look(1_000, NOW + 62_100), 0)
    assert.equal(look(100, NOW + 62_200 + DAY), DAY)
    assert.equal(look(100, NOW + 62_300 + DAY), 0)
    assert.equal(look(100, NOW + 62_400), -DAY)
  })

  for (const step of [-DAY, DAY])
    it(`by ${step / 3_600_000} hours keeps no block back and loses no datagram`, () => {
      let steady = 0
      let wall = NOW
      const kept = collectBlocks()
      const pipeline = testPipeline(
        { emit: (block) => kept.take(block), exporters: new ExporterTable({ max: 64, idleMs: 1e9 }) },
        { flushAfterMs: 1_000, steadyMs: () => steady },
      )
      const pass = (ms: number) => {
        steady += ms
        wall += ms
        pipeline.tick(wall)
      }
      const feed = () => {
        const bytes = Buffer.alloc(24 + 48)
        bytes.set([0, 5, 0, 1])
        bytes.writeUInt32BE(Math.floor(wall / 1000), 8)
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
        pipeline.feed('netflow', { bytes, view, count: 1, start: Uint32Array.of(0), end: Uint32Array.of(bytes.length), source: lanesOf('10.0.0.1'), sourcePort: Uint16Array.of(1), receivedMs: wall }) // prettier-ignore
      }
      pass(100)
      feed()
      pass(100)
      wall += step
      pass(100)
      feed()
      for (let i = 0; i < 12; i++) pass(100)
      assert.equal(kept.rows, 2)
      assert.equal(pipeline.counters.clockSteps, 1)
    })

  it('forth by eight days ages neither templates nor data that waits for them', () => {
    const FIELDS = [[8, 4], [12, 4], [2, 4]] as const // prettier-ignore
    const record = [...u32(0x0a000001), ...u32(0x0a000002), ...u32(7)]
    const out = new FlowBatch(64)
    const decoder = new IpfixDecoder(NO_SINK, { late: { maxAgeMs: 660_000 }, presume: false })
    const at = (bytes: Uint8Array, timeMs: number) => decoder.decode(datagram(bytes, { timeMs }), out)
    assert.equal(at(ipfix([set(2, template(256, FIELDS))]), NOW), STATUS.ok_no_rows)
    assert.equal(at(ipfix([set(300, record)]), NOW), STATUS.template_awaited)
    decoder.expire(NOW + 1_000, out)
    decoder.stepped(8 * DAY)
    for (let i = 0; i < 50; i++) decoder.expire(NOW + 8 * DAY + 2_000 + i, out)
    assert.equal(decoder.templates.aged, 0)
    assert.equal(decoder.late?.counters.expired, 0)
    assert.equal(at(ipfix([set(256, record)]), NOW + 8 * DAY + 3_000), STATUS.ok)
    assert.equal(at(ipfix([set(2, template(300, FIELDS))]), NOW + 8 * DAY + 3_000), STATUS.ok_no_rows)
    decoder.expire(NOW + 8 * DAY + 3_100, out)
    assert.equal(out.rows, 2)
  })

  it('back does not keep idle exporters in their places, nor clients of the API out', () => {
    const table = new KeyTable(2, 60_000)
    table.place(1, 0, 0, 0, NOW)
    table.place(2, 0, 0, 0, NOW)
    assert.ok(table.place(3, 0, 0, 0, NOW - DAY) >= 0)
    const limit = new RateLimit(10)
    assert.equal(limit.take('somebody', NOW), 0)
    assert.equal(limit.take('somebody', NOW - DAY), 0)
  })

  it('while something waits does not make it wait for as long', async (t) => {
    const alarm = new Alarm()
    const real = Date.now
    t.after(() => (Date.now = real))
    const began = performance.now()
    const slept = alarm.sleep(50, () => false)
    Date.now = () => real() - DAY
    alarm.ring()
    await slept
    assert.ok(performance.now() - began < 10_000)
  })
})
