/** Hundreds of hosts at once, some of them slow, silent or half-answering: each costs its own freshness, and nothing else. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { HostSources } from '../../src/identity/replica/hosts.ts'
import type { SourceState } from '../../src/identity/replica/source.ts'
import { FakeOvsdb, switchRows, type Manner } from './fake-ovsdb.ts'
import { eventually } from './real-ovsdb.ts'

const HOSTS = 200
/** Those that do not answer as they should. */
const MANNERS: Readonly<Record<number, Manner>> = { 7: 'silent', 8: 'half', 9: 'refuses', 10: { lateMs: 100 }, 190: 'silent', 191: 'half' } // prettier-ignore
const TIMEOUT_MS = 2_500

describe('hundreds of hosts', () => {
  let fakes: FakeOvsdb[]
  let sources: HostSources
  /** How many interfaces each has been heard with. */
  let heard: Map<string, number>
  let named: string[]

  beforeEach(async () => {
    heard = new Map()
    named = []
    fakes = await Promise.all(Array.from({ length: HOSTS }, (_, i) => FakeOvsdb.listen(rowsOf(i))))
    sources = new HostSources((name, { bridges }) => void heard.set(name, bridges[0]!.ports.length), {
      onFault: (_kind, target, fault) => named.push(`${target} ${fault}`),
      keeper: { timeoutMs: TIMEOUT_MS, backoffMs: 50, maxBackoffMs: 400 },
    })
  })
  afterEach(async () => {
    await sources.stop()
    await Promise.all(fakes.map((fake) => fake.close()))
  })

  function rowsOf(i: number, plugged = 3) {
    const plugs = Array.from({ length: plugged }, (_, n) => ({
      name: `tap${i}-${n}`,
      ofport: n + 1,
      iface: `${i}-${n}`,
    }))
    return switchRows(`h${i}`, plugs)
  }

  const follow = () => sources.follow(fakes.map(({ target }, i) => ({ name: `h${i}`, addresses: [], ovsdb: target })))
  const ill = () => sources.states.filter(({ ok }) => !ok)

  it('that are called: what some do not answer is named with its cause, costs the others nothing, and clears itself', async () => {
    for (const [i, manner] of Object.entries(MANNERS)) fakes[Number(i)]!.manner = manner
    follow()
    await eventually('all that answer', () => heard.size === HOSTS - 5)
    const faultOf = ({ target }: SourceState) => named.filter((line) => line.startsWith(`${target} `))
    await eventually('the faults', () => ill().length === 5 && ill().every((state) => faultOf(state).length > 0))
    await eventually('a second try', () => ill().every(({ faults }) => faults > 1))
    const were = ill()
    for (const state of were) {
      const [first, ...more] = faultOf(state)
      assert.match(first!, /no answer to get_schema within 2500 ms|the server closed the connection|ECONNRESET/)
      assert.deepEqual(more, [], 'named once')
    }
    for (const fake of fakes) fake.manner = 'sound'
    await eventually('the others', () => heard.size === HOSTS && ill().length === 0)
    fakes[7]!.change(rowsOf(7, 5))
    await eventually('a change', () => heard.get('h7') === 5)
    for (const state of were) assert.equal(faultOf(state).length, 2, 'and once that it answers again')
  })

  it('that all go at once, as with a network fault, are all read anew; what changed meanwhile is known', async () => {
    follow()
    await eventually('all', () => heard.size === HOSTS)
    for (const [i, fake] of fakes.entries()) {
      fake.drop()
      fake.change(rowsOf(i, 4))
    }
    await eventually('the faults', () => ill().length > 0)
    await eventually('all again', () => ill().length === 0 && [...heard.values()].every((ports) => ports === 4))
    assert.equal(heard.size, HOSTS)
  })

  it('that call: each is known by its name, the ill ones are counted, and one that leaves is told', async () => {
    for (const i of [7, 8]) fakes[i]!.manner = MANNERS[i]!
    await sources.listen({ kind: 'ptcp', port: 0, address: '127.0.0.1' })
    for (const fake of fakes) fake.call(sources.port!)
    await eventually('all that answer', () => heard.size === HOSTS - 2)
    fakes[20]!.change(rowsOf(20, 6))
    await eventually('a change', () => heard.get('h20') === 6)
    fakes[20]!.drop()
    await eventually('its end', () => ill().length === 1)
    assert.match(named[0]!, /^h20 \(127\.0\.0\.1\) the server closed the connection/)
    assert.equal(sources.states.length, HOSTS - 2)
  })
})
