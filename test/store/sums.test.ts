/** The tables of sums hold what the records hold, whatever happens to the records. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createTable, FLOWS, FLOWS_TABLE, type TableSpec } from '../../src/schema/ddl.ts'
import { type NativeBlock, NativeEncoder } from '../../src/schema/native.ts'
import { FlowBatch, setTime, setU64 } from '../../src/schema/batch.ts'
import { ROLLUP_KEYS, ROLLUP_SUMS, ROLLUP_NAMES, ROLLUP_SUM_NAMES, type RollupName } from '../../src/schema/rollups.ts'
import { ChdbStore } from '../../src/store/chdb.ts'
import { Spool } from '../../src/store/spool.ts'
import { flowBlock, numberedBlock, T0 } from './blocks.ts'
import { NO_ENGINE } from './engine.ts'
import { temporaryDirectory } from './temporary.ts'

const HOUR = 3_600_000

/** Rows whose every key and sum varies, over three hours; the same rows for a seed. */
function variedBlock(rows: number, seed: number): NativeBlock {
  const batch = new FlowBatch(rows)
  const { columns: c, strings } = batch
  let state = seed
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  for (let row = 0; row < rows; row++) {
    setTime(c.flow_end, row, T0 + random(3 * HOUR))
    setTime(c.time_received, row, T0 + HOUR)
    // Two hundred sorts of records, each key alone different between some of them.
    const sort = random(200)
    for (const [i, name] of ROLLUP_KEYS.entries()) {
      const column = c[name]
      const value = sort % (i + 2) === 0 ? 1 : 0
      if (column instanceof Uint32Array) column[row] = strings.intern(value === 0 ? '' : `${name}-${sort % 3}`)
      else column[row] = value
    }
    setU64(c.packets, row, random(1000))
    setU64(c.bytes, row, random(2 ** 32) * 2 ** 12)
    setU64(c.l2_bytes, row, random(1e9))
    c.sampling_rate[row] = 1 + random(100)
    c.samples[row] = random(3)
    c.bytes_variance[row] = random(1000)
    c.l2_bytes_variance[row] = random(1000)
  }
  batch.rows = rows
  return new NativeEncoder().encode([batch])
}

describe('the tables of sums', { skip: NO_ENGINE }, () => {
  const temporary = temporaryDirectory()
  let store: ChdbStore
  before(async () => {
    store = await ChdbStore.open({ directory: join(temporary.path, 'sums') })
    await store.migrate()
  })
  after(async () => {
    await store.close()
    temporary.remove()
  })

  const ask = async (sql: string) => (await store.query({ sql, params: {} })).rows
  /** Keys whose sums differ between a rollup and the records, summed by the engine itself. */
  const differing = (name: RollupName, keys: readonly string[]) => {
    const bucket = { flows_1m: 'toStartOfMinute', flows_1h: 'toStartOfHour', flows_1d: 'toStartOfDay' }[name]
    const raw = ROLLUP_SUM_NAMES.map((sum) => `toFloat64(sum(${ROLLUP_SUMS[sum].of('f.')})) AS s_${sum}`)
    const rolled = ROLLUP_SUM_NAMES.map((sum) => `-toFloat64(sum(r.${sum})) AS s_${sum}`)
    const differs = ROLLUP_SUM_NAMES.map((sum) => `abs(sum(s_${sum})) > 1e-3`)
    const key = keys.map((one) => `toString(${one}) AS key_${one}`)
    return ask(`SELECT b, ${keys.map((one) => `key_${one}`).join(', ')} FROM (
        SELECT ${bucket}(f.flow_end) AS b, ${key.join(', ')}, ${raw.join(', ')} FROM flows AS f GROUP BY ALL
        UNION ALL SELECT bucket AS b, ${key.join(', ')}, ${rolled.join(', ')} FROM ${name} AS r GROUP BY ALL)
      GROUP BY ALL HAVING ${differs.join(' OR ')} LIMIT 3`)
  }
  const agree = async (keys: readonly string[] = ROLLUP_KEYS) => {
    assert.deepEqual(await differing('flows_1m', keys), [])
    assert.deepEqual(await differing('flows_1h', keys), [])
    assert.deepEqual(await differing('flows_1d', keys), [])
  }

  it('agree with the records by every key, also when a block comes again', async () => {
    for (let seed = 1; seed <= 3; seed++) {
      const block = { table: FLOWS, ...variedBlock(5_000, seed), token: `varied-${seed}` }
      await store.insert(block)
      await store.insert(block)
    }
    assert.equal((await ask('SELECT count() AS n FROM flows'))[0]!['n'], 15_000)
    await agree()
    const [few] = await ask('SELECT count() < 15000 AS few FROM flows_1h')
    assert.equal(few!['few'], 1)
  })

  it('agree after merges, which leave one row of a group in each minute and hour', async () => {
    for (const name of ROLLUP_NAMES) {
      await store.run(`OPTIMIZE TABLE ovsight.${name} FINAL`)
      const [row] = await ask(
        `SELECT count() AS n, uniqExact(bucket, ${ROLLUP_KEYS.join(', ')}) AS groups FROM ${name}`,
      )
      assert.equal(row!['n'], row!['groups'], name)
    }
    await agree()
  })

  it('agree when rows take the place of others, however often that is begun again', async () => {
    await store.insert(numberedBlock(100, 0, 1, 'waiting'))
    const [before_] = await ask('SELECT sum(records) AS n FROM flows_1h')
    const block = {
      ...flowBlock(40, 1_000, 'resolved'),
      replaces: { ids: Array.from({ length: 40 }, (_, i) => i + 1), fromMs: T0, toMs: T0 + 1_000 },
    }
    await store.insert(block)
    await store.insert(block)
    await agree()
    const [after_] = await ask('SELECT sum(records) AS n FROM flows_1h')
    assert.equal(after_!['n'], before_!['n'])
  })

  it('agree when the sums had been taken out and the process ended before the rows were', async () => {
    await store.insert(numberedBlock(50, 5_000, 5_001, 'waiting-2'))
    const replaces = { ids: Array.from({ length: 50 }, (_, i) => i + 5_001), fromMs: T0, toMs: T0 + 1_000 }
    const block = { ...flowBlock(50, 6_000, 'resolved-2'), replaces }
    // The first step alone, as the store does it.
    const { replaceStatements } = await import('../../src/store/replace.ts')
    const [takeOut] = replaceStatements(block, { database: 'ovsight' })
    const records = async () => Number((await ask('SELECT sum(records) AS n FROM flows_1m'))[0]!['n'])
    const whole = await records()
    // An insert has no answer to parse.
    await ask(takeOut!).catch(() => {})
    assert.equal(await records(), whole - 50)
    await store.insert(block)
    await agree()
  })
})

describe('records of an earlier database', { skip: NO_ENGINE }, () => {
  const temporary = temporaryDirectory()
  after(() => temporary.remove())

  it('are summed when it is migrated', async () => {
    const { openEngine } = await import('./engine.ts')
    const engine = await openEngine()
    const old: TableSpec = { ...FLOWS_TABLE, columns: FLOWS_TABLE.columns.filter(({ name }) => name !== 'late_id') }
    await engine.run('CREATE DATABASE old')
    await engine.run(createTable(old, { database: 'old' })[0]!)
    await engine.run(
      `INSERT INTO old.flows (bytes, role, counts_once, flow_end) VALUES (7, 'sent', 1, now()), (8, 'sent', 1, now())`,
    )
    const { migrate } = await import('../../src/store/migrations/migrate.ts')
    const { parseAnswer } = await import('../../src/store/answers.ts')
    const { parameterSettings } = await import('../../src/store/parameters.ts')
    const database = {
      name: 'old',
      target: { database: 'old' },
      run: (sql: string) => engine.run(sql),
      query: async (plan: Parameters<typeof parameterSettings>[0]) => {
        for (const setting of parameterSettings(plan)) await engine.run(`SET ${setting}`)
        return parseAnswer((await engine.session.queryAsync(plan.sql, { format: 'JSONCompact' })).text())
      },
    }
    await migrate(database)
    for (const table of ROLLUP_NAMES)
      assert.deepEqual(await engine.rows(`SELECT sum(bytes), sum(records) FROM old.${table}`), [['15', '2']])
    engine.close()
  })
})

describe('sums in the spool', () => {
  const temporary = temporaryDirectory()
  after(() => temporary.remove())

  it('are there with their block, and gone with it', async () => {
    const directory = join(temporary.path, 'spool')
    const options = { directory, maxBytes: 1e9, sync: false }
    const spool = await Spool.open(options)
    const block = flowBlock(10)
    const { sums } = await spool.write(block)
    assert.equal(sums?.rows, block.sums?.rows)
    assert.equal(spool.bytes, block.bytes.length + block.sums!.bytes.length)
    const again = await Spool.open(options)
    const [found] = again.waiting
    assert.equal(await again.state(found!), 'sound')
    assert.deepEqual(found!.sums?.columns, block.sums!.columns)
    await again.remove(found!)
    assert.deepEqual(readdirSync(directory), [])
  })
})
