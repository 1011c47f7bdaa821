import type { Command } from 'commander'
import { addOptions } from '../config/flags.ts'
import type { HistoryRequest, Row } from '../query/ask.ts'
import { checkHistory } from '../query/history.ts'
import type { CliContext } from './context.ts'
import { addOutputOptions, type OutputOptions } from './output.ts'
import { answerQuestion } from './questions.ts'
import { STORE_OPTIONS } from './store-config.ts'

const DESCRIPTION =
  'Who was what, and when: the states of projects, networks, servers and ports, as a collector wrote them down, newest first. A name, an ' +
  'id (its first eight characters do), an address or a MAC address keeps what had it; --at what held then.'

const EXAMPLES = `
Examples:
  $ ovsight identity history web-1                      what web-1 was, state by state
  $ ovsight identity history 192.168.10.8 --at yesterday   who had the address then
  $ ovsight identity history --kind server --at 2026-01-31T08:00:00Z -n 1000`

interface HistoryOptions extends OutputOptions {
  kind?: string
  at?: string
  limit?: string
  config?: string
}

/** Declares `ovsight identity history`. */
export function addHistory(identity: Command, context: CliContext): void {
  const command = identity
    .command('history')
    .description(DESCRIPTION)
    .argument('[WANTED]', 'a name, an id, an address or a MAC address')
    .option('--kind <kind>', 'only of this kind: project, network, server or port')
    .option('--at <time>', 'only what held then: 2026-01-31T08:00:00Z, -2h, yesterday or unix seconds; UTC')
    .option('-n, --limit <rows>', 'number of states (default 100)')
  addOptions(addOutputOptions(command), STORE_OPTIONS)
    .addHelpText('after', EXAMPLES)
    .action((wanted: string | undefined, options: HistoryOptions) => {
      const request: HistoryRequest = { of: wanted, kind: options.kind, at: options.at, n: options.limit }
      return answerQuestion(context, options, {
        check: () => void checkHistory(request, context.now()),
        ask: (backend) => backend.history(request),
        table: ({ columns }, rows) =>
          columns.map((title, i) => ({
            title,
            cells: rows.map((row) => (title.startsWith('valid') ? seconds(row[title]) : String(row[title] ?? ''))),
            weight: title.endsWith('_id') ? 20 : 90 - i,
            keep: i < 4,
          })),
      })
    })
}

/** A time for people; what still holds has none. */
function seconds(value: Row[string] | undefined): string {
  return String(value ?? '')
    .slice(0, 19)
    .replace('T', ' ')
}
