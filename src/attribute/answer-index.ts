/**
 * From what was found for a row to the number of its answer (schema/answers.ts): open addressing over all that an answer follows from,
 * compared in full. What is kept is of one model; the numbers of earlier ones stay, for rows that have them already.
 */
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import type { AnswerColumns, Answers } from '../schema/answers.ts'
import { END_OF_KIND } from './codes.ts'
import { CHUNK, COUNTS, type Found } from './found.ts'
import type { Names } from './names.ts'
import { trafficClass } from './traffic-class.ts'

/** 2^WORDS_BITS words an answer, one cache line: nine that it follows from, and their hash. */
const WORDS_BITS = 4
const HASH = 9
const FIRST_SLOTS = 1 << 12

export class AnswerIndex {
  readonly answers: Answers
  private snapshot: IdentitySnapshot | undefined
  private cleared = 0
  /** Number of an answer, 0 = free; at most half of them are used. */
  private slots = new Uint32Array(FIRST_SLOTS)
  private used = 0
  private readonly hashes = new Int32Array(CHUNK)
  /** Rows of the chunk with an answer that is new, and its number. */
  private readonly fresh = new Uint16Array(CHUNK)
  private readonly freshNumbers = new Uint32Array(CHUNK)
  private freshCount = 0
  /** So that no compiler finds the reads of `numbersOf` useless. */
  touched = 0
  /** What an answer follows from, by its number. */
  private keys = new Int32Array(FIRST_SLOTS << (WORDS_BITS - 1))

  constructor(answers: Answers) {
    this.answers = answers
  }

  /** Begins anew where the model is another one, since what an endpoint is may have changed; true when it does. */
  use(snapshot: IdentitySnapshot): boolean {
    if (this.snapshot === snapshot && this.cleared === this.answers.cleared) return false
    this.snapshot = snapshot
    this.cleared = this.answers.cleared
    if (this.used > 0) this.slots.fill(0)
    this.used = 0
    return true
  }

  /**
   * Numbers of the answers that were found for the first `n` rows of the chunk, into `numbers` where that is 0. First what will be read is
   * read for all of them, so that the processor waits for many at once.
   */
  numbersOf(found: Found, n: number, names: Names, numbers: Uint32Array): void {
    const { hashes, slots, keys } = this
    const mask = slots.length - 1
    let touched = 0
    for (let i = 0; i < n; i++) if (numbers[i] === 0) hashes[i] = hashOf(found, i)
    for (let i = 0; i < n; i++) if (numbers[i] === 0) touched ^= keys[slots[hashes[i]! & mask]! << WORDS_BITS]!
    this.touched = touched
    this.freshCount = 0
    for (let i = 0; i < n; i++) if (numbers[i] === 0) numbers[i] = this.numberOf(found, i, hashes[i]!)
    if (this.freshCount > 0) fill(this.answers.columns, this.fresh, this.freshNumbers, this.freshCount, found, names)
  }

  private numberOf(found: Found, i: number, hash: number): number {
    const k0 = found.sources[i]!
    const k1 = found.destinations[i]!
    const k2 = found.sourceHosts[i]!
    const k3 = found.destinationHosts[i]!
    const k4 = found.hosts[i]!
    const k5 = found.bridges[i]!
    const k6 = gradesOf(found, i)
    const k7 = found.sourceCandidates[i]! | (found.destinationCandidates[i]! << 16)
    const k8 = found.roles[i]! | (found.counts[i]! << 8)
    const mask = this.slots.length - 1
    let slot = hash & mask
    const { slots, keys } = this
    for (let number = slots[slot]!; number !== 0; number = slots[slot]!) {
      const at = number << WORDS_BITS
      if (
        keys[at] === k0 &&
        keys[at + 1] === k1 &&
        keys[at + 2] === k2 &&
        keys[at + 3] === k3 &&
        keys[at + 4] === k4 &&
        keys[at + 5] === k5 &&
        keys[at + 6] === k6 &&
        keys[at + 7] === k7 &&
        keys[at + 8] === k8
      )
        return number
      slot = (slot + 1) & mask
    }
    const number = this.answers.add()
    slots[slot] = number
    const at = number << WORDS_BITS
    if (at >= keys.length) this.moreKeys(at)
    const own = this.keys
    own[at] = k0
    own[at + 1] = k1
    own[at + 2] = k2
    own[at + 3] = k3
    own[at + 4] = k4
    own[at + 5] = k5
    own[at + 6] = k6
    own[at + 7] = k7
    own[at + 8] = k8
    own[at + HASH] = hash
    if (++this.used * 2 > slots.length) this.grow()
    this.fresh[this.freshCount] = i
    this.freshNumbers[this.freshCount++] = number
    return number
  }

  private moreKeys(least: number): void {
    const old = this.keys
    this.keys = new Int32Array(Math.max(old.length * 2, least * 2))
    this.keys.set(old)
  }

  private grow(): void {
    const old = this.slots
    this.slots = new Uint32Array(old.length * 2)
    const mask = this.slots.length - 1
    for (const number of old) {
      if (number === 0) continue
      let slot = this.keys[(number << WORDS_BITS) + HASH]! & mask
      while (this.slots[slot] !== 0) slot = (slot + 1) & mask
      this.slots[slot] = number
    }
  }
}

function gradesOf(found: Found, i: number): number {
  return (
    found.sourceGrades[i]! |
    (found.destinationGrades[i]! << 8) |
    (found.sourceEvidence[i]! << 16) |
    (found.destinationEvidence[i]! << 24)
  )
}

function hashOf(found: Found, i: number): number {
  let hash =
    Math.imul(found.sources[i]!, 0x9e3779b1) ^
    Math.imul(found.destinations[i]!, 0x85ebca77) ^
    Math.imul(found.hosts[i]! ^ (found.sourceHosts[i]! << 8) ^ (found.destinationHosts[i]! << 16), 0xc2b2ae3d) ^
    Math.imul(gradesOf(found, i) ^ (found.bridges[i]! << 4), 0x27d4eb2f) ^
    Math.imul(found.roles[i]! ^ (found.counts[i]! << 8) ^ (found.sourceCandidates[i]! << 12), 0x165667b1)
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return hash ^ (hash >>> 13)
}

/**
 * Writes the answers of `count` rows of the chunk, `rows`, under their `numbers`: a column at a time, since to look for a column by its name
 * costs more than to write into it.
 */
function fill(
  columns: AnswerColumns,
  rows: Uint16Array,
  numbers: Uint32Array,
  count: number,
  found: Found,
  names: Names,
): void {
  names.answer(columns, rows, numbers, count, found)
  pick(columns.src_grade, numbers, found.sourceGrades, rows, count)
  pick(columns.dst_grade, numbers, found.destinationGrades, rows, count)
  pick(columns.src_evidence, numbers, found.sourceEvidence, rows, count)
  pick(columns.dst_evidence, numbers, found.destinationEvidence, rows, count)
  pick(columns.src_candidates, numbers, found.sourceCandidates, rows, count)
  pick(columns.dst_candidates, numbers, found.destinationCandidates, rows, count)
  pick(columns.role, numbers, found.roles, rows, count)
  const { src_kind, dst_kind, traffic_class, counts_sent, counts_received, counts_once } = columns
  for (let k = 0; k < count; k++) {
    const i = rows[k]!
    const number = numbers[k]!
    const source = found.sources[i]!
    const destination = found.destinations[i]!
    src_kind[number] = END_OF_KIND[names.kind(source)]!
    dst_kind[number] = END_OF_KIND[names.kind(destination)]!
    traffic_class[number] = trafficClass(names, source, destination)
    const bits = found.counts[i]!
    counts_sent[number] = bits & COUNTS.sent
    counts_received[number] = (bits & COUNTS.received) >> 1
    counts_once[number] = (bits & COUNTS.once) >> 2
  }
}

type Numbers = Uint8Array | Uint16Array

function pick(column: Numbers, numbers: Uint32Array, from: Numbers, rows: Uint16Array, count: number): void {
  for (let k = 0; k < count; k++) column[numbers[k]!] = from[rows[k]!]!
}
