/** Long work that gives way: a generator that yields where others may have their turn. */
import { setImmediate as turn } from 'node:timers/promises'

export type Slices<T> = Generator<void, T>

/** Things of a slice where one takes some microseconds. */
export const SLICE = 512
/** The same where one takes some dozens of nanoseconds. */
export const MANY = 16_384
/** Slices are put together until they have taken this long. */
const TURN_MS = 5

/** Does all of it now. */
export function atOnce<T>(work: Slices<T>): T {
  for (;;) {
    const { done, value } = work.next()
    if (done === true) return value
  }
}

/** Does it a few milliseconds at a time, and others in between; undefined when `given` says that it is not wanted any more. */
export async function inTurns<T>(work: Slices<T>, given: () => boolean): Promise<T | undefined> {
  for (;;) {
    const untilMs = performance.now() + TURN_MS
    do {
      const { done, value } = work.next()
      if (done === true) return value
    } while (performance.now() < untilMs)
    await turn()
    if (given()) return undefined
  }
}
