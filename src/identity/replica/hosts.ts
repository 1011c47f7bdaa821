/**
 * The OVSDBs of all hosts: those that are called (a keeper each) and those that call. A dead one costs nothing but its own
 * freshness: what it said last stands.
 */
import type { HostEntry } from '../cloud.ts'
import type { OvsdbKeys } from '../sources/ovsdb/client.ts'
import type { OvsHost } from '../sources/ovsdb/host.ts'
import { OvsdbKeeper, type KeeperOptions } from '../sources/ovsdb/keeper.ts'
import { OvsdbListener } from '../sources/ovsdb/listener.ts'
import { isTarget, parseTarget, type OvsdbPassive } from '../sources/ovsdb/target.ts'
import { SourceRecord, type OnFault, type SourceState } from './source.ts'

export interface HostsOptions {
  keys?: OvsdbKeys | undefined
  onFault: OnFault
  keeper?: KeeperOptions
  /** Hosts that call, known at a time; further ones are refused until one is forgotten. */
  maxCalling?: number
}

/** Called with what a host's OVSDB says, after each change. `gapFromMs` is since when it had not been heard, `atMs` if it had. */
export type OnOvs = (name: string, ovs: OvsHost, atMs: number, gapFromMs: number) => void

/** A request to the database of a host, beside the monitor. */
export type OvsdbRequest = (method: string, params: readonly unknown[]) => Promise<unknown>

interface Kept {
  target: string
  keeper: OvsdbKeeper | undefined
  record: SourceRecord
}

export class HostSources {
  private readonly onOvs: OnOvs
  private readonly options: HostsOptions
  private readonly kept = new Map<string, Kept>()
  private readonly called = new Map<string, SourceRecord>()
  private readonly callers = new Map<string, OvsdbRequest>()
  private listener: OvsdbListener | undefined
  /** Hosts whose call was not taken since too many are known. */
  private hostsRefused = 0

  constructor(onOvs: OnOvs, options: HostsOptions) {
    this.onOvs = onOvs
    this.options = options
  }

  /** Where servers that call are waited for; undefined when they are not. */
  get port(): number | undefined {
    return this.listener?.port
  }

  /** Hosts whose database is connected, and how to ask it. */
  *databases(): Generator<{ host: string; request: OvsdbRequest }> {
    for (const [host, { keeper, record }] of this.kept)
      if (keeper !== undefined && record.state.ok)
        yield { host, request: (method, params) => keeper.request(method, params) }
    for (const [host, request] of this.callers) if (this.called.get(host)?.state.ok === true) yield { host, request }
  }

  get states(): SourceState[] {
    const now = Date.now()
    for (const { keeper, record } of this.kept.values())
      if (keeper?.state(now).connected === true) record.state.freshAtMs = now
    for (const record of this.called.values()) if (record.state.ok) record.state.freshAtMs = now
    return [...[...this.kept.values()].map((kept) => kept.record), ...this.called.values()].map(({ state }) => state)
  }

  /** Waits for servers that call. Errors: those of `OvsdbListener.open`. */
  async listen(at: OvsdbPassive): Promise<void> {
    const { keys, onFault } = this.options
    this.listener = await OvsdbListener.open(
      at,
      ({ host, remote, atMs, request }) => {
        const name = host.hostname || remote
        if (!this.called.has(name) && this.called.size >= (this.options.maxCalling ?? Infinity)) {
          this.hostsRefused++
          return
        }
        this.callers.set(name, request)
        const record = this.called.get(name) ?? new SourceRecord('ovsdb_listen', `${name} (${remote})`, onFault)
        this.called.set(name, record)
        this.heard(record, name, host, atMs)
      },
      (name, reason) => {
        this.callers.delete(name)
        this.lost(this.called.get(name), reason)
      },
      keys === undefined ? {} : { keys },
    )
  }

  /** Calls that were not taken: connections beyond the bound, callers that are no OVSDB server, hosts beyond theirs. */
  get refused(): { connections: number; hosts: number } {
    return { connections: this.listener?.refused ?? 0, hosts: this.hostsRefused }
  }

  /** Whether a source names the host: what it said last stands then, however long it is silent. */
  isNamed(name: string): boolean {
    return this.kept.has(name)
  }

  /** When a host that calls was last heard, ms since 1970; undefined for others. */
  heardAt(name: string, nowMs: number): number | undefined {
    const state = this.called.get(name)?.state
    return state?.ok === true ? nowMs : state?.freshAtMs
  }

  /** How the OVSDB of a host stands; undefined when none is asked. */
  recordOf(name: string): SourceRecord | undefined {
    return this.kept.get(name)?.record ?? this.called.get(name)
  }

  /** Forgets a host that called. */
  forget(name: string): void {
    this.called.delete(name)
  }

  /** Keeps the servers that these hosts name: new ones are called, those no longer named are let go. */
  follow(hosts: readonly HostEntry[]): void {
    const wanted = new Map(
      hosts.flatMap(({ name, ovsdb }) => (ovsdb !== undefined && isTarget(ovsdb) ? [[name, ovsdb] as const] : [])),
    )
    for (const [name, { target, keeper }] of this.kept) {
      if (wanted.get(name) === target) continue
      keeper?.stop()
      this.kept.delete(name)
    }
    for (const [name, target] of wanted) if (!this.kept.has(name)) this.keep(name, target)
  }

  async stop(): Promise<void> {
    for (const { keeper } of this.kept.values()) keeper?.stop()
    this.kept.clear()
    await this.listener?.close()
  }

  private keep(name: string, target: string): void {
    const { onFault, keys, keeper: more } = this.options
    const record = new SourceRecord('ovsdb', target, onFault)
    const parsed = parseTarget(target)
    if (typeof parsed === 'string') {
      record.bad(parsed)
      this.kept.set(name, { target, keeper: undefined, record })
      return
    }
    const keeper = new OvsdbKeeper(parsed, (ovs, atMs) => this.heard(record, name, ovs, atMs), {
      ...(keys === undefined ? {} : { keys }),
      ...more,
      onLost: (reason) => this.lost(record, reason),
    })
    this.kept.set(name, { target, keeper, record })
    keeper.start()
  }

  private heard(record: SourceRecord, name: string, ovs: OvsHost, atMs: number): void {
    const { ok, freshAtMs } = record.state
    record.good(atMs, countsOf(ovs))
    this.onOvs(name, ovs, atMs, ok || freshAtMs === 0 ? atMs : freshAtMs)
  }

  private lost(record: SourceRecord | undefined, reason: Error): void {
    if (record === undefined) return
    if (record.state.ok) record.state.freshAtMs = Date.now()
    record.bad(reason)
  }
}

function countsOf(host: OvsHost): Record<string, number> {
  let interfaces = 0
  for (const bridge of host.bridges) for (const port of bridge.ports) interfaces += port.interfaces.length
  return { bridges: host.bridges.length, interfaces }
}
