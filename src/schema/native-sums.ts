/**
 * The records of a block summed by minute and both ends, as a block of `flows_1m` (rollups.ts), made from the columns while they are
 * here: a GROUP BY over as many columns costs the engine 1 to 3 CPU seconds a million records, this 0.2.
 *
 * Records of one group are found by a hash over the keys, two lanes of 32 bits: the sum of value times an odd constant of the column.
 * Two groups of a block share one in about 1 of 10^19 pairs. A text is its code there, which is of this block; the hash that is stored
 * is made of the texts themselves, and not of the minute: it is the same in every bucket.
 */
import { type AnswerColumn, isAnswerColumn } from './answers.ts'
import type { AnswerTexts } from './answer-texts.ts'
import type { FlowBatch } from './batch.ts'
import type { BlockAnswers } from './block-answers.ts'
import { type ColumnName, columnFacts } from './columns.ts'
import { KINDS, type ColumnArray, type Kind } from './kinds.ts'
import { NativeOutput } from './native-output.ts'
import { TextColumnWriter } from './native-text.ts'
import { AnswerHashes } from './native-sums-answers.ts'
import { Groups } from './native-sums-groups.ts'
import { LANES, TextHashes, mix, mixColumns, mixTexts } from './native-sums-hash.ts'
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

/** Of a block whose batches are answered. */
interface Answered {
  answers: BlockAnswers
  texts: AnswerTexts
}

/** The same as it was made: `release` gives its memory back, once only. */
type MadeSums = SumsBlock & { release: () => void }

const MINUTE_MS = 60_000
const KEY_SET: ReadonlySet<string> = new Set(ROLLUP_KEYS)
type Key = (typeof ROLLUP_KEYS)[number]
const SUMS = ROLLUP_SUM_NAMES.length
/** What is other than zero where a record is of samples, or stands for others. */
const ESTIMATES: ReadonlySet<string> = new Set<ColumnName>(['samples', 'kept_one_in', 'bytes_variance', 'l2_bytes_variance']) // prettier-ignore
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
  private readonly ofAnswers = new AnswerHashes()
  private readonly groups = new Groups()
  /** Answer of each group. */
  private answerOf = new Uint32Array(0)

  /** With `shared` the bytes of blocks are memory that threads share. */
  constructor(shared = false) {
    this.shared = shared
  }

  /** Sums of the rows of `batches`; `columns` are those of them that are not zero everywhere, `answered` is of answered batches. */
  encode(
    batches: readonly FlowBatch[],
    columns: readonly ColumnName[],
    strings: StringTable,
    answered?: Answered,
  ): MadeSums {
    const keys = columns.filter((name): name is Key => KEY_SET.has(name))
    const estimated = columns.some((name) => ESTIMATES.has(name))
    const { groups } = this
    this.texts.learn(strings)
    this.reserve(Math.max(0, ...batches.map(({ rows }) => rows)))
    groups.clear()
    if (answered !== undefined) this.ofAnswers.learn(batches[0]!.answers, this.texts)
    let before = 0
    for (const batch of batches) {
      if (answered === undefined) this.hash(batch, keys)
      else this.hashAnswered(batch)
      groups.add(batch.columns, batch.rows, before, this.low, this.high, this.minutes, estimated)
      before += batch.rows
    }
    return this.write(batches, keys, strings, answered)
  }

  private reserve(rows: number): void {
    if (rows <= this.low.length) return
    this.low = new Uint32Array(rows)
    this.high = new Uint32Array(rows)
    this.minutes = new Uint32Array(rows)
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
    mixColumns(low, high, keys.map((name) => columns[name]), rows, 0) // prettier-ignore
  }

  /** The same of an answered batch: most of it is known of the answers. */
  private hashAnswered({ columns, answer, rows }: FlowBatch): void {
    const { low, high, minutes } = this
    const { lanes } = this.ofAnswers
    const { flow_end: time, ip_protocol, ip_version, export_protocol } = columns
    const [a, b] = LANES as unknown as readonly [number, number]
    let minute = -1
    let startMs = -1
    let minuteLow = 0
    let minuteHigh = 0
    for (let row = 0; row < rows; row++) {
      const ms = time[row * 2]! + time[row * 2 + 1]! * 0x1_0000_0000
      // Most records are of the minute of the one before: a division costs more than all else.
      if (!(ms >= startMs && ms < startMs + MINUTE_MS && minute >= 0)) {
        minute = Math.floor(ms / MINUTE_MS)
        startMs = minute * MINUTE_MS
        minuteLow = Math.imul(minute, MINUTE_LOW)
        minuteHigh = Math.imul(minute, MINUTE_HIGH)
      }
      const number = answer[row]! * 2
      const word = ip_protocol[row]! | (ip_version[row]! << 8) | (export_protocol[row]! << 16)
      minutes[row] = minute
      low[row] = (minuteLow + Math.imul(word, a) + lanes[number]!) | 0
      high[row] = (minuteHigh + Math.imul(word, b) + lanes[number + 1]!) | 0
    }
  }

  private write(
    batches: readonly FlowBatch[],
    keys: readonly Key[],
    strings: StringTable,
    answered: Answered | undefined,
  ): MadeSums {
    const { count: groups, times } = this.groups
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
    for (let group = 0; group < groups; group++) words[group] = times[group]! * 60
    column('bucket', "DateTime('UTC')", words)
    // Without the minute, which the bucket says: the minutes of an hour are merged by it.
    if (answered === undefined) {
      low.fill(0)
      high.fill(0)
    } else this.readAnswers(answered.answers, low, high)
    const placed: number[] = []
    for (const name of keys) {
      if (answered !== undefined && isAnswerColumn(name)) {
        this.writeAnswers(output, name, answered, strings, placed)
        continue
      }
      const [a, b] = LANES.subarray(ROLLUP_KEYS.indexOf(name) * 2) as unknown as readonly [number, number]
      const values = this.firstValues(batches, name)
      if (columnFacts(name).kind !== 'text') {
        mix(low, high, values, groups, a, b)
        column(name, columnType(name), values)
        continue
      }
      mixTexts(low, high, values, this.texts, a, b)
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

  /** The answer of each group, as the block numbers them, and into the lanes what it has of the group's hash. */
  private readAnswers({ ofRow, used }: BlockAnswers, low: Uint32Array, high: Uint32Array): void {
    const { count, first } = this.groups
    const { storedLow, storedHigh } = this.ofAnswers
    if (this.answerOf.length < count) this.answerOf = new Uint32Array(count * 2)
    const { answerOf } = this
    for (let group = 0; group < count; group++) {
      const answer = ofRow[first[group]!]!
      answerOf[group] = answer
      low[group] = storedLow[used[answer]!]!
      high[group] = storedHigh[used[answer]!]!
    }
  }

  private writeAnswers(
    output: NativeOutput,
    name: AnswerColumn,
    { answers, texts }: Answered,
    strings: StringTable,
    placed: (number | undefined)[],
  ): void {
    const { count } = this.groups
    output.string(name)
    output.string(columnType(name))
    if (count === 0) return
    if (columnFacts(name).kind === 'text') texts.write(output, name, answers, strings, this.answerOf, count, placed)
    else output.picked(answers.columns[name], this.answerOf, count)
  }

  /** The value that the first row of each group has; in memory that the next call writes again. */
  private firstValues(batches: readonly FlowBatch[], name: Key): ColumnArray<Kind> {
    const { count: groups, first } = this.groups
    const { words, halves, bytes } = this.written.of(groups)
    const { array } = KINDS[columnFacts(name).kind]
    const values: Values = array === Uint8Array ? bytes : array === Uint16Array ? halves : words
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
    const { sums, count: groups } = this.groups
    for (let at = sum; at < groups * SUMS; at += SUMS) if (sums[at] !== 0) return false
    return true
  }

  private floats(sum: number): Float64Array {
    const { sums, count: groups } = this.groups
    const { floats } = this.written.of(groups)
    for (let group = 0; group < groups; group++) floats[group] = sums[group * SUMS + sum]!
    return floats
  }

  /** Sums up to 2^53 are exact: eight petabytes a group and block. */
  private integers(sum: number): Uint32Array {
    const { sums, count: groups } = this.groups
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

function pickFrom(from: Values, rows: Uint32Array, start: number, group: number, end: number, to: Values): void {
  for (let i = group; i < end; i++) to[i] = from[rows[i]! - start]!
}
