/** The answers of the rows of one block, numbered anew in the order in which rows have them, and so their columns. */
import { ANSWER_COLUMNS, type AnswerColumn, type AnswerColumns, columnsFor } from './answers.ts'
import type { FlowBatch } from './batch.ts'

export class BlockAnswers {
  /** How many different ones there are. */
  count = 0
  /** By that number. */
  columns: AnswerColumns = columnsFor(0)
  /** The number, of each row of the block. */
  ofRow = new Uint32Array(0)
  private room = 0
  /** By number in the batches' table: number here + `base`, below it when it is not met yet, so that nothing is cleared between blocks. */
  private marks = new Uint32Array(0)
  private base = 1
  /** By that number: the one that the batches know it by. */
  used = new Uint32Array(0)

  /** Reads the answered batches of a block of `rows` rows. */
  read(batches: readonly FlowBatch[], rows: number): void {
    const { answers } = batches[0]!
    this.reserve(answers.count, rows)
    const { marks, used, ofRow, base } = this
    let count = 0
    let at = 0
    for (const { answer, rows: n } of batches) {
      for (let row = 0; row < n; row++) {
        const number = answer[row]!
        let own = marks[number]! - base
        if (own < 0) {
          own = count++
          used[own] = number
          marks[number] = base + own
        }
        ofRow[at++] = own
      }
    }
    this.count = count
    if (count > this.room) {
      this.room = count * 2
      this.columns = columnsFor(this.room)
    }
    for (const name of ANSWER_COLUMNS) pick(answers.columns[name], used, count, this.columns[name])
  }

  isZero(name: AnswerColumn): boolean {
    const values = this.columns[name]
    for (let i = 0; i < this.count; i++) if (values[i] !== 0) return false
    return true
  }

  private reserve(answers: number, rows: number): void {
    this.base += this.count
    if (this.marks.length < answers || this.base > 0xffff_ffff - answers) {
      this.marks = new Uint32Array(answers * 2)
      this.base = 1
    }
    if (this.ofRow.length >= rows) return
    this.ofRow = new Uint32Array(rows)
    this.used = new Uint32Array(rows)
  }
}

type Values = Uint8Array | Uint16Array | Uint32Array

function pick(from: Values, numbers: Uint32Array, count: number, to: Values): void {
  for (let i = 0; i < count; i++) to[i] = from[numbers[i]!]!
}
