/**
 * Keeps what one OVSDB server says current: connects, monitors, and connects again with backoff and jitter when it is gone.
 *
 * Nothing is believed over a reconnect: tags and OpenFlow ports may have been given to others meanwhile (seen: two tenants' local
 * VLANs swapped after a rebuild), so the tables are read anew; from a server with history, all that has changed since. Until then the
 * last ones stand, with their age.
 */
import type { OvsdbConnection } from './client.ts'
import { readOvsHost, type OvsHost } from './host.ts'
import { monitor, type Monitored, type MonitorOptions, type Since } from './monitor.ts'
import type { OvsdbTables } from './tables.ts'
import { formatTarget, type OvsdbTarget } from './target.ts'

export interface KeeperOptions extends Omit<MonitorOptions, 'onChange' | 'onClose' | 'since'> {
  /** First and longest pause between two tries; each doubles the last, less a random half. */
  backoffMs?: number
  maxBackoffMs?: number
  /**
   * Updates within this time become one change: Neutron plugs a port in three transactions, and a rebuild brings hundreds.
   * Default 20 ms.
   */
  gatherMs?: number
  /** Told each time the connection is lost or cannot be made. */
  onLost?: (reason: Error) => void
  random?: () => number
}

/** How a source stands. */
export interface KeeperState {
  target: string
  connected: boolean
  /** When it last said anything true: the last update, or now while connected. 0 = never. */
  freshAtMs: number
  connects: number
  /** How many of them went on from where the last ended. */
  resumed: number
  changes: number
  /** Why it is not connected; '' when it is. */
  fault: string
}

export type OnHost = (host: OvsHost, atMs: number) => void
export type OnTables = (tables: OvsdbTables, atMs: number) => void

const BACKOFF_MS = 500
const MAX_BACKOFF_MS = 30_000
/** Default of `gatherMs`. */
export const GATHER_MS = 20

/** Keeps the tables of any database. */
export class TablesKeeper {
  private readonly target: OvsdbTarget
  private readonly options: KeeperOptions
  private readonly onTables: OnTables
  private readonly facts: KeeperState
  private connection: OvsdbConnection | undefined
  private timer: NodeJS.Timeout | undefined
  private gather: NodeJS.Timeout | undefined
  private failures = 0
  private stopped = false
  private monitored: Monitored | undefined
  private since: Since | undefined

  /** `onTables` is called after the first snapshot and after each change; it must not keep them. */
  constructor(target: OvsdbTarget, onTables: OnTables, options: KeeperOptions = {}) {
    this.target = target
    this.onTables = onTables
    this.options = options
    this.facts = {
      target: formatTarget(target),
      connected: false,
      freshAtMs: 0,
      connects: 0,
      resumed: 0,
      changes: 0,
      fault: 'not tried yet',
    }
  }

  start(): void {
    void this.connect()
  }

  stop(): void {
    this.stopped = true
    clearTimeout(this.timer)
    clearTimeout(this.gather)
    this.connection?.close()
  }

  /** Asks the server something beside the monitor. Rejects when it is not connected, or as the connection does. */
  request(method: string, params: readonly unknown[]): Promise<unknown> {
    return this.connection?.request(method, params) ?? Promise.reject(new Error(this.facts.fault))
  }

  state(nowMs: number): KeeperState {
    return { ...this.facts, freshAtMs: this.facts.connected ? nowMs : this.facts.freshAtMs }
  }

  private async connect(): Promise<void> {
    let monitored: Monitored | undefined
    let lost: Error | undefined
    try {
      monitored = await monitor(this.target, {
        ...this.options,
        since: this.since,
        onChange: () => this.changed(monitored),
        onClose: (reason) => {
          lost = reason
          if (monitored !== undefined) this.onLost(reason)
        },
      })
    } catch (error) {
      this.onLost(error instanceof Error ? error : new Error(String(error)))
      return
    }
    if (this.stopped) {
      monitored.connection.close()
      return
    }
    this.since = monitored.since()
    if (lost !== undefined) {
      this.onLost(lost)
      return
    }
    this.connection = monitored.connection
    this.monitored = monitored
    this.failures = 0
    this.facts.connected = true
    this.facts.connects++
    if (monitored.resumed) this.facts.resumed++
    this.facts.fault = ''
    this.publish(monitored)
  }

  private changed(monitored: Monitored | undefined): void {
    this.gather ??= setTimeout(() => {
      this.gather = undefined
      if (monitored !== undefined && this.facts.connected && !this.stopped) this.publish(monitored)
    }, this.options.gatherMs ?? GATHER_MS)
  }

  private publish(monitored: Monitored): void {
    const now = Date.now()
    this.facts.freshAtMs = now
    this.facts.changes++
    this.onTables(monitored.tables, now)
  }

  private onLost(reason: Error): void {
    if (this.stopped) return
    if (this.facts.connected) this.facts.freshAtMs = Date.now()
    this.facts.connected = false
    this.facts.fault = reason.message
    this.options.onLost?.(reason)
    this.connection = undefined
    if (this.monitored !== undefined) this.since = this.monitored.since()
    this.monitored = undefined
    clearTimeout(this.gather)
    this.gather = undefined
    const { backoffMs = BACKOFF_MS, maxBackoffMs = MAX_BACKOFF_MS, random = Math.random } = this.options
    const pause = Math.min(maxBackoffMs, backoffMs * 2 ** Math.min(this.failures++, 20))
    // Full jitter over the upper half, so that a thousand hosts do not call at once after a network fault.
    this.timer = setTimeout(() => void this.connect(), pause * (0.5 + random() / 2))
  }
}

/** Keeps what a switch says. */
export class OvsdbKeeper extends TablesKeeper {
  /** `onHost` is called with the whole picture after the first snapshot and after each change. */
  constructor(target: OvsdbTarget, onHost: OnHost, options: KeeperOptions = {}) {
    super(target, (tables, atMs) => onHost(readOvsHost(tables), atMs), options)
  }
}
