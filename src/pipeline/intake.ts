/** All that one thread does of a collector's way: receivers → pipeline → blocks, and what is counted beside them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Attributor } from '../attribute/attributor.ts'
import { UnsureRows, expectsPorts } from '../late/unsure-rows.ts'
import type { Config } from '../config/options.ts'
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import { FLOWS } from '../schema/ddl.ts'
import type { SumsBlock } from '../schema/native-sums.ts'
import type { RowBlock } from '../schema/rows.ts'
import type { Logger } from '../telemetry/log.ts'
import type { Readers } from '../telemetry/metrics.ts'
import { SampledLog } from '../telemetry/sampled-log.ts'
import { type BuiltPipeline, type LiveSettings, buildPipeline, changePipeline } from './build.ts'
import { LearnedInterfaces, type LearnedNews } from './learned-names.ts'
import { type Listeners, closeListeners } from './listeners.ts'
import { LossWatch } from './loss-watch.ts'
import { listenerReaders, pipelineReaders } from './readings.ts'
import { SideRows } from './side-rows.ts'
import { TemplateFile } from './template-file.ts'

const TICK_MS = 100
const WATCH_MS = 10_000
const SIDE_TICK_MS = 1_000
/** What is counted beside the flows is written this often. */
const SIDE_WRITE_MS = 10_000

/** Rows of any table; flow records come with their sums. */
export interface IntakeBlock extends RowBlock {
  sums?: SumsBlock
  /** Rows that a later model may resolve, as late/raw-rows.ts writes them, and how many more there were. */
  late?: { rows: Uint8Array; refused: number }
}

/** What the surroundings give. */
export interface IntakeEnds {
  /** The model of the moment. */
  snapshot: () => IdentitySnapshot
  /** Takes a block over; resolves when it is safe, and then its memory may be used again. */
  keep: (block: IntakeBlock) => Promise<void>
  /** Told of what a host without OVSDB is seen to report, when that is new. */
  onReports?: (host: string, reports: number) => void
  /** Told of names of interfaces that are learned and forgotten. */
  onNames?: (news: LearnedNews) => void
  log: Logger
}

export class Intake {
  readonly built: BuiltPipeline
  readonly names = new LearnedInterfaces()
  readonly attributor: Attributor
  private readonly listeners: Listeners
  private readonly ends: IntakeEnds
  private readonly side: SideRows
  private readonly sampled: SampledLog
  private readonly templates: TemplateFile
  private readonly unsure: UnsureRows | undefined
  private timers: NodeJS.Timeout[] = []

  /** `number`: which worker it is of. */
  constructor(config: Config, listeners: Listeners, ends: IntakeEnds, number: number) {
    this.listeners = listeners
    this.ends = ends
    this.sampled = new SampledLog(ends.log, config.log_lines)
    const { names } = this
    names.onNews = ends.onNames
    const { precedence, ipfix_sampling: ipfixSampling } = config
    const { onReports } = ends
    const unsure = config.late_window > 0 ? new UnsureRows(config.late_rows, config) : undefined
    this.unsure = unsure
    this.attributor = new Attributor({
      precedence,
      ipfixSampling,
      names,
      portsToCome: expectsPorts(config),
      ...(onReports === undefined ? {} : { onReports }),
      ...(unsure === undefined ? {} : { onUnsure: unsure.onUnsure }),
    })
    this.built = buildPipeline(
      config,
      {
        names,
        isHost: (lanes, at) => ends.snapshot().hostAt(lanes, at / 4) !== 0,
        attribute: (batch) => this.attributor.answer(batch, ends.snapshot()),
        emit: async ({ columns, rows, bytes, sums, release }) => {
          const told = unsure?.take()
          const late = told === undefined ? {} : { late: { rows: told.rows.toBytes(), refused: told.refused } }
          await ends.keep({ table: FLOWS, columns, rows, bytes, sums, ...late })
          release()
        },
        log: this.sampled,
      },
      { sharedBlocks: true, steadyMs: () => performance.now() },
    )
    this.templates = new TemplateFile(config.data, this.built, ends.log, number)
    this.side = new SideRows(
      this.built,
      {
        snapshot: ends.snapshot,
        kernelDrops: () =>
          [...listeners].map(([input, receiver]) => [input, Math.max(0, receiver.stats().kernelDrops)]),
      },
      SIDE_WRITE_MS,
    )
  }

  get readers(): Readers {
    return {
      ...pipelineReaders(this.built),
      ...listenerReaders(this.listeners),
      ovsight_log_lines_suppressed_total: () => [[this.sampled.suppressed]],
    }
  }

  /** Another configuration, between two datagrams. */
  change(settings: LiveSettings): void {
    changePipeline(this.built, settings)
    this.unsure?.follow(settings)
    this.attributor.portsToCome = expectsPorts(settings)
  }

  begin(): void {
    const { built, listeners } = this
    for (const [input, receiver] of listeners) receiver.start((batch) => built.pipeline.feed(input, batch))
    this.templates.start()
    const watch = new LossWatch(this.ends.log, listeners, built)
    this.timers = [
      setInterval(() => built.pipeline.tick(Date.now()), TICK_MS),
      setInterval(() => watch.look(), WATCH_MS),
      setInterval(() => void this.keepSide(this.side.tick(Date.now())), SIDE_TICK_MS),
    ]
  }

  /** Stops receiving, decodes what the kernel still holds, and hands everything over; waits for `limitMs` until it is safe. */
  async stop(limitMs: number): Promise<void> {
    for (const timer of this.timers) clearInterval(timer)
    await closeListeners(this.listeners)
    await this.templates.stop()
    await Promise.race([this.built.pipeline.flush(), sleep(limitMs, undefined, { ref: false })])
    await Promise.race([this.keepSide(this.side.end()), sleep(limitMs, undefined, { ref: false })])
  }

  private async keepSide(blocks: readonly RowBlock[]): Promise<void> {
    await Promise.all(blocks.map((block) => this.ends.keep(block)))
  }
}
