/** deploy/ovsight.yaml, the configuration file of the packages: every option with what it is for, written from THE table of options. */
import { OPTION_NAMES, type OptionName, optionFacts } from '../src/config/options.ts'
import { OPTION_TYPES, showValue } from '../src/config/types.ts'

const HEAD = `# Configuration of ovsight. Lines that start with # show the defaults; docs/configuration.md has every option.
# Written from the table in src/config/options.ts; a test holds it equal.
#
# \`ovsight collect --check --config FILE\` says what is wrong with it and starts nothing. Secrets belong in the environment:
# OVSIGHT_CLICKHOUSE=http://user:password@host:8123/database (the service reads /etc/ovsight/environment).
`

/** What an installed service sets; all else is left at its default. */
const SET: Partial<Record<OptionName, string>> = { data: '/var/lib/ovsight' }

/** What stands for a value in a line that is commented out, where the default is none. */
const EXAMPLES: Partial<Record<OptionName, string>> = {
  clickhouse: 'http://ovsight@db:8123/ovsight',
  url: 'https://flows.example.org',
  token: 'ovs_…',
  token_file: '/etc/ovsight/token',
  identity: '/etc/ovsight/cloud.yaml',
  os_cloud: 'prod',
  ovsdb: 'tcp:{address}:6640',
  ovsdb_listen: 'ptcp:6640',
  exporter_alias: '[192.0.2.1=10.0.10.14]',
  allow: '[10.0.0.0/8, 2001:db8::/32]',
}

const WIDTH = 110

export function exampleConfiguration(): string {
  const groups = [...new Set(OPTION_NAMES.map((name) => optionFacts(name).group))]
  return HEAD + groups.map(section).join('')
}

function section(group: string): string {
  const names = OPTION_NAMES.filter((name) => optionFacts(name).group === group)
  return `\n# ${group}\n${names.map(entry).join('')}`
}

function entry(name: OptionName): string {
  const facts = optionFacts(name)
  const doc = wrapped(facts.doc.replaceAll('`', ''))
    .map((line) => `# ${line}`)
    .join('\n')
  const set = SET[name]
  return `\n${doc}\n${set === undefined ? `#${name}: ${shown(name)}` : `${name}: ${set}`}\n`
}

/** The default as an operator writes it; an example where there is none. */
function shown(name: OptionName): string {
  const { type, default: value } = optionFacts(name)
  if (Array.isArray(value) && value.length === 0) return EXAMPLES[name] ?? '[]'
  if (value === null && type !== 'port') return EXAMPLES[name] ?? OPTION_TYPES[type].syntax
  return showValue(type, value)
}

function wrapped(text: string): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const last = lines.at(-1)!
    if (last === '') lines[lines.length - 1] = word
    else if (last.length + word.length < WIDTH) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
