/**
 * Keeps the engine's process alive: never a worker thread (the engine crashes when one ends), and its crashes are not ours.
 * Requests under way when it dies are rejected as `store_unreachable`; it is started again after a pause that grows.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { AppError } from '../errors.ts'
import type { EngineAnswer, FromEngine, Lane, ToEngine } from './chdb-protocol.ts'
import { EngineDeath, EngineError } from './engine-error.ts'
import { backoffMs } from './pacing.ts'

const CHILD = new URL('./chdb-child.js', import.meta.url)
/** More requests than this at a time are refused. */
const MAX_PENDING = 1_000
/** Reading a large database back in after a crash takes a while. */
const START_MS = 120_000
/**
 * The engine of a process that was killed ends a moment after it; until then it holds the files. One that was starting ends when it has
 * started: over ten seconds, seen on a machine with ten times the work it can do.
 */
const HELD = /Cannot lock file/
const ORPHAN_MS = 60_000
/** How long a request waits for an engine that is being started again. */
const RESTART_WAIT_MS = 10_000
const RESTART_PAUSE = { firstMs: 100, maxMs: 10_000 }
/** Up for this long, and the next crash is a first one again. */
const STABLE_MS = 60_000
const CLOSE_MS = 30_000
const LAST_WORDS = 2_000

interface Pending {
  resolve: (answer: EngineAnswer) => void
  reject: (error: Error) => void
  timer: NodeJS.Timeout
}

export class EngineProcess {
  /** How often the engine died and was started again. */
  restarts = 0

  private readonly directory: string
  private readonly name: string
  private child: ChildProcess | undefined
  private ready = false
  /** The start under way, or the last one. */
  private up: Promise<void> = Promise.resolve()
  private readonly pending = new Map<number, Pending>()
  private nextId = 1
  private crashes = 0
  private lastWords = ''
  private closing = false
  private readonly mend: () => Promise<boolean>

  /**
   * `directory` is where the engine may write, `name` what messages call it. `mend` is called when the engine holds its files and nobody
   * asks it yet; when it says that it changed them, the engine is started once more.
   */
  constructor(directory: string, name: string, mend: () => Promise<boolean>) {
    this.directory = directory
    this.name = name
    this.mend = mend
  }

  /** Process id of the engine while it runs. */
  get pid(): number | undefined {
    return this.child?.pid
  }

  /** Starts the engine. Errors: store_unavailable (not installed), store_refused (it does not open the directory). */
  async start(): Promise<void> {
    const endMs = performance.now() + ORPHAN_MS
    for (;;) {
      try {
        return await this.bringUp()
      } catch (error) {
        if (!HELD.test((error as Error).message) || performance.now() > endMs) throw error
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    }
  }

  /**
   * Runs statements in order in one session and returns the last one's answer. After `limitMs` the engine counts as hung and is
   * replaced. Errors: EngineError (what it said), store_unreachable.
   */
  async run(
    lane: Lane,
    statements: readonly string[],
    format: string,
    limitMs: number,
    binary = false,
  ): Promise<EngineAnswer> {
    await this.running()
    if (this.pending.size >= MAX_PENDING)
      throw new AppError('store_unreachable', `${this.name}: ${MAX_PENDING} requests wait already`)
    const id = this.nextId++
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.child?.kill('SIGKILL'), limitMs)
      this.pending.set(id, { resolve, reject, timer })
      this.send({ id, lane, statements, format, binary })
    })
  }

  /** Lets the requests under way end, and the engine with them. */
  async close(): Promise<void> {
    this.closing = true
    const child = this.child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise<void>((resolve) => void child.once('exit', () => resolve()))
    this.send({ close: true })
    const timer = setTimeout(() => child.kill('SIGKILL'), CLOSE_MS)
    await ended
    clearTimeout(timer)
  }

  /** Resolves when the engine is up, or rejects when that takes too long. */
  private async running(): Promise<void> {
    if (this.closing) throw this.gone('is closed')
    if (this.ready) return
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.gone('is being started again')), RESTART_WAIT_MS)
    })
    await Promise.race([this.up, late]).finally(() => clearTimeout(timer))
  }

  private send(message: ToEngine): void {
    // A send that fails means a child that is dying: its exit rejects what is pending.
    this.child?.send(message, () => {})
  }

  private async bringUp(): Promise<void> {
    let child = await this.spawn()
    // Only now no engine of a process that was killed has the files.
    if (await this.mend()) {
      const ended = new Promise<void>((resolve) => void child.once('exit', () => resolve()))
      child.kill('SIGKILL')
      await ended
      child = await this.spawn()
    }
    if (child.exitCode !== null || child.signalCode !== null) throw this.startFailure('it ended', false)
    this.ready = true
  }

  private spawn(): Promise<ChildProcess> {
    const child = fork(CHILD, [], {
      cwd: this.directory,
      env: { ...process.env, UV_THREADPOOL_SIZE: '8' },
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.child = child
    this.lastWords = ''
    child.stderr!.on(
      'data',
      (chunk: Buffer) => (this.lastWords = (this.lastWords + chunk.toString()).slice(-LAST_WORDS)),
    )
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), START_MS)
      child.on('message', (message: FromEngine) => {
        if ('ready' in message) {
          clearTimeout(timer)
          resolve(child)
        } else if ('failed' in message) reject(this.startFailure(message.failed, message.missing))
        else this.settle(message)
      })
      child.on('error', (error) => reject(this.startFailure(error.message, false)))
      const startedMs = performance.now()
      child.on('exit', (code, signal) => {
        clearTimeout(timer)
        const how = signal === null ? `ended with code ${code}` : `was killed by ${signal}`
        reject(this.startFailure(how, false))
        if (this.ready) this.onDeath(how, performance.now() - startedMs)
      })
    })
  }

  private settle(message: Extract<FromEngine, { id: number }>): void {
    const pending = this.pending.get(message.id)
    if (pending === undefined) return
    this.pending.delete(message.id)
    clearTimeout(pending.timer)
    if ('answer' in message) pending.resolve(message.answer)
    else pending.reject(new EngineError(message.error))
  }

  /** The engine had been up and is gone. */
  private onDeath(how: string, livedMs: number): void {
    this.ready = false
    for (const { reject, timer } of this.pending.values()) {
      clearTimeout(timer)
      reject(this.gone(how))
    }
    this.pending.clear()
    if (this.closing) return
    this.crashes = livedMs > STABLE_MS ? 0 : this.crashes
    this.up = this.restart()
    // Whoever asks next sees the failure; nobody may be asking now.
    this.up.catch(() => {})
  }

  private async restart(): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, backoffMs(this.crashes++, RESTART_PAUSE)))
      if (this.closing) throw this.gone('is closed')
      this.restarts++
      try {
        return await this.bringUp()
      } catch (error) {
        if (this.closing) throw error
      }
    }
  }

  private gone(how: string): AppError {
    const words = this.lastWords.trim().split('\n').at(-1)
    const message = `the engine of ${this.name} ${how}${words ? ` (${words})` : ''}`
    return new AppError('store_unreachable', message, { cause: new EngineDeath(how) })
  }

  private startFailure(reason: string, missing: boolean): AppError {
    if (missing)
      return new AppError(
        'store_unavailable',
        `the embedded engine (npm package chdb, Linux with glibc or macOS) is not installed here: ${reason.split('\n')[0]}. ` +
          'Install it with `npm install chdb@3`, or give a ClickHouse server with --clickhouse URL.',
      )
    const said = [reason, this.lastWords.trim()].filter((part) => part !== '').join(': ')
    return new AppError('store_refused', `the engine does not open ${this.name}: ${said}`)
  }
}
