import type { Command } from 'commander'
import { z } from 'zod'
import { addOptions } from '../config/flags.ts'
import { OPTION_TYPES } from '../config/types.ts'
import { AppError } from '../errors.ts'
import type { Exporter } from '../query/exporters.ts'
import { collectorOf, collectorUrl, fetchCollector } from './collector-note.ts'
import type { CliContext } from './context.ts'
import { diagnose, parseMetrics, type Finding, type Readings } from './diagnose.ts'
import { askShow, askStatus } from './identity-sources.ts'
import { addOutputOptions, parseFormat, writeAnswer, type OutputOptions } from './output.ts'
import { withBackend } from './questions.ts'
import { STORE_OPTIONS, storeConfig } from './store-config.ts'
import type { TableColumn } from './table.ts'

const DESCRIPTION = [
  'Walks the way of the data, exporters → sockets → decoders → identity → store, and says what is wrong, by what evidence, and the command ' +
    'that mends it.',
  'It reads the collector that runs on the data directory: its metrics, its sources of identity, and what is stored of the last 15 ' +
    'minutes. The exit code is 0 when nothing is wrong, else 11.',
].join('\n\n')

const EXAMPLES = `
Examples:
  $ ovsight doctor
  $ ovsight doctor --last 1h
  $ ovsight doctor -f json                             for a monitoring system`

interface DoctorOptions extends OutputOptions {
  config?: string
  last?: string
}

/** Declares `ovsight doctor`. */
export function addDoctor(program: Command, context: CliContext): void {
  const command = program
    .command('doctor')
    .summary('what is wrong, and what mends it')
    .description(DESCRIPTION)
    .option('--last <span>', 'what was stored in the time until now: 15m, 2h (default 15m)')
  addOptions(addOutputOptions(command), STORE_OPTIONS)
    .addHelpText('after', EXAMPLES)
    .action(async (options: DoctorOptions) => {
      parseFormat(options.format)
      const findings = diagnose(await readingsOf(context, options))
      writeAnswer(context, options, {
        columns: ['stage', 'state', 'what', 'evidence', 'mend'],
        rows: findings.map((finding) => ({ ...finding })),
        table: () => doctorTable(findings),
      })
      const wrong = findings.filter(({ state }) => state === 'warn' || state === 'bad').length
      if (wrong > 0) throw new AppError('not_well', `${wrong} finding${wrong === 1 ? '' : 's'}`)
    })
}

async function readingsOf(context: CliContext, options: DoctorOptions): Promise<Readings> {
  const config = storeConfig(context, options)
  const url = await collectorOf(config)
  const of = <T>(read: (at: string) => Promise<T[]>): Promise<T[]> =>
    url === undefined ? Promise.resolve([]) : read(url)
  const [metrics, sources, hosts, exporters] = await Promise.all([
    of(async (at) => parseMetrics(await (await fetchCollector(collectorUrl(at, 'metrics'))).text())),
    of(askStatus),
    of((at) => askShow(context, at, 'hosts')),
    storedExporters(context, options).catch(storeFaultOf),
  ])
  const text = (row: Readonly<Record<string, string>>, name: string) => row[name] ?? ''
  return {
    metrics,
    running: url !== undefined,
    exporters: Array.isArray(exporters) ? exporters : [],
    storeFault: Array.isArray(exporters) ? undefined : exporters.storeFault,
    sources: sources.map((row) => ({ source: text(row, 'source'), target: text(row, 'target'), state: text(row, 'state'), says: text(row, 'says') })), // prettier-ignore
    hosts: hosts.map((row) => ({ host: text(row, 'host'), bridges: text(row, 'bridges'), exports: text(row, 'exports') })), // prettier-ignore
    options: { ...config, ...(url === undefined ? {} : await runningOptions(url)) },
    nowMs: context.now(),
  }
}

/** What the store holds of exporters. Errors: those of opening it. */
async function storedExporters(context: CliContext, options: DoctorOptions): Promise<Exporter[]> {
  let rows: Exporter[] = []
  await withBackend(context, options, async (backend) => {
    const answer = await backend.exporters({ last: options.last })
    // The rows are what askExporters made.
    rows = answer.rows as unknown as Exporter[]
  })
  return rows
}

/** A store that is down is a finding; that there is none, or that the command is wrong, is an error. */
function storeFaultOf(error: unknown): { storeFault: string } {
  if (error instanceof AppError && (error.retriable || error.code === 'query_failed'))
    return { storeFault: error.message }
  throw error
}

const CONFIG = z.array(z.object({ option: z.string(), value: z.string() }))

/** What the collector was started with: another configuration than the one here, perhaps. */
async function runningOptions(url: string): Promise<Partial<Readings['options']>> {
  const response = await fetchCollector(collectorUrl(url, 'api/v1/config'))
  const rows = CONFIG.safeParse(await response.json().catch(() => undefined))
  const value = (name: string) => rows.data?.find(({ option }) => option === name)?.value
  const [buffer, gre] = [OPTION_TYPES.bytes.read(value('receive_buffer')), OPTION_TYPES.flag.read(value('gre'))]
  return {
    ...(typeof buffer === 'number' ? { receive_buffer: buffer } : {}),
    ...(typeof gre === 'boolean' ? { gre } : {}),
  }
}

const MARKS = { ok: 'ok', warn: '!', bad: '!!', unknown: '-' } as const

/** A finding is several lines: what it is, its evidence, and, to be copied, what mends it. */
function doctorTable(findings: readonly Finding[]): TableColumn[] {
  const lines = findings.flatMap(({ stage, state, what, evidence, mend }, i) => [
    { stage: stage === findings[i - 1]?.stage ? '' : stage, mark: MARKS[state], text: what },
    { stage: '', mark: '', text: evidence },
    ...(mend === '' ? [] : [{ stage: '', mark: '→', text: mend }]),
  ])
  return [
    { title: 'stage', weight: 100, keep: true, cells: lines.map(({ stage }) => stage) },
    { title: '', weight: 99, keep: true, cells: lines.map(({ mark }) => mark) },
    {
      title: 'what, the evidence, and what mends it',
      weight: 98,
      keep: true,
      minWidth: 30,
      wrap: true,
      cells: lines.map(({ text }) => text),
    },
  ]
}
