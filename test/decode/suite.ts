/**
 * Hostile input, the same for every decoder: each datagram whole, cut at every length, with every byte replaced, and random ones.
 *
 * Every datagram goes to two decoders of the same making, one whose arena holds zeros around it and one that holds ones. They must
 * answer alike (or one of them has read outside), with a known status, no exception and no more rows than the bytes could hold, in
 * little time; all rows not appended must be zero; and afterwards good datagrams must be decoded as ever.
 */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { rowsBound, type Datagram, type Decoder } from '../../src/decode/decoder.ts'
import { DECODE_STATUS_NAMES } from '../../src/decode/status.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { rowsOf, type Payload, type Row } from './ipfix-feed.ts'

export interface Subject {
  /** A decoder that has seen nothing. */
  decoder(): Decoder
  /** Good datagrams, in an order that can be decoded. */
  datagrams: readonly Payload[]
  /** Appends rows that the decoder holds back, until the batch is full; how many. */
  flush?(decoder: Decoder, out: FlowBatch): number
  /** Replacements of each byte beside its bits inverted; more is slower. Default 1. */
  values?: number
  /** Damages every n-th byte only, another residue in each datagram. Default 1: every byte. */
  stride?: number
  /** Of the words set to all ones and all zeros every n-th only. Default: as `stride`. */
  wordStride?: number
}

const LONGEST = 65_535
const BEFORE = 64
const ROWS = 4800
/** Rows are checked when the batch is nearly full, or after this many datagrams. */
const CHECK_EVERY = 2048
/** CPU of one datagram on average, and of the worst, with room for a busy machine. */
const MEAN_MS = 1
const WORST_MS = 2000

/** Declares the tests of one decoder. */
export function hostileSuite(subject: Subject): void {
  it('decodes each datagram whole', () => {
    const pair = new Pair(subject)
    for (const payload of subject.datagrams) pair.feed(payload.bytes, payload)
    pair.finish()
  })

  it('survives each datagram cut at every length', () => {
    const pair = new Pair(subject)
    for (const payload of subject.datagrams)
      for (let length = 0; length < payload.bytes.length; length++)
        pair.feed(payload.bytes.subarray(0, length), payload)
    pair.finish()
  })

  it('survives every byte of every datagram replaced', () => {
    const pair = new Pair(subject)
    const random = randomBytes(1)
    for (const [i, payload] of subject.datagrams.entries()) {
      const bytes = payload.bytes.slice()
      const stride = subject.stride ?? 1
      for (let at = i % stride; at < bytes.length; at += stride) {
        const original = bytes[at]!
        for (let value = 0; value <= (subject.values ?? 1); value++) {
          bytes[at] = value === 0 ? ~original : random()
          pair.feed(bytes, payload)
        }
        bytes[at] = original
      }
    }
    pair.finish()
  })

  it('survives counts and lengths of all ones and all zeros anywhere', () => {
    const pair = new Pair(subject)
    for (const [i, payload] of subject.datagrams.entries()) {
      const bytes = payload.bytes.slice()
      const stride = 2 * (subject.wordStride ?? subject.stride ?? 1)
      for (let at = (2 * i) % stride; at + 4 <= bytes.length; at += stride) {
        for (const value of [0xff, 0]) pair.feed(bytes.fill(value, at, at + 4), payload)
        bytes.set(payload.bytes.subarray(at, at + 4), at)
      }
    }
    pair.finish()
  })

  it('survives datagrams pieced together at random', () => {
    const pair = new Pair(subject)
    const random = randomBytes(2)
    const bytes = new Uint8Array(2000)
    for (let i = 0; i < 4000; i++) {
      const payload = subject.datagrams[pick(random, subject.datagrams.length)]!
      const length = pick(random, bytes.length)
      // A sound beginning, then pieces of other datagrams and noise.
      bytes.set(payload.bytes.subarray(0, Math.min(length, pick(random, payload.bytes.length))))
      for (let at = pick(random, 64); at < length; at += 1 + pick(random, 200)) {
        if (random() < 96) bytes.fill(random(), at, at + pick(random, 40))
        else bytes.set(piece(subject, random).subarray(0, bytes.length - at), at)
      }
      pair.feed(bytes.subarray(0, length), payload)
    }
    pair.finish()
  })

  it('survives noise of every length up to the longest', () => {
    const pair = new Pair(subject)
    const random = randomBytes(3)
    const bytes = Uint8Array.from({ length: LONGEST }, () => random())
    const [first] = subject.datagrams
    for (let length = 0; length < LONGEST; length += length < 256 ? 1 : 977)
      pair.feed(bytes.subarray(0, length), first!)
    bytes.set(first!.bytes.subarray(0, 32))
    for (let length = 256; length < LONGEST; length += 1999) pair.feed(bytes.subarray(0, length), first!)
    for (const value of [0, 1, 0xff]) {
      bytes.fill(value)
      bytes.set(first!.bytes.subarray(0, 16))
      pair.feed(bytes, first!)
    }
    pair.finish()
  })
}

/** One decoder with its arena and its batch. */
class Side {
  readonly decoder: Decoder
  readonly out = new FlowBatch(ROWS)
  private readonly arena: Uint8Array
  private readonly datagram: Datagram

  constructor(decoder: Decoder, around: number) {
    this.decoder = decoder
    this.arena = new Uint8Array(BEFORE + LONGEST + BEFORE).fill(around)
    this.datagram = {
      bytes: this.arena,
      view: new DataView(this.arena.buffer),
      start: BEFORE,
      end: BEFORE,
      receivedMs: 0,
      exporter: new Uint32Array(4),
      exporterPort: 0,
      exporterId: 1,
    }
  }

  decode(bytes: Uint8Array, from: Payload): number {
    const { arena, datagram } = this
    const around = arena[0]!
    // What the datagram before left behind it is outside of this one.
    if (datagram.end > BEFORE + bytes.length) arena.fill(around, BEFORE + bytes.length, datagram.end)
    arena.set(bytes, BEFORE)
    datagram.end = BEFORE + bytes.length
    datagram.receivedMs = from.timeMs
    datagram.exporterPort = from.port
    datagram.exporter.set([0, 0, 0xffff_0000, 0x0100_007f])
    return this.decoder.decode(datagram, this.out)
  }
}

function bufferOf(batch: FlowBatch): ArrayBuffer {
  return batch.memory.u8.buffer as ArrayBuffer
}

class Pair {
  private readonly subject: Subject
  private readonly sides: readonly [Side, Side]
  private readonly zeros: Uint8Array
  private fed = 0
  private unchecked = 0
  private worstMs = 0
  private readonly cpu = process.cpuUsage()

  constructor(subject: Subject) {
    this.subject = subject
    this.sides = [new Side(subject.decoder(), 0), new Side(subject.decoder(), 0xff)]
    this.zeros = new Uint8Array(this.sides[0].out.memory.u8.byteLength)
  }

  feed(bytes: Uint8Array, from: Payload): void {
    const [a, b] = this.sides
    const bound = rowsBound(bytes.length)
    if (a.out.free < bound || this.unchecked >= CHECK_EVERY) this.check()
    const before = a.out.rows
    const started = performance.now()
    const status = a.decode(bytes, from)
    const took = performance.now() - started
    if (took > this.worstMs) this.worstMs = took
    const other = b.decode(bytes, from)
    this.fed++
    this.unchecked++
    if (status !== other || a.out.rows !== b.out.rows)
      this.fail(bytes, 'what stands around the datagram changes the answer')
    if (DECODE_STATUS_NAMES[status] === undefined) this.fail(bytes, `status ${status} is not known`)
    if (a.out.rows - before > bound) this.fail(bytes, `${a.out.rows - before} rows from ${bytes.length} bytes`)
  }

  /** Rows of both sides are the same, and zero from `rows` on. */
  check(): void {
    const [a, b] = this.sides.map(({ out }) => out) as [FlowBatch, FlowBatch]
    assert.ok(same(bufferOf(a), bufferOf(b)), 'what stands around a datagram changes its rows')
    for (const out of [a, b]) {
      out.truncate(0)
      assert.ok(same(bufferOf(out), this.zeros.buffer as ArrayBuffer), 'rows that were not appended are zero')
    }
    this.unchecked = 0
  }

  finish(): void {
    this.check()
    const { user, system } = process.cpuUsage(this.cpu)
    const meanMs = (user + system) / 1000 / this.fed
    // The first thousand are the compiler's.
    if (this.fed > 1000) assert.ok(meanMs < MEAN_MS, `${meanMs} ms a datagram`)
    assert.ok(this.worstMs < WORST_MS, `${this.worstMs} ms for one datagram`)
    const fresh = new Side(this.subject.decoder(), 0)
    this.pass(fresh)
    this.pass(this.sides[0])
    assert.deepEqual(this.pass(this.sides[0]), this.pass(fresh), 'good datagrams afterwards')
  }

  /** All rows of one pass over the good datagrams. */
  private pass(side: Side): Row[] {
    const rows: Row[] = []
    const take = () => {
      rows.push(...rowsOf(side.out))
      side.out.reset()
    }
    side.out.reset()
    for (const payload of this.subject.datagrams) {
      side.decode(payload.bytes, payload)
      take()
    }
    while ((this.subject.flush?.(side.decoder, side.out) ?? 0) > 0) take()
    return rows
  }

  private fail(bytes: Uint8Array, what: string): never {
    assert.fail(`${what}; datagram ${this.fed}: ${Buffer.from(bytes.subarray(0, 2048)).toString('hex')}`)
  }
}

function same(a: ArrayBuffer, b: ArrayBuffer): boolean {
  return Buffer.from(a).equals(new Uint8Array(b))
}

function piece(subject: Subject, random: () => number): Uint8Array {
  const { bytes } = subject.datagrams[pick(random, subject.datagrams.length)]!
  const at = pick(random, bytes.length)
  return bytes.subarray(at, at + pick(random, 300))
}

/** A number below `n`, which is below 65536. */
function pick(random: () => number, n: number): number {
  return ((random() << 8) | random()) % Math.max(n, 1)
}

/** Bytes of a xorshift generator: the same on every run. */
function randomBytes(seed: number): () => number {
  let state = (seed * 0x9e3779b9) >>> 0
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 11) & 0xff
  }
}
