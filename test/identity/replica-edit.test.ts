/** A snapshot that was edited says what one laid out anew says, whatever happened in between. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Replica } from '../../src/identity/replica/replica.ts'
import { buildSnapshot } from '../../src/identity/snapshot/build.ts'
import {
  answers,
  HOSTS,
  network,
  news,
  ovsHost,
  port,
  resolve,
  server,
  subnet,
  type Plug,
  type TestRecord,
} from './replica-cloud.ts'

const T = Date.parse('2026-01-01T12:00:00Z')
const STEP = 10_000
const STEPS = 40
const PORTS = ['a', 'b', 'c', 'd', 'e', 'f']

/** The same numbers on each run. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

describe('a snapshot that was edited', () => {
  for (const seed of [1, 2, 3, 4]) {
    it(`resolves every record as one laid out anew (${seed})`, async () => {
      const random = numbers(seed)
      const clock = { nowMs: T }
      const replica = new Replica(() => {}, { now: () => clock.nowMs, gatherMs: 1e9 })
      const known = new Map<string, object>()
      const plugs = new Map<string, Plug>()
      const base = {
        hosts: HOSTS,
        projects: [] as object[],
        networks: [network('red')],
        subnets: [subnet('red', '192.168.1.0/24')],
      }
      const networks = ['red']
      const portOf = (id: string) =>
        port(id, networks[random(networks.length)]!, `192.168.1.${10 + random(4)}`, `fa:16:3e:00:00:0${random(4)}`, {
          'binding:host_id': 'c0',
        })
      await replica.putCloud(news(T, base))
      replica.putOvs('c0', ovsHost('c0', []), T)
      replica.publish()
      for (let step = 1; step <= STEPS; step++) {
        clock.nowMs = T + step * STEP
        const id = PORTS[random(PORTS.length)]!
        if (random(6) === 0) {
          // A tenant more, with a network.
          const name = `n${step}`
          networks.push(name)
          base.projects.push({ id: `p-${name}`, name: `project-${name}` })
          base.networks.push(network(name, { 'provider:segmentation_id': step }))
          base.subnets.push(subnet(name, '192.168.0.0/22'))
        }
        if (random(2) === 0) {
          if (known.has(id) && random(2) === 0) known.delete(id)
          else known.set(id, portOf(id))
          const servers = [...known.keys()].map(server)
          await replica.putCloud(news(clock.nowMs, { ...base, servers, ports: [...known.values()] }))
        } else {
          if (plugs.has(id)) plugs.delete(id)
          else
            plugs.set(id, {
              ofport: 1 + random(4),
              iface: id,
              tag: 1 + random(2),
              network: networks[random(networks.length)]!,
            })
          replica.putOvs('c0', ovsHost('c0', [...plugs.values()]), clock.nowMs)
        }
        replica.publish()
      }
      const anew = buildSnapshot(replica.model, clock.nowMs, replica.ledger)
      assert.ok(replica.laidOut < STEPS / 2, `${replica.laidOut} times laid out anew`)
      const records: TestRecord[] = []
      for (let atMs = T - STEP / 2; atMs < clock.nowMs; atMs += STEP)
        for (let inIf = 1; inIf <= 4; inIf++)
          for (const dst of ['192.168.1.11', '192.168.1.255', '192.168.3.255'])
            records.push({ atMs, inIf, src: `192.168.1.${10 + (inIf % 4)}`, dst })
      const laid = answers(anew, records)
      for (const [i, edited] of answers(replica.snapshot, records).entries())
        assert.deepEqual(edited, laid[i], JSON.stringify(records[i]))
      replica.stop()
    })
  }

  it('has a network that is new, and its tenant, without being laid out anew', async () => {
    const clock = { nowMs: T }
    const replica = new Replica(() => {}, { now: () => clock.nowMs, gatherMs: 1e9 })
    await replica.putCloud(news(T, { hosts: HOSTS, networks: [network('red')], ports: [] }))
    replica.putOvs('c0', ovsHost('c0', []), T)
    replica.publish()
    const { laidOut } = replica
    const blue = {
      projects: [{ id: 'p-blue', name: 'Blue' }],
      networks: [network('blue', { 'provider:segmentation_id': 7 })],
      subnets: [subnet('blue', '10.5.0.0/24')],
      ports: ['a', 'b'].map((id, i) => port(id, 'blue', `10.5.0.${i + 1}`, `fa:16:3e:00:01:0${i}`)),
    }
    await replica.putCloud(news(T + STEP, blue, { whole: false }))
    replica.putOvs('c0', ovsHost('c0', [{ ofport: 5, iface: 'a', tag: 3, network: 'blue' }]), T + STEP)
    replica.publish()
    assert.equal(replica.laidOut, laidOut)
    const record = { atMs: T + 2 * STEP, inIf: 5, src: '10.5.0.1', dst: '10.5.0.2' }
    const { src, dst } = resolve(replica.snapshot, record)
    assert.equal(src.port, 'a')
    assert.equal(dst.port, 'b')
    assert.deepEqual({ src, dst }, resolve(buildSnapshot(replica.model, T + STEP, replica.ledger), record))
    assert.equal(replica.snapshot.endpoints.text(replica.snapshot.interfaces.endpoint(1), 1), 'Blue')
    assert.ok(replica.snapshot.tables.byVni.get2(0, 7) > 0)
    replica.stop()
  })

  it('is laid out anew for a network that something named before, or that bridges have to be looked at for', async () => {
    const replica = new Replica(() => {}, { now: () => T, gatherMs: 1e9 })
    await replica.putCloud(news(T, { hosts: HOSTS, networks: [network('red')] }))
    replica.putOvs('c0', ovsHost('c0', [{ ofport: 5, iface: 'a', tag: 3, network: 'blue' }]), T)
    replica.publish()
    let { laidOut } = replica
    const adds = [
      network('blue', { 'provider:segmentation_id': 7 }),
      network('flat', { 'provider:network_type': 'flat', 'provider:physical_network': 'physnet1' }),
      network('outside', { 'provider:segmentation_id': 8, 'router:external': true }),
    ]
    for (const one of adds) {
      await replica.putCloud(news(T, { networks: [one] }, { whole: false }))
      replica.publish()
      assert.equal(replica.laidOut, ++laidOut)
    }
    replica.stop()
  })
})
