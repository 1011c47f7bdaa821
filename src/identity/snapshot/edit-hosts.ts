/** Hosts of a laid-out model, changed in place: interfaces plugged and unplugged, or all that a host's OVSDB says read again. */
import { parseIp } from '../addresses.ts'
import type { HostHistory } from '../history.ts'
import type { OvsBridge, OvsHost, OvsInterface, OvsPort } from '../sources/ovsdb/host.ts'
import { hostOf, hostsWithRouters, serverBridgeReports, tunnelAddresses } from './build.ts'
import type { Span } from './timed.ts'
import { IF_KIND } from './vantage.ts'
import { FOREVER, type Workbench } from './workbench.ts'

/** One interface with where it is. */
export interface Plugged {
  bridge: OvsBridge
  port: OvsPort
  item: OvsInterface
}

export class HostEditor {
  private readonly bench: Workbench

  constructor(bench: Workbench) {
    this.bench = bench
  }

  /** One interface. What is more than a port's device takes reading the host again. */
  interface(
    name: string,
    before: Plugged | undefined,
    after: Plugged | undefined,
    now: OvsHost,
    { fromMs, toMs }: Span,
  ): boolean {
    const { devices, hostIndex, parts } = this.bench.laid
    const host = hostIndex.get(name)
    if (host === undefined || !parts.hosts[host]!.ovs) return false
    if (before !== undefined) {
      const bridge = this.bridgeOf(host, before.bridge.name)
      const { interfaces } = parts
      for (let item = interfaces.named(host, before.item.name); item !== 0; item = interfaces.namedBefore(item)) {
        if (interfaces.bridge(item) !== bridge || interfaces.toMs[item] !== FOREVER) continue
        this.bench.closeInterface(item, toMs)
        if (before.port.tag !== undefined && !tagUsed(now, before))
          parts.tables.byVlan.close([bridge, before.port.tag], interfaces.network(item), toMs)
      }
    }
    if (after === undefined) return true
    const bridge = this.bridgeOf(host, after.bridge.name)
    if (bridge === 0) return false
    const first = parts.interfaces.count
    devices.addInterface(host, bridge, after.bridge, after.port, after.item, false, { fromMs, toMs: FOREVER })
    for (let item = first; item < parts.interfaces.count; item++) {
      devices.addVlan(bridge, after.port.tag, item)
      if (parts.interfaces.kind(item) === IF_KIND.router && !parts.hosts[host]!.routers)
        this.bench.putHost(host, { ...parts.hosts[host]!, routers: true })
    }
    this.bench.seeEndpoints()
    this.bench.seeInterfaces()
    return true
  }

  /** All of a host: its bridges and interfaces take the place of those that it had, with their times. */
  host(name: string, before: OvsHost | undefined, now: OvsHost, history: HostHistory): boolean {
    const { devices, parts, hostIndex, physnets } = this.bench.laid
    // Nobody else may be known by the name that its OVSDB gives it.
    if (now.hostname !== '' && (hostIndex.get(now.hostname) ?? hostIndex.get(name)) !== hostIndex.get(name))
      return false
    const mostItems = now.bridges.reduce((sum, { ports }) => sum + ports.length, 0) + history.past.length
    if (parts.interfaces.free < 2 * mostItems + 64 || parts.endpoints.free < mostItems + 64) return false
    const host = hostIndex.get(name) ?? this.addHost(name)
    if (now.hostname !== '') hostIndex.set(now.hostname, host)
    if (!this.claim(host, before, now)) return false
    const first = parts.interfaces.count
    const bridges = devices.bridges.length
    const mirrors = devices.mirrors.length
    devices.replace(host, now, physnets(name, now), history)
    parts.bridges = [...devices.bridges]
    for (let number = bridges; number < devices.bridges.length; number++)
      this.bench.tell({ of: 'bridge', number, bridge: devices.bridges[number]! })
    parts.mirrors = [...devices.mirrors]
    for (let number = mirrors; number < devices.mirrors.length; number++)
      this.bench.tell({ of: 'mirror', number, mirror: devices.mirrors[number]! })
    this.moveHere(host, name, first)
    const routers = hostsWithRouters(parts.interfaces, host + 1, first)[host] === 1
    const reports = serverBridgeReports(parts.interfaces, host + 1, first)[host]!
    const { endpoint } = parts.hosts[host]!
    this.bench.putHost(host, hostOf(host, name, endpoint, now, devices, routers, reports))
    // Interfaces that never held are among those that others replaced.
    this.bench.timed = true
    this.bench.seeEndpoints()
    this.bench.seeInterfaces()
    this.bench.seeHost(host)
    return true
  }

  /** A host of which only its OVSDB tells. */
  private addHost(name: string): number {
    const { devices, parts, hostIndex, indexer } = this.bench.laid
    const host = devices.addHost(name)
    hostIndex.set(name, host)
    const endpoint = indexer.index.endpoints.append({ kind: 'infrastructure', host, texts: { host: name } })
    this.bench.putHost(host, hostOf(host, name, endpoint, undefined, devices, false, 0))
    parts.edited.hosts.push(host)
    return host
  }

  /** Addresses of its tunnels. The first host to claim one keeps it; one that is given up may be another's. */
  private claim(host: number, before: OvsHost | undefined, now: OvsHost): boolean {
    const { hostByAddress } = this.bench.laid.parts.tables
    const addresses = new Set(tunnelAddresses(now))
    if (before !== undefined) for (const address of tunnelAddresses(before)) if (!addresses.has(address)) return false
    for (const address of addresses) {
      const lanes = address === undefined || address === '' ? undefined : parseIp(address)
      if (lanes === undefined) continue
      const [a0, a1, a2, a3] = lanes
      if (hostByAddress.get5(0, a0 | 0, a1 | 0, a2 | 0, a3 | 0) === 0)
        hostByAddress.add5(0, a0 | 0, a1 | 0, a2 | 0, a3 | 0, host)
    }
    return true
  }

  /** Ports that no source places are where they are plugged. */
  private moveHere(host: number, name: string, first: number): void {
    const { interfaces, endpoints } = this.bench.laid.parts
    for (let item = first; item < interfaces.count; item++) {
      const endpoint = interfaces.endpoint(item)
      if (endpoint !== 0 && endpoints.host(endpoint) === 0 && interfaces.toMs[item] === FOREVER)
        endpoints.change(endpoint, { host, hostName: name })
    }
  }

  private bridgeOf(host: number, name: string): number {
    const { devices } = this.bench.laid
    return devices.bridgesOf[host]!.find((bridge) => devices.bridges[bridge]!.name === name) ?? 0
  }
}

/** A port's device that stands for itself, and no tunnel, patch, mirror output or untagged router's leg. */
export function isPlain({ bridge, port, item }: Plugged): boolean {
  if (
    !item.externalIds.has('iface-id') ||
    (item.type !== '' && !/^(internal|dpdkvhostuser(client)?|tap)$/.test(item.type))
  )
    return false
  if (/^(qr-|sg-|ha-|qg-|fg-)/.test(item.name) && (port.tag === undefined || port.tag === 0)) return false
  return port.tag !== 0 && !bridge.mirrors.length
}

/** Whether another port of the bridge still has the local VLAN. */
function tagUsed(host: OvsHost, { bridge, port }: Plugged): boolean {
  const now = host.bridges.find((one) => one.name === bridge.name)
  const network = port.otherConfig.get('net_uuid')
  return now?.ports.some((one) => one.tag === port.tag && one.otherConfig.get('net_uuid') === network) ?? false
}
