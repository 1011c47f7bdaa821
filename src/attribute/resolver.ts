/**
 * Who is the end of a record, given a network to look its address up in. docs/identity.md has the order of certainty.
 *
 * Every lookup is scoped by a host or a network and resolved as of the record's own time; when several endpoints hold the
 * key at that time the end is ambiguous, and none is picked.
 */
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import { EXTERNAL, GROUP, KIND, METADATA } from '../identity/snapshot/endpoints.ts'
import { canReach, inRanges, isBroadcast, type Network } from '../identity/snapshot/networks.ts'
import type { LaneTable } from '../identity/lanes.ts'
import { EVIDENCE, GRADE } from './codes.ts'
import type { End } from './end.ts'
import { ADDRESS, type Station } from './station.ts'

const NONE: readonly number[] = []

export class Resolver {
  private snapshot: IdentitySnapshot
  /** The record's own time. */
  atMs = 0
  /** Endpoints that the last `pick` found, when there were several. */
  private several: readonly number[] = NONE

  constructor(snapshot: IdentitySnapshot) {
    this.snapshot = snapshot
  }

  use(snapshot: IdentitySnapshot): void {
    this.snapshot = snapshot
  }

  /**
   * The end that sits on an interface: the endpoint is known, what is left to say is whether the address agrees. The
   * address decides where there is one that means something; else the MAC does.
   */
  onInterface(end: End, station: Station, endpoint: number, evidence: number): void {
    const { endpoints } = this.snapshot
    let agrees = false
    if (station.sort === ADDRESS.unicast)
      agrees = this.snapshot.owns(endpoint, station.a0, station.a1, station.a2, station.a3)
    else if (station.hasMac)
      agrees =
        (endpoints.macLow(endpoint) === station.low && endpoints.macHigh(endpoint) === station.high) ||
        this.holdsMac(endpoint, station)
    // DHCPDISCOVER comes from 0.0.0.0 and NetFlow has no MAC: nothing contradicts the interface.
    else agrees = station.sort !== ADDRESS.group
    end.set(endpoint, agrees ? GRADE.port : GRADE.port_unverified, evidence)
  }

  /** The end is the one port that a mirror selects; a broadcast that it received is proof enough. */
  onMirror(end: End, station: Station, endpoint: number): void {
    if (endpoint === 0) return
    this.onInterface(end, station, endpoint, EVIDENCE.mirror_port)
    if (station.groupMac) end.grade = GRADE.port
    end.host = this.snapshot.endpoints.host(endpoint)
  }

  /**
   * The end is in this network or beyond its routers. `network` 0 is the outside: all external networks, and the hosts.
   * `group` says whether the end may be a group address (a destination), which is no single end.
   */
  inNetwork(end: End, station: Station, network: number, group: boolean): void {
    if (group && (station.groupMac || (station.sort === ADDRESS.group && !station.hasMac))) {
      end.set(GROUP, GRADE.unknown, EVIDENCE.group_address)
      return
    }
    if (network !== 0 && station.hasMac && this.byMac(end, station, network)) return
    if (station.sort === ADDRESS.unicast) this.byAddress(end, station, network, group)
    else if (group && station.sort === ADDRESS.group) end.set(GROUP, GRADE.unknown, EVIDENCE.group_address)
    else if (station.sort === ADDRESS.link) this.byLinkAddress(end, station, network)
    else if (!station.hasMac) end.clear(EVIDENCE.not_ip)
    else if (this.snapshot.topology.networks[network]!.open) end.set(EXTERNAL, GRADE.external, EVIDENCE.outside_address)
    else end.clear(EVIDENCE.no_match)
  }

  /** The end by (host, MAC): where the interface is not known, a port of this host with that MAC is. */
  onHost(end: End, station: Station, host: number): boolean {
    if (!station.hasMac || station.groupMac) return false
    const { byHostMac } = this.snapshot.tables
    const endpoint = this.pick(byHostMac, byHostMac.get3(host, station.high, station.low))
    if (endpoint === 0) return false
    end.set(endpoint, GRADE.mac, EVIDENCE.host_mac)
    return true
  }

  /** Adds the endpoints of a host with this address to `into`. For tunnels whose records carry no network. */
  candidatesOnHost(into: number[], station: Station, host: number): void {
    if (station.sort !== ADDRESS.unicast) return
    const { byHostAddress } = this.snapshot.tables
    const one = this.pick(byHostAddress, byHostAddress.get5(host, station.a0, station.a1, station.a2, station.a3))
    if (one !== 0) into.push(one)
    else for (const endpoint of this.several) into.push(endpoint)
  }

  /** A packet that a router sends outwards without translating it: the port behind the router that has the address. */
  behindRouter(end: End, station: Station, router: number): void {
    for (const network of this.snapshot.topology.routers[router]!.networks) {
      const { byNetworkAddress } = this.snapshot.tables
      const raw = byNetworkAddress.get5(network, station.a0, station.a1, station.a2, station.a3)
      if (this.found(end, byNetworkAddress, raw, EVIDENCE.routing_domain_address)) return
    }
  }

  /** One endpoint that holds at the record's time, or 0; with several, `several` holds them. */
  pick(table: LaneTable, raw: number): number {
    this.several = NONE
    if (raw >= 0) return raw !== 0 && this.holds(raw) ? raw : 0
    const list = table.list(raw)
    let one = 0
    let count = 0
    for (let i = 0; i < list.length; i++) {
      if (!this.holds(list[i]!)) continue
      one = list[i]!
      count++
    }
    if (count > 1) this.several = count === list.length ? list : list.filter((endpoint) => this.holds(endpoint))
    return count === 1 ? one : 0
  }

  private holds(endpoint: number): boolean {
    return this.snapshot.endpoints.holds(endpoint, this.atMs)
  }

  private holdsMac(endpoint: number, station: Station): boolean {
    const { tables, endpoints } = this.snapshot
    const raw = tables.byNetworkMac.get3(endpoints.network(endpoint) | 0, station.high, station.low)
    if (raw === endpoint) return true
    return raw < 0 && tables.byNetworkMac.list(raw).includes(endpoint)
  }

  /** Whether the MAC says it. A router's MAC says only that the end is beyond it. */
  private byMac(end: End, station: Station, network: number): boolean {
    const { byNetworkMac } = this.snapshot.tables
    const endpoint = this.pick(byNetworkMac, byNetworkMac.get3(network, station.high, station.low))
    if (endpoint === 0) {
      if (this.several.length === 0 || station.sort === ADDRESS.unicast) return false
      end.ambiguous(this.several)
      return true
    }
    const kind = this.snapshot.endpoints.kind(endpoint)
    if (kind === KIND.router || kind === KIND.snat) {
      if (
        station.sort === ADDRESS.unicast &&
        !this.snapshot.owns(endpoint, station.a0, station.a1, station.a2, station.a3)
      )
        return false
      end.set(endpoint, kind === KIND.snat ? GRADE.snat : GRADE.router, EVIDENCE.router_address)
      return true
    }
    end.set(endpoint, GRADE.mac, EVIDENCE.network_mac)
    return true
  }

  private byLinkAddress(end: End, station: Station, network: number): void {
    if (station.metadata) end.set(METADATA, GRADE.infrastructure, EVIDENCE.network_address)
    else end.clear(network === 0 ? EVIDENCE.no_network : EVIDENCE.no_match)
  }

  private byAddress(end: End, station: Station, network: number, group: boolean): void {
    const { a0, a1, a2, a3 } = station
    const { tables, topology } = this.snapshot
    if (
      this.found(
        end,
        tables.byNetworkAddress,
        tables.byNetworkAddress.get5(network, a0, a1, a2, a3),
        EVIDENCE.network_address,
      )
    )
      return
    if (
      tables.byPair.size > 0 &&
      this.found(end, tables.byPair, tables.byPair.get5(network, a0, a1, a2, a3), EVIDENCE.network_address)
    )
      return
    const where = topology.networks[network]!
    if (network !== 0) {
      if (group && isBroadcast(where, a2, a3)) {
        end.set(GROUP, GRADE.unknown, EVIDENCE.group_address)
        return
      }
      if (where.routers.length > 0 && this.inDomain(end, station, network, where.domain)) return
    }
    if (this.floating(end, station, network)) return
    for (let i = 0; i < where.routers.length; i++) {
      const gateway = topology.routers[where.routers[i]!]!.gatewayNetwork
      if (gateway === 0) continue
      if (this.floating(end, station, gateway)) return
      const raw = tables.byNetworkAddress.get5(gateway, a0, a1, a2, a3)
      if (this.found(end, tables.byNetworkAddress, raw, EVIDENCE.network_address)) return
    }
    this.outside(end, station, network)
  }

  /** Ports of networks that can be reached from this one over its routers. */
  private inDomain(end: End, station: Station, network: number, domain: number): boolean {
    const { byDomainAddress } = this.snapshot.tables
    const { topology, endpoints } = this.snapshot
    const raw = byDomainAddress.get5(domain, station.a0, station.a1, station.a2, station.a3)
    if (raw === 0) return false
    const one = this.pick(byDomainAddress, raw)
    if (one !== 0) {
      if (!canReach(topology, network, endpoints.network(one))) return false
      this.grade(end, one, EVIDENCE.routing_domain_address)
      return true
    }
    const reachable = this.several.filter((endpoint) => canReach(topology, network, endpoints.network(endpoint)))
    if (reachable.length === 0) return false
    if (reachable.length === 1) this.grade(end, reachable[0]!, EVIDENCE.routing_domain_address)
    else end.ambiguous(reachable)
    return true
  }

  private floating(end: End, station: Station, network: number): boolean {
    const { byFloating } = this.snapshot.tables
    if (byFloating.size === 0) return false
    const raw = byFloating.get5(network, station.a0, station.a1, station.a2, station.a3)
    if (raw === 0) return false
    const endpoint = byFloating.at(raw, this.atMs)
    if (endpoint !== 0) {
      end.set(endpoint, GRADE.floating, EVIDENCE.floating_address)
      return true
    }
    const several = byFloating.allAt(raw, this.atMs)
    if (several.length > 0) end.ambiguous(several)
    return several.length > 0
  }

  /** No port has the address: a host of the cloud, the world outside, or nothing known. */
  private outside(end: End, station: Station, network: number): void {
    const where = this.snapshot.topology.networks[network]!
    if (!where.leadsOutside) {
      end.clear(EVIDENCE.no_match)
      return
    }
    const host = this.snapshot.hostOf(station.a0, station.a1, station.a2, station.a3)
    if (host !== 0) {
      end.set(this.snapshot.hosts[host]!.endpoint, GRADE.infrastructure, EVIDENCE.host_address)
      end.host = host
      return
    }
    // An unused address of a tenant's own range is not outside; on an external or physical network there are
    // stations that Neutron does not know.
    if (!where.open && (isIn(where, station) || this.isBehind(where, station))) end.clear(EVIDENCE.no_match)
    else end.set(EXTERNAL, GRADE.external, EVIDENCE.outside_address)
  }

  /** Whether the address is of a tenant's network to which a router leads from here. */
  private isBehind({ routers }: Network, station: Station): boolean {
    const { topology } = this.snapshot
    for (let i = 0; i < routers.length; i++) {
      const { networks } = topology.routers[routers[i]!]!
      for (let k = 0; k < networks.length; k++) {
        const network = topology.networks[networks[k]!]!
        if (!network.open && isIn(network, station)) return true
      }
    }
    return false
  }

  private found(end: End, table: LaneTable, raw: number, evidence: number): boolean {
    if (raw === 0) return false
    const endpoint = this.pick(table, raw)
    if (endpoint !== 0) this.grade(end, endpoint, evidence)
    else if (this.several.length > 0) end.ambiguous(this.several)
    else return false
    return true
  }

  /** Grade of an endpoint found by address. */
  grade(end: End, endpoint: number, evidence: number): void {
    const kind = this.snapshot.endpoints.kind(endpoint)
    if (kind === KIND.router) end.set(endpoint, GRADE.router, EVIDENCE.router_address)
    else if (kind === KIND.snat) end.set(endpoint, GRADE.snat, EVIDENCE.router_address)
    else if (kind === KIND.infrastructure) end.set(endpoint, GRADE.infrastructure, EVIDENCE.host_address)
    else end.set(endpoint, GRADE.address, evidence)
  }
}

function isIn(network: Network, { a0, a1, a2, a3 }: Station): boolean {
  return inRanges(network, a0, a1, a2, a3)
}
