import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { ChdbStore } from '../../src/store/chdb.ts'
import { openStore, openWriter } from '../../src/store/open.ts'
import { COUNTS, flowBlock } from './blocks.ts'
import { ROWS } from './crash-writer.ts'
import { NO_ENGINE } from './engine.ts'
import { temporaryDirectory } from './temporary.ts'

const COLLECTOR = fileURLToPath(new URL('./crash-writer.js', import.meta.url))
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('nothing that was safe is lost, and nothing doubled', { skip: NO_ENGINE }, () => {
  const temporary = temporaryDirectory()
  after(() => temporary.remove())

  it('when the engine is killed again and again while blocks go in', async () => {
    const data = join(temporary.path, 'engine')
    const store = (await openStore({ data })) as ChdbStore
    await store.migrate()
    const { writer, close } = await openWriter(store, { data })
    const deaths = 4
    const blocks = deaths * 10
    for (let number = 0; number < blocks; number++) {
      await writer.enqueue(flowBlock(ROWS, number * ROWS, `block-${number}`))
      if (number % 10 !== 9) continue
      await store.query({ sql: 'SELECT 1', params: {} })
      await pause(Math.random() * 60)
      process.kill(store.enginePid!, 'SIGKILL')
      for (const before = store.restarts; store.restarts === before;) await pause(5)
    }
    assert.equal(await writer.flush(30_000), true)
    const rows = blocks * ROWS
    assert.deepEqual((await store.query({ sql: COUNTS, params: {} })).rows, [
      { rows, different: rows, bytes: rows * 100 },
    ])
    assert.equal(store.restarts, deaths)
    await close()
    await store.close()
  })

  it('when the collector is killed again and again', async () => {
    const data = join(temporary.path, 'collector')
    let last = -1
    for (let round = 0; round < 3; round++) {
      const collector = fork(COLLECTOR, [data, String(last + 1)])
      const before = last
      collector.on('message', (number: number) => (last = number))
      await until(() => last > before, collector)
      await pause(Math.random() * 700)
      const ended = once(collector, 'exit')
      collector.kill('SIGKILL')
      await ended
    }
    const store = await openStore({ data })
    await store.migrate()
    const { writer, close } = await openWriter(store, { data })
    assert.equal(await writer.flush(30_000), true)
    const { rows } = await store.query({
      sql: `SELECT count() = uniqExact(sequence) AS once, uniqExact(intDiv(sequence, ${ROWS})) * ${ROWS} = count() AS whole,
              uniqExactIf(sequence, sequence < {safe:UInt32}) AS safe FROM flows`,
      params: { safe: (last + 1) * ROWS },
    })
    assert.deepEqual(rows, [{ once: 1, whole: 1, safe: (last + 1) * ROWS }])
    assert.ok(last >= 3, `${last} blocks`)
    await close()
    await store.close()
  })

  it('and the engine ends with the process that started it', async () => {
    const data = join(temporary.path, 'orphan')
    const collector = fork(COLLECTOR, [data, '0'])
    await once(collector, 'message')
    collector.kill('SIGKILL')
    await once(collector, 'exit')
    const start = Date.now()
    const store = await openStore({ data })
    assert.ok(Date.now() - start < 10_000)
    await store.close()
  })
})

async function until(condition: () => boolean, child: ChildProcess): Promise<void> {
  for (const end = Date.now() + 20_000; !condition(); await pause(5)) {
    assert.equal(child.exitCode, null, 'the collector ended')
    assert.ok(Date.now() < end, 'waited too long')
  }
}
