import type { Command } from 'commander'
import { checkFlows, DEFAULT_FLOWS_ROWS } from '../query/ask.ts'
import type { CliContext } from './context.ts'
import { flowsTable } from './flows-table.ts'
import { addQuestionOptions, answerQuestion, flowsRequest, type QuestionOptions } from './questions.ts'

const EXAMPLES = `
Examples:
  $ ovsight flows                                      the newest records of the last 15 minutes
  $ ovsight flows --filter 'project red and server web-1 and dst port 443' -n 50
  $ ovsight flows --filter 'src net 10.0.0.0/8 and proto tcp and flags S and not flags A' --last 2h
  $ ovsight flows --filter 'grade ambiguous' -f json   every column, for programs`

/** Declares `ovsight flows`. */
export function addFlows(program: Command, context: CliContext): void {
  const command = program
    .command('flows')
    .summary('stored records, newest first')
    .description(
      'Stored records, newest first, with the names of both ends. JSON and CSV have every column, the table what fits.',
    )
  addQuestionOptions(command, DEFAULT_FLOWS_ROWS)
    .addHelpText('after', EXAMPLES)
    .action((options: QuestionOptions) => {
      const request = flowsRequest(options)
      return answerQuestion(context, options, {
        check: () => checkFlows(request, context.now()),
        ask: (backend) => backend.flows(request),
        table: (_, rows) => flowsTable(rows),
      })
    })
}
