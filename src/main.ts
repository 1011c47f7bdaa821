#!/usr/bin/env node
/** The command `ovsight`. */
import type { CliContext } from './cli/context.ts'
import { openMigrated } from './cli/engine.ts'
import { runProgram } from './cli/program.ts'
import { VERSION } from './cli/version.ts'
import { AppError } from './errors.ts'

const context: CliContext = {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  now: Date.now,
  openStore: openMigrated,
}

try {
  await runProgram(context, VERSION, process.argv.slice(2))
} catch (error) {
  if (!(error instanceof AppError)) throw error
  process.stderr.write(`ovsight: ${error.message}\n${error.details.map((detail) => `  ${detail}\n`).join('')}`)
  process.exitCode = error.exitCode
}
