/**
 * A file of flow records into a store: nfdump's CSV and ovsight's own exports. Lines become rows of a batch, batches become blocks with their
 * sums, as those of a collector. What cannot be read is counted and told, and never stops the rest.
 */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../errors.ts'
import { FlowBatch } from '../schema/batch.ts'
import { COLUMN_NAMES, type ColumnName } from '../schema/columns.ts'
import { FLOWS } from '../schema/ddl.ts'
import { NativeEncoder } from '../schema/native.ts'
import type { Store } from '../store/store.ts'
import { Damage, fillValue } from './fill.ts'
import { type Line, csvFields, linesOf } from './lines.ts'
import { NFDUMP_END, fillNfdump, isNfdump, nfdumpUnknown } from './nfdump.ts'
import type { Zone } from './zone.ts'

/** What is in a file, by its first line. */
export type ImportFormat = 'nfdump' | 'csv' | 'jsonl' | 'parquet'

export interface ImportOptions {
  zone: Zone
  /** Finds out whose the records of nfdump are; those of ovsight's exports are as they were. */
  attribute: (batch: FlowBatch) => void
  /** Part of the tokens: the same file with the same salt is stored once. */
  salt?: string
  /** Told when a block is stored. */
  onBlock?: (imported: Imported) => void
}

export interface Imported {
  format: ImportFormat
  /** Records read; each is stored, or was. */
  rows: number
  damaged: number
  /** The first of them, a sentence each. */
  faults: string[]
  /** Names in the head that are no columns. */
  unknown: string[]
  /** SHA-256 of the lines. */
  digest: string
}

const BATCH_ROWS = 65_792
const MAX_FAULTS = 20
const MAX_UNKNOWN = 20
const TRIES = 6
const PAUSE_MS = 500
const COLUMNS: ReadonlySet<string> = new Set(COLUMN_NAMES)

/** Writes a line from `row` on, and returns how many rows that are: two of a line of nfdump with both directions. */
type Fill = (batch: FlowBatch, row: number, text: string) => number
const MOST_ROWS = 2

/** Errors: file_unreadable (no records in it that are known), those of `Store.insert`. */
export async function importLines(
  store: Pick<Store, 'insert'>,
  file: string,
  parts: AsyncIterable<Buffer>,
  jsonl: boolean,
  options: ImportOptions,
): Promise<Imported> {
  const imported: Imported = { format: 'jsonl', rows: 0, damaged: 0, faults: [], unknown: [], digest: '' }
  const hash = createHash('sha256')
  const encoder = new NativeEncoder()
  let blocks = 0
  let batch = new FlowBatch(BATCH_ROWS)
  let fill: Fill | undefined = jsonl ? jsonFill(imported) : undefined
  const seal = async (): Promise<void> => {
    if (batch.rows === 0) return
    if (imported.format === 'nfdump') options.attribute(batch)
    const { rows } = batch
    const token = `import-${options.salt ?? ''}${hash.copy().digest('hex').slice(0, 40)}-${blocks++}-${rows}`
    const { release, ...block } = encoder.encode([batch])
    await insertPatiently(store, { table: FLOWS, ...block, token })
    release()
    batch = new FlowBatch(BATCH_ROWS)
    options.onBlock?.(imported)
  }
  for await (const line of linesOf(parts, !jsonl)) {
    hash.update(`${line.text ?? ''}\n`)
    if (line.text === '') continue
    if (fill === undefined) {
      const head = headOf(file, line, imported)
      if (head === undefined) break
      fill = imported.format === 'nfdump' ? nfdumpFill(head, options.zone) : csvFill(head)
      continue
    }
    if (imported.format === 'nfdump' && NFDUMP_END.test(line.text ?? '')) break
    if (!takeLine(batch, line, fill, imported)) continue
    if (batch.free < (imported.format === 'nfdump' ? MOST_ROWS : 1)) await seal()
  }
  await seal()
  return { ...imported, digest: hash.digest('hex') }
}

/** False when the line was damaged. */
function takeLine(batch: FlowBatch, { text, number }: Line, fill: Fill, imported: Imported): boolean {
  try {
    if (text === undefined) throw new Damage('a line that does not end, or is too long')
    const rows = fill(batch, batch.rows, text)
    batch.rows += rows
    imported.rows += rows
    return true
  } catch (error) {
    if (!(error instanceof Damage)) throw error
    // What it had written already; rows past the last are zero.
    batch.truncate(batch.rows, Math.min(batch.capacity, batch.rows + MOST_ROWS))
    imported.damaged++
    if (imported.faults.length < MAX_FAULTS) imported.faults.push(`line ${number}: ${error.message}`)
    return false
  }
}

/** Undefined when nfdump had no records. Errors: file_unreadable. */
function headOf(file: string, { text }: Line, imported: Imported): string[] | undefined {
  const head = csvFields((text ?? '').replace(/^\ufeff/, ''))?.map((name) => name.trim()) ?? []
  if (NFDUMP_END.test(text ?? '')) {
    imported.format = 'nfdump'
    return undefined
  }
  if (isNfdump(head)) {
    imported.format = 'nfdump'
    imported.unknown = nfdumpUnknown(head).slice(0, MAX_UNKNOWN)
    return head
  }
  if (!head.includes('flow_end'))
    throw new AppError(
      'file_unreadable',
      `${file} is none of what ovsight imports: its first line is no head of nfdump -o csv, and has no flow_end as ovsight's exports do`,
    )
  imported.format = 'csv'
  imported.unknown = head.filter((name) => !COLUMNS.has(name) && name !== 'id').slice(0, MAX_UNKNOWN)
  return head
}

function nfdumpFill(head: readonly string[], zone: Zone): Fill {
  return (batch, row, text) => fillNfdump(batch, row, head, fieldsOf(text, head.length), zone)
}

function csvFill(head: readonly string[]): Fill {
  const columns = head.map((name) => columnOf(name))
  return (batch, row, text) => {
    const fields = fieldsOf(text, head.length)
    for (const [i, column] of columns.entries()) if (column !== undefined) fillValue(batch, row, column, fields[i])
    checkRow(batch, row)
    return 1
  }
}

function fieldsOf(text: string, count: number): string[] {
  const fields = csvFields(text)
  if (fields === undefined) throw new Damage('quotes are not in order')
  if (fields.length !== count) throw new Damage(`${fields.length} fields in place of ${count}`)
  return fields
}

function jsonFill(imported: Imported): Fill {
  const unknown = new Set<string>()
  return (batch, row, text) => {
    for (const [name, value] of Object.entries(objectOf(text))) {
      const column = columnOf(name)
      if (column !== undefined) fillValue(batch, row, column, value)
      else if (name !== 'id' && !COLUMNS.has(name) && unknown.size < MAX_UNKNOWN) {
        unknown.add(name.slice(0, 60))
        imported.unknown = [...unknown]
      }
    }
    checkRow(batch, row)
    return 1
  }
}

function objectOf(text: string): object {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Damage('no JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Damage('no JSON object')
  return value
}

/** The number of a row that waits is of the store it was written in. */
function columnOf(name: string): ColumnName | undefined {
  return COLUMNS.has(name) && name !== 'late_id' ? (name as ColumnName) : undefined
}

function checkRow({ columns: { flow_end: end } }: FlowBatch, row: number): void {
  if (end[row * 2] === 0 && end[row * 2 + 1] === 0) throw new Damage('no flow_end')
}

/** What may pass is tried again; the token keeps it from being stored twice. */
async function insertPatiently(store: Pick<Store, 'insert'>, block: Parameters<Store['insert']>[0]): Promise<void> {
  for (let attempt = 1; ; attempt++)
    try {
      return await store.insert(block)
    } catch (error) {
      if (!(error instanceof AppError) || !error.retriable || attempt === TRIES) throw error
      await sleep(PAUSE_MS * 2 ** attempt)
    }
}
