/** A ClickHouse server as a Store, through its official client over HTTP. */
import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { ClickHouseError, ClickHouseLogLevel, type ClickHouseClient, createClient } from '@clickhouse/client'
import { AppError } from '../errors.ts'
import { type DdlTarget, createDatabase, identifier } from '../schema/ddl.ts'
import { ANSWER_FORMAT, ANSWER_SETTINGS, parseAnswer } from './answers.ts'
import { DEFAULT_QUERY_TIMEOUT_MS } from './chdb.ts'
import { EngineError, insertFailure, queryFailure, statementFailure } from './engine-error.ts'
import { INSERT_SETTINGS } from './insert-settings.ts'
import { type Database, migrate } from './migrations/migrate.ts'
import { checkPlaceholders } from './parameters.ts'
import { replaceStatements } from './replace.ts'
import { streamOf } from './server-stream.ts'
import { type ServerUrl, parseServerUrl } from './server-url.ts'
import {
  type Block,
  type FileBlock,
  type QueryPlan,
  type Rows,
  type Store,
  type StreamSettings,
  sumsOf,
} from './store.ts'

export interface ClickHouseOptions {
  /** `http://user:password@host:8123/database`, https too. */
  url: string
  /** Where user and password come from when the URL has none. */
  environment?: Readonly<Record<string, string | undefined>>
  queryTimeoutMs?: number
  /** Whether blocks are compressed on the wire (gzip): saves three quarters of the bytes for much CPU. */
  compress?: boolean
  /** A request without an answer for so long has failed; milliseconds. */
  requestLimitMs?: number
}

const REQUEST_LIMIT_MS = 300_000
/** The server stops a question by itself; this much later the connection is given up. */
const GRACE_MS = 15_000
/** The answer comes when it is whole: an error half-way is a status then, not a broken end. */
const WHOLE_ANSWER = { wait_end_of_query: 1 } as const

export class ClickHouseStore implements Store {
  readonly name: string
  readonly database: string

  private readonly target: DdlTarget
  private readonly queryTimeoutMs: number
  private readonly client: ClickHouseClient
  /** Beside the database, which may not exist yet. */
  private readonly outside: ClickHouseClient

  /** Connects at the first use only. Errors: config_invalid (the URL). */
  constructor(options: ClickHouseOptions) {
    const {
      url,
      environment = process.env,
      queryTimeoutMs,
      compress = false,
      requestLimitMs = REQUEST_LIMIT_MS,
    } = options
    const server = parseServerUrl(url, environment)
    this.name = server.name
    this.target = { database: server.database }
    this.database = server.database
    this.queryTimeoutMs = queryTimeoutMs ?? DEFAULT_QUERY_TIMEOUT_MS
    this.client = connect(server, server.database, compress, requestLimitMs)
    this.outside = connect(server, 'default', compress, requestLimitMs)
  }

  async migrate(): Promise<void> {
    const database: Database = {
      name: this.name,
      target: this.target,
      run: (sql) => this.run(sql),
      query: (plan) => this.ask(this.outside, plan, (error) => statementFailure(this.name, error)),
    }
    const { rows } = await database.query({
      sql: 'SELECT 1 FROM system.databases WHERE name = {database:String}',
      params: { database: this.target.database },
    })
    if (rows.length === 0) await this.run(createDatabase(this.target))
    await migrate(database)
  }

  async insert(block: Block | FileBlock): Promise<void> {
    for (const statement of replaceStatements(block, this.target)) await this.run(statement)
    await this.insertOne(block)
    const sums = sumsOf(block)
    if (sums !== undefined) await this.insertOne(sums)
  }

  private async insertOne(block: Block | FileBlock): Promise<void> {
    const { database } = this.target
    const columns = block.columns.map(identifier).join(', ')
    const body = await this.bodyOf(block)
    const broken = new AbortController()
    // The client does not listen: without this a file that cannot be read on would end the process, or hang the request.
    body.on('error', () => broken.abort())
    try {
      const { stream } = await this.client.exec({
        query: `INSERT INTO ${identifier(database)}.${identifier(block.table)} (${columns}) FORMAT Native`,
        values: body,
        clickhouse_settings: { ...INSERT_SETTINGS, ...WHOLE_ANSWER, insert_deduplication_token: block.token },
        abort_signal: broken.signal,
      })
      stream.resume()
    } catch (error) {
      const answered = this.engineError(error)
      throw answered === undefined ? this.unreachable(error) : insertFailure(this.name, block.rows, answered)
    } finally {
      body.destroy()
    }
  }

  query(plan: QueryPlan): Promise<Rows> {
    const timeoutMs = plan.timeoutMs ?? this.queryTimeoutMs
    return this.ask(this.client, plan, (error) => queryFailure(this.name, error, timeoutMs))
  }

  stream(plan: QueryPlan, format: string, settings: StreamSettings): Promise<Readable> {
    return streamOf(this.client, plan, format, settings, (error) => {
      const answered = this.engineError(error)
      return answered === undefined ? this.unreachable(error) : queryFailure(this.name, answered, 0)
    })
  }

  async close(): Promise<void> {
    await Promise.all([this.client.close(), this.outside.close()])
  }

  async run(sql: string): Promise<void> {
    try {
      await this.outside.command({ query: sql, clickhouse_settings: WHOLE_ANSWER })
    } catch (error) {
      const answered = this.engineError(error)
      throw answered === undefined ? this.unreachable(error) : statementFailure(this.name, answered)
    }
  }

  private async ask(
    client: ClickHouseClient,
    plan: QueryPlan,
    refused: (error: EngineError) => AppError,
  ): Promise<Rows> {
    checkPlaceholders(plan)
    const timeoutMs = plan.timeoutMs ?? this.queryTimeoutMs
    try {
      const result = await client.query({
        query: plan.sql,
        query_params: { ...plan.params },
        format: ANSWER_FORMAT,
        clickhouse_settings: { ...ANSWER_SETTINGS, ...WHOLE_ANSWER, max_execution_time: timeoutMs / 1000 },
        abort_signal: AbortSignal.timeout(timeoutMs + GRACE_MS),
      })
      return parseAnswer(await result.text())
    } catch (error) {
      const answered = this.engineError(error)
      throw answered === undefined ? this.unreachable(error) : refused(answered)
    }
  }

  private async bodyOf(block: Block | FileBlock): Promise<Readable> {
    if (!('file' in block)) return Readable.from([bufferOf(block.bytes)])
    try {
      return (await open(block.file)).createReadStream()
    } catch (error) {
      throw new AppError('store_unreachable', `cannot read a block for ${this.name}: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }

  private engineError(error: unknown): EngineError | undefined {
    return error instanceof ClickHouseError ? new EngineError(error.message, Number(error.code)) : undefined
  }

  private unreachable(error: unknown): AppError {
    const { message, code } = error as { message?: string; code?: string }
    const why = [code, message?.split('\n')[0]?.slice(0, 300)]
      .filter((part) => part !== undefined && part !== '')
      .join(' ')
    return new AppError('store_unreachable', `${this.name} does not answer: ${why}`, { cause: error })
  }
}

function connect(
  { url, username, password }: ServerUrl,
  database: string,
  compress: boolean,
  limitMs: number,
): ClickHouseClient {
  return createClient({
    url,
    username,
    password,
    database,
    application: 'ovsight',
    request_timeout: limitMs,
    compression: { request: compress, response: true },
    log: { level: ClickHouseLogLevel.OFF },
  })
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
