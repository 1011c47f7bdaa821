/** Sources that contradict themselves or each other: what is said of a record is never more than what they agree on. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Replica } from '../../src/identity/replica/replica.ts'
import { HOSTS, network, news, ovsHost, port, resolve, server, subnet } from './replica-cloud.ts'

const T = Date.parse('2026-01-01T12:00:00Z')
const MAC = { a: 'fa:16:3e:00:00:0a', b: 'fa:16:3e:00:00:0b', c: 'fa:16:3e:00:00:0c' }
const BASE = {
  hosts: HOSTS,
  networks: [network('red'), network('blue')],
  subnets: [subnet('red', '192.168.1.0/24'), subnet('blue', '192.168.1.0/24')],
  servers: [server('a'), server('b'), server('c')],
}

function replicaAt(nowMs: number): { replica: Replica; clock: { nowMs: number } } {
  const clock = { nowMs }
  return { replica: new Replica(() => {}, { now: () => clock.nowMs, gatherMs: 1e9 }), clock }
}

describe('sources that lie', () => {
  it('a MAC on two ports: the address decides, else both are candidates; when one is gone that clears itself', async () => {
    const { replica, clock } = replicaAt(T)
    const a = port('a', 'red', '192.168.1.8', MAC.a)
    const twin = port('b', 'red', '192.168.1.9', MAC.a)
    const c = port('c', 'red', '192.168.1.10', MAC.c)
    await replica.putCloud(news(T, { ...BASE, ports: [a, twin, c] }))
    replica.putOvs('c0', ovsHost('c0', [{ ofport: 7, iface: 'c', tag: 1, network: 'red' }]), T)
    replica.publish()
    const to = (ms: number, dst: string) =>
      resolve(replica.snapshot, {
        protocol: 'sflow5',
        atMs: T + ms,
        inIf: 107,
        srcMac: MAC.c,
        src: '192.168.1.10',
        dstMac: MAC.a,
        dst,
      }).dst
    assert.equal(to(0, '192.168.1.8').port, 'a')
    assert.equal(to(0, '192.168.1.9').port, 'b')
    assert.deepEqual([to(0, '169.254.7.7').grade, to(0, '169.254.7.7').candidates], ['ambiguous', 2])
    clock.nowMs = T + 60_000
    await replica.putCloud(news(clock.nowMs, { ...BASE, ports: [a, c] }))
    replica.publish()
    assert.deepEqual([to(61_000, '169.254.7.7').port, to(61_000, '169.254.7.7').grade], ['a', 'mac'])
    replica.stop()
  })

  it('an iface-id that Neutron does not know: the port by its id, no server and no project made up', async () => {
    const { replica } = replicaAt(T)
    await replica.putCloud(news(T, { ...BASE, ports: [port('a', 'red', '192.168.1.8', MAC.a)] }))
    replica.putOvs('c0', ovsHost('c0', [{ ofport: 9, iface: 'nobody', tag: 1, network: 'red' }]), T)
    replica.publish()
    const { src } = resolve(replica.snapshot, { atMs: T, inIf: 9, src: '192.168.1.8' })
    assert.deepEqual([src.port, src.server, src.project, src.grade], ['nobody', '', '', 'port_unverified'])
    replica.stop()
  })

  it('tag 4095: the dead VLAN is no network, and a port on it keeps being itself', async () => {
    const { replica } = replicaAt(T)
    await replica.putCloud(
      news(T, { ...BASE, ports: [port('a', 'red', '192.168.1.8', MAC.a), port('b', 'blue', '192.168.1.8', MAC.b)] }),
    )
    const plugs = [
      { ofport: 5, iface: 'a', tag: 4095, network: 'red' },
      { ofport: 6, iface: 'b', tag: 4095, network: 'blue' },
      { name: 'eth0', ofport: 1 },
    ]
    replica.putOvs('c0', ovsHost('c0', plugs), T)
    replica.publish()
    const own = resolve(replica.snapshot, { atMs: T, inIf: 5, src: '192.168.1.8' }).src
    assert.deepEqual([own.port, own.grade], ['a', 'port'])
    const dead = {
      protocol: 'sflow5',
      atMs: T,
      inIf: 101,
      vlan: 4095,
      src: '192.168.1.77',
      dst: '192.168.1.8',
    } as const
    assert.equal(resolve(replica.snapshot, dead).dst.port, '')
    replica.stop()
  })

  it('two hosts that claim one port: each record is of it where it was seen, the binding names neither wrongly', async () => {
    const { replica, clock } = replicaAt(T)
    const bound = port('a', 'red', '192.168.1.8', MAC.a, { 'binding:host_id': 'elsewhere' })
    await replica.putCloud(news(T, { ...BASE, ports: [bound] }))
    const plug = [{ ofport: 5, iface: 'a', tag: 1, network: 'red' }]
    for (const host of ['c0', 'c1']) replica.putOvs(host, ovsHost(host, plug), T)
    replica.publish()
    for (const host of ['c0', 'c1'])
      assert.equal(resolve(replica.snapshot, { host, atMs: T, inIf: 5, src: '192.168.1.8' }).src.grade, 'port', host)
    clock.nowMs = T + 10_000
    replica.putOvs('c0', ovsHost('c0', []), clock.nowMs)
    replica.publish()
    assert.equal(resolve(replica.snapshot, { host: 'c0', atMs: T + 11_000, inIf: 5 }).src.port, '')
    assert.equal(resolve(replica.snapshot, { host: 'c1', atMs: T + 11_000, inIf: 5, src: '192.168.1.8' }).src.port, 'a')
    replica.stop()
  })
})
