/**
 * Where a record was observed: the exporter's host, the bridge, the interfaces, the mirror, and the network that follows
 * from them. What each exporter tells, and what of it may be believed, is in docs/identity.md.
 */
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import { IF_KIND } from '../identity/snapshot/vantage.ts'
import { KIND } from '../identity/snapshot/endpoints.ts'
import { inRanges } from '../identity/snapshot/networks.ts'
import type { LaneTable } from '../identity/lanes.ts'
import { FIRST_SPECIAL, PORT_BITS, PORT_MASK, SPECIAL_LIFT } from './interface-ids.ts'
import type { Columns } from '../schema/columns.ts'
import type { InterfaceNames } from './interface-names.ts'
import { ADDRESS, type Station } from './station.ts'

/** Highest OpenFlow port that OVS gives (1 … 32767 by itself, up to here on request). */
const LAST_PORT = 65279

export class Place {
  host = 0
  bridge = 0
  /** Interface the packet came in by; 0 when it is not known. */
  inIf = 0
  /** Whose port those are; also known where OVSDB is not, by the name of the device. */
  inEndpoint = 0
  outEndpoint = 0
  /** Interface it left by, where the exporter reports egress at all. */
  outIf = 0
  /** How many interfaces it could have come in by, when more than one. */
  several = 0
  /** How many of those are servers' own ports, so that nothing can be said of how the record counts; their endpoints. */
  severalPorts = 0
  readonly possible: number[] = []
  /** What those are, as IF_KIND: of the interface, else of whose port it is. */
  inKind = 0
  outKind = 0
  /** The port was told by its MAC, for want of an interface. */
  inByMac = false
  outByMac = false
  mirror = 0
  /** The engine id is mixed into the interface numbers of this record. */
  addId = false
  private snapshot: IdentitySnapshot
  atMs = 0

  constructor(snapshot: IdentitySnapshot) {
    this.snapshot = snapshot
  }

  use(snapshot: IdentitySnapshot): void {
    this.snapshot = snapshot
  }

  clear(host: number): void {
    this.host = host
    this.bridge = 0
    this.inIf = 0
    this.outIf = 0
    this.inEndpoint = 0
    this.outEndpoint = 0
    this.several = 0
    this.severalPorts = 0
    this.inKind = 0
    this.outKind = 0
    this.inByMac = false
    this.outByMac = false
    this.mirror = 0
    this.addId = false
  }

  /** IPFIX and sFlow: by name, which is unique on a host, else by ifIndex when one interface alone has it. */
  interfaceOf(names: InterfaceNames, nameCode: number, ifIndex: number): number {
    if (nameCode !== 0) {
      let named = names.find(this.host, nameCode)
      while (named !== 0 && !this.holds(named)) named = this.snapshot.earlierNamed(named)
      if (named !== 0) return named
    }
    if (ifIndex === 0) return 0
    const { byIfIndex } = this.snapshot.tables
    return this.pick(byIfIndex, byIfIndex.get2(this.host, ifIndex))
  }

  /**
   * NetFlow: which of the host's bridges exported the record, and by which of its ports the packet came in. Bridges of one
   * host share their engine ids unless they are configured, so the addresses have to decide between them; when they do not,
   * `several` says how many are possible.
   */
  findNetflow(engine: number, port: number, source: Station, destination: Station): void {
    const host = this.snapshot.hosts[this.host]!
    const bridges = host.netflowBridges.length > 0 ? host.netflowBridges : host.bridges
    if (bridges.length === 1 && this.findOnlyNetflow(bridges[0]!, port)) return
    this.possible.length = 0
    let unlikely = 0
    let unlikelyCount = 0
    for (let i = 0; i < bridges.length; i++) {
      const bridge = bridges[i]!
      const netflow = this.snapshot.bridges[bridge]!.netflow
      if (netflow !== undefined && !sameEngine(netflow, engine)) continue
      const item = netflow?.addId === true ? this.addIdPort(bridge, engine, port) : this.portOf(bridge, port)
      if (item === 0) continue
      const kind = this.snapshot.interfaces.kind(item)
      // Traffic that enters by a patch port is measured by the bridge it came from (ovs-facts 0.1).
      if (kind === IF_KIND.patch) continue
      if (!this.plausible(item, source, destination)) {
        unlikely = item
        unlikelyCount++
        continue
      }
      if (kind === IF_KIND.port) this.possible[this.severalPorts++] = this.snapshot.interfaces.endpoint(item)
      this.several++
      this.inIf = item
      this.addId = netflow?.addId === true
    }
    if (this.several === 0 && unlikelyCount === 1) {
      // Only one interface has the number: the address is spoofed or forwarded, the place is certain.
      this.inIf = unlikely
      this.several = 1
      this.addId = this.snapshot.bridges[this.snapshot.interfaces.bridge(unlikely)]!.netflow?.addId === true
    }
    if (this.several > 1) {
      this.inIf = 0
      return
    }
    this.several = 0
    this.bridge = this.inIf !== 0 ? this.snapshot.interfaces.bridge(this.inIf) : bridges.length === 1 ? bridges[0]! : 0
  }

  /** The common case: one bridge of the host exports NetFlow, with plain port numbers. */
  private findOnlyNetflow(bridge: number, port: number): boolean {
    if (this.snapshot.bridges[bridge]!.netflow?.addId === true) return false
    this.bridge = bridge
    const item = this.portOf(bridge, port)
    this.inIf = this.snapshot.interfaces.kind(item) === IF_KIND.patch ? 0 : item
    return true
  }

  /** Mirror of the host that a copy came by: by its key, or because there is only one. */
  findMirror(key: number): void {
    const { mirrors } = this.snapshot.hosts[this.host]!
    let found = 0
    for (let i = 0; i < mirrors.length; i++) {
      if (this.snapshot.mirrors[mirrors[i]!]!.key !== key) continue
      if (found !== 0) return
      found = mirrors[i]!
    }
    if (found === 0 && mirrors.length === 1) found = mirrors[0]!
    this.mirror = found
    this.bridge = this.snapshot.mirrors[found]!.bridge
  }

  /** IPFIX: the bridge by the observation domain and point its exporter was given, when no interface tells it. */
  findIpfixBridge(domain: number, point: number): void {
    const { bridges } = this.snapshot.hosts[this.host]!
    let found = 0
    for (let i = 0; i < bridges.length; i++) {
      const ipfix = this.snapshot.bridges[bridges[i]!]!.ipfix
      if (ipfix === undefined || ipfix.domain !== domain || ipfix.point !== point) continue
      if (found !== 0) return
      found = bridges[i]!
    }
    this.bridge = found
  }

  /**
   * Settles what the ingress is once its interface and port are set. Where they are not known: a packet whose outer header
   * leads here came by a tunnel; else a port of this host that has the source MAC sent it (a router's port in its namespace
   * has no ifIndex).
   */
  settleIngress(c: Columns, row: number, source: Station): void {
    this.inKind = this.kindOf(this.inIf, this.inEndpoint)
    if (this.inKind !== IF_KIND.unknown || this.host === 0 || this.several > 1) return
    if (this.cameByTunnel(c, row)) {
      this.inKind = IF_KIND.tunnel
      return
    }
    const endpoint = this.portByMac(source)
    if (endpoint === 0) return
    this.inByMac = true
    this.inEndpoint = endpoint
    this.inIf = Math.max(0, this.snapshot.tables.byHostEndpoint.get2(this.host, endpoint))
    this.inKind = this.kindOf(this.inIf, endpoint)
    if (this.bridge === 0) this.bridge = this.snapshot.interfaces.bridge(this.inIf)
  }

  /** The same for the egress. */
  settleEgress(destination: Station): void {
    this.outKind = this.kindOf(this.outIf, this.outEndpoint)
    if (this.outKind !== IF_KIND.unknown || this.host === 0) return
    const endpoint = this.portByMac(destination)
    if (endpoint === 0) return
    this.outByMac = true
    this.outEndpoint = endpoint
    this.outIf = Math.max(0, this.snapshot.tables.byHostEndpoint.get2(this.host, endpoint))
    this.outKind = this.kindOf(this.outIf, endpoint)
    if (this.bridge === 0) this.bridge = this.snapshot.interfaces.bridge(this.outIf)
  }

  private kindOf(item: number, endpoint: number): number {
    const kind = this.snapshot.interfaces.kind(item)
    if (kind !== IF_KIND.unknown || endpoint === 0) return kind
    switch (this.snapshot.endpoints.kind(endpoint)) {
      case KIND.server:
      case KIND.other:
        return IF_KIND.port
      case KIND.router:
        return IF_KIND.router
      case KIND.snat:
        return IF_KIND.gateway
      case KIND.dhcp:
        return IF_KIND.dhcp
      default:
        return IF_KIND.unknown
    }
  }

  /** sFlow has tunnel records for both ways; on the way in the outer header is from another host, or to this one. */
  private cameByTunnel(c: Columns, row: number): boolean {
    if (c.tunnel_type[row] === 0) return false
    const from = this.snapshot.hostAt(c.tunnel_src_addr, row)
    return (from !== 0 && from !== this.host) || this.snapshot.hostAt(c.tunnel_dst_addr, row) === this.host
  }

  private portByMac(station: Station): number {
    if (!station.hasMac || station.groupMac) return 0
    const { byHostMac } = this.snapshot.tables
    return Math.max(0, byHostMac.get3(this.host, station.high, station.low))
  }

  /** Network of a VLAN on the record's bridge, 0 when it is not known. */
  vlanNetwork(vlan: number): number {
    return this.bridge === 0 ? 0 : this.networkAt(this.bridge, vlan)
  }

  private networkAt(bridge: number, vlan: number): number {
    const { byVlan } = this.snapshot.tables
    return byVlan.at(byVlan.get2(bridge, vlan), this.atMs)
  }

  /** The interface of this host that an endpoint is plugged by, 0 when there is none. */
  pluggedBy(endpoint: number): number {
    const { byHostEndpoint } = this.snapshot.tables
    return this.pick(byHostEndpoint, byHostEndpoint.get2(this.host, endpoint))
  }

  /** The subport of a trunk by its VLAN, or by the address where the exporter does not tell the VLAN (NetFlow). */
  onTrunk(parent: number, vlan: number, station: Station): number {
    if (parent === 0) return 0
    if (vlan !== 0) return this.subport(parent, vlan) || parent
    const { a0, a1, a2, a3 } = station
    if (station.hasMac || this.snapshot.owns(parent, a0, a1, a2, a3)) return parent
    return this.snapshot.subportOf(parent, a0, a1, a2, a3) || parent
  }

  /** The one subport that the VLAN leads to at the record's time, 0 when there is none or are several. */
  private subport(parent: number, vlan: number): number {
    const { tables, endpoints } = this.snapshot
    const raw = tables.subports.get2(parent, vlan)
    if (raw === 0 || !this.snapshot.timed) return Math.max(0, raw)
    const { fromMs, toMs } = endpoints
    const all = raw > 0 ? [raw] : tables.subports.list(raw)
    const held = all.filter((one) => fromMs[one]! <= this.atMs && this.atMs < toMs[one]!)
    return held.length === 1 ? held[0]! : 0
  }

  private portOf(bridge: number, port: number): number {
    const { byOfport } = this.snapshot.tables
    return this.pick(byOfport, byOfport.get2(bridge, port))
  }

  /** Ports of 512 and up alias: then the one port with these nine bits, if it is one. */
  private addIdPort(bridge: number, engine: number, value: number): number {
    // A number that was split before.
    if (value <= PORT_MASK && (engine & 0x7f) !== 0) return this.portOf(bridge, value)
    if (value >>> PORT_BITS !== (engine & 0x7f)) return 0
    const low = value & PORT_MASK
    if (low >= FIRST_SPECIAL) return this.portOf(bridge, low + SPECIAL_LIFT)
    let found = 0
    for (let port = low; port <= LAST_PORT; port += PORT_MASK + 1) {
      const item = this.portOf(bridge, port)
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
        const floating = tables.byFloating.at(tables.byFloating.get5(network, a0, a1, a2, a3), this.atMs)
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
    const network = this.networkAt(bridge, 0)
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
    const raw = byHostAddress.get5(this.host, destination.a0, destination.a1, destination.a2, destination.a3)
    // With a router here it may be for an address beyond it.
    if (raw === 0) return hosts[this.host]!.routers
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

  /** The one interface that holds at the record's time, 0 when there is none or are several. */
  private pick(table: LaneTable, raw: number): number {
    if (raw >= 0) return raw !== 0 && this.holds(raw) ? raw : 0
    const list = table.list(raw)
    let one = 0
    for (let i = 0; i < list.length; i++) {
      if (!this.holds(list[i]!)) continue
      if (one !== 0) return this.sharedTunnel(list)
      one = list[i]!
    }
    return one
  }

  /** Kernel tunnels of one type share an ifIndex: any of them says "a tunnel"; the record's own tunnel fields say which. */
  private sharedTunnel(list: readonly number[]): number {
    const { interfaces } = this.snapshot
    return list.every((item) => interfaces.kind(item) === IF_KIND.tunnel) ? list[0]! : 0
  }

  private holds(item: number): boolean {
    return !this.snapshot.timed || this.holdsAt(item)
  }

  private holdsAt(item: number): boolean {
    const { fromMs, toMs } = this.snapshot.interfaces
    return fromMs[item]! <= this.atMs && this.atMs < toMs[item]!
  }
}

function sameEngine(netflow: { engineType: number; engineId: number }, engine: number): boolean {
  return (
    (netflow.engineType < 0 || netflow.engineType === ((engine >>> 8) & 0xff)) &&
    (netflow.engineId < 0 || netflow.engineId === (engine & 0xff))
  )
}
