import { type Command, Option } from 'commander'
import { type OptionName, flagOf, optionFacts } from './options.ts'
import { OPTION_TYPES, showValue } from './types.ts'

/**
 * Declares options of the table on a command, under the headings of their groups; those seldom used are told by the help of the
 * collector, which takes all. The values stay text: `loadConfig` checks
 * them together with those of the other sources.
 */
export function addOptions(command: Command, names: readonly OptionName[], seldom = names.includes('bind')): Command {
  command.option('--config <file>', 'YAML file with options (OVSIGHT_CONFIG)')
  for (const name of names) {
    const facts = optionFacts(name)
    const syntax = facts.oneOf === undefined ? OPTION_TYPES[facts.type].syntax : facts.oneOf.join('|')
    const fallback = facts.default === null ? '' : ` (default ${showValue(facts.type, facts.default)})`
    const option = new Option(`${flagOf(name)} <${syntax}>`, `${facts.doc}${fallback}`).helpGroup(`${facts.group}:`)
    option.hideHelp(facts.seldom === true && !seldom)
    if (facts.type === 'urls')
      option.argParser((url: string, before: string | undefined) => (before === undefined ? url : `${before},${url}`))
    if (facts.type === 'aliases')
      option.argParser((pair: string, before: string[] | undefined) => [...(before ?? []), pair])
    command.addOption(option)
  }
  return command
}

/** The values commander read, by option name: `netflowPort` → `netflow_port`. */
export function givenFlags(
  options: Readonly<Record<string, unknown>>,
  names: readonly OptionName[],
): Partial<Record<OptionName, unknown>> {
  return Object.fromEntries(
    names
      .map((name) => [name, options[name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())]])
      .filter(([, value]) => value !== undefined),
  ) as Partial<Record<OptionName, unknown>>
}
