/**
 * Changes a laid-out model in small: what is new is added behind what is there, what has ended is closed, and a snapshot that
 * shares all the rest is published. Whatever touches more than ports, their servers, floating IPs, plugged interfaces, and projects and
 * tenants' networks that are new (routers, trunks, exports of a bridge, tunnels) is refused: then the model is laid out anew.
 *
 * A snapshot published before shares the memory too, and must not be used after the next one is.
 */
import { parseCidr } from '../addresses.ts'
import type { FloatingIp, Network, Port, Project, Server, Subnet } from '../cloud.ts'
import { IdTable } from '../ids.ts'
import type { OvsBridge, OvsHost, OvsInterface, OvsPort } from '../sources/ovsdb/host.ts'
import type { CloudModel } from '../cloud.ts'
import type { History } from '../history.ts'
import { addHostKeys, layOut, VNI_TYPES, type LaidOut } from './build.ts'
import { TEXTS } from './endpoints.ts'
import { addNetwork } from './networks.ts'
import { IdentitySnapshot } from './snapshot.ts'
import type { Slices } from './slices.ts'
import type { Span } from './timed.ts'
import { IF_KIND } from './vantage.ts'

/** One interface with where it is. */
export interface Plugged {
  bridge: OvsBridge
  port: OvsPort
  item: OvsInterface
}

/** A change that the editor may make. Times: until when the old holds, from when the new does. */
export type Edit = { fromMs: number; toMs: number } & (
  | { kind: 'port'; before: Port | undefined; after: Port | undefined }
  | { kind: 'floating'; before: FloatingIp | undefined; after: FloatingIp | undefined }
  | { kind: 'server'; server: Server }
  | { kind: 'project'; project: Project }
  | { kind: 'network'; network: Network }
  | { kind: 'subnet'; subnet: Subnet }
  | { kind: 'interface'; host: string; before: Plugged | undefined; after: Plugged | undefined; now: OvsHost }
)

/** Room for changes, beside a tenth of the model. */
const SPARE = 4_096
const SERVER_ID = TEXTS.indexOf('server_id')
const SERVER = TEXTS.indexOf('server')
const FOREVER = Number.MAX_VALUE
/** Ports that are nothing but an end: all others say something about routing. */
const PLAIN_OWNER = /^(compute:.*|network:dhcp|network:distributed|)$/

export class SnapshotEditor {
  private readonly laid: LaidOut
  private timed: boolean
  /** Endpoints and interfaces that were looked at after they were added. */
  private endpointsSeen: number
  private interfacesSeen: number
  /** Server id → its last endpoint, and endpoint → the one of the same server before it. */
  private ofServer: IdTable | undefined
  private readonly sameServer: Int32Array
  private serversSeen = 0

  private constructor(laid: LaidOut) {
    this.laid = laid
    this.timed = laid.parts.timed
    this.endpointsSeen = laid.parts.endpoints.count
    this.interfacesSeen = laid.parts.interfaces.count
    this.sameServer = new Int32Array(laid.parts.endpoints.room)
  }

  /** Lays a model out, a slice at a time. Nothing of it may change meanwhile. */
  static *of(cloud: CloudModel, asOfMs: number, history: History): Slices<SnapshotEditor> {
    const laid = yield* layOut(cloud, asOfMs, history, SPARE + Math.ceil(cloud.ports.length / 10))
    const { strange } = laid.indexer.index
    const named = [...cloud.subnets, ...cloud.segments].map(({ network_id }) => network_id)
    for (const id of [...named, ...(cloud.tunnelKeys?.values() ?? [])])
      if (!laid.topology.networkIndex.has(id)) strange.add(id)
    return new SnapshotEditor(laid)
  }

  publish(asOfMs: number): IdentitySnapshot {
    const { tables } = this.laid.parts
    this.timed ||= tables.byVlan.timed || tables.byFloating.timed
    return new IdentitySnapshot({ ...this.laid.parts, asOfMs, timed: this.timed })
  }

  /** Makes the change; false when it cannot, and then the model has to be laid out anew. */
  apply(edit: Edit): boolean {
    const { endpoints, interfaces } = this.laid.parts
    if (endpoints.free < 64 || interfaces.free < 64) return false
    switch (edit.kind) {
      case 'port':
        return this.port(edit.before, edit.after, edit.fromMs, edit.toMs)
      case 'floating':
        return this.floating(edit.before, edit.after, edit.fromMs, edit.toMs)
      case 'server':
        return this.server(edit.server)
      case 'project':
        return this.laid.indexer.index.names.addProject(edit.project)
      case 'network':
        return this.network(edit.network)
      case 'subnet':
        return this.subnet(edit.subnet)
      case 'interface':
        return this.interface(edit.host, edit.before, edit.after, edit.now, edit)
      default:
        return false
    }
  }

  private port(before: Port | undefined, after: Port | undefined, fromMs: number, toMs: number): boolean {
    const { indexer, devices, parts } = this.laid
    const { index } = indexer
    if (![before, after].every((port) => port === undefined || PLAIN_OWNER.test(port.device_owner))) return false
    const id = (after ?? before)!.id
    const old = index.byId.get(id) || undefined
    if (old !== undefined && (index.parents.has(old) || index.subports.has(old))) return false
    // Its floating IPs and what is plugged move to the new endpoint.
    if (old !== undefined && parts.tables.byFloating.leadsTo(old)) return false
    const plugged = old === undefined ? [] : this.pluggedNow(old)
    // Neutron tells only now what was plugged and is unplugged again: that takes the whole history.
    if (before === undefined && (index.past.has(id) || (old !== undefined && this.wasPlugged(old)))) return false
    // What is plugged after its port is gone is something that OVSDB alone knows.
    if (after === undefined && plugged.length > 0) return false
    if (old !== undefined && before !== undefined) {
      this.closeEndpoint(old, toMs)
      const versions = index.past.get(id) ?? []
      versions.push({ endpoint: old, fromMs: parts.endpoints.fromMs[old]!, toMs })
      index.past.set(id, versions)
      index.byId.delete(id)
    }
    parts.edited.ports++
    if (after === undefined) return true
    const endpoint = indexer.add(after, undefined, undefined, { fromMs, toMs: FOREVER })
    index.byId.set(id, endpoint)
    if (old === undefined) index.prefixes.add(id, endpoint)
    else index.prefixes.replace(id, endpoint)
    parts.edited.onPrefix?.(id, endpoint, old === undefined)
    const ranges = index.pairRanges.get(endpoint)
    if (ranges !== undefined) parts.edited.onRanges?.(endpoint, ranges)
    this.seeEndpoints()
    const host = parts.endpoints.host(endpoint)
    if (parts.hosts[host]!.ovs) parts.endpoints.addReports(endpoint, parts.hosts[host]!.reports)
    for (const item of plugged) {
      const facts = devices.interfaces.facts(item)
      // What OVSDB alone told is replaced from its beginning; what Neutron told before, from the change.
      const beginsMs = before === undefined ? facts.fromMs : Math.max(facts.fromMs, fromMs)
      this.closeInterface(item, before === undefined ? beginsMs : toMs)
      devices.register({
        ...facts,
        kind: after.device_owner.startsWith('network:') ? 'dhcp' : 'port',
        endpoint,
        network: index.endpoints.network(endpoint) || facts.network,
        fromMs: beginsMs,
        toMs: FOREVER,
      })
    }
    if (old !== undefined && before === undefined) this.closeEndpoint(old, parts.endpoints.fromMs[old]!)
    this.seeInterfaces()
    return true
  }

  private floating(
    before: FloatingIp | undefined,
    after: FloatingIp | undefined,
    fromMs: number,
    toMs: number,
  ): boolean {
    const { indexer, parts } = this.laid
    const { tables } = parts
    for (const one of [before, after])
      if (one !== undefined && (one.port_id === '' || indexer.index.byId.get(one.port_id) === 0)) return false
    if (before !== undefined)
      for (const key of indexer.floatingKeys(before))
        tables.byFloating.close(key, indexer.index.byId.get(before.port_id), toMs)
    if (after !== undefined) indexer.addFloating(after, { fromMs, toMs: FOREVER })
    return true
  }

  private server(server: Server): boolean {
    const { indexer, parts } = this.laid
    indexer.index.names.addServer(server)
    for (const endpoint of this.endpointsOfServer(server.id))
      parts.endpoints.setText(endpoint, SERVER, server.name || server.id)
    return true
  }

  /** A network that nothing names yet, whose frames travel in tunnels only: no bridge has to be looked at for it. */
  private network(network: Network): boolean {
    const { topology, routerPorts, indexer, parts } = this.laid
    const vni = VNI_TYPES.indexOf(network['provider:network_type'] as (typeof VNI_TYPES)[number])
    const segment = network['provider:segmentation_id']
    if (network['router:external'] || network.segments.length > 0 || vni < 0 || segment === undefined) return false
    if (topology.networkIndex.has(network.id) || indexer.index.strange.has(network.id)) return false
    if (topology.networks.length === parts.legReported.length) return false
    const number = addNetwork(topology, network)
    routerPorts.push([])
    parts.edited.onNetwork?.(number, network.id, topology.networks[number]!)
    parts.tables.byVni.add([vni, segment], number)
    return true
  }

  /** A range more of a network. */
  private subnet(subnet: Subnet): boolean {
    const { topology, parts } = this.laid
    const number = topology.networkIndex.get(subnet.network_id)
    const range = parseCidr(subnet.cidr)
    if (number === undefined || range === undefined) return false
    const network = topology.networks[number]!
    topology.networks[number] = { ...network, ranges: [...network.ranges, range] }
    parts.edited.onNetwork?.(number, network.id, topology.networks[number])
    return true
  }

  /** Endpoints of a server, by an index of all servers that is made when it is first needed. */
  private endpointsOfServer(id: string): number[] {
    const { endpoints } = this.laid.parts
    this.ofServer ??= new IdTable(endpoints.room)
    for (; this.serversSeen < endpoints.count; this.serversSeen++) {
      const server = endpoints.text(this.serversSeen, SERVER_ID)
      if (server === '') continue
      this.sameServer[this.serversSeen] = this.ofServer.get(server)
      this.ofServer.set(server, this.serversSeen)
    }
    const found: number[] = []
    for (let endpoint = this.ofServer.get(id); endpoint !== 0; endpoint = this.sameServer[endpoint] ?? 0)
      found.push(endpoint)
    return found
  }

  private interface(
    name: string,
    before: Plugged | undefined,
    after: Plugged | undefined,
    now: OvsHost,
    { fromMs, toMs }: Span,
  ): boolean {
    const { devices, hostIndex, parts } = this.laid
    const host = hostIndex.get(name)
    if (host === undefined || !parts.hosts[host]!.ovs) return false
    for (const plugged of [before, after]) if (plugged !== undefined && !isPlain(plugged)) return false
    if (before !== undefined) {
      const bridge = this.bridgeOf(host, before.bridge.name)
      const { interfaces } = parts
      for (let item = interfaces.named(host, before.item.name); item !== 0; item = interfaces.namedBefore(item)) {
        if (interfaces.bridge(item) !== bridge || interfaces.toMs[item] !== FOREVER) continue
        this.closeInterface(item, toMs)
        if (before.port.tag !== undefined && !tagUsed(now, before))
          parts.tables.byVlan.close([bridge, before.port.tag], interfaces.network(item), toMs)
      }
    }
    if (after === undefined) return true
    const bridge = this.bridgeOf(host, after.bridge.name)
    if (bridge === 0) return false
    const span = { fromMs, toMs: FOREVER }
    const first = parts.interfaces.count
    devices.addInterface(host, bridge, after.bridge, after.port, after.item, false, span)
    for (let item = first; item < parts.interfaces.count; item++) {
      const kind = parts.interfaces.kind(item)
      if (kind === IF_KIND.router || kind === IF_KIND.gateway) return false
      devices.addVlan(bridge, after.port.tag, item)
    }
    this.seeEndpoints()
    this.seeInterfaces()
    return true
  }

  private bridgeOf(host: number, name: string): number {
    const { devices } = this.laid
    return devices.bridgesOf[host]!.find((bridge) => devices.bridges[bridge]!.name === name) ?? 0
  }

  /** Interfaces by which it is plugged now, in the order in which they came. */
  private pluggedNow(endpoint: number): number[] {
    const { toMs } = this.laid.parts.interfaces
    return this.plugsOf(endpoint).filter((item) => toMs[item] === FOREVER)
  }

  private wasPlugged(endpoint: number): boolean {
    const { toMs } = this.laid.parts.interfaces
    return this.plugsOf(endpoint).some((item) => toMs[item] !== FOREVER)
  }

  private plugsOf(endpoint: number): number[] {
    const { endpoints, interfaces } = this.laid.parts
    const found: number[] = []
    for (let item = endpoints.lastPlug(endpoint); item !== 0; item = interfaces.pluggedBefore(item)) found.push(item)
    return found.toReversed()
  }

  private closeEndpoint(endpoint: number, toMs: number): void {
    this.laid.parts.endpoints.end(endpoint, toMs)
    this.timed = true
  }

  private closeInterface(item: number, toMs: number): void {
    this.laid.parts.interfaces.end(item, toMs)
    this.timed = true
  }

  /** What was added since. */
  private seeEndpoints(): void {
    const { endpoints } = this.laid.parts
    for (; this.endpointsSeen < endpoints.count; this.endpointsSeen++)
      if (endpoints.fromMs[this.endpointsSeen]! > 0) this.timed = true
  }

  private seeInterfaces(): void {
    const { interfaces, endpoints, tables, edited } = this.laid.parts
    for (; this.interfacesSeen < interfaces.count; this.interfacesSeen++) {
      const item = this.interfacesSeen
      const host = interfaces.host(item)
      const endpoint = interfaces.endpoint(item)
      if (interfaces.fromMs[item]! > 0) this.timed = true
      edited.hosts.push(host)
      addHostKeys(tables, endpoints, interfaces, item)
      if (endpoints.host(endpoint) === host) endpoints.addReports(endpoint, interfaces.reports(item))
    }
  }
}

/** A device of a port, and no tunnel, patch, mirror output or router's leg. */
function isPlain({ bridge, port, item }: Plugged): boolean {
  if (
    !item.externalIds.has('iface-id') ||
    (item.type !== '' && !/^(internal|dpdkvhostuser(client)?|tap)$/.test(item.type))
  )
    return false
  if (/^(qr-|sg-|ha-|qg-|fg-)/.test(item.name)) return false
  return port.tag !== 0 && !bridge.mirrors.length
}

/** Whether another port of the bridge still has the local VLAN. */
function tagUsed(host: OvsHost, { bridge, port }: Plugged): boolean {
  const now = host.bridges.find((one) => one.name === bridge.name)
  const network = port.otherConfig.get('net_uuid')
  return now?.ports.some((one) => one.tag === port.tag && one.otherConfig.get('net_uuid') === network) ?? false
}
