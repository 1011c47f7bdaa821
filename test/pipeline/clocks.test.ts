import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PROTOCOLS } from '../../src/decode/decoder.ts'
import { type ClockRule, Clocks } from '../../src/pipeline/clocks.ts'
import { FlowBatch, getU64 } from '../../src/schema/batch.ts'
import { CORRECTIONS } from '../../src/schema/enums.ts'
import { NOTHING_KNOWN, lanesOf, testPipeline } from './parts.ts'

const NOW = Date.UTC(2026, 0, 1, 12)
const HOUR = 3_600_000
const DAY = 24 * HOUR
const V5 = PROTOCOLS.indexOf('netflow5')
const WINDOW = { pastMs: HOUR, futureMs: 60_000 }

/** One NetFlow v5 record that began 5 s and ended 1 s before the export, from a clock `aheadMs` ahead; sysUptime is `uptime`. */
function record(aheadMs: number, uptime = 1_000_000): Buffer {
  const bytes = Buffer.alloc(24 + 48)
  bytes.set([0, 5, 0, 1])
  bytes.writeUInt32BE(uptime >>> 0, 4)
  bytes.writeUInt32BE(Math.max(0, Math.floor((NOW + aheadMs) / 1000)) >>> 0, 8)
  bytes.writeUInt32BE((uptime - 5_000) >>> 0, 24 + 24)
  bytes.writeUInt32BE((uptime - 1_000) >>> 0, 24 + 28)
  return bytes
}

/** Feeds records and answers, for each: how long before its arrival it began and ended, and whether it was moved. */
async function times(rule: ClockRule, records: readonly Buffer[]) {
  const found: { began: number; ended: number; moved: boolean }[] = []
  const clocks = new Clocks({ rule, ...WINDOW }, 64)
  const pipeline = testPipeline({
    clocks,
    attribute: ({ rows, columns: c }) => {
      for (let row = 0; row < rows; row++) {
        const arrival = getU64(c.time_received, row)
        found.push({
          began: arrival - getU64(c.flow_start, row),
          ended: arrival - getU64(c.flow_end, row),
          moved: (c.corrections[row]! & CORRECTIONS.clock.bit) !== 0,
        })
      }
    },
  })
  for (const bytes of records)
    pipeline.feed('netflow', {
      bytes,
      view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
      count: 1,
      start: Uint32Array.of(0),
      end: Uint32Array.of(bytes.length),
      source: lanesOf('10.0.0.1'),
      sourcePort: Uint16Array.of(5000),
      receivedMs: NOW,
    })
  await pipeline.flush()
  return { found, clocks, health: [...pipeline.parts.observations.health.take(0, { ...NOTHING_KNOWN, clockOffset: (place) => clocks.offsetMs[place]! })] } // prettier-ignore
}

const RIGHT = { began: 5_000, ended: 1_000, moved: false }
const MOVED = { began: 5_000, ended: 1_000, moved: true }
/** Nothing tells how far its clock is off: it ended when it arrived. */
const ARRIVED = { began: 4_000, ended: 0, moved: true }

describe('clocks of exporters', () => {
  for (const [name, ahead] of [
    ['a day ahead', DAY],
    ['a day behind', -DAY],
    ['in 2105', Date.UTC(2105, 0, 1) - NOW],
    ['in 1971', Date.UTC(1971, 0, 1) - NOW],
  ] as const)
    it(`that are ${name} put no row far away: at arrival first, moved by the offset once three headers agree`, async () => {
      const { found, clocks, health } = await times(
        'far',
        Array.from({ length: 4 }, () => record(ahead)),
      )
      assert.deepEqual(found, [ARRIVED, ARRIVED, MOVED, MOVED])
      assert.equal(clocks.offsetMs[0], ahead)
      assert.deepEqual([health[0]?.clock_moved, health[0]?.clock_offset], [4, ahead])
    })

  it('that are right, or nearly, are left alone', async () => {
    const { found, clocks, health } = await times(
      'far',
      [0, 1000, -1000, 0].map((ahead) => record(ahead)),
    )
    assert.equal(found.filter(({ moved }) => moved).length, 0)
    assert.equal(clocks.isOff(0), false)
    assert.equal(health[0]?.clock_moved, undefined)
  })

  it('that are off but inside the window are measured, and corrected when that is asked for', async () => {
    const records = Array.from({ length: 4 }, () => record(30_000))
    const far = await times('far', records)
    assert.deepEqual(far.found.at(-1), { began: -25_000, ended: -29_000, moved: false })
    assert.equal(far.clocks.offsetMs[0], 30_000)
    assert.deepEqual((await times('correct', records)).found.at(-1), MOVED)
  })

  it('are trusted when that is asked for, but not with what no calendar has', async () => {
    const { found } = await times('trust', [record(DAY)])
    assert.deepEqual(found, [{ began: 5_000 - DAY, ended: 1_000 - DAY, moved: false }])
    const { columns: c } = new FlowBatch(1)
    c.flow_end.fill(0xffff_ffff)
    const clocks = new Clocks({ rule: 'trust', ...WINDOW }, 1)
    assert.equal(clocks.check(c, 0, 1, -1), 1)
    assert.equal(getU64(c.flow_end, 0), getU64(c.time_received, 0))
  })

  it('do not follow a forged datagram or two', async () => {
    const { found, clocks } = await times('correct', [record(0), record(0), record(0), record(DAY), record(DAY), record(0)]) // prettier-ignore
    assert.ok(Math.abs(clocks.offsetMs[0]!) < 1)
    assert.deepEqual(found.at(-1), RIGHT)
  })

  it('that step are measured anew', async () => {
    const { clocks } = await times('far', [...Array(4).fill(record(DAY)), ...Array(4).fill(record(0))] as Buffer[])
    assert.equal(clocks.offsetMs[0], 0)
  })

  it('whose uptime wraps, after 49.7 days, give the same times', async () => {
    for (const uptime of [3_000, 500, 0xffff_ffff, 4_999])
      assert.deepEqual((await times('far', [record(0, uptime)])).found, [RIGHT], `uptime ${uptime}`)
  })

  it('of an exporter whose place goes to another are forgotten', () => {
    const clocks = new Clocks({ rule: 'far', ...WINDOW }, 2)
    const bytes = record(DAY)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    for (let i = 0; i < 3; i++) clocks.read(1, V5, view, 0, NOW)
    assert.equal(clocks.isOff(1), true)
    clocks.forget(1)
    assert.equal(clocks.isOff(1), false)
  })
})
