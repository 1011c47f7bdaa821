/** One ClickHouse server through its official client over HTTP, and how well it is. */
import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { ClickHouseError, ClickHouseLogLevel, type ClickHouseClient, createClient } from '@clickhouse/client'
import { AppError } from '../errors.ts'
import { identifier } from '../schema/ddl.ts'
import { type TlsOptions, agentFor } from './agent.ts'
import { ANSWER_FORMAT, parseAnswer } from './answers.ts'
import { EngineError } from './engine-error.ts'
import { INSERT_SETTINGS } from './insert-settings.ts'
import { backoffMs } from './pacing.ts'
import type { ServerUrl } from './server-url.ts'
import { streamOf } from './server-stream.ts'
import type { Block, FileBlock, QueryPlan, Rows, StreamSettings } from './store.ts'

export interface ConnectionOptions extends TlsOptions {
  /** Whether blocks are compressed on the wire (gzip): saves three quarters of the bytes for much CPU. */
  compress?: boolean
  /** A request without an answer for so long has failed; milliseconds. */
  requestLimitMs?: number
}

export type Settings = Readonly<Record<string, string | number>>

const REQUEST_LIMIT_MS = 300_000
/** The server stops a question by itself; this much later the connection is given up. */
const GRACE_MS = 15_000
/** How long a server that failed comes last. */
const DOWN = { firstMs: 1_000, maxMs: 60_000 }
/** The answer comes when it is whole: an error half-way is a status then, not a broken end. */
const WHOLE_ANSWER = { wait_end_of_query: 1 } as const

/** No answer: another server may give one. */
export class Unanswered extends AppError {}

export class Server {
  /** Without credentials. */
  readonly name: string
  readonly url: string
  /** Failures in a row. */
  failures = 0
  /** It comes after the others until then; ms since 1970. */
  downUntilMs = 0

  private readonly client: ClickHouseClient
  /** Beside the database, which may not exist yet. */
  private readonly outside: ClickHouseClient

  /** Connects at the first use only. Errors: config_invalid, file_unreadable. */
  constructor(server: ServerUrl, options: ConnectionOptions) {
    this.name = server.name
    this.url = server.url
    this.client = connect(server, server.database, options)
    this.outside = connect(server, 'default', options)
  }

  /** Notes that it answered. */
  well(): void {
    this.failures = 0
    this.downUntilMs = 0
  }

  /** Notes that it failed: it comes last for a while, which grows. */
  ill(nowMs: number): void {
    this.downUntilMs = nowMs + backoffMs(this.failures++, DOWN)
  }

  /** Inserts a block into `table`. Throws EngineError, Unanswered; AppError where the block cannot be read. */
  async insert(table: string, block: Block | FileBlock, settings: Settings): Promise<void> {
    const body = await bodyOf(block, this.name)
    const broken = new AbortController()
    let unreadable: unknown
    // The client does not listen: without this a file that cannot be read on would end the process, or hang the request.
    body.on('error', (error) => {
      unreadable = error
      broken.abort()
    })
    try {
      const { stream } = await this.client.exec({
        query: `INSERT INTO ${table} (${block.columns.map(identifier).join(', ')}) FORMAT Native`,
        values: body,
        clickhouse_settings: {
          ...INSERT_SETTINGS,
          ...settings,
          ...WHOLE_ANSWER,
          insert_deduplication_token: block.token,
        },
        abort_signal: broken.signal,
      })
      stream.resume()
    } catch (error) {
      throw unreadable === undefined ? this.failure(error) : cannotRead(this.name, unreadable)
    } finally {
      body.destroy()
    }
  }

  /** A statement without an answer, beside the database. Throws EngineError, Unanswered. */
  async command(sql: string, settings: Settings): Promise<void> {
    try {
      await this.outside.command({ query: sql, clickhouse_settings: { ...settings, ...WHOLE_ANSWER } })
    } catch (error) {
      throw this.failure(error)
    }
  }

  /** Throws EngineError, Unanswered. `outside`: beside the database. */
  async ask(plan: QueryPlan, settings: Settings, timeoutMs: number, outside = false): Promise<Rows> {
    try {
      const result = await (outside ? this.outside : this.client).query({
        query: plan.sql,
        query_params: { ...plan.params },
        format: ANSWER_FORMAT,
        clickhouse_settings: { ...settings, ...WHOLE_ANSWER, max_execution_time: timeoutMs / 1000 },
        abort_signal: AbortSignal.timeout(timeoutMs + GRACE_MS),
      })
      return parseAnswer(await result.text())
    } catch (error) {
      throw this.failure(error)
    }
  }

  /** See Store.stream; `refused` says what the engine's error means. Throws Unanswered besides. */
  stream(
    plan: QueryPlan,
    format: string,
    settings: StreamSettings,
    refused: (error: EngineError) => AppError,
  ): Promise<Readable> {
    return streamOf(this.client, plan, format, settings, (error) => {
      const failure = this.failure(error)
      return failure instanceof EngineError ? refused(failure) : failure
    })
  }

  async close(): Promise<void> {
    await Promise.all([this.client.close(), this.outside.close()])
  }

  private failure(error: unknown): EngineError | Unanswered {
    if (error instanceof ClickHouseError) return new EngineError(error.message, Number(error.code))
    const { message, code } = error as { message?: string; code?: string }
    const why = [code, message?.split('\n')[0]?.slice(0, 300)]
      .filter((part) => part !== undefined && part !== '')
      .join(' ')
    return new Unanswered('store_unreachable', `${this.name} does not answer: ${why}`, { cause: error })
  }
}

function connect(
  { url, username, password }: ServerUrl,
  database: string,
  { compress = false, requestLimitMs = REQUEST_LIMIT_MS, ...tls }: ConnectionOptions,
): ClickHouseClient {
  return createClient({
    url,
    username,
    password,
    database,
    application: 'ovsight',
    request_timeout: requestLimitMs,
    compression: { request: compress, response: true },
    http_agent: agentFor(url, tls),
    log: { level: ClickHouseLogLevel.OFF },
  })
}

async function bodyOf(block: Block | FileBlock, store: string): Promise<Readable> {
  if (!('file' in block))
    return Readable.from([Buffer.from(block.bytes.buffer, block.bytes.byteOffset, block.bytes.byteLength)])
  try {
    return (await open(block.file)).createReadStream()
  } catch (error) {
    throw cannotRead(store, error)
  }
}

function cannotRead(store: string, error: unknown): AppError {
  return new AppError('store_unreachable', `cannot read a block for ${store}: ${(error as Error).message}`, {
    cause: error,
  })
}
