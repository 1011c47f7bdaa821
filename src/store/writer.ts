/**
 * Blocks on their way into the store: first into the spool, then inserted in order, tried again for as long as that may help.
 *
 * Nothing that was safe is lost: a block leaves the spool when the store has acknowledged it, when the store refused it for good
 * (then it is in quarantine), or when the spool is full and newer blocks push the oldest out. Nothing is doubled: a block keeps
 * its token whatever happens.
 */
import { join } from 'node:path'
import { AppError } from '../errors.ts'
import { Attempts } from './attempts.ts'
import { Alarm, backoffMs, within } from './pacing.ts'
import { Quarantine } from './quarantine.ts'
import { Spool, type Spooled } from './spool.ts'
import type { Block, Store } from './store.ts'
import { type WriterCounters, newCounters } from './writer-counters.ts'

/** Where the writer says what an operator should know; a pino logger fits. */
export interface WriterLog {
  warn(fields: object, message: string): void
}

export interface WriterOptions {
  /** The data directory; the spool and the quarantine are in it. */
  directory: string
  /** Blocks that the store has not taken yet, in bytes on disk. */
  spoolBytes?: number
  quarantineBytes?: number
  /** Whether a block is on the disk itself when `enqueue` resolves. */
  sync?: boolean
  /** Inserts at a time. */
  parallel?: number
  /** Whether the store takes blocks already; until it does they wait in the spool. Always, where it is not said. */
  ready?: () => boolean
  log?: WriterLog
}

const DEFAULT_SPOOL_BYTES = 4 * 1024 ** 3
const DEFAULT_QUARANTINE_BYTES = 1024 ** 3
const RETRY_PAUSE = { firstMs: 100, maxMs: 30_000 }
const IDLE_MS = 1_000

export class Writer {
  readonly counters: WriterCounters = newCounters()
  /** Why the last attempt failed; undefined again when one succeeds. */
  lastError: AppError | undefined

  private readonly store: Store
  private readonly spool: Spool
  private readonly quarantine: Quarantine
  private readonly log: WriterLog
  private readonly ready: () => boolean
  private readonly alarm = new Alarm()
  private readonly attempts = new Attempts<Spooled>()
  private readonly inFlight = new Set<Spooled>()
  /** Writing to the spool, one block at a time. */
  private spooling: Promise<void> = Promise.resolve()
  private waitingForSpool = 0
  private failuresInARow = 0
  private closed = false
  private readonly inserting: Promise<unknown>

  private constructor(store: Store, spool: Spool, options: WriterOptions) {
    const { directory, quarantineBytes = DEFAULT_QUARANTINE_BYTES, parallel = 1 } = options
    this.store = store
    this.spool = spool
    this.quarantine = new Quarantine(join(directory, 'quarantine'), quarantineBytes)
    this.log = options.log ?? { warn() {} }
    this.ready = options.ready ?? (() => true)
    this.inserting = Promise.all(Array.from({ length: parallel }, () => this.insertAll()))
  }

  /** Opens the spool and begins to insert what an earlier process left there. The store must be migrated, or `ready` say when it is. */
  static async open(store: Store, options: WriterOptions): Promise<Writer> {
    const { spoolBytes = DEFAULT_SPOOL_BYTES, sync = false } = options
    const directory = join(options.directory, 'spool')
    try {
      return new Writer(store, await Spool.open({ directory, maxBytes: spoolBytes, sync }), options)
    } catch (error) {
      throw new AppError('data_dir_unwritable', `cannot open the spool ${directory}: ${messageOf(error)}`, {
        cause: error,
      })
    }
  }

  /** Blocks on disk that the store has not taken, and their bytes. */
  get spoolBlocks(): number {
    return this.spool.size
  }

  get spoolBytes(): number {
    return this.spool.bytes
  }

  /** How long the block that waits for longest has been in the spool; 0 when none waits. */
  lagMs(nowMs: number): number {
    let sinceMs = nowMs
    for (const block of this.spool.waiting) sinceMs = Math.min(sinceMs, block.sinceMs)
    return nowMs - sinceMs
  }

  /** Blocks of an earlier process that the store has not taken. */
  get inheritedBlocks(): number {
    let count = 0
    for (const block of this.spool.waiting) if (!block.own) count++
    return count
  }

  /** Blocks in memory that wait for the spool. The caller bounds them: it has a promise for each. */
  get memoryBlocks(): number {
    return this.waitingForSpool
  }

  /**
   * Takes a block over at once; `block.bytes` must stay as it is until `block.release` is called. Resolves when the block is safe: in
   * the spool, in the store, or given up and counted. Never rejects.
   */
  enqueue(block: Block): Promise<void> {
    this.counters.enqueuedBlocks++
    this.counters.enqueuedRows += block.rows
    this.waitingForSpool++
    return (this.spooling = this.spooling.then(() => this.keep(block)))
  }

  /** Resolves with true when everything enqueued so far has left the spool, or with false after `limitMs`. */
  async flush(limitMs = Infinity): Promise<boolean> {
    const endMs = performance.now() + limitMs
    if (!(await within(this.spooling, limitMs))) return false
    const blocks = [...this.spool.waiting, ...this.inFlight]
    while (blocks.some((block) => this.spool.has(block) || this.inFlight.has(block))) {
      const restMs = endMs - performance.now()
      if (restMs <= 0) return false
      await this.alarm.pause(Math.min(restMs, IDLE_MS))
    }
    return true
  }

  /** Flushes for at most `limitMs`, then stops; what the store has not taken stays in the spool for the next start. */
  async close(limitMs = 10_000): Promise<void> {
    // Where the store is not ready nothing leaves the spool.
    await (this.ready() ? this.flush(limitMs) : within(this.spooling, limitMs))
    this.closed = true
    this.alarm.ring()
    await within(Promise.all([this.spooling, this.inserting]), limitMs)
  }

  /** Into the spool, or straight into the store where the spool cannot be written; tries until one of them works. */
  private async keep(given: Block): Promise<void> {
    const shard = given.shard ?? this.store.place?.(given.token)
    const block = shard === undefined ? given : { ...given, shard }
    for (let attempt = 0; !((await this.keepInSpool(block)) || (await this.insertFromMemory(block))); attempt++) {
      if (this.closed) {
        this.drop(block, 'the process ends, and neither the spool nor the store takes a block')
        break
      }
      await this.alarm.sleep(backoffMs(attempt, RETRY_PAUSE), () => this.closed)
    }
    this.waitingForSpool--
    block.release?.()
    this.alarm.ring()
  }

  private async keepInSpool(block: Block): Promise<boolean> {
    const oldest = this.spool.overflow(block, (other) => this.inFlight.has(other))
    if (oldest === undefined) {
      this.drop(block, 'the spool is too small for a block')
      return true
    }
    try {
      for (const old of oldest) {
        await this.leave(old, () => this.spool.remove(old))
        this.drop(old, 'the spool is full, since the store does not take them')
      }
      await this.spool.write(block)
      return true
    } catch (error) {
      this.counters.spoolFailures++
      this.log.warn({ directory: this.spool.directory }, `the spool cannot be written: ${messageOf(error)}`)
      return false
    }
  }

  private async insertFromMemory(block: Block): Promise<boolean> {
    if (!this.ready()) return false
    const error = await this.insert(block)
    // A block that the store will never read has nowhere to go.
    if (error?.code === 'store_refused') this.drop(block, error.message)
    return error === undefined || error.code === 'store_refused'
  }

  /** The oldest block that is free, for ever. */
  private async insertAll(): Promise<void> {
    while (!this.closed) {
      const block = this.ready() ? this.next() : undefined
      if (block === undefined) {
        await this.alarm.pause(IDLE_MS)
        continue
      }
      this.inFlight.add(block)
      const pauseMs = await this.insertSpooled(block)
      this.inFlight.delete(block)
      this.alarm.ring()
      await this.alarm.sleep(pauseMs, () => this.closed)
    }
  }

  private next(): Spooled | undefined {
    let postponed: Spooled | undefined
    for (const block of this.spool.waiting) {
      if (this.inFlight.has(block)) continue
      if (!this.attempts.isPostponed(block)) return block
      postponed ??= block
    }
    return postponed
  }

  /** Returns how long to wait before the next attempt. */
  private async insertSpooled(block: Spooled): Promise<number> {
    const state = await this.spool.state(block)
    if (state !== 'sound') {
      this.counters.damagedBlocks++
      this.counters.damagedRows += block.rows
      this.log.warn({ file: block.file, rows: block.rows }, `rows are lost: a block in the spool is ${state}`)
      if (state === 'gone') await this.leave(block, () => this.spool.remove(block))
      else await this.putAside(block, 'its bytes are not those that were written')
      return 0
    }
    // Shards may not have been known when it was written.
    const shard = block.shard ?? this.store.place?.(block.token)
    if (shard !== undefined) block.shard = shard
    const error = await this.insert(block)
    if (error === undefined) {
      await this.leave(block, () => this.spool.remove(block))
      return 0
    }
    if (this.attempts.isHopeless(block, error, this.counters.inserts)) {
      this.counters.quarantinedBlocks++
      this.counters.quarantinedRows += block.rows
      await this.putAside(block, error.message)
      return 0
    }
    return backoffMs(this.failuresInARow - 1, RETRY_PAUSE)
  }

  /** Returns why it failed. */
  private async insert(block: Block | Spooled): Promise<AppError | undefined> {
    try {
      await this.store.insert(block)
    } catch (error) {
      // Anything else is a bug, and ends the process.
      if (!(error instanceof AppError)) throw error
      this.lastError = error
      this.counters.insertFailures++
      this.failuresInARow++
      // The first failures and then every doubling: an outage of an hour is a dozen lines.
      if (Number.isInteger(Math.log2(this.failuresInARow)))
        this.log.warn({ code: error.code, failures: this.failuresInARow, waiting: this.spool.size }, error.message)
      return error
    }
    this.counters.inserts++
    this.countInserted(block)
    this.failuresInARow = 0
    this.lastError = undefined
    return undefined
  }

  private countInserted({ table, rows }: Pick<Block, 'table' | 'rows'>): void {
    const { counters } = this
    counters.insertedRows += rows
    counters.insertedRowsOf.set(table, (counters.insertedRowsOf.get(table) ?? 0) + rows)
  }

  private async putAside(block: Spooled, reason: string): Promise<void> {
    await this.leave(block, async () => {
      const { file, evicted } = await this.quarantine.keep(this.spool, block, reason)
      this.counters.evictedBlocks += evicted
      this.log.warn({ file, rows: block.rows }, `a block is in quarantine: ${reason}`)
    })
  }

  /** Ends a block's time in the spool. Where its files cannot be moved, the next start finds them: its token tells the store. */
  private async leave(block: Spooled, moveFiles: () => Promise<void>): Promise<void> {
    this.attempts.forget(block)
    try {
      await moveFiles()
    } catch (error) {
      this.log.warn({ file: block.file }, `a file of the spool cannot be moved or removed: ${messageOf(error)}`)
    }
  }

  private drop(block: Block | Spooled, reason: string): void {
    this.counters.droppedBlocks++
    this.counters.droppedRows += block.rows
    this.log.warn({ rows: block.rows }, `rows are lost: ${reason}`)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
