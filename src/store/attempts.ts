/** When a block that the store did not take is tried again: at once, after the others, or never. */
import { engineCodeOf, isPassing } from './engine-error.ts'
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

  /** Whether others go first: the engine answered, and what it does not like may be this block. */
  isPostponed(block: Block): boolean {
    return this.later.has(block)
  }

  /** Notes a failure, `inserts` blocks having gone in so far. True when there is no sense in trying again. */
  isHopeless(block: Block, error: AppError, inserts: number): boolean {
    const failures = this.failures.get(block) ?? { count: 0, refusals: 0, since: inserts }
    this.failures.set(block, failures)
    failures.count++
    if (error.code === 'store_refused') failures.refusals++
    const code = engineCodeOf(error)
    if (error.code === 'store_refused' || code !== undefined) this.later.add(block)
    if (failures.refusals >= MAX_REFUSALS) return true
    const odd = code !== undefined && !isPassing(code)
    return odd && failures.count >= MAX_FAILURES && inserts > failures.since
  }

  forget(block: Block): void {
    this.failures.delete(block)
    this.later.delete(block)
  }
}
