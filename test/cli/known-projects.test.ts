/** Which projects there are, as tokens are checked. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { KnownProjects } from '../../src/cli/known-projects.ts'

describe('the projects that there are', () => {
  it('are read before the first token of one that is no more is believed', async () => {
    const read: string[] = []
    const projects = new KnownProjects({
      async show(kind) {
        read.push(kind)
        await sleep(20)
        return { rows: [{ project_id: 'blue', project: 'blue' }, { project_id: 'red' }], more: false }
      },
    })
    assert.deepEqual(await Promise.all([projects.has('gone'), projects.has('blue')]), [false, true])
    assert.equal(await projects.has('gone'), false)
    assert.deepEqual(read, ['projects'])
  })

  it('are not known while the model has none, and stay as they were when they cannot be read again', async (t) => {
    let answer: () => Promise<{ rows: object[]; more: boolean }> = () => Promise.resolve({ rows: [], more: false })
    const projects = new KnownProjects({ show: () => answer() })
    let now = 0
    t.mock.method(performance, 'now', () => now)
    assert.equal(await projects.has('blue'), undefined)
    answer = () => Promise.resolve({ rows: [{ project_id: 'blue' }], more: false })
    now += 5_000
    assert.equal(await projects.has('blue'), true)
    answer = () => Promise.reject(new Error('away'))
    now += 5_000
    assert.equal(await projects.has('blue'), true)
    await sleep(5)
    assert.equal(await projects.has('red'), false)
  })
})
