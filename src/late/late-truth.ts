/**
 * Late truth: rows whose ends were not known, or not told apart, because the model lagged are resolved again when it knows more, as of
 * their own time, and take the place of what was stored.
 *
 *   sealed block ── its unsure rows ──► room (memory and file) ── model changed ──► attributed again
 *                                                                   │ better, and still in the store as it was
 *                                                                   ▼
 *                                            block that replaces them ──► spool ──► store (delete, insert)
 *
 * A row is replaced only where an end that was not known becomes known and none becomes less so; a port that was known
 * stays, also that of an end which only OVSDB knew and of which Neutron tells more. Nothing is lost or doubled, whenever the process ends: a row is only replaced while the store holds it under its
 * number, what replaces it has another, and the spool's file is the journal (store/replace.ts).
 */
import { randomUUID } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import type { OnUnsure } from '../attribute/unsure.ts'
import { AppError } from '../errors.ts'
import { FlowBatch, getU64, setU64 } from '../schema/batch.ts'
import { COLUMN_NAMES, columnFacts } from '../schema/columns.ts'
import { FLOWS } from '../schema/ddl.ts'
import { KINDS } from '../schema/kinds.ts'
import { NativeEncoder } from '../schema/native.ts'
import { StringTable } from '../schema/strings.ts'
import { MOST_REPLACED } from '../store/replace.ts'
import type { Block, Store } from '../store/store.ts'
import { RawRows, type Standing } from './raw-rows.ts'
import { Rooms, type Room } from './rooms.ts'
import { RowNumbers } from './unsure-rows.ts'

/** What the surroundings give. */
export interface LateParts {
  store: Pick<Store, 'query'>
  /** Attributes by the model of the moment, and tells of rows that are still unsure. */
  attribute: (batch: FlowBatch, onUnsure: OnUnsure) => void
  /** Takes a block over; resolves when it is safe. */
  enqueue: (block: Block) => Promise<void>
  /** Blocks of an earlier process that the store has not taken yet. */
  inherited: () => number
  /** Another number when the model, or what exporters told, has changed. */
  version: () => number
  log: { warn(fields: object, message: string): void }
}

export interface LateOptions {
  /** The data directory. */
  data: string
  /** How long a row waits. */
  windowMs: number
  /** Rows that wait at a time; beyond it those that wait for longest are given up. */
  maxRows: number
  now?: () => number
}

export interface LateCounters {
  /** Rows replaced by better ones. */
  resolved: number
  /** Rows that waited for as long as they may. */
  expired: number
  /** Rows given up, or not taken, since too many wait. */
  overflow: number
}

/** Rows attributed again without giving way: a few milliseconds. Below what one block may replace. */
const SLICE = Math.min(4_096, MOST_REPLACED)
/** Changes of the model within this time are tried together; and trying takes at most this share of the time. */
const PAUSE_MS = 2_000
const MOST_SHARE = 0.05

export class LateTruth {
  readonly counters: LateCounters = { resolved: 0, expired: 0, overflow: 0 }
  private readonly parts: LateParts
  private readonly options: LateOptions
  private readonly now: () => number
  private readonly rooms: Rooms
  private readonly run = randomUUID()
  private blocks = 0
  private readonly numbers = new RowNumbers()
  private readonly work = new FlowBatch(SLICE, new StringTable(1 << 16))
  private readonly encoder = new NativeEncoder()
  private trying: Promise<void> | undefined
  private again = false
  private seen = -1
  private notBeforeMs = 0
  private inherited: Set<Room> | undefined
  private failed = false
  private stopped = false

  constructor(parts: LateParts, options: LateOptions) {
    this.parts = parts
    this.options = options
    this.now = options.now ?? Date.now
    this.rooms = new Rooms(options.data)
  }

  /** Rows that wait. */
  get waiting(): number {
    return this.rooms.waiting
  }

  /** Takes over what an earlier process left. Rejects when the directory cannot be read. */
  async start(): Promise<void> {
    await this.rooms.load(this.now() - this.options.windowMs)
    this.inherited = new Set(this.rooms.all)
  }

  /** Ends what is under way; what waits stays on disk for the next start. */
  async stop(): Promise<void> {
    this.stopped = true
    await this.trying
  }

  /** Takes over the unsure rows of a block that is not stored yet; resolves when they are safe. Never rejects. */
  take(rows: RawRows, refused = 0): Promise<void> {
    this.counters.overflow += refused
    return rows.rows === 0 ? Promise.resolve() : this.keep(rows, this.now())
  }

  /** Resolves when nothing is being tried. */
  async idle(): Promise<void> {
    await this.trying
  }

  /** To be called about once a second. */
  tick(): void {
    if (this.trying !== undefined || this.stopped) return
    this.trying = this.look()
      .catch((error: NodeJS.ErrnoException) => {
        if (error.syscall === undefined) throw error
        this.warn(`files of rows that wait cannot be handled: ${error.message}`)
      })
      .finally(() => (this.trying = undefined))
  }

  private async look(): Promise<void> {
    await this.expire()
    const version = this.parts.version()
    const news = this.again || version !== this.seen
    if (!news || this.waiting === 0 || this.now() < this.notBeforeMs || this.parts.inherited() > 0) return
    const startedMs = performance.now()
    this.again = false
    this.seen = version
    if (await this.forgetReplaced()) for (const room of [...this.rooms.all]) if (!this.stopped) await this.tryRoom(room)
    const tookMs = performance.now() - startedMs
    this.notBeforeMs = this.now() + Math.max(PAUSE_MS, tookMs / MOST_SHARE)
  }

  private async keep(rows: RawRows, sinceMs: number): Promise<void> {
    try {
      await this.rooms.open(rows, sinceMs)
    } catch (error) {
      this.warn(`rows that wait cannot be written: ${(error as Error).message}`)
    }
    while (this.waiting > this.options.maxRows) this.counters.overflow += await this.rooms.close(this.rooms.oldest!)
  }

  private async expire(): Promise<void> {
    const beforeMs = this.now() - this.options.windowMs
    for (const room of [...this.rooms.all]) {
      if (room.sinceMs >= beforeMs && room.waiting > 0) continue
      this.counters.expired += await this.rooms.close(room)
    }
  }

  /** Rows of an earlier process that it has replaced already are not in the store any more; false when that cannot be asked yet. */
  private async forgetReplaced(): Promise<boolean> {
    for (const room of this.inherited ?? []) {
      const { fromMs, toMs } = room.rows.received
      for (let at = 0; at < room.rows.rows; at += SLICE) {
        const part = Array.from({ length: Math.min(SLICE, room.rows.rows - at) }, (_, i) => at + i)
        const there = await this.inStore(
          part.map((row) => room.rows.waiting[row]!.id),
          fromMs,
          toMs,
        )
        if (there === undefined) return false
        for (const row of part) if (!there.has(room.rows.waiting[row]!.id)) this.rooms.leave(room, row)
      }
      this.inherited?.delete(room)
    }
    this.inherited = undefined
    return true
  }

  private async tryRoom(room: Room): Promise<void> {
    for (let at = 0; at < room.rows.rows;) {
      const picked: number[] = []
      for (; at < room.rows.rows && picked.length < SLICE; at++) if (room.waits[at] === 1) picked.push(at)
      if (picked.length > 0) await this.tryRows(room, picked)
      await turn()
    }
  }

  private async tryRows(room: Room, picked: readonly number[]): Promise<void> {
    const { work } = this
    work.reset()
    for (const row of picked) room.rows.copyTo(work, row)
    const unsure = new Map<number, Standing>()
    this.parts.attribute(work, (_batch, row, ends, ...known) => unsure.set(row, { ends, known }))
    const standing = (i: number) => unsure.get(i) ?? { ends: 0, known: this.portsOf(i) }
    const better = picked.flatMap((row, i) => (isBetter(standing(i), room.rows.waiting[row]!) ? [i] : []))
    if (better.length === 0) return
    const times = better.map((i) => getU64(work.columns.time_received, i))
    const fromMs = times.reduce((least, ms) => Math.min(least, ms), Infinity)
    const toMs = times.reduce((most, ms) => Math.max(most, ms), 0)
    const idOf = (i: number) => room.rows.waiting[picked[i]!]!.id
    const there = await this.inStore(better.map(idOf), fromMs, toMs)
    const found = better.filter((i) => there?.has(idOf(i)) === true && room.waits[picked[i]!] === 1)
    // Its block may still be on its way.
    if (found.length < better.length) this.again = true
    if (found.length === 0) return
    const ids = found.map(idOf)
    const waitOn = new RawRows(found.length)
    for (const [to, i] of found.entries()) {
      const { ends, known } = standing(i)
      moveRow(work, i, to)
      const id = ends === 0 ? 0 : this.numbers.next()
      setU64(work.columns.late_id, to, id)
      if (id !== 0) waitOn.addFrom(room.rows, picked[i]!, { id, ends, known })
    }
    work.truncate(found.length)
    const block = this.encoder.encode([work])
    if (waitOn.rows > 0) await this.keep(waitOn.trimmed(), room.sinceMs)
    const token = `late-${this.run}-${this.blocks++}`
    await this.parts.enqueue({ table: FLOWS, ...block, token, replaces: { ids, fromMs, toMs } })
    this.counters.resolved += found.length
    // Only now: what waits no more is safe.
    for (const i of found) this.rooms.leave(room, picked[i]!)
    if (room.waiting === 0) await this.rooms.close(room)
  }

  private portsOf(i: number): [source: string, destination: string] {
    const { columns: c, strings } = this.work
    return [strings.values[c.src_port_id[i]!]!, strings.values[c.dst_port_id[i]!]!]
  }

  /** Which of these the store holds; undefined when it does not answer. */
  private async inStore(ids: readonly number[], fromMs: number, toMs: number): Promise<Set<number> | undefined> {
    const sql = [
      `SELECT late_id FROM ${FLOWS} WHERE late_id IN {ids:Array(UInt64)}`,
      // The time names the partitions.
      "AND time_received >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')",
      "AND time_received <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')",
    ].join(' ')
    try {
      const { rows } = await this.parts.store.query({ sql, params: { ids, from: fromMs, to: toMs } })
      this.failed = false
      return new Set(rows.map((row) => Number(row['late_id'])))
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      this.again = true
      this.warn(`the store cannot be asked for rows that wait: ${error.message}`)
      return undefined
    }
  }

  /** A fault once, until something goes well again. */
  private warn(message: string): void {
    if (!this.failed) this.parts.log.warn({ waiting: this.waiting }, message)
    this.failed = true
  }
}

/**
 * Whether an end, or at least its port, is known now that was not, none is less so, and who was known is the same.
 */
function isBetter(now: Standing, before: Standing): boolean {
  const isOther = (port: string, end: number) => port !== now.known[end]
  if ((now.ends & ~before.ends) !== 0 || before.known.some((port, end) => port !== '' && isOther(port, end)))
    return false
  return now.ends !== before.ends || before.known.some(isOther)
}

const SHAPES = COLUMN_NAMES.map((name) => ({ name, lanes: KINDS[columnFacts(name).kind].lanes }))

function moveRow(batch: FlowBatch, from: number, to: number): void {
  if (from === to) return
  for (const { name, lanes } of SHAPES) batch.columns[name].copyWithin(to * lanes, from * lanes, (from + 1) * lanes)
}
