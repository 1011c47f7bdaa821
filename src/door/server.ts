/**
 * ClickHouse's HTTP interface over the embedded store, read-only: whatever speaks it can ask ovsight's tables. GET and POST, `query=`,
 * `database`, `default_format`, `param_…`, gzip both ways, and errors as the real server words them.
 */
import { once } from 'node:events'
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync, gzipSync } from 'node:zlib'
import { randomUUID } from 'node:crypto'
import { AppError } from '../errors.ts'
import type { ChdbStore } from '../store/chdb.ts'
import { EngineError } from '../store/engine-error.ts'
import { type Cage, Refusal, SETTINGS, checkFormat, checkQuery } from './cage.ts'

export interface DoorOptions {
  host: string
  port: number
  /** Told of faults of ovsight itself; the client gets a bare 500. */
  onBug?: (error: unknown) => void
}

/** A door that is open. */
export interface Door {
  url: string
  close(): Promise<void>
}

const MAX_BODY_BYTES = 512 * 1024
const DEFAULT_FORMAT = 'TabSeparated'
/** Parameters of the interface itself; the others are settings. */
const OWN = new Set(['query', 'query_id', 'database', 'default_format', 'session_id', 'session_timeout', 'session_check', 'enable_http_compression', 'compress', 'decompress', 'wait_end_of_query', 'send_progress_in_http_headers', 'http_headers_progress_interval_ms', 'buffer_size', 'user', 'password', 'role', 'client_protocol_version', 'add_http_cors_header', 'readonly', 'max_execution_time', 'max_result_rows', 'max_result_bytes', 'result_overflow_mode', 'http_write_exception_in_output_format']) // prettier-ignore
const TYPES: readonly [RegExp, string][] = [
  [/^(?:JSONEachRow|JSONCompactEachRow|NDJSON)/, 'application/x-ndjson; charset=UTF-8'],
  [/^JSON/, 'application/json; charset=UTF-8'],
  [/^CSV/, 'text/csv; charset=UTF-8; header=absent'],
  [/^(?:TSV|TabSeparated)/, 'text/tab-separated-values; charset=UTF-8'],
  [/^(?:Native|RowBinary|Parquet|Arrow)/, 'application/octet-stream'],
]

/** Opens the door. Errors: port_in_use, socket_refused. */
export async function openDoor(store: ChdbStore, { host, port, onBug = console.error }: DoorOptions): Promise<Door> {
  const cage = await cageOf(store)
  const server = createServer((request, response) => {
    answer(store, cage, request, response).catch((error: unknown) => {
      onBug(error)
      response.destroy()
    })
  })
  server.requestTimeout = 30_000
  await listen(server, host, port)
  const { port: taken } = server.address() as AddressInfo
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${taken}`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function cageOf(store: ChdbStore): Promise<Cage> {
  const names = async (sql: string) =>
    new Set((await store.query({ sql, params: {} })).rows.map((row) => String(row['name'])))
  const [databases, tableFunctions] = await Promise.all([
    names('SELECT name FROM system.databases'),
    names('SELECT lower(name) AS name FROM system.table_functions'),
  ])
  for (const always of ['default', 'system', 'information_schema', 'INFORMATION_SCHEMA']) databases.add(always)
  return { database: store.database, databases, tableFunctions }
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'EADDRINUSE')
      throw new AppError(
        'port_in_use',
        `TCP port ${port} of ${host} for ClickHouse's interface is taken; give another with --clickhouse-port`,
        { cause },
      )
    throw new AppError(
      'socket_refused',
      `cannot listen for ClickHouse's interface on ${host} port ${port}: ${message}`,
      { cause },
    )
  }
}

async function answer(store: ChdbStore, cage: Cage, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://door')
  const id = url.searchParams.get('query_id') ?? randomUUID()
  response.setHeader('X-ClickHouse-Query-Id', id.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 100))
  response.setHeader('X-ClickHouse-Server-Display-Name', 'ovsight')
  if (url.pathname === '/ping' || (url.pathname === '/' && request.method === 'GET' && url.search === ''))
    return void response.end('Ok.\n')
  try {
    await ask(store, cage, request, response, url.searchParams)
  } catch (error) {
    fail(response, error)
  }
}

async function ask(
  store: ChdbStore,
  cage: Cage,
  request: IncomingMessage,
  response: ServerResponse,
  search: URLSearchParams,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'POST' && request.method !== 'HEAD')
    throw new Refusal(381, 'NOT_IMPLEMENTED', `method ${request.method} is not supported`, 501)
  const body = await bodyOf(request)
  // As the server does it: what the body has comes after what the URL has.
  const sql = [search.get('query') ?? '', body].filter((part) => part.trim() !== '').join('\n')
  const database = search.get('database') ?? request.headers['x-clickhouse-database'] ?? cage.database
  if (database !== cage.database && database !== 'default')
    throw new Refusal(81, 'UNKNOWN_DATABASE', `Database ${String(database).slice(0, 60)} does not exist`, 404)
  const format = search.get('default_format') ?? String(request.headers['x-clickhouse-format'] ?? DEFAULT_FORMAT)
  checkFormat(format)
  checkQuery(sql, cage)
  const { params, settings } = valuesOf(search)
  const bytes = await store.answer(sql.replace(/[;\s]+$/, ''), format, params, settings)
  const written = /\bFORMAT\s+(\w+)[\s;]*$/i.exec(sql)?.[1] ?? format
  response.setHeader('X-ClickHouse-Format', written)
  response.setHeader('Content-Type', TYPES.find(([rule]) => rule.test(written))?.[1] ?? 'text/plain; charset=UTF-8')
  response.setHeader(
    'X-ClickHouse-Summary',
    JSON.stringify({ read_rows: '0', read_bytes: '0', result_bytes: String(bytes.length) }),
  )
  const gzip =
    search.get('enable_http_compression') === '1' && /\bgzip\b/.test(String(request.headers['accept-encoding']))
  if (gzip) response.setHeader('Content-Encoding', 'gzip')
  response.end(gzip ? gzipSync(bytes) : bytes)
}

function valuesOf(search: URLSearchParams): { params: Record<string, string>; settings: Record<string, string> } {
  const params: Record<string, string> = {}
  const settings: Record<string, string> = {}
  for (const [name, value] of search) {
    if (OWN.has(name)) continue
    if (name.startsWith('param_')) {
      if (!/^param_[A-Za-z_]\w{0,60}$/.test(name))
        throw new Refusal(36, 'BAD_ARGUMENTS', `${name.slice(0, 60)} is no name of a parameter`, 400)
      params[name.slice('param_'.length)] = value
    } else if (SETTINGS.has(name)) settings[name] = value
    else throw new Refusal(164, 'READONLY', `Cannot modify '${name.slice(0, 60)}' setting in readonly mode`)
  }
  return { params, settings }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw new Refusal(62, 'SYNTAX_ERROR', 'the query is too long', 413)
    chunks.push(chunk)
  }
  const body = Buffer.concat(chunks)
  try {
    return (
      request.headers['content-encoding'] === 'gzip' ? gunzipSync(body, { maxOutputLength: MAX_BODY_BYTES }) : body
    ).toString()
  } catch {
    throw new Refusal(271, 'CANNOT_DECOMPRESS', 'the body is no gzip, or too long', 400)
  }
}

/** HTTP status of an error of the engine, as the server gives them. */
const STATUS: Readonly<Record<number, number>> = { 47: 404, 60: 404, 81: 404, 62: 400, 36: 400, 43: 400, 46: 404, 159: 408, 164: 403, 241: 500, 396: 413, 497: 403 } // prettier-ignore

function fail(response: ServerResponse, error: unknown): void {
  let [code, status, text] = [0, 503, '']
  if (error instanceof Refusal) {
    ;({ code, status } = error)
    text = `Code: ${code}. DB::Exception: ${error.message}. (${error.codeName})`
  } else if (error instanceof EngineError) {
    code = error.engineCode
    status = STATUS[code] ?? 500
    text = error.message
  } else if (error instanceof AppError) {
    code = 210
    text = `Code: 210. DB::Exception: ${error.message}. (NETWORK_ERROR)`
  } else throw error
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=UTF-8',
    'X-ClickHouse-Exception-Code': String(code),
  })
  response.end(`${text}\n`)
}
