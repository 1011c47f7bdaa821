/**
 * The model as it is now and as it was a while ago, from all sources, and the snapshots made of it.
 *
 *   identity file ─┐
 *   OpenStack APIs ├─ Layers ─┐
 *   OVSDB of hosts ┴──────────┴─ Ledger (since when, what before) ── buildSnapshot ──► publish
 *
 * Changes are gathered for a moment and published together. A source that is silent changes nothing.
 */
import type { CloudModel, FloatingIp, Network, Port, Project, Router, Server, Subnet, Trunk } from '../cloud.ts'
import type { Origin } from '../describe.ts'
import type { History, PastPort } from '../history.ts'
import { EMPTY_SNAPSHOT } from '../snapshot/build.ts'
import { isPlain } from '../snapshot/edit-hosts.ts'
import { SnapshotEditor, type Edit } from '../snapshot/editor.ts'
import { atOnce, inTurns, type Slices } from '../snapshot/slices.ts'
import type { IdentitySnapshot } from '../snapshot/snapshot.ts'
import type { Southbound } from '../sources/ovn/southbound.ts'
import type { OvsHost } from '../sources/ovsdb/host.ts'
import type { CloudSections } from '../sources/openstack/model.ts'
import { contested } from './contested.ts'
import { Layers, type LayerName, type OnEntry } from './layers.ts'
import { SECTION_NAMES, type SectionName } from '../sections.ts'
import { Ledger, type ChangeTime } from './ledger.ts'
import type { CloudNews } from './poller.ts'

export interface ReplicaOptions {
  /** How long what has ended is kept for records that come late. */
  graceMs?: number
  /** Changes within this time are published together. */
  gatherMs?: number
  now?: () => number
}

const GRACE_MS = 600_000
const GATHER_MS = 50
/** More changes than this at once are not edited in. */
const MAX_EDITS = 2_000
/** A model that takes long to lay out is laid out less often: this share of the time goes to it at most. */
const MAX_SHARE = 0.2

/** Of edits of what holds at any time. */
const NO_TIME = { fromMs: 0, toMs: 0 }

/** What people call the layers. */
const ORIGINS: Readonly<Record<LayerName, string>> = {
  ovn: 'ovn',
  cloud: 'openstack',
  file: 'file',
}

/** What is saved and loaded (saved.ts). */
export interface ReplicaState {
  cloud: CloudSections
  ovs: ReadonlyMap<string, { ovs: OvsHost; freshAtMs: number }>
  history: History
}

export class Replica {
  snapshot: IdentitySnapshot = EMPTY_SNAPSHOT
  /** Snapshots published. */
  published = 0
  /** What the last one took. */
  lastPublishMs = 0
  /** How many of them were laid out anew, not only edited. */
  laidOut = 0
  readonly ledger = new Ledger()
  private readonly layers = new Layers()
  private tunnelKeys: ReadonlyMap<number, string> = new Map()
  private southboundAtMs = 0
  private readonly ovs = new Map<string, { ovs: OvsHost; freshAtMs: number }>()
  /** Hosts that are known only from what was saved, with when they were heard last. */
  private readonly savedOvs = new Map<string, number>()
  /** OVSDB dumps that the identity file names. */
  private dumps: ReadonlyMap<string, OvsHost> = new Map()
  /** Servers that are gone, with when: their ports' last records still come. */
  private readonly formerServers = new Map<string, { server: Server; atMs: number }>()
  private readonly trunkOf = new Map<string, NonNullable<PastPort['trunk']>>()
  private readonly onSnapshot: (snapshot: IdentitySnapshot) => void
  private readonly graceMs: number
  private readonly gatherMs: number
  private readonly now: () => number
  private timer: NodeJS.Timeout | undefined
  private stopped = false
  private cloudFreshMs = 0
  private editor: SnapshotEditor | undefined
  private edits: Edit[] = []
  /** The next snapshot has to be laid out anew. */
  private anew = true
  private lastLayOutMs = 0
  /** A model is being laid out, in turns; and how many were begun. */
  private layingOut = false
  private layings = 0

  constructor(onSnapshot: (snapshot: IdentitySnapshot) => void, options: ReplicaOptions = {}) {
    this.onSnapshot = onSnapshot
    this.graceMs = options.graceMs ?? GRACE_MS
    this.gatherMs = options.gatherMs ?? GATHER_MS
    this.now = options.now ?? Date.now
  }

  /** Takes over what the identity file says, with its dumps. */
  async putFile(cloud: CloudModel, atMs: number): Promise<void> {
    const { ovs, ...sections } = cloud
    await this.layers.put('file', sections, true, this.entryChange(atMs, atMs))
    for (const [name, host] of ovs)
      this.changeHost(name, this.dumps.get(name), host, { earliestMs: atMs, latestMs: atMs })
    this.dumps = ovs
    this.changed()
  }

  /** Takes over what the OpenStack APIs say. */
  async putCloud(news: CloudNews): Promise<void> {
    const onEntry = this.entryChange(news.atMs, this.cloudFreshMs)
    await this.layers.put('cloud', news.sections, news.whole, onEntry)
    for (const id of news.deletedServers) this.layers.remove('cloud', 'servers', id, onEntry)
    this.cloudFreshMs = news.atMs
  }

  /** Takes over what OVN's southbound database says. */
  async putSouthbound({ whole, sections, gonePorts, tunnelKeys }: Southbound, atMs: number): Promise<void> {
    const onEntry = this.entryChange(atMs, this.southboundAtMs)
    await this.layers.put('ovn', sections, whole, onEntry)
    for (const id of gonePorts) this.layers.remove('ovn', 'ports', id, onEntry)
    this.southboundAtMs = atMs
    const same =
      this.tunnelKeys.size === tunnelKeys.size && [...tunnelKeys].every(([key, id]) => this.tunnelKeys.get(key) === id)
    this.tunnelKeys = tunnelKeys
    if (!same) this.layAnew()
  }

  /** Takes over what a host's OVSDB says; `gapFromMs` is since when it was not heard, where it was not. */
  putOvs(name: string, ovs: OvsHost, atMs: number, gapFromMs = atMs): void {
    const saved = this.savedOvs.get(name)
    this.savedOvs.delete(name)
    const before = this.ovs.get(name)?.ovs ?? this.dumps.get(name)
    this.ovs.set(name, { ovs, freshAtMs: atMs })
    this.changeHost(name, before, ovs, { earliestMs: Math.min(saved ?? gapFromMs, atMs), latestMs: atMs })
  }

  /** Hosts whose OVSDB was heard, now or before a restart, with when it said something last. */
  get heardHosts(): ReadonlyMap<string, { freshAtMs: number }> {
    return this.ovs
  }

  /** Forgets what a host's OVSDB said: it is long gone, or another name now. */
  dropOvs(name: string): void {
    this.savedOvs.delete(name)
    if (this.ovs.delete(name)) this.layAnew()
  }

  /** Begins with what was saved: it held when it was saved, and what has changed since changed some time in between. */
  async load({ cloud, ovs, history }: ReplicaState, savedAtMs: number): Promise<void> {
    await this.layers.put('cloud', cloud, true, this.entryChange(0, 0))
    this.ledger.load(history)
    this.cloudFreshMs = savedAtMs
    for (const [name, saved] of ovs) {
      this.ovs.set(name, saved)
      this.savedOvs.set(name, saved.freshAtMs)
    }
    this.publish()
  }

  /** What is worth saving: the identity file is read anew anyway. */
  get state(): ReplicaState {
    return { cloud: this.layers.layer('cloud'), ovs: this.ovs, history: this.ledger }
  }

  /** How much is known, by section. */
  get counts(): Record<string, number> {
    const counts = Object.fromEntries(SECTION_NAMES.map((name) => [name, this.layers.section(name).size]))
    return { ...counts, ovs: new Set([...this.dumps.keys(), ...this.ovs.keys()]).size }
  }

  /** Hosts of all sources, with where their OVSDB is. */
  get hosts() {
    return [...this.layers.section('hosts').values()]
  }

  /** The layer whose entry it is. */
  layerOf(section: SectionName, key: string): LayerName | undefined {
    return this.layers.layerOf(section, key)
  }

  /** Where an entry is known from, and since when it is as it is. */
  originOf(section: SectionName, key: string): Origin {
    const layer = this.layers.layerOf(section, key)
    const source =
      layer === undefined ? '' : section === 'hosts' && this.ovs.has(key) ? `${ORIGINS[layer]} ovsdb` : ORIGINS[layer]
    const sinceMs = this.ledger.since.get(key)
    return { source, since: sinceMs === undefined ? '' : new Date(sinceMs).toISOString() }
  }

  /** The sections as they are now, without what is gone and kept for late records. */
  get sections(): CloudSections {
    return this.layers.sections()
  }

  get model(): CloudModel {
    const sections = this.layers.sections()
    const former = [...this.formerServers.values()].map(({ server }) => server)
    const ovs = new Map(this.dumps)
    for (const [name, host] of this.ovs) ovs.set(name, host.ovs)
    return {
      ...sections,
      servers: former.length === 0 ? sections.servers : [...former, ...sections.servers],
      ovs,
      tunnelKeys: this.tunnelKeys,
    }
  }

  stop(): void {
    this.stopped = true
    clearTimeout(this.timer)
  }

  /** Publishes what has changed now, without waiting for more. */
  publish(): void {
    this.clearTimer()
    this.layings++
    const startedMs = performance.now()
    const now = this.prune()
    // What is being laid out has what the editor lacks.
    if (this.anew || this.layingOut || !this.applyEdits()) {
      this.editor = atOnce(this.layOut(now))
      this.lastLayOutMs = performance.now() - startedMs
    }
    this.tell(now, startedMs)
  }

  /** The same, but a model is laid out anew a few milliseconds at a time; the last snapshot stands meanwhile. */
  async publishInTurns(): Promise<void> {
    this.clearTimer()
    const startedMs = performance.now()
    const now = this.prune()
    if (this.anew || !this.applyEdits()) {
      const laying = ++this.layings
      this.layingOut = true
      const editor = await inTurns(this.layOut(now), () => this.stopped || laying !== this.layings)
      this.layingOut = false
      // Somebody else has published meanwhile.
      if (editor === undefined) {
        if (this.anew || this.edits.length > 0) this.changed()
        return
      }
      this.editor = editor
      this.lastLayOutMs = performance.now() - startedMs
      // What has changed since the work began; if it cannot be edited in, this snapshot stands until the next is laid out.
      if (!this.anew && !this.applyEdits()) this.anew = true
      if (this.anew) this.changed()
    }
    this.tell(now, startedMs)
  }

  private prune(): number {
    const now = this.now()
    this.ledger.prune(now - this.graceMs)
    for (const [id, { atMs }] of this.formerServers) if (atMs < now - this.graceMs) this.formerServers.delete(id)
    return now
  }

  private tell(now: number, startedMs: number): void {
    this.snapshot = this.editor!.publish(now)
    this.lastPublishMs = performance.now() - startedMs
    this.published++
    this.onSnapshot(this.snapshot)
  }

  private applyEdits(): boolean {
    const { edits } = this
    this.edits = []
    return this.editor !== undefined && edits.every((edit) => this.editor!.apply(edit))
  }

  /** What changes from now on is not in it, and has to be edited in. */
  private layOut(now: number): Slices<SnapshotEditor> {
    this.anew = false
    this.edits = []
    this.laidOut++
    const { ports, floatingips, interfaces, since } = this.ledger
    const history = {
      ports: [...ports],
      floatingips: [...floatingips],
      interfaces: [...interfaces],
      since: new Map(since),
    }
    return SnapshotEditor.of(this.model, now, history)
  }

  private clearTimer(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }

  private changed(): void {
    if (this.stopped || this.layingOut) return
    const lastMs = this.anew ? this.lastLayOutMs : this.lastPublishMs
    this.timer ??= setTimeout(() => void this.publishInTurns(), Math.max(this.gatherMs, lastMs / MAX_SHARE))
  }

  /** Enters a change that the editor may make by itself. */
  private edit(edit: Edit): void {
    if ((this.editor === undefined && !this.layingOut) || this.edits.length >= MAX_EDITS) this.anew = true
    if (!this.anew) this.edits.push(edit)
    this.changed()
  }

  private layAnew(): void {
    this.anew = true
    this.edits = []
    this.changed()
  }

  private changeHost(name: string, before: OvsHost | undefined, after: OvsHost, time: ChangeTime): void {
    const { added, removed } = this.ledger.changeHost(name, before, after, time)
    const changed = [...removed, ...added.map(({ plugged }) => plugged)]
    if (before === undefined || exportsOf(before) !== exportsOf(after) || !changed.every(isPlain)) {
      this.readAgain(name, before, after)
      return
    }
    const { latestMs } = time
    for (const plugged of removed)
      this.edit({
        kind: 'interface',
        host: name,
        before: plugged,
        after: undefined,
        now: after,
        fromMs: 0,
        toMs: latestMs,
      })
    for (const { plugged, fromMs } of added)
      this.edit({ kind: 'interface', host: name, before: undefined, after: plugged, now: after, fromMs, toMs: 0 })
  }

  /** Enters changed entries, read at `atMs` from a source that was read before at `beforeMs`. */
  private entryChange(atMs: number, beforeMs: number): OnEntry {
    return (section, before, after) => {
      if (section === 'ports') this.changePort(before as Port | undefined, after as Port | undefined, atMs, beforeMs)
      else if (section === 'floatingips')
        this.changeFloating(before as FloatingIp | undefined, after as FloatingIp | undefined, atMs, beforeMs)
      else if (section === 'servers') this.changeServer(before as Server | undefined, after as Server | undefined)
      else if (section === 'routers') this.changeRouter(before as Router | undefined, after as Router | undefined)
      else if (section === 'subnets') this.changeSubnets(((after ?? before) as Subnet).network_id)
      else if (section === 'trunks')
        this.changeTrunk(before as Trunk | undefined, after as Trunk | undefined, beforeMs === 0 ? 0 : atMs)
      else if (after !== undefined && section === 'projects')
        this.edit({ kind: 'project', before: before as Project | undefined, after: after as Project, ...NO_TIME })
      else if (after !== undefined && section === 'networks')
        this.edit({ kind: 'network', before: before as Network | undefined, after: after as Network, ...NO_TIME })
      else this.layAnew()
    }
  }

  private changeRouter(before: Router | undefined, after: Router | undefined): void {
    const known = after ?? before
    if (known !== undefined) this.edit({ kind: 'router', id: known.id, after, ...NO_TIME })
  }

  private changeSubnets(network: string): void {
    // While everything is new, nobody asks for each network's.
    if (this.anew) {
      this.changed()
      return
    }
    const subnets = [...this.layers.section('subnets').values()].filter(({ network_id }) => network_id === network)
    this.edit({ kind: 'subnets', network, subnets, ...NO_TIME })
  }

  private changePort(before: Port | undefined, after: Port | undefined, atMs: number, beforeMs: number): void {
    const time = changeTime(after?.updated_at, atMs, beforeMs)
    if (before !== undefined) this.ledger.endPort(before, this.serverOf(before), this.trunkOf.get(before.id), time)
    const held = after !== undefined && (before !== undefined || contested.port(this.snapshot, after))
    const fromMs = held ? time.earliestMs : 0
    if (after !== undefined) this.ledger.begin(after.id, fromMs)
    const host = before === undefined || after !== undefined ? undefined : this.pluggedAt(before)
    const hosts = host === undefined ? [] : [before!['binding:host_id']]
    this.edit({ kind: 'port', before, after, hosts, fromMs, toMs: time.latestMs })
    // What is plugged after its port is gone is something that OVSDB alone knows.
    for (const name of hosts) this.readAgain(name, host, host!)
  }

  /** What the host where a port is bound says, if it is plugged there. */
  private pluggedAt({ id, 'binding:host_id': name }: Port): OvsHost | undefined {
    const host = this.ovs.get(name)?.ovs ?? this.dumps.get(name)
    const has = host?.bridges.some(({ ports }) =>
      ports.some(({ interfaces }) => interfaces.some(({ externalIds }) => externalIds.get('iface-id') === id)),
    )
    return has === true ? host : undefined
  }

  /** All of what a host's OVSDB says goes into the model again. */
  private readAgain(name: string, before: OvsHost | undefined, now: OvsHost): void {
    if (this.anew) {
      this.changed()
      return
    }
    const history = this.ledger.historyOf(name, now)
    this.edit({ kind: 'host', host: name, before, now, history, ...NO_TIME })
  }

  private changeFloating(
    before: FloatingIp | undefined,
    after: FloatingIp | undefined,
    atMs: number,
    beforeMs: number,
  ): void {
    const time = changeTime(after?.updated_at, atMs, beforeMs)
    if (before !== undefined) this.ledger.endFloating(before, time)
    const held = after !== undefined && (before !== undefined || contested.floating(this.snapshot, after))
    // One that is new was not there when Neutron was asked before: who had the address then was right to be outside.
    const fromMs = held ? time.earliestMs : beforeMs < atMs ? beforeMs : 0
    if (after !== undefined) this.ledger.begin(after.id, fromMs)
    this.edit({ kind: 'floating', before, after, fromMs, toMs: time.latestMs })
  }

  /** A server's name is all that hangs on it; what is gone stays known until its last records have come. */
  private changeServer(before: Server | undefined, after: Server | undefined): void {
    if (after !== undefined) this.edit({ kind: 'server', server: after, fromMs: 0, toMs: 0 })
    else if (before !== undefined) this.formerServers.set(before.id, { server: before, atMs: this.now() })
  }

  /** A subport that joins or leaves a trunk becomes another's: it ends and begins though its own entry stays as it is. */
  private changeTrunk(before: Trunk | undefined, after: Trunk | undefined, atMs: number): void {
    const was = new Map(before?.sub_ports.map((sub) => [sub.port_id, sub.segmentation_id]))
    const is = new Map(after?.sub_ports.map((sub) => [sub.port_id, sub.segmentation_id]))
    for (const id of new Set([...was.keys(), ...is.keys()])) {
      if (was.has(id) && is.has(id) && was.get(id) === is.get(id)) continue
      const port = this.layers.section('ports').get(id)
      // What the first answer holds has not changed: it has no beginning.
      const changes = port !== undefined && atMs > 0 && this.editor !== undefined
      if (changes) {
        this.ledger.endPort(port, this.serverOf(port), this.trunkOf.get(id), { earliestMs: atMs, latestMs: atMs })
        this.ledger.begin(id, atMs)
      }
      if (is.has(id)) this.trunkOf.set(id, { parent: after!.port_id, vlan: is.get(id) })
      else this.trunkOf.delete(id)
      const parent = is.has(id) ? this.layers.section('ports').get(after!.port_id) : undefined
      if (changes && (parent !== undefined || !is.has(id)))
        this.edit({ kind: 'subport', port, parent, vlan: is.get(id), fromMs: atMs, toMs: atMs })
      else this.layAnew()
    }
  }

  private serverOf(port: Port): Server | undefined {
    return this.layers.section('servers').get(port.device_id) ?? this.formerServers.get(port.device_id)?.server
  }
}

/** When it changed: as the source tells, else when that was seen. */
function changeTime(updatedAt: string | null | undefined, atMs: number, beforeMs: number): ChangeTime {
  const toldMs = Date.parse(updatedAt ?? '')
  const ms = toldMs >= beforeMs - 1_000 && toldMs <= atMs ? toldMs : atMs
  return { earliestMs: ms, latestMs: ms }
}

/** What a host says beside its interfaces: bridges and what they export. */
function exportsOf({ hostname, externalIds, bridges }: OvsHost): string {
  return JSON.stringify([hostname, [...externalIds], bridges.map((bridge) => ({ ...bridge, ports: [] }))])
}
