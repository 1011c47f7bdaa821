import type { Command } from 'commander'
import { checkTop, DEFAULT_TOP_ROWS } from '../query/ask.ts'
import { EXTRA_NAMES } from '../query/ask-top.ts'
import { ENTITY_NAMES } from '../query/dimensions.ts'
import type { CliContext } from './context.ts'
import { addQuestionOptions, answerQuestion, flowsRequest, type QuestionOptions } from './questions.ts'
import { topTable } from './top-table.ts'

interface TopOptions extends QuestionOptions {
  by?: string
  count?: string
  with?: string
  compare?: string
  bidirectional?: boolean
}

const DESCRIPTION = [
  'Who moved most: sums of bytes, packets and records over groups of records.',
  `A DIMENSION is a column (ovsight show columns), or one of the words ${ENTITY_NAMES.join(', ')}: these mean the server's end of a ` +
    'record whichever side that is, and give what it sent, what it received, and both with each byte once. src_server or dst_server ' +
    'address one side. Several may be combined. Default: server.',
  'With --bidirectional a row is a conversation: party a, party b, and what went either way. A DIMENSION is then what the parties are: ' +
    'project, server, port, network, host, addr, l4_port, mac; other columns keep conversations apart.',
  'The rows "other" and "total" hold each byte once: traffic between two rows is in both of them, and once in the total.',
].join('\n\n')

const EXAMPLES = `
Examples:
  $ ovsight top                                        servers, last 15 minutes
  $ ovsight top project --by sent_bytes --last 1d      what projects sent in a day
  $ ovsight top server ip_protocol --filter 'project red and direction north-south'
  $ ovsight top src_server dst_server -n 20            who talks to whom
  $ ovsight top project --compare 1d --last 1h         against the same hour of yesterday
  $ ovsight top server --bidirectional                 conversations, both ways in one row
  $ ovsight top addr l4_port ip_protocol --bidirectional -n 50
  $ ovsight top server -f value -c server_id -n 1      for a script
  $ ovsight top src_addr dst_addr dst_l4_port --count all -f csv`

/** Declares `ovsight top`. */
export function addTop(program: Command, context: CliContext): void {
  const command = program
    .command('top')
    .summary('who moved most, by server, project or any column')
    .description(DESCRIPTION)
    .argument('[DIMENSION...]', 'what to group by')
    .option(
      '--by <measure>',
      'what to sort by: bytes, l2_bytes, packets, records; with sent_ or received_ (default bytes)',
    )
    .option('--count <which>', 'once: each byte once; all: every stored record', 'once')
    .option('--bidirectional', 'both directions of a conversation in one row')
    .option('--compare <span>', 'beside it the same span as long before: 1h, 1d, 7d')
    .option('--with <what>', `${EXTRA_NAMES.join(', ')}, all or none (default: all in a table, none elsewhere)`)
  addQuestionOptions(command, DEFAULT_TOP_ROWS)
    .addHelpText('after', EXAMPLES)
    .action((dimensions: string[], options: TopOptions) => {
      const { by, count, compare, bidirectional } = options
      const request = {
        ...flowsRequest(options),
        dimensions,
        by,
        count,
        compare,
        ...(bidirectional === true
          ? { bidirectional: 'true' }
          : { with: options.with ?? (options.format === 'table' ? 'all' : 'none') }),
      }
      return answerQuestion(context, options, {
        check: () => checkTop(request, context.now()),
        ask: (backend) => backend.top(request),
        table: (answer, rows) =>
          topTable(
            answer,
            by ?? 'bytes',
            rows.filter((row) => row['row'] !== 'other' || row['records'] !== 0),
          ),
      })
    })
}
