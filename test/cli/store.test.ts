import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Engine } from '../query/engine.ts'
import { RECORDS, T0 } from '../query/records.ts'
import { NO_ENGINE, openEngine } from '../store/engine.ts'
import { run } from './run.ts'

describe('ovsight store', { skip: NO_ENGINE }, () => {
  let engine: Engine
  let data: string
  before(async () => {
    engine = await Engine.open()
    await engine.insert(RECORDS)
    data = mkdtempSync(join(tmpdir(), 'ovsight-'))
    mkdirSync(join(data, 'spool'))
    writeFileSync(join(data, 'spool', '000000000001.native'), 'x'.repeat(100))
    writeFileSync(join(data, 'spool', '000000000001.json'), '{}')
  })
  after(async () => {
    await engine.close()
    rmSync(data, { recursive: true })
  })
  const ask = (...words: string[]) => run(['store', ...words, '--data', data], { engine, now: T0 + 60_000 })

  it('status tells rows, bytes, parts and span of every table, and what waits in the spool', async () => {
    const { stdout, error } = await ask('status', '-f', 'json')
    assert.equal(error, undefined)
    const rows = JSON.parse(stdout) as Record<string, unknown>[]
    const flows = rows.find(({ table }) => table === 'flows')
    assert.equal(flows?.['rows'], RECORDS.length)
    assert.equal(flows['from'], new Date(T0).toISOString())
    assert.equal(flows['parts'], 1)
    assert.ok(Number(flows['bytes_per_row']) > 0)
    assert.ok(Number(flows['free_bytes']) > 1e6)
    assert.ok(rows.some(({ table }) => table === 'flows_1h'))
    assert.deepEqual(rows.at(-1), { table: '(spool)', rows: null, bytes: 102, bytes_per_row: null, parts: 1, from: '', to: '', free_bytes: null }) // prettier-ignore
  })

  it('status is a table for people, and CSV for programs', async () => {
    assert.match((await ask('status')).stdout, /^table +rows +bytes +bytes_per_row/)
    assert.match(
      (await ask('status', '-f', 'csv')).stdout,
      /^table,rows,bytes,bytes_per_row,parts,from,to,free_bytes\r\n/,
    )
  })

  it('status by column weighs some records where the parts are too small to tell, and says so', async () => {
    const { stdout, stderr } = await ask('status', '--by-column', '-f', 'json')
    const columns = JSON.parse(stdout) as { column: string; bytes: number }[]
    const tables = JSON.parse((await ask('status', '-f', 'json')).stdout) as { table: string; bytes: number }[]
    const all = tables.find(({ table }) => table === 'flows')!.bytes
    const sum = columns.reduce((total, { bytes }) => total + bytes, 0)
    assert.ok(columns.some(({ column }) => column === 'src_addr'))
    assert.ok(Math.abs(sum - all) < columns.length, `${sum} of ${all}`)
    assert.match(stderr, /parts are small.*estimated from/)
  })

  it('grants prints statements that the engine parses, with the names asked for', async () => {
    const { stdout } = await run(['store', 'grants', '--writer', 'w-1', '--clickhouse', 'http://x:y@h:8123/my_db'])
    assert.match(stdout, /GRANT SELECT, dictGet ON my_db\.\* TO ovsight_reader;/)
    assert.doesNotMatch(stdout, /ALL/)
    const oracle = await openEngine()
    const statements = stdout.trimEnd().split(';\n')
    assert.ok(statements.length > 8)
    for (const statement of statements) await oracle.run(`EXPLAIN AST ${statement.replace(/;$/, '')}`)
    oracle.close()
  })
})
