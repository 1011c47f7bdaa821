/**
 * The workers of a collector: threads that receive, decode, attribute and encode, each with its own sockets, pipeline and copy of the
 * model. They share nothing but what messages carry (docs/decisions/workers.md).
 *
 * A worker that fails is started again on the same sockets, which stay open here; what it had decoded and not handed over is lost,
 * what it had handed over is not.
 */
import { Worker } from 'node:worker_threads'
import type { Config } from '../../config/options.ts'
import { SnapshotSender, type ModelMessage } from '../../identity/snapshot/copies.ts'
import type { IdentitySnapshot } from '../../identity/snapshot/snapshot.ts'
import { RawRows } from '../../late/raw-rows.ts'
import type { SharedSockets } from '../../receive/shared.ts'
import type { Logger } from '../../telemetry/log.ts'
import { METRICS, METRIC_NAMES, type MetricName, type Readers, type Sample } from '../../telemetry/metrics.ts'
import { Beats } from '../beats.ts'
import type { Input } from '../demultiplex.ts'
import type { IntakeBlock } from '../intake.ts'
import { LearnedInterfaces } from '../learned-names.ts'
import { stackOfWorker } from '../stacks.ts'
import { giveBack, mapLarge } from './memory.ts'
import type { FromWorker, Samples, SentBlock, ToWorker, WorkerStart } from './messages.ts'

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 30_000
/** A worker that ran this long has recovered. */
const SOUND_MS = 60_000
const READ_MS = 2_000
/** Beats of workers are looked at this often. */
const LOOK_MS = 500
/** A worker may take this long to be loaded, on a machine that is busy. */
const LOADED_MS = 30_000
/** Values of labels of a counter held of workers that are gone; of further ones the exporter is "other". */
const MOST_GONE = 4096
/** A worker that does not answer a question for this long is answered for by what it said last. */
const PATIENCE_MS = 1_000

/** What the surroundings give. */
export interface PoolEnds {
  /** Takes a block over; resolves when it is safe. */
  keep: (block: IntakeBlock) => Promise<void>
  /** Told of what a host without OVSDB is seen to report, when that is new. */
  onReports?: (host: string, reports: number) => void
  log: Logger
}

/** A place for a worker; who is in it may change. */
interface Place {
  readonly number: number
  readonly sockets: WorkerStart['sockets']
  worker: Worker | undefined
  /** What it counted, as told last. */
  samples: Samples
  sinceMs: number
  failures: number
  /** It has not turned for long. */
  stuck: boolean
  timer: NodeJS.Timeout | undefined
  stopped: (() => void) | undefined
}

export class WorkerPool {
  /** How many times a worker failed and another took its place. */
  restarts = 0
  private config: Config
  private readonly listeners: ReadonlyMap<Input, SharedSockets>
  private readonly ends: PoolEnds
  private readonly places: readonly Place[]
  private readonly sender = new SnapshotSender()
  /** Counters of workers that are gone. */
  private readonly gone = new Map<MetricName, Map<string, Sample>>()
  /** What is known of hosts without OVSDB, for a worker that starts later. */
  private readonly reports = new Map<string, number>()
  /** Names of interfaces that workers learned: each knows them all, and so does this thread. */
  readonly names = new LearnedInterfaces()
  private requests = 0
  private readonly answers = new Map<number, () => void>()
  private timer: NodeJS.Timeout | undefined
  private stopping = false
  private readonly beats: Beats
  private watch: NodeJS.Timeout | undefined
  /** How many times a worker did not turn for `watchdog`. */
  stuckTotal = 0

  constructor(config: Config, listeners: ReadonlyMap<Input, SharedSockets>, workers: number, ends: PoolEnds) {
    this.config = config
    this.listeners = listeners
    this.ends = ends
    this.beats = new Beats(workers)
    mapLarge()
    this.places = Array.from({ length: workers }, (_, number) => ({
      number,
      sockets: [...listeners].flatMap(([input, { sockets }]) => {
        const shared = sockets[number]
        return shared === undefined ? [] : [{ input, shared }]
      }),
      worker: undefined,
      samples: {},
      sinceMs: 0,
      failures: 0,
      stuck: false,
      timer: undefined,
      stopped: undefined,
    }))
  }

  /** Starts all workers with a first model. They receive as soon as they have it. */
  begin(snapshot: IdentitySnapshot): void {
    const model = this.sender.next(snapshot)
    for (const place of this.places) this.start(place, model)
    this.timer = setInterval(() => void this.read(), READ_MS)
    this.timer.unref()
    if (this.config.watchdog === 0) return
    this.watch = setInterval(() => this.look(), LOOK_MS)
    this.watch.unref()
  }

  /** Workers that have not turned for `watchdog`, by name. */
  get stuck(): string[] {
    return this.places.filter(({ stuck }) => stuck).map(({ number }) => `worker ${number}`)
  }

  /** Stops the loop of all workers, as a bug of theirs would. For tests. */
  stall(forMs: number): void {
    for (const { worker } of this.places) tell(worker, { kind: 'stall', forMs })
  }

  private look(): void {
    const { watchdog } = this.config
    const looks = (ms: number) => Math.max(2, Math.ceil(ms / LOOK_MS))
    for (const place of this.places) {
      if (place.worker === undefined || this.stopping) continue
      const mostMs = this.beats.begun(place.number) ? watchdog : Math.max(watchdog, LOADED_MS)
      const stuck = this.beats.look(place.number) >= looks(mostMs)
      if (stuck && !place.stuck) {
        this.stuckTotal++
        void this.report(place.number, place.worker)
      }
      place.stuck = stuck
    }
  }

  private async report(number: number, worker: Worker): Promise<void> {
    const { watchdog, watchdog_action: action } = this.config
    const stack = await stackOfWorker(worker.threadId)
    const told = { worker: number, afterMs: watchdog, stack }
    this.ends.log.error(told, `worker ${number} is stuck: it has not turned for ${watchdog / 1000} s`)
    if (action === 'restart') void worker.terminate()
  }

  /** Tells all workers of a new snapshot: the whole of it when it was laid out anew, else what was changed. */
  publish(snapshot: IdentitySnapshot): void {
    if (this.timer === undefined) return
    const model = this.sender.next(snapshot)
    for (const { worker } of this.places) tell(worker, { kind: 'model', model })
  }

  /** Tells all workers, and those that start later, of another configuration. */
  change(config: Config): void {
    this.config = config
    for (const { worker } of this.places) tell(worker, { kind: 'settings', settings: config })
  }

  /** Asks the workers what they have counted; `readers` tell it. */
  async read(): Promise<void> {
    await Promise.all(
      this.places.map(
        ({ worker }) =>
          new Promise<void>((resolve) => {
            if (worker === undefined) {
              resolve()
              return
            }
            const request = this.requests++
            const timer = setTimeout(() => this.answer(request), PATIENCE_MS)
            this.answers.set(request, () => {
              clearTimeout(timer)
              resolve()
            })
            tell(worker, { kind: 'read', request })
          }),
      ),
    )
  }

  /** How many workers run now. */
  get running(): number {
    return this.places.filter(({ worker }) => worker !== undefined).length
  }

  /** What all workers counted together, those that are gone included, as `read` found it last. */
  get readers(): Readers {
    const readers = Object.fromEntries(
      METRIC_NAMES.map((name) => [
        name,
        () => [...(this.gone.get(name)?.values() ?? []), ...this.places.flatMap(({ samples }) => samples[name] ?? [])],
      ]),
    )
    return {
      ...readers,
      ovsight_workers: () => [[this.running]],
      ovsight_worker_restarts_total: () => [[this.restarts]],
      ovsight_worker_stuck_total: () => [[this.stuckTotal]],
    }
  }

  /** Ends all workers when they have handed over what they hold, or after about `limitMs`, and closes the sockets. */
  async stop(limitMs: number): Promise<void> {
    this.stopping = true
    clearInterval(this.timer)
    clearInterval(this.watch)
    await Promise.all(this.places.map((place) => this.end(place, limitMs)))
    for (const sockets of this.listeners.values()) sockets.close()
  }

  /** Ends all workers as a bug of theirs would. For tests. */
  async fail(): Promise<void> {
    for (const { worker } of this.places) await worker?.terminate()
  }

  private start(place: Place, model: ModelMessage): void {
    const { sockets, number } = place
    const workerData: WorkerStart = { config: this.config, sockets, number, beats: this.beats.shared }
    const worker = new Worker(new URL('thread.js', import.meta.url), { workerData, name: `worker-${place.number}` })
    place.worker = worker
    this.beats.renew(number)
    place.sinceMs = performance.now()
    let fault: unknown
    worker.on('message', (message: FromWorker) => this.take(place, worker, message))
    worker.on('error', (error) => (fault = error))
    worker.on('exit', () => this.exited(place, worker, fault))
    for (const [host, reports] of this.reports) tell(worker, { kind: 'reports', host, reports })
    for (const [news, by] of this.names.heard()) tell(worker, { kind: 'learned', news, by })
    tell(worker, { kind: 'model', model })
  }

  private take(place: Place, worker: Worker, message: FromWorker): void {
    switch (message.kind) {
      case 'block': {
        const { number, block } = message
        void this.ends.keep(received(block)).then(() => tell(worker, { kind: 'safe', number }))
        return
      }
      case 'reports': {
        const { host, reports } = message
        this.reports.set(host, (this.reports.get(host) ?? 0) | reports)
        this.ends.onReports?.(host, reports)
        this.tellOthers(place, { kind: 'reports', host, reports })
        return
      }
      case 'learned': {
        const { news } = message
        this.names.hear(news, place.number)
        this.tellOthers(place, { kind: 'learned', news, by: place.number })
        return
      }
      case 'samples':
        place.samples = message.samples
        this.answer(message.request)
        return
      case 'log': {
        const { level, msg, time: _, ...fields } = JSON.parse(message.line) as LogLine
        this.ends.log[level]({ ...fields, worker: place.number }, msg)
        return
      }
      case 'stopped':
        place.samples = message.samples
        place.stopped?.()
    }
  }

  private tellOthers(place: Place, message: ToWorker): void {
    for (const other of this.places) if (other !== place) tell(other.worker, message)
  }

  private exited(place: Place, worker: Worker, fault: unknown): void {
    if (place.worker !== worker) return
    place.worker = undefined
    place.stuck = false
    place.stopped?.()
    if (this.stopping) return
    this.restarts++
    this.bury(place)
    giveBack()
    // Its successor learns them again; what nobody tells any more would never go.
    this.names.forget(place.number)
    this.tellOthers(place, { kind: 'unlearned', by: place.number })
    place.failures = performance.now() - place.sinceMs > SOUND_MS ? 1 : place.failures + 1
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (place.failures - 1))
    this.ends.log.error(
      { err: fault, worker: place.number, restartMs: pauseMs },
      'a worker failed for a fault of ovsight; what it held is lost, another takes its place',
    )
    place.timer = setTimeout(() => this.start(place, this.sender.whole()), pauseMs)
  }

  /** Counters only rise: what a worker counted stays when it is gone. */
  private bury(place: Place): void {
    for (const [name, samples] of Object.entries(place.samples) as [MetricName, readonly Sample[]][]) {
      if (METRICS[name].type !== 'counter') continue
      const sums = this.gone.get(name) ?? new Map<string, Sample>()
      for (const [value, ...labels] of samples) {
        const key = JSON.stringify(labels)
        if (sums.has(key) || sums.size < MOST_GONE) add(sums, key, value, labels)
        else {
          // Workers that fail again and again have seen other exporters each time.
          const others = labels.map((label, i) => (METRICS[name].labels[i] === 'exporter' ? 'other' : label))
          add(sums, JSON.stringify(others), value, others)
        }
      }
      this.gone.set(name, sums)
    }
    for (const [value, input] of place.samples.ovsight_receive_kernel_drops_total ?? [])
      for (const socket of place.sockets) if (socket.input === input) socket.shared.toldDrops += value
    place.samples = {}
  }

  private async end(place: Place, limitMs: number): Promise<void> {
    clearTimeout(place.timer)
    const { worker } = place
    if (worker === undefined) return
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      place.stopped = resolve
      timer = setTimeout(resolve, limitMs * 2)
      tell(worker, { kind: 'stop', limitMs })
    })
    clearTimeout(timer)
    await worker.terminate()
  }

  private answer(request: number): void {
    const answer = this.answers.get(request)
    this.answers.delete(request)
    answer?.()
  }
}

interface LogLine extends Record<string, unknown> {
  level: 'debug' | 'info' | 'warn' | 'error'
  time: string
  msg: string
}

function received({ late, ...block }: SentBlock): IntakeBlock {
  const rows = late && RawRows.fromBytes(Buffer.from(late.rows))
  return rows === undefined ? block : { ...block, late: { rows, refused: late!.refused } }
}

function tell(worker: Worker | undefined, message: ToWorker): void {
  worker?.postMessage(message)
}

function add(sums: Map<string, Sample>, key: string, value: number, labels: readonly string[]): void {
  sums.set(key, [value + (sums.get(key)?.[0] ?? 0), ...labels])
}
