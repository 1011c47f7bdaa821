/**
 * A small cloud for the rules of attribution: two tenants with the same addresses on two compute nodes, a network node with
 * a router each, one external network. Every test changes what it is about.
 *
 *   c0   tap-r1 red 192.168.10.8    tap-b1 blue 192.168.10.8    tap-r3 red 192.168.10.10
 *   c1   tap-r2 red 192.168.10.9    tap-b2 blue 192.168.10.9    tap-r4 red, network red-2, 192.168.20.3
 *   n0   qr-r1, qr-r2, qg-r: router red    qr-b, qg-b: router blue    dhcp-r: DHCP of network red-1
 *   outside 172.16.0.0/16; floating 172.16.2.3 → red-1's port; SNAT addresses 172.16.2.157 red, 172.16.2.158 blue
 */
import { buildSnapshot, EMPTY_CLOUD } from '../../src/identity/snapshot/build.ts'
import type { IdentitySnapshot } from '../../src/identity/snapshot/snapshot.ts'
import type { CloudModel, Network, Port } from '../../src/identity/cloud.ts'
import type {
  OvsBridge,
  OvsHost,
  OvsInterface,
  OvsIpfix,
  OvsMirror,
  OvsPort,
} from '../../src/identity/sources/ovsdb/host.ts'

/** Lists may be added to; what is in them is replaced whole. */
export type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer U)[] ? U[] : T[K] }

export const MACS = {
  'red-1': 'fa:16:3e:00:00:11',
  'red-2': 'fa:16:3e:00:00:12',
  'red-3': 'fa:16:3e:00:00:13',
  'red-4': 'fa:16:3e:00:00:14',
  'blue-1': 'fa:16:3e:00:00:21',
  'blue-2': 'fa:16:3e:00:00:22',
  'qr-r1': 'fa:16:3e:00:00:31',
  'qr-r2': 'fa:16:3e:00:00:32',
  'qg-r': 'fa:16:3e:00:00:33',
  'qr-b': 'fa:16:3e:00:00:41',
  'qg-b': 'fa:16:3e:00:00:43',
  'dhcp-r': 'fa:16:3e:00:00:51',
} as const
export const BROADCAST = 'ff:ff:ff:ff:ff:ff'
export const OUTSIDE_MAC = '02:00:00:00:00:01'
const HOST_ADDRESS = { c0: '10.0.0.10', c1: '10.0.0.11', n0: '10.0.0.20' } as const
export type HostName = keyof typeof HOST_ADDRESS

/** What every bridge of that name exports, unless a test says otherwise. */
export type Exports = Partial<Pick<OvsBridge, 'netflow' | 'sflow' | 'ipfix' | 'mirrors'>>

export const NETFLOW = {
  targets: ['10.0.0.99:2055'],
  engineType: undefined,
  engineId: undefined,
  activeTimeoutS: 60,
  addIdToInterface: false,
}
export const SFLOW = { targets: ['10.0.0.99:6343'], agent: 'eth0', sampling: 8 }
export const IPFIX: OvsIpfix = {
  targets: ['10.0.0.99:4739'],
  sampling: 1,
  observationDomain: 0,
  observationPoint: 0,
  virtualObsId: '',
  inputSampling: true,
  outputSampling: true,
}

export class Lab {
  readonly cloud: Mutable<CloudModel>
  readonly hosts: Record<HostName, Omit<Mutable<OvsHost>, 'bridges'> & { bridges: Mutable<OvsBridge>[] }>

  constructor(exports: Exports = {}) {
    this.cloud = {
      ...(EMPTY_CLOUD as Mutable<CloudModel>),
      hosts: Object.entries(HOST_ADDRESS).map(([name, address]) => ({ name, addresses: [address] })),
      projects: ['red', 'blue'].map((name) => ({ id: `p-${name}`, name, domain_id: '' })),
      networks: [network('red-1', 1010), network('red-2', 1011), network('blue', 1020), network('ext', undefined)],
      subnets: [
        subnet('red-1', '192.168.10.0/24'),
        subnet('red-2', '192.168.20.0/24'),
        subnet('blue', '192.168.10.0/24'),
        subnet('ext', '172.16.0.0/16'),
      ],
      ports: [
        vm('red-1', 'red-1', '192.168.10.8', 'c0'),
        vm('red-2', 'red-1', '192.168.10.9', 'c1'),
        vm('red-3', 'red-1', '192.168.10.10', 'c0'),
        vm('red-4', 'red-2', '192.168.20.3', 'c1'),
        vm('blue-1', 'blue', '192.168.10.8', 'c0'),
        vm('blue-2', 'blue', '192.168.10.9', 'c1'),
        port('qr-r1', 'red-1', '192.168.10.1', 'n0', 'network:router_interface', 'router-red'),
        port('qr-r2', 'red-2', '192.168.20.1', 'n0', 'network:router_interface', 'router-red'),
        port('qr-b', 'blue', '192.168.10.1', 'n0', 'network:router_interface', 'router-blue'),
        port('qg-r', 'ext', '172.16.2.157', 'n0', 'network:router_gateway', 'router-red'),
        port('qg-b', 'ext', '172.16.2.158', 'n0', 'network:router_gateway', 'router-blue'),
        port('dhcp-r', 'red-1', '192.168.10.2', 'n0', 'network:dhcp', 'dhcp-agent'),
      ],
      servers: ['red-1', 'red-2', 'red-3', 'red-4', 'blue-1', 'blue-2'].map((name) => ({
        id: `s-${name}`,
        name,
        tenant_id: `p-${projectOf(name)}`,
        'OS-EXT-SRV-ATTR:host': '',
      })),
      routers: ['red', 'blue'].map((name) => ({
        id: `router-${name}`,
        name: `router-${name}`,
        project_id: `p-${name}`,
        distributed: false,
        routes: [],
        external_gateway_info: {
          network_id: 'n-ext',
          enable_snat: true,
          external_fixed_ips: [{ subnet_id: 'sub-ext', ip_address: name === 'red' ? '172.16.2.157' : '172.16.2.158' }],
        },
      })),
      floatingips: [floating('172.16.2.3', 'red-1', '192.168.10.8')],
      ovs: new Map(),
    }
    const tunnels = (host: HostName) =>
      (Object.keys(HOST_ADDRESS) as HostName[])
        .filter((other) => other !== host)
        .map((other, i) => tunnel(`vxlan-${other}`, 2 + i, HOST_ADDRESS[host], HOST_ADDRESS[other]))
    const node = (name: HostName, ports: OvsPort[], outer: Mutable<OvsBridge>[] = []) => ({
      hostname: name,
      ovsVersion: '3.1.0',
      externalIds: new Map<string, string>(),
      bridges: [
        bridge('br-int', [patch('patch-tun', 1), ...ports], exports),
        bridge('br-tun', [patch('patch-int', 1), ...tunnels(name)]),
        ...outer,
      ],
    })
    this.hosts = {
      c0: node('c0', [plug('red-1', 2, 69), plug('red-3', 3, 69), plug('blue-1', 4, 71)]),
      c1: node('c1', [plug('red-2', 2, 32), plug('red-4', 3, 33), plug('blue-2', 4, 34)]),
      n0: node(
        'n0',
        [plug('qr-r1', 2, 14), plug('qr-r2', 3, 15), plug('qr-b', 4, 16), plug('dhcp-r', 5, 14)],
        [bridge('br-ex', [plug('qg-r', 1), plug('qg-b', 2), device('eth1', 3)], exports)],
      ),
    }
  }

  bridge(host: HostName, name: string): Mutable<OvsBridge> {
    return this.hosts[host].bridges.find((item) => item.name === name)!
  }

  portOf(name: string): Mutable<Port> {
    return this.cloud.ports.find((item) => item.name === name)!
  }

  /** The same cloud without what the OVSDB of these hosts says. */
  without(...names: HostName[]): IdentitySnapshot {
    const ovs = new Map(Object.entries(this.hosts).filter(([name]) => !names.includes(name as HostName)))
    return buildSnapshot({ ...this.cloud, ovs }, 0)
  }

  snapshot(): IdentitySnapshot {
    return this.without()
  }
}

/** A mirror that leaves by a GRE port, which is added to the bridge. */
export function addMirror(to: Mutable<OvsBridge>, mirror: Partial<OvsMirror>, key = ''): void {
  const name = `gre${to.mirrors.length}`
  to.ports.push({
    name,
    tag: undefined,
    otherConfig: new Map(),
    interfaces: [
      made(name, 100 + to.mirrors.length, 'gre', [
        ['remote_ip', '10.0.0.99'],
        ...(key === '' ? [] : [['key', key] as const]),
      ]),
    ],
  })
  to.mirrors.push({
    name: `m${to.mirrors.length}`,
    selectAll: false,
    selectSource: [],
    selectDestination: [],
    outputPort: name,
    outputVlan: undefined,
    ...mirror,
  })
}

export function vm(name: string, on: string, address: string, host: string): Port {
  return port(name, on, address, host, 'compute:nova', `s-${name}`)
}

export function port(name: string, on: string, address: string, host: string, owner: string, deviceId: string): Port {
  return {
    id: `id-${name}`,
    name,
    network_id: `n-${on}`,
    project_id: owner.startsWith('network:router_gateway') ? '' : `p-${projectOf(on)}`,
    mac_address: (MACS as Readonly<Record<string, string>>)[name] ?? 'fa:16:3e:99:00:01',
    device_id: deviceId,
    device_owner: owner,
    'binding:host_id': host,
    'binding:vnic_type': 'normal',
    fixed_ips: [{ subnet_id: `sub-${on}`, ip_address: address }],
    allowed_address_pairs: [],
  }
}

export function network(name: string, vni: number | undefined): Network {
  const external = vni === undefined
  return {
    id: `n-${name}`,
    name,
    project_id: external ? '' : `p-${projectOf(name)}`,
    shared: false,
    'router:external': external,
    'provider:network_type': external ? 'flat' : 'vxlan',
    'provider:physical_network': external ? 'outside' : '',
    'provider:segmentation_id': vni,
    segments: [],
  }
}

export function subnet(on: string, cidr: string): CloudModel['subnets'][number] {
  return { id: `sub-${on}`, network_id: `n-${on}`, cidr, gateway_ip: '', name: '', project_id: '' }
}

export function floating(address: string, portName: string, fixed: string): CloudModel['floatingips'][number] {
  return {
    id: `f-${address}`,
    floating_ip_address: address,
    fixed_ip_address: fixed,
    port_id: portName === '' ? '' : `id-${portName}`,
    router_id: 'router-red',
    floating_network_id: 'n-ext',
    project_id: 'p-red',
  }
}

/** A Neutron port as it is plugged: device `tap-NAME`, routers' and DHCP's devices as they are called. */
export function plug(name: string, ofport: number, tag?: number): OvsPort {
  const called = /^(qr|qg|dhcp)-/.test(name) ? name : `tap-${name}`
  return {
    name: called,
    tag,
    otherConfig: new Map(),
    interfaces: [{ ...made(called, ofport, ''), externalIds: new Map([['iface-id', `id-${name}`]]) }],
  }
}

export function device(name: string, ofport: number, type = ''): OvsPort {
  return { name, tag: undefined, otherConfig: new Map(), interfaces: [made(name, ofport, type)] }
}

export function patch(name: string, ofport: number): OvsPort {
  return device(name, ofport, 'patch')
}

export function bridge(name: string, ports: OvsPort[], exports: Exports = {}): Mutable<OvsBridge> {
  return {
    name,
    datapathId: '',
    datapathType: 'netdev',
    netflow: undefined,
    sflow: undefined,
    ipfix: undefined,
    ...exports,
    ports: [...ports, device(name, 65534, 'internal')],
    mirrors: [...(exports.mirrors ?? [])],
  }
}

export function tunnel(name: string, ofport: number, local: string, remote: string): OvsPort {
  const options = [
    ['local_ip', local],
    ['remote_ip', remote],
  ] as const
  return { ...device(name, ofport), interfaces: [made(name, ofport, 'vxlan', options)] }
}

function made(
  name: string,
  ofport: number,
  type: string,
  options: readonly (readonly [string, string])[] = [],
): OvsInterface {
  return {
    name,
    ofport,
    ifIndex: type === 'patch' || type === 'vxlan' || type === 'gre' ? 0 : ifIndexOf(name, ofport),
    type,
    options: new Map(options),
    externalIds: new Map(),
    macInUse: '',
  }
}

/** 100 + ofport on br-int, 200 + ofport elsewhere: an ifIndex is of the whole host. */
function ifIndexOf(name: string, ofport: number): number {
  return (/^(tap|qr|dhcp)-/.test(name) ? 100 : 200) + ofport
}

function projectOf(name: string): string {
  return name.startsWith('blue') || name.endsWith('-b') ? 'blue' : 'red'
}
