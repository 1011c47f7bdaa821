/** Blocks of flow records for tests of the store. */
import { randomUUID } from 'node:crypto'
import { FlowBatch, setTime, setU64 } from '../../src/schema/batch.ts'
import { FLOWS } from '../../src/schema/ddl.ts'
import { NativeEncoder } from '../../src/schema/native.ts'
import type { Block } from '../../src/store/store.ts'

export const T0 = Date.UTC(2025, 10, 23, 12)

/** `rows` rows whose `sequence` counts from `first`, `bytes` = 100 a row. */
export function flowBlock(rows: number, first = 0, token: string = randomUUID()): Block {
  return numberedBlock(rows, first, 0, token)
}

/** The same, rows with a `late_id` that counts from `firstId` unless that is 0. */
export function numberedBlock(rows: number, first: number, firstId: number, token: string = randomUUID()): Block {
  const batch = new FlowBatch(rows)
  const { flow_end, time_received, sequence, bytes, src_server, late_id } = batch.columns
  for (let row = 0; row < rows; row++) {
    setTime(flow_end, row, T0 + row)
    setTime(time_received, row, T0 + row)
    sequence[row] = first + row
    setU64(bytes, row, 100)
    if (firstId !== 0) setU64(late_id, row, firstId + row)
    src_server[row] = batch.strings.intern(`vm-${row % 10}`)
  }
  batch.rows = rows
  const { columns, bytes: native, sums: summed } = new NativeEncoder().encode([batch])
  return { table: FLOWS, columns, rows, bytes: native, sums: summed, token }
}

/** A block that no engine reads: the type of a column is not the table's. */
export function poisonedBlock(token: string = randomUUID()): Block {
  const block = flowBlock(3, 0, token)
  const bytes = Buffer.from(block.bytes)
  bytes.write('DateTime99', bytes.indexOf('DateTime64'))
  return { ...block, bytes }
}

export const COUNTS = 'SELECT count() AS rows, uniqExact(sequence) AS different, sum(bytes) AS bytes FROM flows'
