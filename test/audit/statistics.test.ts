/** Asking OVSDB for the counters of interfaces, gently. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { StatisticsPoller, type Statistics } from '../../src/audit/statistics.ts'

const row = (name: string, statistics: unknown) => ({ name, ifindex: 7, ofport: ['set', []], statistics })
const answer = (...rows: object[]) => [{ rows }]

function poller(answers: Record<string, () => unknown>, everyMs = 60_000, parallel = 2) {
  const asked: string[] = []
  const got: Statistics[] = []
  const clock = { ms: 0 }
  const waiting: (() => void)[] = []
  const made = new StatisticsPoller({
    everyMs,
    parallel,
    now: () => clock.ms,
    databases: () =>
      Object.entries(answers).map(([host, reply]) => ({
        host,
        request: async (method: string, [database, operation]: readonly unknown[]) => {
          asked.push(`${host} ${method} ${String(database)} ${(operation as { op: string }).op}`)
          await new Promise<void>((resolve) => void waiting.push(resolve))
          return reply()
        },
      })),
    onStatistics: (one) => got.push(one),
  })
  const settle = async () => {
    for (const resolve of waiting.splice(0)) resolve()
    await new Promise((resolve) => void setImmediate(resolve))
  }
  return { made, asked, got, clock, settle }
}

describe('statistics of OVSDB', () => {
  it('are one select a host and interval, and never a second one before the first is answered', async () => {
    const { made, asked, clock, settle } = poller({ c0: () => answer() })
    made.tick()
    clock.ms = 120_000
    made.tick()
    assert.deepEqual(asked, ['c0 transact Open_vSwitch select'])
    await settle()
    made.tick()
    await settle()
    clock.ms = 179_999
    made.tick()
    assert.equal(asked.length, 2)
    assert.equal(made.answers, 2)
  })

  it('are asked of few hosts at a time, the others soon after', async () => {
    const hosts = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`c${i}`, () => answer()]))
    const { made, asked, settle } = poller(hosts)
    for (const expected of [2, 4, 5, 5]) {
      made.tick()
      assert.equal(asked.length, expected)
      await settle()
    }
  })

  it('give the counters of every interface that has some', async () => {
    const statistics = ['map', [['rx_bytes', 42], ['tx_packets', 7], ['bad', -1], ['worse', 'x'], 'none']] // prettier-ignore
    const rows = [row('tap1', statistics), row('', statistics), row('tap2', ['map', []]), { name: 'tap3' }]
    const { made, got, clock, settle } = poller({ c0: () => answer(...rows) })
    clock.ms = 5000
    made.tick()
    await settle()
    const counters = new Map([['rx_bytes', 42], ['tx_packets', 7]]) // prettier-ignore
    assert.deepEqual(got, [{ timeMs: 5000, host: 'c0', name: 'tap1', ifIndex: 7, ofport: 0, counters }])
  })

  it('that do not come, or in words that are not known, are a failure and nothing more', async () => {
    const gone = () => Promise.reject(new Error('gone'))
    for (const reply of [() => undefined, () => [{ error: 'no such table' }], () => [null], gone]) {
      const { made, got, settle } = poller({ c0: reply })
      made.tick()
      await settle()
      await settle()
      assert.deepEqual([made.answers, made.failures, got.length], [0, 1, 0])
    }
  })
})
