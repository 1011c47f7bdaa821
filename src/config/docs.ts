import { OPTION_NAMES, type OptionName, environmentOf, flagOf, optionFacts } from './options.ts'
import { OPTION_TYPES, showValue } from './types.ts'

const HEAD = `# Configuration

Written from the table in \`src/config/options.ts\`; a test holds it equal.

An option \`netflow_port\` is \`--netflow-port\` on the command line, \`OVSIGHT_NETFLOW_PORT\` in the environment, and
\`netflow_port:\` in a YAML file given by \`--config FILE\` or \`OVSIGHT_CONFIG\`. The command line goes before the environment, the
environment before the file, the file before the default. An unknown name anywhere is an error with the nearest name. All
faults are reported at once, each with its place, and the exit code is 2 (\`config_invalid\`).

\`ovsight collect --check\` checks everything and starts nothing; \`ovsight show config\` prints the effective values with the
origin of each, passwords hidden.

A collector that runs reads its configuration again on SIGHUP (\`systemctl reload ovsight\`), and the files that it names: no datagram is
lost by it. Options that say "at a reload" take effect then; of the others the log, \`ovsight show config --running\` and
\`/api/v1/status\` name those that differ and take effect after a restart. A new configuration with faults changes nothing: all faults are
logged, and the old one stays in force. The environment of a process that runs cannot change; a variable needs a restart.

\`\`\`yaml
# ovsight.yaml
identity: /etc/ovsight/cloud.yaml
data: /var/lib/ovsight
netflow_port: off
flush_after: 2s
\`\`\`

## How values are written
`

/** The whole of docs/configuration.md. */
export function configurationPage(): string {
  const types = Object.entries(OPTION_TYPES).map(([name, type]) => `- ${name} \`${type.syntax}\`: ${type.doc}`)
  const groups = [...new Set(OPTION_NAMES.map((name) => optionFacts(name).group))]
  return `${HEAD}\n${types.join('\n')}\n${groups.map(section).join('')}`
}

function section(group: string): string {
  const names = OPTION_NAMES.filter((name) => optionFacts(name).group === group)
  return `\n## ${group}\n${names.map(entry).join('')}`
}

function entry(name: OptionName): string {
  const facts = optionFacts(name)
  const limits = [
    facts.oneOf === undefined ? facts.type : `one of ${facts.oneOf.map((value) => `\`${value}\``).join(', ')}`,
    facts.unit === undefined ? '' : `in ${facts.unit}`,
    facts.min === undefined ? '' : `at least ${showValue(facts.type, facts.min)}`,
    facts.max === undefined ? '' : `at most ${showValue(facts.type, facts.max)}`,
  ].filter((part) => part !== '')
  return `
### ${name}

${facts.doc}

- Default: ${showValue(facts.type, facts.default)}
- Value: ${limits.join(', ')}
- Takes effect: ${facts.live === true ? 'at a reload' : 'at the next start'}
- \`${flagOf(name)}\`, \`${environmentOf(name)}\`
`
}
