/** Routers and networks of a laid-out model, changed in place: what a router joins, and what leads outside. */
import { parseCidr } from '../addresses.ts'
import type { Network, Port, Router, Subnet } from '../cloud.ts'
import { VNI_TYPES } from './build.ts'
import { TEXTS } from './endpoints.ts'
import {
  addNetwork,
  isLeg,
  isRouters,
  toRouter,
  type Network as LaidNetwork,
  type Router as LaidRouter,
} from './networks.ts'
import { addDomainKeys } from './ports.ts'
import type { Workbench } from './workbench.ts'

const PROJECT_ID = TEXTS.indexOf('project_id')
const PROJECT = TEXTS.indexOf('project')
const NETWORK = TEXTS.indexOf('network')
/** Domains that edits make; those of a layout are numbers of networks. */
const FIRST_DOMAIN = 1 << 24

export class RoutingEditor {
  private readonly bench: Workbench
  /** Ports by which a router is on a network, by `leg`; only of networks that edits have touched. */
  private readonly legs = new Map<string, Set<string>>()
  private nextDomain = FIRST_DOMAIN

  constructor(bench: Workbench, ports: readonly Port[]) {
    this.bench = bench
    for (const port of ports) this.legPorts(port).add(port.id)
  }

  /** A router that is new or changed, or undefined when it is gone; its ports come and go by themselves. */
  router(id: string, after: Router | undefined): boolean {
    const { topology, parts, indexer } = this.bench.laid
    let number = topology.routerIndex.get(id)
    if (number === undefined) {
      if (after === undefined) return true
      number = this.addRouter(id)
      if (number === 0) return false
    }
    const before = topology.routers[number]!
    // Whose it was is known of its ports' last records too.
    const now = toRouter(id, after, before.networks, topology.networkIndex)
    this.putRouter(number, after === undefined ? { ...now, projectId: before.projectId } : now)
    for (const network of now.networks) this.settleOutside(network)
    if (after === undefined) return true
    if (now.projectId !== before.projectId) this.give(number, now.projectId)
    const translates = after.external_gateway_info?.enable_snat !== false
    if (translates) indexer.withoutSnat.delete(id)
    else indexer.withoutSnat.add(id)
    for (const endpoint of indexer.index.gateways)
      if (parts.endpoints.router(endpoint) === number)
        parts.endpoints.change(endpoint, { kind: translates ? 'snat' : 'router' })
    return true
  }

  /** Before a router's port is added; false when it cannot. */
  attach(port: Port): boolean {
    const { topology } = this.bench.laid
    if (!isRouters(port)) return true
    const router = topology.routerIndex.get(port.device_id) ?? this.addRouter(port.device_id)
    if (router === 0) return false
    if (!isLeg(port)) return true
    const network = topology.networkIndex.get(port.network_id)
    if (network === undefined) return true
    const ports = this.legPorts(port)
    ports.add(port.id)
    if (ports.size === 1) this.join(router, network)
    return true
  }

  /** After such a port is gone. */
  detach(port: Port): void {
    const { topology } = this.bench.laid
    if (!isLeg(port)) return
    const router = topology.routerIndex.get(port.device_id)
    const network = topology.networkIndex.get(port.network_id)
    if (router === undefined || network === undefined) return
    const ports = this.legPorts(port)
    ports.delete(port.id)
    if (ports.size === 0) this.part(router, network)
  }

  /** A network that nothing names yet, whose frames travel in tunnels only: no bridge has to be looked at for it. */
  addNetwork(network: Network): boolean {
    const { topology, routerPorts, indexer, parts } = this.bench.laid
    const vni = VNI_TYPES.indexOf(network['provider:network_type'] as (typeof VNI_TYPES)[number])
    const segment = network['provider:segmentation_id']
    if (network['router:external'] || network.segments.length > 0 || vni < 0 || segment === undefined) return false
    if (topology.networkIndex.has(network.id) || indexer.index.strange.has(network.id)) return false
    if (topology.networks.length === parts.legReported.length) return false
    // A number that another network had: which of the two is meant takes the whole.
    if (parts.tables.byVni.get2(vni, segment) !== 0) return false
    const number = addNetwork(topology, network)
    routerPorts.push([])
    parts.edited.onNetwork?.(number, network.id, topology.networks[number]!)
    parts.tables.byVni.add([vni, segment], number)
    return true
  }

  /** A network with another name or owner; false when anything else of it is different. */
  changeNetwork(before: Network, after: Network): boolean {
    const { topology, parts } = this.bench.laid
    const number = topology.networkIndex.get(after.id)
    const known = (network: Network) => JSON.stringify({ ...network, name: '', project_id: '', shared: false })
    if (number === undefined || known(before) !== known(after)) return false
    this.putNetwork(number, { ...topology.networks[number]!, name: after.name, projectId: after.project_id })
    if (before.name !== after.name)
      for (const endpoint of this.bench.endpointsOf(number))
        parts.endpoints.setText(endpoint, NETWORK, after.name || after.id)
    return true
  }

  /** The ranges of a network are those of these subnets. */
  subnets(networkId: string, subnets: readonly Subnet[]): boolean {
    const { topology } = this.bench.laid
    const number = topology.networkIndex.get(networkId)
    if (number === undefined) return false
    const ranges = subnets.map(({ cidr }) => parseCidr(cidr)).filter((range) => range !== undefined)
    this.putNetwork(number, { ...topology.networks[number]!, ranges })
    return true
  }

  /** Number of a router that only a port names so far, 0 when there is no room. */
  private addRouter(id: string): number {
    const { topology, parts } = this.bench.laid
    const number = topology.routers.length
    if (number >= parts.routerReported.length) return 0
    topology.routerIndex.set(id, number)
    this.putRouter(number, toRouter(id, undefined, [], topology.networkIndex))
    return number
  }

  private legPorts({ device_id, network_id }: Port): Set<string> {
    const leg = `${device_id}/${network_id}`
    let ports = this.legs.get(leg)
    if (ports === undefined) this.legs.set(leg, (ports = new Set()))
    return ports
  }

  private join(router: number, network: number): void {
    const { topology } = this.bench.laid
    const { networks, routers } = topology
    const joined = routers[router]!
    const [other] = joined.networks
    const alone = networks[network]!.routers.length === 0
    this.putRouter(router, { ...joined, networks: [...joined.networks, network] })
    this.putNetwork(network, { ...networks[network]!, routers: [...networks[network]!.routers, router] })
    this.settleOutside(network)
    const { domain } = networks[network]!
    if (alone) this.enterDomain(network, domain)
    if (other === undefined || networks[other]!.domain === domain) return
    // The two were apart, so those of either domain that are not in the other are what has to move.
    const ofDomain = (one: number) => [...this.reach(network)].filter((found) => networks[found]!.domain === one)
    const these = ofDomain(domain)
    const those = ofDomain(networks[other]!.domain)
    if (these.length <= those.length) this.moveDomain(these, networks[other]!.domain)
    else this.moveDomain(those, domain)
  }

  private part(router: number, network: number): void {
    const { networks, routers } = this.bench.laid.topology
    const rest = routers[router]!.networks.filter((one) => one !== network)
    this.putRouter(router, { ...routers[router]!, networks: rest })
    const own = networks[network]!.routers.filter((one) => one !== router)
    this.putNetwork(network, { ...networks[network]!, routers: own })
    this.settleOutside(network)
    this.bench.seeNetwork(network)
    for (const one of rest) this.bench.seeNetwork(one)
    const [other] = rest
    if (other === undefined) return
    const these = this.reach(network)
    if (these.has(other)) return
    const those = this.reach(other)
    this.moveDomain([...(these.size <= those.size ? these : those)], this.nextDomain++)
  }

  /** Networks that routers join to one, itself among them. */
  private reach(network: number): Set<number> {
    const { networks, routers } = this.bench.laid.topology
    const found = new Set([network])
    for (const one of found)
      for (const router of networks[one]!.routers) for (const next of routers[router]!.networks) found.add(next)
    return found
  }

  private moveDomain(moved: readonly number[], domain: number): void {
    const { networks } = this.bench.laid.topology
    for (const network of moved) {
      this.putNetwork(network, { ...networks[network]!, domain })
      this.enterDomain(network, domain)
    }
  }

  /** Addresses of a network are found by its domain. What is found by the one that it had is not reached from there any more. */
  private enterDomain(network: number, domain: number): void {
    const { parts, topology, indexer } = this.bench.laid
    const { external, routers } = topology.networks[network]!
    if (external || routers.length === 0) return
    for (const endpoint of this.bench.endpointsOf(network)) {
      const several = indexer.index.addresses.get(endpoint)
      if (several !== undefined) addDomainKeys(parts.tables, domain, endpoint, several)
      else if (parts.endpoints.hasAddress(endpoint)) {
        const [a0, a1, a2, a3] = parts.endpoints.firstAddress(endpoint) as unknown as readonly [number, number, number, number] // prettier-ignore
        parts.tables.byDomainAddress.add5(domain, a0, a1, a2, a3, endpoint)
      }
    }
  }

  /** Whether a path leads from the network out of the cloud. */
  private settleOutside(number: number): void {
    const { networks, routers } = this.bench.laid.topology
    const network = networks[number]!
    const leadsOutside = network.open || network.routers.some((router) => routers[router]!.gatewayNetwork !== 0)
    if (leadsOutside !== network.leadsOutside) this.putNetwork(number, { ...network, leadsOutside })
    this.bench.seeNetwork(number)
  }

  /** The router's ports are of another project. */
  private give(router: number, projectId: string): void {
    const { parts, indexer } = this.bench.laid
    const { endpoints } = parts
    const { names } = indexer.index
    for (let endpoint = 1; endpoint < endpoints.count; endpoint++) {
      if (endpoints.router(endpoint) !== router) continue
      endpoints.change(endpoint, { project: names.projectNumber(projectId) })
      endpoints.setText(endpoint, PROJECT_ID, projectId)
      endpoints.setText(endpoint, PROJECT, names.project(projectId))
    }
  }

  private putRouter(number: number, router: LaidRouter): void {
    this.bench.laid.topology.routers[number] = router
    this.bench.tell({ of: 'router', number, id: router.id, router })
  }

  private putNetwork(number: number, network: LaidNetwork): void {
    const { topology, parts } = this.bench.laid
    topology.networks[number] = network
    parts.edited.onNetwork?.(number, network.id, network)
  }
}
