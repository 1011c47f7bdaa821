/** The configuration of a program that runs: what is in force, and what a start now would take. */
import type { Loaded } from './load.ts'
import { type Config, OPTION_NAMES, type OptionName, optionFacts } from './options.ts'
import { type ShownOption, shownValue } from './show.ts'

/** An option as `show config --running` prints it. */
export interface RunningOption extends ShownOption {
  /** The value after the next start, where it is another; else ''. */
  pending: string
  /** Where that comes from. */
  pending_origin: string
}

export class ConfigInForce {
  private running: Loaded
  private wanted: Loaded

  constructor(loaded: Loaded) {
    this.running = loaded
    this.wanted = loaded
  }

  get config(): Config {
    return this.running.config
  }

  /** What would be in force with `next`: its live options, and all others as they are. */
  merged(next: Loaded): Config {
    return this.taken(next).config
  }

  /** Takes the live options of `next`. Returns those that changed, and those that wait for a restart. */
  take(next: Loaded): { changed: OptionName[]; pending: OptionName[] } {
    const changed = OPTION_NAMES.filter((name) => isLive(name) && differ(this.running.config, next.config, name))
    this.running = this.taken(next)
    this.wanted = next
    return { changed, pending: this.pending }
  }

  /** Options of which a start now would take another value. */
  get pending(): OptionName[] {
    return OPTION_NAMES.filter((name) => differ(this.running.config, this.wanted.config, name))
  }

  /** Every option, secrets hidden. */
  rows(): RunningOption[] {
    const pending = new Set(this.pending)
    return OPTION_NAMES.map((option) => ({
      option,
      value: shownValue(this.running.config, option),
      origin: this.running.origins[option],
      pending: pending.has(option) ? shownValue(this.wanted.config, option) : '',
      pending_origin: pending.has(option) ? this.wanted.origins[option] : '',
    }))
  }

  private taken(next: Loaded): Loaded {
    const pick = (of: (loaded: Loaded) => Readonly<Record<OptionName, unknown>>) =>
      Object.fromEntries(OPTION_NAMES.map((name) => [name, of(isLive(name) ? next : this.running)[name]]))
    return {
      config: pick(({ config }) => config) as unknown as Config,
      origins: pick(({ origins }) => origins) as Loaded['origins'],
    }
  }
}

/** Whether an option takes effect while the collector runs, by SIGHUP. */
export function isLive(name: OptionName): boolean {
  return optionFacts(name).live === true
}

function differ(a: Config, b: Config, name: OptionName): boolean {
  return JSON.stringify(a[name]) !== JSON.stringify(b[name])
}
