/**
 * Networks and how they are joined. An address means something within a network, and beyond it within the networks that a
 * router joins to it: the routing domain.
 */
import { inCidr, parseCidr, type Cidr } from '../addresses.ts'
import type { CloudModel, Network as ApiNetwork, Port, Router as ApiRouter } from '../cloud.ts'
import { MANY, type Slices } from './slices.ts'

/** Network types whose frames travel between hosts in a tunnel. */
const TUNNELLED = new Set(['vxlan', 'gre', 'geneve', 'stt'])

export interface Network {
  readonly id: string
  readonly name: string
  readonly projectId: string
  /** router:external. */
  readonly external: boolean
  /** External, flat or VLAN: stations that Neutron does not know may sit on it. */
  readonly open: boolean
  readonly tunnelled: boolean
  readonly ranges: readonly Cidr[]
  /** Routers with a port on it. */
  readonly routers: readonly number[]
  /** Connected component over routers, external networks not crossed; two networks of one domain may still not be joined. */
  readonly domain: number
  /** Whether a path leads out of the cloud. */
  readonly leadsOutside: boolean
}

export interface Router {
  readonly id: string
  readonly projectId: string
  readonly distributed: boolean
  /** Outer network, 0 = none. */
  readonly gatewayNetwork: number
  readonly networks: readonly number[]
  /** Static routes may lead to networks that this router has no port on. */
  readonly routed: boolean
}

export interface Topology {
  /** Index 0 stands for the outside: all external networks together. */
  readonly networks: readonly Network[]
  readonly networkIndex: ReadonlyMap<string, number>
  /** Index 0 is no router. */
  readonly routers: readonly Router[]
  readonly routerIndex: ReadonlyMap<string, number>
}

/** The same while networks and routers may still be added behind those that are there, or put in their place. */
export interface GrowingTopology extends Topology {
  readonly networks: Network[]
  readonly networkIndex: Map<string, number>
  readonly routers: Router[]
  readonly routerIndex: Map<string, number>
}

const OUTSIDE: Network = {
  id: '',
  name: '',
  projectId: '',
  external: true,
  open: true,
  tunnelled: false,
  ranges: [],
  routers: [],
  domain: 0,
  leadsOutside: true,
}

const ROUTER_PORT = /^network:(router_interface|router_centralized_snat|ha_router_replicated_interface)/

/** Device owner of a router's port on its outer network. */
export const GATEWAY = 'network:router_gateway'

/** Whether the port is a router's, as one that joins its network to it or as its gateway. */
export function isRouters(port: Port): boolean {
  return isLeg(port) || (port.device_owner === GATEWAY && port.device_id !== '')
}

/** Whether the port joins its network to a router. */
export function isLeg({ device_owner, device_id }: Port): boolean {
  return device_owner.startsWith('network:') && ROUTER_PORT.test(device_owner) && device_id !== ''
}

export function* buildTopology(cloud: CloudModel): Slices<GrowingTopology> {
  const networkIndex = new Map(cloud.networks.map((network, i) => [network.id, i + 1]))
  const routerIndex = new Map(cloud.routers.map((router, i) => [router.id, i + 1]))
  // A router port may name a router that the list lacks; it joins networks all the same.
  const attached: Port[] = []
  for (const [i, port] of cloud.ports.entries()) {
    if (isRouters(port)) {
      if (isLeg(port)) attached.push(port)
      if (!routerIndex.has(port.device_id)) routerIndex.set(port.device_id, routerIndex.size + 1)
    }
    if (i % MANY === 0) yield
  }

  const networksOf = Array.from({ length: routerIndex.size + 1 }, () => new Set<number>())
  const routersOf = Array.from({ length: networkIndex.size + 1 }, () => new Set<number>())
  for (const port of attached) {
    const router = routerIndex.get(port.device_id)!
    const network = networkIndex.get(port.network_id)
    if (network === undefined) continue
    networksOf[router]!.add(network)
    routersOf[network]!.add(router)
  }
  const routers = [...routerIndex].map(([id, index]): Router => {
    return toRouter(id, cloud.routers[index - 1], [...networksOf[index]!], networkIndex)
  })
  const ranges = new Map<string, Cidr[]>()
  for (const subnet of cloud.subnets) {
    const range = parseCidr(subnet.cidr)
    if (range !== undefined) ranges.set(subnet.network_id, [...(ranges.get(subnet.network_id) ?? []), range])
  }
  const domains = joinDomains(networkIndex.size, networksOf)
  const networks = cloud.networks.map((network, i) =>
    toNetwork(network, [...routersOf[i + 1]!], routers, ranges.get(network.id) ?? [], domains[i + 1]!),
  )
  yield
  const none: Router = {
    id: '',
    projectId: '',
    distributed: false,
    gatewayNetwork: 0,
    networks: [],
    routed: false,
  }
  return { networks: [OUTSIDE, ...networks], networkIndex, routers: [none, ...routers], routerIndex }
}

/** A router as the model has it; `router` is undefined where ports alone name it. */
export function toRouter(
  id: string,
  router: ApiRouter | undefined,
  networks: readonly number[],
  networkIndex: ReadonlyMap<string, number>,
): Router {
  return {
    id,
    projectId: router?.project_id ?? '',
    distributed: router?.distributed ?? false,
    gatewayNetwork: networkIndex.get(router?.external_gateway_info?.network_id ?? '') ?? 0,
    networks,
    routed: (router?.routes.length ?? 0) > 0,
  }
}

/** Adds a network that no router is on yet; its number. */
export function addNetwork({ networks, networkIndex }: GrowingTopology, network: ApiNetwork): number {
  const number = networks.length
  networks.push(toNetwork(network, [], [], [], number))
  networkIndex.set(network.id, number)
  return number
}

function toNetwork(
  network: ApiNetwork,
  attached: readonly number[],
  routers: readonly Router[],
  ranges: readonly Cidr[],
  domain: number,
): Network {
  const types = [
    network['provider:network_type'],
    ...network.segments.map((segment) => segment['provider:network_type']),
  ]
  const open = network['router:external'] || types.some((type) => type === 'flat' || type === 'vlan')
  return {
    id: network.id,
    name: network.name,
    projectId: network.project_id,
    external: network['router:external'],
    open,
    tunnelled: types.some((type) => TUNNELLED.has(type)),
    ranges,
    routers: attached,
    domain,
    leadsOutside: open || attached.some((router) => routers[router - 1]!.gatewayNetwork !== 0),
  }
}

/** Whether one of the network's own ranges holds the address. */
export function inRanges(network: Network, a0: number, a1: number, a2: number, a3: number): boolean {
  for (const range of network.ranges) if (inCidr(range, a0, a1, a2, a3)) return true
  return false
}

/** Ranges of the external networks: what floating IPs are of. */
export function outerRanges({ networks }: Topology): readonly Cidr[] {
  // Index 0 stands for all of them, and has none of its own.
  return networks.flatMap(({ external, ranges }) => (external ? ranges : []))
}

/** Whether it is the broadcast address of one of the network's IPv4 ranges. */
export function isBroadcast(network: Network, a2: number, a3: number): boolean {
  for (const range of network.ranges) {
    if (range.version !== 4 || range.prefix > 30 || (a2 ^ range.net[2]) !== 0) continue
    if ((a3 ^ (range.net[3] | ~range.mask[3])) === 0) return true
  }
  return false
}

/** Whether a packet can come from one network to the other: the same, joined by a router, or by routers with routes. */
export function canReach(topology: Topology, from: number, to: number): boolean {
  if (from === to) return true
  const { networks, routers } = topology
  const a = networks[from]!
  const b = networks[to]!
  if (a.domain !== b.domain) return false
  let routed = false
  for (const router of a.routers) {
    if (b.routers.includes(router)) return true
    if (routers[router]!.routed) routed = true
  }
  return routed
}

function joinDomains(count: number, networksOf: readonly ReadonlySet<number>[]): Uint32Array {
  const parent = Uint32Array.from({ length: count + 1 }, (_, i) => i)
  const root = (i: number) => {
    while (parent[i] !== i) {
      parent[i] = parent[parent[i]!]!
      i = parent[i]!
    }
    return i
  }
  for (const networks of networksOf) {
    const [first, ...rest] = networks
    for (const other of rest) parent[root(other)] = root(first!)
  }
  return parent.map((_, i) => root(i))
}
