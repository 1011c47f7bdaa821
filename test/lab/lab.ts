/** The whole lab: up, down, and whether it stands. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import {
  COLLECTOR,
  IDENTITY_FILE,
  MACHINES,
  NAMESPACES,
  NODES,
  OUTSIDE,
  ROUTERS,
  RUN_DIR,
  UNDERLAY,
  identityYaml,
} from './cloud.ts'
import { buildNode, plug, plugOutside } from './node.ts'
import { isRunning, stopOpenVSwitch } from './openvswitch.ts'
import { buildRouter } from './router.ts'
import { isInstalled } from './shell.ts'
import {
  addAddress,
  addBridge,
  addDefaultRoute,
  addNamespace,
  connect,
  existingNamespaces,
  removeNamespace,
  silence,
} from './wiring.ts'

const PROGRAMS: Record<string, string> = {
  ip: 'iproute2',
  'ovs-vswitchd': 'openvswitch-switch',
  'ovsdb-server': 'openvswitch-switch',
  nft: 'nftables',
  tcpdump: 'tcpdump',
  iperf3: 'iperf3',
  ethtool: 'ethtool',
  ping: 'iputils-ping',
}

/** Why the lab cannot run here, as a sentence; undefined when it can. */
export function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return 'the lab makes network namespaces and needs root'
  const missing = Object.keys(PROGRAMS).filter((program) => !isInstalled(program))
  if (missing.length === 0) return undefined
  const packages = new Set(missing.map((program) => PROGRAMS[program]))
  return `the lab needs ${missing.join(', ')}: apt-get install ${[...packages].join(' ')}`
}

/** All namespaces exist, every node's daemons run, and the last `up` came to its end. */
export const isUp = (): boolean =>
  existsSync(IDENTITY_FILE) &&
  existingNamespaces(NAMESPACES).length === NAMESPACES.length &&
  NODES.every((node) => isRunning(node))

/** Build the lab; what an earlier run left behind is removed first. Does nothing when it stands already. */
export function up(): void {
  const reason = whyNot()
  if (reason !== undefined) throw new Error(reason)
  if (isUp()) return
  down()
  mkdirSync(RUN_DIR, { recursive: true })
  for (const namespace of NAMESPACES) addNamespace(namespace)
  buildUnderlay()
  for (const node of NODES) buildNode(node, 'eth0')
  plugOutside()
  for (const router of ROUTERS) buildRouter(router)
  for (const { namespace, port } of MACHINES) {
    plug(port, 'br-int', namespace, 'eth0', port.deviceId)
    addDefaultRoute(namespace, port.gateway)
  }
  // Last, so that its being there says that the rest is.
  writeFileSync(IDENTITY_FILE, identityYaml())
}

/** Nodes and collector on one wire. */
function buildUnderlay(): void {
  const { namespace, bridge, mtu, prefixLength } = UNDERLAY
  for (const node of NODES) {
    connect({ namespace: node.namespace, device: 'eth0' }, { namespace, device: node.name }, mtu)
  }
  connect({ namespace: COLLECTOR.namespace, device: COLLECTOR.device }, { namespace, device: 'col' }, mtu)
  for (const device of [...NODES.map((node) => node.name), 'col']) silence(namespace, device)
  addBridge(namespace, bridge, [...NODES.map((node) => node.name), 'col'])
  addAddress(COLLECTOR.namespace, COLLECTOR.device, COLLECTOR.address, prefixLength)
}

/** End the lab's processes and remove its namespaces and files; what is not there is passed over. */
export function down(): void {
  for (const node of NODES) stopOpenVSwitch(node)
  for (const namespace of existingNamespaces(NAMESPACES)) removeNamespace(namespace)
  rmSync(RUN_DIR, { recursive: true, force: true })
}

/** One line for each part, for people. */
export function status(): string {
  const reason = whyNot()
  if (reason !== undefined) return reason
  if (!isUp()) return `${OUTSIDE.namespace.replace(/-ext$/, '')}: down`
  return [
    ...NODES.map((node) => `${node.namespace}: ${node.address}, ${node.bridges.join(' ')}`),
    ...MACHINES.map((each) => `${each.namespace}: ${each.port.address} ${each.port.device} on ${each.port.node.name}`),
    `${OUTSIDE.namespace}: ${OUTSIDE.address} outside`,
    `${COLLECTOR.namespace}: ${COLLECTOR.address}, identity in ${IDENTITY_FILE}`,
  ].join('\n')
}
