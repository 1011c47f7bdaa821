/**
 * Writes down who was what, and when: compares the model with the states that are stored as holding now, ends those that hold no more, and
 * begins the new ones. Rows go the way of all rows, through the spool.
 *
 * What is stored is read once at the start, and again of what has changed before it is written: another collector of the same cloud may
 * have written it already.
 */
import { AppError } from '../errors.ts'
import { FOR_EVER_MS, IDENTITY_TABLE } from '../schema/identity-tables.ts'
import { type RowBlock, encodeRows } from '../schema/rows.ts'
import type { Store } from '../store/store.ts'
import { type HistoryRow, type Named, type State, type StateKind, eachState, signature } from './states.ts'

export interface HistorySources {
  store: Pick<Store, 'query'>
  model: () => Named
  /** Changes when the model may have changed. */
  version: () => number
  /** Whether every source has answered: before that, what is missing is not gone. */
  whole: () => boolean
  /** Since when an entry is as it is, ms; undefined when that is not known. */
  sinceOf: (id: string) => number | undefined
  onBlock: (block: RowBlock) => void
  /** Told when the store cannot be asked. */
  onFault: (error: AppError) => void
}

/** A state that is stored, without its end. */
interface Open {
  state: State
  signature: string
  fromMs: number
}

/** Rows of a block; more changes than that go into the next. */
const MAX_ROWS = 20_000
/** So many ids are asked for again before they are written; more come at the very start only. */
const MAX_ASKED = 1_000
/** States that are read back at the start. */
const MAX_OPEN = 2_000_000
const PAGE = 50_000

export class HistoryKeeper {
  /** Rows written. */
  rows = 0

  private readonly sources: HistorySources
  private readonly open = new Map<string, Open>()
  private loaded = false
  private seen = -1
  private wasWhole = false
  private working: Promise<void> | undefined
  private stopped = false

  constructor(sources: HistorySources) {
    this.sources = sources
  }

  /** States that hold now. */
  get size(): number {
    return this.open.size
  }

  /** To be called every few seconds; does nothing while the last call is at work, or when the model is the same. */
  tick(nowMs: number): Promise<void> {
    if (this.stopped) return Promise.resolve()
    this.working ??= this.work(nowMs)
      .catch((error: unknown) => {
        if (!(error instanceof AppError)) throw error
        if (!this.stopped) this.sources.onFault(error)
      })
      .finally(() => (this.working = undefined))
    return this.working
  }

  /** What is being compared comes to nothing, and is no fault. */
  stop(): void {
    this.stopped = true
  }

  private async work(nowMs: number): Promise<void> {
    const { sources } = this
    const version = sources.version()
    const whole = sources.whole()
    if (version === this.seen && whole === this.wasWhole) return
    if (!this.loaded) await this.load()
    const changed = new Map<string, State | undefined>()
    const present = new Set<string>()
    await eachState(sources.model(), (state) => {
      const key = keyOf(state)
      present.add(key)
      if (this.open.get(key)?.signature !== signature(state)) changed.set(key, state)
    })
    if (whole) for (const key of this.open.keys()) if (!present.has(key)) changed.set(key, undefined)
    const all = [...changed]
    const now = all.slice(0, MAX_ROWS / 2)
    if (now.length <= MAX_ASKED) await this.ask(now.map(([key]) => key))
    const rows = now.flatMap(([key, state]) => this.change(key, state, nowMs))
    if (this.stopped) return
    if (rows.length > 0) sources.onBlock(encodeRows(IDENTITY_TABLE, rows))
    this.rows += rows.length
    // What did not fit comes the next time.
    if (now.length === all.length) [this.seen, this.wasWhole] = [version, whole]
  }

  /** Rows that end what was and begin what is; none where another collector has written them. */
  private change(key: string, state: State | undefined, nowMs: number): HistoryRow[] {
    const before = this.open.get(key)
    if (state === undefined) {
      this.open.delete(key)
      return before === undefined ? [] : [rowOf(before, Math.max(nowMs, before.fromMs + 1), nowMs)]
    }
    const now = { state, signature: signature(state), fromMs: this.sinceOf(state.id, nowMs) }
    if (before?.signature === now.signature) return []
    // A source that tells a time from before what it told last: it changed then, and the row of that time is replaced.
    if (before !== undefined && now.fromMs < before.fromMs) now.fromMs = before.fromMs
    this.open.set(key, now)
    const begun = rowOf(now, FOR_EVER_MS, nowMs)
    return before === undefined || before.fromMs === now.fromMs ? [begun] : [rowOf(before, now.fromMs, nowMs), begun]
  }

  private sinceOf(id: string, nowMs: number): number {
    const ms = this.sources.sinceOf(id) ?? 0
    return ms > 0 && ms < nowMs ? ms : nowMs
  }

  private async load(): Promise<void> {
    let after: readonly [string, string] = ['', '']
    for (;;) {
      const { rows } = await this.sources.store.query({
        sql: `${SELECT} AND (toString(kind), id) > ({kind:String}, {id:String}) ORDER BY toString(kind), id LIMIT ${PAGE}`,
        params: { kind: after[0], id: after[1] },
      })
      for (const row of rows) this.learn(row)
      const last = rows.at(-1)
      if (last === undefined || rows.length < PAGE || this.open.size >= MAX_OPEN) break
      after = [String(last['kind']), String(last['id'])]
    }
    this.loaded = true
  }

  private async ask(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return
    const { rows } = await this.sources.store.query({
      sql: `${SELECT} AND id IN ({ids:Array(String)})`,
      params: { ids: keys.map((key) => key.slice(key.indexOf(' ') + 1)) },
    })
    for (const row of rows) this.learn(row)
  }

  /** The later of what is stored and what was written and may not be stored yet. */
  private learn(row: Readonly<Record<string, unknown>>): void {
    const text = (name: string) => String(row[name])
    const state: State = {
      // The set of the column is the set of the type.
      kind: text('kind') as StateKind,
      id: text('id'),
      name: text('name'),
      project_id: text('project_id'),
      project: text('project'),
      network_id: text('network_id'),
      server_id: text('server_id'),
      host: text('host'),
      mac: Number(row['mac']),
      addresses: text('addresses'),
    }
    const fromMs = Number(row['from_ms'])
    const known = this.open.get(keyOf(state))
    if (known === undefined || known.fromMs < fromMs)
      this.open.set(keyOf(state), { state, signature: signature(state), fromMs })
  }
}

const SELECT =
  `SELECT toString(kind) AS kind, id, name, project_id, project, network_id, server_id, host, mac, addresses, ` +
  `toUnixTimestamp64Milli(valid_from) AS from_ms FROM ${IDENTITY_TABLE.name} FINAL WHERE toUnixTimestamp64Milli(valid_to) = ${FOR_EVER_MS}`

function keyOf({ kind, id }: State): string {
  return `${kind} ${id}`
}

function rowOf({ state, fromMs }: Open, toMs: number, nowMs: number): HistoryRow {
  return { ...state, valid_from: fromMs, valid_to: toMs, written_at: nowMs }
}
