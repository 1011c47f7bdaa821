import { BATCH_DATAGRAMS, LONGEST_DATAGRAM, newBatch, type FillableBatch } from './arena.ts'
import type { DatagramBatch, ReceiverOptions, ReceiverStats } from './receiver.ts'

/** Room for a batch of datagrams as exporters send them, and one of any size behind them. */
const ARENA_BYTES = BATCH_DATAGRAMS * 1536 + LONGEST_DATAGRAM

/**
 * Datagrams that come one by one, gathered until the event loop has read what is there, or a batch is full.
 *
 * Before `start` the batch may fill up; what then does not fit is dropped and counted in `early`.
 */
export class Gather {
  readonly batch: FillableBatch = newBatch(ARENA_BYTES)
  readonly totals: ReceiverStats
  early = 0
  private readonly maxBytes: number
  private used = 0
  private pending: NodeJS.Immediate | undefined
  private onBatch: ((batch: DatagramBatch) => void) | undefined

  constructor(options: ReceiverOptions) {
    this.maxBytes = Math.min(options.maxDatagramBytes ?? LONGEST_DATAGRAM, LONGEST_DATAGRAM)
    this.totals = {
      datagrams: 0,
      bytes: 0,
      kernelDrops: 0,
      truncated: 0,
      bufferBytes: 0,
      bufferBytesAsked: options.bufferBytes,
    }
  }

  start(onBatch: (batch: DatagramBatch) => void): void {
    if (this.onBatch !== undefined) throw new Error('a receiver is started once')
    this.onBatch = onBatch
    if (this.batch.count > 0) this.pending = setImmediate(() => this.flush())
  }

  /** Copies `bytes[start .. end)`; answers which datagram of the batch it is, whose source the caller fills in, or -1 when dropped. */
  add(bytes: Uint8Array, start: number, end: number): number {
    const { batch } = this
    const length = Math.min(end - start, this.maxBytes)
    if (batch.count === BATCH_DATAGRAMS || this.used + length > batch.bytes.length) {
      if (this.onBatch === undefined) {
        this.early++
        return -1
      }
      this.flush()
    }
    const i = batch.count++
    batch.bytes.set(bytes.subarray(start, start + length), this.used)
    batch.start[i] = this.used
    this.used += length
    batch.end[i] = this.used
    this.totals.datagrams++
    this.totals.bytes += length
    if (length < end - start) this.totals.truncated++
    if (this.onBatch !== undefined) this.pending ??= setImmediate(() => this.flush())
    return i
  }

  /** Hands over what there is. */
  flush(): void {
    clearImmediate(this.pending)
    this.pending = undefined
    if (this.batch.count === 0 || this.onBatch === undefined) return
    this.batch.receivedMs = Date.now()
    this.onBatch(this.batch)
    this.batch.count = 0
    this.used = 0
  }
}
