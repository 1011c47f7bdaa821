/**
 * An immutable picture of the cloud, laid out for lookup on the hot path: hosts, bridges, interfaces, networks and endpoints
 * are small numbers (0 = not known), keys go through open-addressed tables (lanes.ts), and no string is touched.
 *
 * An address alone never identifies an endpoint: every lookup takes a host, a bridge or a network. A lookup returns a raw
 * value for `pick`, which knows how many endpoints hold at the record's own time and never takes the first of several.
 */
import type { Cidr } from '../addresses.ts'
import { inCidr } from '../addresses.ts'
import type { PrefixTable } from '../ids.ts'
import { LaneTable } from '../lanes.ts'
import type { Endpoints } from './endpoints.ts'
import { canReach, type Network, type Router, type Topology } from './networks.ts'
import { TimedTable } from './timed.ts'
import type { Bridge, Host, Interfaces, Mirror } from './vantage.ts'

/** Lookup tables; the words of a key in brackets. */
export interface Tables {
  /** (0, address) → host. */
  readonly hostByAddress: LaneTable
  /** (bridge, ofport) → interface. */
  readonly byOfport: LaneTable
  /** (host, ifIndex) → interfaces: kernel tunnels share one. */
  readonly byIfIndex: LaneTable
  /** (network, MAC high, MAC low) → endpoint. */
  readonly byNetworkMac: LaneTable
  /** (host, MAC high, MAC low) → endpoint whose port is on that host. */
  readonly byHostMac: LaneTable
  /** (network, address) → endpoint; network 0 holds all external networks. */
  readonly byNetworkAddress: LaneTable
  /** (network, address) → endpoints that may use it by an allowed address pair. */
  readonly byPair: LaneTable
  /** (routing domain, address) → endpoint; only of networks that a router is on. */
  readonly byDomainAddress: LaneTable
  /** (host, address) → endpoint whose port is on that host. */
  readonly byHostAddress: LaneTable
  /** (external network, floating IP) → endpoint; network 0 holds all. */
  readonly byFloating: TimedTable
  /** (endpoint, address) → 1 for each address that is the endpoint's own, beside its first. */
  readonly owned: LaneTable
  /** (tunnel type, VNI) → network. */
  readonly byVni: LaneTable
  /** (bridge, VLAN) → network: local VLANs on an integration bridge, provider VLANs on an outer one. */
  readonly byVlan: TimedTable
  /** (host, endpoint) → the interface it is plugged by there. */
  readonly byHostEndpoint: LaneTable
  /** (endpoint of a trunk's parent, VLAN) → endpoint of the subport. */
  readonly subports: LaneTable
}

/** Tables with room for so many ports, so that most need not grow while they are filled. */
export function emptyTables(expected = 0): Tables {
  return {
    hostByAddress: new LaneTable(5),
    byOfport: new LaneTable(2, expected),
    byIfIndex: new LaneTable(2, expected),
    byNetworkMac: new LaneTable(3, expected),
    byHostMac: new LaneTable(3, expected),
    byNetworkAddress: new LaneTable(5, expected),
    byPair: new LaneTable(5),
    byDomainAddress: new LaneTable(5),
    byHostAddress: new LaneTable(5, expected),
    byFloating: new TimedTable(5),
    owned: new LaneTable(5),
    byVni: new LaneTable(2),
    byVlan: new TimedTable(2, expected),
    byHostEndpoint: new LaneTable(2, expected),
    subports: new LaneTable(2),
  }
}

/**
 * What was edited since the model was laid out. All snapshots of one layout share it, so by it who keeps answers of one snapshot knows
 * which of them the next one still gives.
 */
export interface Edited {
  /** Hosts that got an interface, in the order of the edits. */
  readonly hosts: number[]
  /** Changes of Neutron ports. */
  ports: number
  /** Told of what edits change beside endpoints, interfaces and tables (copies.ts). */
  onPrefix?: (id: string, endpoint: number, isNew: boolean) => void
  onRanges?: (endpoint: number, ranges: readonly Cidr[]) => void
  onNetwork?: (number: number, id: string, network: Network) => void
  onPart?: (change: PartChange) => void
}

/** What edits change of the smaller parts. */
export type PartChange =
  | { of: 'host'; number: number; host: Host }
  | { of: 'bridge'; number: number; bridge: Bridge }
  | { of: 'mirror'; number: number; mirror: Mirror }
  | { of: 'router'; number: number; id: string; router: Router }
  | { of: 'router_port'; network: number; endpoint: number }
  | { of: 'subport'; parent: number; endpoint: number }
  /** Of `routerReported` and `legReported`. */
  | { of: 'reported'; what: 'router' | 'leg'; number: number; value: number }

export interface SnapshotParts {
  asOfMs: number
  empty: boolean
  /** See IdentitySnapshot. */
  timed: boolean
  edited: Edited
  endpoints: Endpoints
  interfaces: Interfaces
  topology: Topology
  hosts: readonly Host[]
  bridges: readonly Bridge[]
  mirrors: readonly Mirror[]
  tables: Tables
  /** Neutron ports by the first eleven characters of their id, which device names carry. */
  portPrefixes: PrefixTable
  /** Allowed address pairs that are ranges, by endpoint. */
  pairRanges: ReadonlyMap<number, readonly Cidr[]>
  /** Subports of a trunk by the endpoint of its parent. */
  subportsOf: ReadonlyMap<number, readonly number[]>
  /** Per router: 1 when the sending of every server behind it is reported, so that nothing from its SNAT address is new. */
  routerReported: Uint8Array
  /** Per network: 1 when a router's port on it reports what enters there, so that what comes routed is seen there. */
  legReported: Uint8Array
  /** Per network: endpoints of the routers' ports on it. */
  routerPorts: readonly (readonly number[])[]
}

/** The same list with another at a place, or behind the last. A list of its own: who looks at all hosts looks anew at another list. */
export function withOne<T>(list: readonly T[], at: number, one: T): T[] {
  const more = [...list]
  more[at] = one
  return more
}

/** Device names that carry the first eleven characters of a Neutron port's id (ovs-vsctl shows them so). */
const DEVICE_NAME = /^(?:tap|qvo|vhu|qr-|qg-|sg-|fg-|ha-)([0-9a-f]{8}-[0-9a-f]{2})$/

const NONE: readonly number[] = []

export class IdentitySnapshot {
  /** When the picture was taken, ms since 1970. */
  readonly asOfMs: number
  /** No source is configured: nothing can be known. */
  readonly empty: boolean
  /** Whether anything in it holds for a span of time only; if not, times need not be looked at. */
  readonly timed: boolean
  readonly edited: Edited
  readonly endpoints: Endpoints
  readonly interfaces: Interfaces
  readonly topology: Topology
  readonly hosts: readonly Host[]
  readonly bridges: readonly Bridge[]
  readonly mirrors: readonly Mirror[]
  readonly tables: Tables
  readonly routerReported: Uint8Array
  readonly legReported: Uint8Array
  readonly routerPorts: SnapshotParts['routerPorts']
  private readonly portPrefixes: SnapshotParts['portPrefixes']
  private readonly pairRanges: SnapshotParts['pairRanges']
  private readonly subportsOf: SnapshotParts['subportsOf']
  /** All of it, to make copies from. */
  readonly parts: SnapshotParts

  constructor(parts: SnapshotParts) {
    this.parts = parts
    this.asOfMs = parts.asOfMs
    this.empty = parts.empty
    this.timed = parts.timed
    this.edited = parts.edited
    this.endpoints = parts.endpoints
    this.interfaces = parts.interfaces
    this.topology = parts.topology
    this.hosts = parts.hosts
    this.bridges = parts.bridges
    this.mirrors = parts.mirrors
    this.tables = parts.tables
    this.routerReported = parts.routerReported
    this.legReported = parts.legReported
    this.routerPorts = parts.routerPorts
    this.portPrefixes = parts.portPrefixes
    this.pairRanges = parts.pairRanges
    this.subportsOf = parts.subportsOf
  }

  // Lanes and MAC words are signed here, see lanes.ts.

  /** Host of an exporter address, 0 when it is of none (or of several, which the identity file refuses). */
  hostOf(a0: number, a1: number, a2: number, a3: number): number {
    return Math.max(0, this.tables.hostByAddress.get5(0, a0, a1, a2, a3))
  }

  /** The same for a row of an address column. */
  hostAt(lanes: Uint32Array, row: number): number {
    const at = row * 4
    return this.hostOf(lanes[at]! | 0, lanes[at + 1]! | 0, lanes[at + 2]! | 0, lanes[at + 3]! | 0)
  }

  /** Whether two endpoints are in one network, or in two that a router joins. */
  joins(one: number, other: number): boolean {
    return canReach(this.topology, this.endpoints.network(one), this.endpoints.network(other))
  }

  /** Interface of a host by name, 0 when there is none. Cold: callers keep the answer by the code of the string. */
  interfaceNamed(host: number, name: string): number {
    return this.interfaces.named(host, name)
  }

  /** The interface that had the same name on the host before, 0 when none is known. */
  earlierNamed(item: number): number {
    return this.interfaces.namedBefore(item)
  }

  /** Endpoint of the Neutron port whose id a device name carries, 0 when the name carries none. Cold. */
  endpointOfDevice(name: string): number {
    const [, prefix] = DEVICE_NAME.exec(name) ?? []
    return prefix === undefined ? 0 : this.portPrefixes.get(prefix)
  }

  /** Whether the address is one of the endpoint's own: a fixed IP, or by an allowed address pair. */
  owns(endpoint: number, a0: number, a1: number, a2: number, a3: number): boolean {
    if (this.endpoints.isFirstAddress(endpoint, a0, a1, a2, a3)) return true
    if (this.tables.owned.get5(endpoint, a0, a1, a2, a3) !== 0) return true
    if (this.pairRanges.size === 0) return false
    const ranges = this.pairRanges.get(endpoint)
    if (ranges === undefined) return false
    for (const range of ranges) if (inCidr(range, a0, a1, a2, a3)) return true
    return false
  }

  /** The subport of a trunk that owns the address, 0 when none or several do. For exporters that do not tell the VLAN. */
  subportOf(parent: number, a0: number, a1: number, a2: number, a3: number): number {
    let found = 0
    for (const subport of this.subportsOf.get(parent) ?? NONE) {
      if (!this.owns(subport, a0, a1, a2, a3)) continue
      if (found !== 0) return 0
      found = subport
    }
    return found
  }
}
