import type { Command } from 'commander'
import { addOptions } from '../config/flags.ts'
import { checkAudit, DEFAULT_AUDIT_ROWS } from '../audit/ask.ts'
import type { Row } from '../query/ask.ts'
import type { CliContext } from './context.ts'
import { addOutputOptions } from './output.ts'
import { answerQuestion, type QuestionOptions } from './questions.ts'
import { STORE_OPTIONS } from './store-config.ts'
import type { TableColumn } from './table.ts'
import { formatBytes } from './units.ts'

const DESCRIPTION = [
  'Compares flow totals with the counters of the interfaces themselves, port by port: what was counted, what there was, and whether ' +
    'they agree within what sampling and the ends of the span explain. What disagrees comes first, with the likeliest cause.',
  'WHAT is the id or name of a port, server or project; all ports without it. Counters come from counter samples of sFlow, and from the ' +
    'OVSDB of the hosts, asked once a minute (--interface-counters of ovsight collect). The span of a port is that between two readings ' +
    'of its counters around the one asked for.',
].join('\n\n')

const EXAMPLES = `
Examples:
  $ ovsight audit                                      every port, last hour
  $ ovsight audit web-1 --last 1d
  $ ovsight audit red -f csv
  $ ovsight audit --from 2026-01-31T08:00 --to 2026-01-31T09:00 -c server -c direction -c ratio -c verdict -c note`

/** Declares `ovsight audit`. */
export function addAudit(program: Command, context: CliContext): void {
  const command = program
    .command('audit')
    .summary('flow totals against the counters of interfaces')
    .description(DESCRIPTION)
    .argument('[WHAT]', 'a port, server or project')
    .option('-n, --limit <rows>', `number of rows (default ${DEFAULT_AUDIT_ROWS})`)
    .option('--last <span>', 'the time until now: 15m, 2h, 7d (default 1h)')
    .option('--from <time>', 'start: 2026-01-31, 2026-01-31T08:00:00Z, -2h, yesterday or unix seconds; UTC')
    .option('--to <time>', 'end, not inside; written like --from (default now)')
  addOptions(addOutputOptions(command), STORE_OPTIONS)
    .addHelpText('after', EXAMPLES)
    .action((what: string | undefined, options: QuestionOptions) => {
      const { limit, last, from, to } = options
      const request = { of: what, n: limit, last, from, to }
      return answerQuestion(context, options, {
        check: () => checkAudit(request, context.now()),
        ask: (backend) => backend.audit(request),
        table: (_, rows) => auditTable(rows),
      })
    })
}

function auditTable(rows: readonly Row[]): TableColumn[] {
  const text = (row: Row, name: string) => String(row[name] ?? '')
  const bytes = (row: Row, name: string) => formatBytes(Number(row[name]))
  const verdict = (row: Row) => {
    const cause = text(row, 'cause')
    return `${text(row, 'verdict').replaceAll('_', ' ')}${cause === 'none' ? '' : ` (${cause.replaceAll('_', ' ')})`}`
  }
  const column = (title: string, weight: number, cell: (row: Row) => string, right = false): TableColumn => ({
    title,
    weight,
    keep: weight >= 90,
    minWidth: 6,
    ...(right ? { align: 'right' as const } : {}),
    cells: rows.map(cell),
  })
  return [
    column('server', 100, (row) => text(row, 'server') || text(row, 'port') || text(row, 'interface')),
    column('project', 50, (row) => text(row, 'project')),
    column('host', 40, (row) => text(row, 'host')),
    column('interface', 30, (row) => text(row, 'interface')),
    column('direction', 95, (row) => text(row, 'direction')),
    column('counted', 90, (row) => bytes(row, 'counted_bytes'), true),
    column('true', 90, (row) => bytes(row, 'true_bytes'), true),
    column('ratio', 85, (row) => Number(row['ratio']).toFixed(4), true),
    column('expected', 60, (row) => `±${bytes(row, 'expected_error')}`, true),
    column('verdict', 100, verdict),
    { ...column('note', 70, (row) => text(row, 'note')), minWidth: 20, wrap: true },
  ]
}
