/**
 * The snapshot of a real cloud: recorded answers of Neutron, Nova and Keystone, and the OVSDB of its two hosts as Neutron's
 * agents, os-vif and libvirt wrote them.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { parseIp, parseMac } from '../../src/identity/addresses.ts'
import { SECTIONS } from '../../src/identity/cloud.ts'
import { buildSnapshot, EMPTY_CLOUD, EMPTY_SNAPSHOT, VNI_TYPES } from '../../src/identity/snapshot/build.ts'
import { ENDPOINT_KINDS, TEXTS } from '../../src/identity/snapshot/endpoints.ts'
import { IF_KIND } from '../../src/identity/snapshot/vantage.ts'
import { parseDump } from '../../src/identity/sources/ovsdb/dump.ts'
import { readOvsHost } from '../../src/identity/sources/ovsdb/host.ts'
import { ROOT } from '../paths.ts'

const FIXTURES = `${ROOT}test/fixtures/openstack/`

function list(name: string, key: string): unknown {
  return (JSON.parse(readFileSync(`${FIXTURES}${name}.json`, 'utf8')) as Record<string, unknown>)[key]
}

const HOSTS = ['os-c0', 'os-c1'] as const
const cloud = {
  ...EMPTY_CLOUD,
  hosts: SECTIONS.hosts.parse([
    { name: 'os-c0', addresses: ['10.20.0.14'] },
    { name: 'os-c1', addresses: ['10.20.0.23'] },
  ]),
  projects: SECTIONS.projects.parse(list('keystone-projects-as-admin', 'projects')),
  networks: SECTIONS.networks.parse(list('neutron-networks-admin', 'networks')),
  subnets: SECTIONS.subnets.parse(list('neutron-subnets-admin', 'subnets')),
  ports: SECTIONS.ports.parse(list('neutron-ports-admin', 'ports')),
  routers: SECTIONS.routers.parse(list('neutron-routers-admin', 'routers')),
  floatingips: SECTIONS.floatingips.parse(list('neutron-floatingips-admin', 'floatingips')),
  trunks: SECTIONS.trunks.parse(list('neutron-trunks-admin', 'trunks')),
  agents: SECTIONS.agents.parse(list('neutron-agents-admin', 'agents')),
  servers: SECTIONS.servers.parse(list('nova-servers-2.3', 'servers')),
  ovs: new Map(
    HOSTS.map((host) => [host, readOvsHost(parseDump(readFileSync(`${FIXTURES}ovs/${host}.json`, 'utf8')).tables)]),
  ),
}
const snapshot = buildSnapshot(cloud, 0)
const { tables, topology, interfaces, endpoints, hosts, bridges } = snapshot

const hostIndex = (name: string) => hosts.findIndex((host) => host.name === name)
const bridgeIndex = (host: string, name: string) =>
  bridges.findIndex((bridge) => bridge.name === name && bridge.host === hostIndex(host))
const networksNamed = (name: string) => topology.networks.flatMap((network, i) => (network.name === name ? [i] : []))
const vlanNetwork = (host: string, bridge: string, vlan: number) =>
  tables.byVlan.at(tables.byVlan.get2(bridgeIndex(host, bridge), vlan), 0)
const signed = (text: string) => parseIp(text)!.map((lane) => lane | 0) as [number, number, number, number]
const text = (endpoint: number, name: (typeof TEXTS)[number]) => endpoints.text(endpoint, TEXTS.indexOf(name))
const describeEnd = (endpoint: number) =>
  `${ENDPOINT_KINDS[endpoints.kind(endpoint)]} ${text(endpoint, 'server') || text(endpoint, 'port')} ${text(endpoint, 'project')}`

describe('interfaces of a real cloud', () => {
  const kindOf = (host: string, name: string) => {
    const item = snapshot.interfaceNamed(hostIndex(host), name)
    assert.notEqual(item, 0, name)
    return [Object.keys(IF_KIND)[interfaces.kind(item)], describeEnd(interfaces.endpoint(item))]
  }

  it('are what they are, whoever wrote them: os-vif (vm-uuid) or libvirt (vm-id)', () => {
    assert.deepEqual(kindOf('os-c0', 'tapb40de0b1-b1'), ['port', 'server instance-1 mujprojekt'])
    assert.deepEqual(kindOf('os-c0', 'tapbf738553-96'), ['port', 'server instance-1 druhy'])
    assert.deepEqual(kindOf('os-c1', 'tap7833dade-b3'), ['port', 'server instance-2 mujprojekt'])
    assert.equal(kindOf('os-c0', 'tap93521385-91')[0], 'dhcp')
    assert.equal(kindOf('os-c0', 'qr-23bfa4e3-cd')[0], 'router')
    assert.equal(kindOf('os-c0', 'qg-5983d071-4d')[0], 'gateway')
    assert.equal(kindOf('os-c0', 'vxlan-0a140017')[0], 'tunnel')
    assert.equal(kindOf('os-c0', 'patch-tun')[0], 'patch')
    assert.equal(kindOf('os-c0', 'eth0')[0], 'uplink')
    assert.equal(kindOf('os-c0', 'br-int')[0], 'local')
  })

  it('with one iface-id on three of them (a trunk) are one port: the tap', () => {
    assert.deepEqual(kindOf('os-c1', 'tape0fce6c4-d8'), ['port', 'server instance-kmen mujprojekt'])
    for (const name of ['tpt-e0fce6c4-d8', 'tpi-e0fce6c4-d8', 'spt-4bed5300-60', 'spi-4bed5300-60'])
      assert.equal(kindOf('os-c1', name)[0], 'patch')
    const parent = interfaces.endpoint(snapshot.interfaceNamed(hostIndex('os-c1'), 'tape0fce6c4-d8'))
    const subport = tables.subports.get2(parent, 100)
    assert.equal(describeEnd(subport), 'server instance-kmen mujprojekt')
    assert.equal(text(subport, 'network'), 'sit-b')
    assert.equal(text(subport, 'host'), 'os-c1')
  })

  it('are all found, and no port of a server is left unknown', () => {
    let ports = 0
    for (let item = 1; item < interfaces.count; item++) {
      if (interfaces.kind(item) === IF_KIND.port) ports++
      assert.notEqual(interfaces.kind(item), IF_KIND.unknown, interfaces.name(item))
    }
    assert.equal(ports, 11)
  })

  it('of a tunnel lead to the other host, by the local_ip of its own tunnels', () => {
    const item = snapshot.interfaceNamed(hostIndex('os-c1'), 'vxlan-0a14000e')
    assert.equal(hosts[interfaces.remoteHost(item)]!.name, 'os-c0')
    assert.equal(hosts[snapshot.hostOf(...signed('10.20.0.23'))]!.name, 'os-c1')
    assert.equal(hosts[hostIndex('os-c0')]!.tunnels.get(hostIndex('os-c1')), 50)
  })
})

describe('keys of a real cloud', () => {
  it('find each tenant’s own port under one address and one name', () => {
    const found = networksNamed('sit-a').map((network) =>
      describeEnd(tables.byNetworkAddress.get5(network, ...signed('192.168.10.8'))),
    )
    assert.deepEqual(found.sort(), ['server instance-1 druhy', 'server instance-1 mujprojekt'])
  })

  it('find the network of a local VLAN, per bridge, and of a VNI', () => {
    for (const port of cloud.ovs.get('os-c1')!.bridges.find((item) => item.name === 'br-int')!.ports) {
      const network = topology.networkIndex.get(port.otherConfig.get('net_uuid') ?? '')
      if (network === undefined) continue
      assert.equal(vlanNetwork('os-c1', 'br-int', port.tag!), network, port.name)
    }
    for (const network of cloud.networks) {
      const type = VNI_TYPES.indexOf(network['provider:network_type'] as 'vxlan')
      if (type < 0) continue
      assert.equal(tables.byVni.get2(type, network['provider:segmentation_id']!), topology.networkIndex.get(network.id))
    }
  })

  it('find the provider networks of an outer bridge by the agent’s bridge_mappings', () => {
    assert.deepEqual([vlanNetwork('os-c0', 'br-fyz', 150)], networksNamed('sdilena'))
    assert.deepEqual([vlanNetwork('os-c0', 'br-ex', 0)], networksNamed('verejna'))
  })

  it('find the server of a floating IP, and a floating IP that nobody has', () => {
    const { byFloating } = tables
    const [outside] = networksNamed('verejna')
    const at = (address: string) => describeEnd(byFloating.at(byFloating.get5(outside!, ...signed(address)), 0))
    assert.equal(at('172.16.100.101'), 'server instance-1 mujprojekt')
    assert.equal(at('172.16.100.102'), 'server instance-1 druhy')
    assert.match(at('172.16.100.103'), /^floating /)
  })

  it('find a port by its MAC within its network, and not within another', () => {
    const port = cloud.ports.find((item) => item.name === 'port-i1')!
    const { high, low } = parseMac(port.mac_address)!
    const network = topology.networkIndex.get(port.network_id)!
    assert.equal(describeEnd(tables.byNetworkMac.get3(network, high, low | 0)), 'server instance-1 mujprojekt')
    assert.equal(tables.byNetworkMac.get3(network + 1, high, low | 0), 0)
  })

  it('know an IPv6 address as the port’s own', () => {
    const port = cloud.ports.find((item) => item.fixed_ips.some((ip) => ip.ip_address.includes(':')))!
    const { ip_address: address } = port.fixed_ips.find((ip) => ip.ip_address.includes(':'))!
    const network = topology.networkIndex.get(port.network_id)!
    const endpoint = tables.byNetworkAddress.get5(network, ...signed(address))
    assert.equal(text(endpoint, 'port_id'), port.id)
    assert.ok(snapshot.owns(endpoint, ...signed(address)))
  })
})

describe('routing domains of a real cloud', () => {
  it('join the networks of one tenant’s router, not those of two tenants', () => {
    const domains = (name: string) => networksNamed(name).map((network) => topology.networks[network]!.domain)
    const [a1, a2] = domains('sit-a')
    const [b] = domains('sit-b')
    assert.notEqual(a1, a2)
    assert.ok(a1 === b || a2 === b)
  })

  it('say which networks lead outside', () => {
    for (const name of ['sit-a', 'sit-b', 'verejna', 'sdilena'])
      for (const network of networksNamed(name)) assert.ok(topology.networks[network]!.leadsOutside, name)
  })
})

describe('a snapshot of nothing', () => {
  it('is empty, and every lookup in it finds nothing', () => {
    assert.ok(EMPTY_SNAPSHOT.empty)
    assert.ok(!snapshot.empty)
    assert.equal(EMPTY_SNAPSHOT.hostOf(...signed('10.20.0.14')), 0)
    assert.equal(EMPTY_SNAPSHOT.interfaceNamed(0, 'tap'), 0)
    assert.equal(EMPTY_SNAPSHOT.endpointOfDevice('tapb40de0b1-b1'), 0)
  })
})
