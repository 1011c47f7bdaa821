/**
 * OVN's southbound database: a real ovsdb-server, filled as Neutron's driver and ovn-northd do. With the real schema where Debian's
 * ovn-central is installed, else with its tables as far as they are read (ovn-sb(5)).
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { LiveIdentity, type LiveOptions } from '../../src/identity/replica/live.ts'
import { loadModel } from '../../src/identity/load.ts'
import { SOUTHBOUND, SouthboundReader } from '../../src/identity/sources/ovn/southbound.ts'
import { OvsdbTables } from '../../src/identity/sources/ovsdb/tables.ts'
import { eventually, OVSDB_MISSING } from './real-ovsdb.ts'
import { ovsHost, resolve } from './replica-cloud.ts'

const TEXT = { type: 'string' }
const MAP = { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' } }
const ref = (table: string, max: number | 'unlimited') => ({
  type: { key: { type: 'uuid', refTable: table, refType: 'strong' }, min: 0, max },
})
const table = (columns: object) => ({ columns, isRoot: true })
const SCHEMA = {
  name: 'OVN_Southbound',
  version: '20.27.0',
  tables: {
    Datapath_Binding: table({ tunnel_key: { type: 'integer' }, external_ids: MAP }),
    Port_Binding: table({
      logical_port: TEXT,
      type: TEXT,
      mac: { type: { key: 'string', min: 0, max: 'unlimited' } },
      datapath: ref('Datapath_Binding', 1),
      chassis: ref('Chassis', 1),
      tunnel_key: { type: 'integer' },
      external_ids: MAP,
    }),
    Chassis: table({ name: TEXT, hostname: TEXT, encaps: ref('Encap', 'unlimited') }),
    Encap: table({ ip: TEXT, type: TEXT, chassis_name: TEXT }),
  },
}
const REAL_SCHEMA = '/usr/share/ovn/ovn-sb.ovsschema'
const NETWORK = '11111111-0000-4000-8000-000000000001'
const PORT = { a: 'aaaaaaaa-0000-4000-8000-00000000000a', b: 'bbbbbbbb-0000-4000-8000-00000000000b' }
const MAC = { a: 'fa:16:3e:00:00:0a', b: 'fa:16:3e:00:00:0b' }
const map = (entries: Record<string, string>) => ['map', Object.entries(entries)]
const insert = (name: string, row: object, uuid?: string) => ({
  op: 'insert',
  table: name,
  row,
  ...(uuid === undefined ? {} : { 'uuid-name': uuid }),
})

describe('OVN’s southbound database', { skip: OVSDB_MISSING }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'ovsight-ovn-'))
  const socket = join(dir, 'sb.sock')
  let server: ChildProcess
  let live: LiveIdentity
  const transact = (...operations: object[]) =>
    execFileSync('ovsdb-client', ['transact', `unix:${socket}`, JSON.stringify(['OVN_Southbound', ...operations])])

  let keys = 0
  function portRow(id: string, mac: string, address: string, chassis: string): object {
    const external_ids = map({
      'neutron:project_id': 'p-red',
      'neutron:device_id': `vm-${address}`,
      'neutron:device_owner': 'compute:nova',
      'neutron:cidrs': `${address}/24`,
    })
    const row = { logical_port: id, type: '', tunnel_key: ++keys, mac: `${mac} ${address}`, external_ids }
    return { ...row, datapath: ['named-uuid', 'dp'], chassis: ['named-uuid', chassis] }
  }

  before(async () => {
    writeFileSync(join(dir, 'schema'), JSON.stringify(SCHEMA))
    const schema = existsSync(REAL_SCHEMA) ? REAL_SCHEMA : join(dir, 'schema')
    execFileSync('ovsdb-tool', ['create', join(dir, 'sb.db'), schema])
    server = spawn('ovsdb-server', [join(dir, 'sb.db'), `--remote=punix:${socket}`, `--unixctl=${join(dir, 'ctl')}`], {
      stdio: 'ignore',
    })
    await eventually('the server', () => existsSync(socket))
    const options: LiveOptions = {
      identity: null,
      os_cloud: null,
      ovsdb: null,
      ovsdb_listen: null,
      ovn_southbound: `unix:${socket}`,
      ovsdb_key: null,
      ovsdb_cert: null,
      ovsdb_ca: null,
      openstack_poll: 100_000,
      openstack_full: 200_000,
      identity_grace: 600_000,
      ovsdb_forget: 3_600_000,
      max_calling_hosts: 16,
      data: dir,
    }
    const log = { info: () => {}, warn: () => {} }
    live = await LiveIdentity.start(options, { env: {}, cwd: dir, home: dir, onSnapshot: () => {}, log })
  })
  after(async () => {
    await live.stop()
    server.kill('SIGKILL')
    rmSync(dir, { recursive: true, force: true })
  })

  it('gives ports, networks, hosts and tunnel keys, and follows them', async () => {
    transact(
      insert('Encap', { ip: '10.0.0.10', type: 'geneve', chassis_name: 'x0' }, 'e0'),
      insert('Encap', { ip: '10.0.0.11', type: 'geneve', chassis_name: 'x1' }, 'e1'),
      insert('Chassis', { name: 'x0', hostname: 'c0', encaps: ['named-uuid', 'e0'] }, 'c0'),
      insert('Chassis', { name: 'x1', hostname: 'c1', encaps: ['named-uuid', 'e1'] }, 'c1'),
      insert(
        'Datapath_Binding',
        { tunnel_key: 7, external_ids: map({ name: `neutron-${NETWORK}`, name2: 'red-net' }) },
        'dp',
      ),
      insert('Port_Binding', portRow(PORT.a, MAC.a, '192.168.1.8', 'c0')),
      insert('Port_Binding', portRow(PORT.b, MAC.b, '192.168.1.9', 'c1')),
      insert('Port_Binding', { logical_port: 'lrp-x', type: 'patch', tunnel_key: 99, datapath: ['named-uuid', 'dp'] }),
    )
    await eventually('the ports', () => live.replica.counts['ports'] === 2)
    const [southbound] = live.sources
    assert.deepEqual(
      [southbound!.kind, southbound!.ok, southbound!.counts],
      ['ovn', true, { ports: 2, networks: 1, hosts: 2 }],
    )
    assert.equal(live.replica.originOf('ports', PORT.a).source, 'ovn')
    const under = (name: string, ip: string) => ({ ...ovsHost(name, []), externalIds: new Map([['ovn-encap-ip', ip]]) })
    live.replica.putOvs('c1', under('c1', '10.0.0.11'), Date.now())
    live.replica.publish()
    const seen = (vni: number, tunnel: 'geneve' | 'vxlan') =>
      resolve(live.replica.snapshot, {
        protocol: 'sflow5',
        host: 'c1',
        atMs: Date.now(),
        vni,
        tunnel,
        tunnelSrc: '10.0.0.10',
        tunnelDst: '10.0.0.11',
        src: '192.168.1.8',
        dst: '192.168.1.9',
      })
    const told = ({ src, dst }: ReturnType<typeof seen>) => [src.port, src.project, dst.port, dst.grade]
    assert.deepEqual(told(seen(7, 'geneve')), [PORT.a, 'p-red', PORT.b, 'address'])
    // VXLAN has the egress port's key above the datapath's.
    assert.deepEqual(told(seen((3 << 12) | 7, 'vxlan')), [PORT.a, 'p-red', PORT.b, 'address'])
    // The same, read once: a port of Neutron's is in no list but this.
    const once = await loadModel({ ovnSouthbound: `unix:${socket}`, env: {}, cwd: dir, home: dir })
    assert.deepEqual(once.sources.map(({ source, ok, says }) => [source, ok, says]), [['ovn', true, '1 networks, 2 ports, 2 hosts']]) // prettier-ignore
    assert.deepEqual([once.cloud.tunnelKeys?.get(7), once.originOf('ports', PORT.a).source], [NETWORK, 'ovn'])
    transact({ op: 'delete', table: 'Port_Binding', where: [['logical_port', '==', PORT.b]] })
    await eventually('the end of a port', () => live.replica.counts['ports'] === 1)
    const { laidOut } = live.replica
    const where = [['logical_port', '==', PORT.a]]
    transact({ op: 'update', table: 'Port_Binding', where, row: { mac: `${MAC.a} 192.168.1.88` } })
    await eventually('another address', () => live.replica.model.ports[0]?.fixed_ips[0]?.ip_address === '192.168.1.88')
    live.replica.publish()
    assert.equal(live.replica.laidOut, laidOut, 'a change of a port is edited in')
    transact({ op: 'update', table: 'Chassis', where: [['name', '==', 'x0']], row: { hostname: 'c9' } })
    await eventually('the host', () => live.replica.model.ports[0]?.['binding:host_id'] === 'c9')
  })
})

describe('changes of the southbound database', () => {
  const N = 5_000
  const idOf = (i: number) => `aaaaaaaa-0000-4000-8000-${String(i).padStart(12, '0')}`
  const row = (i: number, address: string, more = {}) => ({
    logical_port: idOf(i),
    mac: `fa:16:3e:00:00:0a ${address}`,
    datapath: ['uuid', 'd'],
    chassis: ['uuid', 'c'],
    ...more,
  })
  const update = (rows: Record<string, object | undefined>) => ({
    Port_Binding: Object.fromEntries(
      Object.entries(rows).map(([uuid, now]) => [uuid, now === undefined ? { old: {} } : { new: now }]),
    ),
  })

  function full(): OvsdbTables {
    const tables = new OvsdbTables(Object.keys(SOUTHBOUND.tables))
    tables.put('Datapath_Binding', 'd', { tunnel_key: 7, external_ids: map({ name: `neutron-${NETWORK}` }) })
    tables.put('Chassis', 'c', { name: 'x0', hostname: 'c0', encaps: ['set', []] })
    for (let i = 0; i < N; i++) tables.put('Port_Binding', `p${i}`, row(i, '10.0.0.1'))
    return tables
  }

  it('are read as far as they go: a port costs a port', () => {
    const reader = new SouthboundReader()
    const tables = full()
    const first = reader.read(tables)
    assert.deepEqual([first.whole, first.sections.ports.length, first.counts.ports], [true, N, N])
    tables.apply(update({ p1: row(1, '10.0.0.2'), p2: undefined, p3: undefined, new3: row(3, '10.0.0.3') }))
    const next = reader.read(tables)
    assert.equal(next.whole, false)
    assert.deepEqual(next.sections.ports.map(({ id, fixed_ips: [ip] }) => [id, ip?.ip_address]), [[idOf(1), '10.0.0.2'], [idOf(3), '10.0.0.3']]) // prettier-ignore
    assert.deepEqual([next.gonePorts, next.counts.ports, next.tunnelKeys.get(7)], [[idOf(2)], N - 1, NETWORK])
    // No port any more, by its row: a router's.
    tables.apply(update({ p1: row(1, '', { logical_port: 'lrp-1' }) }))
    assert.deepEqual(reader.read(tables).gonePorts, [idOf(1)])
    assert.deepEqual(reader.read(tables).sections.ports, [])
  })

  it('of a host, and a reconnect, are read whole', () => {
    const reader = new SouthboundReader()
    const tables = full()
    reader.read(tables)
    tables.apply({ Chassis: { c: { new: { name: 'x0', hostname: 'c9', encaps: ['set', []] } } } })
    const moved = reader.read(tables)
    assert.deepEqual([moved.whole, moved.sections.ports[0]?.['binding:host_id']], [true, 'c9'])
    assert.equal(reader.read(full()).whole, true)
  })
})
