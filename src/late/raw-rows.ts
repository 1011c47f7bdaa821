/**
 * Rows as decoders gave them, before attribution: what is kept of a row that waits, in memory and in a file.
 *
 *   file   facts: one line of JSON | column after column, each value as it lies in a batch
 */
import { getU64, type FlowBatch } from '../schema/batch.ts'
import { COLUMN_NAMES, columnFacts, type ColumnName, type Columns } from '../schema/columns.ts'
import { KINDS } from '../schema/kinds.ts'

/** The first column of those that attribution alone writes. */
const FIRST_ATTRIBUTED: ColumnName = 'src_project_id'
/** Columns before it that attribution writes too. */
const ATTRIBUTED: ReadonlySet<ColumnName> = new Set(['exporter_host', 'bridge'])
const RAW = COLUMN_NAMES.slice(0, COLUMN_NAMES.indexOf(FIRST_ATTRIBUTED)).filter((name) => !ATTRIBUTED.has(name))
const SHAPES = RAW.map((name) => {
  const { kind } = columnFacts(name)
  return { name, kind, ...KINDS[kind] }
})
const VERSION = 2
const NEWLINE = 0x0a

type Values = Record<ColumnName, Columns[ColumnName]>

/** How well the ends of a row are known. */
export interface Standing {
  /** Which ends are not known: bits of UNSURE. */
  ends: number
  /** Ports of source and destination, as far as they were known: they stay, whatever is told later. '' where none was. */
  known: readonly [source: string, destination: string]
}

/** What is known of a row beside its columns. */
export interface Waiting extends Standing {
  /** late_id, below 2^53. */
  id: number
}

interface Facts {
  version: number
  columns: string[]
  waiting: Waiting[]
  strings: string[]
}

export class RawRows {
  readonly waiting: Waiting[] = []
  private readonly capacity: number
  private values: Values
  private strings: string[] = ['']
  private codes = new Map<string, number>([['', 0]])

  constructor(capacity: number) {
    this.capacity = capacity
    this.values = Object.fromEntries(
      SHAPES.map(({ name, array, lanes }) => [name, new array(capacity * lanes)]),
    ) as unknown as Values
  }

  get rows(): number {
    return this.waiting.length
  }

  get full(): boolean {
    return this.rows === this.capacity
  }

  /** Least and greatest `time_received`; 0 without rows. */
  get received(): { fromMs: number; toMs: number } {
    const column = this.values.time_received as Uint32Array
    const times = this.waiting.map((_, row) => getU64(column, row))
    return {
      fromMs: times.reduce((a, b) => Math.min(a, b), times[0] ?? 0),
      toMs: times.reduce((a, b) => Math.max(a, b), 0),
    }
  }

  /** Copies a row out of a batch. */
  add(from: FlowBatch, row: number, waiting: Waiting): void {
    const to = this.waiting.push(waiting) - 1
    for (const { name, kind, lanes } of SHAPES) {
      const source = from.columns[name]
      const target = this.values[name]
      if (kind === 'text') target[to] = this.intern(from.strings.values[source[row]!]!)
      else for (let lane = 0; lane < lanes; lane++) target[to * lanes + lane] = source[row * lanes + lane]!
    }
  }

  /** Copies a row of others. */
  addFrom(others: RawRows, row: number, waiting: Waiting): void {
    const to = this.waiting.push(waiting) - 1
    for (const { name, kind, lanes } of SHAPES) {
      const source = others.values[name]
      const target = this.values[name]
      if (kind === 'text') target[to] = this.intern(others.strings[source[row]!]!)
      else for (let lane = 0; lane < lanes; lane++) target[to * lanes + lane] = source[row * lanes + lane]!
    }
  }

  /** Empties it for reuse. */
  clear(): void {
    this.waiting.length = 0
    this.strings = ['']
    this.codes = new Map([['', 0]])
  }

  /** Appends a row to a batch, which must have room for it; every other column stays zero. */
  copyTo(batch: FlowBatch, row: number): void {
    const to = batch.rows++
    for (const { name, kind, lanes } of SHAPES) {
      const source = this.values[name]
      const target = batch.columns[name]
      if (kind === 'text') target[to] = batch.strings.intern(this.strings[source[row]!]!)
      else for (let lane = 0; lane < lanes; lane++) target[to * lanes + lane] = source[row * lanes + lane]!
    }
  }

  /** The same rows in as much memory as they need. */
  trimmed(): RawRows {
    const { rows } = this
    const small = new RawRows(0)
    small.values = Object.fromEntries(
      SHAPES.map(({ name, lanes }) => [name, this.values[name].slice(0, rows * lanes)]),
    ) as unknown as Values
    small.waiting.push(...this.waiting)
    small.strings.push(...this.strings.slice(1))
    return small
  }

  toBytes(): Buffer {
    const facts: Facts = { version: VERSION, columns: RAW, waiting: this.waiting, strings: this.strings }
    const columns = SHAPES.map(({ name, lanes }) => {
      const { buffer, byteOffset, BYTES_PER_ELEMENT } = this.values[name]
      return Buffer.from(buffer, byteOffset, this.rows * lanes * BYTES_PER_ELEMENT)
    })
    return Buffer.concat([Buffer.from(`${JSON.stringify(facts)}\n`), ...columns])
  }

  /** Rows of a file; undefined when it is cut, damaged, or of another version. */
  static fromBytes(bytes: Buffer): RawRows | undefined {
    const end = bytes.indexOf(NEWLINE)
    const facts = end < 0 ? undefined : factsOf(bytes.toString('utf8', 0, end))
    if (facts === undefined) return undefined
    const rows = facts.waiting.length
    const found = new RawRows(0)
    const values: Partial<Values> = {}
    let at = end + 1
    for (const { name, array, lanes } of SHAPES) {
      const length = rows * lanes * array.BYTES_PER_ELEMENT
      if (at + length > bytes.length) return undefined
      // A copy, since the columns of a file are not aligned.
      values[name] = new array(Uint8Array.from(bytes.subarray(at, at + length)).buffer)
      at += length
    }
    if (at !== bytes.length) return undefined
    found.values = values as Values
    found.waiting.push(...facts.waiting)
    found.strings.push(...facts.strings.slice(1))
    return found.sound() ? found : undefined
  }

  /** Whether every text is there. */
  private sound(): boolean {
    return SHAPES.every(
      ({ name, kind }) => kind !== 'text' || this.values[name].every((code) => code < this.strings.length),
    )
  }

  private intern(text: string): number {
    const known = this.codes.get(text)
    if (known !== undefined) return known
    this.codes.set(text, this.strings.push(text) - 1)
    return this.strings.length - 1
  }
}

function factsOf(line: string): Facts | undefined {
  try {
    const facts = JSON.parse(line) as Facts
    const same = facts.version === VERSION && String(facts.columns) === String(RAW)
    return same && Array.isArray(facts.waiting) && Array.isArray(facts.strings) ? facts : undefined
  } catch {
    // Cut or damaged: as none.
    return undefined
  }
}
