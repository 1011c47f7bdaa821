/** Sources that know of a port at different times: its records are resolved again when the later one catches up, within the window. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { Attributor } from '../../src/attribute/attributor.ts'
import { parseIp } from '../../src/identity/addresses.ts'
import { Replica } from '../../src/identity/replica/replica.ts'
import { LateTruth } from '../../src/late/late-truth.ts'
import { UnsureRows } from '../../src/late/unsure-rows.ts'
import { attributeLate } from '../../src/cli/engine.ts'
import { loadConfig } from '../../src/config/load.ts'
import { FlowBatch, getU64, setTime } from '../../src/schema/batch.ts'
import { enumCodes } from '../../src/schema/enums.ts'
import { NO_NAMES } from '../../src/attribute/learned.ts'
import { HOSTS, HOST_ADDRESS, network, news, ovsHost, port, server, subnet } from '../identity/replica-cloud.ts'

const T = Date.parse('2026-01-01T12:00:00Z')
const PROTOCOL = enumCodes('export_protocol')
const DIRECTION = enumCodes('flow_direction')
const MAC = { a: 'fa:16:3e:00:00:0a', b: 'fa:16:3e:00:00:0b' }
const [A, B] = [port('a', 'red', '192.168.1.8', MAC.a), port('b', 'red', '192.168.1.9', MAC.b)]
const BASE = {
  hosts: HOSTS,
  networks: [network('red')],
  subnets: [subnet('red', '192.168.1.0/24')],
  servers: [server('a'), server('b')],
}
const PLUGGED = ovsHost('c0', [
  { ofport: 5, iface: 'a', tag: 1, network: 'red' },
  { ofport: 6, iface: 'b', tag: 1, network: 'red' },
])
const CONFIG = loadConfig({ flags: { os_cloud: 'x' } }).config

describe('a source that lags behind another', () => {
  let data: string
  let now: number
  let replica: Replica
  let late: LateTruth
  let seal: (inIf: number, src: string, dst: string) => Promise<string[]>
  /** What is in the store, by number: ports and projects of both ends. */
  let stored: Map<number, string[]>

  beforeEach(() => {
    data = mkdtempSync(join(tmpdir(), 'ovsight-lag-'))
    now = T
    stored = new Map()
    replica = new Replica(() => {}, { now: () => now, gatherMs: 1e9 })
    const told = new UnsureRows(1_600)
    const model = () => replica.snapshot
    const again = attributeLate(CONFIG, model, NO_NAMES)
    let better: string[][] = []
    late = new LateTruth(
      {
        store: {
          query: ({ params }) => {
            const rows = (params['ids'] as number[]).filter((id) => stored.has(id)).map((id) => ({ late_id: id }))
            return Promise.resolve({ columns: [], rows, elapsedS: 0, rowsRead: 0 })
          },
        },
        attribute(batch, onUnsure) {
          again.attribute(batch, onUnsure)
          better = Array.from({ length: batch.rows }, (_, row) => ends(batch, row))
        },
        enqueue(block) {
          for (const [i, id] of (block.replaces?.ids ?? []).entries()) stored.set(id, better[i]!)
          return Promise.resolve()
        },
        inherited: () => 0,
        version: () => replica.published,
        log: { warn: (_, message) => assert.fail(message) },
      },
      { data, windowMs: 600_000, maxRows: 1_600, now: () => now },
    )
    const live = new Attributor({ onUnsure: told.onUnsure })
    seal = async (inIf, src, dst) => {
      const batch = new FlowBatch(16)
      const { columns: c } = batch
      c.export_protocol[0] = PROTOCOL.netflow5
      c.flow_direction[0] = DIRECTION.ingress
      c.exporter.set(parseIp(HOST_ADDRESS['c0']!)!)
      c.in_if[0] = inIf
      c.src_addr.set(parseIp(src)!)
      c.dst_addr.set(parseIp(dst)!)
      setTime(c.flow_end, 0, now)
      setTime(c.time_received, 0, now)
      batch.rows = 1
      live.attribute(batch, replica.snapshot)
      const waiting = told.take()
      if (waiting !== undefined) await late.take(waiting.rows, waiting.refused)
      const id = getU64(c.late_id, 0)
      if (id !== 0) stored.set(id, ends(batch, 0))
      return ends(batch, 0)
    }
  })
  afterEach(async () => {
    await late.stop()
    replica.stop()
    rmSync(data, { recursive: true, force: true })
  })

  function ends({ columns: c, strings }: FlowBatch, row: number): string[] {
    return (['src_port_id', 'src_project_id', 'src_server', 'dst_port_id'] as const).map(
      (name) => strings.values[c[name][row]!]!,
    )
  }

  /** What is stored when the model is as it is now, some seconds later. */
  async function settled(): Promise<string[][]> {
    now += 60_000
    replica.publish()
    late.tick()
    await late.idle()
    return [...stored.values()]
  }

  it('OVSDB first: the port is there at once, its project, server and peer as soon as Neutron tells', async () => {
    await replica.putCloud(news(T, { ...BASE, ports: [] }))
    replica.putOvs('c0', PLUGGED, T)
    replica.publish()
    assert.deepEqual(await seal(5, '192.168.1.8', '192.168.1.9'), ['a', '', '', ''])
    assert.equal(late.waiting, 1)
    await replica.putCloud(news(T + 30_000, { ...BASE, ports: [A, B] }))
    assert.deepEqual(await settled(), [['a', 'p-red', 'server-a', 'b']])
    assert.equal(late.waiting, 0)
  })

  it('Neutron first: what came by an OpenFlow port that no OVSDB had told is that port’s once it does', async () => {
    await replica.putCloud(news(T, { ...BASE, ports: [A, B] }))
    replica.putOvs('c0', ovsHost('c0', []), T)
    replica.publish()
    assert.equal((await seal(5, '192.168.1.8', '192.168.1.9'))[0], '')
    replica.putOvs('c0', PLUGGED, T + 1_000)
    assert.deepEqual(await settled(), [['a', 'p-red', 'server-a', 'b']])
  })

  it('a row that was right stays as it is, whatever is told later', async () => {
    await replica.putCloud(news(T, { ...BASE, ports: [A, B] }))
    replica.putOvs('c0', PLUGGED, T)
    replica.publish()
    assert.deepEqual(await seal(5, '192.168.1.8', '192.168.1.9'), ['a', 'p-red', 'server-a', 'b'])
    assert.equal(late.waiting, 0)
    // A peer that nobody knows: its own end is known and stays that port, although the interface is another's by then.
    assert.deepEqual(await seal(5, '192.168.1.8', '192.168.1.77'), ['a', 'p-red', 'server-a', ''])
    assert.equal(late.waiting, 1)
    replica.putOvs('c0', ovsHost('c0', [{ ofport: 5, iface: 'b', tag: 1, network: 'red' }]), T - 60_000, T - 120_000)
    await replica.putCloud(news(T, { ...BASE, ports: [A, B, port('c', 'red', '192.168.1.77', 'fa:16:3e:00:00:0c')] }))
    for (const row of await settled()) assert.equal(row[0], 'a')
  })

  it('a port that Neutron never tells of waits for the window, no longer, and keeps what OVSDB said', async () => {
    await replica.putCloud(news(T, { ...BASE, ports: [] }))
    replica.putOvs('c0', PLUGGED, T)
    replica.publish()
    await seal(5, '192.168.1.8', '192.168.1.9')
    for (let minute = 0; minute < 12; minute++) assert.deepEqual(await settled(), [['a', '', '', '']])
    assert.deepEqual([late.waiting, late.counters.expired], [0, 1])
  })

  it('an address of a tenant’s network behind the router is not outside, and becomes the port that Neutron tells of', async () => {
    const gateway = { network_id: 'ext', enable_snat: true, external_fixed_ips: [] }
    const leg = (id: string, net: string, address: string) =>
      port(id, net, address, `fa:16:3e:00:01:${id.slice(-2)}`, {
        device_id: 'r',
        device_owner: 'network:router_interface',
      })
    const routed = {
      ...BASE,
      networks: [network('red'), network('two'), network('ext', { 'router:external': true })],
      subnets: [subnet('red', '192.168.1.0/24'), subnet('two', '192.168.2.0/24')],
      routers: [{ id: 'r', project_id: 'p-red', external_gateway_info: gateway }],
    }
    const ports = [A, leg('leg-01', 'red', '192.168.1.1'), leg('leg-02', 'two', '192.168.2.1')]
    await replica.putCloud(news(T, { ...routed, ports }))
    replica.putOvs('c0', PLUGGED, T)
    replica.publish()
    assert.equal((await seal(5, '192.168.1.8', '8.8.8.8'))[3], '')
    assert.equal(late.waiting, 0, 'what is outside does not wait')
    await seal(5, '192.168.1.8', '192.168.2.7')
    assert.equal(late.waiting, 1)
    const mine = port('c', 'two', '192.168.2.7', 'fa:16:3e:00:00:0c')
    await replica.putCloud(news(T + 30_000, { ...routed, ports: [...ports, mine] }))
    assert.deepEqual(await settled(), [['a', 'p-red', 'server-a', 'c']])
  })

  describe('a floating IP that is newer than what Neutron was asked last', () => {
    const routed = {
      ...BASE,
      networks: [network('red'), network('ext', { 'router:external': true })],
      subnets: [subnet('red', '192.168.1.0/24'), subnet('ext', '203.0.113.0/24')],
      routers: [{ id: 'r', project_id: 'p-red', external_gateway_info: { network_id: 'ext', external_fixed_ips: [] } }],
    }
    const leg = port('leg-01', 'red', '192.168.1.1', 'fa:16:3e:00:01:01', {
      device_id: 'r',
      device_owner: 'network:router_interface',
    })
    const ports = [A, B, leg]
    const floating = (portId: string, atMs: number, address = '203.0.113.7') => ({
      id: `fip-${address}`,
      floating_ip_address: address,
      fixed_ip_address: '',
      port_id: portId,
      router_id: 'r',
      floating_network_id: 'ext',
      project_id: 'p-red',
      updated_at: new Date(atMs).toISOString(),
    })
    const begin = async (floatingips: object[]) => {
      await replica.putCloud(news(T, { ...routed, ports, floatingips }))
      replica.putOvs('c0', PLUGGED, T)
      replica.publish()
    }

    it('was outside, and is its server’s when it is told; the world outside does not wait', async () => {
      await begin([])
      now = T + 10_000
      assert.equal((await seal(5, '192.168.1.8', '203.0.113.7'))[3], '')
      assert.equal((await seal(5, '192.168.1.8', '203.0.114.7'))[3], '')
      assert.equal(late.waiting, 1)
      await replica.putCloud(news(T + 30_000, { ...routed, ports, floatingips: [floating('b', T + 5_000)] }))
      assert.deepEqual(await settled(), [['a', 'p-red', 'server-a', 'b']])
      assert.equal(late.waiting, 0)
    })

    it('led nowhere, and leads to its server from when Neutron says it does', async () => {
      await begin([floating('', T - 600_000)])
      now = T + 10_000
      await seal(5, '192.168.1.8', '203.0.113.7')
      await replica.putCloud(news(T + 30_000, { ...routed, ports, floatingips: [floating('b', T + 5_000)] }))
      assert.deepEqual(await settled(), [['a', 'p-red', 'server-a', 'b']])
    })

    it('changes no row of the time before it: who had the address then was outside', async () => {
      // Ours, and nobody's until 20 s past; and one that Neutron did not have at all when it was asked at T.
      await begin([floating('', T - 600_000)])
      now = T + 10_000
      await seal(5, '192.168.1.8', '203.0.113.7')
      now = T - 1_000
      await seal(5, '192.168.1.8', '203.0.113.8')
      assert.equal(late.waiting, 2)
      now = T + 30_000
      const later = [floating('b', T + 20_000), floating('b', T + 20_000, '203.0.113.8')]
      await replica.putCloud(news(T + 30_000, { ...routed, ports, floatingips: later }))
      for (const row of await settled()) assert.equal(row[3], '')
      assert.deepEqual([late.waiting, late.counters.resolved], [2, 0])
    })
  })
})
