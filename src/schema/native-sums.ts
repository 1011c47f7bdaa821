/**
 * The records of a block summed by minute and both ends, as a block of `flows_1m` (rollups.ts), made from the columns while they are
 * here: a GROUP BY over as many columns costs the engine 1 to 3 CPU seconds a million records, this 0.2.
 *
 * Records of one group are found by a hash over the keys, two lanes of 32 bits: the sum of value times an odd constant of the column.
 * Two groups of a block share one in about 1 of 10^19 pairs. A text is its code there, which is of this block; the hash that is stored
 * is made of the texts themselves, and not of the minute: it is the same in every bucket.
 */
import { type AnswerColumn, isAnswerColumn } from './answers.ts'
import { type FlowBatch, getU64 } from './batch.ts'
import type { BlockAnswers } from './block-answers.ts'
import { type ColumnName, columnFacts } from './columns.ts'
import { KINDS, type ColumnArray, type Kind } from './kinds.ts'
import { NativeOutput } from './native-output.ts'
import { TextColumnWriter } from './native-text.ts'
import {
  TextHashes,
  fourOf,
  longer,
  mix,
  mixFourBytes,
  mixFourWords,
  mixTexts,
  mixed,
  scattered,
} from './native-sums-hash.ts'
import { Scratch, type Values } from './native-sums-scratch.ts'
import { ROLLUP_KEYS, ROLLUP_SUM_NAMES } from './rollups.ts'
import type { StringTable } from './strings.ts'
import { columnType } from './types.ts'

/** A block of sums; `bytes` belongs to the receiver. Columns that are zero in every row are left out. */
export interface SumsBlock {
  columns: readonly string[]
  rows: number
  bytes: Uint8Array
}

/** The same as it was made: `release` gives its memory back, once only. */
type MadeSums = SumsBlock & { release: () => void }

const MINUTE_MS = 60_000
const KEY_SET: ReadonlySet<string> = new Set(ROLLUP_KEYS)
type Key = (typeof ROLLUP_KEYS)[number]
const SUMS = ROLLUP_SUM_NAMES.length
/**
 * Odd constants of what is hashed, low and high in turn. Multiples of one number would not do: values that differ by +1, -1, -1, +1 in
 * four columns would leave both sums as they were.
 */
const LANES = Int32Array.from({ length: (ROLLUP_KEYS.length + 16) * 2 }, (_, i) => scattered(i) | 1)
const MINUTE_LOW = 0xc2b2_ae3d
const MINUTE_HIGH = 0x1656_67b1

export class SumsEncoder {
  private readonly texts = new TextHashes()
  private readonly writer = new TextColumnWriter()
  private readonly written = new Scratch()
  /** Outputs of blocks that were released. */
  private readonly free: NativeOutput[] = []
  private readonly shared: boolean
  private low = new Uint32Array(0)
  private high = new Uint32Array(0)
  private minutes = new Uint32Array(0)
  /** Hashes of what the answers of an answered block have of the keys. */
  private readonly ofAnswers = { low: new Uint32Array(0), high: new Uint32Array(0) }
  /** Columns of zeros, which change no hash. */
  private noWords = new Uint32Array(0)
  private noBytes = new Uint8Array(0)
  /** Open addressing: group + 1, 0 = free. */
  private slots = new Uint32Array(1 << 10)
  private groups = 0
  /** Of each group: its first row in the block, its hash and minute, its sums. */
  private first = new Uint32Array(1 << 9)
  private lows = new Uint32Array(1 << 9)
  private highs = new Uint32Array(1 << 9)
  private times = new Uint32Array(1 << 9)
  private sums = new Float64Array((1 << 9) * SUMS)

  /** With `shared` the bytes of blocks are memory that threads share. */
  constructor(shared = false) {
    this.shared = shared
  }

  /** Sums of the rows of `batches`; `columns` are those of them that are not zero everywhere, `answers` those of answered batches. */
  encode(
    batches: readonly FlowBatch[],
    columns: readonly ColumnName[],
    strings: StringTable,
    answers?: BlockAnswers,
  ): MadeSums {
    const keys = columns.filter((name): name is Key => KEY_SET.has(name))
    const ofRows = answers === undefined ? keys : keys.filter((name) => !isAnswerColumn(name))
    this.texts.learn(strings)
    this.reserve(Math.max(answers?.count ?? 0, ...batches.map(({ rows }) => rows)))
    this.slots.fill(0)
    this.groups = 0
    if (answers !== undefined) this.hashAnswers(answers, keys.filter((name): name is Key & AnswerColumn => isAnswerColumn(name)), ofRows.length) // prettier-ignore
    let before = 0
    for (const batch of batches) {
      this.hash(batch, ofRows)
      if (answers !== undefined) this.mixAnswers(answers.ofRow, before, batch.rows)
      this.add(batch, before)
      before += batch.rows
    }
    return this.write(batches, keys, strings, answers)
  }

  private reserve(rows: number): void {
    if (rows <= this.low.length) return
    this.low = new Uint32Array(rows)
    this.high = new Uint32Array(rows)
    this.minutes = new Uint32Array(rows)
    this.noWords = new Uint32Array(rows)
    this.noBytes = new Uint8Array(rows)
  }

  private hashAnswers({ columns, count }: BlockAnswers, keys: readonly AnswerColumn[], lane: number): void {
    const { ofAnswers } = this
    if (ofAnswers.low.length < count) {
      ofAnswers.low = new Uint32Array(count * 2)
      ofAnswers.high = new Uint32Array(count * 2)
    }
    ofAnswers.low.fill(0, 0, count)
    ofAnswers.high.fill(0, 0, count)
    // Other constants than those of what is hashed row by row.
    this.mixColumns(ofAnswers.low, ofAnswers.high, keys.map((name) => columns[name]), count, lane + 8) // prettier-ignore
  }

  private mixAnswers(ofRow: Uint32Array, before: number, rows: number): void {
    const { low, high, ofAnswers } = this
    for (let row = 0; row < rows; row++) {
      const answer = ofRow[before + row]!
      low[row] = (low[row]! + ofAnswers.low[answer]!) | 0
      high[row] = (high[row]! + ofAnswers.high[answer]!) | 0
    }
  }

  /** Hashes of the batch's rows, a column at a time. */
  private hash({ columns, rows }: FlowBatch, keys: readonly Key[]): void {
    const { low, high, minutes } = this
    const time = columns.flow_end
    for (let row = 0; row < rows; row++) {
      const minute = Math.floor((time[row * 2]! + time[row * 2 + 1]! * 0x1_0000_0000) / MINUTE_MS)
      minutes[row] = minute
      low[row] = Math.imul(minute, MINUTE_LOW)
      high[row] = Math.imul(minute, MINUTE_HIGH)
    }
    this.mixColumns(low, high, keys.map((name) => columns[name]), rows, 0) // prettier-ignore
  }

  /** Mixes columns into hashes, with the constants from `lane` on. */
  private mixColumns(
    low: Uint32Array,
    high: Uint32Array,
    columns: readonly ColumnArray<Kind>[],
    rows: number,
    lane: number,
  ): void {
    // Four columns at a time: read by themselves, most of the time would go into reading and writing the hashes.
    const words = columns.filter((values) => values instanceof Uint32Array)
    const bytes = columns.filter((values) => values instanceof Uint8Array)
    for (let i = 0; i < words.length; i += 4, lane += 4)
      mixFourWords(low, high, fourOf(words, i, this.noWords), rows, LANES.subarray(lane * 2))
    for (let i = 0; i < bytes.length; i += 4, lane++)
      mixFourBytes(low, high, fourOf(bytes, i, this.noBytes), rows, LANES[lane * 2]!, LANES[lane * 2 + 1]!)
  }

  /** Adds the rows, the block's `before` … , to their groups. */
  private add({ columns: c, rows }: FlowBatch, before: number): void {
    for (let row = 0; row < rows; row++) {
      const at = this.groupOf(row, before + row) * SUMS
      const { sums } = this
      const lane = row * 2
      const rate = c.sampling_rate[row]!
      const samples = c.samples[row]!
      const kept = c.kept_one_in[row]!
      // In the order of ROLLUP_SUMS.
      sums[at] = sums[at]! + c.packets[lane]! + c.packets[lane + 1]! * 0x1_0000_0000
      sums[at + 1] = sums[at + 1]! + c.bytes[lane]! + c.bytes[lane + 1]! * 0x1_0000_0000
      sums[at + 2] = sums[at + 2]! + c.l2_bytes[lane]! + c.l2_bytes[lane + 1]! * 0x1_0000_0000
      sums[at + 3] = sums[at + 3]! + 1
      if (samples === 0 && kept === 0 && c.bytes_variance[row] === 0 && c.l2_bytes_variance[row] === 0) continue
      sums[at + 4] = sums[at + 4]! + samples
      sums[at + 5] = sums[at + 5]! + samples * rate * (rate - 1) * (kept || 1)
      if (kept > 1) sums[at + 5] = sums[at + 5]! + (1 - 1 / kept) * getU64(c.packets, row) ** 2
      sums[at + 6] = sums[at + 6]! + c.bytes_variance[row]!
      sums[at + 7] = sums[at + 7]! + c.l2_bytes_variance[row]!
    }
  }

  private groupOf(row: number, inBlock: number): number {
    const low = this.low[row]!
    const high = this.high[row]!
    const { slots } = this
    const mask = slots.length - 1
    let slot = mixed(low, high) & mask
    for (let group = slots[slot]!; group !== 0; group = slots[slot]!) {
      if (this.lows[group - 1] === low && this.highs[group - 1] === high) return group - 1
      slot = (slot + 1) & mask
    }
    if (this.groups === this.first.length) {
      this.grow()
      return this.groupOf(row, inBlock)
    }
    const group = this.groups++
    slots[slot] = group + 1
    this.first[group] = inBlock
    this.lows[group] = low
    this.highs[group] = high
    this.times[group] = this.minutes[row]!
    this.sums.fill(0, group * SUMS, (group + 1) * SUMS)
    return group
  }

  private grow(): void {
    const size = this.first.length * 2
    this.first = longer(this.first, size)
    this.lows = longer(this.lows, size)
    this.highs = longer(this.highs, size)
    this.times = longer(this.times, size)
    const sums = new Float64Array(size * SUMS)
    sums.set(this.sums)
    this.sums = sums
    this.slots = new Uint32Array(size * 2)
    const mask = this.slots.length - 1
    for (let group = 0; group < this.groups; group++) {
      let slot = mixed(this.lows[group]!, this.highs[group]!) & mask
      while (this.slots[slot] !== 0) slot = (slot + 1) & mask
      this.slots[slot] = group + 1
    }
  }

  private write(
    batches: readonly FlowBatch[],
    keys: readonly Key[],
    strings: StringTable,
    answers: BlockAnswers | undefined,
  ): MadeSums {
    const { groups } = this
    const summed = ROLLUP_SUM_NAMES.filter((_, i) => !this.isZeroSum(i))
    const columns = ['bucket', ...keys, 'group_hash', ...summed]
    const output = this.free.pop() ?? new NativeOutput(4096 + groups * 160, this.shared)
    output.reset()
    output.varint(columns.length)
    output.varint(groups)
    const column = (name: string, type: string, values: ArrayBufferView) => {
      output.string(name)
      output.string(type)
      output.bytes(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    }
    const { low, high, words, wide } = this.written.of(groups)
    for (let group = 0; group < groups; group++) words[group] = this.times[group]! * 60
    column('bucket', "DateTime('UTC')", words)
    // Without the minute, which the bucket says: the minutes of an hour are merged by it.
    low.fill(0)
    high.fill(0)
    for (const name of keys) {
      const index = ROLLUP_KEYS.indexOf(name)
      const values = this.firstValues(batches, name, answers)
      if (columnFacts(name).kind !== 'text') {
        mix(low, high, values, groups, LANES[index * 2]!, LANES[index * 2 + 1]!)
        column(name, columnType(name), values)
        continue
      }
      mixTexts(low, high, values, this.texts, LANES[index * 2]!, LANES[index * 2 + 1]!)
      output.string(name)
      output.string(columnType(name))
      if (groups === 0) continue
      this.writer.begin(strings, groups)
      // A text column holds codes, kinds.ts.
      this.writer.append(values as Uint32Array, groups)
      this.writer.end(output, strings)
    }
    interleave(low, high, wide)
    column('group_hash', 'UInt64', wide)
    for (const name of summed) {
      const floating = name.endsWith('variance')
      const sum = ROLLUP_SUM_NAMES.indexOf(name)
      column(name, floating ? 'Float64' : 'Int64', floating ? this.floats(sum) : this.integers(sum))
    }
    return { columns, rows: groups, bytes: output.written(), release: () => void this.free.push(output) }
  }

  /** The value that the first row of each group has; in memory that the next call writes again. */
  private firstValues(batches: readonly FlowBatch[], name: Key, answers?: BlockAnswers): ColumnArray<Kind> {
    const { groups, first } = this
    const { words, halves, bytes } = this.written.of(groups)
    const { array } = KINDS[columnFacts(name).kind]
    const values: Values = array === Uint8Array ? bytes : array === Uint16Array ? halves : words
    if (answers !== undefined && isAnswerColumn(name)) {
      pickTwice(answers.columns[name], answers.ofRow, first, groups, values)
      return values
    }
    let group = 0
    let start = 0
    // Groups are numbered in the order of their first rows.
    for (const { columns, rows } of batches) {
      let to = group
      while (to < groups && first[to]! < start + rows) to++
      pickFrom(columns[name], first, start, group, to, values)
      group = to
      start += rows
    }
    return values
  }

  private isZeroSum(sum: number): boolean {
    const { sums, groups } = this
    for (let at = sum; at < groups * SUMS; at += SUMS) if (sums[at] !== 0) return false
    return true
  }

  private floats(sum: number): Float64Array {
    const { sums, groups } = this
    const { floats } = this.written.of(groups)
    for (let group = 0; group < groups; group++) floats[group] = sums[group * SUMS + sum]!
    return floats
  }

  /** Sums up to 2^53 are exact: eight petabytes a group and block. */
  private integers(sum: number): Uint32Array {
    const { sums, groups } = this
    const { wide } = this.written.of(groups)
    for (let group = 0; group < groups; group++) {
      const value = sums[group * SUMS + sum]!
      wide[group * 2] = value >>> 0
      wide[group * 2 + 1] = Math.floor(value / 0x1_0000_0000)
    }
    return wide
  }
}

function interleave(low: Uint32Array, high: Uint32Array, lanes: Uint32Array): void {
  for (let i = 0; i < low.length; i++) {
    lanes[i * 2] = low[i]!
    lanes[i * 2 + 1] = high[i]!
  }
}

function pickTwice(from: Values, numbers: Uint32Array, rows: Uint32Array, count: number, to: Values): void {
  for (let i = 0; i < count; i++) to[i] = from[numbers[rows[i]!]!]!
}

function pickFrom(from: Values, rows: Uint32Array, start: number, group: number, end: number, to: Values): void {
  for (let i = group; i < end; i++) to[i] = from[rows[i]! - start]!
}
