/** What the answers of attribution have of the hashes of sums, made once for each answer: its number stands for it in every block. */
import { ANSWER_COLUMNS, type AnswerColumn, type Answers } from './answers.ts'
import { columnFacts } from './columns.ts'
import type { ColumnArray, Kind } from './kinds.ts'
import { LANES, type TextHashes, longer, mix, mixColumns, mixTexts } from './native-sums-hash.ts'
import { ROLLUP_KEYS } from './rollups.ts'

type Key = AnswerColumn & (typeof ROLLUP_KEYS)[number]
const ANSWERED: ReadonlySet<string> = new Set(ANSWER_COLUMNS)
const KEYS = ROLLUP_KEYS.filter((name): name is Key => ANSWERED.has(name))
/** Other constants than those of what is hashed row by row. */
const LANE = 8

export class AnswerHashes {
  /** By number, low and high in turn: of the values, by which records of one group are found. */
  lanes = new Uint32Array(0)
  /** By number: of the texts themselves, as they are stored. */
  storedLow = new Uint32Array(0)
  storedHigh = new Uint32Array(0)
  private answers: Answers | undefined
  private cleared = 0
  private known = 0

  /** Hashes the answers that are new since the last time. `texts` has learned all strings. */
  learn(answers: Answers, texts: TextHashes): void {
    if (answers !== this.answers || answers.cleared !== this.cleared) {
      this.answers = answers
      this.cleared = answers.cleared
      this.known = 0
    }
    const { known } = this
    const { count, columns } = answers
    if (known === count) return
    if (this.storedLow.length < count) {
      this.lanes = longer(this.lanes, count * 4)
      this.storedLow = longer(this.storedLow, count * 2)
      this.storedHigh = longer(this.storedHigh, count * 2)
    }
    const low = this.storedLow.subarray(known, count)
    const high = this.storedHigh.subarray(known, count)
    const values: ColumnArray<Kind>[] = KEYS.map((name) => columns[name].subarray(known, count))
    low.fill(0)
    high.fill(0)
    mixColumns(low, high, values, count - known, LANE)
    for (let i = 0; i < low.length; i++) {
      this.lanes[(known + i) * 2] = low[i]!
      this.lanes[(known + i) * 2 + 1] = high[i]!
    }
    low.fill(0)
    high.fill(0)
    for (const [i, name] of KEYS.entries()) {
      const lane = ROLLUP_KEYS.indexOf(name) * 2
      if (columnFacts(name).kind === 'text') mixTexts(low, high, values[i]!, texts, LANES[lane]!, LANES[lane + 1]!)
      else mix(low, high, values[i]!, low.length, LANES[lane]!, LANES[lane + 1]!)
    }
    this.known = count
  }
}
