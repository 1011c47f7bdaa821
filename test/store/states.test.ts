/**
 * Databases of earlier versions, as statements of their time (`states/NN.sql`, named for the schema version): each is filled with a few
 * rows and migrated.
 */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { ALIGNED_TABLES, MIGRATIONS } from '../../src/store/migrations/migrations.ts'
import { type Database, migrate, settleSync } from '../../src/store/migrations/migrate.ts'
import { parseAnswer } from '../../src/store/answers.ts'
import { parameterSettings } from '../../src/store/parameters.ts'
import { ROOT } from '../paths.ts'
import { failsWith } from './contract.ts'
import { type Engine, NO_ENGINE, openEngine } from './engine.ts'

const STATES = `${ROOT}test/store/states/`
/** From this version on the sums are there. */
const SUMS_SINCE = 4

describe('a database of an earlier version', { skip: NO_ENGINE }, () => {
  let engine: Engine
  before(async () => {
    engine = await openEngine()
  })
  after(() => engine.close())

  function database(name: string): Database & { statements: string[] } {
    const statements: string[] = []
    return {
      name,
      target: { database: name },
      statements,
      async run(sql) {
        statements.push(sql)
        await engine.run(sql)
      },
      async query(plan) {
        for (const setting of parameterSettings(plan)) await engine.run(`SET ${setting}`)
        return parseAnswer((await engine.session.queryAsync(plan.sql, { format: 'JSONCompact' })).text())
      },
    }
  }
  const tables = ALIGNED_TABLES.map(({ name }) => `'${name}'`).join(', ')
  const columns = (name: string) =>
    engine.rows(
      `SELECT table, name, type FROM system.columns WHERE database = '${name}' AND table IN (${tables}) ORDER BY table, name`,
    )

  for (const file of readdirSync(STATES).sort()) {
    const version = Number(file.slice(0, 2))
    it(`is brought up to date from ${version}, its rows whole, once and not again`, async () => {
      const name = `state_${version}`
      await engine.run(`CREATE DATABASE ${name}`)
      for (const sql of readFileSync(`${STATES}${file}`, 'utf8').split(/;\n+/))
        if (sql.trim() !== '') await engine.run(sql.replaceAll('{database}', name))
      await engine.run(
        `INSERT INTO ${name}.flows (sequence, bytes, src_server, role, counts_once, flow_end, time_received) SELECT number, ` +
          `100 + number, concat('vm-', toString(number)), 'sent', 1, now64(3), now64(3) FROM numbers(5)`,
      )
      if (version >= SUMS_SINCE)
        await engine.run(
          `INSERT INTO ${name}.flows_1m (bucket, group_hash, bytes, records) VALUES (toStartOfMinute(now()), 1, 510, 5)`,
        )
      const target = database(name)
      await migrate(target)
      assert.deepEqual(
        await engine.rows(`SELECT sequence, bytes, src_server, role, counts_once FROM ${name}.flows ORDER BY sequence`),
        Array.from({ length: 5 }, (_, i) => [i, String(100 + i), `vm-${i}`, 'sent', 1]),
      )
      for (const table of ['flows_1m', 'flows_1h', 'flows_1d'])
        assert.deepEqual(await engine.rows(`SELECT sum(bytes), sum(records) FROM ${name}.${table}`), [['510', '5']])
      assert.deepEqual(await engine.rows(`SELECT max(version) FROM ${name}.migrations`), [[MIGRATIONS.length]])
      target.statements.length = 0
      await migrate(target)
      assert.deepEqual(target.statements, [])
      await engine.run('CREATE DATABASE IF NOT EXISTS fresh')
      await migrate(database('fresh'))
      assert.deepEqual(await columns(name), await columns('fresh'))
      await engine.run(`DROP DATABASE ${name}`)
    })
  }

  it('is refused when a column was altered by hand, with its table and name', async () => {
    const target = database('altered')
    await engine.run('CREATE DATABASE altered')
    await migrate(target)
    await engine.run('ALTER TABLE altered.flows MODIFY COLUMN vlan String')
    await assert.rejects(
      migrate(target),
      failsWith('store_refused', /column vlan of table flows is String, and was made as UInt16/),
    )
    await engine.run('ALTER TABLE altered.flows MODIFY COLUMN vlan UInt16')
    await migrate(target)
  })

  it('keeps whether blocks are on the disk when they are acknowledged, and is changed only where that changes', async () => {
    const target = database('synced')
    await engine.run('CREATE DATABASE synced')
    await migrate(target)
    const [on, off] = [1, 0].map((n) => [`ALTER TABLE synced.flows MODIFY SETTING fsync_after_insert = ${n}, fsync_part_directory = ${n}`]) // prettier-ignore
    for (const [sync, wanted] of [
      [false, []],
      [true, on],
      [true, []],
      [false, off],
      [false, []],
    ] as const) {
      target.statements.length = 0
      await settleSync(target, sync)
      assert.deepEqual(target.statements, wanted)
    }
  })
})
