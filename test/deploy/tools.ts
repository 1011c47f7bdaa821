/** Programs of the machine that the tests of deploy/ use. */
import { execFileSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Whether a program is in the PATH. */
export function has(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => isExecutable(join(directory, program)))
}

/** What a program printed; throws with what it complained about. */
export function run(program: string, words: readonly string[], cwd?: string): string {
  // No OVSIGHT_ variable of the machine matters to what is tested.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('OVSIGHT_')))
  return execFileSync(program, words, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 ** 2,
    env: { ...env, NO_COLOR: '1', LC_ALL: 'C' },
    ...(cwd === undefined ? {} : { cwd }),
  })
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
