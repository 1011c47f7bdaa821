/**
 * What attribution says of records, each different answer once. A row of an answered batch holds the number of its answer; the columns
 * are written out where they are needed: when the block is encoded (block-answers.ts), or by `FlowBatch.expand`.
 *
 * Traffic repeats, so a block has far fewer answers than rows: one number a row is stored instead of 35 values, and each step of
 * encoding and summing looks at an answer once.
 */
import { COLUMN_NAMES, type ColumnName, type Columns, columnFacts } from './columns.ts'
import { KINDS } from './kinds.ts'

/** What is said of an end. */
const END_COLUMNS = [
  'project_id',
  'project',
  'network_id',
  'network',
  'server_id',
  'server',
  'port_id',
  'port',
  'host',
  'router_id',
  'kind',
  'grade',
  'evidence',
  'candidates',
] as const
const ROW_COLUMNS = ['exporter_host', 'bridge', 'role', 'traffic_class', 'counts_sent', 'counts_received', 'counts_once'] as const // prettier-ignore

/** Columns that attribution alone writes. */
export type AnswerColumn = (typeof ROW_COLUMNS)[number] | `${'src' | 'dst'}_${(typeof END_COLUMNS)[number]}`

const NAMES: ReadonlySet<string> = new Set<AnswerColumn>([
  ...ROW_COLUMNS,
  ...END_COLUMNS.flatMap((column) => [`src_${column}`, `dst_${column}`] as const),
])
export const ANSWER_COLUMNS = COLUMN_NAMES.filter(isAnswerColumn)

export function isAnswerColumn(name: ColumnName): name is AnswerColumn {
  return NAMES.has(name)
}

export type AnswerColumns = Pick<Columns, AnswerColumn>

const FIRST_ROOM = 1 << 10
/** More room than this is given back: 32 MB. Fresh memory costs a page fault every 4 kB. */
const KEPT_ROOM = 1 << 18

export class Answers {
  /** By number; number 0 is the answer that is zero in every column. All of one element a value. */
  columns: AnswerColumns = columnsFor(FIRST_ROOM)
  /** How many there are, number 0 among them. */
  count = 1
  /** How often all were given up, so that whoever keeps numbers notices. */
  cleared = 0
  private room = FIRST_ROOM

  /** Number of a new answer; whoever asks for it fills every column. */
  add(): number {
    if (this.count === this.room) {
      this.room *= 2
      const grown = columnsFor(this.room)
      for (const name of ANSWER_COLUMNS) grown[name].set(this.columns[name])
      this.columns = grown
    }
    return this.count++
  }

  /** Gives all up, but for their memory. No batch may hold their numbers any more. */
  clear(): void {
    this.cleared++
    this.count = 1
    if (this.room <= KEPT_ROOM) return
    this.room = FIRST_ROOM
    this.columns = columnsFor(FIRST_ROOM)
  }
}

/** Zeros for `room` answers. */
export function columnsFor(room: number): AnswerColumns {
  return Object.fromEntries(
    ANSWER_COLUMNS.map((name) => [name, new KINDS[columnFacts(name).kind].array(room)]),
  ) as unknown as AnswerColumns
}
