/** Situations that operators of OpenStack meet, each through the live replica. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Replica } from '../../src/identity/replica/replica.ts'
import type { OvsHost } from '../../src/identity/sources/ovsdb/host.ts'
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
const SECOND = 1_000
const MAC = {
  a: 'fa:16:3e:00:00:0a',
  b: 'fa:16:3e:00:00:0b',
  c: 'fa:16:3e:00:00:0c',
  leg: 'fa:16:3e:00:00:f1',
  far: 'fa:16:3e:00:00:0d',
}
const plug = (iface: string, ofport: number, id = 'red'): Plug => ({ iface, ofport, tag: 1, network: id })

/** What is told at T, and the replica that has it. */
async function cloudOf(given: Parameters<typeof news>[1], hosts: Readonly<Record<string, OvsHost>>) {
  const clock = { nowMs: T }
  const replica = new Replica(() => {}, { now: () => clock.nowMs, gatherMs: 1e9 })
  const base = { hosts: HOSTS, networks: [network('red')], subnets: [subnet('red', '192.168.1.0/24')] }
  await replica.putCloud(news(T, { ...base, ...given }))
  for (const [name, host] of Object.entries(hosts)) replica.putOvs(name, host, T)
  replica.publish()
  const seen = (record: Partial<TestRecord>) => resolve(replica.snapshot, { atMs: clock.nowMs, ...record })
  return { replica, clock, seen, base }
}

/** A host whose bridge exports IPFIX at both ends. */
function withIpfix(host: OvsHost): OvsHost {
  const ipfix = {
    targets: ['t'],
    sampling: 1,
    observationDomain: 1,
    observationPoint: 1,
    virtualObsId: '',
    inputSampling: true,
    outputSampling: true,
  }
  return { ...host, bridges: host.bridges.map((bridge) => ({ ...bridge, netflow: undefined, ipfix })) }
}

describe('an operator’s cloud', () => {
  it('dual stack: a port is found by each of its addresses, in its network and beyond the router', async () => {
    const both = (id: string, on: string, v4: string, v6: string, mac: string) =>
      port(id, on, '', mac, { fixed_ips: [v4, v6].map((ip_address) => ({ subnet_id: '', ip_address })) })
    const leg = port('leg', 'blue', '192.168.2.1', MAC.leg, {
      device_owner: 'network:router_interface',
      device_id: 'r',
    })
    const { replica, clock, seen, base } = await cloudOf(
      {
        networks: [network('red'), network('blue')],
        ports: [
          both('a', 'red', '192.168.1.8', 'fd00:1::8', MAC.a),
          both('b', 'red', '192.168.1.9', 'fd00:1::9', MAC.b),
          both('c', 'blue', '192.168.2.9', 'fd00:2::9', MAC.c),
          leg,
        ],
        routers: [{ id: 'r', name: 'r', project_id: 'p' }],
      },
      { c0: ovsHost('c0', [plug('a', 5)]) },
    )
    const to = (src: string, dst: string) => {
      const ends = seen({ inIf: 5, src, dst })
      return [ends.src.grade, ends.dst.port]
    }
    assert.deepEqual(to('192.168.1.8', '192.168.1.9'), ['port', 'b'])
    assert.deepEqual(to('fd00:1::8', 'fd00:1::9'), ['port', 'b'])
    assert.deepEqual(to('fd00:1::8', 'fd00:2::9'), ['port', ''])
    // The router gets a port on the other network as well.
    clock.nowMs = T + SECOND
    const other = port('leg-2', 'red', '192.168.1.1', MAC.far, {
      device_owner: 'network:router_interface',
      device_id: 'r',
    })
    await replica.putCloud(news(clock.nowMs, { ...base, ports: [other] }, { whole: false }))
    replica.publish()
    assert.equal(replica.laidOut, 1)
    assert.deepEqual(to('fd00:1::8', 'fd00:2::9'), ['port', 'c'])
    assert.deepEqual(to('192.168.1.8', '192.168.2.9'), ['port', 'c'])
    replica.stop()
  })

  it('resized within a second: each record is at the host that saw it, also where both had the port for a moment', async () => {
    const at = (host: string) => port('a', 'red', '192.168.1.8', MAC.a, { 'binding:host_id': host })
    const { replica, clock, base } = await cloudOf(
      { ports: [at('c0')], servers: [server('a')] },
      { c0: ovsHost('c0', [plug('a', 5)]), c1: ovsHost('c1', []) },
    )
    clock.nowMs = T + SECOND
    replica.putOvs('c1', ovsHost('c1', [plug('a', 9)]), T + 400)
    await replica.putCloud(news(T + 600, { ...base, ports: [at('c1')] }, { whole: false }))
    replica.putOvs('c0', ovsHost('c0', []), T + 800)
    replica.publish()
    const from = (host: string, inIf: number, ms: number) => {
      const { src } = resolve(replica.snapshot, { host, inIf, atMs: T + ms, src: '192.168.1.8', dst: '192.168.1.9' })
      return [src.server, src.grade]
    }
    assert.deepEqual(from('c0', 5, 300), ['server-a', 'port'])
    assert.deepEqual(from('c0', 5, 700), ['server-a', 'port'])
    assert.deepEqual(from('c1', 9, 500), ['server-a', 'port'])
    assert.deepEqual(from('c1', 9, 900), ['server-a', 'port'])
    assert.equal(from('c0', 5, 900)[0], '')
    replica.stop()
  })

  it('a network shared with another project: each end has the project of its own port', async () => {
    const { seen, replica } = await cloudOf(
      {
        networks: [network('red', { project_id: 'p-owner', shared: true })],
        ports: [
          port('a', 'red', '192.168.1.8', MAC.a, { project_id: 'p-one' }),
          port('b', 'red', '192.168.1.9', MAC.b, { project_id: 'p-two' }),
        ],
      },
      { c0: ovsHost('c0', [plug('a', 5), plug('b', 6)]) },
    )
    const { src, dst } = seen({ inIf: 5, src: '192.168.1.8', dst: '192.168.1.9' })
    assert.deepEqual([src.project, dst.project], ['p-one', 'p-two'])
    replica.stop()
  })

  it('SR-IOV: what a virtual function sends no bridge reports, so that it is counted where it arrives', async () => {
    const direct = { 'binding:host_id': 'c1', 'binding:vnic_type': 'direct' }
    const { replica, clock, base } = await cloudOf(
      {
        ports: [
          port('a', 'red', '192.168.1.8', MAC.a),
          port('b', 'red', '192.168.1.9', MAC.b, direct),
          port('c', 'red', '192.168.1.10', MAC.c, { 'binding:host_id': 'c1' }),
        ],
      },
      { c0: withIpfix(ovsHost('c0', [plug('a', 5)])), c1: withIpfix(ovsHost('c1', [plug('c', 7)])) },
    )
    const arrives = (srcMac: string, src: string) => {
      const [one] = answers(replica.snapshot, [
        {
          atMs: clock.nowMs,
          protocol: 'ipfix',
          egress: true,
          outName: 'tapa',
          srcMac,
          src,
          dstMac: MAC.a,
          dst: '192.168.1.8',
        },
      ])
      return [one!.src.port, one!.role, ...one!.counts]
    }
    assert.deepEqual(arrives(MAC.b, '192.168.1.9'), ['b', 'received', 0, 1, 1])
    assert.deepEqual(arrives(MAC.c, '192.168.1.10'), ['c', 'received', 0, 1, 0])
    // A port that comes later is no different, nor after the host's exports have changed.
    clock.nowMs = T + SECOND
    const later = port('d', 'red', '192.168.1.11', MAC.far, direct)
    await replica.putCloud(news(clock.nowMs, { ...base, ports: [later] }, { whole: false }))
    const c1 = withIpfix(ovsHost('c1', [plug('c', 7)]))
    replica.putOvs(
      'c1',
      { ...c1, bridges: c1.bridges.map((bridge) => ({ ...bridge, ipfix: { ...bridge.ipfix!, sampling: 8 } })) },
      clock.nowMs,
    )
    replica.publish()
    assert.equal(replica.laidOut, 1)
    assert.deepEqual(arrives(MAC.far, '192.168.1.11'), ['d', 'received', 0, 1, 1])
    assert.deepEqual(arrives(MAC.b, '192.168.1.9'), ['b', 'received', 0, 1, 1])
    replica.stop()
  })

  it('port security off: a source that is not its own is the port’s, unverified, and names nobody whose address it is', async () => {
    const { seen, replica } = await cloudOf(
      { ports: [port('a', 'red', '192.168.1.8', MAC.a), port('b', 'red', '192.168.1.9', MAC.b)] },
      { c0: ovsHost('c0', [plug('a', 5), plug('b', 6)]) },
    )
    for (const src of ['192.168.1.9', '8.8.8.8']) {
      const end = seen({ inIf: 5, src, dst: '192.168.1.9' }).src
      assert.deepEqual([end.port, end.grade], ['a', 'port_unverified'])
    }
    replica.stop()
  })

  it('Octavia: who has the virtual address is the amphora whose MAC the frame has, before and after it fails over', async () => {
    const pair = { allowed_address_pairs: [{ ip_address: '192.168.1.100' }] }
    const { seen, replica } = await cloudOf(
      {
        ports: [
          port('a', 'red', '192.168.1.8', MAC.a, pair),
          port('b', 'red', '192.168.1.9', MAC.b, pair),
          port('c', 'red', '192.168.1.10', MAC.c),
          // Octavia's own port of the address, which is plugged nowhere.
          port('vip', 'red', '192.168.1.100', MAC.far, {
            device_owner: 'Octavia',
            device_id: 'lb-1',
            'binding:host_id': '',
          }),
        ],
      },
      { c0: ovsHost('c0', [plug('a', 5), plug('b', 6), plug('c', 7)]) },
    )
    const to = (dstMac: string) =>
      seen({ protocol: 'ipfix', inName: 'tapc', srcMac: MAC.c, src: '192.168.1.10', dstMac, dst: '192.168.1.100' }).dst
        .port
    assert.deepEqual([to(MAC.a), to(MAC.b)], ['a', 'b'])
    replica.stop()
  })

  it('IPv6 on the link: neighbours by their MAC, groups as groups, metadata as the service that it is', async () => {
    const { seen, replica } = await cloudOf(
      { ports: [port('a', 'red', 'fd00::8', MAC.a), port('b', 'red', 'fd00::9', MAC.b)] },
      { c0: ovsHost('c0', [plug('a', 5), plug('b', 6)]) },
    )
    const from = { protocol: 'ipfix' as const, inName: 'tapa', srcMac: MAC.a, src: 'fe80::f816:3eff:fe00:a' }
    const near = seen({ ...from, dstMac: MAC.b, dst: 'fe80::f816:3eff:fe00:b' })
    assert.deepEqual([near.src.port, near.src.grade, near.dst.port, near.dst.grade], ['a', 'port', 'b', 'mac'])
    assert.equal(seen({ ...from, dstMac: '33:33:ff:00:00:0b', dst: 'ff02::1:ff00:b' }).dst.evidence, 'group_address')
    const metadata = seen({ ...from, dst: 'fe80::a9fe:a9fe' }).dst
    assert.deepEqual([metadata.grade, metadata.evidence], ['infrastructure', 'network_address'])
    assert.equal(seen({ ...from, dst: 'fe80::1' }).dst.grade, 'unknown')
    replica.stop()
  })
})
