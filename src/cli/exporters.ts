import type { Command } from 'commander'
import type { Row } from '../query/ask.ts'
import { parseSpan } from '../query/times.ts'
import type { CliContext } from './context.ts'
import { addQuestionOptions, answerQuestion, flowsRequest, type QuestionOptions } from './questions.ts'
import type { TableColumn } from './table.ts'
import { formatCount } from './units.ts'

const DESCRIPTION = [
  'Every exporter and protocol: how many records, how much of what it sent came (percent), when it was last seen, sampling rates, ' +
    'observation domains, bridges, losses, faults of decoding, records without a known end and why, and how its clock goes.',
  'Which bridges export and which do not is in ovsight identity show hosts; what is wrong, and what mends it, in ovsight doctor.',
].join('\n\n')

const EXAMPLES = `
Examples:
  $ ovsight exporters
  $ ovsight exporters --last 1d --sort-column percent
  $ ovsight exporters -f json`

/** Declares `ovsight exporters`. */
export function addExporters(program: Command, context: CliContext): void {
  const command = program
    .command('exporters')
    .summary('what each exporter sends, and how much of it came')
    .description(DESCRIPTION)
  addQuestionOptions(command, 0)
    .addHelpText('after', EXAMPLES)
    .action((options: QuestionOptions) => {
      const { last, from, to } = flowsRequest(options)
      return answerQuestion(context, options, {
        check: () => void parseSpan({ last, from, to }, context.now()),
        ask: (backend) => backend.exporters({ last, from, to }),
        table: (_, rows) => exportersTable(rows),
      })
    })
}

function exportersTable(rows: readonly Row[]): TableColumn[] {
  const text = (name: string) => rows.map((row) => String(row[name] as string | number) || '-')
  const count = (name: string) => rows.map((row) => formatCount(Number(row[name])))
  const column = (title: string, weight: number, cells: string[], more: Partial<TableColumn> = {}): TableColumn => ({ title, weight, cells, ...more }) // prettier-ignore
  return [
    column('exporter', 100, text('exporter'), { keep: true }),
    column('host', 99, text('host'), { minWidth: 8 }),
    column('protocol', 98, text('protocol'), { keep: true }),
    column('records', 97, count('records'), { align: 'right' }),
    column('came', 96, rows.map(({ percent }) => (percent === null ? '-' : `${Number(percent)} %`)), { align: 'right' }), // prettier-ignore
    column('last_seen', 95, rows.map((row) => (row['last_seen'] as string).slice(0, 19).replace('T', ' ') || '-')), // prettier-ignore
    column('rates', 80, text('rates'), { minWidth: 6 }),
    ...(rows.some((row) => row['templates'] !== null) ? [column('templates', 61, rows.map((row) => (row['templates'] === null ? '-' : String(row['templates']))), { align: 'right' })] : []), // prettier-ignore
    column('lost', 79, count('lost'), { align: 'right' }),
    column('faults', 78, text('faults'), { minWidth: 8 }),
    column('unattributed', 77, count('unattributed'), { align: 'right' }),
    column('clock', 76, rows.map((row) => (row['clock_s'] === 0 ? 'right' : row['clock_s'] === null ? '-' : `${Number(row['clock_s']) > 0 ? '+' : ''}${Number(row['clock_s'])} s`)), { align: 'right' }), // prettier-ignore
    ...(rows.some((row) => Number(row['limited']) > 0) ? [column('limited', 75, count('limited'), { align: 'right' })] : []), // prettier-ignore
    column('bridges', 60, text('bridges'), { minWidth: 8 }),
    column('domains', 59, text('domains'), { minWidth: 8 }),
    column('evidence', 50, text('evidence')),
  ]
}
