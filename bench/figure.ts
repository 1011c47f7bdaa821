/** What a bench answers: measured figures, with what they are to reach. */
export interface Figure {
  /** What was measured, as it stands in the table. */
  name: string
  value: number
  /** `M records/s`, `k rows/s`, `MB`, … */
  unit: string
  /** The figure to reach, in the same unit; a bound from below unless `atMost`. */
  target?: number
  atMost?: true
  /** How it was measured, or what it is beside: one short line. */
  note?: string
}

/** What the command line says of how much is to be done; a bench has its own default. */
export interface BenchOptions {
  rows?: number
  /** Span of the rows. */
  days?: number
}

/** One bench. Checks that what it measures gives the right answer before it takes the time. */
export type Bench = (options: BenchOptions) => Promise<readonly Figure[]>

/**
 * Runs `work` (which does `units` units a call) for about `forMs` of CPU after a warm-up of a quarter of that; units a CPU second.
 * CPU time of this process, so that what else the machine does costs little; garbage collection is in it.
 */
export function measure(units: number, work: () => void, forMs = 1_000): number {
  const until = (ms: number, callsAtATime: number) => {
    const start = process.cpuUsage()
    let calls = 0
    let elapsedMs: number
    do {
      for (let i = 0; i < callsAtATime; i++) work()
      calls += callsAtATime
      const { user, system } = process.cpuUsage(start)
      elapsedMs = (user + system) / 1e3
    } while (elapsedMs < ms)
    return { perS: (calls * units * 1e3) / elapsedMs, callsAtATime: Math.max(1, Math.floor(calls / elapsedMs)) }
  }
  // Asking for the CPU time costs microseconds itself: once a millisecond of work.
  const { callsAtATime } = until(forMs / 4, 1)
  return until(forMs, callsAtATime).perS
}
