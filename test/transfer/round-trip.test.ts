/** Records into files and out of them again: equal to the row, and in the sums. */
import assert from 'node:assert/strict'
import { createReadStream, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { CliContext } from '../../src/cli/context.ts'
import { runProgram } from '../../src/cli/program.ts'
import { AppError } from '../../src/errors.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { columnFacts, COLUMN_NAMES } from '../../src/schema/columns.ts'
import { enumValues } from '../../src/schema/enums.ts'
import { KINDS } from '../../src/schema/kinds.ts'
import { NativeEncoder } from '../../src/schema/native.ts'
import { ROLLUP_SUM_NAMES } from '../../src/schema/rollups.ts'
import { ChdbStore } from '../../src/store/chdb.ts'
import type { Store } from '../../src/store/store.ts'
import { EXPORT_COLUMNS } from '../../src/transfer/export.ts'
import { footerRows } from '../../src/transfer/parquet.ts'
import { NO_ENGINE } from '../store/engine.ts'
import { temporaryDirectory } from '../store/temporary.ts'

const ROWS = 700
const T0 = Date.UTC(2026, 0, 31, 8)
const NAMES = ['', 'web-1', 'a "quoted", name', 'two\nlines\r\nand more', 'ünïcode 漢字 🜁', "it's \\ back", ' spaces ', '{"json":1}', 'NULL', '\\N', '-1.5e3'] // prettier-ignore

/** Every kind of value in every column: zeros, the largest, what needs quotes. */
function oddBatch(): FlowBatch {
  const batch = new FlowBatch(ROWS)
  let seed = 1
  const next = (most: number) => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) % most
  for (let row = 0; row < ROWS; row++)
    for (const name of COLUMN_NAMES) {
      const { kind, of } = columnFacts(name)
      const column = batch.columns[name]
      const { lanes } = KINDS[kind]
      if (name === 'late_id') continue
      if (kind === 'time') setMs(column, row, next(5) === 0 && name !== 'flow_end' ? 0 : T0 + next(100_000_000))
      else if (kind === 'text') column[row] = batch.strings.intern(NAMES[next(NAMES.length)]!)
      else if (kind === 'enum') column[row] = next(enumValues(of!).length)
      else if (kind === 'f64') column[row] = next(3) === 0 ? 0 : next(1e6) * 1.1e7 + next(1000) / 7
      else if (kind === 'u8') column[row] = next(256)
      else if (kind === 'u16') column[row] = [0, 0xffff, next(65_536)][next(3)]!
      else if (kind === 'u32') column[row] = [0, 0xffff_ffff, next(2 ** 32)][next(3)]!
      else if (kind === 'mac') column.set(next(3) === 0 ? [0, 0] : [next(2 ** 32), next(65_536)], row * lanes)
      else if (kind === 'ip') column.set(addressOf(next), row * lanes)
      // Eight thousand of the largest would not fit into a sum.
      else column.set([next(2 ** 32), next(16) === 0 ? 0x3ff : 0], row * lanes)
    }
  batch.rows = ROWS
  return batch
}

function addressOf(next: (most: number) => number): number[] {
  return [[0, 0, 0, 0], [0, 0, 0xffff_0000, next(2 ** 32)], [0x0db80120, 0, next(9), next(2 ** 32)], [0, 0, 0, 0x0100_0000]][next(4)]! // prettier-ignore
}

function setMs(column: { [index: number]: number }, row: number, ms: number): void {
  column[row * 2] = ms >>> 0
  column[row * 2 + 1] = Math.floor(ms / 2 ** 32)
}

describe('export and import', { skip: NO_ENGINE }, () => {
  const temporary = temporaryDirectory()
  let from: ChdbStore
  let to: ChdbStore
  before(async () => {
    from = await ChdbStore.open({ directory: join(temporary.path, 'from') })
    to = await ChdbStore.open({ directory: join(temporary.path, 'to') })
    await Promise.all([from.migrate(), to.migrate()])
    const { release, ...block } = new NativeEncoder().encode([oddBatch()])
    await from.insert({ table: 'flows', ...block, token: 'odd' })
    release()
  })
  after(async () => {
    await Promise.all([from.close(), to.close()])
    temporary.remove()
  })
  const path = (name: string) => join(temporary.path, name)

  /** `ovsight …` on a store that stays open. */
  async function run(store: Store, ...words: string[]): Promise<{ said: string; error?: AppError }> {
    let said = ''
    const context: CliContext = {
      stdout: { write: (text) => (said += text) },
      stderr: { write: (text) => (said += text) },
      env: {},
      now: () => T0 + 200_000_000,
      openStore: () => Promise.resolve(open(store)),
    }
    const data = path('nothing')
    writeFileSync(join(temporary.path, 'nothing'), '')
    try {
      await runProgram(context, '1', [...words, '--data', data])
      return { said }
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      return { said, error }
    }
  }
  function open(store: Store): Store {
    return {
      name: store.name,
      database: store.database,
      migrate: () => Promise.resolve(),
      run: (sql) => store.run(sql),
      insert: (block) => store.insert(block),
      query: (plan) => store.query(plan),
      stream: (plan, format, settings) => store.stream(plan, format, settings),
      close: () => Promise.resolve(),
    }
  }
  /** What is stored, as hashes: the records but for `late_id`, and both tables of sums by group. */
  async function contents(store: Store): Promise<unknown> {
    const one = async (sql: string) => (await store.query({ sql, params: {} })).rows[0]
    const sums = ROLLUP_SUM_NAMES.map((name) => `sum(${name})`).join(', ')
    const grouped = (table: string) =>
      one(
        `SELECT count() AS n, groupBitXor(cityHash64(*)) AS h FROM (SELECT bucket, group_hash, ${sums} FROM ${table} GROUP BY bucket, group_hash)`,
      )
    return [
      await one(`SELECT count() AS n, groupBitXor(cityHash64(${EXPORT_COLUMNS.join(', ')})) AS h FROM flows`),
      await grouped('flows_1m'),
      await grouped('flows_1h'),
      await grouped('flows_1d'),
    ]
  }
  const empty = async () => {
    for (const table of ['flows', 'flows_1m', 'flows_1h', 'flows_1d', 'imports'])
      await to.run(`TRUNCATE TABLE ovsight.${table}`)
  }

  for (const format of ['parquet', 'csv', 'jsonl'])
    it(`gives every record and every sum back, through ${format}`, async () => {
      await empty()
      const file = path(`all.${format}`)
      const written = await run(from, 'export', '-f', format, '-o', file)
      assert.match(written.said, new RegExp(`^${ROWS} records, .* in ${file}\n$`), written.error?.message)
      assert.equal(existsSync(`${file}.part`), false)
      const read = await run(to, 'import', file)
      assert.equal(read.error, undefined, `${read.error?.message} ${read.error?.details[0]}`)
      assert.match(read.said, new RegExp(`: ${ROWS} records stored \\(${format}\\)`))
      assert.deepEqual(await contents(to), await contents(from))
      const again = await run(to, 'import', file)
      assert.equal(again.error?.code, 'already_imported')
      assert.match(again.error?.message ?? '', new RegExp(`all\\.${format}, ${ROWS} records, on 2026-`))
      assert.deepEqual(await contents(to), await contents(from))
    })

  it('doubles nothing where an import was cut before it was noted', async () => {
    await empty()
    await run(to, 'import', path('all.csv'))
    await to.run('TRUNCATE TABLE ovsight.imports')
    await run(to, 'import', path('all.csv'))
    assert.deepEqual(await contents(to), await contents(from))
    const again = await run(to, 'import', '--again', path('all.csv'))
    assert.equal(again.error, undefined)
    assert.equal((await to.query({ sql: 'SELECT count() AS n FROM flows', params: {} })).rows[0]!['n'], 2 * ROWS)
  })

  it('keeps to span and filter, and replaces no file without being told', async () => {
    const file = path('some.csv')
    const some = await run(from, 'export', '-f', 'csv', '-o', file, '--filter', 'tcp', '--from', '2026-01-31T08:00:00Z', '--to', '2026-01-31T20:00:00Z') // prettier-ignore
    assert.equal(some.error, undefined, some.error?.message)
    const { rows } = await from.query({
      sql: "SELECT count() AS n FROM flows WHERE ip_protocol = 6 AND flow_end >= '2026-01-31 08:00:00' AND flow_end < '2026-01-31 20:00:00'",
      params: {},
    })
    assert.match(some.said, new RegExp(`^${Number(rows[0]!['n'])} records`))
    assert.equal((await run(from, 'export', '-f', 'csv', '-o', file)).error?.code, 'file_exists')
    assert.equal((await run(from, 'export', '-f', 'csv', '-o', file, '--force')).error, undefined)
    assert.equal((await run(from, 'export', '-f', 'xls', '-o', file)).error?.code, 'usage')
    assert.equal((await run(from, 'export', '-f', 'csv', '-o', path('no/such/folder'))).error?.code, 'file_unreadable')
  })

  it('counts and lists damaged lines and unknown columns, and stores the rest', async () => {
    await empty()
    const lines = readFileSync(path('all.jsonl'), 'utf8').trim().split('\n').slice(0, 50)
    lines[3] = lines[3]!.slice(0, 40)
    lines[7] = lines[7]!.replace(/"ip_protocol":\d+/, '"ip_protocol":256')
    lines[9] = lines[9]!.replace(/"src_addr":"[^"]*"/, '"src_addr":"999.1.1.1"')
    lines[11] = 'x'.repeat(2_000_000)
    lines[13] = lines[13]!.replace(/^\{/, '{"colour":"red",')
    const file = path('damaged.jsonl')
    writeFileSync(file, `${lines.join('\n')}\n`)
    const { said, error } = await run(to, 'import', file)
    assert.equal(error?.code, 'lines_damaged')
    assert.match(error.message, /4 lines could not be read, 46 records are stored/)
    assert.deepEqual(
      error.details.map((line) => /^line \d+/.exec(line)?.[0]),
      ['line 4', 'line 8', 'line 10', 'line 12'],
    )
    assert.match(said, /passed over, no such column: colour/)
    writeFileSync(path('other.txt'), 'hello\nworld\n')
    assert.equal((await run(to, 'import', path('other.txt'))).error?.code, 'file_unreadable')
    assert.equal((await run(to, 'import', path('none.csv'))).error?.code, 'file_unreadable')
    writeFileSync(path('cut.parquet'), readFileSync(path('all.parquet')).subarray(0, 5_000))
    assert.equal((await run(to, 'import', path('cut.parquet'))).error?.code, 'file_unreadable')
  })

  it('reads how many rows a Parquet file has, and no number where it is cut', async () => {
    const parts: Buffer[] = []
    for await (const part of createReadStream(path('all.parquet'))) parts.push(part as Buffer)
    const file = Buffer.concat(parts)
    assert.equal(footerRows(file), ROWS)
    for (let end = file.length - 1; end > file.length - 3_000; end -= 7) footerRows(file.subarray(0, end))
    assert.equal(footerRows(file.subarray(0, -1)), undefined)
  })
})
