import { Command, CommanderError } from 'commander'
import { AppError } from '../errors.ts'
import { addCollect } from './collect.ts'
import type { CliContext } from './context.ts'
import { addDemo } from './demo.ts'
import { addFlows } from './flows.ts'
import { addReplay } from './replay.ts'
import { addIdentity } from './identity.ts'
import { addShow } from './show.ts'
import { addTop } from './top.ts'

const DESCRIPTION = `Tenant-true flow telemetry for Open vSwitch and OpenStack: which project, which server, how many bytes.`

const EXAMPLES = `
Examples:
  $ ovsight collect --identity cloud.yaml              receive exports and keep them
  $ ovsight replay --identity cloud.yaml capture.pcap  feed a capture in
  $ ovsight top server                                 who moved most
  $ ovsight flows --filter 'project red'               the records themselves
  $ ovsight help top                                   everything about a command

Exit codes: 0 done, 1 a fault of ovsight itself, 2 and above by cause; docs/cli.md lists them.`

/** The whole command line. Every mistake in it is thrown as an AppError; help and version go to standard output. */
export function buildProgram(context: CliContext, version: string): Command {
  const program = new Command('ovsight')
    .description(DESCRIPTION)
    .version(version)
    .addHelpText('after', EXAMPLES)
    .configureHelp({ commandDescription: (command) => reflow(command.description()) })
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      // What commander has to say about mistakes is said by main, like every error.
      writeErr: () => undefined,
      getOutHelpWidth: () => context.stdout.columns ?? 100,
    })
    .exitOverride()
  addCollect(program, context)
  addReplay(program, context)
  addDemo(program, context)
  addTop(program, context)
  addFlows(program, context)
  addIdentity(program, context)
  addShow(program, context)
  return program
}

/** Paragraphs as one line each, for commander to fold them at the width of the terminal. */
function reflow(text: string): string {
  return text.replaceAll(/(?<!\n)\n(?!\n)/g, ' ')
}

/** Runs a command line without its first two words. Errors: AppError, or a bug. */
export async function runProgram(context: CliContext, version: string, words: readonly string[]): Promise<void> {
  const program = buildProgram(context, version)
  try {
    await program.parseAsync(words, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return
    throw usageError(error, words)
  }
}

function usageError(error: CommanderError, words: readonly string[]): AppError {
  // Commander answers a missing subcommand with the help, as an error without a message.
  const message = error.code === 'commander.help' ? 'a command is missing' : error.message.replace(/^error: /, '')
  const command = words.find((word) => !word.startsWith('-'))
  const help =
    error.code === 'commander.unknownCommand' || command === undefined ? 'ovsight help' : `ovsight help ${command}`
  const [first, ...more] = message.split('\n')
  return new AppError('usage', first ?? message, { cause: error, details: [...more, `see ${help}`] })
}
