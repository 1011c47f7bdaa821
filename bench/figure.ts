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

/** One bench. Checks that what it measures gives the right answer before it takes the time. */
export type Bench = () => Promise<readonly Figure[]>

/** Runs `work` (which does `units` units a call) for about `forMs` after a warm-up of a quarter of that; units a second. */
export function measure(units: number, work: () => void, forMs = 1_000): number {
  const until = (ms: number) => {
    const start = process.hrtime.bigint()
    let calls = 0
    let elapsedMs: number
    do {
      work()
      calls++
      elapsedMs = Number(process.hrtime.bigint() - start) / 1e6
    } while (elapsedMs < ms)
    return (calls * units * 1e3) / elapsedMs
  }
  until(forMs / 4)
  return until(forMs)
}
