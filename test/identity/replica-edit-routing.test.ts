/** Routers, their ports, floating IPs, trunks and what bridges export, edited in: as if laid out anew, here and in a copy. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Replica } from '../../src/identity/replica/replica.ts'
import { buildSnapshot } from '../../src/identity/snapshot/build.ts'
import { SnapshotCopy, SnapshotSender } from '../../src/identity/snapshot/copies.ts'
import type { IdentitySnapshot } from '../../src/identity/snapshot/snapshot.ts'
import type { OvsHost } from '../../src/identity/sources/ovsdb/host.ts'
import {
  answers,
  HOSTS,
  network,
  news,
  ovsHost,
  port,
  server,
  subnet,
  type Plug,
  type TestRecord,
} from './replica-cloud.ts'

const T = Date.parse('2026-01-01T12:00:00Z')
const STEP = 10_000
const STEPS = 60
const NETWORKS = ['n0', 'n1', 'n2', 'n3']
const ROUTERS = ['r0', 'r1']
const SERVERS = NETWORKS.flatMap((id, n) => [0, 1].map((k) => ({ id: `${id}-${k}`, network: id, n, k })))
/** It joins the trunk of n0-0, and leaves it. */
const SUBPORT = 'n1-0'
const FLOATING = ['203.0.113.50', '203.0.113.51']

/** The same numbers on each run. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** A cloud of four networks that two routers may join, with an outer one; each step changes one thing of it. */
class Cloud {
  readonly replica: Replica
  readonly clock = { nowMs: T }
  copy: IdentitySnapshot | undefined
  private readonly random: (below: number) => number
  private readonly legs = new Map<string, object>()
  private readonly gateways = new Map<string, object>()
  private readonly floating = new Map<string, object>()
  private readonly routers = new Map<string, object>(
    ROUTERS.map((id) => [id, { id, name: id, project_id: 'p-r', routes: [] }]),
  )
  private made = 0
  private readonly subports = new Map<string, number>()
  private readonly subnets = new Map(NETWORKS.map((id, n) => [id, [subnet(id, `10.0.${n}.0/24`)]]))
  private readonly ports = new Map<string, object>(SERVERS.map((one) => [one.id, this.serverPort(one)]))
  private readonly exports = new Map<string, number>([['c0', 0]])
  private projects = [{ id: 'p-n0', name: 'zero' }]

  constructor(seed: number) {
    this.random = numbers(seed)
    const sender = new SnapshotSender()
    const copies = new SnapshotCopy()
    this.replica = new Replica((snapshot) => (this.copy = copies.take(structuredClone(sender.next(snapshot)))), {
      now: () => this.clock.nowMs,
      gatherMs: 1e9,
    })
  }

  /** Tells the replica everything as it is now. */
  async tell(): Promise<void> {
    const external = network('ext', {
      'router:external': true,
      'provider:network_type': 'flat',
      'provider:physical_network': 'physnet1',
    })
    const trunk = {
      id: 't',
      name: 't',
      port_id: 'n0-0',
      sub_ports: [...this.subports].map(([port_id, segmentation_id]) => ({
        port_id,
        segmentation_id,
        segmentation_type: 'vlan',
      })),
    }
    await this.replica.putCloud(
      news(this.clock.nowMs, {
        hosts: HOSTS,
        projects: this.projects,
        networks: [...NETWORKS.map((id, n) => network(id, { 'provider:segmentation_id': 100 + n })), external],
        subnets: [...[...this.subnets.values()].flat(), subnet('ext', '203.0.113.0/24')],
        ports: [...this.ports.values(), ...this.legs.values(), ...this.gateways.values()],
        servers: SERVERS.map(({ id }) => server(id)),
        routers: [...this.routers.values()],
        floatingips: [...this.floating.values()],
        trunks: [trunk],
      }),
    )
    for (const [name, kind] of this.exports) this.replica.putOvs(name, this.host(name, kind), this.clock.nowMs)
    this.replica.publish()
  }

  /** One thing is different; what it was. */
  change(): string {
    const { random } = this
    const router = ROUTERS[random(ROUTERS.length)]!
    const id = NETWORKS[random(NETWORKS.length)]!
    const one = SERVERS[random(SERVERS.length)]!
    switch (random(9)) {
      case 0:
        return this.toggle(this.legs, `${router}-${id}`, (key) => this.leg(key, router, id))
      case 1:
        return this.toggle(this.gateways, `gw-${router}`, (key) => this.gateway(key, router))
      case 2:
        this.routers.set(router, {
          id: router,
          name: router,
          project_id: `p-${NETWORKS[random(2)]}`,
          external_gateway_info: random(2) === 0 ? null : { network_id: 'ext', enable_snat: random(2) === 0 },
          routes: random(3) === 0 ? [{ destination: '10.9.0.0/16', nexthop: '10.0.0.9' }] : [],
        })
        return `router ${router}`
      case 3: {
        const address = FLOATING[random(2)]!
        const to = random(3) === 0 ? '' : one.id
        if (random(4) === 0) this.floating.delete(address)
        else
          this.floating.set(address, {
            id: `f-${address}`,
            floating_ip_address: address,
            floating_network_id: 'ext',
            port_id: to,
            project_id: 'p-f',
          })
        return `floating ${address} ${to}`
      }
      case 4:
        if (this.subports.has(SUBPORT)) this.subports.delete(SUBPORT)
        else this.subports.set(SUBPORT, 7)
        return 'trunk'
      case 5:
        this.exports.set('c0', random(4))
        return 'exports of c0'
      case 6:
        this.exports.set('c1', random(4))
        return 'exports of c1'
      case 7:
        if (random(2) === 0) this.projects = [{ id: 'p-n0', name: `zero-${random(9)}` }]
        else this.subnets.set(id, random(2) === 0 ? [] : [subnet(id, `10.0.${NETWORKS.indexOf(id)}.0/24`)])
        return 'project or subnet'
      default:
        if (one.id.endsWith('-0') && one.n < 2) return 'nothing'
        this.ports.set(one.id, { ...this.serverPort(one), name: `named-${random(9)}` })
        return `port ${one.id}`
    }
  }

  /** What is gone comes back as another port: ids are never used again. */
  private toggle(all: Map<string, object>, name: string, make: (id: string) => object): string {
    const there = [...all.keys()].find((key) => key.startsWith(`${name}-`))
    if (there !== undefined) all.delete(there)
    else {
      const id = `${name}-${++this.made}`
      all.set(id, make(id))
    }
    return name
  }

  private serverPort({ id, network: of, n, k }: (typeof SERVERS)[number]): object {
    const second = { subnet_id: '', ip_address: `fd00::${n}:${k + 1}` }
    const first = { subnet_id: `sub-${of}`, ip_address: `10.0.${n}.${10 + k}` }
    // The trunk's port has the server, and its subport none of its own.
    const owner = id === SUBPORT ? { device_id: '', device_owner: 'trunk:subport' } : {}
    const more = { 'binding:host_id': `c${k}`, fixed_ips: [first, second], ...owner }
    return port(id, of, '', `fa:16:3e:00:0${n}:0${k}`, more)
  }

  private leg(key: string, router: string, id: string): object {
    const n = NETWORKS.indexOf(id)
    return port(key, id, `10.0.${n}.${1 + ROUTERS.indexOf(router)}`, `fa:16:3e:01:0${n}:0${ROUTERS.indexOf(router)}`, {
      device_owner: 'network:router_interface',
      device_id: router,
      'binding:host_id': 'c0',
    })
  }

  private gateway(key: string, router: string): object {
    const n = ROUTERS.indexOf(router)
    return port(key, 'ext', `203.0.113.${10 + n}`, `fa:16:3e:02:00:0${n}`, {
      device_owner: 'network:router_gateway',
      device_id: router,
      'binding:host_id': 'c0',
    })
  }

  /** A host with its servers' ports and, on c0, the routers'; `kind` is what its bridge exports. */
  private host(name: string, kind: number): OvsHost {
    const servers = SERVERS.filter(({ k }) => name === `c${k}`)
    const plugs = servers.map(({ id, n }): Plug => ({ ofport: 1 + n, iface: id, tag: 1 + n, network: `n${n}` }))
    const devices = name === 'c0' ? [...this.legs.keys()] : []
    const routers = devices.map((id, i): Plug => {
      const [, of = ''] = id.split('-')
      return {
        name: `qr-${id}`,
        ofport: 20 + i,
        iface: id,
        tag: 1 + NETWORKS.indexOf(of),
        network: of,
        type: 'internal',
      }
    })
    const tunnel: Plug = {
      name: 'vxlan0',
      ofport: 40,
      type: 'vxlan',
      options: { remote_ip: name === 'c0' ? '10.0.0.11' : '10.0.0.10' },
    }
    const host = ovsHost(name, [...plugs, ...routers, ...(kind === 3 ? [] : [tunnel])])
    const [bridge] = host.bridges
    const ipfix = {
      targets: ['t'],
      sampling: 64,
      observationDomain: 1,
      observationPoint: 2,
      virtualObsId: '',
      inputSampling: true,
      outputSampling: true,
    }
    return {
      ...host,
      bridges: [{ ...bridge!, ...(kind === 0 ? {} : { netflow: undefined }), ...(kind === 1 ? { ipfix } : {}) }],
    }
  }
}

const RECORDS: readonly TestRecord[] = [0, 1, 2, 3, 19, 20, 39].flatMap((inIf) =>
  [
    '10.0.0.10',
    '10.0.1.11',
    '10.0.2.10',
    '10.0.3.11',
    'fd00::2:1',
    '10.0.1.77',
    '203.0.113.10',
    '203.0.113.50',
    '203.0.113.51',
    '198.51.100.1',
  ].flatMap((dst): TestRecord[] => [
    { atMs: 0, inIf: 1 + inIf, src: `10.0.${inIf % 4}.10`, dst },
    { atMs: 0, inIf: 1 + inIf, src: dst, dst: '10.0.1.10', vlan: 7, protocol: 'ipfix', inName: 'tapn0-0' },
    { atMs: 0, inIf: 101 + inIf, src: dst, dst: `10.0.${inIf % 4}.11`, protocol: 'sflow5', host: 'c1' },
  ]),
)

describe('routers, floating IPs, trunks and exports that were edited in', () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    it(`are as if laid out anew (${seed})`, async () => {
      const cloud = new Cloud(seed)
      const { replica, clock } = cloud
      await cloud.tell()
      const told: string[] = []
      for (let step = 1; step <= STEPS; step++) {
        clock.nowMs = T + step * STEP
        told.push(cloud.change())
        const { laidOut } = replica
        await cloud.tell()
        if (replica.laidOut > laidOut) told.push('ANEW')

        const times = [clock.nowMs + 1, clock.nowMs - STEP / 2, clock.nowMs - 3 * STEP - 1]
        const records = RECORDS.flatMap((record) => times.map((atMs) => ({ ...record, atMs })))
        if (step % 2 === 1 && step < STEPS) continue
        const edited = answers(replica.snapshot, records)
        const copied = answers(cloud.copy!, records)
        const laid = answers(buildSnapshot(replica.model, clock.nowMs, replica.ledger), records)
        for (const [i, record] of records.entries()) {
          if (JSON.stringify([copied[i], edited[i]]) === JSON.stringify([laid[i], laid[i]])) continue
          const where = `${JSON.stringify(record)} after ${told.slice(-6).join(', ')}`
          assert.deepEqual(copied[i], edited[i], `copy, ${where}`)
          assert.deepEqual(edited[i], laid[i], where)
        }
      }
      assert.equal(replica.laidOut, 1, told.join(', '))
      replica.stop()
    })
  }
})
