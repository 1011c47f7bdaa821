#!/usr/bin/env node
/** The command `ovsight`. Here errors become messages and exit codes, and nowhere else. */
import type { CliContext } from './cli/context.ts'
import { errorText, runProgram } from './cli/program.ts'
import { VERSION } from './cli/version.ts'
import { AppError } from './errors.ts'

const context: CliContext = {
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  env: process.env,
  now: Date.now,
  openStore: async (target) => (await import('./cli/open-store.ts')).openMigrated(target),
}

// Whoever reads our output may stop early: `ovsight flows | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

try {
  await runProgram(context, VERSION, process.argv.slice(2))
} catch (error) {
  // A bug ends the process with its stack.
  if (!(error instanceof AppError)) throw error
  process.stderr.write(errorText(error))
  process.exitCode = error.exitCode
}
