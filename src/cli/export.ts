import { createWriteStream, existsSync, renameSync, rmSync } from 'node:fs'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Command } from 'commander'
import { addOptions } from '../config/flags.ts'
import { AppError } from '../errors.ts'
import { type Counted, counting } from '../transfer/count.ts'
import { checkExport, EXPORT_FORMATS, type ExportRequest, type Exporting } from '../transfer/export.ts'
import type { CliContext } from './context.ts'
import { Progress } from './progress.ts'
import { withBackend } from './questions.ts'
import { STORE_OPTIONS } from './store-config.ts'
import { formatBytes } from './units.ts'

const FORMATS = Object.entries(EXPORT_FORMATS)
  .map(([name, { doc }]) => `${name}: ${doc}`)
  .join('; ')

const DESCRIPTION = `Writes flow records to a file, or to standard output, as fast as they can be read and with no more of them in memory than are under way.

All columns are in it but late_id: names, ids, grades and counting roles as they were stored. Addresses are text with IPv4 dotted, times UTC.
A file appears when it is whole, and replaces none without --force. ovsight import takes all three formats.`

const EXAMPLES = `
Examples:
  $ ovsight export -f parquet -o flows.parquet                              everything that is stored
  $ ovsight export --from 2026-01-31 --to 2026-02-01 -f csv -o january.csv
  $ ovsight export --last 1h --filter 'project red' -f jsonl | gzip > red.jsonl.gz`

interface ExportFlags {
  format?: string
  filter?: string
  last?: string
  from?: string
  to?: string
  output?: string
  force?: boolean
  config?: string
}

/** Declares `ovsight export`. */
export function addExport(program: Command, context: CliContext): void {
  const command = program
    .command('export')
    .summary('flow records into a file')
    .description(DESCRIPTION)
    .requiredOption('-f, --format <format>', FORMATS)
    .option('-o, --output <file>', 'file to write (default: standard output)')
    .option('--force', 'replace the file when it is there')
    .option('--filter <filter>', 'which records, for example "project red and dst port 443"')
    .option('--last <span>', 'the time until now: 15m, 2h, 7d (default: everything)')
    .option('--from <time>', 'start: 2026-01-31, 2026-01-31T08:00:00Z, -2h, yesterday or unix seconds; UTC')
    .option('--to <time>', 'end, not inside; written like --from (default now)')
  addOptions(command, STORE_OPTIONS)
    .addHelpText('after', EXAMPLES)
    .action(async (flags: ExportFlags) => {
      const { format, filter, last, from, to, output, force = false } = flags
      const request: ExportRequest = { format, filter, last, from, to }
      checkExport(request, context.now())
      if (output !== undefined && !force) refuseExisting(output)
      const pipe = output === undefined ? standardOutput(context, request) : undefined
      await withBackend(context, flags, async (backend) => {
        await write(context, await backend.export(request), output, pipe)
      })
    })
}

function refuseExisting(file: string): void {
  if (existsSync(file)) throw new AppError('file_exists', `${file} is there already; --force replaces it`)
}

function standardOutput({ stdout }: CliContext, { format }: ExportRequest): Writable {
  if (stdout.isTTY === true && format === 'parquet')
    throw new AppError('usage', 'Parquet is nothing for a terminal; give -o FILE, or send it elsewhere')
  if (!(stdout instanceof Writable)) throw new AppError('usage', 'give -o FILE')
  return stdout
}

async function write(
  context: CliContext,
  { body, records, format }: Exporting,
  file: string | undefined,
  stdout: Writable | undefined,
): Promise<void> {
  const counted: Counted = { bytes: 0, records: undefined }
  const progress = new Progress(context, () => said(counted, records))
  const unfinished = `${file}.part`
  const keep = file === undefined ? () => {} : removedOnSignal(unfinished)
  try {
    if (stdout !== undefined) await pipeline(body, counting(format, counted), stdout, { end: false })
    else await pipeline(body, counting(format, counted), createWriteStream(unfinished))
  } catch (error) {
    if (file !== undefined) rmSync(unfinished, { force: true })
    throw failure(error, file)
  } finally {
    progress.end()
    keep()
  }
  if (counted.records === undefined) {
    if (file !== undefined) rmSync(unfinished, { force: true })
    throw new AppError('query_failed', 'the answer is cut: it has no end of a Parquet file')
  }
  if (file !== undefined) renameSync(unfinished, file)
  context.stderr.write(
    `${counted.records} records, ${formatBytes(counted.bytes)}${file === undefined ? '' : `, in ${file}`}\n`,
  )
}

/** Ctrl-C and the like end the process as ever, but leave no file that is not whole. Returns what ends this. */
function removedOnSignal(file: string): () => void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const end = (signal: NodeJS.Signals) => {
    rmSync(file, { force: true })
    keep()
    process.kill(process.pid, signal)
  }
  const keep = () => signals.forEach((signal) => process.off(signal, end))
  for (const signal of signals) process.on(signal, end)
  return keep
}

function said({ bytes, records }: Counted, of: number): string {
  return `${records === undefined ? `of ${of} records` : `${records} of ${of} records`}, ${formatBytes(bytes)}`
}

function failure(error: unknown, file: string | undefined): unknown {
  if (error instanceof AppError) return error
  const { code, syscall, message } = error as NodeJS.ErrnoException
  if (syscall !== undefined || code === 'ENOSPC')
    return new AppError('file_unreadable', `cannot write ${file ?? 'standard output'}: ${message}`, { cause: error })
  return new AppError('query_failed', `the answer broke off: ${message}`, { cause: error })
}
