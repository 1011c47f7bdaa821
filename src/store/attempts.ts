/** Whether a block that the store did not take is tried again; always after the others, which may fare better. */
import { EngineDeath, engineCodeOf, isPassing } from './engine-error.ts'
import type { AppError } from '../errors.ts'

/** A block that the store could not read so often goes into quarantine; once may be a connection that was cut. */
const MAX_REFUSALS = 2
/** So often, while others went in since its first failure, and the block is held to be the fault whatever the store says. */
const MAX_FAILURES = 5

interface Failures {
  count: number
  refusals: number
  /** Inserts of other blocks when it failed first. */
  since: number
}

export class Attempts<Block extends object> {
  private readonly failures = new Map<Block, Failures>()
  private readonly later = new Set<Block>()

  /** Whether others go first. */
  isPostponed(block: Block): boolean {
    return this.later.has(block)
  }

  /** Notes a failure, `inserts` blocks having gone in so far. True when there is no sense in trying again. */
  isHopeless(block: Block, error: AppError, inserts: number): boolean {
    const failures = this.failures.get(block) ?? { count: 0, refusals: 0, since: inserts }
    this.failures.set(block, failures)
    this.later.add(block)
    failures.count++
    if (error.code === 'store_refused') failures.refusals++
    if (failures.refusals >= MAX_REFUSALS) return true
    return isOdd(error) && failures.count >= MAX_FAILURES && inserts > failures.since
  }

  forget(block: Block): void {
    this.failures.delete(block)
    this.later.delete(block)
  }
}

/** Whether the block may be the reason: the engine died of it, or said what is not known to pass. */
function isOdd(error: AppError): boolean {
  const code = engineCodeOf(error)
  return error.cause instanceof EngineDeath || (code !== undefined && !isPassing(code))
}
