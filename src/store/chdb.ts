/**
 * The embedded engine as a Store: ClickHouse in a process of its own (chdb-process.ts), its files in the data directory.
 *
 * Binary inserts go through files only, so a block that lies in the spool is read from there.
 */
import { readdir, rm, writeFile } from 'node:fs/promises'
import { isAbsolute, join, relative, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { platform } from 'node:process'
import { AppError } from '../errors.ts'
import { type DdlTarget, identifier, quote } from '../schema/ddl.ts'
import { ANSWER_FORMAT, ANSWER_SETTINGS, parseAnswer } from './answers.ts'
import { ChdbAnswers, GRACE_MS, settingsClause } from './chdb-answers.ts'
import { EngineProcess } from './chdb-process.ts'
import { forgetTornTokens } from './chdb-tokens.ts'
import { EngineError, insertFailure, queryFailure, statementFailure } from './engine-error.ts'
import { INSERT_SETTINGS } from './insert-settings.ts'
import { type Lock, lockDirectory } from './lock.ts'
import { type Database, migrate, settleSync } from './migrations/migrate.ts'
import { parameterSettings } from './parameters.ts'
import { Pipes } from './pipes.ts'
import { replaceStatements } from './replace.ts'
import {
  type Block,
  type FileBlock,
  type QueryPlan,
  type Rows,
  type Store,
  type StreamSettings,
  sumsOf,
} from './store.ts'

export interface ChdbOptions {
  /** Data directory; made when missing. */
  directory: string
  /** Time limit of a question that has none of its own. */
  queryTimeoutMs?: number
  /** Whether a block is on the disk when it is acknowledged; without it a power loss may take the last seconds. */
  sync?: boolean
}

/** The database inside the data directory. */
const TARGET: DdlTarget = { database: 'ovsight' }
export const DEFAULT_QUERY_TIMEOUT_MS = 30_000
const STATEMENT_LIMIT_MS = 600_000
const INSERT_LIMIT_MS = 300_000
/** Files of blocks that come from memory. */
const LEFTOVER = 'insert-'

export class ChdbStore implements Store {
  readonly name: string
  readonly directory: string
  readonly database = TARGET.database

  private readonly lock: Lock
  private readonly engine: EngineProcess
  private readonly queryTimeoutMs: number
  private readonly sync: boolean
  /** To questions of somebody else. */
  readonly answers: ChdbAnswers
  private files = 0

  private constructor(options: ChdbOptions, directory: string, lock: Lock, engine: EngineProcess) {
    this.name = `embedded ${options.directory}`
    this.directory = directory
    this.lock = lock
    this.engine = engine
    this.queryTimeoutMs = options.queryTimeoutMs ?? DEFAULT_QUERY_TIMEOUT_MS
    this.sync = options.sync ?? false
    this.answers = new ChdbAnswers(engine, directory, this.name, (file) => this.pathForEngine(join(directory, file)))
  }

  /** Errors: data_dir_locked, data_dir_unwritable, store_unavailable, store_refused. */
  static async open(options: ChdbOptions): Promise<ChdbStore> {
    const directory = resolve(options.directory)
    const lock = await lockDirectory(directory)
    const engine = new EngineProcess(directory, `embedded ${options.directory}`, () => forgetTornTokens(directory))
    try {
      await removeLeftovers(directory)
      await Pipes.clear(directory)
      await engine.start()
      return new ChdbStore(options, directory, lock, engine)
    } catch (error) {
      await engine.close()
      lock.release()
      throw error
    }
  }

  /** How often the engine died and was started again. */
  get restarts(): number {
    return this.engine.restarts
  }

  /** Process id of the engine, for tests and operators. */
  get enginePid(): number | undefined {
    return this.engine.pid
  }

  /** Writes into the lock where the API of this process answers, for the command line to ask it. */
  announce(api: string): void {
    this.lock.announce(api)
  }

  async migrate(): Promise<void> {
    const database: Database = {
      name: this.name,
      target: TARGET,
      run: (sql) => this.run(sql),
      query: (plan) => this.query(plan),
    }
    await migrate(database)
    await settleSync(database, this.sync)
  }

  async insert(block: Block | FileBlock): Promise<void> {
    const refused = (error: EngineError) => insertFailure(this.name, block.rows, error)
    for (const statement of replaceStatements(block, TARGET)) await this.command(statement, refused)
    await this.insertOne(block)
    const sums = sumsOf(block)
    if (sums !== undefined) await this.insertOne(sums)
  }

  private async insertOne(block: Block | FileBlock): Promise<void> {
    if ('file' in block) return this.insertFile(block, block.file)
    const file = join(this.directory, `${LEFTOVER}${this.files++}.native`)
    try {
      await writeFile(file, block.bytes).catch((error: unknown) => {
        const message = `cannot write a block for ${this.name}: ${(error as Error).message}`
        throw new AppError('store_unreachable', message, { cause: error })
      })
      await this.insertFile(block, file)
    } finally {
      await rm(file, { force: true })
    }
  }

  async query(plan: QueryPlan): Promise<Rows> {
    const timeoutMs = plan.timeoutMs ?? this.queryTimeoutMs
    const settings = { ...ANSWER_SETTINGS, max_execution_time: timeoutMs / 1000 }
    // A setting stays in the session; all that are ever set are set before every question.
    const set = `SET ${[settingsClause(settings), ...parameterSettings(plan)].join(', ')}`
    try {
      const { text } = await this.engine.run('read', [set, plan.sql], ANSWER_FORMAT, timeoutMs + GRACE_MS)
      return parseAnswer(text)
    } catch (error) {
      throw error instanceof EngineError ? queryFailure(this.name, error, timeoutMs) : error
    }
  }

  stream(plan: QueryPlan, format: string, settings: StreamSettings): Promise<Readable> {
    return this.answers.plan(plan, format, settings)
  }

  async close(): Promise<void> {
    await this.engine.close()
    this.lock.release()
  }

  run(sql: string): Promise<void> {
    return this.command(sql, (error) => statementFailure(this.name, error))
  }

  private async command(sql: string, refused: (error: EngineError) => AppError): Promise<void> {
    try {
      await this.engine.run('write', [sql], 'Null', STATEMENT_LIMIT_MS)
    } catch (error) {
      throw error instanceof EngineError ? refused(error) : error
    }
  }

  private async insertFile(block: Block | FileBlock, file: string): Promise<void> {
    const sql = [
      `INSERT INTO ${identifier(block.table)} (${block.columns.map(identifier).join(', ')})`,
      `FROM INFILE ${quote(this.pathForEngine(file))}`,
      `SETTINGS ${settingsClause({ ...INSERT_SETTINGS, insert_deduplication_token: block.token })}`,
      'FORMAT Native',
    ].join(' ')
    const { rowsRead } = await this.engine.run('write', [sql], 'Null', INSERT_LIMIT_MS).catch((error: unknown) => {
      throw error instanceof EngineError ? insertFailure(this.name, block.rows, error) : error
    })
    // The engine takes the path for a pattern: one that matches nothing is no error to it, and nothing is stored.
    if (rowsRead !== block.rows)
      throw new AppError('store_refused', `${this.name} read ${rowsRead} rows from a block of ${block.rows}: ${file}`)
  }

  /**
   * Relative to the engine's working directory, which is the data directory: so no name above it is part of what the engine takes for
   * a pattern. It makes a relative path absolute first, except through this link.
   */
  private pathForEngine(file: string): string {
    const path = relative(this.directory, file)
    if (path.startsWith('..') || isAbsolute(path)) throw new Error(`${file} is not in ${this.directory}`)
    return platform === 'linux' ? `/proc/self/cwd/${path}` : path
  }
}

/** Blocks that a killed process was about to insert from memory; whoever gave them never got an answer. */
async function removeLeftovers(directory: string): Promise<void> {
  for (const name of await readdir(directory))
    if (name.startsWith(LEFTOVER)) await rm(join(directory, name), { force: true })
}
