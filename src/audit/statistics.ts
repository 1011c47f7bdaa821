/**
 * Asks the OVSDB of each host now and then for the counters of its interfaces: one `select` of the table Interface (RFC 7047, 5.2.2),
 * over the connection that keeps the model. A monitor of that column would bring every change of every counter, every five seconds
 * (`other_config:stats-update-interval`), of every host.
 */
import { numberOf, textOf, type Row } from '../identity/sources/ovsdb/values.ts'

/** One host's database, and how it is asked. */
export interface Database {
  host: string
  request: (method: string, params: readonly unknown[]) => Promise<unknown>
}

/** Counters of one interface as OVSDB tells them; `rx` is what came into the switch. */
export interface Statistics {
  timeMs: number
  host: string
  name: string
  ifIndex: number
  ofport: number
  counters: ReadonlyMap<string, number>
}

export interface PollerOptions {
  /** How often each host is asked. */
  everyMs: number
  databases: () => Iterable<Database>
  onStatistics: (statistics: Statistics) => void
  /** Hosts asked at a time. */
  parallel?: number
  now?: () => number
}

const PARALLEL = 8
/** Interfaces of one answer that are looked at; more than a host has. */
const MOST_INTERFACES = 16_384
/** Counters of an interface that are looked at; Open vSwitch has some forty. */
const MOST_COUNTERS = 256
/** Patch ports have no device and count nothing that others do not. */
const SELECT = [
  'Open_vSwitch',
  {
    op: 'select',
    table: 'Interface',
    where: [['type', '!=', 'patch']],
    columns: ['name', 'ifindex', 'ofport', 'statistics'],
  },
] as const

export class StatisticsPoller {
  /** Answers read, and requests that failed or were answered in words that are not known. */
  answers = 0
  failures = 0

  private readonly options: PollerOptions
  private readonly now: () => number
  /** When each host was asked last, and whether its answer is still awaited. */
  private readonly asked = new Map<string, { atMs: number; waiting: boolean }>()
  private inFlight = 0

  constructor(options: PollerOptions) {
    this.options = options
    this.now = options.now ?? Date.now
  }

  /** Asks those whose time has come, a few at a time: to be called every second. */
  tick(): void {
    const { databases, everyMs, parallel = PARALLEL } = this.options
    const now = this.now()
    const known = new Set<string>()
    for (const database of databases()) {
      known.add(database.host)
      const last = this.asked.get(database.host)
      if (this.inFlight >= parallel || last?.waiting === true || Math.abs(now - (last?.atMs ?? -Infinity)) < everyMs)
        continue
      void this.ask(database, now)
    }
    for (const host of this.asked.keys()) if (!known.has(host)) this.asked.delete(host)
  }

  private async ask({ host, request }: Database, nowMs: number): Promise<void> {
    const state = { atMs: nowMs, waiting: true }
    this.asked.set(host, state)
    this.inFlight++
    try {
      this.read(host, await request('transact', SELECT))
      this.answers++
    } catch {
      // The connection's own keeper says what is wrong with it.
      this.failures++
    } finally {
      state.waiting = false
      this.inFlight--
    }
  }

  private read(host: string, answer: unknown): void {
    const rows: unknown = Array.isArray(answer) ? (answer[0] as { rows?: unknown } | null)?.rows : undefined
    if (!Array.isArray(rows)) throw new Error('no rows')
    const timeMs = this.now()
    for (const row of rows.slice(0, MOST_INTERFACES) as Row[]) {
      const name = textOf(row['name'])
      const counters = countersOf(row['statistics'])
      if (name === '' || counters.size === 0) continue
      const ifIndex = Math.max(0, numberOf(row['ifindex']) ?? 0)
      this.options.onStatistics({ timeMs, host, name, ifIndex, ofport: numberOf(row['ofport']) ?? 0, counters })
    }
  }
}

/** `["map", [["rx_bytes", 42], …]]`, RFC 7047, 5.1; values are integers. What is not is left out. */
function countersOf(value: unknown): ReadonlyMap<string, number> {
  const counters = new Map<string, number>()
  const pairs: unknown = Array.isArray(value) && value[0] === 'map' ? value[1] : undefined
  if (!Array.isArray(pairs)) return counters
  for (const pair of pairs.slice(0, MOST_COUNTERS) as unknown[]) {
    const [name, count] = Array.isArray(pair) ? (pair as unknown[]) : []
    if (typeof name === 'string' && Number.isSafeInteger(count) && Number(count) >= 0) counters.set(name, Number(count))
  }
  return counters
}
