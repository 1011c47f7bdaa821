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
    for (let i = 0; i < n; i++) if (numbers[i] === 0) numbers[i] = this.numberOf(found, i, names, hashes[i]!)
  }

  private numberOf(found: Found, i: number, names: Names, hash: number): number {
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
    this.keep(number, [k0, k1, k2, k3, k4, k5, k6, k7, k8, hash])
    fill(this.answers.columns, number, found, i, names)
    return number
  }

  private keep(number: number, key: readonly number[]): void {
    const at = number << WORDS_BITS
    if (at >= this.keys.length) {
      const old = this.keys
      this.keys = new Int32Array(Math.max(old.length * 2, at * 2))
      this.keys.set(old)
    }
    this.keys.set(key, at)
    if (++this.used * 2 > this.slots.length) this.grow()
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

function fill(columns: AnswerColumns, at: number, found: Found, i: number, names: Names): void {
  const source = found.sources[i]!
  const destination = found.destinations[i]!
  names.answer(columns, at, found, i)
  columns.src_kind[at] = END_OF_KIND[names.kind(source)]!
  columns.dst_kind[at] = END_OF_KIND[names.kind(destination)]!
  columns.src_grade[at] = found.sourceGrades[i]!
  columns.dst_grade[at] = found.destinationGrades[i]!
  columns.src_evidence[at] = found.sourceEvidence[i]!
  columns.dst_evidence[at] = found.destinationEvidence[i]!
  columns.src_candidates[at] = found.sourceCandidates[i]!
  columns.dst_candidates[at] = found.destinationCandidates[i]!
  columns.role[at] = found.roles[i]!
  columns.traffic_class[at] = trafficClass(names, source, destination)
  const bits = found.counts[i]!
  columns.counts_sent[at] = bits & COUNTS.sent
  columns.counts_received[at] = (bits & COUNTS.received) >> 1
  columns.counts_once[at] = (bits & COUNTS.once) >> 2
}
