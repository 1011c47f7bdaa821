/**
 * Snapshots in other threads. Each has a copy of the laid-out model: sent whole when it was laid out anew, from then on only what an
 * edit changed. So a change costs what it changes, whatever the size of the cloud, and nobody reads what another thread writes.
 *
 *   SnapshotSender   in the thread of the replica: snapshot → what has to be told
 *   SnapshotCopy     in another: what was told → snapshot
 */
import type { Cidr } from '../addresses.ts'
import { PrefixTable } from '../ids.ts'
import type { PackedLanes } from '../lanes.ts'
import { LaneTable } from '../lanes.ts'
import { Endpoints, type ChangedFacts, type EndpointFacts, type EndpointMemory } from './endpoints.ts'
import type { GrowingTopology, Network } from './networks.ts'
import { IdentitySnapshot, withOne, type PartChange, type SnapshotParts, type Tables } from './snapshot.ts'
import { TimedTable, type PackedTimed } from './timed.ts'
import { Interfaces, type InterfaceFacts, type InterfaceMemory } from './vantage.ts'

/** One thing that an edit did. */
export type Change =
  | { of: 'key'; table: keyof Tables; key: number[]; value: number }
  | { of: 'span'; table: keyof Tables; key: number[]; value: number; fromMs: number; toMs: number }
  | { of: 'close'; table: keyof Tables; key: number[]; value: number; atMs: number }
  | { of: 'endpoint'; fact: EndpointFacts }
  | { of: 'endpoint_end'; endpoint: number; toMs: number }
  | { of: 'reports'; endpoint: number; reports: number; instead: boolean }
  | { of: 'facts'; endpoint: number; facts: ChangedFacts }
  | { of: 'text'; endpoint: number; which: number; text: string }
  | { of: 'interface'; fact: InterfaceFacts }
  | { of: 'interface_end'; item: number; toMs: number }
  | { of: 'interface_reports'; item: number; reports: number }
  | { of: 'prefix'; id: string; endpoint: number; isNew: boolean }
  | { of: 'ranges'; endpoint: number; ranges: readonly Cidr[] }
  | { of: 'network'; number: number; id: string; network: Network }
  | PartChange

/** What a published snapshot says of itself. */
interface Published {
  asOfMs: number
  timed: boolean
  ports: number
}

/** The whole model, as it can be posted to another thread. */
export interface WholeModel extends Published {
  kind: 'whole'
  parts: Omit<SnapshotParts, 'endpoints' | 'interfaces' | 'tables' | 'portPrefixes' | 'edited' | 'asOfMs' | 'timed'>
  endpoints: EndpointMemory
  interfaces: InterfaceMemory
  tables: Record<keyof Tables, PackedLanes | PackedTimed>
  prefixes: PackedLanes
}

/** What edits changed since the last message. */
export interface ChangedModel extends Published {
  kind: 'changed'
  changes: Change[]
}

export type ModelMessage = WholeModel | ChangedModel

export class SnapshotSender {
  private snapshot: IdentitySnapshot | undefined
  private changes: Change[] = []

  /** What copies that know all earlier messages have to be told of a new snapshot. */
  next(snapshot: IdentitySnapshot): ModelMessage {
    const known = this.snapshot?.edited === snapshot.edited
    this.snapshot = snapshot
    if (!known) return this.whole()
    const { changes } = this
    this.changes = []
    return { kind: 'changed', ...published(snapshot), changes }
  }

  /** The model as it is, for a copy that knows nothing yet: what was published last must have been told to the others. */
  whole(): WholeModel {
    const { snapshot } = this
    if (snapshot === undefined) throw new Error('nothing was published yet')
    if (snapshot.tables.owned.onAdd === undefined) this.follow(snapshot)
    this.changes = []
    return packWhole(snapshot)
  }

  private follow({ parts }: IdentitySnapshot): void {
    const { tables, endpoints, interfaces } = parts
    const note = (change: Change) => void this.changes.push(change)
    for (const [name, table] of Object.entries(tables) as [keyof Tables, LaneTable | TimedTable][]) {
      if (table instanceof LaneTable)
        table.onAdd = (key, value) => note({ of: 'key', table: name, key: Array.from(key), value })
      else {
        table.onAdd = (key, value, { fromMs, toMs }) =>
          note({ of: 'span', table: name, key: [...key], value, fromMs, toMs })
        table.onClose = (key, value, atMs) => note({ of: 'close', table: name, key: [...key], value, atMs })
      }
    }
    endpoints.onAppend = (fact) => note({ of: 'endpoint', fact: { ...fact } })
    endpoints.onEnd = (endpoint, toMs) => note({ of: 'endpoint_end', endpoint, toMs })
    endpoints.onReports = (endpoint, reports, instead) => note({ of: 'reports', endpoint, reports, instead })
    endpoints.onFacts = (endpoint, facts) => note({ of: 'facts', endpoint, facts })
    endpoints.onText = (endpoint, which, text) => note({ of: 'text', endpoint, which, text })
    interfaces.onAppend = (fact) => note({ of: 'interface', fact: { ...fact } })
    interfaces.onEnd = (item, toMs) => note({ of: 'interface_end', item, toMs })
    interfaces.onReports = (item, reports) => note({ of: 'interface_reports', item, reports })
    parts.edited.onPrefix = (id, endpoint, isNew) => note({ of: 'prefix', id, endpoint, isNew })
    parts.edited.onNetwork = (number, id, network) => note({ of: 'network', number, id, network })
    parts.edited.onPart = note
    parts.edited.onRanges = (endpoint, ranges) => note({ of: 'ranges', endpoint, ranges })
  }
}

/** A copy in this thread. */
export class SnapshotCopy {
  private parts: SnapshotParts | undefined
  private prefixes = new PrefixTable()
  private ranges = new Map<number, readonly Cidr[]>()
  private subports = new Map<number, readonly number[]>()

  /** Takes a message in and gives the snapshot; one given before must not be used any more. */
  take(message: ModelMessage): IdentitySnapshot {
    if (message.kind === 'whole') this.unpack(message)
    else for (const change of message.changes) this.apply(change)
    const parts = this.parts!
    const { asOfMs, timed } = message
    parts.edited.ports = message.ports
    return new IdentitySnapshot({ ...parts, asOfMs, timed })
  }

  private unpack(message: WholeModel): void {
    const endpoints = new Endpoints(message.endpoints)
    const interfaces = new Interfaces(message.interfaces)
    const tables = Object.fromEntries(
      Object.entries(message.tables).map(([name, packed]) => [
        name,
        'keys' in packed ? TimedTable.unpack(packed) : LaneTable.unpack(packed),
      ]),
    ) as unknown as Tables
    this.prefixes = PrefixTable.unpack(message.prefixes)
    this.ranges = new Map(message.parts.pairRanges)
    this.subports = new Map(message.parts.subportsOf)
    this.parts = {
      ...message.parts,
      asOfMs: message.asOfMs,
      timed: message.timed,
      edited: { hosts: [], ports: message.ports },
      endpoints,
      interfaces,
      tables,
      portPrefixes: this.prefixes,
      pairRanges: this.ranges,
      subportsOf: this.subports,
    }
  }

  /** A network that is new, or has a range more. */
  private network(number: number, id: string, network: Network): void {
    // What came as a message is this copy's own.
    const { networks, networkIndex } = this.parts!.topology as GrowingTopology
    if (number === networks.length) (this.parts!.routerPorts as number[][]).push([])
    networks[number] = network
    networkIndex.set(id, number)
  }

  private part(change: PartChange): void {
    const parts = this.parts!
    const { routers, routerIndex } = parts.topology as GrowingTopology
    switch (change.of) {
      case 'host':
        parts.hosts = withOne(parts.hosts, change.number, change.host)
        return
      case 'bridge':
        parts.bridges = withOne(parts.bridges, change.number, change.bridge)
        return
      case 'mirror':
        parts.mirrors = withOne(parts.mirrors, change.number, change.mirror)
        return
      case 'router':
        routers[change.number] = change.router
        routerIndex.set(change.id, change.number)
        return
      case 'router_port':
        ;(parts.routerPorts as number[][])[change.network]!.push(change.endpoint)
        return
      case 'subport':
        this.subports.set(change.parent, [...(this.subports.get(change.parent) ?? []), change.endpoint])
        return
      case 'reported':
        parts[change.what === 'router' ? 'routerReported' : 'legReported'][change.number] = change.value
    }
  }

  private apply(change: Change): void {
    const { endpoints, interfaces, tables, edited } = this.parts!
    switch (change.of) {
      case 'key':
        ;(tables[change.table] as LaneTable).add(change.key, change.value)
        return
      case 'span':
        ;(tables[change.table] as TimedTable).add(change.key, change.value, change)
        return
      case 'close':
        ;(tables[change.table] as TimedTable).close(change.key, change.value, change.atMs)
        return
      case 'endpoint':
        endpoints.append(change.fact)
        return
      case 'endpoint_end':
        endpoints.end(change.endpoint, change.toMs)
        return
      case 'reports':
        if (change.instead) endpoints.replaceReports(change.endpoint, change.reports)
        else endpoints.addReports(change.endpoint, change.reports)
        return
      case 'facts':
        endpoints.change(change.endpoint, change.facts)
        return
      case 'text':
        endpoints.setText(change.endpoint, change.which, change.text)
        return
      case 'interface':
        interfaces.append(change.fact)
        edited.hosts.push(change.fact.host)
        return
      case 'interface_end':
        interfaces.end(change.item, change.toMs)
        return
      case 'interface_reports':
        interfaces.addReports(change.item, change.reports)
        return
      case 'prefix':
        if (change.isNew) this.prefixes.add(change.id, change.endpoint)
        else this.prefixes.replace(change.id, change.endpoint)
        return
      case 'ranges':
        this.ranges.set(change.endpoint, change.ranges)
        return
      case 'network':
        this.network(change.number, change.id, change.network)
        return
      default:
        this.part(change)
    }
  }
}

function published({ asOfMs, timed, edited }: IdentitySnapshot): Published {
  return { asOfMs, timed, ports: edited.ports }
}

function packWhole(snapshot: IdentitySnapshot): WholeModel {
  const { parts } = snapshot
  const { endpoints, interfaces, tables, portPrefixes } = parts
  return {
    kind: 'whole',
    ...published(snapshot),
    parts: {
      empty: parts.empty,
      topology: parts.topology,
      hosts: parts.hosts,
      bridges: parts.bridges,
      mirrors: parts.mirrors,
      pairRanges: parts.pairRanges,
      subportsOf: parts.subportsOf,
      routerReported: parts.routerReported,
      legReported: parts.legReported,
      routerPorts: parts.routerPorts,
    },
    endpoints: endpoints.pack(),
    interfaces: interfaces.pack(),
    tables: Object.fromEntries(
      Object.entries(tables).map(([name, table]) => [name, (table as LaneTable | TimedTable).pack()]),
    ) as WholeModel['tables'],
    prefixes: portPrefixes.pack(),
  }
}
