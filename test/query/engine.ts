/** Flow records in the embedded store, for tests of what the SQL means. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addressBytes } from '../../src/query/address.ts'
import { FlowBatch, setTime, setU64 } from '../../src/schema/batch.ts'
import { columnFacts, type ColumnName } from '../../src/schema/columns.ts'
import { FLOWS } from '../../src/schema/ddl.ts'
import { enumValues } from '../../src/schema/enums.ts'
import { NativeEncoder } from '../../src/schema/native.ts'
import { openStore } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'

/** A record as a test writes it: only what matters, the rest is zero or empty. Times in milliseconds, MACs as numbers. */
export type Record_ = Partial<Record<ColumnName, string | number>>

/** A store of its own, with nothing in it. */
export class Engine {
  readonly store: Store
  private readonly directory: string

  private constructor(store: Store, directory: string) {
    this.store = store
    this.directory = directory
  }

  static async open(): Promise<Engine> {
    const directory = mkdtempSync(join(tmpdir(), 'ovsight-query-'))
    const store = await openStore({ data: directory })
    await store.migrate()
    return new Engine(store, directory)
  }

  async insert(records: readonly Record_[]): Promise<void> {
    const batch = new FlowBatch(records.length)
    for (const [row, record] of records.entries())
      for (const [column, value] of Object.entries(record)) setValue(batch, column as ColumnName, row, value)
    batch.rows = records.length
    const block = new NativeEncoder().encode([batch])
    await this.store.insert({ table: FLOWS, ...block, token: randomUUID() })
  }

  async close(): Promise<void> {
    await this.store.close()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

function setValue(batch: FlowBatch, column: ColumnName, row: number, value: string | number): void {
  const { kind, of } = columnFacts(column)
  const array = batch.columns[column]
  if (kind === 'ip') new Uint8Array(array.buffer, array.byteOffset + row * 16, 16).set(addressBytes(String(value))!)
  else if (kind === 'time') setTime(array as Uint32Array, row, Number(value))
  else if (kind === 'u64' || kind === 'mac') setU64(array as Uint32Array, row, Number(value))
  else if (kind === 'text') array[row] = batch.strings.intern(String(value))
  else array[row] = of === undefined ? Number(value) : (enumValues(of) as readonly string[]).indexOf(String(value))
}
