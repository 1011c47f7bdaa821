import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { PLAN_LESS } from '../../src/store/planning.ts'
import { type Engine, NO_ENGINE, openEngine } from './engine.ts'

describe('what is left out of planning', { skip: NO_ENGINE }, () => {
  let engine: Engine
  before(async () => {
    engine = await openEngine()
  })
  after(() => engine.close())

  it('is known to the engine, which does it otherwise', async () => {
    const names = [...PLAN_LESS.matchAll(/(\w+) = 0/g)].map(([, name]) => name!)
    const values = () =>
      engine.rows(`SELECT DISTINCT value FROM system.settings WHERE name IN (${names.map((n) => `'${n}'`).join(', ')})`)
    assert.deepEqual(await values(), [['1']])
    await engine.run(PLAN_LESS)
    assert.deepEqual(await values(), [['0']])
  })
})
