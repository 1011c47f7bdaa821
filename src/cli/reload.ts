/**
 * SIGHUP: reads the configuration again. Everything is checked before anything is changed, so a wrong one leaves the old one in force, all
 * its faults logged. Options that are not live wait for the next start, and are named.
 */
import { AppError } from '../errors.ts'
import { ConfigInForce, type RunningOption } from '../config/in-force.ts'
import type { Loaded } from '../config/load.ts'
import type { Config, OptionName } from '../config/options.ts'
import type { Logger } from '../telemetry/log.ts'

/** A part of the collector that follows the configuration. */
export interface Follower {
  /** Throws an AppError when it could not take the configuration; changes nothing. */
  check?: (config: Config) => Promise<void> | void
  /** Takes it. What fails all the same is logged, and leaves this part as it was. */
  apply: (config: Config, changed: ReadonlySet<OptionName>) => Promise<void> | void
}

/** How the last attempts went, for /api/v1/status. */
export interface ReloadState {
  readonly reloads: number
  readonly failures: number
  readonly last_at: string | null
  /** Faults of the last attempt; none when it went well. */
  readonly faults: readonly string[]
  /** Options that take effect after a restart. */
  readonly pending: readonly OptionName[]
}

export class Reloader {
  private readonly inForce: ConfigInForce
  private readonly read: () => Loaded
  private readonly followers: readonly Follower[]
  private readonly log: Logger
  private reloads = 0
  private failures = 0
  private lastAt: number | undefined
  private faults: string[] = []
  private work: Promise<void> = Promise.resolve()

  constructor(loaded: Loaded, read: () => Loaded, followers: readonly Follower[], log: Logger) {
    this.inForce = new ConfigInForce(loaded)
    this.read = read
    this.followers = followers
    this.log = log
  }

  get state(): ReloadState {
    return {
      reloads: this.reloads,
      failures: this.failures,
      last_at: this.lastAt === undefined ? null : new Date(this.lastAt).toISOString(),
      faults: this.faults,
      pending: this.inForce.pending,
    }
  }

  /** What is in force. */
  get config(): Config {
    return this.inForce.config
  }

  rows(): RunningOption[] {
    return this.inForce.rows()
  }

  /** Reads again and takes what can be taken; one after the other when asked often. Never rejects but for a bug. */
  reload(): Promise<void> {
    return (this.work = this.work.then(() => this.again()))
  }

  private async again(): Promise<void> {
    this.lastAt = Date.now()
    const faults: string[] = []
    const next = await caught(faults, () => this.read())
    const config = next && this.inForce.merged(next)
    if (config !== undefined) for (const { check } of this.followers) await caught(faults, () => check?.(config))
    if (next === undefined || config === undefined || faults.length > 0) return this.refuse(faults)
    const { changed, pending } = this.inForce.take(next)
    for (const { apply } of this.followers) await caught(faults, () => apply(config, new Set(changed)))
    this.reloads++
    this.faults = faults
    for (const fault of faults) this.log.error(`reload: ${fault}`)
    if (faults.length > 0) this.failures++
    this.log.info({ changed, pending }, 'the configuration was read again')
    for (const name of pending) this.log.warn({ option: name }, `${name} takes effect after a restart`)
  }

  private refuse(faults: string[]): void {
    this.failures++
    this.faults = faults
    for (const fault of faults) this.log.error(`reload: ${fault}`)
    this.log.error({ faults: faults.length }, 'the new configuration is wrong; the old one stays in force')
  }
}

/** Runs a step; what it says is wrong goes to `faults`, a line each. Bugs are thrown. */
async function caught<T>(faults: string[], step: () => Promise<T> | T): Promise<T | undefined> {
  try {
    return await step()
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    faults.push(...(error.details.length > 0 ? error.details : [error.message]))
    return undefined
  }
}
