/** The words after `npm run NAME --` of a command of this repository: its options, their help, and what is no option. */
import { Command, InvalidArgumentError, Option } from 'commander'

interface OptionFacts {
  doc: string
  /** What its value is called; without it the option is a flag. */
  value?: string
  /** By default a value is a number of 0 or more. */
  text?: true
  default?: number | string
}

type ValueOf<O extends OptionFacts> = O extends { value: string }
  ? (O extends { text: true } ? string : number) | (O extends { default: number | string } ? never : undefined)
  : boolean

export interface Usage<O extends Readonly<Record<string, OptionFacts>>> {
  name: string
  /** What the command does, in a sentence or two. */
  does: string
  /** What the exit code 1 says. */
  fails: string
  options: O
  /** What words without a dash are; without it there are none. */
  words?: { name: string; doc: string }
}

/** Reads the options. `--help` and what is wrong end the process: with 0 and with 2, in one line. */
export function readUsage<const O extends Readonly<Record<string, OptionFacts>>>(
  { name, does, fails, options, words }: Usage<O>,
  given: readonly string[] = process.argv.slice(2),
): { values: { [Name in keyof O]: ValueOf<O[Name]> }; words: string[] } {
  const command = new Command(`npm run ${name} --`)
    .description(does)
    .usage(words === undefined ? '[options]' : `[options] [${words.name}...]`)
    .helpOption('--help', 'show this')
    .addHelpText('after', `\nExit code: 0 when all is well, 1 when ${fails}, 2 when an option is wrong.`)
    .showSuggestionAfterError(false)
    .allowExcessArguments(false)
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  if (words !== undefined) command.argument(`[${words.name}...]`, words.doc)
  for (const [option, facts] of Object.entries(options)) {
    const flags = facts.value === undefined ? `--${option}` : `--${option} <${facts.value}>`
    const one = new Option(flags, facts.doc)
    if (facts.value !== undefined && facts.text !== true) one.argParser(number)
    if (facts.default !== undefined) one.default(facts.default)
    if (facts.value === undefined) one.default(false, 'off')
    command.addOption(one)
  }
  command.parse(given, { from: 'user' })
  return { values: command.opts(), words: command.args }
}

function number(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0)) throw new InvalidArgumentError('It is not a number.')
  return value
}
