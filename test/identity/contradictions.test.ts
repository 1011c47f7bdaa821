/** Sources that contradict: named once with the cause, counted as a fault of theirs, shown, and over by themselves. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { identityApi, identityReaders } from '../../src/cli/identity-readings.ts'
import { loadModel } from '../../src/identity/load.ts'
import { MOST_OF_A_SORT, findContradictions, type ContradictionSort } from '../../src/identity/contradictions.ts'
import { LiveIdentity } from '../../src/identity/replica/live.ts'
import { EMPTY_CLOUD } from '../../src/identity/snapshot/build.ts'
import { atOnce } from '../../src/identity/snapshot/slices.ts'
import { loadConfig } from '../../src/config/load.ts'
import { FakeOvsdb, switchRows, type FakePlug } from './fake-ovsdb.ts'
import { eventually } from './real-ovsdb.ts'
import { port, sections } from './replica-cloud.ts'

const MAC = { a: 'fa:16:3e:00:00:0a', b: 'fa:16:3e:00:00:0b' }
const [A, B] = [port('port-a', 'red', '192.168.1.8', MAC.a), port('port-b', 'red', '192.168.1.9', MAC.b)]
const PLUG = { a: { name: 'tapa', ofport: 1, iface: 'port-a', tag: 1 }, b: { name: 'tapb', ofport: 2, iface: 'port-b', tag: 1 } } // prettier-ignore

/** What is wrong, where, and what is said of it. */
const CASES: Readonly<
  Record<string, { ports?: object[]; c0?: FakePlug[]; c1?: FakePlug[]; by: string; says: RegExp }>
> = {
  mac_twice: {
    ports: [A, { ...B, mac_address: MAC.a }],
    by: 'file',
    says: /ports port-a and port-b of network red both have MAC address fa:16:3e:00:00:0a/,
  },
  unknown_port: {
    c0: [PLUG.a, { name: 'tapx', ofport: 3, iface: 'port-x', tag: 1 }],
    by: 'c0',
    says: /interface tapx of br-int on c0 is of port port-x, which no list of ports has/,
  },
  dead_vlan: {
    c0: [{ ...PLUG.a, tag: 4095 }],
    by: 'c0',
    says: /interface tapa of br-int on c0 \(port port-a\) is on VLAN 4095/,
  },
  two_hosts: {
    c1: [PLUG.a, PLUG.b],
    by: 'c1',
    says: /port port-a is plugged on c0 and on c1 .*, and Neutron binds it to c0/,
  },
  host_address_twice: {
    c1: [{ name: 'vxlan-0', ofport: 9, local_ip: '10.0.0.10' }],
    by: 'c1',
    says: /tunnel vxlan-0 of c1 has address 10\.0\.0\.10, which is c0’s/,
  },
}

describe('contradictions', () => {
  let dir: string
  let file: string
  let said: string[]
  let fakes: Record<string, FakeOvsdb>
  let live: LiveIdentity | undefined

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'ovsight-doubt-'))
    file = join(dir, 'cloud.yaml')
    said = []
    fakes = { c0: await FakeOvsdb.listen(switchRows('c0', [PLUG.a])), c1: await FakeOvsdb.listen(switchRows('c1', [PLUG.b])) } // prettier-ignore
    write([A, B])
  })
  afterEach(async () => {
    await live?.stop()
    live = undefined
    await Promise.all(Object.values(fakes).map((fake) => fake.close()))
    rmSync(dir, { recursive: true, force: true })
  })

  function write(ports: readonly object[]): void {
    const addresses = { c0: '10.0.0.10', c1: '10.0.0.11' }
    const hosts = Object.entries(addresses).map(([name, address]) => ({ name, addresses: [address], ovsdb: fakes[name]!.target })) // prettier-ignore
    writeFileSync(file, JSON.stringify({ hosts, networks: [{ id: 'red' }], ports }))
  }

  async function start(): Promise<LiveIdentity> {
    const say = (text: string) => void (/cannot|both|no list|4095|plugged|address/.test(text) && said.push(text))
    const { config } = loadConfig({ flags: { identity: file, data: dir } })
    live = await LiveIdentity.start(config, {
      env: {},
      cwd: dir,
      home: dir,
      onSnapshot: () => {},
      log: { info: say, warn: say },
    })
    await eventually('both hosts', () => live!.sources.every(({ ok }) => ok))
    return live
  }

  const sourceOf = (by: string) =>
    live!.sources.find(({ kind, target }) => (by === 'file' ? kind === 'file' : target === fakes[by]!.target))!

  async function set({ ports, c0, c1 }: { ports?: object[]; c0?: FakePlug[]; c1?: FakePlug[] }): Promise<void> {
    const { published } = live!.replica
    if (ports !== undefined) {
      write(ports)
      await live!.readFile(true)
    }
    for (const [host, plugs] of Object.entries({ c0, c1 })) {
      if (plugs === undefined) continue
      fakes[host]!.change(switchRows(host, plugs))
      const wanted = plugs.map(({ name, tag }) => `${name} ${tag}`).join()
      await eventually('the change', () => pluggedOn(host) === wanted)
    }
    await eventually('the snapshot', () => live!.replica.published > published)
  }

  function pluggedOn(host: string): string {
    const [bridge] = live!.replica.model.ovs.get(host)!.bridges
    return bridge!.ports.map(({ name, tag }) => `${name} ${tag}`).join()
  }

  for (const [sort, { by, says, ...wrong }] of Object.entries(CASES))
    it(`${sort}: named once with its cause, counted as a fault of its source, shown, and over by itself`, async () => {
      const identity = await start()
      let now = Date.now()
      const look = (ms: number) => identity.doubt((now += ms))
      const counts = () => identity.contradictions[sort as ContradictionSort]
      await look(0)
      await set(wrong)
      await look(60_000)
      assert.deepEqual([counts(), said], [0, []], 'sources are not quite at the same time')
      await look(29_000)
      assert.equal(counts(), 0)
      await look(61_000)
      await look(61_000)
      assert.equal(said.length, 1, said.join('\n'))
      assert.match(said[0]!, says)
      assert.deepEqual([counts(), sourceOf(by).ok, sourceOf(by).faults], [1, true, 1])
      assert.match(sourceOf(by).doubts.join(), says)
      const status = identityApi(identity).status() as { sources: { state: string; contradictions: string[] }[] }
      assert.deepEqual(status.sources.filter(({ state }) => state === 'doubtful').map((one) => one.contradictions.length), [1]) // prettier-ignore
      const samples = [...identityReaders(identity).ovsight_identity_contradictions!()]
      assert.deepEqual(samples.filter(([value]) => value > 0), [[1, sort]]) // prettier-ignore
      // Asked once, without a collector, it is told at once.
      const { sources } = await loadModel({ identity: file, env: {}, cwd: dir, home: dir })
      assert.match(sources.flatMap(({ doubts }) => doubts).join(), says)
      await set({ ports: [A, B], c0: [PLUG.a], c1: [PLUG.b] })
      await look(60_000)
      assert.deepEqual([counts(), said.length, sourceOf(by).doubts], [0, 2, []])
      assert.match(said[1]!, /no longer: /)
      assert.equal(sourceOf(by).faults, 1)
    })

  it('many of a sort fill neither the log nor the memory', async () => {
    const many = Array.from({ length: 1_000 }, (_, i) => ({ ...B, id: `port-${i}`, fixed_ips: [] }))
    const { ports } = sections({ ports: many })
    assert.equal(atOnce(findContradictions({ ...EMPTY_CLOUD, ports })).length, MOST_OF_A_SORT)
    const identity = await start()
    await set({ ports: many })
    await identity.doubt(Date.now() + 60_000)
    await identity.doubt(Date.now() + 120_000)
    assert.equal(said.length, 11)
    assert.match(said.at(-1)!, /and \d+ more that cannot be true/)
  })

  it('are not seen where things are as they should be: routers on many hosts, one MAC on two networks, no list of ports', () => {
    const ovs = new Map(['c0', 'c1'].map((name) => [name, bare(name)]))
    const router = { device_owner: 'network:router_interface_distributed' }
    const given = sections({ ports: [port('r', 'red', '192.168.1.1', MAC.a, router), port('b', 'blue', '192.168.1.1', MAC.a)] }) // prettier-ignore
    assert.deepEqual(atOnce(findContradictions({ ...EMPTY_CLOUD, ports: given.ports, ovs })), [])
    const strange = new Map([['c0', bare('c0', 'nobody')]])
    assert.deepEqual(atOnce(findContradictions({ ...EMPTY_CLOUD, ovs: strange })), [])
  })
})

function bare(hostname: string, iface = 'r') {
  const externalIds = new Map([['iface-id', iface]])
  const item = { name: 'qr', ofport: 3, ifIndex: 0, type: 'internal', options: new Map(), externalIds, macInUse: '' }
  const ports = [{ name: 'qr', tag: 1, otherConfig: new Map(), interfaces: [item] }]
  const none = { netflow: undefined, sflow: undefined, ipfix: undefined, mirrors: [] }
  const bridge = { name: 'br-int', datapathId: '', datapathType: '', ports, ...none }
  return { hostname, ovsVersion: '', externalIds: new Map(), bridges: [bridge] }
}
