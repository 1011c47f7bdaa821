import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { lockDirectory, lockHolder } from '../../src/store/lock.ts'
import { failsWith } from './contract.ts'
import { temporaryDirectory } from './temporary.ts'

const temporary = temporaryDirectory()
after(() => temporary.remove())
const directoryOf = (name: string) => join(temporary.path, name)
const HOLDER = fileURLToPath(new URL('./lock-holder.js', import.meta.url))

describe('the lock of a data directory', () => {
  it('makes the directory, and leaves nothing when released', async () => {
    const directory = directoryOf('a/b/c')
    assert.equal(lockHolder(directory), undefined)
    const lock = await lockDirectory(directory)
    assert.deepEqual(lockHolder(directory), { pid: process.pid })
    lock.announce('http://127.0.0.1:1')
    assert.equal(lockHolder(directory)?.api, 'http://127.0.0.1:1')
    await assert.rejects(lockDirectory(directory), failsWith('data_dir_locked', /answers at http:\/\/127\.0\.0\.1:1/))
    lock.release()
    assert.equal(lockHolder(directory), undefined)
    assert.deepEqual(readdirSync(directory), [])
  })

  it('is held by one process, and taken over when that one is killed', async () => {
    const directory = directoryOf('killed')
    const holder = fork(HOLDER, [directory])
    assert.deepEqual(await once(holder, 'message'), ['held', undefined])
    await assert.rejects(lockDirectory(directory), failsWith('data_dir_locked', new RegExp(`process ${holder.pid} `)))
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    assert.equal(lockHolder(directory), undefined)
    ;(await lockDirectory(directory)).release()
  })

  it('is taken by exactly one of many at the same time, a stale lock lying there', async () => {
    const directory = directoryOf('race')
    mkdirSync(directory)
    for (let round = 0; round < 3; round++) {
      writeFileSync(join(directory, 'lock-4194305-1.json'), JSON.stringify({ state: 'holding' }))
      const processes = Array.from({ length: 6 }, () => fork(HOLDER, [directory]))
      const said = await Promise.all(processes.map(async (child) => String((await once(child, 'message'))[0])))
      assert.deepEqual(
        said.toSorted((a, b) => a.localeCompare(b)),
        [...Array<string>(5).fill('data_dir_locked'), 'held'],
      )
      const ends = processes.map((child) => once(child, 'exit'))
      for (const child of processes) child.kill('SIGKILL')
      await Promise.all(ends)
    }
  })

  it('is not that of another process with the same number', async () => {
    const directory = directoryOf('reused')
    mkdirSync(directory)
    writeFileSync(join(directory, `lock-${process.pid}-1.json`), JSON.stringify({ state: 'holding' }))
    assert.equal(lockHolder(directory), undefined)
    ;(await lockDirectory(directory)).release()
    assert.deepEqual(readdirSync(directory), [])
  })

  it('belongs to whom the name of the file says, whatever is in it', async () => {
    const directory = directoryOf('nonsense')
    mkdirSync(directory)
    for (const text of ['', '{', '{}', 'null', '{"state":1}', '[1]', '\0\0']) {
      writeFileSync(join(directory, 'lock-4194305-1.json'), text)
      writeFileSync(join(directory, 'lock-x.json'), text)
      ;(await lockDirectory(directory)).release()
    }
  })
})
