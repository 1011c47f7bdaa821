/** All that one thread does of a collector's way: receivers → pipeline → blocks, and what is counted beside them. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Attributor } from '../attribute/attributor.ts'
import type { RawRows } from '../late/raw-rows.ts'
import { UnsureRows, expectsPorts } from '../late/unsure-rows.ts'
import type { Config } from '../config/options.ts'
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import { FLOWS } from '../schema/ddl.ts'
import type { SumsBlock } from '../schema/native-sums.ts'
import type { RowBlock } from '../schema/rows.ts'
import type { Logger } from '../telemetry/log.ts'
import type { Readers } from '../telemetry/metrics.ts'
import { SampledLog } from '../telemetry/sampled-log.ts'
import { attributorBy } from './attributor-by.ts'
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
  /** Rows that a later model may resolve, and how many more there were. */
  late?: { rows: RawRows; refused: number }
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
  /** Running total of rows lost after they were kept. */
  rowsDropped?: () => number
  log: Logger
}

/** What is another where several threads take in. */
export interface IntakeOptions {
  /** Which worker it is of. Its blocks lie in shared memory, and it saves templates of its own. */
  worker?: number
  /** Names of interfaces that others learn, too. */
  names?: LearnedInterfaces
}

export class Intake {
  readonly built: BuiltPipeline
  readonly names: LearnedInterfaces
  readonly attributor: Attributor
  private readonly listeners: Listeners
  private readonly ends: IntakeEnds
  private readonly side: SideRows
  private readonly sampled: SampledLog
  private readonly templates: TemplateFile
  private readonly unsure: UnsureRows | undefined
  private timers: NodeJS.Timeout[] = []

  constructor(config: Config, listeners: Listeners, ends: IntakeEnds, options: IntakeOptions = {}) {
    const { worker, names = new LearnedInterfaces() } = options
    const { onReports, rowsDropped } = ends
    this.listeners = listeners
    this.ends = ends
    this.sampled = new SampledLog(ends.log, config.log_lines)
    this.names = names
    if (ends.onNames !== undefined) names.onNews = ends.onNames
    const unsure = config.late_window > 0 ? new UnsureRows(config.late_rows, config) : undefined
    this.unsure = unsure
    this.attributor = attributorBy(config, {
      names,
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
          const late = unsure?.take()
          await ends.keep({ table: FLOWS, columns, rows, bytes, sums, ...(late === undefined ? {} : { late }) })
          release()
        },
        log: this.sampled,
      },
      { sharedBlocks: worker !== undefined, steadyMs: () => performance.now() },
    )
    this.templates = new TemplateFile(config.data, this.built, ends.log, worker)
    this.side = new SideRows(
      this.built,
      {
        snapshot: ends.snapshot,
        kernelDrops: () =>
          [...listeners].map(([input, receiver]) => [input, Math.max(0, receiver.stats().kernelDrops)]),
        ...(rowsDropped === undefined ? {} : { rowsDropped }),
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
    const late = sleep(limitMs, undefined, { ref: false })
    await Promise.race([this.built.pipeline.flush(), late])
    await Promise.race([this.keepSide(this.side.end()), late])
  }

  private async keepSide(blocks: readonly RowBlock[]): Promise<void> {
    await Promise.all(blocks.map((block) => this.ends.keep(block)))
  }
}
