import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { importTexts } from '../../src/identity/sources/text/import.ts'
import { parseClientList } from '../../src/identity/sources/text/lists.ts'
import { parseOfctlShow, parseVsctlShow } from '../../src/identity/sources/text/ovs.ts'
import { PCAPS } from '../paths.ts'

const read = (name: string) => readFileSync(`${PCAPS}text/${name}`, 'utf8')
const RED = 'baa7096fe1d54571900c3758397e0939'

const NOVA_LIST = `
+--------------------------------------+--------+----------------------------------+--------+------------+-------------+--------------------------------+
| ID                                   | Name   | Tenant ID                        | Status | Task State | Power State | Networks                       |
+--------------------------------------+--------+----------------------------------+--------+------------+-------------+--------------------------------+
| eb347271-dc5a-46cf-9150-0a7defffc6d1 | red-1  | ${RED} | ACTIVE | -          | Running     | net1=192.168.10.8, 172.16.2.3  |
| 70d0662f-9c69-4d0b-99e7-2dde4e0494e8 | red-2  | ${RED} | ACTIVE | -          | Running     | net1=192.168.10.9              |
| bb347271-dc5a-46cf-9150-0a7defffc6d8 | blue-1 | 5c1b0fd2a9d84a7f8a3f1f3c1e7d1b10 | ACTIVE | -          | Running     | bluenet=192.168.10.8           |
+--------------------------------------+--------+----------------------------------+--------+------------+-------------+--------------------------------+
`
const PORT_LIST = JSON.stringify([
  {
    ID: '425fe781-d3aa-4b0f-9c11-000000000001',
    Name: '',
    'MAC Address': 'fa:16:3e:21:cf:75',
    'Fixed IP Addresses': [{ subnet_id: 'a62d865f-e87f-4ebd-b3e6-10b806299582', ip_address: '192.168.10.8' }],
    'Device ID': 'eb347271-dc5a-46cf-9150-0a7defffc6d1',
    Status: 'ACTIVE',
  },
  {
    ID: 'aeee0c10-2eaa-4b0f-9c11-000000000003',
    Name: '',
    'MAC Address': 'fa:16:3e:fd:7f:88',
    'Fixed IP Addresses': "ip_address='192.168.10.9', subnet_id='a62d865f-e87f-4ebd-b3e6-10b806299582'",
    Status: 'ACTIVE',
  },
  {
    ID: 'b25fe781-b8aa-4b0f-9c11-000000000004',
    Name: '',
    'MAC Address': 'fa:16:3e:aa:00:08',
    'Fixed IP Addresses': [{ subnet_id: '2c223f18-79f9-41c0-b19a-e5bdfa294895', ip_address: '192.168.10.8' }],
    Status: 'ACTIVE',
  },
])

describe('ovs-vsctl show and ovs-ofctl show', () => {
  it('give bridges, tags, tunnel options and port numbers', () => {
    const bridges = parseVsctlShow(read('vsctl-show-c0.txt'))
    assert.deepEqual(
      bridges.map((bridge) => [bridge.name, bridge.datapathType, bridge.ports.length]),
      [
        ['br-tun', 'netdev', 4],
        ['br-int', 'netdev', 5],
        ['br-phy', 'netdev', 2],
      ],
    )
    const tap = bridges[1]!.ports.find((port) => port.name === 'tap425fe781-d3')!
    assert.equal(tap.tag, 69)
    const tunnel = bridges[0]!.ports[0]!.interfaces[0]!
    assert.deepEqual([tunnel.type, tunnel.options.get('remote_ip')], ['vxlan', '10.0.10.10'])
    const shown = parseOfctlShow(read('ofctl-show-c0.txt'))
    assert.deepEqual(
      shown.map((one) => one.bridge),
      ['br-int', 'br-tun'],
    )
    assert.equal(shown[0]!.ofports.get('tapb25fe781-b8'), 4)
    assert.equal(shown[0]!.datapathId, '00004e2d4f248547')
  })

  it('pass over what they do not know, and anything else than text of Open vSwitch', () => {
    assert.deepEqual(parseVsctlShow('ovs-vsctl: unix:/var/run/openvswitch/db.sock: database connection failed'), [])
    assert.deepEqual(parseOfctlShow('nothing'), [])
    assert.deepEqual(parseVsctlShow('    Port orphan\n  tag: 3\n'), [])
  })
})

describe('lists of the command line clients', () => {
  it('are told apart by their columns, as box or as JSON', () => {
    const servers = parseClientList(NOVA_LIST)
    assert.ok(typeof servers !== 'string' && servers.kind === 'servers')
    assert.deepEqual(servers.entries[0]!['networks'], { net1: ['192.168.10.8', '172.16.2.3'] })
    const ports = parseClientList(PORT_LIST)
    assert.ok(typeof ports !== 'string' && ports.kind === 'ports')
    assert.deepEqual(ports.entries[1]!['fixed_ips'], [
      { ip_address: '192.168.10.9', subnet_id: 'a62d865f-e87f-4ebd-b3e6-10b806299582' },
    ])
  })

  it('are refused with the reason when they are something else', () => {
    assert.match(JSON.stringify(parseClientList('[{"a": 1}]')), /columns \(a\)/)
    assert.match(JSON.stringify(parseClientList('[cut')), /not JSON/)
    assert.match(JSON.stringify(parseClientList('hello')), /neither JSON nor a table/)
    assert.match(JSON.stringify(parseClientList('[]')), /empty/)
  })
})

describe('importing what a lab guide shows', () => {
  const host = (name: string, address: string) => ({
    name,
    addresses: [address],
    vsctl: read(`vsctl-show-${name}.txt`),
    ofctl: [read(`ofctl-show-${name}.txt`)],
  })
  const imported = importTexts(
    [host('c0', '10.0.10.14'), host('c1', '10.0.10.23')],
    [
      { name: 'nova list', text: NOVA_LIST },
      { name: 'port list', text: PORT_LIST },
    ],
  )
  const ports = imported.identity['ports'] as Record<string, unknown>[]
  const port = (prefix: string) => ports.find((one) => JSON.stringify(one['id']).startsWith(`"${prefix}`))!

  it('finds host and server of each port, by device id or by addresses that only one server has', () => {
    assert.equal(port('425fe781')['binding:host_id'], 'c0')
    assert.equal(port('aeee0c10')['binding:host_id'], 'c1')
    assert.equal(port('aeee0c10')['device_id'], '70d0662f-9c69-4d0b-99e7-2dde4e0494e8')
    assert.equal(port('aeee0c10')['project_id'], RED)
  })

  it('does not choose between two tenants with the same address, and says what to add', () => {
    assert.equal(port('b25fe781')['device_id'], undefined)
    assert.ok(imported.warnings.some((warning) => /b25fe781.*red-1.*blue-1.*Device ID/.test(warning)))
  })

  it('writes dumps with the numbers and the Neutron port of each interface', () => {
    const tables = imported.dumps
      .get('ovsdb-c0.json')!
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { caption: string; headings: string[]; data: unknown[][] })
    const interfaces = tables.find((table) => table.caption === 'Interface table')!
    const tap = interfaces.data.find((row) => row[1] === 'tap425fe781-d3')!
    assert.equal(tap[2], 2)
    assert.deepEqual(tap[5], ['map', [['iface-id', '425fe781-d3aa-4b0f-9c11-000000000001']]])
  })
})
