/**
 * The two ends of a record, from where it was observed. docs/identity.md has the order of certainty, by what the exporter
 * tells; resolver.ts looks a single end up.
 */
import { OVN_KEYS } from '../identity/snapshot/build.ts'
import { EXTERNAL, KIND } from '../identity/snapshot/endpoints.ts'
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import { IF_KIND } from '../identity/snapshot/vantage.ts'
import type { Columns } from '../schema/columns.ts'
import { EVIDENCE, GRADE, TUNNEL, VNI_TYPE } from './codes.ts'
import { End } from './end.ts'
import type { Place } from './place.ts'
import { Resolver } from './resolver.ts'
import { ADDRESS, Station } from './station.ts'

export class EndFinder {
  readonly source = new Station()
  readonly destination = new Station()
  readonly src = new End()
  readonly dst = new End()
  readonly resolver: Resolver
  private readonly place: Place
  private snapshot: IdentitySnapshot
  // Candidates at the two hosts of a tunnel, and those of them that a network joins; reused.
  private readonly senders: number[] = []
  private readonly receivers: number[] = []
  private readonly joinedSenders: number[] = []
  private readonly joinedReceivers: number[] = []

  constructor(snapshot: IdentitySnapshot, place: Place) {
    this.snapshot = snapshot
    this.place = place
    this.resolver = new Resolver(snapshot)
  }

  use(snapshot: IdentitySnapshot): void {
    this.snapshot = snapshot
    this.resolver.use(snapshot)
  }

  read(c: Columns, row: number): void {
    this.source.read(c.src_mac, c.src_addr, row)
    this.destination.read(c.dst_mac, c.dst_addr, row)
  }

  /** Observed where the packet entered. `evidence` says by what the interface was found. */
  ingress(c: Columns, row: number, evidence: number): void {
    const { place, src, dst, source, destination, resolver } = this
    const { interfaces, endpoints } = this.snapshot
    const endpoint = place.inEndpoint
    if (place.host === 0 && endpoint === 0) {
      this.nowhere(EVIDENCE.no_host)
      return
    }
    if (endpoint !== 0) {
      const network = endpoints.network(endpoint)
      if (isStation(endpoints.kind(endpoint))) {
        if (place.inByMac) src.set(endpoint, GRADE.mac, EVIDENCE.host_mac)
        else resolver.onInterface(src, source, endpoint, evidence)
        src.host = place.host
        if (this.byOutput()) return
      } else {
        resolver.inNetwork(src, source, network, false)
        if (src.endpoint <= EXTERNAL && place.inKind === IF_KIND.gateway)
          resolver.behindRouter(src, source, endpoints.router(endpoint))
      }
      if (network === 0) dst.clear(EVIDENCE.no_network)
      else resolver.inNetwork(dst, destination, network, true)
      return
    }
    switch (place.inKind) {
      case IF_KIND.tunnel:
        this.tunnel(c, row)
        return
      case IF_KIND.uplink:
      case IF_KIND.local:
      case IF_KIND.mirror_output:
        this.both(place.vlanNetwork(c.vlan[row]!))
        return
      default:
        if (place.several > 1) this.severalPlaces()
        else this.inOrByMac(c, row, interfaces.network(place.inIf))
    }
  }

  /** Observed where the packet left. */
  egress(c: Columns, row: number, evidence: number): void {
    const { place, src, dst, source, destination, resolver } = this
    const { interfaces, endpoints } = this.snapshot
    const from = place.inEndpoint
    const to = place.outEndpoint
    if (place.host === 0 && from === 0 && to === 0) {
      this.nowhere(EVIDENCE.no_host)
      return
    }
    const outNetwork =
      (to !== 0 ? endpoints.network(to) : interfaces.network(place.outIf)) || place.vlanNetwork(c.vlan[row]!)
    const network = (from !== 0 ? endpoints.network(from) : interfaces.network(place.inIf)) || outNetwork
    const outside = place.outKind === IF_KIND.uplink || place.outKind === IF_KIND.local

    if (from !== 0 && isStation(endpoints.kind(from))) {
      resolver.onInterface(src, source, from, evidence)
      src.host = place.host
    } else if (network !== 0 || outside) resolver.inNetwork(src, source, network, false)
    else if (!resolver.onHost(src, source, place.host)) src.clear(EVIDENCE.no_interface)

    if (to !== 0 && isStation(endpoints.kind(to))) {
      if (place.outByMac) dst.set(to, GRADE.mac, EVIDENCE.host_mac)
      else resolver.onInterface(dst, destination, to, evidence)
      // A broadcast was received by whoever is behind the interface: it is the proof.
      if (destination.groupMac || destination.sort === ADDRESS.group) dst.grade = GRADE.port
      dst.host = place.host
    } else if (network !== 0 || outside) resolver.inNetwork(dst, destination, outNetwork || network, true)
    else if (!resolver.onHost(dst, destination, place.host)) dst.clear(EVIDENCE.no_interface)
  }

  /** A mirrored frame, whose network is known by its tag or by the mirrored port; 0 = not known. */
  mirrored(c: Columns, row: number, network: number): void {
    if (this.place.host === 0) this.nowhere(EVIDENCE.no_host)
    else this.inOrByMac(c, row, network)
  }

  /** Neither end can be said. */
  private nowhere(evidence: number): void {
    this.src.clear(evidence)
    this.dst.clear(evidence)
  }

  /** Both ends in one network; 0 = the outside. */
  private both(network: number): void {
    this.resolver.inNetwork(this.src, this.source, network, false)
    this.resolver.inNetwork(this.dst, this.destination, network, true)
  }

  /**
   * sFlow names the output where there is only one. A mirror makes it several, so one is believed if it is a port whose
   * address agrees.
   */
  private byOutput(): boolean {
    const { place, dst, destination, resolver } = this
    const endpoint = place.outEndpoint
    if (endpoint === 0 || !isStation(this.snapshot.endpoints.kind(endpoint))) return false
    resolver.onInterface(dst, destination, endpoint, place.outIf === 0 ? EVIDENCE.device_name : EVIDENCE.if_index)
    dst.host = place.host
    return dst.grade === GRADE.port
  }

  /** The interface or the tag gives the network; where neither does, a MAC of a port on this host may. */
  private inOrByMac(c: Columns, row: number, network: number): void {
    const { place, src, dst, source, destination, resolver } = this
    const { endpoints } = this.snapshot
    if (network !== 0) {
      this.both(network)
      return
    }
    const vlanNetwork = c.vlan[row] === 0 ? 0 : place.vlanNetwork(c.vlan[row]!)
    if (vlanNetwork !== 0) this.both(vlanNetwork)
    else if (resolver.onHost(src, source, place.host)) {
      const { endpoint } = src
      resolver.inNetwork(dst, destination, endpoints.network(endpoint), true)
      if (!isStation(endpoints.kind(endpoint))) resolver.inNetwork(src, source, endpoints.network(endpoint), false)
    } else if (resolver.onHost(dst, destination, place.host)) {
      const { endpoint } = dst
      resolver.inNetwork(src, source, endpoints.network(endpoint), false)
      if (!isStation(endpoints.kind(endpoint))) resolver.inNetwork(dst, destination, endpoints.network(endpoint), true)
    } else {
      this.nowhere(EVIDENCE.no_interface)
      if (destination.groupMac) resolver.inNetwork(dst, destination, 0, true)
    }
  }

  /** NetFlow that several bridges of the host may have exported: each possible port is a candidate. */
  private severalPlaces(): void {
    const { place, src, dst } = this
    dst.clear(EVIDENCE.no_network)
    if (place.severalPorts > 1) src.ambiguous(place.possible)
    else src.clear(EVIDENCE.several_matches)
  }

  /**
   * In by a tunnel. The VNI gives the network; NetFlow does not tell it, so the pairs of a port on the sending host and one
   * here that a network joins are counted, and only one pair alone is believed.
   */
  private tunnel(c: Columns, row: number): void {
    const { place, source, destination, resolver, senders, receivers, snapshot } = this
    const type = VNI_TYPE[c.tunnel_type[row]!]!
    // Under OVN the key is a datapath's; VXLAN has the egress port above its lowest 12 bits (ovn controller/physical.c).
    const ovn = snapshot.hosts[place.host]!.ovn
    const vni = c.tunnel_key[row]! | 0
    const key = ovn && c.tunnel_type[row] === TUNNEL.vxlan ? vni & 0xfff : vni
    const network = type < 0 ? 0 : Math.max(0, snapshot.tables.byVni.get2(ovn ? OVN_KEYS : type, key))
    if (network !== 0 || source.hasMac) {
      this.inOrByMac(c, row, network)
      return
    }
    const told = snapshot.hostAt(c.tunnel_src_addr, row)
    const remote = told === 0 ? snapshot.interfaces.remoteHost(place.inIf) : told
    senders.length = receivers.length = 0
    if (remote !== 0) resolver.candidatesOnHost(senders, source, remote)
    resolver.candidatesOnHost(receivers, destination, place.host)
    this.joinPairs()
  }

  private joinPairs(): void {
    const { senders, receivers, joinedSenders, joinedReceivers, resolver, src, dst, source, snapshot } = this
    joinedSenders.length = joinedReceivers.length = 0
    for (const sender of senders) {
      for (const receiver of receivers) {
        if (!snapshot.joins(sender, receiver)) continue
        if (!joinedSenders.includes(sender)) joinedSenders.push(sender)
        if (!joinedReceivers.includes(receiver)) joinedReceivers.push(receiver)
      }
    }
    if (joinedSenders.length === 0 && receivers.length === 1) {
      // The sender is behind a router on the other host; here only one port has the address.
      const receiver = receivers[0]!
      resolver.grade(dst, receiver, EVIDENCE.host_address_port)
      resolver.inNetwork(src, source, snapshot.endpoints.network(receiver), false)
      return
    }
    this.oneOf(src, joinedSenders.length > 0 ? joinedSenders : senders)
    this.oneOf(dst, joinedReceivers.length > 0 ? joinedReceivers : receivers)
  }

  private oneOf(end: End, candidates: readonly number[]): void {
    if (candidates.length === 1) this.resolver.grade(end, candidates[0]!, EVIDENCE.host_address_port)
    else if (candidates.length > 1) end.ambiguous(candidates)
    else end.clear(EVIDENCE.no_network)
  }
}

/** A station is where packets end; a router passes them on. */
export function isStation(kind: number): boolean {
  return kind === KIND.server || kind === KIND.other || kind === KIND.dhcp
}
