/** The command line with a terminal, a clock and a store of the test's own. */
import type { CliContext } from '../../src/cli/context.ts'
import { runProgram } from '../../src/cli/program.ts'
import { AppError } from '../../src/errors.ts'
import type { Store } from '../../src/store/store.ts'
import type { Engine } from '../query/engine.ts'

export interface Run {
  readonly stdout: string
  readonly stderr: string
  readonly error?: AppError
}

export interface Surroundings {
  readonly engine?: Engine
  readonly now?: number
  readonly env?: Record<string, string>
  /** What opening the store fails with, asked at every try. */
  readonly locked?: () => AppError | undefined
  /** Width of the terminal; none when output goes elsewhere. */
  readonly terminal?: number
}

/** Runs `ovsight …`. An AppError is returned, a bug is thrown. */
export async function run(
  words: readonly string[],
  { engine, now = 0, env = {}, locked, terminal }: Surroundings = {},
): Promise<Run> {
  const written = { stdout: '', stderr: '' }
  const context: CliContext = {
    stdout: {
      write: (text) => (written.stdout += text),
      ...(terminal === undefined ? {} : { isTTY: true, columns: terminal }),
    },
    stderr: { write: (text) => (written.stderr += text) },
    env,
    now: () => now,
    openStore: () => {
      const fault = locked?.()
      return fault === undefined ? Promise.resolve(storeOf(engine)) : Promise.reject(fault)
    },
  }
  try {
    await runProgram(context, '1.2.3', words)
    return written
  } catch (error) {
    if (error instanceof AppError) return { ...written, error }
    throw error
  }
}

/** The store as a command sees it: it closes what it opened, and the test goes on with it. */
function storeOf(engine: Engine | undefined): Store {
  if (engine === undefined) throw new Error('this command was not to open a store')
  const { store } = engine
  return {
    name: store.name,
    database: 'ovsight',
    run: () => Promise.resolve(),
    migrate: () => store.migrate(),
    insert: (block) => store.insert(block),
    query: (plan) => store.query(plan),
    stream: (plan, format, settings) => store.stream(plan, format, settings),
    close: () => Promise.resolve(),
  }
}
