/** Runs other programs: iproute2, Open vSwitch's own tools, nft. A failure is an error with what the program said. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'

/** A program ended with a non-zero status; the message has the command line and its standard error. */
export class CommandFailed extends Error {
  constructor(argv: readonly string[], why: string) {
    super(`${argv.join(' ')}: ${why.trim()}`)
    this.name = 'CommandFailed'
  }
}

export interface RunOptions {
  /** Standard input; without it there is none. */
  input?: string
  /** Added to this process's environment. */
  env?: Record<string, string>
  /** Default 30 s. */
  timeoutMs?: number
}

/** Run a program to its end and return its standard output. Throws `CommandFailed`. */
export function run(argv: readonly string[], options: RunOptions = {}): string {
  const [file, ...args] = argv
  const result = spawnSync(file!, args, {
    encoding: 'utf8',
    input: options.input ?? '',
    env: { ...process.env, ...options.env },
    timeout: options.timeoutMs ?? 30_000,
    maxBuffer: 256 << 20,
  })
  if (result.error) throw new CommandFailed(argv, result.error.message)
  if (result.status !== 0) throw new CommandFailed(argv, result.stderr || `status ${result.status}`)
  return result.stdout
}

/** Whether a program ran and ended with status 0. */
export function succeeds(argv: readonly string[], options: RunOptions = {}): boolean {
  try {
    run(argv, options)
    return true
  } catch (error) {
    if (error instanceof CommandFailed) return false
    throw error
  }
}

/** The program is on the PATH. */
export function isInstalled(program: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((folder) => {
    try {
      accessSync(`${folder}/${program}`, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** The command line that runs `argv` inside a network namespace. */
export const within = (namespace: string, ...argv: string[]): string[] => ['ip', 'netns', 'exec', namespace, ...argv]

/** Before what must not be kept waiting by whatever else runs: a switch or a capture that is late loses frames. */
export const PROMPT = ['nice', '-n', '-15']

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
