/** Waiting: pauses that grow, and pauses that end early. */

export interface Pause {
  firstMs: number
  maxMs: number
}

/** Pause before attempt `attempt` + 1 (0 = after the first failure): doubles up to a bound, by chance 50 to 100 % of that. */
export function backoffMs(attempt: number, { firstMs, maxMs }: Pause, random: () => number = Math.random): number {
  return Math.min(maxMs, firstMs * 2 ** Math.min(attempt, 30)) * (0.5 + random() / 2)
}

/** Resolves when `work` does, at the latest after `limitMs`; whether it was in time. */
export async function within(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  if (limitMs === Infinity) return work.then(() => true)
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), limitMs)))
  return Promise.race([work.then(() => true), limit]).finally(() => clearTimeout(timer))
}

/** Pauses that anybody may end. */
export class Alarm {
  private readonly sleepers = new Set<() => void>()

  /** Resolves after `ms`, or when somebody rings. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer)
        this.sleepers.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      this.sleepers.add(wake)
    })
  }

  /** Resolves after `ms`, however often somebody rings, unless `until` holds then. */
  async sleep(ms: number, until: () => boolean): Promise<void> {
    // Not by the clock, which may be set meanwhile.
    const endMs = performance.now() + ms
    for (let restMs = ms; restMs > 0 && !until(); restMs = endMs - performance.now()) await this.pause(restMs)
  }

  ring(): void {
    for (const wake of this.sleepers) wake()
  }
}
