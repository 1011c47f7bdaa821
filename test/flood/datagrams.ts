/**
 * What a sender that means harm floods with: every datagram of another kind, template, domain, engine or agent. Seeded, and made in
 * place, so that making them costs little beside taking them.
 */
import { capturedDatagrams } from '../decode/captured.ts'
import { PCAPS } from '../paths.ts'
import { randomOf, type Random } from '../fuzz/mutate.ts'

export type FloodInput = 'netflow' | 'ipfix' | 'sflow'

/** The longest datagram that is made. */
export const LONGEST = 1_500

/** Writes a datagram at `at` and answers its length; at most LONGEST bytes. */
type Maker = (into: DataView, at: number, random: Random) => number

/** One record of an engine that nobody has heard of. */
const netflow5: Maker = (into, at, random) => {
  for (let i = 0; i < 72; i += 4) into.setUint32(at + i, random(2 ** 32))
  into.setUint32(at, 0x0005_0001)
  into.setUint32(at + 4, 60_000)
  into.setUint32(at + 8, Math.floor(Date.now() / 1000))
  return 72
}

/** Writes a template of up to 20 fields under a random id, and one record of it; answers where it ends. */
function templateAndRecord(into: DataView, at: number, setId: number, random: Random): number {
  const fields = 1 + random(20)
  const id = 256 + random(65_280)
  into.setUint16(at, setId)
  into.setUint16(at + 2, 8 + fields * 4)
  into.setUint16(at + 4, id)
  into.setUint16(at + 6, fields)
  let recordBytes = 0
  let end = at + 8
  for (let field = 0; field < fields; field++, end += 4) {
    const length = 1 + random(16)
    into.setUint16(end, 1 + random(400))
    into.setUint16(end + 2, length)
    recordBytes += length
  }
  into.setUint16(end, id)
  into.setUint16(end + 2, 4 + recordBytes)
  for (let i = 0; i < recordBytes; i++) into.setUint8(end + 4 + i, random(256))
  return end + 4 + recordBytes
}

/** Of an observation domain of its own. */
const ipfix: Maker = (into, at, random) => {
  const end = templateAndRecord(into, at + 16, 2, random)
  into.setUint16(at, 10)
  into.setUint16(at + 2, end - at)
  into.setUint32(at + 4, Math.floor(Date.now() / 1000))
  into.setUint32(at + 8, random(2 ** 32))
  into.setUint32(at + 12, random(2 ** 32))
  return end - at
}

/** Data without a template, which is held for it. */
const ipfixBare: Maker = (into, at, random) => {
  const length = 20 + random(600)
  into.setUint16(at, 10)
  into.setUint16(at + 2, length)
  into.setUint32(at + 4, Math.floor(Date.now() / 1000))
  into.setUint32(at + 8, random(2 ** 32))
  into.setUint32(at + 12, random(2 ** 32))
  into.setUint16(at + 16, 256 + random(65_280))
  into.setUint16(at + 18, length - 16)
  return length
}

const netflow9: Maker = (into, at, random) => {
  const end = templateAndRecord(into, at + 20, 0, random)
  into.setUint32(at, 0x0009_0002)
  into.setUint32(at + 4, 60_000)
  into.setUint32(at + 8, Math.floor(Date.now() / 1000))
  into.setUint32(at + 12, random(2 ** 32))
  into.setUint32(at + 16, random(2 ** 32))
  return end - at
}

const noise: Maker = (into, at, random) => {
  const length = random(300)
  for (let i = 0; i < length; i++) into.setUint8(at + i, random(256))
  return length
}

/** Open vSwitch's own sFlow, of an agent and a bridge that nobody has heard of. */
function sflow5(real: readonly Uint8Array[]): Maker {
  return (into, at, random) => {
    const bytes = real[random(real.length)]!
    new Uint8Array(into.buffer).set(bytes, at)
    for (const word of [8, 12, 16]) into.setUint32(at + word, random(2 ** 32))
    return bytes.length
  }
}

export class Flood {
  private readonly kinds: readonly (readonly [FloodInput, Maker])[]
  private readonly random: Random

  private constructor(real: readonly Uint8Array[], seed: number) {
    this.random = randomOf(seed)
    this.kinds = [
      ['netflow', netflow5],
      ['netflow', netflow9],
      ['ipfix', ipfix],
      ['ipfix', ipfixBare],
      ['sflow', sflow5(real)],
      ['ipfix', noise],
    ]
  }

  static async open(seed = 1): Promise<Flood> {
    const captured = await capturedDatagrams(`${PCAPS}sflow5/capture.pcap`, (port) => port === 6343)
    const real = captured.map(({ bytes }) => bytes).filter(({ length }) => length <= LONGEST)
    return new Flood(real, seed)
  }

  /** What the next burst is of: all of its datagrams go to one port. */
  burst(): { input: FloodInput; make: (into: DataView, at: number) => number } {
    const [input, maker] = this.kinds[this.random(this.kinds.length)]!
    return { input, make: (into, at) => maker(into, at, this.random) }
  }

  /** One of `sources` addresses of 127.16.0.0/12, as a big-endian number. */
  source(sources: number): number {
    return 0x7f10_0000 + this.random(sources)
  }
}
