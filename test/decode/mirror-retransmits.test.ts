/** Segments sent again, told from the sequence numbers of mirrored frames: situations by hand, and tshark's own analysis. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { MirrorDecoder } from '../../src/decode/mirror/decoder.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { readMirror, mirrored, NOW } from './mirror-feed.ts'
import { ethernet, gre, ipv4, tcp } from '../wire/frames.ts'
import { missing, pcap, PCAP_MAGICS, run } from '../wire/captures.ts'
import { PCAPS } from '../paths.ts'
import { rowsOf } from './ipfix-feed.ts'

const FIN = 0x01
const SYN = 0x02
const RST = 0x04
const ACK = 0x10
const PORT = 40_000
const TEB = 0x6558

/** Sequence number, payload, and if not ten milliseconds after the one before, when; flags. */
type Segment = readonly [sequence: number, length: number, atMs?: number, flags?: number]

interface Sent {
  atMs: number
  /** From the Ethernet header on. */
  frame: Uint8Array
}

function sent(segments: readonly Segment[], port = PORT): Sent[] {
  return segments.map(([sequence, length, atMs, flags = ACK], i) => ({
    atMs: atMs ?? i * 10,
    frame: ethernet(
      0x0800,
      ipv4({ protocol: 6 }, tcp(port, 443, flags, new Uint8Array(length).fill(0x61), sequence >>> 0)),
    ),
  }))
}

/** What a mirror makes of them: by source port, the segments sent again. */
function counted(frames: readonly Sent[], cut = Infinity, cache = {}): Map<number, number> {
  const decoder = new MirrorDecoder('gre', cache)
  const batch = new FlowBatch(256)
  for (const { atMs, frame } of frames)
    decoder.decode(mirrored(ipv4({ protocol: 47 }, gre(TEB, {}, frame.subarray(0, cut))), NOW + atMs), batch)
  while (decoder.flush(batch) > 0);
  const result = new Map<number, number>()
  for (const row of rowsOf(batch)) {
    const port = Number(row.src_l4_port)
    result.set(port, (result.get(port) ?? 0) + Number(row.tcp_retransmits ?? 0))
  }
  return result
}

const SITUATIONS: readonly [name: string, segments: readonly Segment[], again: number][] = [
  ['what comes in order is sent once', [[100, 50], [150, 50], [200, 50]], 0],
  ['a segment that was seen before was sent again', [[100, 50], [150, 50], [100, 50], [150, 50]], 2],
  ['even at once, since it was seen', [[100, 50, 0], [150, 50, 0], [150, 50, 0]], 1],
  ['part of it again, with more behind, counts as well', [[100, 50], [120, 60], [180, 10]], 1],
  ['acknowledgements take no sequence numbers', [[100, 50], [150, 0], [150, 0], [100, 0]], 0],
  ['a keep-alive, with or without its octet, is none', [[100, 50], [149, 1], [149, 0], [150, 50]], 0],
  ['nor is what a probe of a closed window had begun', [[100, 50], [150, 1], [150, 40], [190, 5]], 0],
  ['what was overtaken on its way fills the hole at once', [[100, 50, 0], [200, 50, 10], [150, 50, 11]], 0],
  ['what fills it later replaces what was lost before the mirror', [[100, 50, 0], [200, 50, 10], [150, 50, 30]], 1],
  ['a hole is filled but once', [[100, 50, 0], [200, 50, 10], [150, 50, 11], [150, 50, 12]], 1],
  ['two holes, of which both ends are filled', [[0, 10, 0], [20, 10, 1], [40, 10, 2], [10, 10, 3], [30, 10, 4]], 0],
  ['SYN and FIN take one each', [[99, 0, 0, SYN], [99, 0, 9, SYN], [100, 5], [105, 0, 40, FIN | ACK], [105, 0, 80, FIN | ACK]], 2],
  ['another connection of the same ports begins anew', [[5000, 50], [99, 0, 20, SYN], [100, 50], [150, 50]], 0],
  ['a reset is none', [[100, 50], [120, 0, 20, RST]], 0],
  ['sequence numbers begin again at 0', [[0xffffffe0, 50], [0x12, 50], [0xffffffe0, 50], [0x12, 50], [0x44, 1]], 2],
] // prettier-ignore

describe('TCP segments sent again, in mirrored frames', () => {
  for (const [name, segments, again] of SITUATIONS)
    it(name, () => {
      assert.deepEqual([...counted(sent(segments))], [[PORT, again]])
    })

  it('is told on both sides of the active timeout, whenever a flow was reported, but not of one that was idle', () => {
    // Each segment is sent again a second later, on the other side of the timeout of half a second.
    const twice: Segment[] = [[100, 50, 0], [100, 50, 1000], [150, 50, 2000], [150, 50, 3000]] // prettier-ignore
    const frames = sent(twice)
    const short = { activeTimeoutMs: 500, inactiveTimeoutMs: 10_000 }
    assert.deepEqual([...counted(frames, Infinity, short)], [[PORT, 2]])
    assert.deepEqual([...counted(frames, Infinity, { ...short, inactiveTimeoutMs: 900 })], [[PORT, 0]])
    const decoder = new MirrorDecoder('gre', short)
    const batch = new FlowBatch(64)
    for (const { atMs, frame } of frames) {
      decoder.decode(mirrored(ipv4({ protocol: 47 }, gre(TEB, {}, frame)), NOW + atMs), batch)
      decoder.expire(NOW + atMs + 600, batch)
    }
    while (decoder.flush(batch) > 0);
    assert.deepEqual(
      rowsOf(batch).map((row) => [row.packets, row.tcp_retransmits ?? 0]),
      [[1, 0], [1, 1], [1, 0], [1, 1]],
    ) // prettier-ignore
  })

  it('frames that the mirror cut tell it too, those without a length do not', () => {
    const twice = sent([[100, 500], [100, 500]]) // prettier-ignore
    assert.deepEqual([...counted(twice, 60)], [[PORT, 1]])
    const unknown = twice.map(({ atMs, frame }) => {
      const offloaded = frame.slice()
      offloaded.fill(0, 16, 18)
      return { atMs, frame: offloaded }
    })
    assert.deepEqual([...counted(unknown)], [[PORT, 0]])
  })

  it('a data offset that leads beyond the packet is no segment', () => {
    const [one] = sent([[100, 5]])
    one!.frame[14 + 20 + 12] = 0xf0
    assert.deepEqual([...counted([one!, one!])], [[PORT, 0]])
  })

  it('are those of tshark, connection by connection', { skip: missing('tshark') }, () => {
    const directory = mkdtempSync(join(tmpdir(), 'ovsight-'))
    try {
      const frames = Array.from({ length: 40 }, (_, i) => sent(transfer(i), PORT + i)).flat()
      frames.sort((a, b) => a.atMs - b.atMs)
      const file = join(directory, 'tcp.pcap')
      const packets = frames.map(({ atMs, frame }) => ({ timeMs: NOW + atMs, bytes: frame }))
      writeFileSync(file, pcap(packets, { magic: PCAP_MAGICS.micro, little: true }))
      const expected = new Map(Array.from({ length: 40 }, (_, i) => [PORT + i, 0]))
      const ports = run('tshark', ['-n', '-r', file, '-Y', 'tcp.analysis.retransmission', '-T', 'fields', '-e', 'tcp.srcport']) // prettier-ignore
      for (const port of ports.split('\n').filter(Boolean).map(Number)) expected.set(port, expected.get(port)! + 1)
      assert.deepEqual(counted(frames), expected)
      assert.ok([...expected.values()].reduce((sum, value) => sum + value, 0) > 100)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('of the mirror of the lab are none, as tshark says', { skip: missing('tshark') }, async () => {
    const file = `${PCAPS}gre-mirror/capture.pcap`
    assert.equal(run('tshark', ['-n', '-r', file, '-Y', 'tcp.analysis.retransmission']), '')
    const decoder = new MirrorDecoder('gre')
    const batch = new FlowBatch(256)
    for (const { datagram } of await readMirror(file)) decoder.decode(datagram, batch)
    while (decoder.flush(batch) > 0);
    assert.ok(rowsOf(batch).every((row) => row.tcp_retransmits === undefined))
  })
})

/** A transfer with what happens on the way: lost behind the mirror, lost before it, overtaken, keep-alives. `seed` decides. */
function transfer(seed: number): Segment[] {
  let state = seed + 1
  const chance = () => (state = (state * 48_271) % 0x7fffffff) / 0x7fffffff
  const segments: Segment[] = []
  let sequence = 1000 * seed
  let atMs = seed / 10
  const data = (from: number, length: number) => segments.push([from, length, (atMs += 0.5)])
  data(sequence, 100)
  sequence += 100
  for (let i = 0; i < 60; i++) {
    const length = 20 + Math.floor(chance() * 300)
    const what = chance()
    atMs += 5
    if (what < 0.1) {
      // Seen, and again after a while.
      data(sequence, length)
      atMs += 40
      data(sequence, length)
    } else if (what < 0.2) {
      // Lost before the mirror: what follows comes first.
      data(sequence + length, 50)
      atMs += 40
      data(sequence, length)
      sequence += 50
    } else if (what < 0.3) {
      // Overtaken.
      data(sequence + length, 50)
      data(sequence, length)
      sequence += 50
    } else if (what < 0.35) {
      data(sequence, length)
      segments.push([sequence + length - 1, 1, (atMs += 30)])
    } else data(sequence, length)
    sequence += length
  }
  return segments
}
