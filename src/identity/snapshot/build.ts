/** CloudModel → IdentitySnapshot. */
import { parseIp, type Lanes } from '../addresses.ts'
import type { CloudModel } from '../cloud.ts'
import { NO_HISTORY, type History } from '../history.ts'
import { LaneTable } from '../lanes.ts'
import { Devices } from './devices.ts'
import type { OvsHost } from '../sources/ovsdb/host.ts'
import { MANY, SLICE, atOnce, type Slices } from './slices.ts'
import { KIND, type Endpoints } from './endpoints.ts'
import { buildTopology, type GrowingTopology, type Topology } from './networks.ts'
import { indexHosts, indexPorts, type PortIndexer } from './ports.ts'
import { emptyTables, IdentitySnapshot, type SnapshotParts, type Tables } from './snapshot.ts'
import type { TimedTable } from './timed.ts'
import { IF_KIND, REPORTS, type Host, type Interfaces } from './vantage.ts'

/** Tunnel types with a table of VNIs; the names are those of provider:network_type. */
export const VNI_TYPES = ['vxlan', 'gre', 'geneve'] as const
/** In the place of a type: keys of OVN's datapaths, which have a numbering of their own. */
export const OVN_KEYS = VNI_TYPES.length

/** Neutron's patch from the integration bridge to the tunnel bridge. */
const INTEGRATION_PATCH = 'patch-tun'

/** Any report of what enters by an interface. */
const ENTERING = REPORTS.ipfix_ingress | REPORTS.netflow | REPORTS.sflow | REPORTS.mirror_source

/** Networks and routers that may be added before the model has to be laid out anew. */
const SPARE_NETWORKS = 1_024

/** Hosts of one slice: each has dozens of interfaces. */
const HOSTS_A_SLICE = 50

/** A model of nothing, for running without any identity source. */
export const EMPTY_CLOUD: CloudModel = {
  hosts: [],
  projects: [],
  networks: [],
  segments: [],
  subnets: [],
  ports: [],
  servers: [],
  routers: [],
  floatingips: [],
  trunks: [],
  agents: [],
  ovs: new Map(),
}

/**
 * Lays the model out for lookup, as it is at `asOfMs` and as it was in the history kept. The model is not kept. Costs about 10 µs a port.
 */
export function buildSnapshot(cloud: CloudModel, asOfMs: number, history: History = NO_HISTORY): IdentitySnapshot {
  return new IdentitySnapshot(atOnce(layOut(cloud, asOfMs, history, 0)).parts)
}

/** A model laid out, with what made it, so that more can be added (editor.ts). */
export interface LaidOut {
  parts: SnapshotParts
  topology: GrowingTopology
  /** Those of the parts. */
  routerPorts: number[][]
  indexer: PortIndexer
  devices: Devices
  hostIndex: Map<string, number>
  /** Physical network of each bridge of a host, by the bridge's name. */
  physnets: (name: string, ovs: OvsHost) => ReadonlyMap<string, string>
}

/**
 * Lays the model out with room for `spare` more endpoints and interfaces, a slice at a time. Nothing of `cloud` and `history` may change
 * meanwhile.
 */
export function* layOut(cloud: CloudModel, asOfMs: number, history: History, spare: number): Slices<LaidOut> {
  const topology = yield* buildTopology(cloud)
  yield
  const tables = emptyTables(cloud.ports.length)
  for (const table of Object.values(tables) as (LaneTable | TimedTable)[]) yield* table.touchPages()
  const { names, index: hostIndex } = yield* numberHosts(cloud)
  yield
  const indexer = yield* indexPorts(cloud, topology, hostIndex, tables, history, spare)
  const ports = indexer.index
  yield
  const addresses = yield* hostAddresses(cloud, hostIndex)
  const hostEndpoints = yield* indexHosts(addresses, names, tables, ports.endpoints)
  yield
  // Most ports are plugged somewhere, and each host has some interfaces of its own.
  const interfaceRoom = cloud.ports.length + history.interfaces.length + 4 * names.length + spare + 64
  const devices = new Devices(names, topology, ports, tables, history, interfaceRoom)
  yield* devices.interfaces.touchPages()
  devices.segments = indexSegments(cloud, topology, tables)
  yield
  const mappings = mappingsOf(cloud)
  const physnets = (name: string, ovs: OvsHost) => physnetsOf(mappings.get(name) ?? [], ovs.externalIds)
  let done = 0
  for (const [name, ovs] of cloud.ovs) {
    devices.add(hostIndex.get(name)!, ovs, physnets(name, ovs))
    if (++done % HOSTS_A_SLICE === 0) yield
  }
  const { interfaces } = devices
  const { endpoints } = ports
  yield* moveToDevices(interfaces, names, endpoints)
  yield
  endpoints.reserve(spare)
  interfaces.reserve(spare)
  const withRouters = hostsWithRouters(interfaces, names.length)
  const serverReports = serverBridgeReports(interfaces, names.length)
  yield
  const hosts = names.map((name, host) =>
    hostOf(
      host,
      name,
      hostEndpoints[host]!,
      cloud.ovs.get(name),
      devices,
      withRouters[host] === 1,
      serverReports[host]!,
    ),
  )
  yield
  yield* fillReports(endpoints, interfaces, hosts, ports.parents)
  for (const parent of ports.subports.keys()) endpoints.markTrunk(parent)
  for (let item = 1; item < interfaces.count; item++) {
    addHostKeys(tables, endpoints, interfaces, item)
    if (item % SLICE === 0) yield
  }
  const routerReported = reportedRouters(topology, endpoints, spare === 0 ? 0 : SPARE_NETWORKS)
  yield
  const legs = routerLegs(topology, endpoints, spare === 0 ? 0 : SPARE_NETWORKS)
  yield
  const parts: SnapshotParts = {
    asOfMs,
    empty: cloud.hosts.length === 0 && cloud.ports.length === 0 && cloud.ovs.size === 0,
    timed: tables.byVlan.timed || tables.byFloating.timed || isTimed(endpoints) || isTimed(interfaces),
    edited: { hosts: [], ports: 0 },
    endpoints,
    interfaces,
    topology,
    hosts,
    bridges: devices.bridges,
    mirrors: devices.mirrors,
    tables,
    portPrefixes: ports.prefixes,
    pairRanges: ports.pairRanges,
    subportsOf: ports.subports,
    routerReported,
    ...legs,
  }
  return { parts, topology, routerPorts: legs.routerPorts, indexer, devices, hostIndex, physnets }
}

/** A host, once its bridges are in `devices`. `reports` is what reports the bridge of its servers. */
export function hostOf(
  host: number,
  name: string,
  endpoint: number,
  ovs: OvsHost | undefined,
  devices: Devices,
  routers: boolean,
  reports: number,
): Host {
  const bridges = devices.bridgesOf[host]!
  return {
    name,
    endpoint,
    ovs: ovs !== undefined,
    ovn: ovs?.externalIds.has('ovn-encap-ip') ?? false,
    bridges,
    netflowBridges: bridges.filter((bridge) => devices.bridges[bridge]!.netflow !== undefined),
    mirrors: devices.mirrorsOf[host]!,
    routers,
    reports,
    tunnels: devices.tunnelsOf[host]!,
  }
}

/** Numbers hosts from 1: the configured ones first, then those that only ports and agents name. */
function* numberHosts(cloud: CloudModel): Slices<{ names: string[]; index: Map<string, number> }> {
  const names = ['']
  const index = new Map<string, number>()
  const add = (name: string) => {
    if (name !== '' && !index.has(name)) index.set(name, names.push(name) - 1)
  }
  for (const host of cloud.hosts) add(host.name)
  for (const name of cloud.ovs.keys()) add(name)
  // Nova's and Neutron's name of a host may be the one its OVSDB carries, not the one the file gives it.
  for (const [name, ovs] of cloud.ovs)
    if (ovs.hostname !== '' && !index.has(ovs.hostname)) index.set(ovs.hostname, index.get(name)!)
  yield
  for (const [i, port] of cloud.ports.entries()) {
    add(port['binding:host_id'])
    if (i % MANY === 0) yield
  }
  for (const [i, server] of cloud.servers.entries()) {
    add(server['OS-EXT-SRV-ATTR:host'])
    if (i % MANY === 0) yield
  }
  for (const agent of cloud.agents) add(agent.host)
  return { names, index }
}

/** Addresses of each host: the given ones, its tunnel end points, its agent's. The first to claim one keeps it. */
function* hostAddresses(cloud: CloudModel, hostIndex: ReadonlyMap<string, number>): Slices<Map<number, Lanes[]>> {
  const addresses = new Map<number, Lanes[]>()
  const owner = new LaneTable(5, cloud.hosts.length)
  const add = (host: number, address: string | undefined) => {
    if (address === undefined || address === '' || host === 0) return
    const lanes = parseIp(address)
    if (lanes === undefined) return
    const [a0, a1, a2, a3] = lanes
    if (owner.get5(0, a0 | 0, a1 | 0, a2 | 0, a3 | 0) !== 0) return
    owner.add5(0, a0 | 0, a1 | 0, a2 | 0, a3 | 0, host)
    const own = addresses.get(host)
    if (own === undefined) addresses.set(host, [lanes])
    else own.push(lanes)
  }
  for (const { name, addresses: given } of cloud.hosts)
    for (const address of given) add(hostIndex.get(name) ?? 0, address)
  let count = 0
  for (const [name, ovs] of cloud.ovs) {
    if (++count % HOSTS_A_SLICE === 0) yield
    const host = hostIndex.get(name) ?? 0
    for (const address of tunnelAddresses(ovs)) add(host, address)
  }
  for (const { host, configurations } of cloud.agents) add(hostIndex.get(host) ?? 0, configurations.tunneling_ip)
  return addresses
}

/** Addresses at which a host's tunnels end. */
export function* tunnelAddresses({ externalIds, bridges }: OvsHost): Generator<string | undefined, void> {
  yield externalIds.get('ovn-encap-ip')
  for (const bridge of bridges)
    for (const port of bridge.ports)
      // A system device, as nearly all are, is no tunnel.
      for (const item of port.interfaces) if (item.type !== '') yield item.options.get('local_ip')
}

type Mappings = [physnet: string, bridge: string][]

/** Bridges of physical networks that agents tell, by host. */
function mappingsOf(cloud: CloudModel): Map<string, Mappings> {
  const mappings = new Map<string, Mappings>()
  for (const { host, configurations } of cloud.agents)
    mappings.set(host, [...(mappings.get(host) ?? []), ...Object.entries(configurations.bridge_mappings)])
  return mappings
}

/** Bridge → physical network, from the agents' bridge_mappings or OVN's. */
function physnetsOf(mappings: Mappings, externalIds: ReadonlyMap<string, string>): Map<string, string> {
  const physnets = new Map(mappings.map(([physnet, bridge]) => [bridge, physnet]))
  for (const mapping of (externalIds.get('ovn-bridge-mappings') ?? '').split(',')) {
    const [physnet = '', bridge = ''] = mapping.split(':')
    if (bridge !== '') physnets.set(bridge, physnet)
  }
  return physnets
}

/** Fills the table of VNIs and lists the provider VLANs, of networks and of their segments. */
function indexSegments(
  cloud: CloudModel,
  topology: Topology,
  tables: Tables,
): Map<string, { vlan: number; network: number }[]> {
  const found = new Map<string, { vlan: number; network: number }[]>()
  const provider = (physnet: string, vlan: number, network: number) => {
    const known = found.get(physnet)
    if (known === undefined) found.set(physnet, [{ vlan, network }])
    else known.push({ vlan, network })
  }
  const add = (id: string, type: string, physnet: string, segmentation: number | undefined) => {
    const network = topology.networkIndex.get(id)
    if (network === undefined) return
    if (type === 'flat') provider(physnet, 0, network)
    if (type === 'vlan' && segmentation !== undefined) provider(physnet, segmentation, network)
    const vni = VNI_TYPES.indexOf(type as (typeof VNI_TYPES)[number])
    if (vni >= 0 && segmentation !== undefined) tables.byVni.add([vni, segmentation], network)
  }
  for (const [key, id] of cloud.tunnelKeys ?? []) {
    const network = topology.networkIndex.get(id)
    if (network !== undefined) tables.byVni.add([OVN_KEYS, key], network)
  }
  for (const network of cloud.networks) {
    for (const item of [network, ...network.segments])
      add(
        network.id,
        item['provider:network_type'],
        item['provider:physical_network'],
        item['provider:segmentation_id'],
      )
  }
  for (const item of cloud.segments)
    add(item.network_id, item.network_type, item.physical_network, item.segmentation_id)
  return found
}

/**
 * Where a port is plugged says better than its binding where it is. On several hosts at once (a migration, a distributed
 * router) the binding decides, and where it names none of them the port has no one host.
 */
function* moveToDevices(interfaces: Interfaces, names: readonly string[], endpoints: Endpoints): Slices<void> {
  // Most ports are plugged where they are bound, and once: what is not is few.
  const now = new Int32Array(endpoints.count)
  const several = new Map<number, Set<number>>()
  for (let item = 1; item < interfaces.count; item++) {
    if (item % MANY === 0) yield
    const endpoint = interfaces.endpoint(item)
    const host = interfaces.host(item)
    if (endpoint === 0 || interfaces.toMs[item] !== Number.MAX_VALUE || now[endpoint] === host) continue
    if (now[endpoint] === 0) now[endpoint] = host
    else several.set(endpoint, (several.get(endpoint) ?? new Set([now[endpoint]!])).add(host))
  }
  // What is plugged nowhere now was where it was plugged first, as far as is known.
  for (let item = 1; item < interfaces.count; item++) {
    if (item % MANY === 0) yield
    const endpoint = interfaces.endpoint(item)
    if (endpoint !== 0 && interfaces.toMs[item] !== Number.MAX_VALUE && now[endpoint] === 0)
      now[endpoint] = interfaces.host(item)
  }
  for (let endpoint = 0; endpoint < now.length; endpoint++) {
    if (endpoint % MANY === 0) yield
    const bound = endpoints.host(endpoint)
    if (now[endpoint] === 0 || now[endpoint] === bound) continue
    const on = several.get(endpoint)
    if (on?.has(bound) === true) continue
    const host = on === undefined ? now[endpoint]! : 0
    endpoints.move(endpoint, host, names[host]!)
  }
}

/**
 * By host: what reports the bridge that holds its servers, or the integration bridge when it holds none yet. A mirror is of
 * the ports it selects, not of a port that is still to come. `first` is the first interface that is looked at.
 */
export function serverBridgeReports(interfaces: Interfaces, hosts: number, first = 1): Uint8Array {
  const reports = new Uint8Array(hosts)
  const settled = new Uint8Array(hosts)
  for (let item = first; item < interfaces.count; item++) {
    const own = interfaces.kind(item) === IF_KIND.port
    const host = interfaces.host(item)
    if (settled[host] === 1 || (!own && interfaces.name(item) !== INTEGRATION_PATCH)) continue
    reports[host] = interfaces.reports(item) & ~(REPORTS.mirror_source | REPORTS.mirror_destination)
    if (own) settled[host] = 1
  }
  return reports
}

/** 1 for hosts where a router has a port, by interfaces from `first` on. */
export function hostsWithRouters(interfaces: Interfaces, hosts: number, first = 1): Uint8Array {
  const found = new Uint8Array(hosts)
  for (let item = first; item < interfaces.count; item++)
    if (interfaces.kind(item) === IF_KIND.router) found[interfaces.host(item)] = 1
  return found
}

function* fillReports(
  endpoints: Endpoints,
  interfaces: Interfaces,
  hosts: readonly Host[],
  parents: ReadonlyMap<number, number>,
): Slices<void> {
  for (let item = 1; item < interfaces.count; item++) {
    if (item % MANY === 0) yield
    const endpoint = interfaces.endpoint(item)
    if (endpoint !== 0 && endpoints.host(endpoint) === interfaces.host(item))
      endpoints.setReports(endpoint, interfaces.reports(item))
  }
  for (let endpoint = 0; endpoint < endpoints.count; endpoint++) {
    if (endpoint % MANY === 0) yield
    const parent = parents.get(endpoint)
    const host = hosts[endpoints.host(endpoint)]!
    if (parent !== undefined && endpoints.reportsKnown(parent))
      endpoints.setReports(endpoint, endpoints.reports(parent))
    else if (!endpoints.reportsKnown(endpoint) && host.ovs) endpoints.setReports(endpoint, host.reports)
  }
}

function isTimed({ count, fromMs, toMs }: { count: number; fromMs: Float64Array; toMs: Float64Array }): boolean {
  for (let i = 0; i < count; i++) if (fromMs[i]! > 0 || toMs[i]! < Number.MAX_VALUE) return true
  return false
}

/** Keys of an end by the host where its interface is. */
export function addHostKeys(tables: Tables, endpoints: Endpoints, interfaces: Interfaces, item: number): void {
  const endpoint = interfaces.endpoint(item)
  if (item === 0 || endpoint === 0) return
  const host = interfaces.host(item)
  tables.byHostEndpoint.add2(host, endpoint, item)
  tables.byHostMac.add3(host, endpoints.macHigh(endpoint), endpoints.macLow(endpoint), endpoint)
  const [a0, a1, a2, a3] = endpoints.firstAddress(endpoint) as unknown as readonly [number, number, number, number]
  if (a3 !== 0) tables.byHostAddress.add5(host, a0, a1, a2, a3, endpoint)
}

/** Routers behind which every server's sending is reported. */
function reportedRouters(topology: Topology, endpoints: Endpoints, spare: number): Uint8Array {
  const silent = new Set<number>()
  for (let endpoint = 0; endpoint < endpoints.count; endpoint++)
    if (isSilent(endpoints, endpoint)) silent.add(endpoints.network(endpoint))
  const reported = new Uint8Array(topology.routers.length + spare)
  for (const [number, { networks }] of topology.routers.entries())
    reported[number] = networks.length > 0 && networks.every((network) => !silent.has(network)) ? 1 : 0
  return reported
}

/** A server whose sending nobody reports. */
export function isSilent(endpoints: Endpoints, endpoint: number): boolean {
  return endpoints.kind(endpoint) === KIND.server && !reportsEntering(endpoints, endpoint)
}

/** Whether what the endpoint sends is reported where it does. */
export function reportsEntering(endpoints: Endpoints, endpoint: number): boolean {
  return (endpoints.reports(endpoint) & ENTERING) !== 0
}

/** Routers' ports on each network, and whether what enters there is reported. */
function routerLegs(
  topology: Topology,
  endpoints: Endpoints,
  spare: number,
): { routerPorts: number[][]; legReported: Uint8Array } {
  const routerPorts: number[][] = topology.networks.map(() => [])
  const legReported = new Uint8Array(topology.networks.length + spare)
  for (let endpoint = 0; endpoint < endpoints.count; endpoint++) {
    if (endpoints.kind(endpoint) !== KIND.router) continue
    const network = endpoints.network(endpoint)
    routerPorts[network]!.push(endpoint)
    if (reportsEntering(endpoints, endpoint)) legReported[network] = 1
  }
  return { routerPorts, legReported }
}

/** A snapshot that knows nothing. */
export const EMPTY_SNAPSHOT = buildSnapshot(EMPTY_CLOUD, 0)
