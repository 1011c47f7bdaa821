import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ClickHouseStore } from '../../src/store/clickhouse.ts'
import { parseServerUrls } from '../../src/store/server-url.ts'
import { COUNTS, flowBlock } from './blocks.ts'
import { type Front, openFront } from './clickhouse-front.ts'
import { failsWith, storeContract } from './contract.ts'
import { NO_ENGINE, type Engine, openEngine } from './engine.ts'

for (const compress of [false, true])
  storeContract(`a ClickHouse server${compress ? ', compressed' : ''}`, NO_ENGINE, async () => {
    const engine = await openEngine()
    const front = await openFront(engine.session, engine.directory)
    const store = new ClickHouseStore({ url: `${front.url}/contract`, compress, environment: {} })
    return {
      store,
      async close() {
        await store.close()
        await front.close()
        engine.close()
      },
    }
  })

describe('a ClickHouse server', { skip: NO_ENGINE }, () => {
  let engine: Engine
  let front: Front
  before(async () => {
    engine = await openEngine()
    front = await openFront(engine.session, engine.directory)
    front.user = 'ovs'
    front.password = 'p@ss:/w%rd'
  })
  after(async () => {
    await front.close()
    engine.close()
  })
  const url = (path: string) => `${front.url.replace('//', `//ovs:${encodeURIComponent(front.password)}@`)}${path}`
  const open = async (path: string) => {
    const store = new ClickHouseStore({ url: url(path), environment: {} })
    await store.migrate()
    return store
  }
  const isInsert = (query: string) => query.startsWith('INSERT') && query.includes('flows')
  const once = (fault: ReturnType<Front['fault']>) => {
    let done = false
    front.fault = (query) => (!done && isInsert(query) ? ((done = true), fault) : undefined)
  }

  it('makes the database it is given, of any name', async () => {
    await (await open("/it's%20odd")).close()
    const found = await engine.rows(
      "SELECT count() FROM system.tables WHERE database = 'it\\'s odd' AND name IN ('flows', 'migrations')",
    )
    assert.deepEqual(found, [['2']])
  })

  it('inserts from a file of the spool', async () => {
    const store = await open('/files')
    const { table, columns, rows, token, bytes } = flowBlock(40_000)
    const file = join(engine.directory, 'spooled.native')
    writeFileSync(file, bytes)
    const block = { table, columns, rows, token, file, bytesInFile: bytes.length }
    await store.insert(block)
    await store.insert(block)
    assert.ok(existsSync(file))
    assert.equal(readFileSync(file).length, bytes.length)
    assert.equal((await store.query({ sql: COUNTS, params: {} })).rows[0]?.['rows'], 40_000)
    await assert.rejects(store.insert({ ...block, file: `${file}.gone` }), failsWith('store_unreachable', /ENOENT/))
    await store.close()
  })

  it('stores a block once whatever happens to the connection', async () => {
    const store = await open('/faults')
    const block = flowBlock(20_000, 0, 'cut')
    for (const fault of ['cut-before', 'cut-after'] as const) {
      once(fault)
      await assert.rejects(store.insert(block), failsWith('store_unreachable', /does not answer/))
    }
    await store.insert(block)
    assert.deepEqual((await store.query({ sql: COUNTS, params: {} })).rows, [
      { rows: 20_000, different: 20_000, bytes: 2_000_000 },
    ])
    await store.close()
  })

  it('tells what may pass from what will not', async () => {
    const store = await open('/codes')
    const parts = 'Code: 252. DB::Exception: Too many parts (3000). (TOO_MANY_PARTS) (version 26.7.2.1)'
    once({ status: 500, code: 252, body: parts })
    await assert.rejects(
      store.insert(flowBlock(1)),
      failsWith('store_unreachable', /block of 1 rows: Too many parts \(3000\)\.$/),
    )
    once({ status: 502, body: '<html>Bad gateway</html>' })
    await assert.rejects(store.insert(flowBlock(1)), failsWith('store_unreachable', /Bad gateway/))
    once({ status: 500, code: 117, body: 'Code: 117. DB::Exception: Bad data. (INCORRECT_DATA)' })
    await assert.rejects(store.insert(flowBlock(1)), failsWith('store_refused', /Bad data/))
    await store.close()
  })

  it('says so when nobody answers, without the password', async () => {
    const store = new ClickHouseStore({ url: 'http://ovs:secret@127.0.0.1:1/x' })
    assert.equal(store.name, 'http://127.0.0.1:1/x')
    const attempts = [
      () => store.migrate(),
      () => store.insert(flowBlock(1)),
      () => store.query({ sql: 'SELECT 1', params: {} }),
    ]
    for (const attempt of attempts)
      await assert.rejects(attempt(), (error: Error) => {
        assert.doesNotMatch(`${error.message} ${error.stack}`, /secret/)
        return failsWith('store_unreachable', /127\.0\.0\.1:1\/x does not answer: .*ECONNREFUSED/)(error)
      })
    await store.close()
  })

  it('says so when the password is wrong', async () => {
    const store = new ClickHouseStore({ url: front.url, environment: { CLICKHOUSE_PASSWORD: 'wrong' } })
    await assert.rejects(store.migrate(), failsWith('store_refused', /Authentication failed/))
    await assert.rejects(store.insert(flowBlock(1)), failsWith('store_unreachable', /Authentication failed/))
    await store.close()
  })
})

describe('the URL of a server', () => {
  const environment = { CLICKHOUSE_USER: 'from-env', CLICKHOUSE_PASSWORD: 'env-pw' }

  it('holds user, password and database, or leaves them to the environment', () => {
    assert.deepEqual(parseServerUrls('https://u:p%40w@h:8443/my%20db', environment)[0], {
      url: 'https://h:8443/',
      username: 'u',
      password: 'p@w',
      database: 'my db',
      name: 'https://h:8443/my db',
    })
    assert.deepEqual(parseServerUrls('http://h:8123', environment)[0], {
      url: 'http://h:8123/',
      username: 'from-env',
      password: 'env-pw',
      database: 'ovsight',
      name: 'http://h:8123/ovsight',
    })
    assert.equal(parseServerUrls('http://h', {})[0]!.username, 'default')
  })

  it('is refused when it is none, and not repeated', () => {
    for (const text of ['', 'nonsense', 'localhost:8123', 'tcp://u:secret@h:9000', 'http://u:secret@:x'])
      assert.throws(
        () => parseServerUrls(text, {}),
        (error: Error) => !error.message.includes('secret') && failsWith('config_invalid', /http:/)(error),
      )
  })
})
