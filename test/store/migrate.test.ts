import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { COLUMN_NAMES } from '../../src/schema/columns.ts'
import { FLOWS_TABLE, type TableSpec, createTable } from '../../src/schema/ddl.ts'
import { columnType } from '../../src/schema/types.ts'
import { alignTable } from '../../src/store/migrations/align.ts'
import { type Database, migrate } from '../../src/store/migrations/migrate.ts'
import { MIGRATIONS, type Migration } from '../../src/store/migrations/migrations.ts'
import { ChdbStore } from '../../src/store/chdb.ts'
import { parseAnswer } from '../../src/store/answers.ts'
import { parameterSettings } from '../../src/store/parameters.ts'
import { COUNTS, flowBlock } from './blocks.ts'
import { failsWith } from './contract.ts'
import { type Engine, NO_ENGINE, openEngine } from './engine.ts'
import { temporaryDirectory } from './temporary.ts'

/** Columns of the table of records: those of blocks, and what the store adds. */
const IN_TABLE = FLOWS_TABLE.columns.map(({ name }) => name)

describe('the list of migrations', () => {
  it('is numbered from 1 without gaps', () => {
    assert.deepEqual(
      MIGRATIONS.map(({ version }) => version),
      MIGRATIONS.map((_, i) => i + 1),
    )
  })
})

describe('migrating', { skip: NO_ENGINE }, () => {
  let engine: Engine
  before(async () => {
    engine = await openEngine()
  })
  after(() => engine.close())

  /** A database of the engine that notes the statements it is given. */
  async function database(name: string): Promise<Database & { statements: string[] }> {
    await engine.run(`CREATE DATABASE ${name}`)
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
  const versions = (name: string) => engine.rows(`SELECT version, name FROM ${name}.migrations ORDER BY version`)
  const typesOf = async (name: string) =>
    Object.fromEntries(
      await engine.rows(
        `SELECT name, type FROM system.columns WHERE database = '${name}' AND table = 'flows' ORDER BY position`,
      ),
    ) as Record<string, string>

  it('makes an empty database whole, records it, and does nothing the second time', async () => {
    const target = await database('fresh')
    await migrate(target)
    assert.deepEqual(
      await versions('fresh'),
      MIGRATIONS.map(({ version, name }) => [version, name]),
    )
    target.statements.length = 0
    await migrate(target)
    assert.deepEqual(target.statements, [])
  })

  it('goes on where it was cut', async () => {
    const target = await database('cut')
    const migrations: Migration[] = [
      ...MIGRATIONS,
      {
        version: MIGRATIONS.length + 1,
        name: 'two steps',
        statements: () => ['CREATE TABLE IF NOT EXISTS cut.one (a UInt8) ENGINE = Memory', 'nonsense'],
      },
    ]
    await assert.rejects(migrate(target, migrations))
    assert.equal((await versions('cut')).length, MIGRATIONS.length)
    migrations.at(-1)!.statements = () => [
      'CREATE TABLE IF NOT EXISTS cut.one (a UInt8) ENGINE = Memory',
      'CREATE TABLE IF NOT EXISTS cut.two (a UInt8) ENGINE = Memory',
    ]
    await migrate(target, migrations)
    assert.equal((await versions('cut')).length, MIGRATIONS.length + 1)
  })

  it('may be done by two at the same time', async () => {
    const target = await database('two')
    await Promise.all([migrate(target), migrate(target)])
    assert.deepEqual(Object.keys(await typesOf('two')), IN_TABLE)
    await migrate(target)
  })

  it('refuses a database that a newer ovsight has migrated, and leaves it as it is', async () => {
    const target = await database('newer')
    await migrate(target)
    await engine.run(`INSERT INTO newer.migrations (version, name, program) VALUES (999, 'from the future', 'ovsight')`)
    target.statements.length = 0
    await assert.rejects(
      migrate(target),
      failsWith('store_newer', /version 999, this ovsight knows versions up to \d+; upgrade/),
    )
    assert.deepEqual(target.statements, [])
  })

  it('adds the columns and the values that a table of earlier lacks, keeping rows and what others added', async () => {
    const target = await database('old')
    const lacks = new Set(['flow_start', 'traffic_class', 'counts_once'])
    const columns = FLOWS_TABLE.columns
      .filter(({ name }) => !lacks.has(name))
      .map((column) => (column.name === 'role' ? { ...column, type: "Enum8('unknown' = 0, 'sent' = 1)" } : column))
    const old: TableSpec = { ...FLOWS_TABLE, columns: [...columns, { name: 'my_own', type: 'String' }] }
    await engine.run(createTable(old, target.target)[0]!)
    await engine.run(`INSERT INTO old.flows (sequence, role, my_own, bytes) VALUES (7, 'sent', 'mine', 5)`)
    await migrate(target)
    const types = await typesOf('old')
    for (const name of COLUMN_NAMES) assert.equal(types[name], columnType(name), name)
    assert.deepEqual(Object.keys(types), [...IN_TABLE, 'my_own'])
    assert.deepEqual(await engine.rows('SELECT sequence, role, my_own, counts_once, bytes FROM old.flows'), [
      [7, 'sent', 'mine', 0, '5'],
    ])
    target.statements.length = 0
    await migrate(target)
    assert.deepEqual(target.statements, [])
  })

  it('never takes a value of a set away, or moves one', () => {
    const table: TableSpec = {
      name: 't',
      doc: '',
      columns: [{ name: 'e', type: "Enum8('a' = 0, 'b' = 1)" }],
      orderBy: [],
      settings: {},
    }
    for (const type of ["Enum8('a' = 0, 'b' = 1)", "Enum8('a' = 0, 'b' = 1, 'c' = 2)", "Enum8('b' = 0)", 'String'])
      assert.deepEqual(alignTable(table, [{ name: 'e', type }], { database: 'd' }), [], type)
    assert.equal(alignTable(table, [{ name: 'e', type: "Enum8('a' = 0)" }], { database: 'd' }).length, 1)
  })
})

describe('migrating the embedded store', { skip: NO_ENGINE }, () => {
  const temporary = temporaryDirectory()
  after(() => temporary.remove())

  it('refuses a newer database', async () => {
    const directory = join(temporary.path, 'newer')
    const store = await ChdbStore.open({ directory })
    await store.migrate()
    await store.insert(flowBlock(5))
    const [future] = MIGRATIONS.slice(-1)
    const block = nativeMigration(future!.version + 1)
    await store.insert(block)
    await assert.rejects(store.migrate(), failsWith('store_newer', /upgrade ovsight/))
    assert.equal((await store.query({ sql: COUNTS, params: {} })).rows[0]?.['rows'], 5)
    await store.close()
  })
})

/** A row of the table of migrations as a block, since a store takes nothing else. */
function nativeMigration(version: number) {
  const string = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)])
  const number = Buffer.alloc(4)
  number.writeUInt32LE(version)
  const bytes = Buffer.concat([Buffer.from([1, 1]), string('version'), string('UInt32'), number])
  return { table: 'migrations', columns: ['version'], rows: 1, bytes, token: 'future' }
}
