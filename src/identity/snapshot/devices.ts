/**
 * Bridges and interfaces of the hosts' OVSDBs → what each interface is, whose it is, and what reports its traffic.
 */
import type { OvsBridge, OvsHost, OvsInterface, OvsMirror, OvsPort } from '../sources/ovsdb/host.ts'
import { interfaceKey, spanSince, type History, type HostHistory, type PastInterface } from '../history.ts'
import { parseIp, parseMac, type Lanes } from '../addresses.ts'
import { Chains } from './chains.ts'
import { KIND } from './endpoints.ts'
import type { Topology } from './networks.ts'
import type { PortIndex } from './ports.ts'
import type { Tables } from './snapshot.ts'
import { ALWAYS, overlap, type Span } from './timed.ts'
import { Interfaces, REPORTS, type Bridge, type InterfaceFacts, type InterfaceKind, type Mirror } from './vantage.ts'

/** An IPv6 header is this much longer than an IPv4 one. */
const IPV6_MORE = 20
/** Bytes an outer header adds to a frame over IPv4, by Interface.type. GRE's optional words: see `greOptions`. */
const OVERHEAD: Readonly<Record<string, number>> = {
  vxlan: 14 + 20 + 8 + 8,
  geneve: 14 + 20 + 8 + 8,
  gre: 14 + 20 + 4,
  erspan: 14 + 20 + 8 + 8,
  stt: 14 + 20 + 20 + 18,
}
/** ERSPAN type III has a word more than type II. */
const ERSPAN_3_MORE = 4
/** Checksum, key and sequence number of GRE. */
const GRE_WORD = 4
/** `remote_ip` of a tunnel whose other end the OpenFlow flows choose (OVN, collect_metadata). */
const FLOW_BASED = 'flow'
const MAPPED = 0xffff0000
const TUNNEL = /^(vxlan|gre|ip6gre|geneve|erspan|ip6erspan|stt|lisp|gtpu|bareudp|srv6)$/
const DEVICE_NAME = /^(?:tap|qvo|vhu|qr-|qg-|sg-|fg-|ha-)([0-9a-f]{8}-[0-9a-f]{2})$/
const DEAD_VLAN = 4095
const LOCAL_OFPORT = 65534

export const NO_BRIDGE: Bridge = { name: '', host: 0, userspace: false, netflow: undefined, ipfix: undefined }
export const NO_MIRROR: Mirror = {
  name: '',
  host: 0,
  bridge: 0,
  key: 0,
  output: 0,
  overhead: 0,
  selectAll: false,
  source: new Set(),
  destination: new Set(),
  only: 0,
}

const NO_PAST: readonly PastInterface[] = []
/** Of a host without tunnels; never added to. */
const NO_TUNNELS = new Map<number, number>()
const NO_OUTPUTS: ReadonlySet<string> = new Set()

/** All devices of all hosts; index 0 of each list stands for "not known". */
export class Devices {
  readonly interfaces: Interfaces
  readonly bridges: Bridge[] = [NO_BRIDGE]
  readonly mirrors: Mirror[] = [NO_MIRROR]
  /** By host: bridges, mirrors, tunnels to other hosts. */
  readonly bridgesOf: number[][] = []
  readonly mirrorsOf: number[][] = []
  readonly tunnelsOf: Map<number, number>[] = []
  private readonly topology: Topology
  private readonly ports: PortIndex
  private readonly tables: Tables
  private readonly history: History
  private readonly past = new Map<string, PastInterface[]>()
  private readonly hostNames: string[]
  /** Interfaces by host, once one is replaced. */
  private onHost: Chains | undefined

  /** `expected` is how many interfaces there will be, about. */
  constructor(
    hostNames: string[],
    topology: Topology,
    ports: PortIndex,
    tables: Tables,
    history: History,
    expected = 0,
  ) {
    this.interfaces = Interfaces.withRoom(expected)
    this.history = history
    for (const was of history.interfaces) this.past.set(was.host, [...(this.past.get(was.host) ?? []), was])
    this.hostNames = hostNames
    this.topology = topology
    this.ports = ports
    this.tables = tables
    for (let host = 0; host < hostNames.length; host++) this.clear(host)
  }

  /** A host more; its number. */
  addHost(name: string): number {
    const host = this.hostNames.push(name) - 1
    this.clear(host)
    return host
  }

  /** Adds a host's bridges in the place of those that it had: the interfaces of these never held. */
  replace(host: number, ovs: OvsHost, physnets: ReadonlyMap<string, string>, history: HostHistory): void {
    const { interfaces } = this
    this.onHost ??= new Chains(interfaces.room, (item) => interfaces.host(item))
    for (const item of this.onHost.of(host, interfaces.count)) if (!interfaces.isVoid(item)) interfaces.void(item)
    this.clear(host)
    this.add(host, ovs, physnets, history)
  }

  private clear(host: number): void {
    this.bridgesOf[host] = []
    this.mirrorsOf[host] = []
    this.tunnelsOf[host] = NO_TUNNELS
  }

  /** Adds a host's bridges. `physnets` names the physical network of a bridge. */
  add(host: number, ovs: OvsHost, physnets: ReadonlyMap<string, string>, history = this.historyOf(host)): void {
    const name = this.hostNames[host]!
    const { interfaces } = this
    const { past } = history
    for (const bridge of withPast(ovs.bridges, past)) {
      const index = this.bridges.push(readBridge(host, bridge)) - 1
      this.bridgesOf[host]!.push(index)
      const { mirrors } = bridge
      const outputs = mirrors.length === 0 ? NO_OUTPUTS : new Set(mirrors.map((mirror) => mirror.outputPort))
      for (const was of past) {
        if (was.bridge.name !== bridge.name) continue
        const first = interfaces.count
        this.addInterface(host, index, was.bridge, was.port, was.item, outputs.has(was.port.name), was)
        for (let item = first; item < interfaces.count; item++) this.addVlan(index, was.port.tag, item)
      }
      const byPort = new Map<string, number[]>()
      const untagged = new Untagged()
      for (const port of bridge.ports) {
        const output = outputs.has(port.name)
        const first = interfaces.count
        for (const item of port.interfaces) {
          const since =
            history.since.size === 0 ? ALWAYS : spanSince(history, interfaceKey(name, bridge.name, item.name))
          this.addInterface(host, index, bridge, port, item, output, since)
        }
        if (mirrors.length > 0) byPort.set(port.name, range(first, interfaces.count))
        this.addVlans(index, port.tag, first, untagged)
      }
      this.addBridgeVlans(index, bridge.name, untagged.only, physnets)
      for (const mirror of mirrors) this.addMirror(host, index, bridge, mirror, byPort)
    }
  }

  private historyOf(host: number): HostHistory {
    return { past: this.past.get(this.hostNames[host]!) ?? NO_PAST, since: this.history.since }
  }

  /** Adds one interface, once for each thing that its port was in the span: those from `interfaces.count` on. */
  addInterface(
    host: number,
    bridge: number,
    row: OvsBridge,
    port: OvsPort,
    item: OvsInterface,
    output: boolean,
    span: Span,
  ): void {
    const id = item.externalIds.get('iface-id')
    const endpoint = this.endpointOf(host, id, port, item)
    const past = id === undefined ? undefined : this.ports.past.get(id)
    if (past === undefined) {
      this.addVersion(host, bridge, row, port, item, output, endpoint, span)
      return
    }
    // A port that changed while it was plugged was several things, one after the other. The interface is proof that the port was
    // there: one version follows the other without a gap.
    let fromMs = 0
    for (const version of [...past, { endpoint, toMs: Number.MAX_VALUE }]) {
      const held = overlap({ fromMs, toMs: version.toMs }, span)
      if (held !== undefined) this.addVersion(host, bridge, row, port, item, output, version.endpoint, held)
      fromMs = version.toMs
    }
  }

  private addVersion(
    host: number,
    bridge: number,
    row: OvsBridge,
    port: OvsPort,
    item: OvsInterface,
    output: boolean,
    endpoint: number,
    span: Span,
  ): void {
    const kind = this.kindOf(row, item, endpoint, output)
    const remoteIp = kind === 'tunnel' ? (item.options.get('remote_ip') ?? '') : ''
    const remote = remoteIp === '' ? undefined : parseIp(remoteIp)
    const remoteHost = remote === undefined ? 0 : this.hostAt(remote)
    this.register({
      name: item.name,
      bridge,
      host,
      kind,
      endpoint: kind === 'patch' ? 0 : endpoint,
      network: this.ports.endpoints.network(endpoint) || this.networkOf(port),
      ofport: item.ofport ?? 0,
      ifIndex: item.ifIndex,
      remoteHost,
      overhead: remoteHost === 0 && remoteIp !== FLOW_BASED ? 0 : overheadOf(item, remote),
      reports: reportsOf(row),
      fromMs: span.fromMs,
      toMs: span.toMs,
    })
  }

  /** Gives an interface its number and its keys. */
  register(facts: InterfaceFacts): void {
    const { host, bridge, ofport, ifIndex, endpoint } = facts
    const index = this.interfaces.append(facts)
    if (ofport > 0 && ofport < 0x8000_0000) this.tables.byOfport.add2(bridge, ofport, index)
    if (ifIndex > 0) this.tables.byIfIndex.add2(host, ifIndex | 0, index)
    if (endpoint !== 0) this.interfaces.follow(index, this.ports.endpoints.plug(endpoint, index))
    if (facts.overhead === 0) return
    if (this.tunnelsOf[host] === NO_TUNNELS) this.tunnelsOf[host] = new Map()
    this.tunnelsOf[host]!.set(facts.remoteHost, facts.overhead)
  }

  /** What is plugged now, by `iface-id`; where a driver left none (a tap of a per-port bridge), by the device's name. */
  private endpointOf(host: number, id: string | undefined, port: OvsPort, item: OvsInterface): number {
    if (id !== undefined) return this.ports.byId.get(id) || this.addEndpoint(host, id, port, item)
    const [, prefix = ''] = DEVICE_NAME.exec(item.name) ?? []
    return this.ports.prefixes.get(prefix)
  }

  /**
   * A port that OVSDB knows before Neutron's list does (or without it): what its writer noted is enough to tell it apart.
   * os-vif writes `vm-uuid`, libvirt `vm-id`; routers' and DHCP's ports have neither.
   */
  private addEndpoint(host: number, id: string, port: OvsPort, item: OvsInterface): number {
    if (item.type === 'patch') return 0
    const server = item.externalIds.get('vm-uuid') ?? item.externalIds.get('vm-id') ?? ''
    const network = this.networkOf(port)
    const project = this.ports.names.serverProject(server)
    const mac = parseMac(item.externalIds.get('attached-mac') ?? '')
    const endpoint = this.ports.endpoints.append({
      kind: server !== '' ? 'server' : /^(qr-|sg-|ha-|qg-|fg-)/.test(item.name) ? 'router' : 'other',
      network,
      host,
      project: this.ports.names.projectNumber(project),
      server: this.ports.names.serverNumber(server),
      mac,
      provisional: true,
      texts: {
        project_id: project,
        project: this.ports.names.project(project),
        network_id: port.otherConfig.get('net_uuid') ?? '',
        network: this.topology.networks[network]!.name || (port.otherConfig.get('net_uuid') ?? ''),
        server_id: server,
        server: this.ports.names.server(server),
        port_id: id,
        port: id,
        host: this.hostNames[host]!,
      },
    })
    this.ports.byId.set(id, endpoint)
    if (mac !== undefined && network !== 0) this.tables.byNetworkMac.add3(network, mac.high | 0, mac.low | 0, endpoint)
    return endpoint
  }

  private kindOf(bridge: OvsBridge, item: OvsInterface, endpoint: number, output: boolean): InterfaceKind {
    if (output) return 'mirror_output'
    if (item.type === 'patch') return 'patch'
    if (item.type !== '' && TUNNEL.test(item.type)) return 'tunnel'
    if (endpoint !== 0) return kindOfPort(this.ports.endpoints.kind(endpoint), item.name)
    if (item.externalIds.has('iface-id')) return 'unknown'
    if (item.type === 'internal' || item.name === bridge.name || item.ofport === LOCAL_OFPORT) return 'local'
    return /^(tap|qvo|vhu)/.test(item.name) ? 'unknown' : 'uplink'
  }

  private networkOf(port: OvsPort): number {
    const id = port.otherConfig.get('net_uuid') ?? ''
    const network = this.topology.networkIndex.get(id)
    if (network === undefined && id !== '') this.ports.strange.add(id)
    return network ?? 0
  }

  private hostAt(lanes: readonly [number, number, number, number]): number {
    return Math.max(0, this.tables.hostByAddress.get5(0, lanes[0] | 0, lanes[1] | 0, lanes[2] | 0, lanes[3] | 0))
  }

  /**
   * Which network a VLAN is on this bridge: by the tags of its ports, by the provider networks of the bridge's physical
   * network, and untagged by the one network that all its ports are on (an external bridge with its routers' gateways).
   */
  private addVlans(bridge: number, tag: number | undefined, first: number, untagged: Untagged): void {
    const { interfaces } = this
    for (let item = first; item < interfaces.count; item++) {
      const network = interfaces.network(item)
      if (network === 0 || tag === DEAD_VLAN) continue
      if (tag === undefined || tag === 0) untagged.add(network)
      else this.addVlan(bridge, tag, item)
    }
  }

  private addBridgeVlans(bridge: number, name: string, untagged: number, physnets: ReadonlyMap<string, string>): void {
    if (untagged !== 0) this.tables.byVlan.add([bridge, 0], untagged, ALWAYS)
    const physnet = physnets.get(name)
    if (physnet === undefined) return
    for (const segment of this.segments.get(physnet) ?? [])
      this.tables.byVlan.add([bridge, segment.vlan], segment.network, ALWAYS)
  }

  /** The local VLAN of an interface leads to its network for as long as the interface holds. */
  addVlan(bridge: number, tag: number | undefined, item: number): void {
    const { interfaces } = this
    const network = interfaces.network(item)
    if (tag === undefined || tag === 0 || tag === DEAD_VLAN || network === 0) return
    const span = { fromMs: interfaces.fromMs[item]!, toMs: interfaces.toMs[item]! }
    this.tables.byVlan.add([bridge, tag], network, span)
  }

  /** Provider segments by physical network; set before hosts are added. */
  segments: ReadonlyMap<string, readonly { vlan: number; network: number }[]> = new Map()

  private addMirror(
    host: number,
    bridge: number,
    row: OvsBridge,
    mirror: OvsMirror,
    byPort: ReadonlyMap<string, readonly number[]>,
  ): void {
    const output = row.ports.find((port) => port.name === mirror.outputPort)?.interfaces[0]
    // Only a copy that leaves by a tunnel can arrive here.
    if (output === undefined || !TUNNEL.test(output.type)) return
    const select = (names: readonly string[]) => new Set(names.flatMap((name) => byPort.get(name) ?? []))
    const every = mirror.selectAll ? [...byPort.values()].flat() : []
    const source = new Set([...select(mirror.selectSource), ...every])
    const destination = new Set([...select(mirror.selectDestination), ...every])
    const selected = new Set([...source, ...destination])
    for (const index of source) this.interfaces.addReports(index, REPORTS.mirror_source)
    for (const index of destination) this.interfaces.addReports(index, REPORTS.mirror_destination)
    const key = output.options.get('out_key') ?? output.options.get('key') ?? ''
    this.mirrorsOf[host]!.push(
      this.mirrors.push({
        name: mirror.name,
        host,
        bridge,
        key: /^\d+$/.test(key) ? Number(key) : 0,
        output: byPort.get(mirror.outputPort)?.[0] ?? 0,
        overhead: overheadOf(output, parseIp(output.options.get('remote_ip') ?? '')),
        selectAll: mirror.selectAll,
        source,
        destination,
        only: selected.size === 1 ? [...selected][0]! : 0,
      }) - 1,
    )
  }
}

/** What an interface is by which a port is plugged. */
export function kindOfPort(kind: number, name: string): InterfaceKind {
  switch (kind) {
    case KIND.dhcp:
      return 'dhcp'
    case KIND.snat:
      return 'gateway'
    case KIND.router:
      return /^(qg-|fg-)/.test(name) ? 'gateway' : 'router'
    default:
      return 'port'
  }
}

/** The network of the ports without a tag, where all of them are on one. */
class Untagged {
  only = 0
  private several = false

  add(network: number): void {
    this.several ||= this.only !== 0 && this.only !== network
    this.only = this.several ? 0 : network
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}

/** The bridges, and those that only the past has. */
function withPast(bridges: readonly OvsBridge[], past: readonly PastInterface[]): readonly OvsBridge[] {
  if (past.length === 0) return bridges
  const names = new Set(bridges.map((bridge) => bridge.name))
  const gone = new Map(past.filter(({ bridge }) => !names.has(bridge.name)).map(({ bridge }) => [bridge.name, bridge]))
  return [...bridges, ...[...gone.values()].map((bridge) => ({ ...bridge, ports: [], mirrors: [] }))]
}

/** What a native tunnel adds to each packet (ovs lib/netdev-native-tnl.c, netdev_*_build_header); 0 for types not known. */
function overheadOf({ type, options }: OvsInterface, remote: Lanes | undefined): number {
  const kind = type.replace(/^ip6/, '')
  let overhead = OVERHEAD[kind] ?? 0
  if (overhead === 0) return 0
  if (kind === 'gre') overhead += greOptions(options)
  if (kind === 'erspan' && options.get('erspan_ver') === '2') overhead += ERSPAN_3_MORE
  return remote === undefined || remote[2] === MAPPED ? overhead : overhead + IPV6_MORE
}

function greOptions(options: ReadonlyMap<string, string>): number {
  const words = [
    options.get('csum') === 'true',
    options.has('out_key') || options.has('key'),
    options.get('seq') === 'true',
  ]
  return GRE_WORD * words.filter(Boolean).length
}

function reportsOf(bridge: OvsBridge): number {
  let reports = 0
  if (bridge.ipfix !== undefined && bridge.ipfix.targets.length > 0) {
    if (bridge.ipfix.inputSampling) reports |= REPORTS.ipfix_ingress
    if (bridge.ipfix.outputSampling) reports |= REPORTS.ipfix_egress
  }
  if (bridge.netflow !== undefined && bridge.netflow.targets.length > 0) reports |= REPORTS.netflow
  if (bridge.sflow !== undefined && bridge.sflow.targets.length > 0) reports |= REPORTS.sflow
  return reports
}

function readBridge(host: number, { name, datapathType, netflow, ipfix }: OvsBridge): Bridge {
  return {
    name,
    host,
    userspace: datapathType === 'netdev',
    netflow: netflow && {
      engineType: netflow.engineType ?? -1,
      engineId: netflow.engineId ?? -1,
      addId: netflow.addIdToInterface,
    },
    ipfix: ipfix && {
      domain: ipfix.observationDomain,
      point: ipfix.observationPoint,
      virtualObsId: ipfix.virtualObsId,
      rate: effectiveRate(ipfix.sampling),
    },
  }
}

/**
 * By what OVS multiplies the counts of a sampled packet: the rate becomes a 32-bit probability and is computed back from it
 * (ofproto-dpif-ipfix.c, dpif_ipfix_bridge_sample), so 1 in 100,000 is counted as 100,001.
 */
function effectiveRate(sampling: number): number {
  const rate = Math.max(1, Math.floor(sampling))
  return Math.floor(0xffffffff / Math.max(1, Math.floor(0xffffffff / rate)))
}
