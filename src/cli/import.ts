import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { Command } from 'commander'
import { addOptions, givenFlags } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import type { Config, OptionName } from '../config/options.ts'
import { AppError } from '../errors.ts'
import type { FlowBatch } from '../schema/batch.ts'
import type { Store } from '../store/store.ts'
import { type Imported, importLines } from '../transfer/import.ts'
import { importedBefore, noteImport } from '../transfer/known.ts'
import { isParquet, parquetLines } from '../transfer/parquet-lines.ts'
import { Zone } from '../transfer/zone.ts'
import { readCollectorNote } from './collector-note.ts'
import type { CliContext } from './context.ts'
import { attributeBy, loadIdentity, logOf } from './engine.ts'
import { Progress } from './progress.ts'

const OPTIONS: readonly OptionName[] = ['data', 'clickhouse', 'identity', 'precedence', 'log_level', 'log_format']

const DESCRIPTION = `Stores the flow records in files: CSV of nfdump (nfdump -r FILE -o csv; both vocabularies of its heads, any choice of columns) and what ovsight export writes (csv, jsonl, parquet). What is in a file is told by its beginning; - is standard input.

Records of nfdump are attributed by --identity as received ones are; those of ovsight's exports are stored as they were, and equal to the row. A file
that was imported before is refused. Lines that cannot be read are counted and the first are listed; the rest is stored.`

const EXAMPLES = `
Examples:
  $ ovsight import flows.parquet january.csv
  $ ovsight import --identity cloud.yaml --zone Europe/Vienna old.csv   made by: nfdump -R DIR -o csv > old.csv
  $ zcat red.jsonl.gz | ovsight import -`

interface ImportFlags extends Record<string, unknown> {
  config?: string
  zone: string
  again?: boolean
}

/** Declares `ovsight import`. */
export function addImportFiles(program: Command, context: CliContext): void {
  const command = program
    .command('import')
    .summary('flow records out of files')
    .description(DESCRIPTION)
    .argument('<FILE...>', 'files; - is standard input')
    .option('--zone <zone>', 'time zone that nfdump ran in, for example Europe/Vienna', 'UTC')
    .option('--again', 'store a file that was imported before once more')
  addOptions(command, OPTIONS)
    .addHelpText('after', EXAMPLES)
    .action(async (files: string[], flags: ImportFlags) => {
      const zone = new Zone(flags.zone)
      const { config } = loadConfig({ flags: givenFlags(flags, OPTIONS), file: flags.config, env: context.env })
      await importFiles(files, zone, flags.again === true, config, context)
    })
}

async function importFiles(
  files: readonly string[],
  zone: Zone,
  again: boolean,
  config: Config,
  context: CliContext,
): Promise<void> {
  const identity = await loadIdentity(config, logOf(config, context))
  const store = await openFor(config, context)
  const faults: AppError[] = []
  try {
    const attribute = attributeBy(config, () => identity)
    for (const file of files)
      try {
        await importFile(store, file, zone, again, attribute, context)
      } catch (error) {
        if (!(error instanceof AppError)) throw error
        faults.push(error)
      }
  } finally {
    await store.close()
  }
  const [first, ...rest] = faults
  if (first === undefined) return
  throw new AppError(first.code, first.message, {
    cause: first,
    details: [...first.details, ...rest.map(({ message }) => message)],
  })
}

/** A collector holds its data directory: told as that, with what to do. */
async function openFor(config: Config, context: CliContext): Promise<Store> {
  try {
    return await context.openStore(config)
  } catch (error) {
    const held = error instanceof AppError && error.code === 'data_dir_locked'
    const url = held && config.clickhouse === null ? await readCollectorNote(config.data) : undefined
    if (url === undefined) throw error
    throw new AppError(
      'data_dir_locked',
      `a collector runs on ${config.data} and holds its store; stop it while you import, or import into a ClickHouse server, which takes both at once`,
      { cause: error },
    )
  }
}

async function importFile(
  store: Store,
  file: string,
  zone: Zone,
  again: boolean,
  attribute: (batch: FlowBatch) => void,
  context: CliContext,
): Promise<void> {
  const known = file === '-' ? undefined : await digestOf(file)
  const before = known === undefined || again ? undefined : await importedBefore(store, known)
  if (before !== undefined)
    throw new AppError('already_imported', `${file} was imported before (${before}); --again stores it once more`)
  let soFar = 0
  const progress = new Progress(context, () => `${file}: ${soFar} records`)
  try {
    const { parts, jsonl, parquet } = await open(file)
    const imported = await importLines(store, file, parts, jsonl, {
      zone,
      attribute,
      ...(again ? { salt: `${context.now()}-` } : {}),
      onBlock: ({ rows }) => (soFar = rows),
    })
    if (parquet) imported.format = 'parquet'
    await noteImport(store, file, known ?? imported.digest, imported, context.now())
    progress.end()
    tell(file, imported, context)
  } finally {
    progress.end()
  }
}

function tell(file: string, { format, rows, damaged, faults, unknown }: Imported, { stderr }: CliContext): void {
  stderr.write(`${file}: ${rows} records stored (${format})\n`)
  if (unknown.length > 0) stderr.write(`${file}: passed over, no such column: ${unknown.join(', ')}\n`)
  if (damaged > 0)
    throw new AppError('lines_damaged', `${file}: ${damaged} lines could not be read, ${rows} records are stored`, {
      details: [...faults, ...(damaged > faults.length ? [`… and ${damaged - faults.length} more`] : [])],
    })
}

interface Opened {
  parts: AsyncIterable<Buffer>
  jsonl: boolean
  parquet: boolean
}

/** The content and what it is, by its first bytes. Errors: file_unreadable; those of `parquetLines`. */
async function open(file: string): Promise<Opened> {
  const stream = (file === '-' ? process.stdin : createReadStream(file)) as AsyncIterable<Buffer>
  const parts = stream[Symbol.asyncIterator]()
  const first = await parts.next().catch((error: unknown) => unreadable(file, error))
  const head = first.done === true ? Buffer.alloc(0) : first.value
  async function* all(): AsyncGenerator<Buffer> {
    yield head
    for (;;) {
      const next = await parts.next().catch((error: unknown) => unreadable(file, error))
      if (next.done === true) return
      yield next.value
    }
  }
  if (isParquet(head)) {
    if (file === '-')
      throw new AppError('file_unreadable', 'Parquet is read from its end: give a file, not standard input')
    await parts.return?.()
    return { parts: parquetLines(file), jsonl: true, parquet: true }
  }
  return { parts: all(), jsonl: head.toString('latin1', 0, 64).trimStart().startsWith('{'), parquet: false }
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  try {
    for await (const part of createReadStream(file)) hash.update(part as Buffer)
  } catch (error) {
    unreadable(file, error)
  }
  return hash.digest('hex')
}

function unreadable(file: string, cause: unknown): never {
  throw new AppError('file_unreadable', `cannot read ${file}: ${(cause as Error).message}`, { cause })
}
