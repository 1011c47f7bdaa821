import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Protocol } from '../../src/decode/decoder.ts'
import { SequenceTracker } from '../../src/pipeline/sequence.ts'

interface Seen {
  sequence: number
  records: number
  stream?: number
  port?: number
}

/** Feeds datagrams a millisecond apart and answers what was lost after everything has settled. */
function run(protocol: Protocol, seen: readonly Seen[]) {
  let lost = 0
  const tracker = new SequenceTracker({
    maxStreams: 64,
    idleMs: 60_000,
    onLost: (_, __, records) => (lost += records),
  })
  for (const [ms, { sequence, records, stream = 0, port = 1 }] of seen.entries())
    tracker.observe(0, port, protocol, stream, sequence >>> 0, records, ms)
  tracker.settle(1e9)
  return { lost, late: tracker.late, restarts: tracker.restarts, mixed: tracker.mixed, refused: tracker.refused }
}

let seed = 7
const random = (n: number) => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 1) % n

/** Datagrams of 1–30 records, numbered by their first record (Cisco) or their last (Open vSwitch). */
function netflow5(count: number, ovs: boolean, from = 0): Seen[] {
  let next = from
  return Array.from({ length: count }, () => {
    const records = 1 + random(30)
    next += records
    return { sequence: ovs ? next - 1 : next - records, records }
  })
}

/** Datagrams of one record each, numbered from `from`. */
const counted = (count: number, from = 1, rest: Partial<Seen> = {}): Seen[] =>
  Array.from({ length: count }, (_, i) => ({ sequence: from + i, records: 1, ...rest }))

/** Datagrams lost, percent. Two counters mixed look like much of it, and must not be taken for it. */
const LOSSES = [1, 10, 30, 60]

/** Takes every datagram with `drop(i)` out and answers the rest and how many records are gone. */
function lose(seen: readonly Seen[], drop: (i: number) => boolean) {
  const gone = seen.map((_, i) => drop(i))
  const kept = seen.filter((_, i) => gone[i] === false)
  const lost = seen.reduce((sum, { records }, i) => sum + (gone[i] === true ? records : 0), 0)
  return { kept, lost }
}

const NONE = { lost: 0, late: 0, restarts: 0, mixed: 0, refused: 0 }

describe('sequence numbers', () => {
  it('of Open vSwitch NetFlow, as seen in the lab, are without loss', () => {
    const lab = [
      [0, 1],
      [1, 1],
      [4, 3],
      [5, 1],
      [6, 1],
    ].map(([sequence, records]) => ({ sequence: sequence!, records: records! }))
    assert.deepEqual(run('netflow5', lab), NONE)
  })

  for (const ovs of [true, false]) {
    const who = ovs ? 'Open vSwitch' : 'Cisco'
    it(`of NetFlow v5 in the reading of ${who} are without loss, over the wrap of 32 bits too`, () => {
      assert.deepEqual(run('netflow5', netflow5(500, ovs, 0xffff_f000)), NONE)
    })
    for (const percent of LOSSES)
      it(`of NetFlow v5 in the reading of ${who} tell ${percent} % of loss within a tenth of a percentage point`, () => {
        const all = netflow5(10_000, ovs)
        const { kept, lost } = lose(all, (i) => i > 20 && i < 9_999 && random(100) < percent)
        const sent = all.reduce((sum, { records }) => sum + records, 0)
        assert.ok(Math.abs(run('netflow5', kept).lost - lost) / sent < 0.001)
      })
  }

  it('of sFlow, NetFlow v9 and IPFIX tell the loss exactly', () => {
    for (const protocol of ['sflow5', 'netflow9', 'ipfix'] as const)
      for (const percent of LOSSES) {
        const { kept, lost } = lose(counted(10_000), (i) => i > 0 && i < 9_999 && random(100) < percent)
        assert.deepEqual(run(protocol, kept), { ...NONE, lost }, `${protocol} ${percent} %`)
      }
  })

  it('of Open vSwitch IPFIX are one counter over all domains of a session', () => {
    const seen = counted(1000).map((one, i) => ({ ...one, stream: i % 50 === 0 ? 0 : 77 }))
    assert.deepEqual(run('ipfix', seen), NONE)
    const { kept, lost } = lose(seen, (i) => i > 200 && i % 100 === 3)
    assert.equal(run('ipfix', kept).lost, lost)
  })

  it('of IPFIX as RFC 7011 has it are a counter for each domain', () => {
    const seen = Array.from({ length: 1000 }, (_, i) => ({ sequence: i >> 1, records: 1, stream: i & 1 }))
    assert.equal(run('ipfix', seen).lost, 0)
  })

  it('of two bridges with one domain are told apart by their source ports', () => {
    const seen = counted(100, 1, { port: 10 }).flatMap((one, i) => [one, { ...one, sequence: 5000 + i, port: 11 }])
    assert.deepEqual(run('ipfix', seen), NONE)
  })

  it('prove nothing after a datagram whose records could not be counted', () => {
    const seen = counted(100).map((one, i) => (i % 10 === 5 ? { ...one, records: -1 } : one))
    assert.deepEqual(run('ipfix', seen), NONE)
  })

  it('that arrive up to 8 places late are no loss', () => {
    for (const protocol of ['sflow5', 'ipfix', 'netflow5'] as const) {
      const seen = protocol === 'netflow5' ? netflow5(2000, true) : counted(2000)
      const jumbled = seen
        .map((one, i) => ({ one, at: i + (i < 20 ? 0 : random(9)) }))
        .sort((a, b) => a.at - b.at)
        .map(({ one }) => one)
      assert.equal(run(protocol, jumbled).lost, 0, protocol)
    }
    const swapped = counted(64)
    for (let i = 8; i + 16 <= 64; i += 16)
      swapped.splice(i, 16, ...swapped.slice(i + 8, i + 16), ...swapped.slice(i, i + 8))
    assert.equal(run('sflow5', swapped).lost, 0)
  })

  it('that start again, early or late, are a restart and no loss', () => {
    for (const before of [15, 100, 100_000]) {
      const seen = [...counted(before), ...counted(100)]
      const { lost, restarts } = run('sflow5', seen)
      assert.deepEqual({ lost, restarts }, { lost: 0, restarts: 1 }, `after ${before}`)
    }
    assert.deepEqual(run('sflow5', [...counted(50), ...counted(50, 3_000_000_000)]).lost, 0)
  })

  it('of two bridges with one engine id are noticed, and not counted as loss without end', () => {
    const seen = counted(2000).flatMap((one, i) => [one, { ...one, sequence: 500_000 + i }])
    const { lost, mixed } = run('netflow5', seen)
    assert.equal(mixed, 1)
    assert.ok(lost < 20, `${lost} lost`)
  })

  it('are followed for a bounded number of streams', () => {
    const seen = Array.from({ length: 100 }, (_, stream) => ({ sequence: 1, records: 1, stream }))
    assert.equal(run('sflow5', seen).refused, 36)
  })

  it('are the same whether streams of the last datagrams are remembered or not', () => {
    for (const protocol of ['ipfix', 'sflow5', 'netflow9', 'netflow5'] as const)
      for (const ofSession of [true, false]) {
        const told = [observed(true), observed(false)] as const
        const next = new Map<number, number>()
        for (let i = 0; i < 20_000; i++) {
          const port = 1 + random(2)
          // Now and then streams that take the places of others.
          const stream = random(400) === 0 ? 10 + random(40) : random(2)
          const counter = ofSession ? port : port * 1000 + stream
          const records = random(50) === 0 ? -1 : 1 + random(3)
          const what = random(100)
          const sequence = what === 0 ? random(1 << 30) : (next.get(counter) ?? 1) + (what < 4 ? random(9) : what < 7 ? -random(9) : 0) // prettier-ignore
          for (const one of told) one.observe(port, protocol, stream, sequence >>> 0, records, i)
          if (what < 4 || what > 6) next.set(counter, sequence + Math.max(1, records))
        }
        assert.deepEqual(told[0].events, told[1].events, protocol)
        assert.ok(told[0].events.length > 1000)
      }
  })
})

/** All that a tracker tells, one that remembers or one that looks for every stream anew. */
function observed(remembers: boolean) {
  const events: unknown[] = []
  const tell =
    (what: string) =>
    (...args: unknown[]) =>
      void events.push([what, ...args])
  const tracker = new SequenceTracker({
    maxStreams: 16,
    idleMs: 500,
    onLost: tell('lost'),
    onLate: tell('late'),
    onRestart: tell('restart'),
  })
  if (!remembers) Object.assign(tracker, { recent: { find: () => -1, put() {} } })
  return {
    events,
    observe(port: number, protocol: Protocol, stream: number, sequence: number, records: number, ms: number): void {
      tracker.observe(7, port, protocol, stream, sequence, records, ms)
      if (tracker.lastMixed || tracker.lastAgain) events.push([ms, tracker.lastMixed, tracker.lastAgain])
      if (ms % 1000 === 0) tracker.settle(ms)
    },
  }
}
