/** How fast rows become blocks, how fast the embedded store takes them, and what they weigh there. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FlowBatch } from '../src/schema/batch.ts'
import { FLOWS } from '../src/schema/ddl.ts'
import { type NativeBlock, NativeEncoder } from '../src/schema/native.ts'
import { ChdbStore } from '../src/store/chdb.ts'
import { openStore, openWriter } from '../src/store/open.ts'
import type { Store } from '../src/store/store.ts'
import type { Writer } from '../src/store/writer.ts'
import { cpuSeconds, measure, type Bench, type Figure } from './figure.ts'
import { VariedRows, captureRows } from './store-rows.ts'

const BLOCK_ROWS = 65_536
const BLOCKS = 8

/** `rows`: how many are stored, half a million unless said. */
export const benchStore: Bench = async ({ rows: stored = BLOCKS * BLOCK_ROWS }) => {
  const captures = [await captureRows('ipfix'), await captureRows('netflow5'), await captureRows('sflow5')]
  const rows = [1, 2].map((seed) => new VariedRows(captures, BLOCK_ROWS, seed))
  rows[0]!.fill()
  return [...encoding(rows[0]!.batches), ...(await storing(rows, Math.ceil(stored / BLOCK_ROWS)))]
}

function encoding(batches: readonly FlowBatch[]): Figure[] {
  const encoder = new NativeEncoder()
  const rows = batches.reduce((sum, batch) => sum + batch.rows, 0)
  const { columns, bytes } = encoder.encode(batches)
  const speed = measure(rows, () => encoder.encode(batches).release())
  const note = `${columns.length} columns, ${(bytes.length / rows).toFixed(0)} bytes a row`
  return [{ name: 'rows to a Native block', value: speed / 1e6, unit: 'M rows/s', target: 1, note }]
}

async function storing(rows: readonly VariedRows[], blocks: number): Promise<Figure[]> {
  const data = mkdtempSync(join(tmpdir(), 'ovsight-bench-'))
  const store = await openStore({ data })
  try {
    await store.migrate()
    const { writer, close } = await openWriter(store, { data })
    const pid = store instanceof ChdbStore ? store.enginePid : undefined
    const figures = await inserting(writer, rows, blocks, pid)
    await close()
    return [...figures, ...(await weighing(store))]
  } finally {
    await store.close()
    rmSync(data, { recursive: true, force: true })
  }
}

/** Encoding, spool and insert, without the time to make the rows: a block is encoded while the one before goes in. */
async function inserting(
  writer: Writer,
  varied: readonly VariedRows[],
  blocks: number,
  pid: number | undefined,
): Promise<Figure[]> {
  const encoder = new NativeEncoder()
  let rows = 0
  let seconds = 0
  const engineBefore = cpuSeconds(pid)
  for (let block = 0; block < blocks; block += varied.length) {
    for (const one of varied) rows += one.fill()
    const start = performance.now()
    for (const { batches } of varied) {
      const encoded = encoder.encode(batches)
      await writer.enqueue(blockOf(encoded))
    }
    await writer.flush()
    seconds += (performance.now() - start) / 1000
  }
  const engine = cpuSeconds(pid) - engineBefore
  assert.equal(writer.counters.insertedRows, rows)
  return [
    {
      name: 'encode, spool and insert into the embedded store',
      value: rows / seconds / 1e3,
      unit: 'k rows/s',
      target: 400,
      note: `${blocks} blocks of ${BLOCK_ROWS}`,
    },
    { name: 'engine, for a million rows, first merges included', value: (engine / rows) * 1e6, unit: 'CPU s' },
  ]
}

async function weighing(store: Store): Promise<Figure[]> {
  const sql = `SELECT sum(bytes_on_disk) / sum(rows) AS bytes FROM system.parts WHERE active AND table = '${FLOWS}'`
  const weigh = async () => Number((await store.query({ sql, params: {} })).rows[0]?.['bytes'])
  const before = await weigh()
  await store.query({ sql: `OPTIMIZE TABLE ${FLOWS} FINAL`, params: {} }).catch(() => {})
  const after = await weigh()
  return [
    { name: 'on disk, as inserted', value: before, unit: 'bytes a row' },
    { name: 'on disk, merged', value: after, unit: 'bytes a row', target: 35, atMost: true },
  ]
}

function blockOf({ columns, rows, bytes, release }: NativeBlock) {
  return { table: FLOWS, columns, rows, bytes, release, token: randomUUID() }
}
