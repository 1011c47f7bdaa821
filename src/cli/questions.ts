import type { Command } from 'commander'
import { addOptions } from '../config/flags.ts'
import type { Answer, FlowsRequest, Row } from '../query/ask.ts'
import { spanText } from '../query/span.ts'
import { openBackend, type Backend } from './backend.ts'
import type { CliContext } from './context.ts'
import { addOutputOptions, parseFormat, writeAnswer, writeNotes, type OutputOptions } from './output.ts'
import { STORE_OPTIONS, storeConfig } from './store-config.ts'
import type { TableColumn } from './table.ts'

/** What all questions have in common: which records, from where, and how they are written. */

/** Values of commander; what was not given is undefined. */
export interface QuestionOptions extends FlowsRequest, OutputOptions {
  limit?: string
  config?: string
  timing?: boolean
}

/** Adds the options of every question. */
export function addQuestionOptions(command: Command, rows: number, of = 'rows'): Command {
  command
    .option('-n, --limit <rows>', `number of ${of} (default ${rows})`)
    .option('--filter <filter>', 'which records, for example "project red and dst port 443"')
    .option('--last <span>', 'the time until now: 15m, 2h, 7d (default 15m)')
    .option('--from <time>', 'start: 2026-01-31, 2026-01-31T08:00:00Z, -2h, yesterday or unix seconds; UTC')
    .option('--to <time>', 'end, not inside; written like --from (default now)')
    .option('--timing', 'say on standard error what took how long')
  return addOptions(addOutputOptions(command), STORE_OPTIONS)
}

/** The part of the request that every question has. */
export function flowsRequest({ limit, filter, last, from, to }: QuestionOptions): FlowsRequest {
  return { n: limit, filter, last, from, to }
}

export interface Question {
  /** Finds mistakes before anything is opened. */
  check(): void
  ask(backend: Backend): Promise<Answer>
  /** The answer for people; `rows` are those of the answer in the order wanted. */
  table(answer: Answer, rows: readonly Row[]): readonly TableColumn[]
  /** Written in place of a table, where the answer is not one. */
  text?(answer: Answer): string | undefined
}

/** Does something with whoever holds the store, and lets it go. */
export async function withBackend(
  context: CliContext,
  options: { config?: string },
  use: (backend: Backend) => Promise<void>,
): Promise<void> {
  const backend = await openBackend(storeConfig(context, options), context)
  try {
    await use(backend)
  } finally {
    await backend.close()
  }
}

/** Asks whoever holds the store, and writes the answer. */
export async function answerQuestion(context: CliContext, options: QuestionOptions, question: Question): Promise<void> {
  parseFormat(options.format)
  question.check()
  await withBackend(context, options, async (backend) => {
    const opened = performance.now()
    const answer = await question.ask(backend)
    if (options.timing === true) writeTiming(context, backend, opened)
    writeNotes(context, answer.notes)
    writeQuestion(context, options, question, answer)
    // Below the table: what it lacks. Data goes to standard output alone.
    writeNotes(context, answer.completeness ?? [])
  })
}

/** The start is of the process: Node.js, the program, and opening the store or finding the collector. */
function writeTiming({ stderr }: CliContext, backend: Backend, opened: number): void {
  const cost = backend.cost()
  const answered = `answer ${(performance.now() - opened).toFixed(0)} ms${cost === undefined ? '' : `, ${cost}`}`
  stderr.write(`timing: start ${opened.toFixed(0)} ms; ${answered}; ${backend.name}\n`)
}

function writeQuestion(context: CliContext, options: QuestionOptions, question: Question, answer: Answer): void {
  const people = options.format === 'table'
  const text = people && answer.rows.length > 0 && options.column === undefined ? question.text?.(answer) : undefined
  if (text === undefined)
    writeAnswer(context, options, {
      columns: answer.columns,
      rows: answer.rows,
      // The rows are those of the answer, sorted.
      table: (rows) => question.table(answer, rows as readonly Row[]),
    })
  else context.stdout.write(text)
  // A note says already which span that is.
  if (people && answer.rows.length > 0 && answer.notes.length === 0) context.stderr.write(`${spanText(answer.span)}\n`)
}
