/** What is counted beside the flows, as rows of their tables: asked for every few seconds, written like flows. */
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import { blocksOfRows, RowEncoder, type RowBlock } from '../schema/rows.ts'
import { COUNTERS_TABLE, HEALTH_TABLE } from '../schema/side-tables.ts'
import type { BuiltPipeline } from './build.ts'
import { type Input, PROTOCOL } from './demultiplex.ts'

const MINUTE_MS = 60_000
/** Rows of a block. A flood makes as many as there are places for streams: in one block they and their columns took 150 MiB at a time. */
const BLOCK_ROWS = 8_192

/** Whose datagrams a listener drops. */
const PROTOCOLS_OF: Readonly<Record<Input, readonly number[]>> = {
  netflow: [PROTOCOL.netflow5, PROTOCOL.netflow9],
  ipfix: [PROTOCOL.ipfix],
  sflow: [PROTOCOL.sflow5],
  vxlan: [PROTOCOL.vxlan],
  gre: [PROTOCOL.gre],
}

export interface SideSources {
  snapshot: () => IdentitySnapshot
  /** Running totals of datagrams that the kernel dropped, by listener. */
  kernelDrops?: () => Iterable<readonly [Input, number]>
  /** Running total of rows lost after decoding. */
  rowsDropped?: () => number
}

export class SideRows {
  private readonly built: BuiltPipeline
  private readonly sources: SideSources
  private readonly everyMs: number
  private readonly health = new RowEncoder(HEALTH_TABLE)
  private readonly counters = new RowEncoder(COUNTERS_TABLE)
  private readonly lastDrops = new Map<Input, number>()
  private lastRowsDropped = 0
  private minuteMs = -1
  private takenMs = 0

  /** Rows are written every `everyMs`, and when a minute ends. */
  constructor(built: BuiltPipeline, sources: SideSources, everyMs: number) {
    this.built = built
    this.sources = sources
    this.everyMs = everyMs
  }

  /** To be called often with the clock (a capture's own in a replay): the blocks to be written now. */
  tick(nowMs: number): RowBlock[] {
    const minuteMs = nowMs - (nowMs % MINUTE_MS)
    if (this.minuteMs < 0) this.begin(minuteMs, nowMs)
    if (minuteMs === this.minuteMs && nowMs - this.takenMs < this.everyMs) return []
    const blocks = this.take()
    this.begin(minuteMs, nowMs)
    return blocks
  }

  /** Everything that is left; what is still missing counts as lost. */
  end(): RowBlock[] {
    this.built.pipeline.parts.observations.settle(Infinity)
    if (this.minuteMs < 0) return []
    const blocks = this.take()
    this.minuteMs = -1
    return blocks
  }

  private begin(minuteMs: number, nowMs: number): void {
    this.minuteMs = minuteMs
    this.takenMs = nowMs
  }

  private take(): RowBlock[] {
    const { observations, clocks } = this.built.pipeline.parts
    const { health, counters } = observations
    for (const [input, total] of this.sources.kernelDrops?.() ?? []) {
      health.share('kernel_drops', PROTOCOLS_OF[input], total - (this.lastDrops.get(input) ?? 0))
      this.lastDrops.set(input, total)
    }
    const dropped = this.sources.rowsDropped?.() ?? 0
    if (dropped > this.lastRowsDropped) health.addToNobody('rows_dropped', dropped - this.lastRowsDropped)
    this.lastRowsDropped = dropped
    const snapshot = this.sources.snapshot()
    const rows = health.take(this.minuteMs, {
      host: (lanes) => snapshot.hosts[snapshot.hostAt(lanes, 0)]!.name,
      clockOffset: (place) => clocks.offsetMs[place]!,
      templates: (exporterId) => this.built.ipfix.templates.countOf(exporterId),
    })
    return [
      ...blocksOfRows(this.health, rows, BLOCK_ROWS),
      ...blocksOfRows(this.counters, counters.take(snapshot), BLOCK_ROWS),
    ]
  }
}
