/** A snapshot that was edited says what one laid out anew says, whatever happened in between. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Replica } from '../../src/identity/replica/replica.ts'
import { buildSnapshot } from '../../src/identity/snapshot/build.ts'
import { HOSTS, network, news, ovsHost, port, resolve, server, subnet, type Plug } from './replica-cloud.ts'

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
      const base = { hosts: HOSTS, networks: [network('red')], subnets: [subnet('red', '192.168.1.0/24')] }
      const portOf = (id: string) =>
        port(id, 'red', `192.168.1.${10 + random(4)}`, `fa:16:3e:00:00:0${random(4)}`, { 'binding:host_id': 'c0' })
      await replica.putCloud(news(T, base))
      replica.putOvs('c0', ovsHost('c0', []), T)
      replica.publish()
      for (let step = 1; step <= STEPS; step++) {
        clock.nowMs = T + step * STEP
        const id = PORTS[random(PORTS.length)]!
        if (random(2) === 0) {
          if (known.has(id) && random(2) === 0) known.delete(id)
          else known.set(id, portOf(id))
          const servers = [...known.keys()].map(server)
          await replica.putCloud(news(clock.nowMs, { ...base, servers, ports: [...known.values()] }))
        } else {
          if (plugs.has(id)) plugs.delete(id)
          else plugs.set(id, { ofport: 1 + random(4), iface: id, tag: 1 + random(2), network: 'red' })
          replica.putOvs('c0', ovsHost('c0', [...plugs.values()]), clock.nowMs)
        }
        replica.publish()
      }
      const anew = buildSnapshot(replica.model, clock.nowMs, replica.ledger)
      assert.ok(replica.laidOut < STEPS / 2, `${replica.laidOut} times laid out anew`)
      for (let atMs = T - STEP / 2; atMs < clock.nowMs; atMs += STEP)
        for (let inIf = 1; inIf <= 4; inIf++) {
          const record = { atMs, inIf, src: `192.168.1.${10 + (inIf % 4)}`, dst: '192.168.1.11' }
          const edited = resolve(replica.snapshot, record)
          assert.deepEqual(edited, resolve(anew, record), JSON.stringify(record))
        }
      replica.stop()
    })
  }
})
