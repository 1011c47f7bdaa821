/** Ports and floating IPs of a laid-out model, changed in place: each change is an end of what was and a beginning of what is. */
import type { FloatingIp, Port } from '../cloud.ts'
import { kindOfPort } from './devices.ts'
import { KIND } from './endpoints.ts'
import type { RoutingEditor } from './edit-routing.ts'
import { IF_KIND } from './vantage.ts'
import { FOREVER, type Workbench } from './workbench.ts'

/** Not where anything is: the floating IP itself says who has it. */
const FLOATING_PORT = 'network:floatingip'

/** A subport that joined a trunk, or left it. `port` is the subport, `parent` the trunk's port where it joined one. */
export interface TrunkEdit {
  port: Port
  parent: Port | undefined
  vlan: number | undefined
}

export class PortEditor {
  private readonly bench: Workbench
  private readonly routing: RoutingEditor

  constructor(bench: Workbench, routing: RoutingEditor) {
    this.bench = bench
    this.routing = routing
  }

  /** `hosts` are those that are read again next, so that what is still plugged there becomes what OVSDB alone knows. */
  port(
    before: Port | undefined,
    after: Port | undefined,
    fromMs: number,
    toMs: number,
    hosts: readonly string[] = [],
  ): boolean {
    const { indexer, parts } = this.bench.laid
    const { index } = indexer
    const owners = [before, after].filter((port) => port !== undefined).map((port) => port.device_owner)
    if (owners.includes(FLOATING_PORT)) return owners.every((owner) => owner === FLOATING_PORT)
    const id = (after ?? before)!.id
    const old = index.byId.get(id) || undefined
    // What a subport is follows from its trunk's port.
    if (old !== undefined && index.subports.has(old)) return false
    // Floating IPs that lead nowhere yet.
    if (before === undefined && indexer.leadingTo(id).length > 0) return false
    const plugged = old === undefined ? [] : this.bench.pluggedNow(old)
    // Neutron tells only now what was plugged and is unplugged again: that takes the whole history.
    if (before === undefined && (index.past.has(id) || (old !== undefined && this.bench.wasPlugged(old)))) return false
    const isReadAgain = (item: number) => hosts.includes(parts.hosts[parts.interfaces.host(item)]!.name)
    if (after === undefined && !plugged.every(isReadAgain)) return false
    if (after !== undefined && !this.routing.attach(after)) return false
    if (old !== undefined && before !== undefined) {
      this.end(id, old, toMs)
      if (after === undefined || !sameLeg(before, after)) this.routing.detach(before)
    }
    parts.edited.ports++
    if (after === undefined) return true
    const trunk = indexer.trunks.get(id)
    const endpoint = indexer.add(after, trunk?.parent, undefined, { fromMs, toMs: FOREVER })
    this.enter(id, old, endpoint)
    if (trunk !== undefined) this.tie(trunk.parent, trunk.vlan, endpoint)

    this.replug(plugged, endpoint, before === undefined ? undefined : fromMs, toMs)
    if (old !== undefined && before === undefined) this.bench.closeEndpoint(old, parts.endpoints.fromMs[old]!)
    return true
  }

  floating(before: FloatingIp | undefined, after: FloatingIp | undefined, fromMs: number, toMs: number): boolean {
    const { indexer, parts } = this.bench.laid
    const { byFloating } = parts.tables
    // To a port that is not known yet.
    if (after !== undefined && after.port_id !== '' && indexer.index.byId.get(after.port_id) === 0) return false
    if (before !== undefined) {
      indexer.unlead(before)
      for (const key of indexer.floatingKeys(before)) {
        const port = indexer.index.byId.get(before.port_id)
        // One that leads nowhere is an end of its own, which no other is at that address.
        const ends = port === 0 ? byFloating.allNow(key) : [port]
        for (const end of ends)
          if (port !== 0 || parts.endpoints.kind(end) === KIND.floating) byFloating.close(key, end, toMs)
      }
    }
    if (after !== undefined) {
      indexer.addFloating(after, { fromMs, toMs: FOREVER })
      indexer.lead(after)
      this.bench.seeEndpoints()
    }
    return true
  }

  /** A port that becomes a subport of a trunk at a time, or does not belong to one any more. */
  subport({ port, parent, vlan }: TrunkEdit, atMs: number): boolean {
    const { indexer, parts } = this.bench.laid
    const { index } = indexer
    const old = index.byId.get(port.id)
    if (old === 0 || index.subports.has(old)) return false
    if (parent !== undefined && index.byId.get(parent.id) === 0) return false
    const plugged = this.bench.pluggedNow(old)
    this.end(port.id, old, atMs)
    parts.edited.ports++
    const endpoint = indexer.add(port, parent, undefined, { fromMs: atMs, toMs: FOREVER })
    this.enter(port.id, old, endpoint)
    if (parent === undefined) indexer.trunks.delete(port.id)
    else {
      indexer.trunks.set(port.id, { parent, vlan })
      this.tie(parent, vlan, endpoint)
    }
    this.replug(plugged, endpoint, atMs, atMs)
    return true
  }

  /** Ties a subport to its trunk's port. */
  private tie(parent: Port, vlan: number | undefined, endpoint: number): void {
    const { indexer, parts } = this.bench.laid
    for (const of of indexer.addSubport(parent.id, vlan, endpoint)) {
      parts.endpoints.change(of, { trunk: true })
      this.bench.tell({ of: 'subport', parent: of, endpoint })
      if (parts.endpoints.reportsKnown(of)) parts.endpoints.replaceReports(endpoint, parts.endpoints.reports(of))
    }
  }

  /** A port as it was ends. */
  private end(id: string, old: number, toMs: number): void {
    const { indexer, parts } = this.bench.laid
    const { past, byId } = indexer.index
    this.bench.closeEndpoint(old, toMs)
    past.set(id, [...(past.get(id) ?? []), { endpoint: old, fromMs: parts.endpoints.fromMs[old]!, toMs }])
    byId.delete(id)
    for (const floating of indexer.leadingTo(id))
      for (const key of indexer.floatingKeys(floating)) parts.tables.byFloating.close(key, old, toMs)
  }

  /** A port is another endpoint from now on. */
  private enter(id: string, old: number | undefined, endpoint: number): void {
    const { indexer, parts } = this.bench.laid
    const { byId, prefixes, pairRanges } = indexer.index
    byId.set(id, endpoint)
    if (old === undefined) prefixes.add(id, endpoint)
    else prefixes.replace(id, endpoint)
    parts.edited.onPrefix?.(id, endpoint, old === undefined)
    const ranges = pairRanges.get(endpoint)
    if (ranges !== undefined) parts.edited.onRanges?.(endpoint, ranges)
    const span = { fromMs: parts.endpoints.fromMs[endpoint]!, toMs: FOREVER }
    for (const floating of indexer.leadingTo(id))
      for (const key of indexer.floatingKeys(floating)) parts.tables.byFloating.add(key, endpoint, span)
    this.bench.seeEndpoints()
    const host = parts.hosts[parts.endpoints.host(endpoint)]!
    if (host.ovs && !indexer.index.direct.has(endpoint)) parts.endpoints.addReports(endpoint, host.reports)
    else if (indexer.index.direct.has(endpoint)) parts.endpoints.replaceReports(endpoint, 0)
  }

  /** What is plugged is the other endpoint's from `fromMs` on, or has been all along. */
  private replug(plugged: readonly number[], endpoint: number, fromMs: number | undefined, toMs: number): void {
    const { devices, parts } = this.bench.laid
    const { endpoints } = parts
    for (const item of plugged) {
      const facts = devices.interfaces.facts(item)
      // What OVSDB alone told is replaced from its beginning; what Neutron told before, from the change.
      const beginsMs = fromMs === undefined ? facts.fromMs : Math.max(facts.fromMs, fromMs)
      this.bench.closeInterface(item, fromMs === undefined ? beginsMs : toMs)
      const kind = kindOfPort(endpoints.kind(endpoint), facts.name)
      const network = endpoints.network(endpoint) || facts.network
      devices.register({ ...facts, kind, endpoint, network, fromMs: beginsMs, toMs: FOREVER })
      const host = parts.hosts[facts.host]!
      if (IF_KIND[kind] === IF_KIND.router && !host.routers) this.bench.putHost(facts.host, { ...host, routers: true })
    }
    this.bench.seeInterfaces()
  }
}

function sameLeg(a: Port, b: Port): boolean {
  return a.device_owner === b.device_owner && a.device_id === b.device_id && a.network_id === b.network_id
}
