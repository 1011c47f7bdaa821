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
import type { ColumnArray, Kind } from './kinds.ts'
import { NativeOutput } from './native-output.ts'
import { TextColumnWriter } from './native-text.ts'
import { ROLLUP_KEYS, ROLLUP_SUM_NAMES } from './rollups.ts'
import type { StringTable } from './strings.ts'
import { columnType } from './types.ts'

/** A block of sums; `bytes` belongs to the receiver. */
export interface SumsBlock {
  columns: readonly string[]
  rows: number
  bytes: Uint8Array
}

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

  /** Sums of the rows of `batches`; `columns` are those of them that are not zero everywhere, `answers` those of answered batches. */
  encode(
    batches: readonly FlowBatch[],
    columns: readonly ColumnName[],
    strings: StringTable,
    answers?: BlockAnswers,
  ): SumsBlock {
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
  ): SumsBlock {
    const { groups } = this
    const columns = ['bucket', ...keys, 'group_hash', ...ROLLUP_SUM_NAMES]
    const output = new NativeOutput(4096 + groups * 160)
    output.varint(columns.length)
    output.varint(groups)
    const column = (name: string, type: string, values: ArrayBufferView) => {
      output.string(name)
      output.string(type)
      output.bytes(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    }
    const minutes = this.times.subarray(0, groups)
    column(
      'bucket',
      "DateTime('UTC')",
      Uint32Array.from(minutes, (minute) => minute * 60),
    )
    // Without the minute, which the bucket says: the minutes of an hour are merged by it.
    const low = new Uint32Array(groups)
    const high = new Uint32Array(groups)
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
    column('group_hash', 'UInt64', interleaved(low, high))
    for (const [i, name] of ROLLUP_SUM_NAMES.entries()) {
      const floating = name.endsWith('variance')
      column(name, floating ? 'Float64' : 'Int64', floating ? this.floats(i) : this.integers(i))
    }
    return { columns, rows: groups, bytes: output.written() }
  }

  /** The value that the first row of each group has. */
  private firstValues(batches: readonly FlowBatch[], name: Key, answers?: BlockAnswers): ColumnArray<Kind> {
    const { groups, first } = this
    if (answers !== undefined && isAnswerColumn(name)) {
      const ofAnswers = answers.columns[name]
      return new (ofAnswers.constructor as Uint32ArrayConstructor)(groups).map((_, group) => ofAnswers[answers.ofRow[first[group]!]!]!) // prettier-ignore
    }
    const from = batches.map(({ columns }) => columns[name])
    const values = new (from[0]!.constructor as Uint32ArrayConstructor)(groups)
    let batch = 0
    let start = 0
    // Groups are numbered in the order of their first rows.
    for (let group = 0; group < groups; group++) {
      while (first[group]! >= start + batches[batch]!.rows) start += batches[batch++]!.rows
      values[group] = from[batch]![first[group]! - start]!
    }
    return values
  }

  private floats(sum: number): Float64Array {
    return Float64Array.from({ length: this.groups }, (_, group) => this.sums[group * SUMS + sum]!)
  }

  /** Sums up to 2^53 are exact: eight petabytes a group and block. */
  private integers(sum: number): Uint32Array {
    const lanes = new Uint32Array(this.groups * 2)
    for (let group = 0; group < this.groups; group++) {
      const value = this.sums[group * SUMS + sum]!
      lanes[group * 2] = value >>> 0
      lanes[group * 2 + 1] = Math.floor(value / 0x1_0000_0000)
    }
    return lanes
  }
}

/** Two hashes of every string of a table, by code. */
class TextHashes {
  low = new Uint32Array(0)
  high = new Uint32Array(0)
  private strings: StringTable | undefined
  private known = 0

  /** Hashes the strings that are new since the last time. Code 0 is the empty string, whose hash is 0. */
  learn(strings: StringTable): void {
    if (strings !== this.strings) {
      this.strings = strings
      this.known = 0
    }
    if (this.low.length < strings.size) {
      this.low = longer(this.low, strings.size * 2)
      this.high = longer(this.high, strings.size * 2)
    }
    for (; this.known < strings.size; this.known++) {
      let low = 0
      let high = 0
      for (const byte of strings.utf8[this.known]!) {
        low = Math.imul(low ^ (byte + 1), 0x0100_0193)
        high = Math.imul(high + byte + 1, 0x85eb_ca6b) ^ (high >>> 13)
      }
      this.low[this.known] = scattered(low)
      this.high[this.known] = scattered(high)
    }
  }
}

function mixTexts(
  low: Uint32Array,
  high: Uint32Array,
  codes: ColumnArray<Kind>,
  texts: TextHashes,
  a: number,
  b: number,
): void {
  for (let group = 0; group < codes.length; group++) {
    const code = codes[group]!
    low[group] = low[group]! + Math.imul(texts.low[code]!, a)
    high[group] = high[group]! + Math.imul(texts.high[code]!, b)
  }
}

function mix(low: Uint32Array, high: Uint32Array, values: ColumnArray<Kind>, rows: number, a: number, b: number): void {
  if (values instanceof Uint8Array) mixBytes(low, high, values, rows, a, b)
  else mixWords(low, high, values as Uint32Array, rows, a, b)
}

// Twice the same, so that each loop sees arrays of one type only.
function mixBytes(low: Uint32Array, high: Uint32Array, values: Uint8Array, rows: number, a: number, b: number): void {
  for (let row = 0; row < rows; row++) {
    const value = values[row]!
    low[row] = low[row]! + Math.imul(value, a)
    high[row] = high[row]! + Math.imul(value, b)
  }
}

function mixWords(low: Uint32Array, high: Uint32Array, values: Uint32Array, rows: number, a: number, b: number): void {
  for (let row = 0; row < rows; row++) {
    const value = values[row]!
    low[row] = low[row]! + Math.imul(value, a)
    high[row] = high[row]! + Math.imul(value, b)
  }
}

/** Four columns from the `i`-th on; `none` where there are no more. */
function fourOf<T>(columns: readonly T[], i: number, none: T): Four<T> {
  return [columns[i]!, columns[i + 1] ?? none, columns[i + 2] ?? none, columns[i + 3] ?? none]
}

/** `lanes`: the odd constants of the first column, low and high, then those of the next. */
function mixFourWords(
  low: Uint32Array,
  high: Uint32Array,
  [a, b, c, d]: Four<Uint32Array>,
  rows: number,
  lanes: Int32Array,
): void {
  const [al, ah, bl, bh, cl, ch, dl, dh] = lanes as unknown as Eight
  for (let row = 0; row < rows; row++) {
    const av = a[row]!
    const bv = b[row]!
    const cv = c[row]!
    const dv = d[row]!
    low[row] = (low[row]! + Math.imul(av, al) + Math.imul(bv, bl) + Math.imul(cv, cl) + Math.imul(dv, dl)) | 0
    high[row] = (high[row]! + Math.imul(av, ah) + Math.imul(bv, bh) + Math.imul(cv, ch) + Math.imul(dv, dh)) | 0
  }
}

/** Four bytes are one word. */
function mixFourBytes(
  low: Uint32Array,
  high: Uint32Array,
  [a, b, c, d]: Four<Uint8Array>,
  rows: number,
  l: number,
  h: number,
): void {
  for (let row = 0; row < rows; row++) {
    const value = a[row]! | (b[row]! << 8) | (c[row]! << 16) | (d[row]! << 24)
    low[row] = (low[row]! + Math.imul(value, l)) | 0
    high[row] = (high[row]! + Math.imul(value, h)) | 0
  }
}

type Four<T> = readonly [T, T, T, T]
type Eight = readonly [number, number, number, number, number, number, number, number]

/** The last step of MurmurHash3: numbers beside each other come far apart. */
function scattered(value: number): number {
  let hash = Math.imul(value + 1, 0x9e37_79b1)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return hash ^ (hash >>> 16)
}

/** Where a hash begins to look for its group. */
function mixed(low: number, high: number): number {
  const hash = Math.imul(low ^ (low >>> 15) ^ high, 0x2c1b_3c6d)
  return hash ^ (hash >>> 13)
}

function longer(array: Uint32Array, size: number): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(size)
  grown.set(array)
  return grown
}

function interleaved(low: Uint32Array, high: Uint32Array): Uint32Array {
  const lanes = new Uint32Array(low.length * 2)
  for (let i = 0; i < low.length; i++) {
    lanes[i * 2] = low[i]!
    lanes[i * 2 + 1] = high[i]!
  }
  return lanes
}
