/** OVN's southbound database: a real ovsdb-server with its tables, as far as they are read (ovn-sb(5)), filled as Neutron's driver does. */
import assert from 'node:assert/strict'
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { LiveIdentity, type LiveOptions } from '../../src/identity/replica/live.ts'
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
      external_ids: MAP,
    }),
    Chassis: table({ name: TEXT, hostname: TEXT, encaps: ref('Encap', 'unlimited') }),
    Encap: table({ ip: TEXT, type: TEXT }),
  },
}
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

  function portRow(id: string, mac: string, address: string, chassis: string): object {
    const external_ids = map({
      'neutron:project_id': 'p-red',
      'neutron:device_id': `vm-${address}`,
      'neutron:device_owner': 'compute:nova',
      'neutron:cidrs': `${address}/24`,
    })
    const row = { logical_port: id, type: '', mac: `${mac} ${address}`, external_ids }
    return { ...row, datapath: ['named-uuid', 'dp'], chassis: ['named-uuid', chassis] }
  }

  before(async () => {
    writeFileSync(join(dir, 'schema'), JSON.stringify(SCHEMA))
    execFileSync('ovsdb-tool', ['create', join(dir, 'sb.db'), join(dir, 'schema')])
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
      insert('Encap', { ip: '10.0.0.10', type: 'geneve' }, 'e0'),
      insert('Encap', { ip: '10.0.0.11', type: 'geneve' }, 'e1'),
      insert('Chassis', { name: 'x0', hostname: 'c0', encaps: ['named-uuid', 'e0'] }, 'c0'),
      insert('Chassis', { name: 'x1', hostname: 'c1', encaps: ['named-uuid', 'e1'] }, 'c1'),
      insert(
        'Datapath_Binding',
        { tunnel_key: 7, external_ids: map({ name: `neutron-${NETWORK}`, name2: 'red-net' }) },
        'dp',
      ),
      insert('Port_Binding', portRow(PORT.a, MAC.a, '192.168.1.8', 'c0')),
      insert('Port_Binding', portRow(PORT.b, MAC.b, '192.168.1.9', 'c1')),
      insert('Port_Binding', { logical_port: 'lrp-x', datapath: ['named-uuid', 'dp'] }),
    )
    await eventually('the ports', () => live.replica.counts['ports'] === 2)
    const [source] = live.sources
    assert.deepEqual([source!.kind, source!.ok, source!.counts], ['ovn', true, { ports: 2, networks: 1, hosts: 2 }])
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
    transact({ op: 'delete', table: 'Port_Binding', where: [['logical_port', '==', PORT.b]] })
    await eventually('the end of a port', () => live.replica.counts['ports'] === 1)
  })
})
