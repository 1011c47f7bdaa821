/** Rules of resolution, each by the situation that needs it, through the live replica; replica-time.test.ts has those of time. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { Replica } from '../../src/identity/replica/replica.ts'
import type { OvsHost } from '../../src/identity/sources/ovsdb/host.ts'
import { ROOT } from '../paths.ts'
import {
  HOSTS,
  HOST_ADDRESS,
  network,
  news,
  ovsHost,
  port,
  resolve,
  sections,
  server,
  subnet,
} from './replica-cloud.ts'

const T = Date.parse('2026-01-01T12:00:00Z')
const MINUTE = 60_000
const VNI = { red: 1010, blue: 1020, green: 1030 }
const MAC = {
  a: 'fa:16:3e:00:00:0a',
  b: 'fa:16:3e:00:00:0b',
  c: 'fa:16:3e:00:00:0c',
  d: 'fa:16:3e:00:00:0d',
  leg: 'fa:16:3e:00:00:f1',
  otherLeg: 'fa:16:3e:00:00:f2',
  gateway: 'fa:16:3e:00:00:f3',
  dvrOfC0: 'fa:16:3f:00:00:c0',
}

const tenant = (id: keyof typeof VNI) => network(id, { 'provider:segmentation_id': VNI[id] })
const NETWORKS = [tenant('red'), tenant('blue'), tenant('green'), network('out', { 'router:external': true })]
const SUBNETS = [
  subnet('red', '192.168.1.0/24'),
  subnet('blue', '192.168.1.0/24'),
  subnet('green', '192.168.2.0/24'),
  subnet('out', '203.0.113.0/24'),
]
const BASE = { hosts: HOSTS, networks: NETWORKS, subnets: SUBNETS }
const leg = (id: string, on: string, address: string, mac: string, router: string, owner = 'router_interface') =>
  port(id, on, address, mac, { device_owner: `network:${owner}`, device_id: router, project_id: '' })
const servers = (...ids: string[]) => ids.map((id) => server(id))

function replicaAt(nowMs: number): { replica: Replica; clock: { nowMs: number } } {
  const clock = { nowMs }
  return { replica: new Replica(() => {}, { now: () => clock.nowMs, gatherMs: 1e9 }), clock }
}

/** A host with br-int and with br-tun, whose port 2 is the tunnel to the other host. */
function twoBridges(name: 'c0' | 'c1', plugs: Parameters<typeof ovsHost>[1], bridge = 'br-tun'): OvsHost {
  const other = name === 'c0' ? 'c1' : 'c0'
  const options = { local_ip: HOST_ADDRESS[name]!, remote_ip: HOST_ADDRESS[other]! }
  const tunnel = ovsHost(name, [{ name: `vxlan-${other}`, ofport: 2, type: 'vxlan', options }], bridge)
  const host = ovsHost(name, plugs)
  return { ...host, bridges: [{ ...host.bridges[0]!, netflow: undefined }, ...tunnel.bridges] }
}

describe('rules of resolution', () => {
  it('DVR MAC: what comes by a tunnel from a distributed router’s host is who has the address at that time', async () => {
    const { replica, clock } = replicaAt(T)
    const distributed = (id: string, on: string, address: string, mac: string) =>
      leg(id, on, address, mac, 'r', 'router_interface_distributed')
    const legs = [
      distributed('l1', 'red', '192.168.1.1', MAC.leg),
      distributed('l2', 'green', '192.168.2.1', MAC.otherLeg),
    ]
    const a = port('a', 'red', '192.168.1.8', MAC.a)
    const b = port('b', 'green', '192.168.2.9', MAC.b, { 'binding:host_id': 'c1' })
    const routers = [{ id: 'r', name: 'r', project_id: 'p-red', distributed: true }]
    await replica.putCloud(news(T, { ...BASE, routers, ports: [a, b, ...legs], servers: servers('a', 'b') }))
    // The router's port has one id and one MAC on both hosts.
    const onBoth = { ofport: 8, iface: 'l2', name: 'qr-l2', network: 'green' }
    replica.putOvs('c0', twoBridges('c0', [{ ofport: 5, iface: 'a', tag: 1, network: 'red' }, onBoth]), T)
    replica.putOvs('c1', twoBridges('c1', [{ ofport: 5, iface: 'b', tag: 2, network: 'green' }, onBoth]), T)
    replica.publish()
    // br-tun of c0 has put its own MAC in the place of the router's.
    const at = (ms: number) =>
      resolve(replica.snapshot, {
        protocol: 'sflow5',
        host: 'c1',
        atMs: T + ms,
        vni: VNI.green,
        tunnelSrc: HOST_ADDRESS['c0']!,
        tunnelDst: HOST_ADDRESS['c1']!,
        srcMac: MAC.dvrOfC0,
        dstMac: MAC.b,
        src: '192.168.1.8',
        dst: '192.168.2.9',
      })
    const told = ({ port: id, grade, evidence }: ReturnType<typeof at>['src']) => [id, grade, evidence]
    assert.deepEqual(told(at(0).src), ['a', 'address', 'routing_domain_address'])
    assert.deepEqual(told(at(0).dst), ['b', 'mac', 'network_mac'])
    clock.nowMs = T + MINUTE
    const c = port('c', 'red', '192.168.1.8', MAC.c, { updated_at: '2026-01-01T12:01:00Z' })
    await replica.putCloud(news(clock.nowMs, { ...BASE, routers, ports: [b, c, ...legs], servers: servers('b', 'c') }))
    replica.publish()
    assert.deepEqual([at(MINUTE - 1).src.server, at(MINUTE + 1).src.server], ['server-a', 'server-c'])
    replica.stop()
  })

  it('SNAT: behind the address are the project and the router that have it at that time, no server', async () => {
    const { replica, clock } = replicaAt(T)
    const router = (id: string, project: string) => ({
      id,
      name: id,
      project_id: project,
      external_gateway_info: { network_id: 'out' },
    })
    const routers = [router('r1', 'p-red'), router('r2', 'p-blue')]
    const gateway = (id: string, owner: string) => leg(id, 'out', '203.0.113.5', MAC.gateway, owner, 'router_gateway')
    const legs = [leg('l1', 'red', '192.168.1.1', MAC.leg, 'r1'), leg('l2', 'blue', '192.168.1.1', MAC.otherLeg, 'r2')]
    const ports = [port('a', 'red', '192.168.1.8', MAC.a), ...legs]
    await replica.putCloud(news(T, { ...BASE, routers, ports: [...ports, gateway('g1', 'r1')], servers: servers('a') }))
    const external = ovsHost(
      'c0',
      [
        { name: 'eth1', ofport: 3 },
        { name: 'qg-g1', ofport: 4, iface: 'g1' },
      ],
      'br-ex',
    )
    replica.putOvs('c0', external, T)
    replica.publish()
    const from = (ms: number) =>
      resolve(replica.snapshot, { atMs: T + ms, inIf: 4, src: '203.0.113.5', dst: '8.8.8.8' }).src
    const told = (ms: number) => [from(ms).grade, from(ms).router, from(ms).project, from(ms).server, from(ms).port]
    assert.deepEqual(told(0), ['snat', 'r1', 'p-red', '', 'g1'])
    // The first router gives the address up, and the other one takes it.
    clock.nowMs = T + MINUTE
    await replica.putCloud(
      news(clock.nowMs, { ...BASE, routers, ports: [...ports, gateway('g2', 'r2')], servers: servers('a') }),
    )
    const moved = ovsHost(
      'c0',
      [
        { name: 'eth1', ofport: 3 },
        { name: 'qg-g2', ofport: 4, iface: 'g2' },
      ],
      'br-ex',
    )
    replica.putOvs('c0', moved, clock.nowMs)
    replica.publish()
    assert.deepEqual(told(MINUTE - 1), ['snat', 'r1', 'p-red', '', 'g1'])
    assert.deepEqual(told(MINUTE), ['snat', 'r2', 'p-blue', '', 'g2'])
    replica.stop()
  })

  it('allowed pair: an address is a port’s own from when the pair was given; who of several has it only a MAC tells', async () => {
    const { replica, clock } = replicaAt(T)
    const pair = { allowed_address_pairs: [{ ip_address: '192.168.1.100' }] }
    const told = { ...pair, updated_at: '2026-01-01T12:00:30Z' }
    const of = (more: object) => [
      port('a', 'red', '192.168.1.8', MAC.a, more),
      port('b', 'red', '192.168.1.9', MAC.b, more),
      port('c', 'red', '192.168.1.10', MAC.c),
    ]
    await replica.putCloud(news(T, { ...BASE, ports: of({}), servers: servers('a', 'b', 'c') }))
    const plugs = ['a', 'b', 'c'].map((iface, i) => ({ ofport: 5 + i, iface, tag: 1, network: 'red' }))
    replica.putOvs('c0', ovsHost('c0', plugs), T)
    replica.publish()
    clock.nowMs = T + MINUTE
    await replica.putCloud(news(clock.nowMs, { ports: of(told) }, { whole: false }))
    replica.publish()
    const from = (ms: number) =>
      resolve(replica.snapshot, { atMs: T + ms, inIf: 5, src: '192.168.1.100', dst: '192.168.1.10' }).src
    assert.deepEqual([from(29_000).port, from(29_000).grade], ['a', 'port_unverified'])
    assert.deepEqual([from(31_000).port, from(31_000).grade], ['a', 'port'])
    const to = (ms: number, dstMac?: string) =>
      resolve(replica.snapshot, {
        protocol: dstMac === undefined ? 'netflow5' : 'sflow5',
        atMs: T + ms,
        inIf: dstMac === undefined ? 7 : 107,
        src: '192.168.1.10',
        dst: '192.168.1.100',
        ...(dstMac === undefined ? {} : { dstMac, srcMac: MAC.c }),
      }).dst
    assert.deepEqual([to(31_000).grade, to(31_000).candidates, to(31_000).port], ['ambiguous', 2, ''])
    assert.deepEqual([to(31_000, MAC.b).port, to(31_000, MAC.b).grade], ['b', 'mac'])
    assert.equal(to(29_000).port, '')
    replica.stop()
  })

  it('ambiguous on br-tun: two tenants with the same addresses at the same two hosts, until one of them is gone', async () => {
    const { replica, clock } = replicaAt(T)
    const at = (host: string) => ({ 'binding:host_id': host })
    const ports = [
      port('a', 'red', '192.168.1.8', MAC.a, at('c0')),
      port('b', 'red', '192.168.1.9', MAC.b, at('c1')),
      port('c', 'blue', '192.168.1.8', MAC.c, at('c0')),
      port('d', 'blue', '192.168.1.9', MAC.d, at('c1')),
    ]
    await replica.putCloud(news(T, { ...BASE, ports, servers: servers('a', 'b', 'c', 'd') }))
    const plugged = (red: string, blue?: string) => [
      { ofport: 5, iface: red, tag: 1, network: 'red' },
      ...(blue === undefined ? [] : [{ ofport: 6, iface: blue, tag: 2, network: 'blue' }]),
    ]
    replica.putOvs('c0', twoBridges('c0', plugged('a', 'c')), T)
    replica.putOvs('c1', twoBridges('c1', plugged('b', 'd')), T)
    replica.publish()
    // NetFlow of the receiver's br-tun: neither VNI nor MAC, only the tunnel and two addresses.
    const seen = (ms: number) =>
      resolve(replica.snapshot, { host: 'c1', atMs: T + ms, inIf: 2, src: '192.168.1.8', dst: '192.168.1.9' })
    const told = (ms: number) => [seen(ms).src, seen(ms).dst].map((end) => [end.grade, end.port, end.candidates])
    assert.deepEqual(told(0), [
      ['ambiguous', '', 2],
      ['ambiguous', '', 2],
    ])
    clock.nowMs = T + MINUTE
    await replica.putCloud(news(clock.nowMs, { ...BASE, ports: ports.slice(0, 2), servers: servers('a', 'b') }))
    replica.putOvs('c0', twoBridges('c0', plugged('a')), clock.nowMs)
    replica.putOvs('c1', twoBridges('c1', plugged('b')), clock.nowMs)
    replica.publish()
    assert.deepEqual(told(MINUTE + 1), [
      ['address', 'a', 0],
      ['address', 'b', 0],
    ])
    assert.equal(told(0)[0]![0], 'ambiguous')
    replica.stop()
  })

  it('OVN tunnel key: a key of a datapath that is another network’s segmentation id leads to nobody of that network', async () => {
    const { replica } = replicaAt(T)
    const at = (host: string) => ({ 'binding:host_id': host })
    const ports = [
      port('a', 'red', '192.168.1.8', MAC.a, at('c0')),
      port('b', 'red', '192.168.1.9', MAC.b, at('c1')),
      port('d', 'blue', '192.168.1.9', MAC.d, at('c1')),
    ]
    // Neutron's OVN networks are Geneve ones with segmentation ids of their own, which no packet carries.
    const networks = (['red', 'blue'] as const).map((id) =>
      network(id, { 'provider:network_type': 'geneve', 'provider:segmentation_id': VNI[id] }),
    )
    await replica.putCloud(news(T, { ...BASE, networks, ports, servers: servers('a', 'b', 'd') }))
    const ovn = (name: 'c0' | 'c1', plugs: Parameters<typeof ovsHost>[1]): OvsHost => ({
      ...twoBridges(name, plugs),
      externalIds: new Map([['ovn-encap-ip', HOST_ADDRESS[name]!]]),
    })
    replica.putOvs('c0', ovn('c0', [{ ofport: 5, iface: 'a' }]), T)
    replica.putOvs(
      'c1',
      ovn('c1', [
        { ofport: 5, iface: 'b' },
        { ofport: 6, iface: 'd' },
      ]),
      T,
    )
    replica.publish()
    const tunnelled = { vni: VNI.blue, tunnel: 'geneve', tunnelSrc: HOST_ADDRESS['c0']! } as const
    const addresses = { src: '192.168.1.8', dst: '192.168.1.9' }
    const seen = (protocol: 'ipfix' | 'sflow5', macs: object) => {
      const record = { host: 'c1', atMs: T, ...tunnelled, ...addresses, ...macs, protocol } as const
      const { src, dst } = resolve(replica.snapshot, record)
      return [src.port, dst.port]
    }
    assert.deepEqual(seen('ipfix', { srcMac: MAC.a, dstMac: MAC.b }), ['a', 'b'])
    // What the southbound database says of the key decides, also where no MAC does.
    const counts = { ports: 0, networks: 0, hosts: 0 }
    const tunnelKeys = new Map([[VNI.blue, 'red']])
    await replica.putSouthbound({ whole: true, sections: sections({}), gonePorts: [], tunnelKeys, counts }, T)
    replica.publish()
    assert.deepEqual(seen('sflow5', { tunnelDst: HOST_ADDRESS['c1'] }), ['a', 'b'])
    replica.stop()
  })
})

describe('docs/identity.md', () => {
  it('names for each rule a test that is there', () => {
    const table = /\| situation[\s\S]*?\n\n/.exec(readFileSync(`${ROOT}docs/identity.md`, 'utf8'))![0]
    const rows = [...table.matchAll(/^\| ([^|]+?) +\|[^|]*\| `([^`]+)` +\|$/gm)].map(([, rule, file]) => [rule!, file!])
    assert.ok(rows.length >= 9, table)
    for (const [rule, file] of rows)
      assert.ok(readFileSync(`${ROOT}test/${file}`, 'utf8').includes(`it('${rule}:`), `${rule} in ${file}`)
  })
})
