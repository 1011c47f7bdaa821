/** A running collector: receivers → pipeline → spool → store, and the HTTP API beside it. */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Server as NetServer } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type * as ApiServer from '../api/server.ts'
import { type Tls, fingerprintOf, readTls } from '../api/tls.ts'
import type { StatusApi } from '../api/status.ts'
import { type Statistics, StatisticsPoller } from '../audit/statistics.ts'
import { AuditWriter } from '../audit/writer.ts'
import type { Loaded } from '../config/load.ts'
import type { Config, OptionName } from '../config/options.ts'
import { AppError } from '../errors.ts'
import type { ChangeableIdentity } from '../identity/replica/changeable.ts'
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import { LateTruth } from '../late/late-truth.ts'
import { LIVE_OPTIONS } from '../pipeline/build.ts'
import type { Input } from '../pipeline/demultiplex.ts'
import type { Gates } from '../pipeline/gates.ts'
import { Intake, type IntakeBlock } from '../pipeline/intake.ts'
import { LearnedInterfaces } from '../pipeline/learned-names.ts'
import { workersOf } from '../pipeline/listeners.ts'
import { watchMain } from '../pipeline/main-watch.ts'
import type { CounterReading } from '../pipeline/interface-counters.ts'
import { WorkerPool } from '../pipeline/workers/pool.ts'
import { ChdbStore } from '../store/chdb.ts'
import { type OpenWriter, openWriter } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import type { RowBlock } from '../schema/rows.ts'
import type { Writer } from '../store/writer.ts'
import type { SharedSockets } from '../receive/shared.ts'
import type { Logger } from '../telemetry/log.ts'
import { joinReaders, type Readers } from '../telemetry/metrics.ts'
import { removeCollectorNote, writeCollectorNote } from './collector-note.ts'
import { type Opened, closeAll, openAll } from './collector-opening.ts'
import { type Early, beginEarly } from './early.ts'
import { attributeLate } from './engine.ts'
import type { OpenAwaited } from './open-store.ts'
import type { OpenAccess } from './api-access.ts'
import { identityApi, identityReaders, lateReaders } from './identity-readings.ts'
import { HistoryKeeping } from './history-keeping.ts'
import { openNotify, watchdogEveryMs } from './notify.ts'
import { type Follower, Reloader } from './reload.ts'
import { VERSION } from './version.ts'
import { collectorRows } from './collector-rows.ts'
import { StoreFigures } from './store-figures.ts'
import { StoreKeeping } from './store-keeping.ts'
import { writerReaders } from './writer-readings.ts'

const WATCH_MS = 10_000
const LATE_TICK_MS = 500
const STATISTICS_TICK_MS = 1_000
/** What the collector tells of itself is written this often. */
const SELF_MS = 60_000

/** Options that the keeping of the store follows. */
const KEEPING = [
  'keep_flows',
  'keep_minutes',
  'keep_hours',
  'keep_days',
  'keep_health',
  'keep_counters',
  'keep_audit',
  'disk_free',
] as const satisfies readonly OptionName[]

/** A configuration, and how it is read again. */
export interface Configured {
  readonly loaded: Loaded
  /** Errors: those of `loadConfig`. */
  readonly read: () => Loaded
}

const NO_WORKERS: Readers = {
  ovsight_workers: () => [[0]],
  ovsight_worker_restarts_total: () => [[0]],
  ovsight_worker_stuck_total: () => [[0]],
}

export class Collector {
  readonly store: Store
  /** By what is received, whichever thread does it. */
  readonly listeners: ReadonlyMap<Input, { readonly port: number }>
  /** What this thread takes in; with workers nothing is fed to it but what comes of OVSDB. */
  readonly intake: Intake
  /** Where the API answers; undefined when it is off. */
  url: string | undefined

  private readonly log: Logger
  private readonly config: Config
  private readonly spool: OpenWriter
  private readonly awaited: OpenAwaited['awaited']
  private readonly gates: Gates
  private readonly pool: WorkerPool | undefined
  private readonly token: () => string
  private readonly keeping: StoreKeeping
  private readonly figures: StoreFigures
  private readonly readers: Readers
  private readonly history: HistoryKeeping
  private readonly statistics: StatisticsPoller
  private readonly auditor: AuditWriter
  private readonly late: LateTruth | undefined
  /** Attributes once more what waited. */
  private readonly again: ReturnType<typeof attributeLate>
  readonly identity: ChangeableIdentity
  private readonly server: typeof ApiServer
  private api: FastifyInstance | undefined
  private readonly access: OpenAccess
  private timers: NodeJS.Timeout[] = []

  private readonly reloader: Reloader
  private readonly notify = openNotify(process.env)
  private connectionsRefused = 0
  private endWatch: (() => Promise<unknown>) | undefined
  private readonly tls: Tls | undefined
  private readonly taken: NetServer | undefined
  private readonly beganAt = Date.now()
  private stage: 'starting' | 'running' | 'stopping' = 'starting'

  private constructor({ loaded, read }: Configured, log: Logger, opened: Opened, spool: OpenWriter) {
    const { config } = loaded
    const { store, listeners, shared, identity, server } = opened
    const { writer } = spool
    this.config = config
    this.log = log
    this.store = store
    this.awaited = opened.awaited
    this.gates = opened.gates
    this.tls = opened.tls
    this.server = server
    this.access = opened.access
    this.taken = opened.taken
    this.listeners = shared ?? listeners
    this.spool = spool
    this.identity = identity
    this.keeping = new StoreKeeping(store, config, log)
    this.figures = new StoreFigures(store)
    this.history = new HistoryKeeping(store, identity, config, log, (block) => this.keep([block]))
    // Tokens are of this run: no other block ever has one of them.
    const run = randomUUID()
    let number = 0
    this.token = () => `${run}-${number++}`
    // Where workers receive, they learn the names, and tell what they learn.
    const pool = shared && this.openPool(shared)
    this.pool = pool
    const names = pool?.names ?? new LearnedInterfaces()
    const model = () => identity.replica.snapshot
    this.again = attributeLate(config, model, names)
    this.late =
      config.late_window === 0
        ? undefined
        : new LateTruth(
            {
              store,
              attribute: this.again.attribute,
              enqueue: (block) => writer.enqueue(block),
              inherited: () => writer.inheritedBlocks,
              version: () => identity.version + names.changes,
              log,
            },
            { data: config.data, windowMs: config.late_window, maxRows: config.late_rows },
          )
    this.intake = new Intake(
      config,
      listeners,
      {
        snapshot: model,
        keep: (block) => this.accept(block),
        onReports: this.again.heard,
        rowsDropped: () => writer.counters.droppedRows + writer.counters.damagedRows,
        log,
      },
      { names },
    )
    this.statistics = new StatisticsPoller({
      everyMs: config.interface_counters,
      databases: () => identity.databases(),
      onStatistics: (one) => this.intake.built.pipeline.parts.observations.counters.add(readingOf(one)),
    })
    this.auditor = new AuditWriter(
      {
        asker: store,
        everyMs: config.audit_every,
        onBlock: (block) => this.keep([block]),
        onFault: (error) => {
          if (!(error instanceof AppError)) throw error
          log.warn({ code: error.code }, `no audit of the last span: ${error.message}`)
        },
      },
      Date.now(),
    )
    opened.follow((snapshot) => pool?.publish(snapshot))
    this.readers = joinReaders(
      {
        ovsight_info: () => [[1, VERSION, process.version, store.name]],
        ...joinReaders(this.intake.readers, this.gates.readers),
        ...writerReaders(writer),
        ovsight_store_ready: () => [[this.storeReady ? 1 : 0]],
        ...this.keeping.readers,
        ...this.figures.readers,
        ...this.history.readers,
        ...identityReaders(identity),
        ...lateReaders(this.late),
        ovsight_http_connections_refused_total: () => [[this.connectionsRefused]],
        ovsight_keystone_tokens_forgotten_total: () => [[this.access.keystoneForgotten()]],
        ovsight_engine_restarts_total: () => [[store instanceof ChdbStore ? store.restarts : 0]],
        ovsight_reloads_total: () => {
          const { reloads, failures } = this.reloader.state
          return [
            [reloads, 'taken'],
            [failures, 'refused'],
          ]
        },
        ovsight_statistics_answers_total: () => [[this.statistics.answers]],
        ovsight_statistics_failures_total: () => [[this.statistics.failures]],
      },
      pool?.readers ?? NO_WORKERS,
    )
    const metrics = metricsOf(this.readers)
    this.reloader = new Reloader(loaded, read, this.followers(), log)
    this.api = server.buildApi({
      store,
      metricsText: async () => {
        await pool?.read()
        return metrics()
      },
      identity: identityApi(identity),
      status: this.statusApi(),
      ...(opened.tls === undefined ? {} : { tls: opened.tls }),
      ...this.access.options,
      version: VERSION,
      onBug: (error) => log.error({ err: error }, 'a request failed for a fault of ovsight'),
    })
  }

  /**
   * Opens everything and starts to receive. What fails is reported at once and together; nothing stays open then.
   * `begun` is what was begun before this was loaded. Errors: those of identity, listeners, store and API.
   */
  static async start(configured: Configured, log: Logger, begun?: Early): Promise<Collector> {
    const { config } = configured.loaded
    const opened = await openAll(config, log, begun ?? (await beginEarly(config, log)))
    let collector: Collector | undefined
    try {
      const { store, awaited } = opened
      const ready = () => awaited?.ready ?? true
      const spool = await openWriter(store, { data: config.data, spoolBytes: config.spool_max, log, ready })
      collector = new Collector(configured, log, opened, spool)
      await collector.begin()
      return collector
    } catch (error) {
      await (collector === undefined ? closeAll(opened) : collector.stop())
      throw error
    }
  }

  /** Reads the configuration again, and takes what may change while it runs. Logs what is wrong with it. */
  async reload(): Promise<void> {
    this.notify('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`)
    await this.reloader.reload()
    this.notify('READY=1')
  }

  /** From now on systemd hears that the collector lives, and another thread watches this one. */
  private beginTelling(): void {
    const { watchdog, watchdog_action: action } = this.config
    if (watchdog > 0) this.endWatch = watchMain(watchdog, action === 'restart')
    this.notify('READY=1', `STATUS=receiving; ${this.url ?? 'no API'}`)
    const everyMs = watchdogEveryMs(process.env)
    // Not while a worker is stuck that nobody replaces: systemd shall know.
    const beat = () => (this.pool?.stuck.length ?? 0) === 0 && this.notify('WATCHDOG=1')
    if (everyMs !== undefined) this.timers.push(setInterval(beat, everyMs))
  }

  /** Tells the command line on this machine where the API answers, and how to know it. */
  private note(tls: Tls | undefined): void {
    const fingerprint = tls && fingerprintOf(tls)
    if (this.url !== undefined) writeCollectorNote(this.config.data, this.url, this.access.localToken, fingerprint)
  }

  private changeTls(config: Config): void {
    const tls = readTls(config.api_tls_cert, config.api_tls_key)
    if (tls === undefined || this.tls === undefined || this.api === undefined) return
    this.server.changeTls(this.api, tls)
    this.keeping.changeTls(tls)
    this.note(tls)
  }

  /** How long stopping may take, as the configuration says it now. */
  get stopTimeoutMs(): number {
    return this.reloader.config.stop_timeout
  }

  private followers(): Follower[] {
    const { intake, again, pool, log, identity, keeping, history, access, gates } = this
    const pipelineChanges = (changed: ReadonlySet<OptionName>) => LIVE_OPTIONS.some((name) => changed.has(name))
    return [
      {
        apply: (config, changed) => {
          if (!pipelineChanges(changed)) return
          log.level = config.log_level
          intake.change(config)
          again.change(config)
          pool?.change(config)
          gates.follow()
        },
      },
      {
        apply: async (config, changed) => {
          history.config = config
          if (KEEPING.some((name) => changed.has(name))) await keeping.change(config)
        },
      },
      { apply: (config) => access.change(config) },
      {
        check: (config) => {
          const tls = readTls(config.api_tls_cert, config.api_tls_key)
          if ((tls === undefined) !== (this.tls === undefined))
            throw new AppError('config_invalid', 'api_tls_cert: whether the API speaks TLS is settled at the start')
        },
        apply: (config) => this.changeTls(config),
      },
      { check: (config) => identity.check(config), apply: async (config) => void (await identity.change(config)) },
    ]
  }

  private statusApi(): StatusApi {
    return {
      // Until a server has been reached once and its tables are right: a wrong address shows here, an outage later does not.
      notReady: () => [
        ...(this.stage === 'running' ? [] : [this.stage]),
        ...(this.storeReady ? [] : [this.awaited?.fault?.code ?? 'store_unreachable']),
      ],
      stuck: () => this.pool?.stuck ?? [],
      status: () => ({
        version: VERSION,
        pid: process.pid,
        store: this.store.name,
        store_ready: this.storeReady,
        store_fault: this.awaited?.fault?.message ?? null,
        began_at: new Date(this.beganAt).toISOString(),
        stage: this.stage,
        listeners: Object.fromEntries([...this.listeners].map(([input, { port }]) => [input, port])),
        workers: this.pool?.running ?? 0,
        worker_restarts: this.pool?.restarts ?? 0,
        stuck: this.pool?.stuck ?? [],
        engine_restarts: this.store instanceof ChdbStore ? this.store.restarts : 0,
        spool_blocks: this.writer.spoolBlocks,
        configuration: this.reloader.state,
      }),
      config: () => this.reloader.rows(),
    }
  }

  get writer(): Writer {
    return this.spool.writer
  }

  /** Whether the store has been reached, and its tables are what this version needs. */
  private get storeReady(): boolean {
    return this.awaited?.ready ?? true
  }

  /** Attributes what is stored from now on by another identity, until a source brings news. */
  use(identity: IdentitySnapshot): void {
    this.identity.replica.snapshot = identity
  }

  private openPool(shared: ReadonlyMap<Input, SharedSockets>): WorkerPool {
    const { config, log } = this
    return new WorkerPool(config, shared, workersOf(config), {
      keep: (block) => this.accept(block),
      onReports: (host, reports) => this.again.heard(host, reports),
      log,
    })
  }

  /** Rows of a block that wait are safe before the block is: else a crash in between would leave them as they are. */
  private async accept({ late, ...block }: IntakeBlock): Promise<void> {
    if (late !== undefined) await this.late?.take(late.rows, late.refused)
    return this.writer.enqueue({ ...block, token: this.token() })
  }

  private keep(blocks: readonly RowBlock[]): void {
    for (const block of blocks) void this.writer.enqueue({ ...block, token: this.token() })
  }

  /** Figures of the collector itself, into the store beside what it collects. */
  private async tellOfItself(): Promise<void> {
    await Promise.all([this.figures.look(), this.pool?.read()])
    this.keep([collectorRows(this.readers, hostname(), Date.now())])
  }

  /** Receives first: what comes is in the spool while the rest begins. */
  private async begin(): Promise<void> {
    const { config, intake, pool } = this
    await this.late?.start()
    intake.begin()
    this.gates.start(intake.built)
    pool?.begin(this.identity.replica.snapshot)
    const { storeReady } = this
    await Promise.all([this.openApi(), this.keeping.open(this.tls), storeReady ? this.beginInStore() : undefined])
    if (!storeReady) void this.awaited?.whenReady.then(() => this.beginInStore())
    this.timers.push(
      setInterval(() => this.storeReady && this.late?.tick(), LATE_TICK_MS),
      setInterval(() => this.storeReady && void this.history.tick(Date.now()), WATCH_MS),
      setInterval(() => void this.tellOfItself(), SELF_MS),
      ...(config.audit_every === 0
        ? []
        : [setInterval(() => this.storeReady && void this.auditor.tick(Date.now()), WATCH_MS)]),
      ...(config.interface_counters === 0 ? [] : [setInterval(() => this.statistics.tick(), STATISTICS_TICK_MS)]),
    )
    this.stage = 'running'
    this.beginTelling()
  }

  /** What needs the tables. */
  private async beginInStore(): Promise<void> {
    const [timers] = await Promise.all([this.keeping.begin(), this.history.begin()])
    if (this.stage === 'stopping') timers.forEach((timer) => clearInterval(timer))
    else this.timers.push(...timers)
    void this.history.tick(Date.now())
    void this.figures.look()
  }

  private async openApi(): Promise<void> {
    const { config, api } = this
    if (config.http_port === null || api === undefined) return
    api.server.maxConnections = config.http_connections
    api.server.on('drop', () => this.connectionsRefused++)
    this.url = await this.server.listenApi(api, config.http_bind, config.http_port, this.taken)
    this.spool.announce(this.url)
    this.note(this.tls)
  }

  /**
   * Stops receiving, decodes what the kernel still holds, and writes everything: to the store as far as it takes it within
   * `limitMs`, the rest stays in the spool for the next start.
   */
  async stop(limitMs = 8_000): Promise<void> {
    this.stage = 'stopping'
    this.notify('STOPPING=1')
    for (const timer of this.timers) clearInterval(timer)
    this.auditor.stop()
    this.history.stop()
    removeCollectorNote(this.config.data)
    this.gates.close()
    // With the disk full and the store gone a block is never safe; closing the writer then gives it up.
    await Promise.all([this.intake.stop(limitMs), this.pool?.stop(limitMs)])
    await this.late?.stop()
    await this.identity.stop()
    await this.awaited?.stop()
    await this.spool.close(limitMs)
    if (this.writer.spoolBlocks > 0)
      this.log.warn({ blocks: this.writer.spoolBlocks }, 'the store has not taken everything; the rest is in the spool')
    await this.api?.close()
    await this.access.close()
    await this.keeping.close()
    await this.store.close()
    await this.endWatch?.()
  }
}

/** Counters of OVSDB as a reading: `rx` is what came into the switch. */
function readingOf({ counters, ...rest }: Statistics): CounterReading {
  const count = (name: string) => counters.get(name) ?? 0
  return {
    ...rest,
    source: 'ovsdb',
    inBytes: count('rx_bytes'),
    outBytes: count('tx_bytes'),
    inPackets: count('rx_packets'),
    outPackets: count('tx_packets'),
    inDrops: count('rx_dropped'),
    outDrops: count('tx_dropped'),
    inErrors: count('rx_errors'),
    outErrors: count('tx_errors'),
  }
}

/** The page of metrics; what writes it is loaded when somebody asks for it first. */
function metricsOf(readers: Readers): () => Promise<string> {
  let registry: Promise<{ metrics(): Promise<string> }> | undefined
  return async () => {
    registry ??= import('../telemetry/registry.ts').then(({ createRegistry }) => createRegistry(readers))
    return (await registry).metrics()
  }
}
