/**
 * NetFlow: which of a host's bridges exported a record, and by which of its ports the packet came in.
 *
 * Bridges of one host share their engine ids unless they are configured, and a port number means something only on its
 * bridge. So where several bridges export, each is asked whether a packet with these addresses can come in by its port.
 */
import { KIND } from '../identity/snapshot/endpoints.ts'
import { inRanges } from '../identity/snapshot/networks.ts'
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import { IF_KIND } from '../identity/snapshot/vantage.ts'
import { FIRST_SPECIAL, PORT_BITS, PORT_MASK, SPECIAL_LIFT } from './interface-ids.ts'
import type { Place } from './place.ts'
import { ADDRESS, type Station } from './station.ts'

/** Highest OpenFlow port that OVS gives (1 … 32767 by itself, up to here on request). */
const LAST_PORT = 65279

export class NetflowPlaces {
  private readonly place: Place
  private snapshot: IdentitySnapshot

  constructor(snapshot: IdentitySnapshot, place: Place) {
    this.snapshot = snapshot
    this.place = place
  }

  use(snapshot: IdentitySnapshot): void {
    this.snapshot = snapshot
  }

  /** Sets interface and bridge of the place; where the addresses do not decide, `several` says how many are possible. */
  find(engine: number, port: number, source: Station, destination: Station): void {
    const { place } = this
    const host = this.snapshot.hosts[place.host]!
    const bridges = host.netflowBridges.length > 0 ? host.netflowBridges : host.bridges
    if (bridges.length === 1 && this.findOnly(bridges[0]!, port)) return
    place.possible.length = 0
    let unlikely = 0
    let unlikelyCount = 0
    for (let i = 0; i < bridges.length; i++) {
      const bridge = bridges[i]!
      const netflow = this.snapshot.bridges[bridge]!.netflow
      if (netflow !== undefined && !sameEngine(netflow, engine)) continue
      const item = netflow?.addId === true ? this.addIdPort(bridge, engine, port) : place.portOf(bridge, port)
      if (item === 0) continue
      const kind = this.snapshot.interfaces.kind(item)
      // Traffic that enters by a patch port is measured by the bridge it came from (ovs-facts 0.1).
      if (kind === IF_KIND.patch) continue
      if (!this.plausible(item, source, destination)) {
        unlikely = item
        unlikelyCount++
        continue
      }
      if (kind === IF_KIND.port) place.possible[place.severalPorts++] = this.snapshot.interfaces.endpoint(item)
      place.several++
      place.inIf = item
      place.addId = netflow?.addId === true
    }
    if (place.several === 0 && unlikelyCount === 1) {
      // Only one interface has the number: the address is spoofed or forwarded, the place is certain.
      place.inIf = unlikely
      place.several = 1
      place.addId = this.snapshot.bridges[this.snapshot.interfaces.bridge(unlikely)]!.netflow?.addId === true
    }
    if (place.several > 1) {
      place.inIf = 0
      return
    }
    place.several = 0
    place.bridge =
      place.inIf !== 0 ? this.snapshot.interfaces.bridge(place.inIf) : bridges.length === 1 ? bridges[0]! : 0
  }

  /** The common case: one bridge of the host exports NetFlow, with plain port numbers. */
  private findOnly(bridge: number, port: number): boolean {
    const { place } = this
    if (this.snapshot.bridges[bridge]!.netflow?.addId === true) return false
    place.bridge = bridge
    const item = place.portOf(bridge, port)
    place.inIf = this.snapshot.interfaces.kind(item) === IF_KIND.patch ? 0 : item
    return true
  }

  /** Ports of 512 and up alias: then the one port with these nine bits, if it is one. */
  private addIdPort(bridge: number, engine: number, value: number): number {
    // A number that was split before.
    if (value <= PORT_MASK && (engine & 0x7f) !== 0) return this.place.portOf(bridge, value)
    if (value >>> PORT_BITS !== (engine & 0x7f)) return 0
    const low = value & PORT_MASK
    if (low >= FIRST_SPECIAL) return this.place.portOf(bridge, low + SPECIAL_LIFT)
    let found = 0
    for (let port = low; port <= LAST_PORT; port += PORT_MASK + 1) {
      const item = this.place.portOf(bridge, port)
      if (item === 0) continue
      if (found !== 0) return 0
      found = item
    }
    return found
  }

  /** Whether a packet with these addresses can come in by this interface. */
  private plausible(item: number, source: Station, destination: Station): boolean {
    const { interfaces, topology, endpoints, tables } = this.snapshot
    const endpoint = interfaces.endpoint(item)
    const network = interfaces.network(item)
    switch (interfaces.kind(item)) {
      case IF_KIND.port:
      case IF_KIND.dhcp:
        return source.sort !== ADDRESS.unicast || this.ownsBehind(endpoint, source)
      case IF_KIND.router:
        // What a router sends into a network is for that network.
        return destination.sort !== ADDRESS.unicast || this.within(network, destination)
      case IF_KIND.gateway: {
        // What it sends outwards comes from its own address, a floating IP of its, or untranslated from behind it.
        const { a0, a1, a2, a3 } = source
        if (this.snapshot.owns(endpoint, a0, a1, a2, a3)) return true
        const router = endpoints.router(endpoint)
        const floating = tables.byFloating.at(tables.byFloating.get5(network, a0, a1, a2, a3), this.place.atMs)
        const { networks } = topology.routers[router]!
        if (floating > 0)
          return endpoints.kind(floating) !== KIND.server || networks.includes(endpoints.network(floating))
        return endpoints.kind(endpoint) === KIND.router && networks.some((inner) => this.within(inner, source))
      }
      case IF_KIND.uplink:
        return this.plausibleUplink(interfaces.bridge(item), destination)
      case IF_KIND.tunnel:
        return this.plausibleTunnel(interfaces.remoteHost(item), source, destination)
      default:
        return true
    }
  }

  /** The network's own address, or in its ranges. */
  private within(network: number, { a0, a1, a2, a3 }: Station): boolean {
    if (network === 0) return false
    return (
      this.snapshot.tables.byNetworkAddress.get5(network, a0, a1, a2, a3) !== 0 ||
      inRanges(this.snapshot.topology.networks[network]!, a0, a1, a2, a3)
    )
  }

  /** From outside a packet comes for an address of an outer network of that bridge, where those are known. */
  private plausibleUplink(bridge: number, destination: Station): boolean {
    if (destination.sort !== ADDRESS.unicast) return true
    const network = this.place.networkAt(bridge, 0)
    if (network === 0) return true
    const { a0, a1, a2, a3 } = destination
    return this.within(network, destination) || this.snapshot.tables.byFloating.get5(network, a0, a1, a2, a3) !== 0
  }

  /**
   * By a tunnel a packet comes for a port here: from a port at the other host in the same network, or from elsewhere through
   * a router there, and then not from the network's own range.
   */
  private plausibleTunnel(remote: number, source: Station, destination: Station): boolean {
    if (destination.sort !== ADDRESS.unicast || remote === 0) return true
    const { hosts, tables } = this.snapshot
    const { byHostAddress } = tables
    const senders = byHostAddress.get5(remote, source.a0, source.a1, source.a2, source.a3)
    const raw = byHostAddress.get5(this.place.host, destination.a0, destination.a1, destination.a2, destination.a3)
    // With a router here it may be for an address beyond it; then a port of the other host sent it, if no router is there.
    if (raw === 0) return hosts[this.place.host]!.routers && (senders !== 0 || hosts[remote]!.routers)
    for (let i = 0; i < byHostAddress.count(raw); i++) {
      const receiver = byHostAddress.at(raw, i)
      const network = this.snapshot.endpoints.network(receiver)
      if (!this.within(network, source)) {
        if (hosts[remote]!.routers) return true
        continue
      }
      for (let j = 0; j < byHostAddress.count(senders); j++)
        if (this.snapshot.joins(byHostAddress.at(senders, j), receiver)) return true
    }
    return false
  }

  /** An address of the port's own, or of a subport of its trunk. */
  private ownsBehind(endpoint: number, { a0, a1, a2, a3 }: Station): boolean {
    return this.snapshot.owns(endpoint, a0, a1, a2, a3) || this.snapshot.subportOf(endpoint, a0, a1, a2, a3) !== 0
  }
}

function sameEngine(netflow: { engineType: number; engineId: number }, engine: number): boolean {
  return (
    (netflow.engineType < 0 || netflow.engineType === ((engine >>> 8) & 0xff)) &&
    (netflow.engineId < 0 || netflow.engineId === (engine & 0xff))
  )
}
