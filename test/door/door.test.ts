/** ClickHouse's HTTP interface as its official client and curl see it, and everything that tried to leave the cage. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { type ClickHouseClient, createClient } from '@clickhouse/client'
import { type Door, openDoor } from '../../src/door/server.ts'
import { identityDictionary } from '../../src/schema/identity-tables.ts'
import { ChdbStore } from '../../src/store/chdb.ts'
import { flowBlock } from '../store/blocks.ts'
import { NO_ENGINE } from '../store/engine.ts'
import { temporaryDirectory } from '../store/temporary.ts'
import { ESCAPES, QUESTIONS } from './attempts.ts'

describe('the door', { skip: NO_ENGINE }, () => {
  const temporary = temporaryDirectory()
  let store: ChdbStore
  let door: Door
  let client: ClickHouseClient
  before(async () => {
    writeFileSync(join(temporary.path, 'secret'), 'tell nobody')
    store = await ChdbStore.open({ directory: join(temporary.path, 'data') })
    await store.migrate()
    await store.insert(flowBlock(1_000))
    door = await openDoor(store, { host: '127.0.0.1', port: 0 })
    client = createClient({ url: door.url, database: 'ovsight' })
  })
  after(async () => {
    await client.close()
    await door.close()
    await store.close()
    temporary.remove()
  })
  const ask = (sql: string, more: Record<string, string> = {}) =>
    fetch(`${door.url}/?${new URLSearchParams({ query: sql, ...more }).toString()}`)

  it('answers the official client: ping, rows, parameters, streams', async () => {
    assert.equal((await client.ping()).success, true)
    const result = await client.query({
      query: 'SELECT sequence, src_server FROM flows WHERE sequence = {n:UInt32}',
      query_params: { n: 7 },
      format: 'JSONEachRow',
    })
    assert.deepEqual(await result.json(), [{ sequence: 7, src_server: 'vm-7' }])
    const stream = await client.query({
      query: 'SELECT sequence FROM flows ORDER BY sequence',
      format: 'JSONCompactEachRow',
    })
    let rows = 0
    for await (const part of stream.stream()) rows += (part as unknown[]).length
    assert.equal(rows, 1_000)
  })

  it('gives the client the errors of the engine with their code', async () => {
    await assert.rejects(
      client.query({ query: 'SELECT nothing FROM flows' }),
      (error: { code?: string }) => error.code === '47',
    )
  })

  it('takes questions in the body, packed and not, and packs its answers', async () => {
    const post = (body: Uint8Array | string, headers: Record<string, string> = {}) =>
      fetch(`${door.url}/?default_format=CSV`, { method: 'POST', body: Buffer.from(body), headers })
    assert.equal(await (await post('SELECT count() FROM flows')).text(), '1000\n')
    assert.equal(await (await post(gzipSync('SELECT 1;'), { 'Content-Encoding': 'gzip' })).text(), '1\n')
    const packed = await ask('SELECT 2', { enable_http_compression: '1' })
    assert.equal((await packed.text()).trim(), '2')
    assert.equal(gunzipSync(gzipSync('x')).toString(), 'x')
  })

  it('says what format it gave', async () => {
    const answer = await ask('SELECT count() AS n FROM flows FORMAT JSON')
    assert.equal(answer.headers.get('x-clickhouse-format'), 'JSON')
    assert.match(answer.headers.get('content-type')!, /application\/json/)
    assert.deepEqual(((await answer.json()) as { data: unknown }).data, [{ n: 1000 }])
  })

  it('gives Native, RowBinary and Parquet byte for byte', async () => {
    for (const [format, starts] of [
      ['Native', '\x01'],
      ['RowBinary', '\x07'],
      ['Parquet', 'PAR1'],
    ] as const) {
      const bytes = Buffer.from(await (await ask(`SELECT toUInt8(7) AS n FORMAT ${format}`)).arrayBuffer())
      assert.equal(bytes.subarray(0, starts.length).toString('latin1'), starts, format)
    }
  })

  for (const sql of QUESTIONS)
    it(`answers ${sql.slice(0, 70)}`, async () => {
      const answer = await ask(sql)
      assert.equal(answer.status, 200, await answer.text())
    })

  for (const sql of ESCAPES)
    it(`refuses ${JSON.stringify(sql).slice(0, 90)}`, async () => {
      const answer = await ask(sql.replaceAll('SECRET', join(temporary.path, 'secret')))
      const text = await answer.text()
      assert.ok(answer.status >= 400, `${answer.status} ${text}`)
      assert.doesNotMatch(text, /tell nobody/)
      assert.match(text, /^Code: \d+\. DB::Exception: .+\([A-Z_]+\)/s)
      assert.ok(Number(answer.headers.get('x-clickhouse-exception-code')) > 0)
    })

  it('lets the dictionary of names be asked, and no other', async () => {
    await store.run(identityDictionary({ database: 'ovsight' }))
    for (const name of ['identity_names', 'ovsight.identity_names'])
      assert.equal(await (await ask(`SELECT dictGet('${name}', 'name', 'x') || '!'`)).text(), '!\n')
  })

  it('tells of ovsight alone in the tables that describe the engine, whatever filters a query brings', async () => {
    const asked = async (sql: string) => (await (await ask(`${sql} FORMAT CSV`)).text()).trim()
    const ours = "SETTINGS additional_table_filters = {'flows': 'sequence < 3'}"
    assert.equal(await asked(`SELECT count() FROM flows ${ours}`), '3')
    for (const more of ['', ours, 'SETTINGS additional_table_filters = {}']) {
      assert.equal(await asked(`SELECT DISTINCT database FROM system.tables ${more}`), '"ovsight"')
      assert.equal(
        await asked(`SELECT DISTINCT database FROM (SELECT * FROM system.columns) AS a ${more}`),
        '"ovsight"',
      )
      assert.equal(await asked(`SELECT name FROM system.databases ${more}`), '"ovsight"')
      assert.equal(await asked(`SELECT DISTINCT table_schema FROM information_schema.tables ${more}`), '"ovsight"')
    }
    assert.match(await asked('SHOW TABLES'), /"flows_1h"/)
  })

  it('refuses settings that lift limits, other databases, and names as parameters', async () => {
    const settings: readonly Record<string, string>[] = [
      { max_memory_usage: '0' },
      { database: 'system' },
      { format_schema: '/x' },
      { 'param_a=1, readonly': '0' },
    ]
    for (const more of settings) assert.ok((await ask('SELECT 1', more)).status >= 400)
    assert.equal((await ask('SELECT * FROM {t:Identifier}', { param_t: 'system.users' })).status, 403)
  })

  it('writes nothing, whatever passes', async () => {
    await assert.rejects(store.answers.whole('CREATE TABLE x (a UInt8) ENGINE = Memory', 'Null'), /readonly/i)
    await assert.rejects(store.answers.whole('INSERT INTO migrations (version) VALUES (9)', 'Null'), /readonly/i)
    const { rows } = await store.query({ sql: 'SELECT count() AS n FROM flows', params: {} })
    assert.equal(rows[0]!['n'], 1_000)
  })
})
