/**
 * Neutron ports, hosts and floating IPs → endpoints and the tables that find them.
 */
import { parseCidr, parseIp, parseMac, type Cidr, type Lanes, type Mac } from '../addresses.ts'
import type { CloudModel, Port } from '../cloud.ts'
import { EndpointBuilder, type EndpointKind } from './endpoints.ts'
import type { Topology } from './networks.ts'
import type { Tables } from './snapshot.ts'

export interface PortIndex {
  endpoints: EndpointBuilder
  /** Port id → endpoint. */
  byId: Map<string, number>
  prefixes: Map<string, number>
  pairRanges: Map<number, Cidr[]>
  /** Subport's endpoint → its trunk parent's endpoint. */
  parents: Map<number, number>
  /** Trunk parent's endpoint → its subports' endpoints. */
  subports: Map<number, number[]>
  names: Names
}

const PREFIX = 11

/** Adds an endpoint for every port, and its keys to the tables. `hostIndex` numbers the hosts. */
export function indexPorts(
  cloud: CloudModel,
  topology: Topology,
  hostIndex: ReadonlyMap<string, number>,
  tables: Tables,
): PortIndex {
  const names = new Names(cloud)
  const index: PortIndex = {
    endpoints: new EndpointBuilder(),
    byId: new Map(),
    prefixes: new Map(),
    pairRanges: new Map(),
    parents: new Map(),
    subports: new Map(),
    names,
  }
  const trunkParent = new Map(
    cloud.trunks.flatMap((trunk) => trunk.sub_ports.map((sub) => [sub.port_id, trunk.port_id])),
  )
  const ports = new Map(cloud.ports.map((port) => [port.id, port]))
  const withoutSnat = new Set(
    cloud.routers.filter((router) => router.external_gateway_info?.enable_snat === false).map((router) => router.id),
  )
  for (const port of cloud.ports) {
    // A floating IP's own port is not where anything is: the floating IP itself says who has it.
    if (port.device_owner === 'network:floatingip') continue
    // Only the trunk knows whose a subport is: its device_id is empty.
    const parent = ports.get(trunkParent.get(port.id) ?? '')
    const network = topology.networkIndex.get(port.network_id) ?? 0
    const kind = kindOf(port, parent, withoutSnat)
    const serverId = kind === 'server' ? (parent?.device_id ?? port.device_id) : ''
    const router = port.device_owner.startsWith('network:') ? (topology.routerIndex.get(port.device_id) ?? 0) : 0
    const hostName = port['binding:host_id'] || parent?.['binding:host_id'] || names.serverHost(serverId)
    const projectId =
      router === 0
        ? port.project_id || names.serverProject(serverId)
        : topology.routers[router]!.projectId || port.project_id
    const mac = parseMac(port.mac_address)
    const addresses = port.fixed_ips.flatMap((ip) => {
      const lanes = parseIp(ip.ip_address)
      return lanes === undefined ? [] : [lanes]
    })
    const endpoint = index.endpoints.add({
      kind,
      network,
      host: hostIndex.get(hostName) ?? 0,
      router,
      project: names.projectNumber(projectId),
      mac,
      addresses,
      texts: {
        project_id: projectId,
        project: names.project(projectId),
        network_id: port.network_id,
        network: topology.networks[network]?.name || port.network_id,
        server_id: serverId,
        server: names.server(serverId),
        port_id: port.id,
        port: port.name || port.id,
        host: hostName,
        router_id: router === 0 ? '' : port.device_id,
      },
    })
    index.byId.set(port.id, endpoint)
    addPrefix(index.prefixes, port.id, endpoint)
    addKeys(tables, topology, endpoint, network, hostIndex.get(hostName) ?? 0, mac, addresses)
    addPairs(tables, index.pairRanges, endpoint, network, port, mac)
  }
  for (const trunk of cloud.trunks) {
    const parent = index.byId.get(trunk.port_id)
    for (const sub of trunk.sub_ports) {
      const endpoint = index.byId.get(sub.port_id)
      if (parent === undefined || endpoint === undefined) continue
      index.parents.set(endpoint, parent)
      index.subports.set(parent, [...(index.subports.get(parent) ?? []), endpoint])
      if (sub.segmentation_id !== undefined) tables.subports.add([parent, sub.segmentation_id], endpoint)
    }
  }
  indexFloating(cloud, topology, names, tables, index)
  return index
}

/** Endpoints for hosts, found by every address of theirs. */
export function indexHosts(
  addresses: ReadonlyMap<number, readonly Lanes[]>,
  hostNames: readonly string[],
  tables: Tables,
  endpoints: EndpointBuilder,
): number[] {
  return hostNames.map((name, host) => {
    if (host === 0) return 0
    const own = addresses.get(host) ?? []
    for (const lanes of own) tables.hostByAddress.add([0, ...lanes], host)
    return endpoints.add({ kind: 'infrastructure', host, addresses: own, texts: { host: name } })
  })
}

function kindOf(port: Port, parent: Port | undefined, withoutSnat: ReadonlySet<string>): EndpointKind {
  const owner = port.device_owner
  if (parent !== undefined) return kindOf(parent, undefined, withoutSnat)
  if (owner.startsWith('compute:')) return 'server'
  if (owner === 'network:dhcp' || owner === 'network:distributed') return 'dhcp'
  if (owner === 'network:router_gateway') return withoutSnat.has(port.device_id) ? 'router' : 'snat'
  if (owner.startsWith('network:') && owner !== 'network:local_ip') return 'router'
  // Without an owner a port may still be one that Nova is about to take, or a VIP: something, but no server yet.
  return 'other'
}

function addKeys(
  tables: Tables,
  topology: Topology,
  endpoint: number,
  network: number,
  host: number,
  mac: Mac | undefined,
  addresses: readonly Lanes[],
): void {
  if (mac !== undefined) {
    tables.byNetworkMac.add([network, mac.high, mac.low], endpoint)
    if (host !== 0) tables.byHostMac.add([host, mac.high, mac.low], endpoint)
  }
  const { domain, external } = topology.networks[network]!
  for (const lanes of addresses) {
    tables.owned.add([endpoint, ...lanes], 1)
    tables.byNetworkAddress.add([network, ...lanes], endpoint)
    if (external && network !== 0) tables.byNetworkAddress.add([0, ...lanes], endpoint)
    else tables.byDomainAddress.add([domain, ...lanes], endpoint)
    if (host !== 0) tables.byHostAddress.add([host, ...lanes], endpoint)
  }
}

function addPairs(
  tables: Tables,
  ranges: Map<number, Cidr[]>,
  endpoint: number,
  network: number,
  port: Port,
  own: Mac | undefined,
): void {
  for (const pair of port.allowed_address_pairs) {
    const range = parseCidr(pair.ip_address)!
    const single = range.prefix === (range.version === 4 ? 32 : 128)
    if (single) {
      tables.owned.add([endpoint, ...range.net], 1)
      tables.byPair.add([network, ...range.net], endpoint)
    } else ranges.set(endpoint, [...(ranges.get(endpoint) ?? []), range])
    const mac = parseMac(pair.mac_address)
    if (mac !== undefined && (mac.high !== own?.high || mac.low !== own.low))
      tables.byNetworkMac.add([network, mac.high, mac.low], endpoint)
  }
}

function addPrefix(prefixes: Map<string, number>, id: string, endpoint: number): void {
  const prefix = id.slice(0, PREFIX)
  prefixes.set(prefix, prefixes.has(prefix) ? 0 : endpoint)
}

function indexFloating(cloud: CloudModel, topology: Topology, names: Names, tables: Tables, index: PortIndex): void {
  for (const floating of cloud.floatingips) {
    const lanes = parseIp(floating.floating_ip_address)!
    const network = topology.networkIndex.get(floating.floating_network_id) ?? 0
    const endpoint =
      index.byId.get(floating.port_id) ??
      index.endpoints.add({
        kind: 'floating',
        network,
        project: names.projectNumber(floating.project_id),
        addresses: [lanes],
        texts: {
          project_id: floating.project_id,
          project: names.project(floating.project_id),
          network_id: floating.floating_network_id,
          network: topology.networks[network]!.name || floating.floating_network_id,
          router_id: floating.router_id,
        },
      })
    tables.byFloating.add([network, ...lanes], endpoint)
    if (network !== 0) tables.byFloating.add([0, ...lanes], endpoint)
  }
}

/** Names of ids. Where an id has no name, or is not in the list, the id itself is shown. */
export class Names {
  private readonly projects: ReadonlyMap<string, string>
  private readonly servers: ReadonlyMap<string, { name: string; project: string; host: string }>
  private readonly numbers = new Map<string, number>()

  constructor(cloud: CloudModel) {
    this.projects = new Map(cloud.projects.map((project) => [project.id, project.name]))
    this.servers = new Map(
      cloud.servers.map((server) => [
        server.id,
        { name: server.name, project: server.tenant_id, host: server['OS-EXT-SRV-ATTR:host'] },
      ]),
    )
  }

  project(id: string): string {
    return this.projects.get(id) || id
  }

  server(id: string): string {
    return this.servers.get(id)?.name || id
  }

  serverProject(id: string): string {
    return this.servers.get(id)?.project ?? ''
  }

  serverHost(id: string): string {
    return this.servers.get(id)?.host ?? ''
  }

  /** Small number of a project, 0 for none. */
  projectNumber(id: string): number {
    if (id === '') return 0
    const known = this.numbers.get(id)
    if (known !== undefined) return known
    this.numbers.set(id, this.numbers.size + 1)
    return this.numbers.size
  }
}
