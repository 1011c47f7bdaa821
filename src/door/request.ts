/** What a request asks: query, format, parameters and settings, as the server takes them from URL, headers and body. */
import type { IncomingMessage } from 'node:http'
import * as zlib from 'node:zlib'
import { unpackBlocks } from './blocks.ts'
import { type Cage, SETTINGS, checkFormat, checkQuery } from './cage.ts'
import { FILTERS_SETTING, ownFilters, withOwnFilters } from './filters.ts'
import { Refusal } from './refusal.ts'
import { type Shape, shapeOf } from './shape.ts'

const MAX_BODY_BYTES = 512 * 1024
const DEFAULT_FORMAT = 'TabSeparated'
/** Parameters of the interface itself, and settings that say nothing here; the others are settings. */
const OWN = new Set(['query', 'query_id', 'database', 'default_format', 'session_id', 'session_timeout', 'session_check', 'enable_http_compression', 'compress', 'decompress', 'wait_end_of_query', 'send_progress_in_http_headers', 'http_headers_progress_interval_ms', 'buffer_size', 'user', 'password', 'role', 'quota_key', 'stacktrace', 'log_comment', 'client_protocol_version', 'add_http_cors_header', 'readonly', 'max_execution_time', 'max_result_rows', 'max_result_bytes', 'result_overflow_mode', 'http_write_exception_in_output_format', 'http_zlib_compression_level', 'network_compression_method', 'network_zstd_compression_level', 'cancel_http_readonly_queries_on_client_close']) // prettier-ignore
/** Seconds that a question may ask for, and what it has when it does not. */
const MAX_TIME_S = 3_600
const TIME_S = 60
/** Of what a client takes, what the engine packs fastest. */
const ENCODINGS = ['zstd', 'lz4', 'gzip', 'br', 'deflate', 'snappy', 'xz', 'bz2'] as const

export interface Question extends Shape {
  format: string
  params: Record<string, string>
  settings: Record<string, string>
  timeS: number
  /** Content-Encoding of the answer. */
  encoding: string | undefined
  /** ClickHouse's own blocks in place of it. */
  blocks: boolean
  /** Revision of Native that the client wants; 0 = that of files. */
  revision: number
  /** Nothing is sent before all is there. */
  wait: boolean
}

/** Errors: Refusal. */
export async function readQuestion(request: IncomingMessage, search: URLSearchParams, cage: Cage): Promise<Question> {
  const { method } = request
  if (method !== 'GET' && method !== 'POST' && method !== 'HEAD')
    throw new Refusal(48, 'NOT_IMPLEMENTED', `method ${method} is not supported`)
  const body = await bodyOf(request, search.get('decompress') === '1')
  // As the server does it: what the body has comes after what the URL has.
  const asked = [search.get('query') ?? '', body].filter((part) => part.trim() !== '').join('\n')
  const database = search.get('database') ?? request.headers['x-clickhouse-database'] ?? cage.database
  if (database !== cage.database && database !== 'default')
    throw new Refusal(81, 'UNKNOWN_DATABASE', `Database ${String(database).slice(0, 60)} does not exist`)
  const preset = search.get('default_format') ?? String(request.headers['x-clickhouse-format'] ?? DEFAULT_FORMAT)
  checkFormat(preset)
  const sql = named(asked)
  checkQuery(sql, cage)
  const shape = shapeOf(withOwnFilters(sql, cage.database))
  const blocks = search.get('compress') === '1'
  const packed = !blocks && search.get('enable_http_compression') === '1'
  return {
    ...shape,
    ...valuesOf(search, cage),
    format: shape.format ?? preset,
    timeS: timeOf(search.get('max_execution_time')),
    encoding: packed ? encodingOf(request.headers['accept-encoding'] ?? '') : undefined,
    blocks,
    revision: Number(/^\d{1,9}$/.exec(search.get('client_protocol_version') ?? '')?.[0] ?? 0),
    wait: search.get('wait_end_of_query') === '1',
  }
}

/** Clients begin by asking for the server's name, which the engine would answer with that of the machine. */
export function named(sql: string): string {
  return sql.replace(/^SELECT displayName\(\),/, "SELECT 'ovsight' AS `displayName()`,")
}

function timeOf(text: string | null): number {
  const asked = Number(text ?? TIME_S)
  return Number.isFinite(asked) && asked > 0 ? Math.min(asked, MAX_TIME_S) : TIME_S
}

function encodingOf(accepted: string): string | undefined {
  const wanted = accepted
    .split(',')
    .filter((part) => !/;\s*q=0(?:\.0*)?\s*$/.test(part))
    .map((part) => part.split(';')[0]!.trim().toLowerCase())
  return ENCODINGS.find((encoding) => wanted.includes(encoding))
}

function valuesOf(search: URLSearchParams, { database }: Cage): Pick<Question, 'params' | 'settings'> {
  const params: Record<string, string> = {}
  const settings: Record<string, string> = { [FILTERS_SETTING]: `{${ownFilters(database)}}` }
  for (const [name, value] of search) {
    if (OWN.has(name)) continue
    if (name.startsWith('param_')) {
      if (!/^param_[A-Za-z_]\w{0,60}$/.test(name))
        throw new Refusal(36, 'BAD_ARGUMENTS', `${name.slice(0, 60)} is no name of a parameter`)
      params[name.slice('param_'.length)] = value
    } else if (SETTINGS.has(name)) settings[name] = value
    else throw new Refusal(164, 'READONLY', `Cannot modify '${name.slice(0, 60)}' setting in readonly mode`)
  }
  return { params, settings }
}

type Unpack = (bytes: Buffer, options: { maxOutputLength: number }) => Buffer

/** How bodies may be packed; zstd since Node.js 22.15. */
const UNPACK: Readonly<Record<string, Unpack | undefined>> = {
  gzip: zlib.gunzipSync,
  deflate: zlib.inflateSync,
  br: zlib.brotliDecompressSync,
  zstd: (zlib as { zstdDecompressSync?: Unpack }).zstdDecompressSync,
}

async function bodyOf(request: IncomingMessage, blocks: boolean): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw new Refusal(62, 'SYNTAX_ERROR', 'the query is too long', 413)
    chunks.push(chunk)
  }
  const body = Buffer.concat(chunks)
  const encoding = request.headers['content-encoding'] ?? ''
  const unpacked = encoding === '' || encoding === 'identity' ? body : unpack(body, encoding)
  const content = blocks ? unpackBlocks(unpacked, MAX_BODY_BYTES) : unpacked
  if (content === undefined)
    throw new Refusal(271, 'CANNOT_DECOMPRESS', 'the body is no compressed blocks, damaged, or too long', 400)
  return content.toString()
}

function unpack(body: Buffer, encoding: string): Buffer {
  const by = Object.hasOwn(UNPACK, encoding) ? UNPACK[encoding] : undefined
  if (by === undefined)
    throw new Refusal(89, 'UNKNOWN_COMPRESSION_METHOD', `the body is packed as ${encoding.slice(0, 20)}`, 400)
  try {
    return by(body, { maxOutputLength: MAX_BODY_BYTES })
  } catch {
    throw new Refusal(271, 'CANNOT_DECOMPRESS', `the body is no ${encoding}, or too long`, 400)
  }
}
