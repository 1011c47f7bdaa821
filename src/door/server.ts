/**
 * ClickHouse's HTTP interface over the embedded store, read-only: whatever speaks it can ask ovsight's tables. GET and POST, `query=`,
 * `database`, `default_format`, `param_…`, packed both ways, and errors as the real server words them.
 */
import { once } from 'node:events'
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import { Server as SecureServer, createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { SecureContextOptions } from 'node:tls'
import { randomUUID } from 'node:crypto'
import { AppError } from '../errors.ts'
import type { ChdbStore } from '../store/chdb.ts'
import { EngineError } from '../store/engine-error.ts'
import { sendAnswer } from './answer.ts'
import type { Cage } from './cage.ts'
import { Refusal, statusOf } from './refusal.ts'
import { readQuestion } from './request.ts'
import { Slots } from './slots.ts'

export interface DoorOptions {
  host: string
  port: number
  /** Certificate and key; without them it speaks plain HTTP. */
  tls?: SecureContextOptions | undefined
  /** Told of faults of ovsight itself; the client gets a bare 500. */
  onBug?: (error: unknown) => void
}

/** A door that is open. */
export interface Door {
  url: string
  /** Another certificate and key, for connections that begin. */
  change(tls: SecureContextOptions): void
  close(): Promise<void>
}

/** Sessions of the engine that are for the door; more questions wait. */
const AT_ONCE = 2
/** What the engine quotes of a query that was not in it when it came. */
const WRITING = /\s*INTO OUTFILE '[^']*' TRUNCATE COMPRESSION '\w*'/g
const WAITING = { most: 64, waitMs: 30_000 }

/** Opens the door. Errors: port_in_use, socket_refused. */
export async function openDoor(
  store: ChdbStore,
  { host, port, tls, onBug = console.error }: DoorOptions,
): Promise<Door> {
  const room = await roomOf(store)
  const handler = (request: IncomingMessage, response: ServerResponse) => {
    answer(room, request, response).catch((error: unknown) => {
      onBug(error)
      response.destroy()
    })
  }
  const server = tls === undefined ? createServer(handler) : createSecureServer(tls, handler)
  server.requestTimeout = 30_000
  await listen(server, host, port)
  const { port: taken } = server.address() as AddressInfo
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${taken}`,
    change: (next) => (server instanceof SecureServer ? server.setSecureContext(next) : undefined),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function roomOf(store: ChdbStore): Promise<Room> {
  const names = async (sql: string) =>
    new Set((await store.query({ sql, params: {} })).rows.map((row) => String(row['name'])))
  const [databases, tableFunctions, itself] = await Promise.all([
    names('SELECT name FROM system.databases'),
    names('SELECT lower(name) AS name FROM system.table_functions'),
    store.query({ sql: 'SELECT version() AS version, timezone() AS timezone', params: {} }),
  ])
  for (const always of ['default', 'system', 'information_schema', 'INFORMATION_SCHEMA']) databases.add(always)
  return {
    store,
    cage: { database: store.database, databases, tableFunctions },
    slots: new Slots(AT_ONCE, WAITING),
    version: String(itself.rows[0]?.['version']),
    timezone: String(itself.rows[0]?.['timezone']),
  }
}

async function listen(server: Server | SecureServer, host: string, port: number): Promise<void> {
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

interface Room {
  store: ChdbStore
  cage: Cage
  slots: Slots
  /** What the engine says of itself: headers have it. */
  version: string
  timezone: string
}

async function answer(room: Room, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://door')
  const { searchParams: search, pathname } = url
  const id = search.get('query_id') ?? request.headers['x-clickhouse-query-id'] ?? randomUUID()
  response.setHeader(
    'X-ClickHouse-Query-Id',
    String(id)
      .replaceAll(/[^\x20-\x7e]/g, '?')
      .slice(0, 100),
  )
  response.setHeader('X-ClickHouse-Server-Display-Name', 'ovsight')
  response.setHeader('X-ClickHouse-Timezone', room.timezone)
  const asksNothing = pathname === '/' && request.method === 'GET' && url.search === ''
  if (pathname === '/ping' || pathname === '/replicas_status' || asksNothing) return void response.end('Ok.\n')
  try {
    if (pathname !== '/') throw new Refusal(36, 'BAD_ARGUMENTS', `There is no handle ${pathname.slice(0, 60)}`, 404)
    const question = await readQuestion(request, search, room.cage)
    const { session_timezone: zone } = question.settings
    if (zone !== undefined && /^[\w+/-]{1,64}$/.test(zone)) response.setHeader('X-ClickHouse-Timezone', zone)
    const release = await room.slots.take()
    try {
      await sendAnswer(room.store.answers, question, response)
    } finally {
      release()
    }
  } catch (error) {
    fail(response, error, room.version)
  }
}

function fail(response: ServerResponse, error: unknown, version: string): void {
  // Nobody waits for it any more.
  if (response.destroyed) return
  let [code, status, text] = [0, 503, '']
  if (error instanceof Refusal) {
    ;({ code, status } = error)
    text = `Code: ${code}. DB::Exception: ${error.message}. (${error.codeName})`
  } else if (error instanceof EngineError) {
    code = error.engineCode
    status = statusOf(code)
    text = error.message.replaceAll(WRITING, '')
  } else if (error instanceof AppError) {
    code = 210
    text = `Code: 210. DB::Exception: ${error.message}. (NETWORK_ERROR)`
  } else throw error
  for (const header of ['X-ClickHouse-Format', 'X-ClickHouse-Summary', 'Content-Encoding'])
    response.removeHeader(header)
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=UTF-8',
    'X-ClickHouse-Exception-Code': String(code),
  })
  response.end(`${text.trimEnd()} (version ${version})\n`)
}
