/** Every rule of time, by situation: who had it when. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Replica } from '../../src/identity/replica/replica.ts'
import { HOSTS, network, news, ovsHost, port, resolve, server, subnet } from './replica-cloud.ts'

const T = Date.parse('2026-01-01T12:00:00Z')
const MINUTE = 60_000
const MAC = { a: 'fa:16:3e:00:00:0a', b: 'fa:16:3e:00:00:0b', c: 'fa:16:3e:00:00:0c', r: 'fa:16:3e:00:00:f0' }

const BASE = {
  hosts: HOSTS,
  networks: [network('red'), network('blue'), network('out', { 'router:external': true })],
  subnets: [subnet('red', '192.168.1.0/24'), subnet('blue', '192.168.1.0/24'), subnet('out', '203.0.113.0/24')],
  servers: [server('a'), server('b')],
  ports: [port('a', 'red', '192.168.1.8', MAC.a), port('b', 'red', '192.168.1.9', MAC.b)],
}

function replicaAt(nowMs: number): { replica: Replica; clock: { nowMs: number } } {
  const clock = { nowMs }
  return { replica: new Replica(() => {}, { now: () => clock.nowMs, gatherMs: 1e9 }), clock }
}

describe('who had it when', () => {
  it('ofport reused: records from before the change are of the old port, those after it of the new one', async () => {
    const { replica, clock } = replicaAt(T)
    await replica.putCloud(news(T, BASE))
    replica.putOvs('c0', ovsHost('c0', [{ ofport: 5, iface: 'a', tag: 1, network: 'red' }]), T)
    replica.publish()
    clock.nowMs = T + 10_000
    replica.putOvs('c0', ovsHost('c0', []), clock.nowMs)
    clock.nowMs = T + 20_000
    replica.putOvs('c0', ovsHost('c0', [{ ofport: 5, iface: 'b', tag: 1, network: 'red' }]), clock.nowMs)
    replica.publish()
    const at = (ms: number, src: string) => resolve(replica.snapshot, { atMs: T + ms, inIf: 5, src }).src
    assert.deepEqual(at(-5_000, '192.168.1.8').port, 'a')
    assert.deepEqual(at(9_999, '192.168.1.8'), { ...at(-5_000, '192.168.1.8') })
    assert.equal(at(15_000, '192.168.1.8').grade, 'unknown')
    assert.equal(at(20_000, '192.168.1.9').port, 'b')
    assert.equal(at(20_000, '192.168.1.9').grade, 'port')
    replica.stop()
  })

  it('tag swapped after reconnect: while the host was not heard both networks are possible, none is picked', async () => {
    const { replica, clock } = replicaAt(T)
    await replica.putCloud(
      news(T, { ...BASE, ports: [port('a', 'red', '192.168.1.8', MAC.a), port('b', 'blue', '192.168.1.8', MAC.b)] }),
    )
    const tagged = (red: number, blue: number) =>
      ovsHost('c0', [
        { ofport: 5, iface: 'a', tag: red, network: 'red' },
        { ofport: 6, iface: 'b', tag: blue, network: 'blue' },
        { name: 'eth0', ofport: 1 },
      ])
    replica.putOvs('c0', tagged(1, 2), T)
    replica.publish()
    clock.nowMs = T + MINUTE
    replica.putOvs('c0', tagged(2, 1), clock.nowMs, T + 30_000)
    replica.publish()
    const at = (ms: number) =>
      resolve(replica.snapshot, { atMs: T + ms, inIf: 1, vlan: 1, dst: '192.168.1.8', protocol: 'sflow5' }).dst.port
    const onNic = (ms: number) =>
      resolve(replica.snapshot, {
        atMs: T + ms,
        inIf: 101,
        vlan: 1,
        src: '192.168.1.77',
        dst: '192.168.1.8',
        protocol: 'sflow5',
      }).dst
    assert.equal(onNic(10_000).port, 'a')
    assert.equal(onNic(MINUTE).port, 'b')
    assert.equal(onNic(45_000).port, '')
    assert.equal(at(10_000), '')
    replica.stop()
  })

  it('floating IP moved: each record goes to the server that had it at that time', async () => {
    const { replica, clock } = replicaAt(T)
    const floating = (portId: string, updated: string) => ({
      id: 'f',
      floating_ip_address: '203.0.113.7',
      port_id: portId,
      floating_network_id: 'out',
      project_id: 'p-red',
      updated_at: updated,
    })
    const gateway = port('g', 'out', '203.0.113.1', MAC.r, {
      device_owner: 'network:router_gateway',
      device_id: 'r1',
    })
    const leg = port('l', 'red', '192.168.1.1', MAC.c, { device_owner: 'network:router_interface', device_id: 'r1' })
    const more = {
      ...BASE,
      ports: [...BASE.ports, gateway, leg],
      routers: [{ id: 'r1', external_gateway_info: { network_id: 'out' } }],
    }
    await replica.putCloud(news(T, { ...more, floatingips: [floating('a', '')] }))
    replica.putOvs(
      'c0',
      ovsHost('c0', [
        { name: 'eth0', ofport: 1 },
        { ofport: 9, iface: 'g', name: 'qg-g' },
      ]),
      T,
    )
    replica.publish()
    // Told at the next poll, with the time at which it happened.
    clock.nowMs = T + 30_000
    const changed = news(clock.nowMs, { floatingips: [floating('b', '2026-01-01T12:00:12Z')] }, { whole: false })
    await replica.putCloud(changed)
    replica.publish()
    const to = (ms: number) =>
      resolve(replica.snapshot, { atMs: T + ms, inIf: 9, dst: '203.0.113.7', src: '8.8.8.8' }).dst
    assert.deepEqual([to(11_000).port, to(11_000).grade], ['a', 'floating'])
    assert.deepEqual([to(12_000).port, to(12_000).grade], ['b', 'floating'])
    assert.equal(to(11_000).server, 'server-a')
    replica.stop()
  })

  it('address given to a new server: its first records are not those of the old one', async () => {
    const { replica, clock } = replicaAt(T)
    await replica.putCloud(news(T, BASE))
    replica.putOvs('c0', ovsHost('c0', [{ ofport: 6, iface: 'b', tag: 1, network: 'red' }]), T)
    replica.publish()
    clock.nowMs = T + MINUTE
    const next = port('c', 'red', '192.168.1.8', MAC.c, { updated_at: '2026-01-01T12:00:40Z' })
    await replica.putCloud(
      news(clock.nowMs, { ...BASE, servers: [server('b'), server('c')], ports: [BASE.ports[1]!, next] }),
    )
    replica.publish()
    const to = (ms: number) =>
      resolve(replica.snapshot, { atMs: T + ms, inIf: 6, src: '192.168.1.9', dst: '192.168.1.8' }).dst
    assert.equal(to(10_000).server, 'server-a')
    assert.equal(to(MINUTE).server, 'server-c')
    // Between the new one's beginning and the list that lacks the old one nobody knows.
    assert.deepEqual([to(50_000).grade, to(50_000).candidates], ['ambiguous', 2])
    replica.stop()
  })

  it('migration: two hosts claim the port, each record is of it where it was seen', async () => {
    const { replica, clock } = replicaAt(T)
    await replica.putCloud(news(T, BASE))
    const plug = [{ ofport: 5, iface: 'a', tag: 1, network: 'red' }]
    replica.putOvs('c0', ovsHost('c0', plug), T)
    replica.putOvs('c1', ovsHost('c1', []), T)
    replica.publish()
    clock.nowMs = T + 10_000
    replica.putOvs('c1', ovsHost('c1', plug), clock.nowMs)
    replica.publish()
    for (const host of ['c0', 'c1']) {
      const { src } = resolve(replica.snapshot, { host, atMs: T + 11_000, inIf: 5, src: '192.168.1.8' })
      assert.deepEqual([src.port, src.grade], ['a', 'port'], host)
    }
    clock.nowMs = T + 20_000
    replica.putOvs('c0', ovsHost('c0', []), clock.nowMs)
    replica.publish()
    const late = resolve(replica.snapshot, { host: 'c0', atMs: T + 19_000, inIf: 5, src: '192.168.1.8' }).src
    assert.deepEqual([late.port, late.grade], ['a', 'port'])
    assert.equal(resolve(replica.snapshot, { host: 'c0', atMs: T + 21_000, inIf: 5 }).src.grade, 'unknown')
    replica.stop()
  })

  it('trunk subport: it is the server of the trunk while it is in the trunk', async () => {
    const { replica, clock } = replicaAt(T)
    const sub = port('s', 'blue', '192.168.1.50', MAC.c, { device_owner: 'trunk:subport', device_id: '' })
    const trunk = (subs: object[]) => ({ id: 't', port_id: 'a', sub_ports: subs })
    const cloud = { ...BASE, ports: [...BASE.ports, sub] }
    const inTrunk = { port_id: 's', segmentation_type: 'vlan', segmentation_id: 100 }
    await replica.putCloud(news(T, { ...cloud, trunks: [trunk([inTrunk])] }))
    replica.putOvs('c0', ovsHost('c0', [{ ofport: 5, iface: 'a' }]), T)
    replica.publish()
    const at = (ms: number) =>
      resolve(replica.snapshot, { atMs: T + ms, inIf: 105, vlan: 100, src: '192.168.1.50', protocol: 'sflow5' }).src
    assert.deepEqual([at(1_000).port, at(1_000).server], ['s', 'server-a'])
    clock.nowMs = T + MINUTE
    await replica.putCloud(news(clock.nowMs, { ...cloud, trunks: [trunk([])] }))
    replica.publish()
    assert.deepEqual([at(1_000).port, at(1_000).server], ['s', 'server-a'])
    assert.equal(at(MINUTE + 1).port, 'a')
    replica.stop()
  })

  it('port that OVSDB tells before Neutron: known by its interface at once, and by name for its first records too', async () => {
    const { replica, clock } = replicaAt(T)
    await replica.putCloud(news(T, BASE))
    replica.putOvs('c0', ovsHost('c0', []), T)
    replica.publish()
    clock.nowMs = T + 5_000
    replica.putOvs('c0', ovsHost('c0', [{ ofport: 7, iface: 'c', tag: 1, network: 'red' }]), clock.nowMs)
    replica.publish()
    const at = () => resolve(replica.snapshot, { atMs: T + 6_000, inIf: 7, src: '192.168.1.30' }).src
    assert.deepEqual([at().port, at().server], ['c', ''])
    clock.nowMs = T + 30_000
    const told = port('c', 'red', '192.168.1.30', MAC.c, { updated_at: '2026-01-01T12:00:08Z' })
    await replica.putCloud(news(clock.nowMs, { ports: [told], servers: [server('c')] }, { whole: false }))
    replica.publish()
    assert.deepEqual([at().port, at().server, at().grade], ['c', 'server-c', 'port'])
    replica.stop()
  })

  it('history is forgotten after the grace', async () => {
    const { replica, clock } = replicaAt(T)
    await replica.putCloud(news(T, BASE))
    replica.putOvs('c0', ovsHost('c0', [{ ofport: 5, iface: 'a' }]), T)
    replica.publish()
    clock.nowMs = T + MINUTE
    replica.putOvs('c0', ovsHost('c0', [{ ofport: 5, iface: 'b' }]), clock.nowMs)
    replica.publish()
    assert.equal(replica.ledger.size, 1)
    clock.nowMs = T + 12 * MINUTE
    replica.publish()
    assert.equal(replica.ledger.size, 0)
    replica.stop()
  })
})
