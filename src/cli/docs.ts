import type { Command } from 'commander'
import { OPTION_NAMES, optionFacts } from '../config/options.ts'
import { ERRORS, type ErrorCode } from '../errors.ts'

/** docs/cli.md and docs/errors.md, from the commands and the table of errors. `npm run docs` writes them, tests hold them equal. */

const GROUPS = [...new Set(OPTION_NAMES.map((name) => optionFacts(name).group))]
const CODES = Object.keys(ERRORS) as ErrorCode[]

const HEAD = `# The command line

Written from the commands themselves; a test holds it equal.

## Which records

\`top\`, \`matrix\`, \`series\` and \`flows\` ask the collector that runs on the data directory, and open the store themselves when none does; with
\`--clickhouse\` they ask the server. Records are chosen by \`--filter\` ([docs/filter.md](filter.md)) and by the time of their last
packet:

- \`--last 15m\`: until now. Units \`s m h d w\`, also \`1h30m\`.
- \`--from\` and \`--to\`: \`2026-01-31\`, \`2026-01-31T08:00:00Z\` (UTC unless it has a zone), \`-2h\` (before now), \`now\`, \`today\`,
  \`yesterday\`, unix seconds or milliseconds. The start is inside, the end is not. \`--to\` alone ends a quarter of an hour there.
- Neither: the last 15 minutes. When these hold no record at all, as after a replay, the whole span that holds data is taken, and a
  line on standard error says which that is.

## What comes out

Every command with an answer has the same options:

- \`-f table\` (default) fits the terminal: what matters least is left out, long names are cut, figures are rounded. \`COLUMNS\` sets the
  width where output is no terminal, \`--fit-width\` cuts cells and leaves nothing out, \`NO_COLOR\` is respected.
- \`-f json\` is an array of objects by column name, \`csv\` is RFC 4180, \`yaml\` a list of mappings, \`value\` the values alone, a row a line.
  All have every column and exact numbers.
- \`-c COLUMN\`, repeated, picks columns and their order; in a table a title or a column of the data. \`--sort-column COLUMN\` sorts
  the rows that came, \`--sort-descending\` the other way.

Only data goes to standard output, everything else to standard error.

\`top server\` (and project, port, network, host) gives for every entity, of \`bytes\` (layer 3), \`l2_bytes\`, \`packets\` and
\`records\`:

- \`sent_…\` and \`received_…\`: what its servers sent and received;
- without prefix: both, each byte once. Traffic inside a project is in its sent and in its received, and once in its bytes.

\`src_server\`, \`dst_server\` and all other columns sum every byte once (\`--count all\`: every stored record, however often the same
packet was reported). Groups are kept apart by id, so two servers of one name are two rows. Where something in the span was sampled,
\`…_error\` is half the width of the interval that holds the true figure in 95 of 100 cases.

In a table \`top\` also shows each row's part of the total, its course over the span, and two rows more: \`other\`, all other groups as one,
and \`total\`. Both hold each byte once, so traffic between two rows is in both of them and once in the total; what was sent and what was
received add up. \`--with share,trend,totals\` gives them in other formats. \`matrix\`, \`series\` and conversations (\`top --bidirectional\`)
sum the same records: over all of them the bytes are those of \`top\`.

A name that several things have is refused (\`name_ambiguous\`) with their ids; with its project beside it in the filter, or with
\`like\`, it is taken.

## Exit codes

| code | when |
| ---- | ---- |
`

/** The whole of docs/cli.md. */
export function cliPage(program: Command): string {
  return `${HEAD}${exitCodes()}\n\n## Commands\n${commandSections(program, '')}`
}

function exitCodes(): string {
  const fixed = ['| 0 | done |', '| 1 | a fault of ovsight itself; the stack is on standard error |']
  const codes = [...new Set(CODES.map((code) => ERRORS[code].exit))].toSorted((a, b) => a - b)
  const rows = codes.map((exit) => {
    const names = CODES.filter((code) => ERRORS[code].exit === exit).map((code) => `[${code}](errors.md#${code})`)
    return `| ${exit} | ${names.join(', ')} |`
  })
  return [...fixed, ...rows].join('\n')
}

function commandSections(parent: Command, path: string): string {
  return parent.commands
    .map((command) => {
      const name = `${path}${command.name()}`
      const help = `\n### ovsight ${name}\n\n\`\`\`\n${helpText(command)}\n\`\`\`\n`
      return help + commandSections(command, `${name} `)
    })
    .join('')
}

/** What `--help` prints, at a width that does not depend on the terminal; options of the table are on their own page. */
function helpText(command: Command): string {
  let text = ''
  command.configureOutput({ writeOut: (part) => (text += part), getOutHelpWidth: () => 100 })
  command.outputHelp()
  const paragraphs = text.trim().split('\n\n')
  const own = paragraphs.filter((part) => !GROUPS.some((group) => part.startsWith(`${group}:\n`)))
  const groups = GROUPS.filter((group) => paragraphs.some((part) => part.startsWith(`${group}:\n`)))
  if (groups.length === 0) return own.join('\n\n')
  const more = `Options of docs/configuration.md in ${groups.join(', ')}.`
  const examples = own.findIndex((part) => part.startsWith('Examples:'))
  return (examples < 0 ? [...own, more] : own.toSpliced(examples, 0, more)).join('\n\n')
}

/** The whole of docs/errors.md. */
export function errorsPage(): string {
  const entries = CODES.map((code) => {
    const { exit, http, retriable, doc } = ERRORS[code]
    const again = retriable ? 'Trying again may help.' : 'Trying again does not help.'
    return `\n## ${code}\n\n${doc}\n\nExit code ${exit}, HTTP status ${http}. ${again}\n`
  })
  return `# Errors

Written from the table in \`src/errors.ts\`; a test holds it equal. The code stands in parentheses after the message on the command
line, and as \`code\` in the problem details (RFC 9457) of the HTTP API. It is stable; the message is not.
${entries.join('')}`
}
