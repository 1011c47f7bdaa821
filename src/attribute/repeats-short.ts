/**
 * Repeated records of IPv4 without a tunnel, which most are: an entry is one cache line.
 *
 *   entry   16 words: kinds and epoch | host, VLAN | interfaces in, out | source, destination | observation domain | number of the answer
 *           | names of the interfaces in, out | sampling rate | high words of both MACs | source MAC | destination MAC | observation point
 *
 * The last four, and an exported name, are read and compared only where a slice has any (`wide`, a bit of the kinds). What a row has to
 * agree with is in the columns still, so no key is made of it but when it is put.
 *
 * One of WAYS entries beside each other may hold a record: of 100,000 records 2 % find no room among 262,144 entries, of two entries it
 * would be 7 %. An entry is spared once each time its record comes: else records that come in turn would displace each other for ever.
 */
import { newLines } from '../identity/memory.ts'
import type { BatchMemory } from '../schema/batch.ts'
import { CHUNK, type Found } from './found.ts'
import type { Names } from './names.ts'
import { IN_NAMED, type RowKinds } from './row-kinds.ts'

const ENTRY_BITS = 4
const WAYS = 4
const WHERE = 1
const IN_IF = 2
const OUT_IF = 3
const SOURCE = 4
const DESTINATION = 5
const DOMAIN = 6
const NUMBER = 7
const IN_NAME = 8
const OUT_NAME = 9
const RATE = 10
const MACS = 11
const SOURCE_MAC = 12
const DESTINATION_MAC = 13
const POINT = 14
/** Beside the number: no other has wanted the place since the record last came. */
const WANTED = 0x8000_0000 | 0
const FIRST_BITS = 11
/** 16 MiB a thread. */
const MOST_BITS = 18
/** So many entries stay in the cache by themselves. */
const TOUCHED_BITS = 12

export class ShortRepeats {
  /** Names of the interfaces of the rows that are known. */
  readonly inNames = new Uint32Array(CHUNK)
  readonly outNames = new Uint32Array(CHUNK)
  /** Whether any of them was sampled. */
  rated = false
  private bits = FIRST_BITS
  private entries: Int32Array = new Int32Array(0)
  private displaced = 0
  private readonly places = new Uint32Array(CHUNK)
  /** The entry of a row that is put. */
  private readonly line = new Int32Array(1 << ENTRY_BITS)
  /** So that no compiler finds the reads of `touch` useless. */
  touched = 0

  /** Nothing that was put is of an epoch to come. */
  clear(): void {
    this.entries.fill(0)
  }

  /**
   * Looks for the short rows of the chunk, which begins at row `first` of the memory: numbers of their answers, sampling rates and names; how
   * many are known.
   */
  find(
    memory: BatchMemory,
    first: number,
    n: number,
    kinds: RowKinds,
    numbers: Uint32Array,
    rates: Int32Array,
  ): number {
    if (this.entries.length === 0 || (this.displaced > 1 << (this.bits - 1) && this.bits < MOST_BITS)) this.grow()
    this.hash(memory, first, n, kinds)
    if (this.bits > TOUCHED_BITS) this.touch(n, kinds)
    return this.compare(memory, first, n, kinds, numbers, rates)
  }

  private hash({ u32, layout }: BatchMemory, first: number, n: number, kinds: RowKinds): void {
    const { places } = this
    const { short, kind, where, wide } = kinds
    const shift = 32 - this.bits
    const source = layout.first.src_addr + first * 4 + 3
    const destination = layout.first.dst_addr + first * 4 + 3
    const inIf = layout.first.in_if + first
    const outIf = layout.first.out_if + first
    const inName = layout.first.in_if_name + first
    const sourceMac = layout.first.src_mac + first * 2
    const destinationMac = layout.first.dst_mac + first * 2
    for (let i = 0; i < n; i++) {
      if (short[i] === 0) continue
      const interfaces = u32[inIf + i]! ^ (u32[outIf + i]! << 16)
      const hash =
        hashOf(u32[source + i * 4]! | 0, u32[destination + i * 4]! | 0, interfaces, where[i]! ^ (kind[i]! << 24)) +
        (wide ? hashOfWide(u32[sourceMac + i * 2]! | 0, u32[destinationMac + i * 2]! | 0, u32[inName + i]! | 0) : 0)
      places[i] = placed(hash | 0, shift)
    }
  }

  /** Reads the line of each entry, so that the processor waits for many at once. */
  private touch(n: number, { short }: RowKinds): void {
    const { entries, places } = this
    let touched = 0
    for (let i = 0; i < n; i++) if (short[i] === 1) touched ^= entries[places[i]!]!
    this.touched = touched
  }

  private compare(
    { u32, layout }: BatchMemory,
    first: number,
    n: number,
    kinds: RowKinds,
    numbers: Uint32Array,
    rates: Int32Array,
  ): number {
    const { entries, places, inNames, outNames } = this
    const { short, kind, where, wide } = kinds
    const sources = layout.first.src_addr + first * 4 + 3
    const destinations = layout.first.dst_addr + first * 4 + 3
    const inIfs = layout.first.in_if + first
    const outIfs = layout.first.out_if + first
    const domains = layout.first.observation_domain + first
    const points = layout.first.observation_point + first
    const inNamesAt = layout.first.in_if_name + first
    const outNamesAt = layout.first.out_if_name + first
    const sourceMacs = layout.first.src_mac + first * 2
    const destinationMacs = layout.first.dst_mac + first * 2
    let found = 0
    let rated = false
    for (let i = 0; i < n; i++) {
      if (short[i] === 0) continue
      const inIf = u32[inIfs + i]! | 0
      const outIf = u32[outIfs + i]! | 0
      const source = u32[sources + i * 4]! | 0
      const destination = u32[destinations + i * 4]! | 0
      const domain = u32[domains + i]! | 0
      for (let way = 0; way < WAYS; way++) {
        const at = places[i]! ^ (way << ENTRY_BITS)
        const differ =
          (entries[at]! ^ kind[i]!) |
          (entries[at + WHERE]! ^ where[i]!) |
          (entries[at + IN_IF]! ^ inIf) |
          (entries[at + OUT_IF]! ^ outIf) |
          (entries[at + SOURCE]! ^ source) |
          (entries[at + DESTINATION]! ^ destination) |
          (entries[at + DOMAIN]! ^ domain)
        if (differ !== 0) continue
        if (wide) {
          const sourceMac = sourceMacs + i * 2
          const destinationMac = destinationMacs + i * 2
          const inName = u32[inNamesAt + i]! | 0
          const outName = u32[outNamesAt + i]! | 0
          const more =
            (entries[at + MACS]! ^ (u32[sourceMac + 1]! | (u32[destinationMac + 1]! << 16))) |
            (entries[at + SOURCE_MAC]! ^ u32[sourceMac]!) |
            (entries[at + DESTINATION_MAC]! ^ u32[destinationMac]!) |
            (entries[at + POINT]! ^ u32[points + i]!) |
            // The kinds tell whether a name was exported; where none was, it is that of the model.
            (inName === 0 ? 0 : entries[at + IN_NAME]! ^ inName) |
            (outName === 0 ? 0 : entries[at + OUT_NAME]! ^ outName)
          if (more !== 0) continue
        }
        const number = entries[at + NUMBER]!
        if (number >= 0) entries[at + NUMBER] = number | WANTED
        numbers[i] = number & ~WANTED
        const rate = entries[at + RATE]!
        rates[i] = rate
        if (rate > 0) rated = true
        inNames[i] = entries[at + IN_NAME]!
        outNames[i] = entries[at + OUT_NAME]!
        found++
        break
      }
    }
    this.rated = rated
    return found
  }

  /** Puts row `i` of the chunk, a short one, which is row `row` of the memory. */
  put(
    { u32, layout: { first } }: BatchMemory,
    row: number,
    i: number,
    { kind, where }: RowKinds,
    number: number,
    rate: number,
    found: Found,
    names: Names,
  ): void {
    const { line } = this
    line[0] = kind[i]!
    line[WHERE] = where[i]!
    line[IN_IF] = u32[first.in_if + row]!
    line[OUT_IF] = u32[first.out_if + row]!
    line[SOURCE] = u32[first.src_addr + row * 4 + 3]!
    line[DESTINATION] = u32[first.dst_addr + row * 4 + 3]!
    line[DOMAIN] = u32[first.observation_domain + row]!
    line[NUMBER] = number | WANTED
    line[IN_NAME] = u32[first.in_if_name + row]! || names.device(found.inIfs[i]!)
    line[OUT_NAME] = u32[first.out_if_name + row]! || names.device(found.outIfs[i]!)
    line[RATE] = rate
    line[MACS] = u32[first.src_mac + row * 2 + 1]! | (u32[first.dst_mac + row * 2 + 1]! << 16)
    line[SOURCE_MAC] = u32[first.src_mac + row * 2]!
    line[DESTINATION_MAC] = u32[first.dst_mac + row * 2]!
    line[POINT] = u32[first.observation_point + row]!
    const at = this.placeFor(this.places[i]!)
    if (at >= 0) for (let word = 0; word <= POINT; word++) this.entries[at + word] = line[word]!
  }

  /** Which entry `line` may take: -1 when all are spared, or it is there already. */
  private placeFor(place: number): number {
    const { entries } = this
    let free = -1
    let least = -1
    for (let way = WAYS - 1; way >= 0; way--) {
      const at = place ^ (way << ENTRY_BITS)
      if (this.isFree(at)) free = at
      else if (this.holds(at)) return -1
      else if (entries[at + NUMBER]! > 0) least = at
    }
    if (free >= 0) return free
    this.displaced++
    if (least >= 0) return least
    for (let way = 0; way < WAYS; way++) entries[(place ^ (way << ENTRY_BITS)) + NUMBER]! &= ~WANTED
    return -1
  }

  /** Whether an entry holds nothing, or what holds no more. */
  private isFree(at: number): boolean {
    return this.entries[at + NUMBER] === 0 || (this.entries[at]! ^ this.line[0]!) >>> 16 !== 0
  }

  /** Whether an entry is of the row in `line`: another of its chunk put it. */
  private holds(at: number): boolean {
    const { entries, line } = this
    for (let word = 0; word <= POINT; word++) {
      if (word === NUMBER) word = MACS
      if (entries[at + word] !== line[word]) return false
    }
    return true
  }

  /** Twice the room; what is known moves to its new places. */
  private grow(): void {
    const { entries } = this
    if (entries.length > 0) this.bits++
    this.displaced = 0
    this.entries = newLines(1 << (this.bits + ENTRY_BITS))
    for (let from = 0; from < entries.length; from += 1 << ENTRY_BITS) {
      if (entries[from + NUMBER] === 0) continue
      const place = this.placeOf(entries, from)
      let at = place
      for (let way = 1; this.entries[at + NUMBER] !== 0; way++) at = place ^ (way << ENTRY_BITS)
      for (let word = 0; word <= POINT; word++) this.entries[at + word] = entries[from + word]!
    }
  }

  /** The first place of the record of an entry: the same as `hash` says. */
  private placeOf(entries: Int32Array, at: number): number {
    const kind = entries[at]!
    const inName = (kind & IN_NAMED) === 0 ? 0 : entries[at + IN_NAME]!
    const outIf = entries[at + OUT_IF]!
    const hash =
      hashOf(entries[at + SOURCE]!, entries[at + DESTINATION]!, entries[at + IN_IF]! ^ (outIf << 16), entries[at + WHERE]! ^ (kind << 24)) + // prettier-ignore
      hashOfWide(entries[at + SOURCE_MAC]!, entries[at + DESTINATION_MAC]!, inName)
    return placed(hash | 0, 32 - this.bits)
  }
}

function hashOf(source: number, destination: number, interfaces: number, where: number): number {
  return (
    Math.imul(source, 0x9e3779b1) +
    Math.imul(destination, 0x85ebca77) +
    Math.imul(interfaces, 0xc2b2ae3d) +
    Math.imul(where, 0x297a2d39)
  )
}

function hashOfWide(sourceMac: number, destinationMac: number, inName: number): number {
  return Math.imul(sourceMac, 0x165667b1) + Math.imul(destinationMac, 0x2c1b3c6d) + Math.imul(inName, 0x27d4eb2f)
}

function placed(hash: number, shift: number): number {
  return (Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> shift) << ENTRY_BITS
}
