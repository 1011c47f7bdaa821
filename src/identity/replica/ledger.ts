/**
 * Since when what is known holds, and what held before: filled with every change, asked when a snapshot is built.
 *
 * A thing begins when it changed, or when another thing had one of its keys before; one whose keys nobody else had began
 * before anybody asks, since a record of it can only be its own, and exporters' clocks are not ours. What changed while a source
 * could not be read changed at a time that nobody knows: both hold then, and what they share is ambiguous.
 */
import type { FloatingIp, Port, Server } from '../cloud.ts'
import {
  interfaceKey,
  type History,
  type HostHistory,
  type PastFloating,
  type PastInterface,
  type PastPort,
} from '../history.ts'
import type { Plugged } from '../snapshot/edit-hosts.ts'
import type { OvsHost } from '../sources/ovsdb/host.ts'

/** When something changed: between these two times. They are one time where the source was heard all along. */
export interface ChangeTime {
  /** From when the new may hold. */
  earliestMs: number
  /** Until when the old may hold. */
  latestMs: number
}

/** What a change of one host's OVSDB did to its interfaces. */
export interface HostChange {
  added: { plugged: Plugged; fromMs: number }[]
  removed: Plugged[]
}

export class Ledger implements History {
  ports: PastPort[] = []
  floatingips: PastFloating[] = []
  interfaces: PastInterface[] = []
  readonly since = new Map<string, number>()

  /** How many things that have ended are kept. */
  get size(): number {
    return this.ports.length + this.floatingips.length + this.interfaces.length
  }

  /** Begins with what was saved. */
  load(history: History): void {
    this.ports = [...history.ports]
    this.floatingips = [...history.floatingips]
    this.interfaces = [...history.interfaces]
    for (const [key, fromMs] of history.since) this.since.set(key, fromMs)
  }

  /** A port as it was ends. */
  endPort(port: Port, server: Server | undefined, trunk: PastPort['trunk'], { latestMs }: ChangeTime): void {
    const fromMs = this.end(port.id)
    if (fromMs < latestMs) this.ports.push({ port, server, trunk, fromMs, toMs: latestMs })
  }

  endFloating(floating: FloatingIp, { latestMs }: ChangeTime): void {
    const fromMs = this.end(floating.id)
    if (fromMs < latestMs) this.floatingips.push({ floating, fromMs, toMs: latestMs })
  }

  /** The thing of this key (an id, `interfaceKey`) begins. */
  begin(key: string, fromMs: number): void {
    if (fromMs > 0) this.since.set(key, fromMs)
    else this.since.delete(key)
  }

  /** Enters the difference between what a host's OVSDB said and says. */
  changeHost(name: string, before: OvsHost | undefined, after: OvsHost, time: ChangeTime): HostChange {
    const old = interfacesOf(before)
    const now = interfacesOf(after)
    const change: HostChange = { added: [], removed: [] }
    for (const [key, plugged] of old) {
      const still = now.get(key)
      if (still !== undefined && signatureOf(still) === signatureOf(plugged)) continue
      change.removed.push(plugged)
      const id = interfaceKey(name, plugged.bridge.name, plugged.item.name)
      const fromMs = this.end(id)
      if (fromMs < time.latestMs) this.interfaces.push({ host: name, ...slim(plugged), fromMs, toMs: time.latestMs })
    }
    const earlier = this.interfaces.filter((was) => was.host === name)
    const others = before === undefined ? [] : [...old.values()]
    for (const [key, plugged] of now) {
      const was = old.get(key)
      if (was !== undefined && signatureOf(was) === signatureOf(plugged)) continue
      const contested = [...earlier, ...others].some((one) => sharesKey(one, plugged))
      const fromMs = contested ? time.earliestMs : 0
      this.begin(interfaceKey(name, plugged.bridge.name, plugged.item.name), fromMs)
      change.added.push({ plugged, fromMs })
    }
    return change
  }

  /** What was of one host, and since when what its OVSDB says now holds. */
  historyOf(name: string, now: OvsHost): HostHistory {
    const since = new Map<string, number>()
    for (const { bridge, item } of interfacesOf(now).values()) {
      const key = interfaceKey(name, bridge.name, item.name)
      const fromMs = this.since.get(key)
      if (fromMs !== undefined) since.set(key, fromMs)
    }
    return { past: this.interfaces.filter((was) => was.host === name), since }
  }

  /** Forgets what ended before `beforeMs`. */
  prune(beforeMs: number): void {
    const kept = (past: { toMs: number }) => past.toMs >= beforeMs
    if (!this.ports.every(kept)) this.ports = this.ports.filter(kept)
    if (!this.floatingips.every(kept)) this.floatingips = this.floatingips.filter(kept)
    if (!this.interfaces.every(kept)) this.interfaces = this.interfaces.filter(kept)
    for (const [key, fromMs] of this.since) if (fromMs < beforeMs) this.since.delete(key)
  }

  private end(key: string): number {
    const fromMs = this.since.get(key) ?? 0
    this.since.delete(key)
    return fromMs
  }
}

function interfacesOf(host: OvsHost | undefined): Map<string, Plugged> {
  const found = new Map<string, Plugged>()
  for (const bridge of host?.bridges ?? [])
    for (const port of bridge.ports)
      for (const item of port.interfaces) found.set(`${bridge.name}/${item.name}`, { bridge, port, item })
  return found
}

/** All that says what the interface is and where; a change of anything else is none. */
function signatureOf({ port, item }: Plugged): string {
  const { externalIds, options } = item
  return [
    item.ofport,
    item.ifIndex,
    item.type,
    port.tag,
    port.otherConfig.get('net_uuid'),
    ...['iface-id', 'attached-mac', 'vm-uuid', 'vm-id'].map((key) => externalIds.get(key)),
    ...['remote_ip', 'local_ip', 'key', 'out_key'].map((key) => options.get(key)),
  ].join('|')
}

/** What lookups go by: OpenFlow port, ifIndex, name, local VLAN. */
function sharesKey(one: Plugged, other: Plugged): boolean {
  const { item, port } = other
  if (item.ifIndex !== 0 && one.item.ifIndex === item.ifIndex) return true
  if (one.bridge.name !== other.bridge.name) return one.item.name === item.name
  if (one.item.name === item.name) return true
  if (item.ofport !== undefined && one.item.ofport === item.ofport) return true
  return (
    port.tag !== undefined &&
    one.port.tag === port.tag &&
    one.port.otherConfig.get('net_uuid') !== port.otherConfig.get('net_uuid')
  )
}

/** Without the bridge's other ports: the past should not hold whole hosts. */
function slim({ bridge, port, item }: Plugged): Plugged {
  return { bridge: { ...bridge, ports: [], mirrors: [] }, port: { ...port, interfaces: [] }, item }
}
