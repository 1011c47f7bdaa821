/**
 * Names under a number of an exporter's and a datapath, in arrays that are used again: a flood of agents brings as many as are let, and
 * objects with maps of their own took ten times as much.
 */
import { hash4, KeyIndex } from '../decode/ipfix/key-index.ts'

/** Words of a key: four lanes of the exporter, and the number. */
const WORDS = 5
const NUMBER = 4
/** Entry that holds the key looked for. */
const PROBE = 0

/** What had a number before: its name, and when that was told last. */
export interface Before {
  name: string
  lastMs: number
}

/** Entries count from 1; those with one number of one exporter, a datapath each, are a list. */
export class NameSlots {
  /** By entry. The name, of which datapath, since when and until when it was told, by whom, and what came before it. */
  readonly name: string[] = ['']
  readonly datapath: string[] = ['']
  readonly before: (Before | undefined)[] = [undefined]
  fromMs = new Float64Array(64)
  lastMs = new Float64Array(64)
  by = new Int32Array(64)
  size = 0
  private keys = new Uint32Array(64 * WORDS)
  /** The next entry of a list, of those that are free too; 0 = none. */
  private nexts = new Uint32Array(64)
  private free = 0
  private fresh = 1
  private readonly heads = new KeyIndex(
    (entry) => {
      const at = entry * WORDS
      const { keys } = this
      return hash4(keys[at]! ^ Math.imul(keys[at + 1]!, 31), keys[at + 2]!, keys[at + 3]!, keys[at + NUMBER]!)
    },
    (a, b) => {
      for (let word = 0; word < WORDS; word++)
        if (this.keys[a * WORDS + word] !== this.keys[b * WORDS + word]) return false
      return true
    },
  )

  /** The first entry of a number of the exporter whose lanes lie at `at`; 0 = there is none. */
  first(exporter: Uint32Array, at: number, number: number): number {
    if (this.size === 0) return 0
    this.setKey(PROBE, exporter, at, number)
    return Math.max(0, this.heads.find(PROBE))
  }

  /** The entry after one; 0 = there is none. */
  next(entry: number): number {
    return this.nexts[entry]!
  }

  /** A new entry, the first of its list; the caller fills it. */
  add(exporter: Uint32Array, at: number, number: number): number {
    const first = this.first(exporter, at, number)
    const entry = this.free === 0 ? this.fresh++ : this.free
    if (entry === this.free) this.free = this.nexts[entry]!
    if (entry >= this.nexts.length) this.grow()
    this.setKey(entry, exporter, at, number)
    this.nexts[entry] = first
    this.heads.set(entry)
    this.size++
    return entry
  }

  remove(entry: number): void {
    const first = this.heads.find(entry)
    const after = this.nexts[entry]!
    if (first !== entry) this.nexts[this.beforeIn(first, entry)] = after
    else if (after !== 0) this.heads.set(after)
    else this.heads.delete(entry)
    this.name[entry] = this.datapath[entry] = ''
    this.before[entry] = undefined
    this.nexts[entry] = this.free
    this.free = entry
    this.size--
  }

  /** Entries in use, in no particular order. One may be removed when it comes. */
  *entries(): Generator<number> {
    for (let entry = 1; entry < this.fresh; entry++) if (this.name[entry] !== '') yield entry
  }

  exporterOf(entry: number): Uint32Array {
    return this.keys.slice(entry * WORDS, entry * WORDS + NUMBER)
  }

  numberOf(entry: number): number {
    return this.keys[entry * WORDS + NUMBER]!
  }

  private beforeIn(first: number, entry: number): number {
    let at = first
    while (this.nexts[at] !== entry) at = this.nexts[at]!
    return at
  }

  private setKey(entry: number, exporter: Uint32Array, at: number, number: number): void {
    const to = entry * WORDS
    for (let lane = 0; lane < NUMBER; lane++) this.keys[to + lane] = exporter[at + lane]!
    this.keys[to + NUMBER] = number
  }

  private grow(): void {
    const [keys, nexts, fromMs, lastMs, by] = [this.keys, this.nexts, this.fromMs, this.lastMs, this.by]
    const room = nexts.length * 2
    this.keys = new Uint32Array(room * WORDS)
    this.nexts = new Uint32Array(room)
    this.fromMs = new Float64Array(room)
    this.lastMs = new Float64Array(room)
    this.by = new Int32Array(room)
    this.keys.set(keys)
    this.nexts.set(nexts)
    this.fromMs.set(fromMs)
    this.lastMs.set(lastMs)
    this.by.set(by)
  }
}
