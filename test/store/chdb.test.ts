import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { ChdbStore } from '../../src/store/chdb.ts'
import { COUNTS, flowBlock } from './blocks.ts'
import { failsWith, storeContract } from './contract.ts'
import { NO_ENGINE } from './engine.ts'
import { temporaryDirectory } from './temporary.ts'

const temporary = temporaryDirectory()
after(() => temporary.remove())

storeContract('the embedded store', NO_ENGINE, async () => {
  const store = await ChdbStore.open({ directory: join(temporary.path, 'contract') })
  return { store, close: () => store.close() }
})

const counts = async (store: ChdbStore) => (await store.query({ sql: COUNTS, params: {} })).rows[0]
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('the embedded store', { skip: NO_ENGINE }, () => {
  it('keeps its data from one opening to the next, and leaves no lock behind', async () => {
    const directory = join(temporary.path, 'kept')
    const store = await ChdbStore.open({ directory, sync: true })
    await store.migrate()
    await store.insert(flowBlock(100, 0, 'once'))
    const { enginePid } = store
    await store.close()
    assert.equal(isAlive(enginePid!), false)
    assert.deepEqual(readdirSync(directory), ['db'])

    writeFileSync(join(directory, 'insert-0.native'), 'left by a process that was killed')
    const again = await ChdbStore.open({ directory })
    assert.ok(!readdirSync(directory).includes('insert-0.native'))
    await again.migrate()
    await again.insert(flowBlock(100, 0, 'once'))
    assert.deepEqual(await counts(again), { rows: 100, different: 100, bytes: 10_000 })
    await again.close()
  })

  it('lives in a directory of any name', async () => {
    const directory = join(temporary.path, "we'i\\r*d {a,b} [c] ? ümlaut")
    const store = await ChdbStore.open({ directory })
    await store.migrate()
    await store.insert(flowBlock(7))
    assert.equal((await counts(store))?.['rows'], 7)
    await store.close()
  })

  it('never takes a block for stored whose file it did not read whole', async () => {
    const directory = join(temporary.path, 'files')
    const store = await ChdbStore.open({ directory })
    await store.migrate()
    const { table, columns, rows, token, bytes } = flowBlock(10)
    const facts = { table, columns, rows, token, bytesInFile: bytes.length }
    const pattern = join(directory, 'a*b.native')
    await assert.rejects(store.insert({ ...facts, file: pattern }), failsWith('store_refused', /read 0 rows/))
    await assert.rejects(
      store.insert({ ...facts, file: join(directory, 'gone') }),
      failsWith('store_unreachable', /gone/),
    )
    const cut = join(directory, 'cut.native')
    writeFileSync(cut, bytes.subarray(0, bytes.length - 1))
    await assert.rejects(store.insert({ ...facts, file: cut }), failsWith('store_refused', /10 rows/))
    assert.equal((await counts(store))?.['rows'], 0)
    await store.close()
  })

  it('names the process that holds the directory, and where it answers', async () => {
    const directory = join(temporary.path, 'locked')
    const store = await ChdbStore.open({ directory })
    await assert.rejects(
      ChdbStore.open({ directory }),
      failsWith('data_dir_locked', new RegExp(`process ${process.pid} .*--data`)),
    )
    store.announce('http://127.0.0.1:8080')
    await assert.rejects(
      ChdbStore.open({ directory }),
      failsWith('data_dir_locked', /answers at http:\/\/127\.0\.0\.1:8080/),
    )
    await store.close()
    await (await ChdbStore.open({ directory })).close()
  })

  it('says when the directory cannot be written', async () => {
    const file = join(temporary.path, 'a-file')
    writeFileSync(file, '')
    await assert.rejects(ChdbStore.open({ directory: file }), failsWith('data_dir_unwritable', /a-file.*--data DIR/))
    await assert.rejects(ChdbStore.open({ directory: join(file, 'x') }), failsWith('data_dir_unwritable', /--data DIR/))
    await assert.rejects(ChdbStore.open({ directory: '/proc/ovsight' }), failsWith('data_dir_unwritable', /--data DIR/))
  })

  it('says what the engine says when it cannot open its files', async () => {
    const directory = join(temporary.path, 'no-db')
    mkdirSync(directory)
    writeFileSync(join(directory, 'db'), 'not a directory')
    await assert.rejects(ChdbStore.open({ directory }), failsWith('store_refused', /no-db/))
    assert.deepEqual(readdirSync(directory), ['db'])
  })

  it('starts the engine again when it dies, rejecting only what was under way', async () => {
    const store = await ChdbStore.open({ directory: join(temporary.path, 'dies') })
    await store.migrate()
    await store.insert(flowBlock(50))
    for (let death = 1; death <= 3; death++) {
      const slow = store.query({ sql: 'SELECT sleep(3)', params: {} })
      setTimeout(() => process.kill(store.enginePid!, 'SIGKILL'), 50)
      await assert.rejects(slow, failsWith('store_unreachable', /killed by SIGKILL/))
      assert.equal((await counts(store))?.['rows'], 50)
      assert.equal(store.restarts, death)
    }
    await store.close()
    await assert.rejects(counts(store), failsWith('store_unreachable', /closed/))
  })
})
