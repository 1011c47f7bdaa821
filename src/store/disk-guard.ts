/**
 * Frees the oldest partitions before the disk of the store is full: full, it would take no new rows, and merges would fail as well.
 * One partition a look, and none while what was removed has not left the disk yet.
 */
import { AppError } from '../errors.ts'
import { type Partition, dropPartition, isLeaving, oldestPartition } from './retention.ts'
import { type Store, askEvery } from './store.ts'

export interface DiskGuardOptions {
  /** Bytes that are to be free on every disk of the store. */
  freeBytes: number
  log: { warn(fields: object, message: string): void }
}

export class DiskGuard {
  /** Rows removed since the start. */
  freedRows = 0
  freedPartitions = 0

  private readonly store: Store
  private readonly log: DiskGuardOptions['log']
  /** May be changed at any time. */
  freeBytes: number
  private looking = false
  private stuck = false
  /** What was removed last. */
  private last: Partition | undefined

  constructor(store: Store, { freeBytes, log }: DiskGuardOptions) {
    this.store = store
    this.freeBytes = freeBytes
    this.log = log
  }

  /** To be called now and then. Resolves with what was removed. A store that does not answer is not its business. */
  async look(): Promise<Partition | undefined> {
    if (this.looking) return undefined
    this.looking = true
    try {
      return await this.free()
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      this.log.warn({ code: error.code }, `cannot look at the disk of the store: ${error.message}`)
      return undefined
    } finally {
      this.looking = false
    }
  }

  private async free(): Promise<Partition | undefined> {
    const { freeBytes, log } = this
    const free = await freeOf(this.store)
    if (free >= freeBytes) {
      this.stuck = false
      return undefined
    }
    if (this.last !== undefined && (await isLeaving(this.store, this.last))) return undefined
    const partition = await oldestPartition(this.store)
    if (partition === undefined) {
      if (!this.stuck)
        log.warn({ free, wanted: freeBytes }, 'the disk is nearly full, and only the newest rows are left')
      this.stuck = true
      return undefined
    }
    await dropPartition(this.store, partition)
    this.last = partition
    this.freedRows += partition.rows
    this.freedPartitions++
    const { table, name, rows, bytes } = partition
    log.warn(
      { table, partition: name, rows, bytes, free, wanted: freeBytes },
      'the disk is nearly full: the oldest rows are removed',
    )
    return partition
  }
}

/** Bytes free on the fullest disk. */
async function freeOf(store: Store): Promise<number> {
  const sql = `SELECT min(unreserved_space) AS free FROM system.disks WHERE type = 'Local'`
  const { rows } = await askEvery(store, 'server', { sql, params: {} })
  return Math.min(Infinity, ...rows.map((row) => Number(row['free'] ?? Infinity)))
}
