/**
 * Entries of templates: eight words each in one array (with their indexes at most 80 bytes a template), no object: ten thousand hosts with
 * two bridges have two million of them.
 *
 * Bounds: entries in all, entries of an exporter. An exporter is proven once data of it was found a template for. What goes is an entry
 * of an exporter that is not, so a flood of templates displaces itself; else the first that a clock hand finds whose layout is gone, or
 * is seldom used and this entry not since the hand last passed.
 */
import { hash4, KeyIndex } from './key-index.ts'
import { SELDOM } from './layouts.ts'

/** Words of an entry. The key: */
export const EXPORTER = 0
export const DOMAIN = 1
/** Exporter's port * 16 + version. */
export const SESSION = 2
export const ID = 3
/** See `Layouts.find`. */
export const LAYOUT_INDEX = 4
export const LAYOUT_SERIAL = 5
/** Ring of the entries of one exporter. */
const NEXT = 6
const PREVIOUS = 7
/** A power of two: an entry's words begin at `entry << SHIFT`. */
export const SHIFT = 3

/** State of an entry: it holds a template; used since the clock hand last passed; its exporter is proven. */
export const TAKEN = 1
export const USED = 2
export const PROVEN = 4

/** Entries looked at when one has to go. More than an exporter's own templates, which stand together; 5 µs where none is better than another. */
const LOOKED_AT = 256

/** Entry that holds the key looked for. */
export const PROBE = 0

/** The entries of one exporter: where its clock hand stands, how many, and its place among the unproven (-1 = proven). */
interface Ring {
  hand: number
  count: number
  place: number
}

export class TemplateTable {
  words = new Uint32Array(64 << SHIFT)
  state = new Uint8Array(64)
  /** When each template last came, s since 1970. */
  learnedS = new Uint32Array(64)
  size = 0
  evicted = 0

  /** By the whole key, without port, and by exporter and id alone. */
  readonly bySession = this.index(SESSION, DOMAIN)
  readonly byDomain = this.index(DOMAIN)
  readonly byExporter = this.index()

  private readonly max: number
  private readonly maxOfExporter: number
  private readonly usesOf: (entry: number) => number
  /** First entry never used, and those given back. */
  private fresh = 1
  private readonly free: number[] = []
  private hand = 1
  private readonly rings = new Map<number, Ring>()
  private readonly unproven: Ring[] = []
  /** Which of them has to give up an entry next. */
  private turn = 0

  /** `usesOf`: how often the layout of an entry was used; -1 when it is gone. */
  constructor(max: number, maxOfExporter: number, usesOf: (entry: number) => number) {
    this.usesOf = usesOf
    this.max = max
    this.maxOfExporter = maxOfExporter
  }

  /** One past the last entry that was ever used. */
  get end(): number {
    return this.fresh
  }

  word(entry: number, word: number): number {
    return this.words[(entry << SHIFT) + word]!
  }

  /** The entry with the whole key of PROBE, or a new one, made room for if need be. */
  put(): number {
    const known = this.bySession.find(PROBE)
    if (known >= 0) return known
    const exporterId = this.word(PROBE, EXPORTER)
    const ring = this.rings.get(exporterId)
    if (ring !== undefined && ring.count >= this.maxOfExporter) this.evictOf(ring)
    else if (this.size >= this.max) this.evict()
    const entry = this.free.pop() ?? this.fresh++
    if (entry >= this.state.length) this.grow()
    this.words.copyWithin(entry << SHIFT, PROBE, 1 << SHIFT)
    this.state[entry] = this.enter(exporterId, entry) ? TAKEN | PROVEN : TAKEN
    this.size++
    this.bySession.set(entry)
    return entry
  }

  /** How many entries an exporter has. */
  countOf(exporterId: number): number {
    return this.rings.get(exporterId)?.count ?? 0
  }

  /** Entries in use, in no particular order. */
  *entries(): Generator<number> {
    for (let entry = 1; entry < this.fresh; entry++) if (this.state[entry] !== 0) yield entry
  }

  /** The exporter of `entry` is proven: all its entries, which it returns, are; none when they were already. */
  *prove(entry: number): Generator<number> {
    const ring = this.rings.get(this.word(entry, EXPORTER))!
    if (ring.place < 0) return
    this.leaveUnproven(ring)
    for (let i = 0, at = entry; i < ring.count; i++, at = this.word(at, NEXT)) {
      this.state[at]! |= PROVEN
      yield at
    }
  }

  remove(entry: number): void {
    this.bySession.delete(entry)
    this.byDomain.delete(entry)
    this.byExporter.delete(entry)
    this.state[entry] = 0
    this.size--
    this.free.push(entry)
    const exporterId = this.word(entry, EXPORTER)
    const ring = this.rings.get(exporterId)!
    const [next, previous] = [this.word(entry, NEXT), this.word(entry, PREVIOUS)]
    this.link(previous, next)
    if (ring.hand === entry) ring.hand = next
    if (--ring.count > 0) return
    this.rings.delete(exporterId)
    this.leaveUnproven(ring)
  }

  /** Into its exporter's ring, before the hand: the last that it meets. Whether the exporter is proven. */
  private enter(exporterId: number, entry: number): boolean {
    const ring = this.rings.get(exporterId)
    if (ring === undefined) {
      this.link(entry, entry)
      const alone = { hand: entry, count: 1, place: this.unproven.length }
      this.rings.set(exporterId, alone)
      this.unproven.push(alone)
      return false
    }
    this.link(this.word(ring.hand, PREVIOUS), entry)
    this.link(entry, ring.hand)
    ring.count++
    return ring.place < 0
  }

  private link(entry: number, next: number): void {
    this.words[(entry << SHIFT) + NEXT] = next
    this.words[(next << SHIFT) + PREVIOUS] = entry
  }

  private evict(): void {
    const unproven = this.unproven[this.turn++ % this.unproven.length]
    if (unproven !== undefined) return this.evictOf(unproven)
    this.evictOne(this.size, () => {
      do this.hand = this.hand + 1 >= this.fresh ? 1 : this.hand + 1
      while (this.state[this.hand] === 0)
      return this.hand
    })
  }

  private evictOf(ring: Ring): void {
    this.evictOne(ring.count, () => {
      const entry = ring.hand
      ring.hand = this.word(entry, NEXT)
      return entry
    })
  }

  /** Of the next of `count` entries the first that nobody will miss goes, or else the one that is missed least. */
  private evictOne(count: number, next: () => number): void {
    let victim = 0
    let least = Infinity
    for (let looked = Math.min(LOOKED_AT, count); looked > 0 && least > 0; looked--) {
      const entry = next()
      const rank = this.rank(entry)
      if (rank >= least) continue
      victim = entry
      least = rank
    }
    this.remove(victim)
    this.evicted++
  }

  /** How much an entry would be missed, from 0 on; from now on it is one that was not used. */
  private rank(entry: number): number {
    const state = this.state[entry]!
    const used = (state & USED) !== 0
    this.state[entry] = state & ~USED
    const uses = this.usesOf(entry)
    if (uses < 0) return 0
    return (uses > SELDOM ? 2 : 0) + (used ? 1 : 0)
  }

  private leaveUnproven(ring: Ring): void {
    const last = this.unproven.at(-1)
    if (ring.place < 0 || last === undefined) return
    this.unproven[ring.place] = last
    last.place = ring.place
    this.unproven.pop()
    ring.place = -1
  }

  /** An index by exporter, id, version and the words `by`. */
  private index(...by: readonly number[]): KeyIndex {
    const whole = by.includes(SESSION)
    const session = (entry: number) => (whole ? this.word(entry, SESSION) : this.word(entry, SESSION) % 16)
    const domain = (entry: number) => (by.includes(DOMAIN) ? this.word(entry, DOMAIN) : 0)
    return new KeyIndex(
      (entry) => hash4(this.word(entry, EXPORTER), domain(entry), session(entry), this.word(entry, ID)),
      (a, b) =>
        this.word(a, ID) === this.word(b, ID) &&
        this.word(a, EXPORTER) === this.word(b, EXPORTER) &&
        session(a) === session(b) &&
        domain(a) === domain(b),
    )
  }

  private grow(): void {
    const [words, state] = [this.words, this.state]
    this.words = new Uint32Array(words.length * 2)
    this.words.set(words)
    this.state = new Uint8Array(state.length * 2)
    this.state.set(state)
    const { learnedS } = this
    this.learnedS = new Uint32Array(learnedS.length * 2)
    this.learnedS.set(learnedS)
  }
}
