import { Option, type Command } from 'commander'
import { AppError } from '../errors.ts'
import { checkExplain, checkFlows, DEFAULT_FLOWS_ROWS, type FlowsRequest, type Row } from '../query/ask.ts'
import { FLOW_COLUMNS } from '../query/flows.ts'
import type { CliContext } from './context.ts'
import { explainTable } from './explain-table.ts'
import { flowLine, flowsTable } from './flows-table.ts'
import { followFlows } from './follow.ts'
import { DATA_FORMATS, type DataFormat } from './formats.ts'
import { LINE_FORMATS, lineHead, lineText, type LineFormat } from './nfdump-lines.ts'
import { parseFormat } from './output.ts'
import { addQuestionOptions, answerQuestion, flowsRequest, withBackend, type QuestionOptions } from './questions.ts'

const DESCRIPTION = [
  'Stored records, newest first, with the names of both ends. JSON and CSV have every column, the table what fits.',
  '-o writes lines as nfdump does, for people and scripts that know it. --follow goes on with records as they arrive, the oldest first ' +
    '(-f json: an object a line). --explain tells one record’s whole story: what was received, whose it is and why, how sure that is, ' +
    'what was corrected, and what it was counted as; -f json has the ids.',
].join('\n\n')

const EXAMPLES = `
Examples:
  $ ovsight flows                                      the newest records of the last 15 minutes
  $ ovsight flows --filter 'project red and server web-1 and dst port 443' -n 50
  $ ovsight flows --filter 'src net 10.0.0.0/8 and proto tcp and flags S and not flags A' --last 2h
  $ ovsight flows --filter 'grade ambiguous' -f json   every column, for programs
  $ ovsight flows -o long --last 1h                    as nfdump -o long
  $ ovsight flows --follow --filter 'server web-1'     as they arrive, until Ctrl-C
  $ ovsight flows -f value -c id -n 1                  the id of the newest record
  $ ovsight flows --explain mifpzqn1.1uv7mpy0g2o       why it is whose it is`

interface FlowsOptions extends QuestionOptions {
  output?: LineFormat
  follow?: boolean
  explain?: string
}

/** Declares `ovsight flows`. */
export function addFlows(program: Command, context: CliContext): void {
  const command = program.command('flows').summary('stored records, newest first').description(DESCRIPTION)
  const formats = Object.keys(LINE_FORMATS)
  addQuestionOptions(command, DEFAULT_FLOWS_ROWS)
    .addOption(new Option('-o, --output <format>', `lines as nfdump has them: ${formats.join(', ')}`).choices(formats))
    .option('--follow', 'go on with records as they arrive')
    .option('--explain <id>', 'everything about one record')
    .addHelpText('after', EXAMPLES)
    .action((options: FlowsOptions) => {
      if (options.explain !== undefined) return explainRecord(context, options, options.explain)
      const request = flowsRequest(options)
      if (options.follow === true) return follow(context, options, request)
      const { output } = options
      return answerQuestion(context, options, {
        check: () => checkFlows(request, context.now()),
        ask: (backend) => backend.flows(request),
        table: (_, rows) => flowsTable(rows),
        text: ({ rows }) => (output === undefined ? undefined : linesText(output, rows)),
      })
    })
}

function linesText(format: LineFormat, rows: readonly Row[]): string {
  return `${[lineHead(format), ...rows.map((row) => lineText(format, row))].join('\n')}\n`
}

function explainRecord(context: CliContext, options: FlowsOptions, id: string): Promise<void> {
  return answerQuestion(context, options, {
    check: () => checkExplain({ id }),
    ask: (backend) => backend.explain({ id }),
    table: (_, rows) => explainTable(rows),
  })
}

async function follow(context: CliContext, options: FlowsOptions, request: FlowsRequest): Promise<void> {
  const format = parseFormat(options.format)
  if (request.last !== undefined || request.from !== undefined || request.to !== undefined)
    throw new AppError('usage', '--follow begins now; leave --last, --from and --to out')
  checkFlows(request, context.now())
  const write = writerOf(options, format === 'table' ? undefined : format)
  context.stdout.write(write.head)
  await withBackend(context, options, (backend) =>
    followFlows(backend, request, {
      now: () => context.now(),
      tell: (rows) => rows.forEach((row) => context.stdout.write(write.row(row))),
      ...(context.signal === undefined ? {} : { signal: context.signal }),
    }),
  )
}

/** How a single record is written. */
function writerOf({ output, column }: FlowsOptions, format: DataFormat | undefined): Writer {
  const columns = column ?? FLOW_COLUMNS
  const unknown = columns.find((name) => !FLOW_COLUMNS.includes(name))
  if (unknown !== undefined) throw new AppError('column_unknown', `a record has no column ${JSON.stringify(unknown)}`)
  if (output !== undefined) return { head: `${lineHead(output)}\n`, row: (row) => `${lineText(output, row)}\n` }
  if (format === undefined) return { head: '', row: (row) => `${flowLine(row)}\n` }
  if (format === 'json')
    return {
      head: '',
      row: (row) => `${JSON.stringify(Object.fromEntries(columns.map((name) => [name, row[name]])))}\n`,
    }
  const { text } = DATA_FORMATS[format]
  const head = format === 'csv' ? text(columns, []) : ''
  return { head, row: (row) => text(columns, [row]).slice(head.length) }
}

interface Writer {
  readonly head: string
  row(row: Row): string
}
