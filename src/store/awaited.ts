/**
 * A store that may not be there yet. What is received meanwhile goes into the spool; when the store comes, its schema is brought up to
 * date, and then the spool is emptied.
 *
 *   at the start   it does not answer     → the caller goes on, and it is tried again for as long as it takes
 *                  it refuses             → the caller's error: a wrong password, a newer schema, a table altered by hand
 *   later          it refuses             → said once for each reason, and tried again: after its start a collector does not end by itself
 */
import { AppError } from '../errors.ts'
import { Alarm, type Pause, backoffMs, within } from './pacing.ts'
import type { Store } from './store.ts'

export interface AwaitedLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface AwaitedOptions {
  log: AwaitedLog
  /** Stands behind the reason why the store is not ready: what happens meanwhile, and what to do. */
  advice: string
  /** A store that takes longer than this to be made ready is waited for in the background. */
  firstLimitMs?: number
  pause?: Pause
}

const FIRST_LIMIT_MS = 10_000
const PAUSE = { firstMs: 1_000, maxMs: 30_000 }

export class Awaited {
  /** Resolves when the schema is what this version needs; never rejects. */
  readonly whenReady: Promise<void>
  /** Whether it is. */
  ready = false
  /** Why it is not; undefined while it is tried for the first time. */
  fault: AppError | undefined

  private readonly store: Pick<Store, 'migrate'>
  private readonly options: AwaitedOptions
  private readonly alarm = new Alarm()
  private readonly said = new Set<string>()
  private stopped = false
  private trying: Promise<unknown> = Promise.resolve()
  private resolveReady: () => void = () => {}

  private constructor(store: Pick<Store, 'migrate'>, options: AwaitedOptions) {
    this.store = store
    this.options = options
    this.whenReady = new Promise((resolve) => (this.resolveReady = resolve))
  }

  /** Brings the schema up to date, or begins to wait for the store. Errors: store_refused, store_newer, and what else migrating knows. */
  static async begin(store: Pick<Store, 'migrate'>, options: AwaitedOptions): Promise<Awaited> {
    const awaited = new Awaited(store, options)
    const first = awaited.attempt()
    // A failure is told below, or in the background.
    const ended = first.catch(() => {})
    if (!(await within(ended, options.firstLimitMs ?? FIRST_LIMIT_MS))) {
      options.log.warn({}, `the store takes long to answer, or its tables to be brought up to date; ${options.advice}`)
    } else if (awaited.ready) return awaited
    else if (awaited.fault?.code !== 'store_unreachable') await first
    else awaited.say(awaited.fault)
    awaited.trying = awaited.goOn(first)
    return awaited
  }

  /** Waits no longer. */
  async stop(): Promise<void> {
    this.stopped = true
    this.alarm.ring()
    // A server that hangs is not waited for.
    await within(this.trying, 1_000)
  }

  private async attempt(): Promise<void> {
    try {
      await this.store.migrate()
    } catch (error) {
      if (error instanceof AppError) this.fault = error
      throw error
    }
    this.fault = undefined
    this.ready = true
    this.resolveReady()
  }

  private async goOn(first: Promise<void>): Promise<void> {
    for (let failures = 0, attempt = first; ; attempt = this.attempt()) {
      try {
        await attempt
        this.options.log.info({}, 'the store answers and its tables are up to date; the spool is being emptied')
        return
      } catch (error) {
        if (this.stopped) return
        // Anything else is a bug, and ends the process.
        if (!(error instanceof AppError)) throw error
        this.say(error)
      }
      await this.alarm.sleep(backoffMs(failures++, this.options.pause ?? PAUSE), () => this.stopped)
      if (this.stopped) return
    }
  }

  /** Once a reason, as it is tried again and again. */
  private say({ code, message, details }: AppError): void {
    if (this.said.has(message)) return
    this.said.add(message)
    const text = [message, ...details].join('; ')
    if (code === 'store_unreachable') this.options.log.warn({ code }, `${text}; ${this.options.advice}`)
    else this.options.log.error({ code }, `the store answers, and refuses: ${text}; ${this.options.advice}`)
  }
}
