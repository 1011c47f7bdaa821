/**
 * Text columns of a block's answers: the dictionary and the index of each answer, made once and written twice, for the records and for
 * their sums. Both have every answer, and in the same order.
 *
 * Ids and names of one thing have the same indexes, so that most columns are of the `shape` of another one: what was picked for that
 * is copied, which costs a tenth of picking.
 */
import type { AnswerColumn } from './answers.ts'
import type { BlockAnswers } from './block-answers.ts'
import { NativeOutput } from './native-output.ts'
import { type Indexes, TextColumnWriter } from './native-text.ts'
import type { StringTable } from './strings.ts'

interface AnswerText {
  /** Where in the memory of dictionaries it is. */
  start: number
  end: number
  keys: number
  shape: number
}

export class AnswerTexts {
  private readonly made = new Map<AnswerColumn, AnswerText>()
  private readonly dictionaries = new NativeOutput(1 << 12)
  private readonly writer = new TextColumnWriter()
  /** Indexes by number of the answer; `shapes` are of this block, those behind them are memory of earlier ones. */
  private readonly indexes: Indexes[] = []
  private shapes = 0

  /** Another block. */
  begin(): void {
    this.made.clear()
    this.dictionaries.reset()
    this.shapes = 0
  }

  /**
   * Writes a column of `rows` rows whose answers are `numbers`. `placed` is where in this block of `output` the rows' indexes of a shape are;
   * the caller begins with none.
   */
  write(
    output: NativeOutput,
    name: AnswerColumn,
    answers: BlockAnswers,
    strings: StringTable,
    numbers: Uint32Array,
    rows: number,
    placed: (number | undefined)[],
  ): void {
    const { start, end, keys, shape } = this.of(name, answers, strings)
    output.bytes(this.dictionaries.written().subarray(start, end))
    output.u64(rows)
    if (keys === 1) return output.fill(0, rows)
    const indexes = this.indexes[shape]!
    const at = placed[shape]
    if (at !== undefined) return output.again(at, rows * indexes.BYTES_PER_ELEMENT)
    placed[shape] = output.length
    output.picked(indexes, numbers, rows)
  }

  private of(name: AnswerColumn, { columns, count }: BlockAnswers, strings: StringTable): AnswerText {
    const known = this.made.get(name)
    if (known !== undefined) return known
    const { writer, dictionaries } = this
    writer.begin(strings, count)
    // A text column holds codes, kinds.ts.
    writer.append(columns[name] as Uint32Array, count)
    const start = dictionaries.length
    writer.writeKeys(dictionaries, strings)
    const text = { start, end: dictionaries.length, keys: writer.keys, shape: this.shapeOf(writer.written) }
    this.made.set(name, text)
    return text
  }

  private shapeOf(indexes: Indexes): number {
    for (let shape = 0; shape < this.shapes; shape++) if (isSame(this.indexes[shape]!, indexes)) return shape
    const old = this.indexes[this.shapes]
    const room = old !== undefined && old.buffer.byteLength >= indexes.byteLength ? old.buffer : new ArrayBuffer(indexes.byteLength * 2) // prettier-ignore
    const kept = new (indexes.constructor as new (buffer: ArrayBufferLike, at: number, length: number) => Indexes)(room, 0, indexes.length) // prettier-ignore
    kept.set(indexes)
    this.indexes[this.shapes] = kept
    return this.shapes++
  }
}

function isSame(a: Indexes, b: Indexes): boolean {
  return a.BYTES_PER_ELEMENT === b.BYTES_PER_ELEMENT && Buffer.compare(bytesOf(a), bytesOf(b)) === 0
}

function bytesOf(indexes: Indexes): Uint8Array {
  return new Uint8Array(indexes.buffer, indexes.byteOffset, indexes.byteLength)
}
