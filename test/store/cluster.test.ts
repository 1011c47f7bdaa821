/** A cluster: tables, grants, where blocks go, and what happens when servers fail and come back. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { askStore, askTop } from '../../src/query/ask.ts'
import { isWhole, storedIn } from '../../src/schema/cluster.ts'
import { identityDictionary } from '../../src/schema/identity-tables.ts'
import { daysFromHours } from '../../src/schema/rollups.ts'
import { ClickHouseStore } from '../../src/store/clickhouse.ts'
import { grantStatements } from '../../src/store/grants.ts'
import { ALIGNED_TABLES, MIGRATIONS_TABLE, everything } from '../../src/store/migrations/migrations.ts'
import { openWriter } from '../../src/store/open.ts'
import { keepFor, oldestPartition } from '../../src/store/retention.ts'
import { flowBlock, numberedBlock, T0 } from './blocks.ts'
import { openFront } from './clickhouse-front.ts'
import { CLUSTER, type ClusterFront, asOneServer, openCluster, serverConfig } from './cluster-front.ts'
import { failsWith, storeContract } from './contract.ts'
import { type Engine, NO_ENGINE, openEngine } from './engine.ts'
import { temporaryDirectory } from './temporary.ts'

const TARGET = { database: 'ovsight', cluster: CLUSTER }
const TABLES = [MIGRATIONS_TABLE, ...ALIGNED_TABLES]
const DDL = everything(TARGET)

storeContract('a cluster of one shard', NO_ENGINE, async () => {
  const engine = await openEngine(serverConfig(1, 1))
  const front = await openFront(engine.session, engine.directory)
  front.rewrite = (query) => asOneServer(query).sql
  const store = new ClickHouseStore({ url: `${front.url}/contract`, clickhouse_cluster: CLUSTER, environment: {} })
  return {
    store,
    async close() {
      await store.close()
      await front.close()
      engine.close()
    },
  }
})

describe('the tables of a cluster', { skip: NO_ENGINE }, () => {
  // In a process of its own that is killed: an engine with replicas that find no others does not end by itself.
  let server: ClusterFront
  before(async () => {
    server = await openCluster(1)
  })
  after(() => server.close())
  const rows = async (sql: string) => (await server.rows(sql))[0]!

  it('are statements that the engine parses, grants as well', async () => {
    const grants = grantStatements({ ...TARGET, writer: 'ovs-writer', reader: 'ovs reader' })
    for (const sql of [...DDL, identityDictionary(TARGET), ...grants]) {
      assert.match(sql, / ON CLUSTER 'main'/)
      // EXPLAIN takes no GRANT and the like; those are run, and refused for what they are.
      if (/^(GRANT|CREATE (USER|DATABASE))/.test(sql))
        await assert.rejects(server.run(sql), /ACCESS_DENIED|UNKNOWN_ROLE|Replicated DDL queries are disabled/, sql)
      else await server.run(`EXPLAIN AST ${sql}`)
    }
  })

  it('are made: replicated tables by shard, Distributed ones over them, whole ones for what is looked up', async () => {
    for (const sql of DDL) await server.run(sql.replace(` ON CLUSTER '${CLUSTER}'`, ''))
    const made = new Map(
      (await rows(`SELECT name, engine, engine_full FROM system.tables WHERE database = 'ovsight'`)).map(
        ([name, kind, full]) => [String(name), [String(kind), String(full)]],
      ),
    )
    for (const { name, engine: kind } of TABLES) {
      const replicated = `Replicated${(kind ?? 'MergeTree').replace(/\(.*/, '')}`
      assert.equal(made.get(storedIn(TARGET, name))?.[0], replicated, name)
      if (!isWhole(name)) assert.equal(made.get(name)?.[0], 'Distributed', name)
    }
    assert.match(made.get('flows_local')![1]!, /replicated_deduplication_window = 100000/)
    const paths = await rows(
      `SELECT table, zookeeper_path, replica_name FROM system.replicas WHERE table IN ('flows_local', 'migrations') ORDER BY table`,
    )
    assert.deepEqual(paths, [
      ['flows_local', '/clickhouse/tables/main/1/ovsight/flows_local', 'r1'],
      ['migrations', '/clickhouse/tables/main/all/ovsight/migrations', '1-r1'],
    ])
  })

  it('hold on every server what later rows take the place of: no shard knows of another', () => {
    for (const { name, engine: kind = '' } of TABLES) if (kind.startsWith('Replacing')) assert.ok(isWhole(name), name)
  })
})

describe('a cluster of two shards with two replicas each', { skip: NO_ENGINE }, () => {
  const temporary = temporaryDirectory()
  let cluster: ClusterFront
  let store: ClickHouseStore
  before(async () => {
    cluster = await openCluster(2)
    const urls = cluster.urls.flat().map((url) => `${url}/sharded`)
    store = new ClickHouseStore({ url: urls.join(','), clickhouse_cluster: CLUSTER, environment: {} })
    await store.migrate()
  })
  after(async () => {
    await store.close()
    await cluster.close()
    temporary.remove()
  })
  const sums = async (sql: string) => (await cluster.rows(sql)).map(([row]) => row!.map(Number))

  const shardInserts = ([first]: number[][]) => first!.reduce((sum, n) => sum + n, 0)

  it('has its tables on both', async () => {
    const found = await sums(`SELECT count() FROM system.tables WHERE database = 'sharded' AND name LIKE '%\\_local'`)
    assert.ok(found[0]![0]! >= 6)
    assert.deepEqual(found[0], found[1])
  })

  it('stores what is sent exactly once over all shards, while servers and a whole shard go and come back', async () => {
    const { writer, close } = await openWriter(store, { data: join(temporary.path, 'spool'), parallel: 2 })
    const ROWS = 50
    let sent = 0
    const send = async (blocks: number) => {
      for (let block = 0; block < blocks; block++, sent += ROWS)
        await writer.enqueue(flowBlock(ROWS, sent, `b-${sent}`))
      // Some of them are on their way when the next fault comes.
      await writer.flush(150)
    }
    await send(8)
    await cluster.set(0, 0, false)
    await send(8)
    await cluster.set(1, 1, false)
    await send(4)
    assert.equal(await writer.flush(60_000), true, 'a replica of each shard is enough')
    await cluster.set(0, 1, false)
    await send(8)
    assert.equal(await writer.flush(300), false, 'the blocks of a shard that is gone wait')
    const inserted = shardInserts(await cluster.inserts())
    for (const [shard, replica] of [[0, 0], [0, 1], [1, 1]] as const) await cluster.set(shard, replica, true) // prettier-ignore
    await send(8)
    assert.equal(await writer.flush(60_000), true)
    const raw = await sums('SELECT count(), uniqExact(sequence), sum(bytes) FROM sharded.flows_local')
    for (const [rows, different] of raw) assert.equal(rows, different)
    assert.ok(
      raw.every(([rows]) => rows! > 0),
      'each shard has some',
    )
    assert.equal(raw[0]![0]! + raw[1]![0]!, sent)
    for (const table of ['flows_1m_local', 'flows_1h_local', 'flows_1d_local'])
      assert.deepEqual(
        await sums(`SELECT sum(records), sum(bytes) FROM sharded.${table}`),
        raw.map(([rows, , bytes]) => [rows, bytes]),
        table,
      )
    assert.ok(shardInserts(await cluster.inserts()) > inserted, 'a shard that is back is used again')
    await close()
  })

  it('gives a block the shard it was placed on, and stores it once whichever replica is asked', async () => {
    const block = { ...flowBlock(10, 900_000, 'placed'), shard: 2 }
    await store.insert(block)
    await cluster.set(1, 0, false)
    await store.insert(block)
    await cluster.set(1, 0, true)
    const found = await sums('SELECT countIf(sequence >= 900000) FROM sharded.flows_local')
    assert.deepEqual(found, [[0], [10]])
  })

  it('takes rows out on whichever shard they are', async () => {
    const ids = Array.from({ length: 20 }, (_, i) => 500 + i)
    await store.insert({ ...numberedBlock(10, 950_000, 500), shard: 1 })
    await store.insert({ ...numberedBlock(10, 950_010, 510), shard: 2 })
    const records = async () =>
      (await sums('SELECT sum(records) FROM sharded.flows_1h_local')).reduce((all, [n]) => all + n!, 0)
    const earlier = await records()
    const better = { ...flowBlock(20, 960_000, 'better'), replaces: { ids, fromMs: T0, toMs: T0 + 1_000 } }
    await store.insert(better)
    await store.insert(better)
    assert.equal(await records(), earlier)
    const held = await sums('SELECT countIf(late_id >= 500), countIf(sequence >= 960000) FROM sharded.flows_local')
    assert.deepEqual(
      held.reduce(([a, b], [c, d]) => [a! + c!, b! + d!]),
      [0, 20],
    )
  })

  it('makes the tables of a server that came later', async () => {
    const [url] = cluster.urls[1]!
    const alone = new ClickHouseStore({ url: `${url}/sharded`, environment: {} })
    await alone.run('DROP DATABASE sharded')
    await alone.close()
    await store.migrate()
    assert.deepEqual((await sums('SELECT count() FROM sharded.flows_local'))[1], [0])
  })

  it('keeps rows as long as it is told on all servers, and tells the oldest day of all together', async () => {
    await keepFor(store, { flows: 86_400_000, flows_1m: 0, flows_1h: 0 })
    const made = await cluster.rows(
      `SELECT create_table_query LIKE '%TTL time_stored + toIntervalSecond(86400000)%' FROM system.tables WHERE database = 'sharded' AND name = 'flows_local'`,
    )
    assert.deepEqual(made, [[[1]], [[1]]])
    await store.insert({ ...flowBlock(5, 970_000), shard: 2 })
    assert.equal(await oldestPartition(store), undefined)
  })
})

describe('a question to a cluster', { skip: NO_ENGINE }, () => {
  let engine: Engine
  let store: ClickHouseStore
  let close: () => Promise<void>
  before(async () => {
    engine = await openEngine(serverConfig(1, 1))
    const front = await openFront(engine.session, engine.directory)
    front.rewrite = (query) => asOneServer(query).sql
    store = new ClickHouseStore({ url: `${front.url}/asked`, clickhouse_cluster: CLUSTER, environment: {} })
    await store.migrate()
    await store.insert(flowBlock(1_000))
    close = async () => {
      await store.close()
      await front.close()
      engine.close()
    }
  })
  after(() => close())

  it('is answered through the Distributed tables', async () => {
    const span = { from: String(T0 / 1000 - 3_600), to: String(T0 / 1000 + 86_400) }
    const { rows } = await askTop(store, { dimensions: ['exporter'], count: 'all', with: 'totals', ...span }, T0)
    assert.deepEqual(rows.map((row) => [row['row'], row['bytes']]), [['group', 100_000], ['other', 0], ['total', 100_000]]) // prettier-ignore
    const sql =
      'SELECT count() AS n FROM flows WHERE sequence IN (SELECT sequence FROM flows WHERE src_server = {name:String})'
    assert.deepEqual((await store.query({ sql, params: { name: 'vm-3' } })).rows, [{ n: 100 }])
  })

  it('finds the days filled from the hours through the Distributed tables, once however often that is run', async () => {
    const days = async (table: string) =>
      (await store.query({ sql: `SELECT sum(records) AS records, sum(bytes) AS bytes FROM ${table}`, params: {} })).rows
    const whole = await days('flows_1h')
    assert.deepEqual(whole, [{ records: 1_000, bytes: 100_000 }])
    await store.run('TRUNCATE TABLE asked.flows_1d_local')
    assert.deepEqual(await days('flows_1d'), [{ records: 0, bytes: 0 }])
    for (const _ of [1, 2]) {
      await store.run(daysFromHours({ database: 'asked', cluster: CLUSTER }))
      assert.deepEqual([await days('flows_1d'), await days('flows_1d_local')], [whole, whole])
    }
  })

  it('on what is stored counts every table once, by the name it is asked by', async () => {
    const { rows } = await askStore(store, {})
    const names = rows.map(({ table }) => table)
    assert.deepEqual([...new Set(names)], names)
    assert.equal(rows.find(({ table }) => table === 'flows')?.['rows'], 1_000)
    assert.ok(!names.some((name) => String(name).endsWith('_local')))
  })

  it('is refused where the servers do not know the cluster, with those they know', async () => {
    const other = new ClickHouseStore({ url: store['first'].url, clickhouse_cluster: 'mian', environment: {} })
    await assert.rejects(other.migrate(), failsWith('store_refused', /do(es)? not know a cluster mian; it knows main/))
    await other.close()
  })
})
