/**
 * Identity of a running collector: every source that the options name, each independent of the others, feeding one replica.
 */
import { stat } from 'node:fs/promises'
import { AppError } from '../../errors.ts'
import type { IdentitySnapshot } from '../snapshot/snapshot.ts'
import { TablesKeeper } from '../sources/ovsdb/keeper.ts'
import { readKeys } from '../sources/ovsdb/keys.ts'
import { parsePassive, parseTarget, withServer } from '../sources/ovsdb/target.ts'
import { findContradictions, type Contradiction, type ContradictionSort } from '../contradictions.ts'
import { inTurns } from '../snapshot/slices.ts'
import { Doubts } from './doubts.ts'
import { HostSources } from './hosts.ts'
import type { OpenstackPoller } from './poller.ts'
import { Replica } from './replica.ts'
import { loadModelSaved, saveModel } from './saved.ts'
import { SourceRecord, type OnFault, type SourceState } from './source.ts'

/** What identity needs of the configuration; the names are those of the options. */
export interface LiveOptions {
  identity: string | null
  os_cloud: string | null
  ovsdb: string | null
  ovsdb_listen: string | null
  ovn_southbound: string | null
  ovsdb_key: string | null
  ovsdb_cert: string | null
  ovsdb_ca: string | null
  openstack_poll: number
  openstack_full: number
  identity_grace: number
  ovsdb_forget: number
  max_calling_hosts: number
  data: string
}

export interface LiveSurroundings {
  env: Readonly<Record<string, string | undefined>>
  cwd: string
  home: string
  onSnapshot: (snapshot: IdentitySnapshot) => void
  log: { info(text: string): void; warn(text: string): void }
}

/** A source with its age, as `identity status` and the API show it. */
export interface SourceReport extends SourceState {
  /** Since it was last true; null = never. */
  ageMs: number | null
  /** What it says that cannot be true together with the rest. */
  doubts: readonly string[]
}

const FILE_CHECK_MS = 2_000
const SAVE_MS = 60_000
const SWEEP_MS = 10_000
/** Sources are never quite at the same time: what contradicts for shorter is not named. */
const SETTLE_MS = 30_000
/** Looking for contradictions takes at most this share of the time. */
const DOUBT_SHARE = 0.02
const LONGEST_DOUBT_PAUSE_MS = 60_000
/** Changes of the southbound database within this time are taken over together: one of a network or a host reads all of it. */
const SOUTHBOUND_GATHER_MS = 1_000
/** The first rows wait for the cloud's first answer that long, no longer. */
const FIRST_READ_MS = 10_000

export class LiveIdentity {
  readonly replica: Replica
  private readonly options: LiveOptions
  private readonly around: LiveSurroundings
  private readonly onFault: OnFault
  private readonly hosts: HostSources
  private readonly file: SourceRecord | undefined
  private fileStamp = ''
  private poller: OpenstackPoller | undefined
  private timer: NodeJS.Timeout | undefined
  private reading: Promise<void> | undefined
  private readonly saved: SourceRecord
  private saving: Promise<void> | undefined
  private savedSnapshots = 0
  private saveTimer: NodeJS.Timeout | undefined
  private sweepTimer: NodeJS.Timeout | undefined
  /** Hosts forgotten since the start. */
  forgotten = 0
  private begun = false
  private readonly doubts: Doubts
  private doubting: Promise<void> | undefined
  private doubtedSnapshots = -1
  private doubtNotBeforeMs = 0
  private stopped = false
  private southbound: { record: SourceRecord; keeper: TablesKeeper } | undefined
  private puttingSouthbound: Promise<void> = Promise.resolve()

  private constructor(options: LiveOptions, around: LiveSurroundings) {
    this.options = options
    this.around = around
    const onFault: OnFault = (kind, target, fault) => {
      if (fault === '') around.log.info(`identity: ${kind} ${target} answers again`)
      else around.log.warn(`identity: ${kind} ${target}: ${fault}`)
    }
    this.onFault = onFault
    this.replica = new Replica(around.onSnapshot, { graceMs: options.identity_grace })
    this.file = options.identity === null ? undefined : new SourceRecord('file', options.identity, onFault)
    this.saved = new SourceRecord('saved', options.data, onFault)
    this.doubts = new Doubts({
      isSettled: (doubt, sinceMs, nowMs) => this.isSettled(doubt, sinceMs, nowMs),
      log: around.log,
      onNamed: (doubt) => this.recordOf(doubt)?.doubted(),
    })
    this.hosts = new HostSources((name, ovs, atMs, gapFromMs) => this.replica.putOvs(name, ovs, atMs, gapFromMs), {
      keys: readKeys(options),
      onFault,
      maxCalling: options.max_calling_hosts,
    })
  }

  /**
   * Opens all sources. Resolves with the first snapshot published: the identity file is in it, and the cloud's first answer
   * if it comes within ten seconds. Errors: those of the identity file, of clouds.yaml, of keys and of the port to listen on; a
   * source that does not answer is no error.
   */
  static async start(options: LiveOptions, around: LiveSurroundings): Promise<LiveIdentity> {
    const live = new LiveIdentity(options, around)
    try {
      await live.open()
      await live.begin()
      return live
    } catch (error) {
      await live.stop()
      throw error
    }
  }

  /** Every source and how it stands. */
  get sources(): SourceReport[] {
    const now = Date.now()
    const saved = this.saved.state.freshAtMs > 0 || this.saved.state.faults > 0 ? this.saved.state : undefined
    if (this.southbound?.record.state.ok === true) this.southbound.record.state.freshAtMs = now
    const states = [
      saved,
      this.file?.state,
      this.poller?.state,
      this.southbound?.record.state,
      ...this.hosts.states,
    ].filter((one) => one !== undefined)
    const doubts = new Map<SourceState | undefined, string[]>()
    for (const doubt of this.doubts.named) {
      const state = this.recordOf(doubt)?.state
      doubts.set(state, [...(doubts.get(state) ?? []), doubt.text])
    }
    return states.map((state) => ({
      ...state,
      doubts: doubts.get(state) ?? [],
      ageMs: state.freshAtMs === 0 ? null : Math.max(0, now - state.freshAtMs),
    }))
  }

  /** How many contradictions stand, by sort. */
  get contradictions(): Record<ContradictionSort, number> {
    return this.doubts.counts
  }

  /** Hosts whose OVSDB is connected, and how to ask it something beside the model. */
  databases(): ReturnType<HostSources['databases']> {
    return this.hosts.databases()
  }

  /** Reads the identity file again if it has changed, or in any case. A faulty one is refused, the last good one stands. */
  readFile(always = false): Promise<void> {
    this.reading ??= this.readChangedFile(always)
      .catch((error: unknown) => {
        if (!(error instanceof AppError)) throw error
        this.file?.bad(error)
      })
      .finally(() => (this.reading = undefined))
    return this.reading
  }

  /** TCP port where OVSDB servers call; undefined when they do not. */
  get listensOn(): number | undefined {
    return this.hosts.port
  }

  /** Calls of OVSDB servers that were not taken. */
  get refused(): { connections: number; hosts: number } {
    return this.hosts.refused
  }

  /** Forgets hosts that no source names and that have been silent for `ovsdb_forget`: taken down, or renamed. */
  sweep(nowMs = Date.now()): void {
    for (const [name, { freshAtMs }] of this.replica.heardHosts) {
      if (this.hosts.isNamed(name)) continue
      const heardAtMs = this.hosts.heardAt(name, nowMs) ?? freshAtMs
      if (nowMs - heardAtMs < this.options.ovsdb_forget) continue
      this.hosts.forget(name)
      this.replica.dropOvs(name)
      this.forgotten++
      this.around.log.info(`identity: ${name} was not heard for long and is forgotten`)
    }
  }

  /** Looks for what contradicts, where the model has changed; a few milliseconds at a time. */
  doubt(nowMs = Date.now()): Promise<void> {
    if (this.doubting !== undefined) return this.doubting
    const news = this.replica.published !== this.doubtedSnapshots || this.doubts.unnamed
    if (!news || nowMs < this.doubtNotBeforeMs) return Promise.resolve()
    this.doubting = this.lookForDoubts(nowMs).finally(() => (this.doubting = undefined))
    return this.doubting
  }

  private async lookForDoubts(nowMs: number): Promise<void> {
    const startedMs = performance.now()
    this.doubtedSnapshots = this.replica.published
    const found = await inTurns(findContradictions(this.replica.model), () => this.stopped)
    if (found !== undefined) this.doubts.put(found, nowMs)
    const pauseMs = (performance.now() - startedMs) / DOUBT_SHARE
    this.doubtNotBeforeMs = nowMs + Math.min(LONGEST_DOUBT_PAUSE_MS, pauseMs)
  }

  /** A port that Neutron’s list lacks may only be newer than the list. */
  private isSettled({ sort }: Contradiction, sinceMs: number, nowMs: number): boolean {
    if (nowMs - sinceMs < SETTLE_MS) return false
    const cloud = this.poller?.state
    return sort !== 'unknown_port' || cloud === undefined || (cloud.ok && cloud.freshAtMs > sinceMs)
  }

  /** The source that says it. */
  private recordOf({ host, ports: [port = ''] }: Contradiction): SourceRecord | undefined {
    if (host !== undefined) return this.hosts.recordOf(host) ?? this.file
    const layer = this.replica.layerOf('ports', port)
    if (layer === 'cloud') return this.poller?.record
    return layer === 'ovn' ? this.southbound?.record : this.file
  }

  /** Asks the cloud now; with `whole` for everything. */
  async pollCloud(whole = false): Promise<void> {
    await this.poller?.poll(whole)
  }

  /** Saves what has changed since it was saved last. A disk that refuses is a fault of the source `saved`. */
  save(): Promise<void> {
    if (!this.begun || !this.worthSaving || this.replica.published === this.savedSnapshots) return Promise.resolve()
    this.saving ??= this.write().finally(() => (this.saving = undefined))
    return this.saving
  }

  private async write(): Promise<void> {
    const { published } = this.replica
    try {
      await saveModel(this.options.data, this.replica.state, Date.now())
      this.savedSnapshots = published
      this.saved.good(Date.now())
    } catch (error) {
      this.saved.bad(error)
    }
  }

  /** The identity file is read anew at each start, so it alone is nothing to save. */
  private get worthSaving(): boolean {
    return this.poller !== undefined || this.hosts.states.length > 0
  }

  async stop(): Promise<void> {
    this.stopped = true
    clearInterval(this.timer)
    clearInterval(this.saveTimer)
    clearInterval(this.sweepTimer)
    await this.save()
    this.southbound?.keeper.stop()
    this.replica.stop()
    await Promise.all([this.reading, this.poller?.stop(), this.hosts.stop()])
  }

  /** What only some sources need is loaded with them. */
  private async open(): Promise<void> {
    const { ovn_southbound, os_cloud } = this.options
    if (ovn_southbound !== null) this.southbound = await this.keepSouthbound(ovn_southbound)
    if (os_cloud !== null) this.poller = await this.keepCloud(os_cloud)
  }

  /** Errors: config_invalid. */
  private async keepCloud(name: string): Promise<OpenstackPoller> {
    const { options, around, onFault } = this
    const [{ loadCloud }, { CloudSession }, poller] = await Promise.all([
      import('../sources/openstack/clouds.ts'),
      import('../sources/openstack/session.ts'),
      import('./poller.ts'),
    ])
    return new poller.OpenstackPoller(
      new CloudSession(loadCloud(name, around)),
      async (news) => {
        await this.replica.putCloud(news)
        for (const warning of news.warnings) around.log.warn(`identity: ${warning}`)
        this.follow()
      },
      { pollMs: options.openstack_poll, fullMs: options.openstack_full, onFault },
    )
  }

  private async begin(): Promise<void> {
    const { ovsdb_listen } = this.options
    if (
      this.options.os_cloud !== null ||
      this.options.ovsdb_listen !== null ||
      this.southbound !== undefined ||
      this.file !== undefined
    )
      await this.load()
    if (this.file !== undefined) await this.readChangedFile(true)
    if (ovsdb_listen !== null) {
      const at = parsePassive(ovsdb_listen)
      if (typeof at === 'string') throw new AppError('config_invalid', `ovsdb_listen: ${at}`)
      await this.hosts.listen(at)
    }
    if (this.poller !== undefined) await within(FIRST_READ_MS, this.poller.start())
    this.southbound?.keeper.start()
    this.follow()
    this.replica.publish()
    this.timer = setInterval(() => void this.readFile(), FILE_CHECK_MS)
    this.timer.unref()
    this.saveTimer = setInterval(() => void this.save(), SAVE_MS)
    this.saveTimer.unref()
    this.sweepTimer = setInterval(() => {
      this.sweep()
      void this.doubt()
    }, SWEEP_MS)
    this.sweepTimer.unref()
    this.begun = true
  }

  /** OVN's southbound database, monitored like a switch's. Errors: config_invalid. */
  private async keepSouthbound(text: string): Promise<{ record: SourceRecord; keeper: TablesKeeper }> {
    const { SOUTHBOUND, SouthboundReader } = await import('../sources/ovn/southbound.ts')
    const target = parseTarget(text)
    if (typeof target === 'string') throw new AppError('config_invalid', `ovn_southbound: ${target}`)
    const record = new SourceRecord('ovn', text, this.onFault)
    const keys = readKeys(this.options)
    const reader = new SouthboundReader()
    const keeper = new TablesKeeper(
      target,
      (tables, atMs) => {
        const said = reader.read(tables)
        record.good(atMs, said.counts)
        // One after the other: taking a large cloud over gives way to the pipeline.
        this.puttingSouthbound = this.puttingSouthbound.then(() => this.replica.putSouthbound(said, atMs))
      },
      {
        database: SOUTHBOUND,
        gatherMs: SOUTHBOUND_GATHER_MS,
        ...(keys === undefined ? {} : { keys }),
        onLost: (reason) => {
          if (record.state.ok) record.state.freshAtMs = Date.now()
          record.bad(reason)
        },
      },
    )
    return { record, keeper }
  }

  /** What was known before a restart stands until the sources say more. */
  private async load(): Promise<void> {
    try {
      const saved = await loadModelSaved(this.options.data)
      if (saved === undefined) return
      await this.replica.load(saved, saved.savedAtMs)
      this.saved.good(saved.savedAtMs, { ports: saved.cloud.ports.length, hosts: saved.ovs.size })
      const seconds = Math.round((Date.now() - saved.savedAtMs) / 1e3)
      this.around.log.info(`identity: begins with the model saved ${seconds} s ago`)
    } catch (error) {
      this.saved.bad(error)
    }
  }

  private async readChangedFile(always: boolean): Promise<void> {
    const { identity } = this.options
    if (identity === null) return
    const { mtimeMs = 0, size = 0, ino = 0 } = (await stat(identity).catch(() => undefined)) ?? {}
    const stamp = `${mtimeMs} ${size} ${ino}`
    if (stamp === this.fileStamp && !always) return
    this.fileStamp = stamp
    const { loadIdentityFile } = await import('../sources/file.ts')
    const { cloud, warnings } = await loadIdentityFile(identity, { askServers: false })
    for (const warning of warnings) this.around.log.warn(warning)
    const atMs = Date.now()
    await this.replica.putFile(cloud, atMs)
    const counts = { hosts: cloud.hosts.length, ports: cloud.ports.length, servers: cloud.servers.length }
    this.file?.good(atMs, counts)
    this.follow()
  }

  private follow(): void {
    this.hosts.follow(this.replica.hosts.map((host) => withServer(host, this.options.ovsdb)))
  }
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))
  await Promise.race([work, late])
  clearTimeout(timer)
}
