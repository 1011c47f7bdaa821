/** Inputs made of inputs: a few small changes, most of them such as wire formats do not expect. Seeded, so a run can be repeated. */

/** Numbers below `n`. */
export type Random = (n: number) => number

export function randomOf(seed: number): Random {
  let state = (seed * 0x9e37_79b9 + 1) >>> 0
  return (n) => {
    state ^= state << 13
    state ^= state >>> 17
    state = (state ^ (state << 5)) >>> 0
    return state % Math.max(n, 1)
  }
}

/** Values that lengths and counts go wrong at. */
const ODD = [
  0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 20, 127, 128, 254, 255, 256, 0x7fff, 0x8000, 0xfffe, 0xffff, 0x7fff_ffff, 0x8000_0000,
  0xffff_ffff,
]
const LONGEST = 65_507

type Mutation = (bytes: Buffer, random: Random, other: Uint8Array) => Buffer

const MUTATIONS: readonly Mutation[] = [
  (bytes, random) => {
    const at = random(bytes.length)
    bytes[at]! ^= 1 << random(8)
    return bytes
  },
  (bytes, random) => {
    bytes[random(bytes.length)] = random(256)
    return bytes
  },
  // A length, a count or a number, of any width.
  (bytes, random) => {
    const width = [1, 2, 4][random(3)]!
    if (bytes.length < width) return bytes
    bytes.writeUIntBE(ODD[random(ODD.length)]! % 2 ** (8 * width), random(bytes.length - width + 1), width)
    return bytes
  },
  // A 16-bit number a little larger or smaller, as a length that does not fit any more.
  (bytes, random) => {
    if (bytes.length < 2) return bytes
    const at = random(bytes.length - 1)
    bytes.writeUInt16BE((bytes.readUInt16BE(at) + random(9) - 4) & 0xffff, at)
    return bytes
  },
  (bytes, random) => bytes.subarray(0, random(bytes.length + 1)),
  // A piece out, a piece twice, a piece of another, a piece of noise.
  (bytes, random) => {
    const at = random(bytes.length)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random(64))])
  },
  (bytes, random) => {
    const at = random(bytes.length)
    const piece = bytes.subarray(at, at + random(200))
    return Buffer.concat([
      bytes.subarray(0, at),
      ...Array.from({ length: 1 + random(4) }, () => piece),
      bytes.subarray(at),
    ])
  },
  (bytes, random, other) => {
    const from = random(other.length)
    const at = random(bytes.length)
    return Buffer.concat([
      bytes.subarray(0, at),
      other.subarray(from, from + random(300)),
      bytes.subarray(at + random(300)),
    ])
  },
  (bytes, random) => {
    const at = random(bytes.length)
    return bytes.fill(random(2) === 0 ? random(256) : random(2) * 255, at, Math.min(bytes.length, at + random(64)))
  },
]

/** One to five changes of `input`; `repair` puts the outer length right half of the time, so that what is inside is reached. */
export function mutate(
  input: Uint8Array,
  other: Uint8Array,
  random: Random,
  repair?: (bytes: Buffer) => void,
): Uint8Array {
  let bytes: Buffer = Buffer.from(input)
  for (let n = random(5); n >= 0; n--) bytes = MUTATIONS[random(MUTATIONS.length)]!(bytes, random, other)
  if (bytes.length > LONGEST) bytes = bytes.subarray(0, LONGEST)
  if (repair !== undefined && random(2) === 0) repair(bytes)
  return bytes
}
