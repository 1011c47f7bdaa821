/** A Store that keeps rows by token and can be told to fail, for tests of what stands in front of stores. */
import { readFileSync } from 'node:fs'
import { AppError } from '../../src/errors.ts'
import { EngineDeath, EngineError, insertFailure } from '../../src/store/engine-error.ts'
import type { Block, FileBlock, Rows, Store } from '../../src/store/store.ts'

export class MemoryStore implements Store {
  readonly name = 'memory'
  readonly database = 'memory'
  /** Bytes by token. */
  readonly stored = new Map<string, Buffer>()
  /** Tokens in the order of their attempts. */
  readonly attempts: string[] = []
  /** What becomes of an insert; undefined = it is stored. */
  fail: (block: Block | FileBlock) => Error | undefined = () => undefined
  /** How long an insert takes. */
  delayMs = 0

  async migrate(): Promise<void> {}

  async run(): Promise<void> {}

  async insert(block: Block | FileBlock): Promise<void> {
    this.attempts.push(block.token)
    if (this.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.delayMs))
    const error = this.fail(block)
    if (error !== undefined) throw error
    this.stored.set(block.token, 'file' in block ? readFileSync(block.file) : Buffer.from(block.bytes))
  }

  query(): Promise<Rows> {
    throw new Error('not asked')
  }

  stream(): Promise<never> {
    throw new Error('not asked')
  }

  async close(): Promise<void> {}
}

export const unreachable = () => new AppError('store_unreachable', 'nobody answers')
/** What the engine answered with a code, as both stores put it. */
export const answered = (code: number) =>
  insertFailure('memory', 1, new EngineError(`Code: ${code}. DB::Exception: no. (NO)`))
/** What the embedded store says when its engine dies. */
export const died = () =>
  new AppError('store_unreachable', 'the engine was killed', { cause: new EngineDeath('killed') })
