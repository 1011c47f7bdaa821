/** What the collector's own thread and its workers say to each other. All of it is plain data or shared memory. */
import type { Config } from '../../config/options.ts'
import type { ModelMessage } from '../../identity/snapshot/copies.ts'
import type { SharedSocket } from '../../receive/shared.ts'
import type { MetricName, Sample } from '../../telemetry/metrics.ts'
import type { LiveSettings } from '../build.ts'
import type { Input } from '../demultiplex.ts'
import type { IntakeBlock } from '../intake.ts'
import type { LearnedNews } from '../learned-names.ts'

/** With what a worker starts. */
export interface WorkerStart {
  config: Config
  sockets: readonly { input: Input; shared: SharedSocket }[]
  /** Which worker it is, from 0. */
  number: number
  /** Where it shows that it lives, see beats.ts. */
  beats: SharedArrayBuffer
}

export type Samples = Partial<Record<MetricName, readonly Sample[]>>

/** A block between threads: rows that wait are in it as late/raw-rows.ts writes them. */
export type SentBlock = Omit<IntakeBlock, 'late'> & { late?: { rows: Uint8Array; refused: number } }

export type ToWorker =
  | { kind: 'model'; model: ModelMessage }
  /** What another worker heard of a host whose OVSDB is not known: see attribute/counting.ts. */
  | { kind: 'reports'; host: string; reports: number }
  /** What another worker learned of interfaces from counter samples; and that one which told such is gone. */
  | { kind: 'learned'; news: LearnedNews; by: number }
  | { kind: 'unlearned'; by: number }
  /** A block is safe, its memory may be used again. */
  | { kind: 'safe'; number: number }
  /** The configuration has changed. */
  | { kind: 'settings'; settings: LiveSettings }
  /** Turns no more for so long, as a bug would do it. For tests. */
  | { kind: 'stall'; forMs: number }
  | { kind: 'read'; request: number }
  | { kind: 'stop'; limitMs: number }

export type FromWorker =
  /** A block to be stored; the bytes of flow records are shared memory, left as they are until the answer `safe`. */
  | { kind: 'block'; number: number; block: SentBlock }
  | { kind: 'reports'; host: string; reports: number }
  | { kind: 'learned'; news: LearnedNews }
  | { kind: 'samples'; request: number; samples: Samples }
  /** A line of the log, as JSON. */
  | { kind: 'log'; line: string }
  /** Everything is written and safe. */
  | { kind: 'stopped'; samples: Samples }
