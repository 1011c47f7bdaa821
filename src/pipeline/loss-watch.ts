/** Tells the operator when something is lost, at most a line a kind and interval; the metrics have the figures. */
import type { Logger } from '../telemetry/log.ts'
import type { BuiltPipeline } from './build.ts'
import type { Listeners } from './listeners.ts'

/** A running total that should stand still, and what to say when it rises. */
interface Watched {
  read: () => number
  fields: Record<string, unknown>
  message: string
}

export class LossWatch {
  private readonly log: Logger
  private readonly watched: readonly Watched[]
  private readonly last: number[]

  constructor(log: Logger, listeners: Listeners, { pipeline }: BuiltPipeline) {
    this.log = log
    const { counters, parts } = pipeline
    const { exporters, observations } = parts
    this.watched = [
      ...[...listeners].map(([listener, receiver]) => ({
        read: () => receiver.stats().kernelDrops,
        fields: { listener },
        message: 'the kernel dropped datagrams: the receive buffer was full (receive_buffer, net.core.rmem_max)',
      })),
      {
        read: () => counters.dropped.overload,
        fields: {},
        message: 'datagrams were dropped: flows come faster than they can be stored',
      },
      {
        read: () => exporters.refused,
        fields: {},
        message: 'datagrams of new exporters were dropped: max_exporters is reached',
      },
      {
        read: () => observations.lost.reduce((sum, count) => sum + count, 0),
        fields: {},
        message: 'records were lost on their way here, by gaps in sequence numbers',
      },
      {
        read: () => observations.sequences.mixed,
        fields: {},
        message: 'sequence numbers of two bridges are mixed: give each bridge its own engine_id or observation domain',
      },
    ]
    this.last = this.watched.map(({ read }) => Math.max(0, read()))
  }

  /** To be called every few seconds. */
  look(): void {
    for (const [i, { read, fields, message }] of this.watched.entries()) {
      const now = read()
      if (now > this.last[i]!) this.log.warn({ ...fields, count: now - this.last[i]! }, message)
      this.last[i] = Math.max(0, now)
    }
  }
}
