/** Builds one node: br-phy with the host's address, br-tun with the tunnels, br-int, on the network node also br-ex. */
import { NODES, OUTSIDE, VM_MTU, type Node, type Port } from './cloud.ts'
import { INTEGRATION_FLOWS, tunnelFlows } from './flows.ts'
import { ofctl, startOpenVSwitch, vsctl } from './openvswitch.ts'
import { run } from './shell.ts'
import { addAddress, connect, silence } from './wiring.ts'

/** Tunnel interfaces are named for the remote address in hexadecimal: vxlan-0a000a17 goes to 10.0.10.23. */
export const tunnelName = (remote: string): string =>
  `vxlan-${remote
    .split('.')
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join('')}`

/** Start the node's Open vSwitch, with `uplink` (a device in its namespace) as the way to the other nodes. */
export function buildNode(node: Node, uplink: string): void {
  startOpenVSwitch(node)
  const peers = NODES.filter((other) => other !== node)
  vsctl(
    node,
    ...node.bridges.flatMap((bridge) => [
      '--',
      'add-br',
      bridge,
      '--',
      'set',
      'Bridge',
      bridge,
      'datapath_type=netdev',
    ]),
    ...['--', 'add-port', 'br-phy', uplink],
    ...['--', 'set-fail-mode', 'br-tun', 'secure', '--', 'set-fail-mode', 'br-int', 'secure'],
    ...patch('br-int', 'patch-tun', 'patch-int'),
    ...patch('br-tun', 'patch-int', 'patch-tun'),
    ...peers.flatMap((peer) => tunnel(node, peer)),
  )
  silence(node.namespace, uplink)
  addAddress(node.namespace, 'br-phy', node.address, 24)
  run(['ip', '-n', node.namespace, 'link', 'set', 'br-phy', 'up'])
  const tunnels = peers.map((peer) => openFlowPort(node, tunnelName(peer.address)))
  ofctl(node, ['add-flows', 'br-tun', '-'], tunnelFlows(node, openFlowPort(node, 'patch-int'), tunnels))
  ofctl(node, ['add-flows', 'br-int', '-'], INTEGRATION_FLOWS)
}

const patch = (bridge: string, name: string, peer: string): string[] =>
  `-- add-port ${bridge} ${name} -- set Interface ${name} type=patch options:peer=${peer}`.split(' ')

const tunnel = (node: Node, peer: Node): string[] => {
  const name = tunnelName(peer.address)
  const options = `options:local_ip=${node.address} options:remote_ip=${peer.address} options:in_key=flow options:out_key=flow`
  return `-- add-port br-tun ${name} -- set Interface ${name} type=vxlan ${options}`.split(' ')
}

export const openFlowPort = (node: Node, name: string): number =>
  Number(vsctl(node, 'get', 'Interface', name, 'ofport'))

/**
 * Plug a port as Nova and Neutron do: the cable named for the port, the ids on the interface, the local VLAN and the network on
 * the port. `device` is the far end's name in `namespace`, which has the port's MAC address.
 */
export function plug(port: Port, bridge: string, namespace: string, device: string, serverId?: string): void {
  const { node, device: name } = port
  connect({ namespace: node.namespace, device: name }, { namespace, device, mac: port.mac }, VM_MTU)
  silence(node.namespace, name)
  const tag = port.network.vni === undefined ? undefined : node.tags[port.network.name]
  const segment = [`segmentation_id=${port.network.vni}`, 'network_type=vxlan', 'physical_network=None', `tag=${tag}`]
  vsctl(
    node,
    ...['--', 'add-port', bridge, name],
    ...['--', 'set', 'Interface', name, `external_ids:iface-id=${port.id}`, 'external_ids:iface-status=active'],
    // Colons in a value need quotes of their own.
    `external_ids:attached-mac="${port.mac}"`,
    ...(serverId === undefined ? [] : [`external_ids:vm-uuid=${serverId}`]),
    ...(tag === undefined ? [] : ['--', 'set', 'Port', name, `tag=${tag}`]),
    ...(tag === undefined
      ? []
      : [`net_uuid=${port.network.id}`, ...segment].map((setting) => `other_config:${setting}`)),
  )
  addAddress(namespace, device, port.address, port.prefixLength)
}

/** The outside host's cable into br-ex. */
export function plugOutside(): void {
  const { node, namespace, device } = OUTSIDE
  connect({ namespace: node.namespace, device }, { namespace, device: 'eth0' }, VM_MTU)
  silence(node.namespace, device)
  vsctl(node, 'add-port', 'br-ex', device)
  addAddress(namespace, 'eth0', OUTSIDE.address, OUTSIDE.prefixLength)
}
