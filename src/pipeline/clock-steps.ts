/** Steps of this machine's own clock: NTP at boot, an operator, a virtual machine that was moved. */

/** Smaller ones are slews, leap seconds, or a look that came late. */
const LEAST_MS = 2_000

export class ClockSteps {
  private readonly steadyMs: () => number
  /** Wall clock less the steady one, at the last look. */
  private apart: number | undefined

  constructor(steadyMs: () => number) {
    this.steadyMs = steadyMs
  }

  /** By how much the wall clock was set since the last look; 0 when it was not. */
  look(wallMs: number): number {
    const apart = wallMs - this.steadyMs()
    const step = this.apart === undefined ? 0 : apart - this.apart
    this.apart = apart
    return Math.abs(step) < LEAST_MS ? 0 : step
  }
}
