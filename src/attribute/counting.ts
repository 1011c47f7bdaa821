/**
 * How a record counts: its role and the three flags of docs/counting.md. The rule looks at the one record, at the model, and
 * at what each bridge reports; it does not search for twins.
 */
import { KIND, type Endpoints } from '../identity/snapshot/endpoints.ts'
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import { IF_KIND, type Interfaces } from '../identity/snapshot/vantage.ts'
import { ROLE } from './codes.ts'
import type { End } from './end.ts'
import { COUNTS } from './found.ts'
import type { Names } from './names.ts'
import type { Place } from './place.ts'
import { ANY_ENTERING, Precedence, SOURCE, type Source } from './precedence.ts'

/** Names of hosts whose reports are remembered; more than a cloud has. */
const MOST_HOSTS = 65_536

export class Counting {
  role = 0
  sent = 0
  received = 0
  once = 0
  private readonly precedence: Precedence
  private snapshot: IdentitySnapshot
  /** REPORTS seen from hosts whose OVSDB is not known, by name, so that they outlive the snapshot. */
  private readonly learned = new Map<string, number>()
  private seen: Uint8Array
  /** 1 for hosts whose OVSDB is known. */
  private knows: Uint8Array
  // Columns of the model that every record needs, one load away.
  private endpoints: Endpoints
  private interfaces: Interfaces

  constructor(snapshot: IdentitySnapshot, order?: readonly Source[]) {
    this.snapshot = snapshot
    this.precedence = new Precedence(order)
    this.seen = this.recall()
    this.knows = Uint8Array.from(snapshot.hosts, (host) => (host.ovs ? 1 : 0))
    this.endpoints = snapshot.endpoints
    this.interfaces = snapshot.interfaces
  }

  use(snapshot: IdentitySnapshot): void {
    this.snapshot = snapshot
    this.seen = this.recall()
    this.knows = Uint8Array.from(snapshot.hosts, (host) => (host.ovs ? 1 : 0))
    this.endpoints = snapshot.endpoints
    this.interfaces = snapshot.interfaces
  }

  /** How often something new was seen or heard of hosts without OVSDB: rows may count otherwise since. */
  news = 0
  /** Something was heard that `seen` does not have. */
  private heard = false
  /** Told of what `see` has not seen before. */
  onReports: ((host: string, report: number) => void) | undefined

  /** The same, seen by another thread. */
  hear(name: string, report: number): void {
    if (this.learned.size >= MOST_HOSTS && !this.learned.has(name)) return
    this.learned.set(name, (this.learned.get(name) ?? 0) | report)
    this.heard = true
    this.news++
  }

  /** Notes that a host reports this. Hosts whose OVSDB is known say so themselves. */
  see(host: number, report: number): void {
    if (this.heard) {
      this.heard = false
      this.seen = this.recall()
    }
    if (host === 0 || this.knows[host] === 1 || (this.seen[host]! & report) === report) return
    const facts = this.snapshot.hosts[host]!
    this.seen[host]! |= report
    this.news++
    this.onReports?.(facts.name, report)
    if (this.learned.size < MOST_HOSTS || this.learned.has(facts.name)) this.learned.set(facts.name, this.seen[host]!)
  }

  /** In which totals it is: bits of COUNTS. */
  get counts(): number {
    return this.sent * COUNTS.sent + this.received * COUNTS.received + this.once * COUNTS.once
  }

  /** `ingress` at a server's own port, of a record of the common case. `reports` has all that reports the interface. */
  sentStraight(reports: number, by: number, destination: number, names: Names): void {
    if (this.precedence.entering[reports] !== by) this.is(ROLE.duplicate, 0, 0, 0)
    else {
      const arrives =
        isOwnKind(names.kind(destination)) &&
        this.precedence.leaving[this.straightReports(destination, names)] === SOURCE.none
      this.is(ROLE.sent, 1, arrives ? 1 : 0, 1)
    }
  }

  /** The same for `egress`. */
  receivedStraight(reports: number, source: number, names: Names): void {
    if (this.precedence.leaving[reports] !== SOURCE.ipfix) this.is(ROLE.duplicate, 0, 0, 0)
    else {
      const sends = isOwnKind(names.kind(source)) && (this.straightReports(source, names) & ANY_ENTERING) !== 0
      this.is(ROLE.received, 0, 1, sends ? 0 : 1)
    }
  }

  private straightReports(endpoint: number, names: Names): number {
    const reports = names.reports(endpoint)
    return reports >= 0 ? reports : this.seen[names.hostOf(endpoint)]!
  }

  /** The record was observed where the packet left (IPFIX, flow direction egress). */
  egress(place: Place, source: End, destination: End, report: number): void {
    const kind = place.outKind
    if (kind === IF_KIND.mirror_output) this.is(ROLE.mirror_echo, 0, 0, 0)
    else if (kind === IF_KIND.port) this.own(this.reportsAt(place.outIf, place) | report, SOURCE.ipfix, source)
    else if (kind !== IF_KIND.unknown) this.is(ROLE.transit, 0, 0, 0)
    else this.is(isKnown(source, destination, this.snapshot) ? ROLE.transit : ROLE.unattributed, 0, 0, 0)
  }

  /** The record was observed where the packet entered; what left is not reported there, or in a record of its own. */
  ingress(place: Place, source: End, destination: End, report: number, by: number): void {
    const reports = this.reportsAt(place.inIf, place) | report
    switch (place.inKind) {
      case IF_KIND.port:
        this.fromPort(reports, by, destination, false)
        return
      case IF_KIND.router:
      case IF_KIND.dhcp:
        if (this.isLastLeg(this.networkOf(place), source, destination)) this.arrives(reports, by)
        else this.is(ROLE.transit, 0, 0, 0)
        return
      case IF_KIND.tunnel:
      case IF_KIND.uplink:
        if (this.isArrival(place, source, destination)) this.arrives(reports, by)
        else this.is(ROLE.transit, 0, 0, 0)
        return
      case IF_KIND.unknown:
        this.fromUnknown(place, reports, source, destination, by)
        return
      default:
        this.is(ROLE.transit, 0, 0, 0)
    }
  }

  /** A mirrored frame. `sourceIf` and `destinationIf` are the ends' interfaces on the mirror's host, 0 = not there. */
  mirrored(place: Place, source: End, destination: End, sourceIf: number, destinationIf: number): void {
    const mirror = this.snapshot.mirrors[place.mirror]!
    const { interfaces } = this
    if (place.mirror === 0) this.mirroredBlindly(place, source, destination)
    else if (sourceIf !== 0 && mirror.source.has(sourceIf))
      // One copy a mirror: a frame that it selects at both ports comes only in its ingress form (ovs-facts 4).
      this.fromPort(interfaces.reports(sourceIf), SOURCE.mirror, destination, mirror.destination.has(destinationIf))
    else if (destinationIf !== 0 && mirror.destination.has(destinationIf))
      this.own(interfaces.reports(destinationIf), SOURCE.mirror, source)
    else this.is(isKnown(source, destination, this.snapshot) ? ROLE.transit : ROLE.unattributed, 0, 0, 0)
  }

  /** Nothing is known of where the record comes from. Totals by address hold it, unless it is the egress of another one. */
  unattributed(egress: boolean): void {
    this.is(ROLE.unattributed, 0, 0, egress ? 0 : 1)
  }

  /** Whether what this end sends is reported where it sends it, so that it is counted there. */
  private isReported(end: End): boolean {
    const { endpoints, routerReported } = this.snapshot
    if (end.candidates > 1) return end.several.every((endpoint) => this.sends(endpoint))
    if (endpoints.kind(end.endpoint) === KIND.snat) return routerReported[endpoints.router(end.endpoint)] === 1
    return this.sends(end.endpoint)
  }

  private sends(endpoint: number): boolean {
    return this.isOwn(endpoint) && (this.reportsOf(endpoint) & ANY_ENTERING) !== 0
  }

  /** Ingress at a server's own port. */
  private fromPort(reports: number, by: number, destination: End, oneCopy: boolean): void {
    if (this.precedence.entering[reports] !== by) {
      this.is(ROLE.duplicate, 0, 0, 0)
      return
    }
    const arrives =
      this.isOwn(destination.endpoint) &&
      (oneCopy || this.precedence.leaving[this.reportsOf(destination.endpoint)] === SOURCE.none)
    this.is(ROLE.sent, 1, arrives ? 1 : 0, 1)
  }

  /** Egress at a server's own port. */
  private own(reports: number, by: number, source: End): void {
    if (this.precedence.leaving[reports] !== by) this.is(ROLE.duplicate, 0, 0, 0)
    else this.is(ROLE.received, 0, 1, this.isReported(source) ? 0 : 1)
  }

  /** The last place before a server where a packet is seen whose sender nobody reports. */
  private arrives(reports: number, by: number): void {
    if (this.precedence.entering[reports] === by) this.is(ROLE.received, 0, 1, 1)
    else this.is(ROLE.duplicate, 0, 0, 0)
  }

  /** A router (or a DHCP server) sends into the network of a server that does not report what it receives. */
  private isLastLeg(network: number, source: End, destination: End): boolean {
    const { endpoint } = destination
    return (
      this.isOwn(endpoint) &&
      this.endpoints.network(endpoint) === network &&
      this.precedence.leaving[this.reportsOf(endpoint)] === SOURCE.none &&
      !this.isReported(source)
    )
  }

  /**
   * A packet comes in from another host, or from outside, for a server here: counted only where no router's port on the
   * server's network is reported, since that leg comes first.
   */
  private isArrival(place: Place, source: End, destination: End): boolean {
    const { endpoint } = destination
    const { endpoints, legReported } = this.snapshot
    if (!this.isOwn(endpoint) || !this.isHere(destination, place)) return false
    const network = endpoints.network(endpoint)
    if (!this.isLastLeg(network, source, destination)) return false
    const kind = endpoints.kind(source.endpoint)
    if (this.isOwn(source.endpoint) && endpoints.network(source.endpoint) === network) return true
    if (kind === KIND.dhcp) return (this.reportsOf(source.endpoint) & ANY_ENTERING) === 0
    return legReported[network] === 0
  }

  private fromUnknown(place: Place, reports: number, source: End, destination: End, by: number): void {
    if (place.several > 1) {
      // Between ports and other places: whether it counts cannot be said, so it is not said to be anyone's.
      if (place.severalPorts > 0) this.unattributed(false)
      else this.is(ROLE.transit, 0, 0, 0)
    } else if (this.isArrival(place, source, destination)) this.arrives(reports, by)
    else if (isKnown(source, destination, this.snapshot)) this.is(ROLE.transit, 0, 0, 0)
    else this.unattributed(false)
  }

  /** A mirror of a host whose OVSDB is not known: whichever end is on the host is the mirrored one. */
  private mirroredBlindly(place: Place, source: End, destination: End): void {
    if (this.isOwn(source.endpoint) && this.isHere(source, place))
      this.fromPort(this.reportsOf(source.endpoint), SOURCE.mirror, destination, this.isHere(destination, place))
    else if (this.isOwn(destination.endpoint) && this.isHere(destination, place))
      this.own(this.reportsOf(destination.endpoint), SOURCE.mirror, source)
    else if (isKnown(source, destination, this.snapshot)) this.is(ROLE.transit, 0, 0, 0)
    else this.unattributed(false)
  }

  private is(role: number, sent: number, received: number, once: number): void {
    this.role = role
    this.sent = sent
    this.received = received
    this.once = once
  }

  private isOwn(endpoint: number): boolean {
    return isOwnKind(this.endpoints.kind(endpoint))
  }

  private isHere(end: End, place: Place): boolean {
    return (end.host === 0 ? this.endpoints.host(end.endpoint) : end.host) === place.host
  }

  private networkOf(place: Place): number {
    const { interfaces, endpoints } = this
    return place.inIf !== 0 ? interfaces.network(place.inIf) : endpoints.network(place.inEndpoint)
  }

  private reportsAt(item: number, place: Place): number {
    return item !== 0 ? this.interfaces.reports(item) : this.seen[place.host]!
  }

  private reportsOf(endpoint: number): number {
    const { endpoints } = this
    return endpoints.reportsKnown(endpoint) ? endpoints.reports(endpoint) : this.seen[endpoints.host(endpoint)]!
  }

  private recall(): Uint8Array {
    return Uint8Array.from(this.snapshot.hosts, (host) => (host.ovs ? 0 : (this.learned.get(host.name) ?? 0)))
  }
}

function isOwnKind(kind: number): boolean {
  return kind === KIND.server || kind === KIND.other
}

/** Whether an end is something of the cloud; the outside and a group are nobody. */
function isKnown(source: End, destination: End, snapshot: IdentitySnapshot): boolean {
  const known = (end: End) => {
    const code = snapshot.endpoints.kind(end.endpoint)
    return code !== KIND.unknown && code !== KIND.external && code !== KIND.group
  }
  return known(source) || known(destination)
}
