import type { Command } from 'commander'
import { addOptions, givenFlags } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import type { OptionName } from '../config/options.ts'
import { spanText } from '../query/span.ts'
import type { Answer, FlowsRequest } from '../query/ask.ts'
import { openBackend, type Backend } from './backend.ts'
import type { CliContext } from './context.ts'
import { parseFormat, writeNotes, writeRows, writeTable } from './output.ts'
import type { TableColumn } from './table.ts'

/** What `top` and `flows` have in common: which records, from where, and how they are written. */
const STORE_OPTIONS: readonly OptionName[] = ['data', 'clickhouse']

/** Values of commander; what was not given is undefined. */
export interface QuestionOptions extends FlowsRequest {
  limit?: string
  format: string
  config?: string
}

/** Adds the options of every question. */
export function addQuestionOptions(command: Command, rows: number): Command {
  command
    .option('-n, --limit <rows>', `number of rows (default ${rows})`)
    .option('--filter <filter>', 'which records, for example "project red and dst port 443"')
    .option('--last <span>', 'the time until now: 15m, 2h, 7d (default 15m)')
    .option('--from <time>', 'start: 2026-01-31, 2026-01-31T08:00:00Z, -2h, yesterday or unix seconds; UTC')
    .option('--to <time>', 'end, not inside; written like --from (default now)')
    .option('-f, --format <format>', 'table, json or csv', 'table')
  return addOptions(command, STORE_OPTIONS)
}

/** The part of the request that every question has. */
export function flowsRequest({ limit, filter, last, from, to }: QuestionOptions): FlowsRequest {
  return { n: limit, filter, last, from, to }
}

export interface Question {
  /** Finds mistakes before anything is opened. */
  check(): void
  ask(backend: Backend): Promise<Answer>
  table(answer: Answer): TableColumn[]
}

/** Asks whoever holds the store, and writes the answer. */
export async function answerQuestion(context: CliContext, options: QuestionOptions, question: Question): Promise<void> {
  const format = parseFormat(options.format)
  const { config } = loadConfig({
    flags: givenFlags({ ...options }, STORE_OPTIONS),
    file: options.config,
    env: context.env,
  })
  question.check()
  const backend = await openBackend(config, context)
  try {
    const answer = await question.ask(backend)
    writeNotes(context, answer.notes)
    if (format !== 'table') return writeRows(context.stdout, format, answer.columns, answer.rows)
    if (answer.rows.length === 0) return
    writeTable(context, question.table(answer))
    // A note says already which span that is.
    if (answer.notes.length === 0) context.stderr.write(`${spanText(answer.span)}\n`)
  } finally {
    await backend.close()
  }
}
