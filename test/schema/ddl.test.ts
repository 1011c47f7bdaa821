import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { COLUMN_NAMES, columnFacts } from '../../src/schema/columns.ts'
import { FLOWS_TABLE, TIME_STORED, createDatabase, createTable, identifier, quote } from '../../src/schema/ddl.ts'
import { columnType } from '../../src/schema/types.ts'
import { NO_ENGINE, openEngine, type Engine } from '../store/engine.ts'

describe('names and literals in SQL', () => {
  it('leaves plain names bare and quotes all others', () => {
    assert.equal(identifier('flows'), 'flows')
    assert.equal(identifier('a-b'), '`a-b`')
    assert.equal(identifier('a`; DROP'), '`a\\`; DROP`')
  })

  it('ends a literal nowhere but at its end', () => {
    assert.equal(quote(`a'b\\`), `'a\\'b\\\\'`)
  })
})

describe('the DDL, run by the engine', { skip: NO_ENGINE }, () => {
  let engine: Engine
  const names = ['ovsight', 'my-flows', "it's `odd`\\"]
  before(async () => {
    engine = await openEngine()
    for (const database of names) {
      await engine.run(createDatabase({ database }))
      await engine.run(createTable(FLOWS_TABLE, { database })[0]!)
    }
  })
  after(() => engine.close())

  it('makes databases of any name', async () => {
    const found = await engine.rows("SELECT database FROM system.tables WHERE name = 'flows'")
    assert.deepEqual(new Set(found.flat()), new Set(names))
  })

  it('makes every column with the type that blocks carry, and its sentence', async () => {
    const found = await engine.rows(
      "SELECT name, type, comment FROM system.columns WHERE database = 'ovsight' AND table = 'flows' ORDER BY position",
    )
    assert.deepEqual(found, [
      ...COLUMN_NAMES.map((name) => [name, columnType(name), columnFacts(name).doc]),
      ['time_stored', "DateTime('UTC')", TIME_STORED.doc],
    ])
  })

  it('may be run again', async () => {
    await engine.run(createTable(FLOWS_TABLE, { database: 'ovsight' })[0]!)
  })

  it('keeps literals and their NULs, quotes and backslashes', async () => {
    for (const text of ["it's", '\\', "\\'", 'a\0b', '`', '{x:String}', 'é🜂', '\n\t'])
      assert.deepEqual(await engine.rows(`SELECT ${quote(text)}`), [[text]])
  })
})
