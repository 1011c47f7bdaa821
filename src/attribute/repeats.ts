/**
 * Records that come again: an exporter tells of a flow each active timeout, and everything that attribution reads of such a record is the
 * same. Its answer is remembered by just that, compared in full: repeats-short.ts, repeats-long.ts.
 *
 * The size is bounded: a record takes the place of another, and the tables grow only while records displace each other.
 * What is remembered is of one model and of what hosts without OVSDB were seen to report; whoever changes either calls `forget`.
 */
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import type { FlowBatch } from '../schema/batch.ts'
import { CHUNK, type Found } from './found.ts'
import type { Names } from './names.ts'
import { LongRepeats } from './repeats-long.ts'
import { ShortRepeats } from './repeats-short.ts'
import { RowKinds } from './row-kinds.ts'
import type { Slice } from './slice.ts'

const EPOCHS = 1 << 16
/**
 * Where fewer than one in LEAST of WINDOW rows come again, none are looked for in the next RESTS windows. Four times what can be
 * remembered: rows that come again only after all others have to be seen to.
 */
const WINDOW = 1 << 20
const LEAST = 16
const RESTS = 7

export class Repeats {
  /** Number of the answer of each row of the chunk; 0 = the row is not known. */
  readonly numbers = new Uint32Array(CHUNK)
  /** 1 for rows that are to be remembered. */
  readonly known = new Uint8Array(CHUNK)
  /** Sampling rate of the IPFIX of each row's bridge, -1 where the row is of no known one. */
  readonly rates = new Int32Array(CHUNK)
  readonly kinds = new RowKinds()
  /** Rows of the chunk that are not known. */
  missing = 0
  /** Whether any that is known may be of an IPFIX that samples. */
  rated = false
  private readonly short = new ShortRepeats()
  private readonly long = new LongRepeats()
  private epoch = 1
  private rows = 0
  private again = 0
  private rest = 0

  /** Nothing that is known holds any more. */
  forget(): void {
    if (++this.epoch < EPOCHS) return
    this.epoch = 1
    this.short.clear()
    this.long.clear()
  }

  /** Looks for rows `row … row + n − 1`: numbers, rates, and the interfaces into `found` where `kinds` says that the row is a long one. */
  find(
    { memory, base }: FlowBatch,
    row: number,
    n: number,
    hosts: Int32Array,
    slice: Slice,
    snapshot: IdentitySnapshot,
    found: Found,
  ): void {
    const { kinds, numbers, rates } = this
    this.missing = n
    numbers.fill(0, 0, n)
    if (this.rest > 0) {
      this.rest -= n
      kinds.none(n)
      return
    }
    const first = base + row
    kinds.read(memory, first, n, hosts, slice, this.epoch, snapshot)
    if (kinds.longs < n) this.missing -= this.short.find(memory, first, n, kinds, numbers, rates)
    this.rated = kinds.longs > 0 || this.short.rated
    if (kinds.longs > 0) this.missing -= this.long.find(memory, first, kinds, numbers, rates, found)
    this.rows += n
    this.again += n - this.missing
    if (this.rows < WINDOW) return
    if (this.again * LEAST < this.rows) this.rest = RESTS * WINDOW
    this.rows = this.again = 0
  }

  /**
   * Writes the names of interfaces of those of rows `row … row + n − 1` that are known as short ones; no more is to be written of them. Not
   * before all of the chunk are resolved: what is known may be forgotten by then.
   */
  writeNames({ memory: { u32, layout }, base }: FlowBatch, row: number, n: number, found: Found): void {
    const { numbers, kinds, short } = this
    const { inNames, outNames } = short
    const inName = layout.first.in_if_name + base + row
    const outName = layout.first.out_if_name + base + row
    for (let i = 0; i < n; i++) {
      if (numbers[i] === 0 || kinds.short[i] === 0) continue
      if (inNames[i] !== 0) u32[inName + i] = inNames[i]!
      if (outNames[i] !== 0) u32[outName + i] = outNames[i]!
      found.inIfs[i] = found.outIfs[i] = 0
    }
  }

  /** Remembers those of rows `row … row + n − 1` that `known` says, with their `numbers` and `rates`; `found` holds what was found. */
  keep({ memory, base }: FlowBatch, row: number, n: number, found: Found, names: Names): void {
    const { kinds, known, numbers, rates, short, long } = this
    for (let i = 0; i < n; i++)
      if (known[i] === 1 && kinds.short[i] === 1)
        short.put(memory, base + row + i, i, kinds, numbers[i]!, rates[i]!, found, names)
    for (let k = 0; k < kinds.longs; k++) {
      const i = kinds.long[k]!
      if (known[i] === 1) long.put(i, numbers[i]!, rates[i]!, found)
    }
  }
}
