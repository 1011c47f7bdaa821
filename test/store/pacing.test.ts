import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Alarm, backoffMs, within } from '../../src/store/pacing.ts'

describe('pauses', () => {
  it('double up to a bound, by chance half to all of it', () => {
    const pause = { firstMs: 100, maxMs: 1_000 }
    const most = Array.from({ length: 6 }, (_, attempt) => backoffMs(attempt, pause, () => 1))
    assert.deepEqual(most, [100, 200, 400, 800, 1_000, 1_000])
    assert.equal(
      backoffMs(0, pause, () => 0),
      50,
    )
    assert.equal(
      backoffMs(10_000, pause, () => 1),
      1_000,
    )
  })

  it('end when somebody rings', async () => {
    const alarm = new Alarm()
    const start = Date.now()
    const both = Promise.all([alarm.pause(60_000), alarm.pause(60_000)])
    alarm.ring()
    await both
    await Promise.all([alarm.sleep(30, () => false), Promise.resolve().then(() => alarm.ring())])
    const slept = Date.now() - start
    assert.ok(slept >= 29 && slept < 5_000, String(slept))
    await alarm.sleep(60_000, () => true)
  })

  it('wait for work no longer than the limit', async () => {
    assert.equal(await within(new Promise(() => {}), 5), false)
    assert.equal(await within(Promise.resolve(), 5), true)
    assert.equal(await within(Promise.resolve(), Infinity), true)
    await assert.rejects(within(Promise.reject(new Error('x')), 5), /x/)
  })
})
