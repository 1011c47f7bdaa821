/** What the editors of a laid-out model share: what they added, and what has to be found out again because of it. */
import { isSilent, reportsEntering, type LaidOut } from './build.ts'
import { Chains } from './chains.ts'
import { KIND } from './endpoints.ts'
import { addHostKeys } from './build.ts'
import { withOne, type PartChange } from './snapshot.ts'
import type { Host } from './vantage.ts'

export const FOREVER = Number.MAX_VALUE

export class Workbench {
  readonly laid: LaidOut
  /** Whether anything holds for a span of time only. */
  timed: boolean
  /** Hosts whose bridges report something else, and networks with ports or routers that changed: `settle` looks at them. */
  private readonly hosts = new Set<number>()
  private readonly networks = new Set<number>()
  /** Endpoints and interfaces that were looked at after they were added. */
  private endpointsSeen: number
  private interfacesSeen: number
  private byNetwork: Chains | undefined
  private byServer: Chains | undefined

  constructor(laid: LaidOut) {
    this.laid = laid
    this.timed = laid.parts.timed
    this.endpointsSeen = laid.parts.endpoints.count
    this.interfacesSeen = laid.parts.interfaces.count
  }

  /** Tells copies. */
  tell(change: PartChange): void {
    this.laid.parts.edited.onPart?.(change)
  }

  putHost(number: number, host: Host): void {
    const { parts } = this.laid
    parts.hosts = withOne(parts.hosts, number, host)
    this.tell({ of: 'host', number, host })
  }

  closeEndpoint(endpoint: number, toMs: number): void {
    this.laid.parts.endpoints.end(endpoint, toMs)
    this.timed = true
  }

  closeInterface(item: number, toMs: number): void {
    this.laid.parts.interfaces.end(item, toMs)
    this.timed = true
  }

  /** Interfaces by which an endpoint is plugged now, in the order in which they came. */
  pluggedNow(endpoint: number): number[] {
    const { toMs } = this.laid.parts.interfaces
    return this.plugsOf(endpoint).filter((item) => toMs[item] === FOREVER)
  }

  /** Whether it was plugged before. */
  wasPlugged(endpoint: number): boolean {
    const { interfaces } = this.laid.parts
    return this.plugsOf(endpoint).some((item) => interfaces.toMs[item] !== FOREVER && !interfaces.isVoid(item))
  }

  private plugsOf(endpoint: number): number[] {
    const { endpoints, interfaces } = this.laid.parts
    const found: number[] = []
    for (let item = endpoints.lastPlug(endpoint); item !== 0; item = interfaces.pluggedBefore(item)) found.push(item)
    return found.toReversed()
  }

  /** Endpoints of a network, also those that have ended. */
  endpointsOf(network: number): number[] {
    const { endpoints } = this.laid.parts
    this.byNetwork ??= new Chains(endpoints.room, (endpoint) => endpoints.network(endpoint))
    return this.byNetwork.of(network, endpoints.count)
  }

  /** The same of a server, by its number. */
  endpointsOfServer(server: number): number[] {
    const { endpoints } = this.laid.parts
    this.byServer ??= new Chains(endpoints.room, (endpoint) => endpoints.server(endpoint))
    return this.byServer.of(server, endpoints.count)
  }

  /** Endpoints that were added since. */
  seeEndpoints(): void {
    const { parts, routerPorts } = this.laid
    const { endpoints } = parts
    for (; this.endpointsSeen < endpoints.count; this.endpointsSeen++) {
      const endpoint = this.endpointsSeen
      const network = endpoints.network(endpoint)
      if (endpoints.fromMs[endpoint]! > 0) this.timed = true
      this.seeNetwork(network)
      if (endpoints.kind(endpoint) !== KIND.router) continue
      routerPorts[network]!.push(endpoint)
      this.tell({ of: 'router_port', network, endpoint })
    }
  }

  /** Interfaces that were added since: their keys, and what they report. */
  seeInterfaces(): void {
    const { interfaces, endpoints, tables, edited } = this.laid.parts
    for (; this.interfacesSeen < interfaces.count; this.interfacesSeen++) {
      const item = this.interfacesSeen
      const host = interfaces.host(item)
      const endpoint = interfaces.endpoint(item)
      if (interfaces.fromMs[item]! > 0) this.timed = true
      edited.hosts.push(host)
      addHostKeys(tables, endpoints, interfaces, item)
      if (endpoints.host(endpoint) !== host) continue
      endpoints.addReports(endpoint, interfaces.reports(item))
      this.seeNetwork(endpoints.network(endpoint))
    }
  }

  /** Ports or routers of a network changed. */
  seeNetwork(network: number): void {
    this.networks.add(network)
  }

  /** Bridges of a host export something else. */
  seeHost(host: number): void {
    this.hosts.add(host)
  }

  /** Finds out again what follows from what was changed: once for all changes that are published together. */
  settle(): void {
    if (this.hosts.size > 0) this.settleReports()
    const routers = new Set<number>()
    for (const network of this.networks) {
      this.settleLeg(network)
      for (const router of this.laid.topology.networks[network]!.routers) routers.add(router)
    }
    this.networks.clear()
    const silent = new Map<number, boolean>()
    for (const router of routers) this.settleRouter(router, silent)
  }

  /** What reports the ports of the hosts: the bridges where they are plugged, else that of the host's servers. */
  private settleReports(): void {
    const { parts, indexer } = this.laid
    const { endpoints, hosts } = parts
    const subports: number[] = []
    for (let endpoint = 1; endpoint < endpoints.count; endpoint++) {
      const host = endpoints.host(endpoint)
      if (host === 0 || !this.hosts.has(host)) continue
      if (indexer.index.parents.has(endpoint)) subports.push(endpoint)
      else if (hosts[host]!.ovs) {
        const unplugged = indexer.index.direct.has(endpoint) ? 0 : hosts[host]!.reports
        this.report(endpoint, this.reportsAt(endpoint, host) ?? unplugged)
      }
    }
    for (const endpoint of subports) {
      const parent = indexer.index.parents.get(endpoint)!
      if (endpoints.reportsKnown(parent)) this.report(endpoint, endpoints.reports(parent))
    }
    this.hosts.clear()
  }

  private reportsAt(endpoint: number, host: number): number | undefined {
    const { interfaces } = this.laid.parts
    const here = this.plugsOf(endpoint).filter((item) => interfaces.host(item) === host && !interfaces.isVoid(item))
    return here.length === 0 ? undefined : here.reduce((all, item) => all | interfaces.reports(item), 0)
  }

  private report(endpoint: number, reports: number): void {
    const { endpoints } = this.laid.parts
    if (endpoints.reportsKnown(endpoint) && endpoints.reports(endpoint) === reports) return
    endpoints.replaceReports(endpoint, reports)
    this.seeNetwork(endpoints.network(endpoint))
  }

  private settleLeg(network: number): void {
    const { parts, routerPorts } = this.laid
    const reported = routerPorts[network]!.some((endpoint) => reportsEntering(parts.endpoints, endpoint)) ? 1 : 0
    if (parts.legReported[network] === reported) return
    parts.legReported[network] = reported
    this.tell({ of: 'reported', what: 'leg', number: network, value: reported })
  }

  private settleRouter(router: number, silent: Map<number, boolean>): void {
    const { parts, topology } = this.laid
    const { networks } = topology.routers[router]!
    const isQuiet = (network: number) => {
      const known = silent.get(network)
      if (known !== undefined) return known
      const quiet = this.endpointsOf(network).some((endpoint) => isSilent(parts.endpoints, endpoint))
      silent.set(network, quiet)
      return quiet
    }
    const reported = networks.length > 0 && !networks.some(isQuiet) ? 1 : 0
    if (parts.routerReported[router] === reported) return
    parts.routerReported[router] = reported
    this.tell({ of: 'reported', what: 'router', number: router, value: reported })
  }
}
