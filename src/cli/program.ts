import { Command, CommanderError } from 'commander'
import { AppError } from '../errors.ts'
import type { CliContext } from './context.ts'

const DESCRIPTION = `Tenant-true flow telemetry for Open vSwitch and OpenStack: which project, which server, how many bytes.`

const EXAMPLES = `
Examples:
  $ ovsight collect --identity cloud.yaml              receive exports and keep them
  $ ovsight replay --identity cloud.yaml capture.pcap  feed a capture in
  $ ovsight top server                                 who moved most
  $ ovsight flows --filter 'project red'               the records themselves
  $ ovsight help top                                   everything about a command

Exit codes: 0 done, 1 a fault of ovsight itself, 2 and above by cause; docs/cli.md lists them.`

/** Declares one command. */
type AddCommand = (program: Command, context: CliContext) => void

/**
 * THE table of commands, in the order of the help. Each is loaded when it is asked for: `top` needs a third of what `collect` does
 * (0.3 and 0.7 s on a busy machine).
 */
const COMMANDS: Readonly<Record<string, () => Promise<AddCommand>>> = {
  collect: async () => (await import('./collect.ts')).addCollect,
  replay: async () => (await import('./replay.ts')).addReplay,
  demo: async () => (await import('./demo.ts')).addDemo,
  top: async () => (await import('./top.ts')).addTop,
  watch: async () => (await import('./watch.ts')).addWatch,
  matrix: async () => (await import('./matrix.ts')).addMatrix,
  series: async () => (await import('./series.ts')).addSeries,
  flows: async () => (await import('./flows.ts')).addFlows,
  export: async () => (await import('./export.ts')).addExport,
  import: async () => (await import('./import.ts')).addImportFiles,
  store: async () => (await import('./store.ts')).addStore,
  audit: async () => (await import('./audit.ts')).addAudit,
  identity: async () => (await import('./identity.ts')).addIdentity,
  exporters: async () => (await import('./exporters.ts')).addExporters,
  doctor: async () => (await import('./doctor.ts')).addDoctor,
  setup: async () => (await import('./setup.ts')).addSetup,
  show: async () => (await import('./show.ts')).addShow,
  token: async () => (await import('./token.ts')).addToken,
  completion: async () => (await import('./completion.ts')).addCompletion,
}

/** Asked for by scripts, and of no command. */
const VERSION_OPTIONS: ReadonlySet<string | undefined> = new Set(['-V', '--version'])

/** The whole command line. Every mistake in it is thrown as an AppError; help and version go to standard output. */
export function buildProgram(context: CliContext, version: string): Promise<Command> {
  return programOf(Object.keys(COMMANDS), context, version)
}

/** A command line of some commands. */
async function programOf(names: readonly string[], context: CliContext, version: string): Promise<Command> {
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
  for (const name of names) (await COMMANDS[name]!())(program, context)
  return program
}

/** Paragraphs as one line each, for commander to fold them at the width of the terminal. */
function reflow(text: string): string {
  return text.replaceAll(/(?<!\n)\n(?!\n)/g, ' ')
}

/** Runs a command line without its first two words. Errors: AppError, or a bug. */
export async function runProgram(context: CliContext, version: string, words: readonly string[]): Promise<void> {
  // Everything after --words is of another command line.
  if (words[0] === 'completion' && words[1] === '--words') {
    const { writeCandidates } = await import('./completion.ts')
    return writeCandidates(context, await buildProgram(context, version), words.slice(2))
  }
  const first = words[0] === 'help' ? words[1] : words[0]
  const known = first !== undefined && Object.hasOwn(COMMANDS, first)
  const needed = known ? [first] : VERSION_OPTIONS.has(first) ? [] : Object.keys(COMMANDS)
  const program = await programOf(needed, context, version)
  try {
    await program.parseAsync(words, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return
    throw usageError(error, words, program)
  }
}

/** What people are told of an error, on standard error: the message, its code, and a line for each detail. */
export function errorText(error: AppError): string {
  const details = error.details.map((detail) => `  ${detail}\n`).join('')
  return `ovsight: ${error.message} (${error.code})\n${details}`
}

function usageError(error: CommanderError, words: readonly string[], program: Command): AppError {
  const name = words.find((word) => !word.startsWith('-'))
  const parts = program.commands.find((one) => one.name() === name)?.commands.map((part) => part.name()) ?? []
  // Commander answers a missing subcommand with the help, as an error without a message, and options before it as unknown ones.
  const missing =
    error.code === 'commander.help' ||
    (error.code === 'commander.unknownOption' && parts.length > 0 && !words.some((word) => parts.includes(word)))
  const message = missing ? 'a command is missing' : error.message.replace(/^error: /, '')
  const help = error.code === 'commander.unknownCommand' || name === undefined ? 'ovsight help' : `ovsight help ${name}`
  const [first, ...more] = message.split('\n')
  if (missing && parts.length > 0) more.push(`after ${name}: ${parts.join(', ')}`)
  return new AppError('usage', first ?? message, { cause: error, details: [...more, `see ${help}`] })
}
