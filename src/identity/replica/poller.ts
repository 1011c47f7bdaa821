/**
 * Keeps what an OpenStack cloud says current: every list in full at the start and from time to time, in between what changed.
 * Neutron, where it can be asked for changes at all, tells changes, not deletions: those come with the next full list, Nova's as servers with status DELETED. An answer that
 * is refused (read.ts) changes nothing: the last good model goes on.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { AppError } from '../../errors.ts'
import { LIST_NAMES, LISTS, type Entry, type ListName } from '../sources/openstack/lists.ts'
import { toSections, type CloudSections } from '../sources/openstack/model.ts'
import { readChanges, readCloud, readList, type CloudLists, type ListSizes } from '../sources/openstack/read.ts'
import type { CloudSession } from '../sources/openstack/session.ts'
import { SourceRecord, type OnFault } from './source.ts'

export interface PollerOptions {
  /** OVSDB server of each host, see `toSections`. */
  ovsdb?: string | undefined
  /** Between two questions for changes. */
  pollMs: number
  /** Between two full reads. */
  fullMs: number
  onFault: OnFault
  now?: () => number
}

/** What a read brought: everything, or only what changed. */
export interface CloudNews {
  /** Whether what is not in `sections` is gone. */
  whole: boolean
  sections: CloudSections
  /** Ids of servers that Nova says are deleted. */
  deletedServers: readonly string[]
  warnings: readonly string[]
  atMs: number
}

/** Asked again that far back: clocks of the cloud and of this machine differ, and Neutron's times are whole seconds. */
const OVERLAP_MS = 60_000
/** Entries converted without giving way to the pipeline: about 10 ms. */
const SLICE = 1_000
/** Where Neutron refuses to be asked for changes, reading whole lists takes at most this share of the time. */
const WHOLE_SHARE = 0.1
const CHANGING = LIST_NAMES.filter((name) => 'changedSince' in LISTS[name])
const NOTHING = Object.fromEntries(LIST_NAMES.map((name) => [name, [] as readonly Entry[]])) as unknown as CloudLists

export class OpenstackPoller {
  private readonly session: CloudSession
  private readonly options: PollerOptions
  readonly record: SourceRecord
  private readonly onNews: (news: CloudNews) => Promise<void> | void
  private readonly now: () => number
  private sizes: ListSizes = {}
  private projects = new Set<unknown>()
  private shrunk = false
  /** Lists that refuse to be asked for what changed. */
  private readonly refused = new Set<ListName>()
  private refusedNotBeforeMs = 0
  private fullAtMs = 0
  private changesAtMs = 0
  private timer: NodeJS.Timeout | undefined
  private running: Promise<void> | undefined
  private stopped = false

  constructor(session: CloudSession, onNews: (news: CloudNews) => Promise<void> | void, options: PollerOptions) {
    this.session = session
    this.options = options
    this.onNews = onNews
    this.now = options.now ?? Date.now
    this.record = new SourceRecord('openstack', session.config.name, options.onFault)
  }

  get state() {
    return this.record.state
  }

  /** Resolves after the first read, whether it succeeded or not. */
  start(): Promise<void> {
    return this.poll()
  }

  async stop(): Promise<void> {
    this.stopped = true
    clearTimeout(this.timer)
    await this.running
    await this.session.close()
  }

  /** Reads now: whole when that is due or asked for, else what changed. Never rejects for a fault of the cloud. */
  poll(whole = false): Promise<void> {
    clearTimeout(this.timer)
    if (whole) this.fullAtMs = 0
    this.running ??= this.read().finally(() => {
      this.running = undefined
      if (!this.stopped) this.timer = setTimeout(() => void this.poll(), this.options.pollMs)
    })
    return this.running
  }

  private async read(): Promise<void> {
    const startedMs = this.now()
    const whole = this.fullAtMs === 0 || startedMs - this.fullAtMs >= this.options.fullMs
    try {
      const lists = whole ? await this.readWhole() : await this.readChanged()
      const deletedServers = lists.servers.filter((one) => one['status'] === 'DELETED').map((one) => String(one['id']))
      const gone = new Set(deletedServers)
      const servers = lists.servers.filter((one) => !gone.has(String(one['id'])))
      const { sections, warnings } = await convert({ ...lists, servers }, this.options.ovsdb)
      if (this.stopped) return
      await this.onNews({ whole, sections, deletedServers, warnings, atMs: startedMs })
      this.changesAtMs = startedMs
      if (whole) this.fullAtMs = startedMs
      this.record.good(startedMs, whole ? countsOf(sections) : undefined)
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      this.shrunk = whole && error.code === 'cloud_incomplete'
      this.record.bad(error)
    }
  }

  private async readWhole(): Promise<CloudLists> {
    const lists = await readCloud(this.session, this.sizes, this.shrunk)
    this.shrunk = false
    this.sizes = Object.fromEntries(LIST_NAMES.map((name) => [name, lists[name].length]))
    this.projects = new Set(lists.projects.map((project) => project['id']))
    return lists
  }

  /** What changed in a list; all of it once it has refused that question. */
  private async readChangesOf(name: ListName, since: Date): Promise<readonly Entry[]> {
    try {
      return await readChanges(this.session, name, since)
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'cloud_refused') throw error
      this.refused.add(name)
      return readList(this.session, name)
    }
  }

  private async readChanged(): Promise<CloudLists> {
    const since = new Date(this.changesAtMs - OVERLAP_MS)
    const lists: Record<ListName, readonly Entry[]> = { ...NOTHING }
    // The segments extension may be missing; then it was an empty list, and stays one until the next full read.
    const asked = CHANGING.filter((name) => !('extension' in LISTS[name]) || (this.sizes[name] ?? 0) > 0)
    const startedMs = this.now()
    const due = startedMs >= this.refusedNotBeforeMs
    for (const name of asked)
      if (!this.refused.has(name)) lists[name] = await this.readChangesOf(name, since)
      else if (due) lists[name] = await readList(this.session, name)
    if (due && this.refused.size > 0)
      this.refusedNotBeforeMs = this.now() + ((this.now() - startedMs) * (1 - WHOLE_SHARE)) / WHOLE_SHARE
    const named = [...lists.ports, ...lists.networks].map((entry) => entry['project_id'])
    if (named.some((id) => typeof id === 'string' && id !== '' && !this.projects.has(id))) {
      lists.projects = await readList(this.session, 'projects')
      this.projects = new Set([...lists.projects.map((project) => project['id']), ...named])
    }
    return lists
  }
}

/** `toSections` in slices, giving way in between. Agents go in one piece, since hosts are gathered from them. */
async function convert(
  lists: CloudLists,
  ovsdb: string | undefined,
): Promise<{ sections: CloudSections; warnings: string[] }> {
  const { sections, warnings } = toSections({ ...NOTHING, agents: lists.agents }, ovsdb)
  const all: Record<string, unknown[]> = Object.fromEntries(
    Object.entries(sections).map(([name, entries]) => [name, [...entries]]),
  )
  for (const name of LIST_NAMES) {
    if (name === 'agents' || name === 'domains') continue
    for (let at = 0; at < lists[name].length; at += SLICE) {
      const slice = toSections({ ...NOTHING, [name]: lists[name].slice(at, at + SLICE) })
      for (const entry of slice.sections[name]) all[name]!.push(entry)
      warnings.push(...slice.warnings)
      await turn()
    }
  }
  return { sections: all as unknown as CloudSections, warnings }
}

function countsOf(sections: CloudSections): Record<string, number> {
  return Object.fromEntries(Object.entries(sections).map(([name, entries]) => [name, entries.length]))
}
