/**
 * Answers of the embedded engine beside those that this program reads row by row: to questions of somebody else, whole or while they are
 * written, and rows of a plan in any format.
 */
import { Readable } from 'node:stream'
import { identifier, quote } from '../schema/ddl.ts'
import type { EngineProcess } from './chdb-process.ts'
import { EngineError, queryFailure } from './engine-error.ts'
import { parameterSettings } from './parameters.ts'
import { Pipes } from './pipes.ts'
import type { QueryPlan } from './store.ts'

/** What a question of somebody else may cost; `readonly` 2 forbids all that writes. */
const GUEST_SETTINGS = {
  readonly: 2,
  max_memory_usage: String(2 * 1024 ** 3),
  max_result_rows: 100_000_000,
  result_overflow_mode: 'throw',
  allow_introspection_functions: 0,
} as const
/** An answer that is held whole. */
const WHOLE_SETTINGS = { max_result_rows: 2_000_000, max_result_bytes: String(64 * 1024 ** 2) } as const
/** Seconds that a question of somebody else may take when it does not say. */
const GUEST_TIME_S = 60
/** The engine stops a question by itself; this much later it counts as hung. */
export const GRACE_MS = 15_000
/** An export may take a day. */
const STREAM_LIMIT_MS = 86_400_000

/** What comes with a question of somebody else: values of `{name:Type}`, harmless settings, seconds it may take. */
export interface Guest {
  params?: Readonly<Record<string, string>>
  settings?: Readonly<Record<string, string>>
  timeS?: number
}

/** What the engine says of a question that it has answered. */
export interface Answered {
  rowsRead: number
  bytesRead: number
  elapsedS: number
}

export interface WholeAnswer extends Answered {
  bytes: Uint8Array
}

export interface AnswerStream {
  /** Ends when nothing more comes, whether or not the engine was done. */
  body: Readable
  /** Fails as `answer` does; the body is not whole then. */
  done: Promise<Answered>
  /** Stops the engine and gives the body up. */
  cancel: () => void
}

export class ChdbAnswers {
  private readonly engine: EngineProcess
  private readonly name: string
  private readonly pathForEngine: (file: string) => string
  private readonly pipes: Pipes

  /** `name` is what messages call the store, `pathForEngine` how the engine finds a file of `directory`. */
  constructor(engine: EngineProcess, directory: string, name: string, pathForEngine: (file: string) => string) {
    this.engine = engine
    this.name = name
    this.pathForEngine = pathForEngine
    this.pipes = new Pipes(directory)
  }

  /**
   * Answers a question of somebody else, read-only and within limits, in any format, whole. Whoever calls has looked at the SQL: it is
   * run as it stands. Errors: EngineError as the engine said it, store_unreachable.
   */
  async whole(sql: string, format: string, guest: Guest = {}): Promise<WholeAnswer> {
    const { timeS, set } = guestSettings(guest, WHOLE_SETTINGS)
    const answer = await this.engine.run('door', [set, sql], format, timeS * 1000 + GRACE_MS, true)
    return { bytes: answer.bytes ?? new Uint8Array(0), ...answer }
  }

  /**
   * The same, but the answer is read while the engine writes it: one that nobody reads stops the engine, at the latest when its time is
   * over. `sql` is a SELECT without FORMAT; `after` is what follows FORMAT. Errors: data_dir_unwritable, store_unreachable.
   */
  async asWritten(
    sql: string,
    format: string,
    guest: Guest & { after?: string; compression?: string } = {},
  ): Promise<AnswerStream> {
    const { timeS, set } = guestSettings(guest, {})
    return this.openStream('door', set, sql, format, timeS * 1000, guest)
  }

  /** See Store.stream. */
  async plan(plan: QueryPlan, format: string, settings: Readonly<Record<string, string | number>>): Promise<Readable> {
    const timeoutMs = plan.timeoutMs ?? STREAM_LIMIT_MS
    const set = `SET ${[settingsClause({ ...settings, max_execution_time: timeoutMs / 1000 }), ...parameterSettings(plan)].join(', ')}`
    const stream = await this.openStream('stream', set, plan.sql, format, timeoutMs, {})
    return wholeStream(stream, (error) =>
      error instanceof EngineError ? queryFailure(this.name, error, timeoutMs) : error,
    )
  }

  private async openStream(
    lane: 'door' | 'stream',
    set: string,
    sql: string,
    format: string,
    timeoutMs: number,
    { after = '', compression = 'none' }: { after?: string; compression?: string },
  ): Promise<AnswerStream> {
    const pipe = await this.pipes.take()
    const to = `INTO OUTFILE ${quote(this.pathForEngine(pipe.name))} TRUNCATE COMPRESSION ${quote(compression)}`
    const statement = `${sql}\n${to} FORMAT ${identifier(format)} ${after}`
    let ended = false
    const done = this.engine.run(lane, [set, statement], 'Null', timeoutMs + GRACE_MS).finally(() => {
      ended = true
      pipe.finish()
    })
    // Whoever reads asks for it when the body has ended.
    done.catch(() => {})
    // An engine that writes and is not read notices nothing: it is let go when its time is over.
    const timer = setTimeout(() => cancel(), timeoutMs + GRACE_MS / 2)
    done.finally(() => clearTimeout(timer)).catch(() => {})
    const cancel = () => {
      pipe.body.destroy()
      if (ended) return
      // The pipe's name is in the text of the query, and in no other.
      const kill = `KILL QUERY WHERE query LIKE ${quote(`%/${pipe.name}%`)} ASYNC`
      this.engine.run('read', [kill], 'Null', GRACE_MS).catch(() => {
        // It has ended by itself, or the engine is gone.
      })
    }
    return { body: pipe.body, done, cancel }
  }
}

/** `SET …` for a question of somebody else, and how long it may take. */
function guestSettings(
  { params = {}, settings = {}, timeS = GUEST_TIME_S }: Guest,
  more: Readonly<Record<string, string | number>>,
): { timeS: number; set: string } {
  const values = Object.entries(params).map(([name, value]) => `param_${identifier(name)} = ${quote(value)}`)
  const limits = settingsClause({ ...settings, ...GUEST_SETTINGS, ...more, max_execution_time: timeS })
  return { timeS, set: `SET ${[limits, ...values].join(', ')}` }
}

/** A body that fails where the engine failed, and lets the engine go when it is given up. */
function wholeStream({ body, done, cancel }: AnswerStream, failure: (error: unknown) => unknown): Readable {
  async function* parts(): AsyncGenerator<Buffer> {
    try {
      for await (const part of body as AsyncIterable<Buffer>) yield part
      await done
    } catch (error) {
      throw failure(error)
    } finally {
      cancel()
    }
  }
  return Readable.from(parts(), { objectMode: false })
}

export function settingsClause(settings: Readonly<Record<string, string | number>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} = ${typeof value === 'number' ? value : quote(value)}`)
    .join(', ')
}
