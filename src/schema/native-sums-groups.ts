/** The groups of a block of sums: where the records of a group are added up. */
import { getU64 } from './batch.ts'
import type { Columns } from './columns.ts'
import { longer, mixed } from './native-sums-hash.ts'
import { ROLLUP_SUM_NAMES } from './rollups.ts'

const SUMS = ROLLUP_SUM_NAMES.length
/** Rows whose groups are found before they are added: what they need is read for all of them first. */
const CHUNK = 256
const FIRST_GROUPS = 1 << 9
/** 2^SLOT_BITS words a slot: both lanes of the group's hash, and the group + 1, 0 = free. Open addressing. */
const SLOT_BITS = 2
const GROUP = 2
/** So many slots stay in the cache by themselves. */
const TOUCHED_WORDS = 1 << 16

export class Groups {
  count = 0
  /** Of each group, in the order in which they are met: its first row in the block, its minute, its sums in the order of ROLLUP_SUMS. */
  first = new Uint32Array(FIRST_GROUPS)
  times = new Uint32Array(FIRST_GROUPS)
  sums = new Float64Array(FIRST_GROUPS * SUMS)
  private slots = new Int32Array((FIRST_GROUPS * 2) << SLOT_BITS)
  private readonly places = new Uint32Array(CHUNK)
  private readonly groups = new Uint32Array(CHUNK)
  /** So that no compiler finds the reads of `find` useless. */
  touched = 0

  clear(): void {
    this.slots.fill(0)
    this.count = 0
  }

  /**
   * Adds rows 0 … rows − 1, the block's `before` … , whose hashes and minutes are given. `estimated`: any has samples, a variance, or was kept
   * for others.
   */
  add(
    columns: Columns,
    rows: number,
    before: number,
    low: Uint32Array,
    high: Uint32Array,
    minutes: Uint32Array,
    estimated: boolean,
  ): void {
    for (let row = 0; row < rows; row += CHUNK) {
      const n = Math.min(CHUNK, rows - row)
      this.find(row, n, before, low, high, minutes)
      this.count64(columns, row, n)
      if (estimated) this.countEstimates(columns, row, n)
    }
  }

  private find(
    row: number,
    n: number,
    before: number,
    low: Uint32Array,
    high: Uint32Array,
    minutes: Uint32Array,
  ): void {
    const { places, groups } = this
    while ((this.count + n) * 2 > this.slots.length >> SLOT_BITS) this.grow()
    const { slots } = this
    const mask = (slots.length >> SLOT_BITS) - 1
    for (let i = 0; i < n; i++) places[i] = (mixed(low[row + i]!, high[row + i]!) & mask) << SLOT_BITS
    if (slots.length > TOUCHED_WORDS) {
      let touched = 0
      for (let i = 0; i < n; i++) touched ^= slots[places[i]!]!
      this.touched = touched
    }
    for (let i = 0; i < n; i++) {
      const a = low[row + i]! | 0
      const b = high[row + i]! | 0
      let at = places[i]!
      let group = slots[at + GROUP]!
      while (group !== 0 && (slots[at] !== a || slots[at + 1] !== b)) {
        at = (at + (1 << SLOT_BITS)) & (slots.length - 1)
        group = slots[at + GROUP]!
      }
      if (group === 0) {
        group = this.begin(before + row + i, minutes[row + i]!)
        slots[at] = a
        slots[at + 1] = b
        slots[at + GROUP] = group
      }
      groups[i] = group - 1
    }
  }

  private begin(first: number, minute: number): number {
    const group = this.count++
    this.first[group] = first
    this.times[group] = minute
    this.sums.fill(0, group * SUMS, (group + 1) * SUMS)
    return group + 1
  }

  /** The first four of ROLLUP_SUMS. */
  private count64({ packets, bytes, l2_bytes }: Columns, row: number, n: number): void {
    const { sums, groups } = this
    for (let i = 0; i < n; i++) {
      const at = groups[i]! * SUMS
      const lane = (row + i) * 2
      sums[at] = sums[at]! + packets[lane]! + packets[lane + 1]! * 0x1_0000_0000
      sums[at + 1] = sums[at + 1]! + bytes[lane]! + bytes[lane + 1]! * 0x1_0000_0000
      sums[at + 2] = sums[at + 2]! + l2_bytes[lane]! + l2_bytes[lane + 1]! * 0x1_0000_0000
      sums[at + 3] = sums[at + 3]! + 1
    }
  }

  /** The others. */
  private countEstimates(c: Columns, from: number, n: number): void {
    const { sums, groups } = this
    for (let i = 0; i < n; i++) {
      const row = from + i
      const rate = c.sampling_rate[row]!
      const samples = c.samples[row]!
      const kept = c.kept_one_in[row]!
      if (samples === 0 && kept === 0 && c.bytes_variance[row] === 0 && c.l2_bytes_variance[row] === 0) continue
      const at = groups[i]! * SUMS
      sums[at + 4] = sums[at + 4]! + samples
      sums[at + 5] = sums[at + 5]! + samples * rate * (rate - 1) * (kept || 1)
      if (kept > 1) sums[at + 5] = sums[at + 5]! + (1 - 1 / kept) * getU64(c.packets, row) ** 2
      sums[at + 6] = sums[at + 6]! + c.bytes_variance[row]!
      sums[at + 7] = sums[at + 7]! + c.l2_bytes_variance[row]!
    }
  }

  /** Room for twice as many groups. */
  private grow(): void {
    const { slots: old } = this
    const size = this.first.length * 2
    this.first = longer(this.first, size)
    this.times = longer(this.times, size)
    const sums = new Float64Array(size * SUMS)
    sums.set(this.sums)
    this.sums = sums
    this.slots = new Int32Array((size * 2) << SLOT_BITS)
    const { slots } = this
    const mask = slots.length - 1
    for (let from = 0; from < old.length; from += 1 << SLOT_BITS) {
      if (old[from + GROUP] === 0) continue
      let at = (mixed(old[from]!, old[from + 1]!) << SLOT_BITS) & mask
      while (slots[at + GROUP] !== 0) at = (at + (1 << SLOT_BITS)) & mask
      slots[at] = old[from]!
      slots[at + 1] = old[from + 1]!
      slots[at + GROUP] = old[from + GROUP]!
    }
  }
}
