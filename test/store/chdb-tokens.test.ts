import assert from 'node:assert/strict'
import { readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { ChdbStore } from '../../src/store/chdb.ts'
import { forgetTornTokens } from '../../src/store/chdb-tokens.ts'
import { COUNTS, flowBlock } from './blocks.ts'
import { NO_ENGINE } from './engine.ts'
import { temporaryDirectory } from './temporary.ts'

const temporary = temporaryDirectory()
after(() => temporary.remove())

/** Parts of a table whose name they begin with, in the files of the engine. */
function partsOf(directory: string, block: string): string[] {
  const store = join(directory, 'db', 'store')
  return readdirSync(store).flatMap((group) =>
    readdirSync(join(store, group)).flatMap((table) =>
      readdirSync(join(store, group, table))
        .filter((name) => new RegExp(`^\\d+_${block}_${block}_\\d+$`).test(name))
        .map((name) => join(store, group, table, name)),
    ),
  )
}

describe('tokens that the engine knows without their rows', { skip: NO_ENGINE }, () => {
  it('are taken back, so that the block is stored when it comes again, and its sums; others are still known', async () => {
    const directory = join(temporary.path, 'torn')
    const store = await ChdbStore.open({ directory })
    await store.migrate()
    for (let i = 0; i < 3; i++) await store.insert(flowBlock(100, i * 100, `t-${i}`))
    await store.close()
    assert.equal(await forgetTornTokens(directory), false)
    // As an engine leaves it that was killed after it wrote the token of the second block, and before it named the part.
    const parts = partsOf(directory, '2')
    assert.ok(parts.length >= 1)
    for (const part of parts) rmSync(part, { recursive: true })

    const again = await ChdbStore.open({ directory })
    const counted = async () => (await again.query({ sql: COUNTS, params: {} })).rows[0]
    assert.equal((await counted())?.['rows'], 200)
    for (let i = 0; i < 3; i++) await again.insert(flowBlock(100, i * 100, `t-${i}`))
    assert.deepEqual(await counted(), { rows: 300, different: 300, bytes: 30_000 })
    await again.close()
    assert.equal(await forgetTornTokens(directory), false, 'once')
  })

  it('are none where parts were merged', async () => {
    const directory = join(temporary.path, 'merged')
    const store = await ChdbStore.open({ directory })
    await store.migrate()
    for (let i = 0; i < 5; i++) await store.insert(flowBlock(10, i * 10, `t-${i}`))
    await store.run('OPTIMIZE TABLE flows FINAL')
    await store.close()
    const isMerged = (table: string) => readdirSync(table).some((name) => /_1_5_\d+$/.test(name))
    const sources = partsOf(directory, '3').filter((part) => isMerged(dirname(part)))
    assert.ok(sources.length >= 1)
    for (const part of sources) rmSync(part, { recursive: true })
    assert.equal(await forgetTornTokens(directory), false)
  })

  it('are none where there is no engine yet', async () => {
    assert.equal(await forgetTornTokens(join(temporary.path, 'nowhere')), false)
  })
})
