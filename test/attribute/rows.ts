/** One row in, as an exporter would give it; one row out, in words. */
import { Attributor, type AttributorOptions } from '../../src/attribute/attributor.ts'
import { parseIp, parseMac } from '../../src/identity/addresses.ts'
import type { IdentitySnapshot } from '../../src/identity/snapshot/snapshot.ts'
import { FlowBatch, getU64, setU64 } from '../../src/schema/batch.ts'
import { COLUMN_NAMES, columnFacts, type ColumnName } from '../../src/schema/columns.ts'
import { enumCodes, enumValues, type EnumName } from '../../src/schema/enums.ts'

/** Columns of a row by name: addresses and MACs as text, enums by the name of their value. */
export type Row = Partial<Record<ColumnName, string | number>>

/** Columns of one end, in words. */
export interface EndSeen {
  kind: string
  who: string
  project: string
  network: string
  host: string
  grade: string
  evidence: string
  candidates: number
}

export interface RowSeen {
  src: EndSeen
  dst: EndSeen
  role: string
  traffic_class: string
  /** The three flags, as `sent received once`. */
  counts: string
  column: (name: ColumnName) => string | number
}

/** A batch of the given rows. `bytes` follow from `l2_bytes` where they are not given. */
export function batchOf(...rows: Row[]): FlowBatch {
  const batch = new FlowBatch(Math.max(16, rows.length))
  for (const row of rows) {
    const i = batch.rows++
    const defaults: Row = { flow_end: 1_000_000, packets: 1, l2_bytes: 100, bytes: 86, agent: row.exporter ?? '::' }
    for (const [name, value] of Object.entries({ ...defaults, ...row })) put(batch, i, name as ColumnName, value)
  }
  return batch
}

/** Attributes rows, in one batch and in order, and tells what came out. */
export function attributed(snapshot: IdentitySnapshot, rows: Row[], options: AttributorOptions = {}): RowSeen[] {
  const batch = batchOf(...rows)
  new Attributor(options).attribute(batch, snapshot)
  return rows.map((_, i) => seen(batch, i))
}

export function attributedOne(snapshot: IdentitySnapshot, row: Row, options: AttributorOptions = {}): RowSeen {
  return attributed(snapshot, [row], options)[0]!
}

export function seen(batch: FlowBatch, row: number): RowSeen {
  const column = (name: ColumnName) => get(batch, row, name)
  const text = (name: ColumnName) => String(column(name))
  const end = (side: 'src' | 'dst'): EndSeen => ({
    kind: text(`${side}_kind`),
    who: text(`${side}_server`) || text(`${side}_port`),
    project: text(`${side}_project`),
    network: text(`${side}_network`),
    host: text(`${side}_host`),
    grade: text(`${side}_grade`),
    evidence: text(`${side}_evidence`),
    candidates: Number(column(`${side}_candidates`)),
  })
  return {
    src: end('src'),
    dst: end('dst'),
    role: text('role'),
    traffic_class: text('traffic_class'),
    counts: `${column('counts_sent')} ${column('counts_received')} ${column('counts_once')}`,
    column,
  }
}

/** All columns of a row, in words; what is zero or empty is left out. */
export function rowOf(batch: FlowBatch, row: number): Record<string, string | number> {
  const found: Record<string, string | number> = {}
  for (const name of COLUMN_NAMES) {
    const value = get(batch, row, name)
    if (value !== 0 && value !== '' && value !== '::') found[name] = value
  }
  return found
}

function put(batch: FlowBatch, row: number, name: ColumnName, value: string | number): void {
  const { kind, of } = columnFacts(name)
  const column = batch.columns[name]
  if (kind === 'ip') column.set(parseIp(String(value))!, row * 4)
  else if (kind === 'mac') {
    const { low, high } = parseMac(String(value))!
    column[row * 2] = low
    column[row * 2 + 1] = high
  } else if (kind === 'enum') column[row] = codeOf(of!, String(value))
  else if (kind === 'text') column[row] = batch.strings.intern(String(value))
  else if (kind === 'u64' || kind === 'time') setU64(column as Uint32Array, row, Number(value))
  else column[row] = Number(value)
}

function get(batch: FlowBatch, row: number, name: ColumnName): string | number {
  const { kind, of } = columnFacts(name)
  const column = batch.columns[name]
  if (kind === 'ip') return addressOf(column as Uint32Array, row)
  if (kind === 'enum') return enumValues(of!)[column[row]!]!
  if (kind === 'text') return batch.strings.values[column[row]!]!
  if (kind === 'u64' || kind === 'time' || kind === 'mac') return getU64(column as Uint32Array, row)
  return column[row]!
}

function codeOf(name: EnumName, value: string): number {
  const code = (enumCodes(name) as Readonly<Record<string, number>>)[value]
  if (code === undefined) throw new Error(`${name} has no ${value}`)
  return code
}

function addressOf(column: Uint32Array, row: number): string {
  const bytes = new Uint8Array(column.buffer, column.byteOffset + row * 16, 16)
  if (bytes[10] === 255 && bytes[11] === 255) return bytes.subarray(12).join('.')
  return bytes.some((byte) => byte !== 0) ? Buffer.from(bytes).toString('hex') : '::'
}
