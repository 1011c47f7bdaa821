import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { addOptions, givenFlags } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import type { Answer, Row } from '../query/ask.ts'
import { grantStatements } from '../store/grants.ts'
import { ddlTarget } from '../store/open.ts'
import type { CliContext } from './context.ts'
import { addOutputOptions, type OutputOptions } from './output.ts'
import { answerQuestion } from './questions.ts'
import { STORE_OPTIONS, storeConfig } from './store-config.ts'
import type { TableColumn } from './table.ts'
import { formatBytes } from './units.ts'

const STATUS_DESCRIPTION =
  'What is stored: rows, bytes and bytes per row of every table, its parts, the span it holds, what is free on the disk, and what ' +
  'waits in the spool.'

const EXAMPLES = `
Examples:
  $ ovsight store status                               rows, bytes, span of every table
  $ ovsight store grants --clickhouse http://db:8123/ovsight
  $ ovsight store grants --clickhouse-cluster main     for all servers of a cluster
`.trimEnd()

const STATUS_EXAMPLES = `
Examples:
  $ ovsight store status
  $ ovsight store status --by-column                   what each column of the flow records weighs
  $ ovsight store status -f json`

const GRANTS_DESCRIPTION =
  'Prints the SQL that makes the users a ClickHouse server needs: one that writes, for collectors, and one that only asks, for Grafana and ' +
  'people, with exactly the rights they use. Fill in the passwords.'

interface StatusOptions extends OutputOptions {
  byColumn?: boolean
  config?: string
}

interface GrantsFlags {
  writer: string
  reader: string
  config?: string
}

/** Declares `ovsight store status|grants`. */
export function addStore(program: Command, context: CliContext): void {
  const store = program
    .command('store')
    .summary('what is stored, and who may ask')
    .description('Looks after the store.')
    .addHelpText('after', EXAMPLES)
  const status = store
    .command('status')
    .description(STATUS_DESCRIPTION)
    .option('--by-column', 'a row a column of the flow records, in place of a row a table')
  addOptions(addOutputOptions(status), STORE_OPTIONS)
    .addHelpText('after', STATUS_EXAMPLES)
    .action((options: StatusOptions) => {
      const config = storeConfig(context, options)
      const request = options.byColumn === true ? { columns: 'true' } : {}
      return answerQuestion(context, options, {
        check: () => {},
        ask: async (backend) => {
          const answer = await backend.store(request)
          return options.byColumn === true || config.url !== null
            ? answer
            : { ...answer, rows: [...answer.rows, spoolRow(config.data)] }
        },
        table: (answer, rows) => statusTable(answer, rows),
      })
    })
  const grants = store
    .command('grants')
    .description(GRANTS_DESCRIPTION)
    .option('--writer <user>', 'name of the user that writes', 'ovsight')
    .option('--reader <user>', 'name of the user that only asks', 'ovsight_reader')
  addOptions(grants, ['clickhouse', 'clickhouse_cluster'], true).action((options: GrantsFlags) => {
    const { config } = loadConfig({
      flags: givenFlags({ ...options }, ['clickhouse', 'clickhouse_cluster']),
      file: options.config,
      env: context.env,
    })
    const { writer, reader } = options
    context.stdout.write(
      grantStatements({ ...ddlTarget(config, context.env), writer, reader })
        .map((sql) => `${sql};\n`)
        .join(''),
    )
  })
}

/** Blocks on disk that the store has not taken, in the same columns. */
function spoolRow(data: string): Row {
  const directory = join(data, 'spool')
  let files: string[] = []
  try {
    files = readdirSync(directory)
  } catch {
    // There is none before the first collector.
  }
  const sizes = files.map((file) => statSync(join(directory, file), { throwIfNoEntry: false })?.size ?? 0)
  const parts = files.filter((file) => file.endsWith('.native')).length
  const bytes = sizes.reduce((sum, one) => sum + one, 0)
  return { table: '(spool)', rows: null, bytes, bytes_per_row: null, parts, from: '', to: '', free_bytes: null }
}

const BYTES = new Set(['bytes', 'free_bytes'])

function statusTable({ columns }: Answer, rows: readonly Row[]): TableColumn[] {
  return columns.map((name, i): TableColumn => {
    const isText = i === 0 || ['kind', 'from', 'to'].includes(name)
    return {
      title: name,
      weight: 100 - i,
      keep: i < 4,
      ...(isText ? {} : { align: 'right' as const }),
      cells: rows.map((row) => cell(name, row[name])),
    }
  })
}

function cell(name: string, value: Row[string] | undefined): string {
  if (value === null || value === undefined) return ''
  if (BYTES.has(name)) return formatBytes(Number(value))
  return name === 'from' || name === 'to' ? String(value).slice(0, 19).replace('T', ' ') : String(value)
}
