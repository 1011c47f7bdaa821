/**
 * Where a record was observed: the exporter's host, the bridge, the interfaces, the mirror, and the network that follows
 * from them. What each exporter tells, and what of it may be believed, is in docs/identity.md.
 */
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import { IF_KIND } from '../identity/snapshot/vantage.ts'
import { KIND } from '../identity/snapshot/endpoints.ts'
import type { LaneTable } from '../identity/lanes.ts'
import type { Columns } from '../schema/columns.ts'
import type { InterfaceNames } from './interface-names.ts'
import type { Station } from './station.ts'

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
    this.inIf = this.pluggedBy(endpoint)
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
    this.outIf = this.pluggedBy(endpoint)
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

  /** The one port of this host with the MAC at the record's time. */
  private portByMac(station: Station): number {
    if (!station.hasMac || station.groupMac) return 0
    const { byHostMac } = this.snapshot.tables
    const raw = byHostMac.get3(this.host, station.high, station.low)
    if (raw >= 0 && !this.snapshot.timed) return raw
    let one = 0
    for (let i = 0; i < byHostMac.count(raw); i++) {
      const endpoint = byHostMac.at(raw, i)
      if (!this.wasThere(endpoint)) continue
      if (one !== 0) return 0
      one = endpoint
    }
    return one
  }

  private wasThere(endpoint: number): boolean {
    return this.snapshot.endpoints.holds(endpoint, this.atMs)
  }

  /** Network of a VLAN on the record's bridge, 0 when it is not known. */
  vlanNetwork(vlan: number): number {
    return this.bridge === 0 ? 0 : this.networkAt(this.bridge, vlan)
  }

  /** Network of a VLAN on a bridge at the record's time. */
  networkAt(bridge: number, vlan: number): number {
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
    const { tables } = this.snapshot
    const raw = tables.subports.get2(parent, vlan)
    if (raw === 0 || !this.snapshot.timed) return Math.max(0, raw)
    const all = raw > 0 ? [raw] : tables.subports.list(raw)
    const held = all.filter((one) => this.wasThere(one))
    return held.length === 1 ? held[0]! : 0
  }

  /** The interface that has an OpenFlow port number on a bridge. */
  portOf(bridge: number, port: number): number {
    const { byOfport } = this.snapshot.tables
    return this.pick(byOfport, byOfport.get2(bridge, port))
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
    return this.snapshot.interfaces.holds(item, this.atMs)
  }
}
