/**
 * What the lab consists of. Projects, networks, ports, servers, routers and floating IPs with their ids, MACs and addresses are
 * those of pcaps/ipfix/identity.yaml; here is only what an identity file does not say: names of namespaces, local VLANs, tunnels.
 */
import { readFileSync } from 'node:fs'
import { parse, parseDocument } from 'yaml'
import { PCAPS } from '../paths.ts'

/** Prefix of every namespace, and the folder under /run: two labs with different names do not touch each other. */
export const LAB_NAME = process.env['OVSIGHT_LAB_NAME'] ?? 'lab'
export const RUN_DIR = `/run/ovsight-lab/${LAB_NAME}`
export const IDENTITY_FILE = `${RUN_DIR}/identity.yaml`

export const namespaceOf = (name: string): string => `${LAB_NAME}-${name}`

/** The wire between the nodes: a plain bridge in a namespace of its own. */
export const UNDERLAY = { namespace: namespaceOf('underlay'), bridge: 'underlay0', prefixLength: 24, mtu: 1500 }
export const COLLECTOR = { namespace: namespaceOf('col'), device: 'eth0', address: '10.0.10.53' }
export const OVSDB_PORT = 6640

export interface Node {
  name: string
  namespace: string
  /** Run directory with the sockets, database, process ids and logs of this node's Open vSwitch. */
  dir: string
  /** Tunnel endpoint, on the OVS bridge br-phy. */
  address: string
  /** Local VLAN of each network, different on every node, as Neutron's agents choose them. */
  tags: Record<string, number>
  bridges: string[]
}

const node = (name: string, address: string, tags: Record<string, number>, bridges: string[]): Node => ({
  name,
  namespace: namespaceOf(name),
  dir: `${RUN_DIR}/${name}`,
  address,
  tags,
  bridges,
})

export const NODES: readonly Node[] = [
  node('c0', '10.0.10.14', { net1: 69, bluenet: 71 }, ['br-phy', 'br-tun', 'br-int']),
  node('c1', '10.0.10.23', { net1: 32, net2: 33, bluenet: 34 }, ['br-phy', 'br-tun', 'br-int']),
  node('n0', '10.0.10.10', { net1: 14, net2: 15, bluenet: 16 }, ['br-phy', 'br-tun', 'br-int', 'br-ex']),
]

/** Room for 50 bytes of VXLAN, or 42 of GRE mirror with its VLAN tag, in the underlay's 1500. */
export const VM_MTU = 1400

interface IdentityFile {
  networks: { id: string; name: string; 'provider:segmentation_id'?: number }[]
  subnets: { id: string; network_id: string; cidr: string; gateway_ip: string }[]
  ports: {
    id: string
    network_id: string
    mac_address: string
    device_id: string
    device_owner: string
    'binding:host_id': string
    fixed_ips: { subnet_id: string; ip_address: string }[]
  }[]
  servers: { id: string; name: string }[]
  routers: { id: string; name: string }[]
  floatingips: { floating_ip_address: string; fixed_ip_address: string; router_id: string }[]
}

const IDENTITY_SOURCE = `${PCAPS}ipfix/identity.yaml`
const identity = parse(readFileSync(IDENTITY_SOURCE, 'utf8')) as IdentityFile

export interface Network {
  id: string
  name: string
  /** Absent on the external network, which is flat. */
  vni: number | undefined
}

export interface Port {
  id: string
  device: string
  mac: string
  address: string
  prefixLength: number
  gateway: string
  node: Node
  network: Network
  /** Server or router. */
  deviceId: string
}

export interface Machine {
  /** As in the captures' truth files. */
  name: string
  namespace: string
  port: Port
}

export interface Router {
  name: string
  namespace: string
  inside: Port[]
  outside: Port
  floating: { outside: string; inside: string }[]
}

export const NETWORKS: readonly Network[] = identity.networks.map((network) => ({
  id: network.id,
  name: network.name,
  vni: network['provider:segmentation_id'],
}))

function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`${IDENTITY_SOURCE} has no ${what}`)
  return value
}

const DEVICE_PREFIX: Record<string, string> = {
  'compute:nova': 'tap',
  'network:router_interface': 'qr-',
  'network:router_gateway': 'qg-',
}

function toPort(port: IdentityFile['ports'][number]): Port {
  const fixed = found(port.fixed_ips[0], `address of port ${port.id}`)
  const subnet = found(
    identity.subnets.find((each) => each.id === fixed.subnet_id),
    `subnet ${fixed.subnet_id}`,
  )
  return {
    id: port.id,
    device: DEVICE_PREFIX[port.device_owner] + port.id.slice(0, 11),
    mac: port.mac_address,
    address: fixed.ip_address,
    prefixLength: Number(subnet.cidr.split('/')[1]),
    gateway: subnet.gateway_ip,
    node: found(
      NODES.find((each) => each.name === port['binding:host_id']),
      `host ${port['binding:host_id']}`,
    ),
    network: found(
      NETWORKS.find((each) => each.id === port.network_id),
      `network ${port.network_id}`,
    ),
    deviceId: port.device_id,
  }
}

const portsOwnedBy = (owner: string): Port[] =>
  identity.ports.filter((port) => port.device_owner === owner).map((port) => toPort(port))

/** Short names of the servers: first letter of the project, then the address's last number. */
const MACHINE_NAMES: Record<string, string> = {
  'red-1': 'r8',
  'red-10': 'r10',
  'red-2': 'r9',
  'red-3': 'r3',
  'blue-1': 'b8',
  'blue-2': 'b9',
}

export const MACHINES: readonly Machine[] = portsOwnedBy('compute:nova').map((port) => {
  const server = found(
    identity.servers.find((each) => each.id === port.deviceId),
    `server ${port.deviceId}`,
  )
  const name = found(MACHINE_NAMES[server.name], `short name for ${server.name}`)
  return { name, namespace: namespaceOf(name), port }
})

export const ROUTERS: readonly Router[] = identity.routers.map((router) => ({
  name: router.name,
  // Neutron's L3 agent deletes namespaces named qrouter-… that it does not know.
  namespace: namespaceOf(router.name),
  inside: portsOwnedBy('network:router_interface').filter((port) => port.deviceId === router.id),
  outside: found(
    portsOwnedBy('network:router_gateway').find((port) => port.deviceId === router.id),
    `gateway of router ${router.name}`,
  ),
  floating: identity.floatingips
    .filter((floating) => floating.router_id === router.id)
    .map((floating) => ({ outside: floating.floating_ip_address, inside: floating.fixed_ip_address })),
}))

/** A host on the external network that is no server of the cloud, plugged into br-ex of the network node. */
export const OUTSIDE = {
  name: 'ext',
  namespace: namespaceOf('ext'),
  node: found(
    NODES.find((each) => each.bridges.includes('br-ex')),
    'network node',
  ),
  device: 'ext0',
  address: '172.16.2.1',
  prefixLength: 16,
}

export const NAMESPACES: readonly string[] = [
  UNDERLAY.namespace,
  COLLECTOR.namespace,
  OUTSIDE.namespace,
  ...NODES.map((each) => each.namespace),
  ...MACHINES.map((each) => each.namespace),
  ...ROUTERS.map((each) => each.namespace),
]

/** The machine with this short name, `ext` included: its namespace and address. */
export function endpoint(name: string): { namespace: string; address: string } {
  if (name === OUTSIDE.name) return OUTSIDE
  const machine = MACHINES.find((each) => each.name === name)
  if (machine === undefined) {
    throw new Error(`no machine ${name}; there are ${MACHINES.map((each) => each.name).join(' ')} ${OUTSIDE.name}`)
  }
  return { namespace: machine.namespace, address: machine.port.address }
}

const liveDatabase = ({ address }: Node): string => `tcp:${address}:${OVSDB_PORT}`

/** The identity file for a collector of this lab: that of the captures, with each host's OVSDB server, or another source of it. */
export function identityYaml(databaseOf: (of: Node) => string = liveDatabase): string {
  const document = parseDocument(readFileSync(IDENTITY_SOURCE, 'utf8'))
  NODES.forEach((each, index) => {
    document.setIn(['hosts', index, 'name'], each.name)
    document.setIn(['hosts', index, 'addresses'], [each.address])
    document.setIn(['hosts', index, 'ovsdb'], databaseOf(each))
  })
  return document.toString({ lineWidth: 0 })
}
