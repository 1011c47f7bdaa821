/** Datagrams cut and damaged everywhere: a known status, few rows, nothing past them, no exception, an end. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Datagram } from '../../src/decode/decoder.ts'
import { MirrorDecoder } from '../../src/decode/mirror/decoder.ts'
import { DECODE_STATUS_NAMES } from '../../src/decode/status.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { PCAPS } from '../paths.ts'
import { ethernet, extension, gre, ipv4, ipv6, join, tcp, u16, u32, udp, type Bytes } from '../wire/frames.ts'
import { restIsZero } from './ipfix-feed.ts'
import { mirrored, readMirror } from './mirror-feed.ts'

const KNOWN = new Set(['ok', 'short_header', 'bad_version', 'bad_length', 'unsupported', 'truncated', 'bad_header', 'too_deep']) // prettier-ignore

/** Decodes into a small cache, so that every few frames push a flow out, and checks what the contract says. */
class Bench {
  private readonly decoder: MirrorDecoder
  private readonly batch = new FlowBatch(64)
  private checks = 0

  constructor(protocol: 'gre' | 'vxlan') {
    this.decoder = new MirrorDecoder(protocol, { maxFlows: 3, endOnTcpClose: true })
  }

  decode(datagram: Datagram): void {
    const before = this.batch.rows
    const status = DECODE_STATUS_NAMES[this.decoder.decode(datagram, this.batch)]
    assert.ok(KNOWN.has(status!), `status ${status}`)
    assert.ok(this.batch.rows - before <= 2)
    assert.ok(this.decoder.cache.size <= 3)
    if (this.batch.rows < 60) return
    if (this.checks++ % 64 === 0) assert.ok(restIsZero(this.batch))
    this.batch.reset()
  }

  finish(): void {
    while (this.decoder.flush(this.batch) > 0) {
      assert.ok(restIsZero(this.batch))
      this.batch.reset()
    }
  }
}

/** Cut at every length, then every one of the first bytes replaced. */
function torture(protocol: 'gre' | 'vxlan', datagrams: readonly Datagram[]): void {
  const bench = new Bench(protocol)
  let seed = 7
  for (const datagram of datagrams) {
    const { start, end, bytes } = datagram
    for (let cut = start; cut < end; cut++) {
      datagram.end = cut
      bench.decode(datagram)
    }
    datagram.end = end
    for (let at = start; at < Math.min(end, start + 200); at++) {
      const value = bytes[at]!
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
      for (const other of [0, 0xff, seed >>> 24]) {
        bytes[at] = other
        bench.decode(datagram)
      }
      bytes[at] = value
    }
  }
  bench.finish()
}

const PACKET = ipv4({ protocol: 6, options: new Uint8Array(8).fill(1) }, tcp(1, 2, 0x11, new Uint8Array(20)))
const SIX = ipv6({ next: 0 }, extension(43, extension(60, extension(17, udp(1, 2, new Uint8Array(8))), 1)))
const FRAMES: readonly Bytes[] = [
  ethernet(0x0800, PACKET, [[0x88a8, 1], [0x8100, 2]]), // prettier-ignore
  ethernet(0x86dd, SIX, [[0x8100, 2]]),
  ethernet(0x8847, join(u32(0x10040, 0x20140), PACKET)),
  ethernet(60, join(u16(0xaaaa, 0x0300, 0, 0x0800), PACKET)),
]
const outer = (payload: Bytes) => ipv4({ protocol: 47, options: new Uint8Array(4).fill(1) }, payload)
const GRE = FRAMES.flatMap((frame) => [
  outer(gre(0x6558, { checksum: true, key: 1, sequence: 2 }, frame)),
  outer(gre(0x88be, { sequence: 1 }, join(u32(0x1045e001, 5), frame))),
  outer(gre(0x22eb, { sequence: 1 }, join(u32(0x20450001, 5, 0x00008001, 6, 7), frame))),
  ipv6({ next: 60 }, extension(47, gre(0x6558, {}, frame))),
])
GRE.push(outer(gre(0x0800, {}, PACKET)), outer(gre(0x86dd, {}, SIX)), outer(gre(0x8847, {}, join(u32(0x100), SIX))))
const VXLAN = FRAMES.flatMap((frame) => [
  join(u32(0x08000000, 0x01020300), frame),
  join(u32(0x0c000003, 0x01020300), frame),
])

describe('mirrored frames, cut at every length and damaged at every byte', () => {
  it('GRE and ERSPAN of every kind', () => torture('gre', GRE.map((bytes) => mirrored(bytes)))) // prettier-ignore
  it('VXLAN of every kind', () => torture('vxlan', VXLAN.map((bytes) => mirrored(bytes)))) // prettier-ignore

  it('every datagram of the capture', async () => {
    const datagrams = (await readMirror(`${PCAPS}gre-mirror/capture.pcap`)).map(({ datagram }) => datagram)
    torture('gre', datagrams)
  })

  it('noise, of every length', () => {
    const noise = new Bench('gre')
    const vxlan = new Bench('vxlan')
    let seed = 99
    for (let i = 0; i < 20_000; i++) {
      const bytes = new Uint8Array(i % 200)
      for (let at = 0; at < bytes.length; at++)
        bytes[at] = (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 24
      if (bytes.length > 10 && i % 2 === 0) bytes.set([0x45, 0, 0, bytes.length, 0, 0, 0, 0, 64, 47])
      noise.decode(mirrored(bytes))
      if (bytes.length > 0) bytes[0] = 0x08
      vxlan.decode(mirrored(bytes))
    }
  })
})
