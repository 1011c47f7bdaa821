/**
 * Keys whose values hold for a span of time: local VLANs of a bridge and floating IPs, which are given to others while what they
 * lead to stays. A key leads to bindings (value, from, to); which of them holds is asked with the record's own time.
 */
import { LaneTable, type PackedLanes } from '../lanes.ts'

/** From when until when something holds, ms since 1970; `toMs` is not part of it. */
export interface Span {
  fromMs: number
  toMs: number
}

export const ALWAYS: Span = { fromMs: 0, toMs: Number.MAX_VALUE }

export function overlap(a: Span, b: Span): Span | undefined {
  const fromMs = Math.max(a.fromMs, b.fromMs)
  const toMs = Math.min(a.toMs, b.toMs)
  return fromMs < toMs ? { fromMs, toMs } : undefined
}

/** A table as it goes to another thread. */
export interface PackedTimed {
  keys: PackedLanes
  values: number[]
  fromMs: number[]
  toMs: number[]
}

export class TimedTable {
  /** Told of each `add` and `close`, so that copies of the table can follow. */
  onAdd: ((key: readonly number[], value: number, span: Span) => void) | undefined
  onClose: ((key: readonly number[], value: number, atMs: number) => void) | undefined
  private keys: LaneTable
  private values = [0]
  private fromMs = [0]
  private toMs = [0]
  private anyTimed = false

  constructor(width: 2 | 5, expected = 0) {
    this.keys = new LaneTable(width, expected)
  }

  static unpack({ keys, values, fromMs, toMs }: PackedTimed): TimedTable {
    const table = new TimedTable(keys.width === 2 ? 2 : 5)
    table.keys = LaneTable.unpack(keys)
    table.values = values
    table.fromMs = fromMs
    table.toMs = toMs
    return table
  }

  /** What `unpack` takes; the table's own memory, to be copied on the way. */
  pack(): PackedTimed {
    const { keys, values, fromMs, toMs } = this
    return { keys: keys.pack(), values, fromMs, toMs }
  }

  touchPages(): Generator<void, void> {
    return this.keys.touchPages()
  }

  get size(): number {
    return this.keys.size
  }

  /** Whether anything in it holds for a span only. */
  get timed(): boolean {
    return this.anyTimed
  }

  /** Adds a value that holds in a span; one that holds in a span that touches it is made longer instead. */
  add(key: readonly number[], value: number, span: Span): void {
    this.onAdd?.(key, value, span)
    if (span.fromMs > 0 || span.toMs < Number.MAX_VALUE) this.anyTimed = true
    const raw = this.raw(key)
    const count = raw === 0 ? 0 : this.keys.count(raw)
    for (let i = 0; i < count; i++) {
      const at = this.keys.at(raw, i)
      if (this.values[at] !== value || this.fromMs[at]! > span.toMs || span.fromMs > this.toMs[at]!) continue
      this.fromMs[at] = Math.min(this.fromMs[at]!, span.fromMs)
      this.toMs[at] = Math.max(this.toMs[at]!, span.toMs)
      return
    }
    this.keys.add(key, this.values.push(value) - 1)
    this.fromMs.push(span.fromMs)
    this.toMs.push(span.toMs)
  }

  /** Ends a value that holds now. */
  close(key: readonly number[], value: number, atMs: number): void {
    this.onClose?.(key, value, atMs)
    const raw = this.raw(key)
    const count = raw === 0 ? 0 : this.keys.count(raw)
    for (let i = 0; i < count; i++) {
      const at = this.keys.at(raw, i)
      if (this.values[at] !== value || this.toMs[at] !== Number.MAX_VALUE) continue
      this.toMs[at] = atMs
      this.anyTimed = true
    }
  }

  /** Whether the key has, or had within the history kept, any value. */
  has(key: readonly number[]): boolean {
    return this.raw(key) !== 0
  }

  /** All values that a key leads to now. */
  allNow(key: readonly number[]): number[] {
    const raw = this.raw(key)
    const bindings = raw === 0 ? [] : raw > 0 ? [raw] : this.keys.list(raw)
    return bindings.filter((at) => this.toMs[at] === Number.MAX_VALUE).map((at) => this.values[at]!)
  }

  get2(k0: number, k1: number): number {
    return this.keys.get2(k0, k1)
  }

  get5(k0: number, k1: number, k2: number, k3: number, k4: number): number {
    return this.keys.get5(k0, k1, k2, k3, k4)
  }

  /** The one value that holds at a time, 0 when none or several do. `raw` comes from get2 or get5. */
  at(raw: number, atMs: number): number {
    if (raw === 0) return 0
    if (raw > 0) return this.holds(raw, atMs) ? this.values[raw]! : 0
    let found = 0
    for (const binding of this.keys.list(raw)) {
      if (!this.holds(binding, atMs)) continue
      if (found !== 0 && found !== this.values[binding]!) return 0
      found = this.values[binding]!
    }
    return found
  }

  /** All values that hold at a time; for when `at` gives none. */
  allAt(raw: number, atMs: number): number[] {
    if (raw === 0) return []
    const bindings = raw > 0 ? [raw] : this.keys.list(raw)
    return bindings.filter((binding) => this.holds(binding, atMs)).map((binding) => this.values[binding]!)
  }

  private raw(key: readonly number[]): number {
    const [a, b, c, d, e] = key as [number, number, number, number, number]
    return this.keys.width === 2 ? this.keys.get2(a | 0, b | 0) : this.keys.get5(a | 0, b | 0, c | 0, d | 0, e | 0)
  }

  private holds(binding: number, atMs: number): boolean {
    return this.fromMs[binding]! <= atMs && atMs < this.toMs[binding]!
  }
}
