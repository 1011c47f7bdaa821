/** A model that has to be laid out anew is laid out in turns: others go on meanwhile, and what changes in between is not lost. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Replica } from '../../src/identity/replica/replica.ts'
import { buildSnapshot } from '../../src/identity/snapshot/build.ts'
import { inTurns, type Slices } from '../../src/identity/snapshot/slices.ts'
import { HOSTS, network, news, ovsHost, port, resolve, subnet } from './replica-cloud.ts'

const T = Date.parse('2026-01-01T12:00:00Z')
const PORTS = 4_000
/** A network that cannot be edited in: bridges have to be looked at for it. */
const FLAT = { 'provider:network_type': 'flat', 'provider:physical_network': 'physnet1' }
const mac = (n: number) =>
  `fa:16:3e:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`

async function running() {
  const base = { hosts: HOSTS, networks: [network('red')], subnets: [subnet('red', '10.1.0.0/16')] }
  const ports = Array.from({ length: PORTS }, (_, n) => port(`p${n}`, 'red', `10.1.${n >> 8}.${n & 255}`, mac(n)))
  const replica = new Replica(() => {}, { now: () => T, gatherMs: 1 })
  await replica.putCloud(news(T, { ...base, ports }))
  replica.putOvs('c0', ovsHost('c0', [{ ofport: 2, iface: 'p2', tag: 1, network: 'red' }]), T)
  replica.publish()
  return { replica, base, ports }
}

/** Turns it took; what never comes is a fault after half a minute. */
async function until(holds: () => boolean): Promise<number> {
  const endMs = Date.now() + 30_000
  let turns = 0
  for (; !holds(); turns++) {
    assert.ok(Date.now() < endMs)
    await turn()
  }
  return turns
}

describe('a model that is laid out anew', () => {
  it('gives way, keeps the last snapshot meanwhile, and takes in what came in between', async () => {
    const { replica, base } = await running()
    const { laidOut, snapshot: before } = replica
    await replica.putCloud(news(T, { ...base, networks: [network('blue', FLAT)] }, { whole: false }))
    await until(() => replica.laidOut > laidOut)
    // It has begun; a port changes its name and another is plugged.
    assert.equal(replica.snapshot, before)
    await replica.putCloud(
      news(T, { ports: [port('p2', 'red', '10.1.0.2', mac(2), { name: 'new' })] }, { whole: false }),
    )
    const plugs = [2, 3].map((n) => ({ ofport: n, iface: `p${n}`, tag: 1, network: 'red' }))
    replica.putOvs('c0', ovsHost('c0', plugs), T)
    const turns = await until(() => replica.snapshot !== before)
    assert.ok(turns > 2, `${turns} turns for others`)
    assert.equal(replica.laidOut, laidOut + 1)
    assert.ok(replica.snapshot.topology.networkIndex.has('blue'))
    const anew = buildSnapshot(replica.model, T, replica.ledger)
    for (const inIf of [2, 3])
      for (const atMs of [T - 1, T + 1]) {
        const record = { atMs, inIf, src: `10.1.0.${inIf}`, dst: '10.1.0.9' }
        assert.deepEqual(resolve(replica.snapshot, record), resolve(anew, record))
      }
    replica.stop()
  })

  it('is given up when somebody publishes at once, who has all of it', async () => {
    const { replica, base } = await running()
    const { laidOut } = replica
    await replica.putCloud(news(T, { ...base, networks: [network('blue', FLAT)] }, { whole: false }))
    await until(() => replica.laidOut > laidOut)
    await replica.putCloud(news(T, { networks: [network('green', FLAT)] }, { whole: false }))
    replica.publish()
    for (const id of ['blue', 'green']) assert.ok(replica.snapshot.topology.networkIndex.has(id))
    const now = replica.snapshot
    for (let i = 0; i < 50; i++) await turn()
    assert.equal(replica.snapshot, now)
    replica.stop()
  })

  it('ends when it is not wanted any more', async () => {
    let steps = 0
    function* forever(): Slices<never> {
      for (;;) {
        steps++
        yield
      }
    }
    let asked = 0
    assert.equal(await inTurns(forever(), () => ++asked === 3), undefined)
    assert.ok(steps > 0)
  })
})
