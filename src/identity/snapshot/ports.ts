/**
 * Neutron ports, hosts and floating IPs → endpoints and the tables that find them.
 */
import { parseCidr, parseIp, parseMac, type Cidr, type Lanes, type Mac } from '../addresses.ts'
import type { CloudModel, FloatingIp, Port, Project, Server } from '../cloud.ts'
import { spanSince, type History, type PastPort } from '../history.ts'
import { IdTable, PrefixTable } from '../ids.ts'
import { Endpoints, type EndpointKind } from './endpoints.ts'
import { GATEWAY, type Topology } from './networks.ts'
import { MANY, SLICE, type Slices } from './slices.ts'
import type { Tables } from './snapshot.ts'
import { ALWAYS, overlap, type Span } from './timed.ts'

/** Types of virtual functions and whole devices: no bridge sees their frames, but for those that hardware offloads, which are plugged. */
const DIRECT = /^(direct|macvtap|direct-physical|accelerator-direct|accelerator-direct-physical)$/

/** What a port was for a time. */
export interface Version extends Span {
  endpoint: number
}

export interface PortIndex {
  endpoints: Endpoints
  /** Port id → endpoint as it is now. */
  byId: IdTable
  /** Port id → what it was before, oldest first; only of ports that changed. */
  past: Map<string, Version[]>
  prefixes: PrefixTable
  pairRanges: Map<number, Cidr[]>
  /** Subport's endpoint → its trunk parent's endpoint. */
  parents: Map<number, number>
  /** Trunk parent's endpoint → its subports' endpoints. */
  subports: Map<number, number[]>
  /** Addresses of endpoints that have several. */
  addresses: Map<number, readonly Lanes[]>
  /** Endpoints of ports that pass Open vSwitch by (SR-IOV), unless they are plugged all the same. */
  direct: Set<number>
  /** Endpoints of routers' gateway ports. */
  gateways: Set<number>
  /** Port id → floating IPs that lead to it now. */
  floatingOf: Map<string, FloatingIp[]>
  /** Ids of networks that something names and that are not in the model. */
  strange: Set<string>
  names: Names
}

/**
 * Adds an endpoint for every port, as it is and as it was, and its keys to the tables. `hostIndex` numbers the hosts, `spare` is how many
 * more endpoints there shall be room for.
 */
export function* indexPorts(
  cloud: CloudModel,
  topology: Topology,
  hostIndex: ReadonlyMap<string, number>,
  tables: Tables,
  history: History,
  spare: number,
): Slices<PortIndexer> {
  const names = yield* Names.of(cloud)
  // Hosts are endpoints too, and so is what OVSDB alone knows, for which there is some room.
  const known = cloud.ports.length + history.ports.length + cloud.floatingips.length + hostIndex.size
  const indexer = new PortIndexer(cloud, topology, hostIndex, tables, history, names, known + spare + 64)
  const { byId, prefixes, endpoints } = indexer.index
  for (const fresh of [byId, prefixes, endpoints]) yield* fresh.touchPages()
  yield* indexer.addAll(cloud, history)
  return indexer
}

/** Adds ports one by one; what is not a port (networks, routers, hosts, trunks) is as it was when it was made. */
export class PortIndexer {
  readonly index: PortIndex
  private readonly topology: Topology
  private readonly hostIndex: ReadonlyMap<string, number>
  private readonly tables: Tables
  /** Ports that are parents of trunks, and were. */
  private readonly parents: ReadonlyMap<string, Port>
  /** By the id of a subport: its trunk's port, where that is known. */
  readonly trunks = new Map<string, { parent: Port; vlan: number | undefined }>()
  /** Ids of routers that send outwards untranslated. */
  readonly withoutSnat: Set<string>

  constructor(
    cloud: CloudModel,
    topology: Topology,
    hostIndex: ReadonlyMap<string, number>,
    tables: Tables,
    history: History,
    names: Names,
    room: number,
  ) {
    this.topology = topology
    this.hostIndex = hostIndex
    this.tables = tables
    this.index = {
      endpoints: Endpoints.withRoom(room),
      byId: new IdTable(cloud.ports.length),
      past: new Map(),
      prefixes: new PrefixTable(cloud.ports.length),
      pairRanges: new Map(),
      parents: new Map(),
      subports: new Map(),
      addresses: new Map(),
      direct: new Set(),
      gateways: new Set(),
      floatingOf: new Map(),
      strange: new Set(),
      names,
    }
    const parents = new Set(cloud.trunks.map((trunk) => trunk.port_id))
    for (const { trunk } of history.ports) if (trunk !== undefined) parents.add(trunk.parent)
    const ports = parents.size === 0 ? [] : cloud.ports.filter(({ id }) => parents.has(id))
    this.parents = new Map(ports.map((port) => [port.id, port]))
    for (const { port_id, sub_ports } of cloud.trunks) {
      const parent = this.parents.get(port_id)
      if (parent !== undefined)
        for (const sub of sub_ports) this.trunks.set(sub.port_id, { parent, vlan: sub.segmentation_id })
    }
    this.withoutSnat = new Set(
      cloud.routers.filter((router) => router.external_gateway_info?.enable_snat === false).map((router) => router.id),
    )
  }

  *addAll(cloud: CloudModel, history: History): Slices<void> {
    const { index } = this
    for (const was of history.ports) this.addPast(was)
    for (const [i, port] of cloud.ports.entries()) {
      if (i % SLICE === 0) yield
      // A floating IP's own port is not where anything is: the floating IP itself says who has it.
      if (port.device_owner === 'network:floatingip') continue
      // Only the trunk knows whose a subport is: its device_id is empty.
      const parent = this.trunks.size === 0 ? undefined : this.trunks.get(port.id)?.parent
      const endpoint = this.add(port, parent, undefined, spanSince(history, port.id))
      index.byId.set(port.id, endpoint)
      index.prefixes.add(port.id, endpoint)
    }
    for (const trunk of cloud.trunks)
      for (const sub of trunk.sub_ports) {
        const endpoint = index.byId.get(sub.port_id)
        if (endpoint !== 0) this.addSubport(trunk.port_id, sub.segmentation_id, endpoint)
      }
    for (const { port, trunk, fromMs } of history.ports) {
      const was = index.past.get(port.id)?.find((version) => version.fromMs === fromMs)
      if (trunk !== undefined && was !== undefined) this.addSubport(trunk.parent, trunk.vlan, was.endpoint)
    }
    for (const was of history.floatingips) this.addFloating(was.floating, was)
    for (const floating of cloud.floatingips) {
      this.addFloating(floating, spanSince(history, floating.id))
      this.lead(floating)
    }
  }

  private networkOf(id: string): number {
    const network = this.topology.networkIndex.get(id)
    if (network === undefined) this.index.strange.add(id)
    return network ?? 0
  }

  private addPast(was: PastPort): void {
    const { port, server, trunk, fromMs, toMs } = was
    if (port.device_owner === 'network:floatingip') return
    const parent = trunk === undefined ? undefined : this.parents.get(trunk.parent)
    const endpoint = this.add(port, parent, server, was)
    const versions = this.index.past.get(port.id) ?? []
    versions.push({ endpoint, fromMs, toMs })
    this.index.past.set(port.id, versions)
  }

  /** Adds an endpoint for a port in a span of time. `parent` is its trunk's port, `server` whose it was if that is gone. */
  add(port: Port, parent: Port | undefined, server: Server | undefined, span: Span): number {
    const { index, topology, tables, hostIndex } = this
    const { names } = index
    const network = this.networkOf(port.network_id)
    const kind = kindOf(port, parent, this.withoutSnat)
    const serverId = kind === 'server' ? (parent?.device_id ?? port.device_id) : ''
    const router = port.device_owner.startsWith('network:') ? (topology.routerIndex.get(port.device_id) ?? 0) : 0
    const hostName = port['binding:host_id'] || parent?.['binding:host_id'] || names.serverHost(serverId)
    const projectId =
      router === 0
        ? port.project_id || names.serverProject(serverId)
        : topology.routers[router]!.projectId || port.project_id
    const mac = parseMac(port.mac_address)
    const addresses: Lanes[] = []
    for (const { ip_address } of port.fixed_ips) {
      const lanes = parseIp(ip_address)
      if (lanes !== undefined) addresses.push(lanes)
    }
    const host = hostIndex.get(hostName) ?? 0
    const endpoint = index.endpoints.append({
      kind,
      network,
      host,
      router,
      project: names.projectNumber(projectId),
      server: names.serverNumber(serverId),
      mac,
      addresses,
      fromMs: span.fromMs,
      toMs: span.toMs,
      texts: {
        project_id: projectId,
        project: names.project(projectId),
        network_id: port.network_id,
        network: topology.networks[network]?.name || port.network_id,
        server_id: serverId,
        server: server?.name || names.server(serverId),
        port_id: port.id,
        port: port.name || port.id,
        host: hostName,
        router_id: router === 0 ? '' : port.device_id,
      },
    })
    if (addresses.length > 1) index.addresses.set(endpoint, addresses)
    if (port.device_owner === GATEWAY) index.gateways.add(endpoint)
    if (DIRECT.test(port['binding:vnic_type'])) {
      index.direct.add(endpoint)
      index.endpoints.setReports(endpoint, 0)
    }
    addKeys(tables, topology, endpoint, network, host, mac, addresses)
    if (port.allowed_address_pairs.length > 0) addPairs(tables, index.pairRanges, endpoint, network, port, mac)
    return endpoint
  }

  /** Notes that a floating IP leads to its port now. */
  lead(floating: FloatingIp): void {
    const { floatingOf } = this.index
    if (floating.port_id !== '') floatingOf.set(floating.port_id, [...this.leadingTo(floating.port_id), floating])
  }

  /** Notes that it does not any more. */
  unlead({ id, port_id }: FloatingIp): void {
    const rest = this.leadingTo(port_id).filter((one) => one.id !== id)
    if (rest.length > 0) this.index.floatingOf.set(port_id, rest)
    else this.index.floatingOf.delete(port_id)
  }

  leadingTo(portId: string): readonly FloatingIp[] {
    return this.index.floatingOf.get(portId) ?? []
  }

  /** Ties a subport to its trunk's port, as that is and as it was; endpoints of that. */
  addSubport(parentId: string, vlan: number | undefined, endpoint: number): number[] {
    const { index, tables } = this
    const parents = (index.past.get(parentId) ?? []).map((version) => version.endpoint)
    const now = index.byId.get(parentId)
    if (now !== 0) parents.push(now)
    for (const parent of parents) {
      index.parents.set(endpoint, parent)
      index.subports.set(parent, [...(index.subports.get(parent) ?? []), endpoint])
      if (vlan !== undefined) tables.subports.add([parent, vlan], endpoint)
    }
    return parents
  }

  /** A floating IP leads to the port that has it; one that no port has is an end of its own. */
  addFloating(floating: FloatingIp, span: Span): void {
    const { index, topology, tables } = this
    const { names } = index
    const lanes = parseIp(floating.floating_ip_address)!
    const network = this.networkOf(floating.floating_network_id)
    const versions = [...(index.past.get(floating.port_id) ?? [])]
    const now = index.byId.get(floating.port_id)
    if (now !== 0) versions.push({ ...ALWAYS, fromMs: index.endpoints.fromMs[now]!, endpoint: now })
    if (versions.length === 0)
      versions.push({
        ...ALWAYS,
        endpoint: index.endpoints.append({
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
        }),
      })
    for (const version of versions) {
      const held = overlap(version, span)
      if (held !== undefined)
        for (const key of this.floatingKeys(floating)) tables.byFloating.add(key, version.endpoint, held)
    }
  }

  /** Keys of a floating IP: in its network, and among all external ones. */
  floatingKeys(floating: FloatingIp): number[][] {
    const network = this.networkOf(floating.floating_network_id)
    const lanes = parseIp(floating.floating_ip_address)!
    return network === 0 ? [[0, ...lanes]] : [network, 0].map((scope) => [scope, ...lanes])
  }
}

/** Endpoints for hosts, found by every address of theirs. */
export function* indexHosts(
  addresses: ReadonlyMap<number, readonly Lanes[]>,
  hostNames: readonly string[],
  tables: Tables,
  endpoints: Endpoints,
): Slices<number[]> {
  const numbers = [0]
  for (let host = 1; host < hostNames.length; host++) {
    const own = addresses.get(host) ?? []
    for (const [a0, a1, a2, a3] of own) tables.hostByAddress.add5(0, a0 | 0, a1 | 0, a2 | 0, a3 | 0, host)
    numbers.push(endpoints.append({ kind: 'infrastructure', host, addresses: own, texts: { host: hostNames[host]! } }))
    if (host % SLICE === 0) yield
  }
  return numbers
}

function kindOf(port: Port, parent: Port | undefined, withoutSnat: ReadonlySet<string>): EndpointKind {
  const owner = port.device_owner
  if (parent !== undefined) return kindOf(parent, undefined, withoutSnat)
  if (owner.startsWith('compute:')) return 'server'
  if (owner === 'network:dhcp' || owner === 'network:distributed') return 'dhcp'
  if (owner === GATEWAY) return withoutSnat.has(port.device_id) ? 'router' : 'snat'
  if (owner.startsWith('network:') && owner !== 'network:local_ip') return 'router'
  // Without an owner a port may still be one that Nova is about to take, or a VIP: something, but no server yet.
  return 'other'
}

/** Addresses of an endpoint are found by its routing domain too. */
export function addDomainKeys(tables: Tables, domain: number, endpoint: number, addresses: readonly Lanes[]): void {
  for (const lanes of addresses)
    tables.byDomainAddress.add5(domain, lanes[0] | 0, lanes[1] | 0, lanes[2] | 0, lanes[3] | 0, endpoint)
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
    const high = mac.high | 0
    const low = mac.low | 0
    tables.byNetworkMac.add3(network, high, low, endpoint)
    if (host !== 0) tables.byHostMac.add3(host, high, low, endpoint)
  }
  const { domain, external, routers } = topology.networks[network]!
  for (let i = 0; i < addresses.length; i++) {
    const lanes = addresses[i]!
    const a0 = lanes[0] | 0
    const a1 = lanes[1] | 0
    const a2 = lanes[2] | 0
    const a3 = lanes[3] | 0
    if (i > 0) tables.owned.add5(endpoint, a0, a1, a2, a3, 1)
    tables.byNetworkAddress.add5(network, a0, a1, a2, a3, endpoint)
    if (external && network !== 0) tables.byNetworkAddress.add5(0, a0, a1, a2, a3, endpoint)
    else if (routers.length > 0) tables.byDomainAddress.add5(domain, a0, a1, a2, a3, endpoint)
    if (host !== 0) tables.byHostAddress.add5(host, a0, a1, a2, a3, endpoint)
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

/** Names of ids. Where an id has no name, or is not in the list, the id itself is shown. */
export class Names {
  private readonly projects: Map<string, string>
  /** Server id → place in `servers`. */
  private readonly serverAt: IdTable
  private readonly servers: (Server | undefined)[] = [undefined]
  private readonly numbers = new Map<string, number>()

  private constructor(cloud: CloudModel) {
    this.projects = new Map(cloud.projects.map((project) => [project.id, project.name]))
    this.serverAt = new IdTable(cloud.servers.length)
  }

  static *of(cloud: CloudModel): Slices<Names> {
    const names = new Names(cloud)
    for (const [i, server] of cloud.servers.entries()) {
      names.addServer(server)
      if (i % MANY === 0) yield
    }
    return names
  }

  /** Adds a project; false when something goes by its id already. */
  addProject({ id, name }: Project): boolean {
    if (this.numbers.has(id)) return false
    this.projects.set(id, name)
    return true
  }

  /** Gives a project another name. */
  renameProject({ id, name }: Project): void {
    this.projects.set(id, name)
  }

  addServer(server: Server): void {
    const at = this.serverAt.get(server.id)
    if (at === 0) this.serverAt.set(server.id, this.servers.push(server) - 1)
    else this.servers[at] = server
  }

  project(id: string): string {
    return this.projects.get(id) || id
  }

  server(id: string): string {
    return this.find(id)?.name || id
  }

  serverProject(id: string): string {
    return this.find(id)?.tenant_id ?? ''
  }

  serverHost(id: string): string {
    return this.find(id)?.['OS-EXT-SRV-ATTR:host'] ?? ''
  }

  /** Small number of a server, also of one that is not known yet; 0 for none. */
  serverNumber(id: string): number {
    if (id === '') return 0
    const known = this.serverAt.get(id)
    if (known !== 0) return known
    const number = this.servers.push(undefined) - 1
    this.serverAt.set(id, number)
    return number
  }

  private find(id: string): Server | undefined {
    return id === '' ? undefined : this.servers[this.serverAt.get(id)]
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
