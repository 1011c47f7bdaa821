/** What a collector does for its store beside filling it: rows are kept as long as the options say, and the disk is kept from filling. */
import type { Config } from '../config/options.ts'
import type { Tls } from '../api/tls.ts'
import { type Door, openDoor } from '../door/server.ts'
import { AppError } from '../errors.ts'
import { ChdbStore } from '../store/chdb.ts'
import { DiskGuard } from '../store/disk-guard.ts'
import { keepFor } from '../store/retention.ts'
import type { Store } from '../store/store.ts'
import type { Logger } from '../telemetry/log.ts'
import type { Readers } from '../telemetry/metrics.ts'

const LOOK_MS = 30_000

export class StoreKeeping {
  readonly guard: DiskGuard
  readonly readers: Readers

  private readonly store: Store
  private config: Config
  private readonly log: Logger
  private door: Door | undefined

  constructor(store: Store, config: Config, log: Logger) {
    this.store = store
    this.config = config
    this.log = log
    this.guard = new DiskGuard(store, { freeBytes: config.disk_free, log })
    this.readers = {
      ovsight_disk_guard_rows_total: () => [[this.guard.freedRows]],
      ovsight_disk_guard_partitions_total: () => [[this.guard.freedPartitions]],
    }
  }

  /** ClickHouse's interface over the embedded store, where it is asked for. Errors: those of `openDoor`. */
  async open(tls: Tls | undefined): Promise<void> {
    const { clickhouse_port: port, clickhouse_tls: secure } = this.config
    if (port === null) return
    if (!(this.store instanceof ChdbStore))
      throw new AppError(
        'config_invalid',
        'clickhouse_port is of the embedded store; a server has an interface of its own',
      )
    if (secure && tls === undefined)
      throw new AppError('config_invalid', 'clickhouse_tls needs api_tls_cert and api_tls_key')
    this.door = await openDoor(this.store, {
      host: '127.0.0.1',
      port,
      tls: secure ? tls : undefined,
      onBug: (error) =>
        this.log.error({ err: error }, "a question at ClickHouse's interface failed for a fault of ovsight"),
    })
    this.log.info({ url: this.door.url }, "ClickHouse's interface is open")
  }

  /** Another certificate for ClickHouse's interface. */
  changeTls(tls: Tls): void {
    this.door?.change(tls)
  }

  async close(): Promise<void> {
    await this.door?.close()
  }

  /** Sets how long rows are kept, and begins to look at the disk. Rows are taken in whether or not that works. */
  async begin(): Promise<NodeJS.Timeout[]> {
    try {
      await this.keep()
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      this.log.warn({ code: error.code }, `how long rows are kept is not set: ${error.message}`)
    }
    await this.look()
    return [setInterval(() => void this.look(), LOOK_MS)]
  }

  /** Follows another configuration. Errors: those of `keepFor`; the rest holds then. */
  async change(config: Config): Promise<void> {
    this.config = config
    this.guard.freeBytes = config.disk_free
    await this.keep()
  }

  private async look(): Promise<void> {
    if (this.config.disk_free > 0) await this.guard.look()
  }

  private async keep(): Promise<void> {
    const { config } = this
    const seconds = (ms: number) => Math.ceil(ms / 1000)
    const health = seconds(config.keep_health)
    await keepFor(this.store, {
      flows: seconds(config.keep_flows),
      flows_1m: seconds(config.keep_minutes),
      flows_1h: seconds(config.keep_hours),
      flows_1d: seconds(config.keep_days),
      exporter_health: health,
      collector_metrics: health,
      interface_counters: seconds(config.keep_counters),
      audit: seconds(config.keep_audit),
    })
  }
}
