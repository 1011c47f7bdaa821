/** A copy of the model in another thread says what the model itself says, whatever was edited, told as messages. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Replica } from '../../src/identity/replica/replica.ts'
import { SnapshotCopy, SnapshotSender, type ModelMessage } from '../../src/identity/snapshot/copies.ts'
import { TEXTS } from '../../src/identity/snapshot/endpoints.ts'
import type { IdentitySnapshot } from '../../src/identity/snapshot/snapshot.ts'
import { packTexts, textAt } from '../../src/identity/snapshot/texts.ts'
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

describe('a copy of the model', () => {
  for (const seed of [1, 2, 3]) {
    it(`follows every edit (${seed})`, async () => {
      const random = numbers(seed)
      const clock = { nowMs: T }
      const sender = new SnapshotSender()
      const copy = new SnapshotCopy()
      const kinds: ModelMessage['kind'][] = []
      // What a message port does to it.
      const told = (message: ModelMessage) => {
        kinds.push(message.kind)
        return copy.take(structuredClone(message))
      }
      let copied = new SnapshotCopy().take(structuredClone(emptyModel()))
      const replica = new Replica((snapshot) => (copied = told(sender.next(snapshot))), {
        now: () => clock.nowMs,
        gatherMs: 1e9,
      })
      const known = new Map<string, object>()
      const plugs = new Map<string, Plug>()
      const base = { hosts: HOSTS, networks: [network('red')], subnets: [subnet('red', '192.168.1.0/24')] }
      const portOf = (id: string) =>
        port(id, 'red', `192.168.1.${10 + random(4)}`, `fa:16:3e:00:00:0${random(4)}`, {
          'binding:host_id': 'c0',
          allowed_address_pairs: random(3) === 0 ? [{ ip_address: '192.168.1.64/26' }] : [],
        })
      await replica.putCloud(news(T, base))
      replica.putOvs('c0', ovsHost('c0', []), T)
      replica.publish()
      for (let step = 1; step <= STEPS; step++) {
        clock.nowMs = T + step * STEP
        const id = PORTS[random(PORTS.length)]!
        if (random(8) === 0) {
          base.networks.push(network(`n${step}`, { 'provider:segmentation_id': step }))
          base.subnets.push(subnet(`n${step}`, '192.168.1.0/25'))
        }
        const servers = [...known.keys()].map((one) => ({ ...server(one), name: `server-${one}-${random(3)}` }))
        if (random(2) === 0) {
          if (known.has(id) && random(2) === 0) known.delete(id)
          else known.set(id, portOf(id))
          await replica.putCloud(news(clock.nowMs, { ...base, servers, ports: [...known.values()] }))
        } else {
          if (plugs.has(id)) plugs.delete(id)
          else plugs.set(id, { ofport: 1 + random(4), iface: id, tag: 1 + random(2), network: 'red' })
          replica.putOvs('c0', ovsHost('c0', [...plugs.values()]), clock.nowMs)
        }
        replica.publish()
        sameTexts(copied, replica.snapshot)
        assert.deepEqual(copied.topology, replica.snapshot.topology)
        for (let inIf = 1; inIf <= 4; inIf++)
          for (const inName of [undefined, ...PORTS.map((one) => `tap${one}`)]) {
            const protocol = inName === undefined ? ('netflow5' as const) : ('ipfix' as const)
            const names = inName === undefined ? {} : { inName }
            const atMs = clock.nowMs - random(5) * STEP
            const record = { atMs, inIf, ...names, protocol, src: '192.168.1.11', dst: `192.168.1.${10 + inIf * 20}` }
            assert.deepEqual(resolve(copied, record), resolve(replica.snapshot, record), JSON.stringify(record))
          }
      }
      assert.ok(kinds.filter((kind) => kind === 'changed').length > STEPS / 2, 'most of it was told as changes')
      replica.stop()
    })
  }

  it('starts from the model as it is now, edits included', async () => {
    const sender = new SnapshotSender()
    const replica = new Replica((snapshot) => void sender.next(snapshot), { now: () => T, gatherMs: 1e9 })
    const base = { hosts: HOSTS, networks: [network('red')], subnets: [subnet('red', '192.168.1.0/24')] }
    await replica.putCloud(news(T, base))
    replica.putOvs('c0', ovsHost('c0', []), T)
    replica.publish()
    replica.putOvs('c0', ovsHost('c0', [{ ofport: 2, iface: 'a', tag: 1, network: 'red' }]), T)
    await replica.putCloud(news(T, { ...base, ports: [port('a', 'red', '192.168.1.10', 'fa:16:3e:00:00:01')] }))
    replica.publish()
    const late = new SnapshotCopy().take(structuredClone(sender.whole()))
    const record = { atMs: T, inIf: 2, src: '192.168.1.10', dst: '192.168.1.11' }
    assert.equal(resolve(late, record).src.port, 'a')
    assert.deepEqual(resolve(late, record), resolve(replica.snapshot, record))
    replica.stop()
  })
})

describe('packed texts', () => {
  it('gives back what was packed, each text kept once', () => {
    const texts = ['', 'red', 'größe', 'red', '日本', '', 'x'.repeat(1000)]
    const packed = packTexts(texts)
    assert.deepEqual(
      texts.map((_, i) => textAt(packed, i)),
      texts,
    )
    assert.equal(packed.offsets.length - 1, new Set(texts).size)
    assert.equal(textAt(packed, texts.length), '')
    assert.equal(textAt(undefined, 0), '')
  })
})

/** Whatever is asked by name is the same, also of what came with the first message. */
function sameTexts(one: IdentitySnapshot, other: IdentitySnapshot): void {
  assert.equal(one.endpoints.count, other.endpoints.count)
  assert.equal(one.interfaces.count, other.interfaces.count)
  for (let i = 0; i < one.endpoints.count; i++)
    for (let which = 0; which < TEXTS.length; which++)
      assert.equal(one.endpoints.text(i, which), other.endpoints.text(i, which))
  for (let i = 0; i < one.interfaces.count; i++) assert.equal(one.interfaces.name(i), other.interfaces.name(i))
}

function emptyModel(): ModelMessage {
  const sender = new SnapshotSender()
  return sender.next(new Replica(() => {}).snapshot)
}
