/**
 * ClickHouse's HTTP interface, as much of it as the official client uses, in front of the real engine: the statements, formats,
 * parameters, settings and errors are the engine's own. What may go wrong on the way can be told to go wrong.
 */
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import { type ServerOptions, createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { Session } from 'chdb'

/** What the front does to a request in place of answering it. */
export type Fault =
  /** An HTTP error with a body. */
  | { status: number; body: string; code?: number }
  /** The connection ends: in the middle of the body, before the engine has it, or after it has done its work (the answer is lost). */
  | 'cut-within'
  | 'cut-before'
  | 'cut-after'
  | 'hang'

export interface Front {
  url: string
  /** What happens to a request; undefined = it is answered. */
  fault: (query: string) => Fault | undefined
  /** Statements seen, in order. */
  readonly queries: string[]
  /** What of a statement this engine can do, where it is not a server; undefined = all. */
  rewrite?: (query: string) => Promise<string> | string
  user: string
  password: string
  close(): Promise<void>
}

const LAST = new WeakMap<Session, Promise<unknown>>()

/** A session runs one statement at a time, whoever has it. */
export function inTurn<T>(session: Session, work: () => Promise<T>): Promise<T> {
  const done = (LAST.get(session) ?? Promise.resolve()).then(work)
  LAST.set(
    session,
    done.catch(() => {}),
  )
  return done
}

/** Serves the engine's session on a free port of the loopback. `directory` is for bodies; with `tls` it is https. */
export async function openFront(session: Session, directory: string, tls?: ServerOptions): Promise<Front> {
  const sockets = new Set<Socket>()
  const listener = (request: IncomingMessage, response: ServerResponse) => void handle(request, response)
  const server: Server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const front: Front = {
    url: `http${tls === undefined ? '' : 's'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fault: () => undefined,
    queries: [],
    user: 'default',
    password: '',
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  let files = 0
  /** Settings of the last request. */
  let lastSettings: string[] = []

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { searchParams } = new URL(request.url!, front.url)
    const named = searchParams.get('query')
    const early = named === null ? undefined : front.fault(named)
    if (early === 'cut-within') request.once('data', () => request.socket.destroy())
    const body = await bodyOf(request)
    if (body === undefined) return
    const query = named ?? body.toString()
    front.queries.push(query)
    const fault = named === null ? front.fault(query) : early
    if (fault === 'hang') return
    if (fault === 'cut-before') return void request.socket.destroy()
    if (typeof fault === 'object') return refuse(response, fault.status, fault.code, fault.body)
    const credentials = `Basic ${Buffer.from(`${front.user}:${front.password}`).toString('base64')}`
    if (request.headers.authorization !== credentials)
      return refuse(
        response,
        403,
        516,
        `Code: 516. DB::Exception: ${front.user}: Authentication failed. (AUTHENTICATION_FAILED)`,
      )
    const own = (await front.rewrite?.(query)) ?? query
    const work = inTurn(session, () => run(own, searchParams, searchParams.has('query') ? body : undefined))
    try {
      const answer = await work
      if (fault === 'cut-after') return void request.socket.destroy()
      const gzip =
        searchParams.get('enable_http_compression') === '1' && request.headers['accept-encoding']?.includes('gzip')
      response.writeHead(200, {
        'Content-Type': 'text/plain; charset=UTF-8',
        'X-ClickHouse-Server-Display-Name': 'front',
        'X-ClickHouse-Summary': '{"read_rows":"0","read_bytes":"0","written_rows":"0","written_bytes":"0"}',
        ...(gzip ? { 'Content-Encoding': 'gzip' } : {}),
      })
      response.end(gzip ? gzipSync(answer) : answer)
    } catch (error) {
      const { message } = error as Error
      refuse(response, 500, Number(/Code: (\d+)/.exec(message)?.[1] ?? 0), message)
    }
  }

  async function run(query: string, params: URLSearchParams, data: Buffer | undefined): Promise<Uint8Array> {
    const database = params.get('database') ?? 'default'
    // What a failed statement had written already comes before the answer of the session's next one (chdb 3.4).
    await session.queryAsync('SELECT 1')
    const known = await session.queryAsync(`SELECT count() FROM system.databases WHERE name = ${literal(database)}`)
    if (known.text().trim() === '0')
      throw new Error(`Code: 81. DB::Exception: Database ${database} does not exist. (UNKNOWN_DATABASE)`)
    await session.queryAsync(`USE \`${database.replaceAll('`', '\\`')}\``)
    const settings = [...params].filter(([name]) => !NOT_SETTINGS.test(name))
    const set = settings.map(([name, value]) => `${name} = ${literal(value)}`)
    // They are of one request; those of the one before are still there.
    const left = lastSettings.filter((name) => !params.has(name))
    lastSettings = settings.map(([name]) => name).filter((name) => !name.startsWith('param_'))
    set.push(...left.map((name) => `${name} = DEFAULT`))
    if (set.length > 0) await session.queryAsync(`SET ${set.join(', ')}`)
    if (data === undefined) return (await session.queryAsync(query, { format: 'TabSeparated' })).bytes()
    const file = join(directory, `body-${files++}.bin`)
    writeFileSync(file, data)
    try {
      const statement = query.replace(/ FORMAT (\w+)\s*$/, ` FROM INFILE ${literal(file)} FORMAT $1`)
      return (await session.queryAsync(statement)).bytes()
    } finally {
      rmSync(file)
    }
  }
  return front
}

/** Parameters of the URL that are not settings of the statement; `param_…` goes into SET like a setting. */
const NOT_SETTINGS =
  /^(query|query_id|database|default_format|session_id|enable_http_compression|wait_end_of_query|role)$/

function refuse(response: ServerResponse, status: number, code: number | undefined, body: string): void {
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=UTF-8',
    ...(code === undefined ? {} : { 'X-ClickHouse-Exception-Code': String(code) }),
  })
  response.end(body)
}

/** The whole body, unpacked; undefined when the client went away in the middle of it. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  } catch {
    return undefined
  }
  const body = Buffer.concat(chunks)
  return request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body
}

function literal(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\0', '\\0')}'`
}
