import { resolve } from 'node:path'
import type { Command } from 'commander'
import { z } from 'zod'
import { addOptions, givenFlags } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import { OPTION_NAMES } from '../config/options.ts'
import { showConfig } from '../config/show.ts'
import { COLUMN_NAMES, columnFacts } from '../schema/columns.ts'
import { enumValues } from '../schema/enums.ts'
import { AppError } from '../errors.ts'
import { everything } from '../store/migrations/migrations.ts'
import { ddlTarget } from '../store/open.ts'
import { collectorOf, collectorUrl, type CollectorAccess } from './collector-note.ts'
import type { CliContext } from './context.ts'
import { askCollector } from './identity-sources.ts'
import { addOutputOptions, writeAnswer, type OutputOptions } from './output.ts'
import type { TableColumn } from './table.ts'

const EXAMPLES = `
Examples:
  $ ovsight show columns                               what to filter by and group by
  $ ovsight show columns -f json
  $ ovsight show config                                the options in force, and where each comes from
  $ ovsight show config --running                      those of the collector here, and what waits for its restart
  $ ovsight show config --running --url https://flows.example.org   of another, with OVSIGHT_TOKEN
  $ ovsight show ddl                                   the tables, as SQL
  $ ovsight show ddl --clickhouse-cluster main         for a cluster of that name`

/** Declares `ovsight show columns|config|ddl`. */
export function addShow(program: Command, context: CliContext): void {
  const show = program
    .command('show')
    .summary('columns, configuration, tables')
    .description('Shows what ovsight knows about itself.')
    .addHelpText('after', EXAMPLES)
  addOutputOptions(
    show.command('columns').description('Columns of a record: dimensions, and measures, which are summed.'),
  ).action((options: OutputOptions) => writeShown(context, options, columnRows()))
  addOptions(
    addOutputOptions(
      show
        .command('config')
        .description('Options in force and where each comes from; secrets hidden.')
        .option(
          '--running',
          'those of the collector that runs on the data directory or at --url, and what waits for its restart',
        ),
    ),
    OPTION_NAMES,
  ).action(async (options: OutputOptions & { config?: string; running?: boolean }) => {
    const flags = givenFlags({ ...options }, OPTION_NAMES)
    const loaded = loadConfig({ flags, file: options.config, env: context.env })
    if (options.running === true) return writeShown(context, options, await runningConfig(loaded.config))
    const rows = showConfig(loaded).map(({ option, value, origin }) => ({ option, value, origin }))
    writeShown(context, options, rows)
  })
  const ddl = show
    .command('ddl')
    .description('The tables as SQL, for a ClickHouse server or cluster that somebody else administers.')
  addOptions(ddl, ['clickhouse', 'clickhouse_cluster'], true).action((options: { config?: string }) => {
    const flags = givenFlags({ ...options }, ['clickhouse', 'clickhouse_cluster'])
    const { config } = loadConfig({ flags, file: options.config, env: context.env })
    const statements = everything(ddlTarget(config, context.env))
    context.stdout.write(statements.map((sql) => `${sql};\n`).join('\n'))
  })
}

const OPTIONS = z.array(z.record(z.string(), z.string()))

/** What a running collector says of its options. Errors: what it says; store_unreachable. */
async function runningConfig(access: CollectorAccess): Promise<Record<string, string>[]> {
  const url = await collectorOf(access)
  if (url === undefined)
    throw new AppError('store_unreachable', `no collector runs on ${resolve(access.data)}; without --running a start's options are shown`) // prettier-ignore
  return (await askCollector(collectorUrl(url, 'api/v1/config'), OPTIONS)).answer
}

function columnRows(): Record<string, string>[] {
  return COLUMN_NAMES.map((column) => {
    const { kind, measure, of, doc } = columnFacts(column)
    const values = of === undefined ? '' : enumValues(of).join(' ')
    return { column, use: measure === true ? 'measure' : 'dimension', type: kind, doc, values }
  })
}

function writeShown(context: CliContext, options: OutputOptions, rows: readonly Record<string, string>[]): void {
  const columns = Object.keys(rows[0] ?? {})
  writeAnswer(context, options, {
    columns,
    rows,
    table: (sorted) =>
      columns
        .filter((title) => title !== 'values')
        .map((title): TableColumn => ({
          title,
          weight: 1,
          keep: true,
          ...(title === 'doc' || title === 'value' ? { minWidth: 20 } : {}),
          ...(title === 'doc' ? { wrap: true } : {}),
          cells: sorted.map((row) => String(row[title] ?? '')),
        })),
  })
}
