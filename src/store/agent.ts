/** Connections to a ClickHouse server: TLS as the options say, and a host that does not answer is given up soon. */
import http from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { AppError } from '../errors.ts'
import { readGivenFile } from './server-url.ts'

/** Files in PEM; names are those of the options. */
export interface TlsOptions {
  /** Whom to believe in place of the system's certificate authorities. */
  clickhouse_ca?: string | null
  /** Certificate and key that this program shows. */
  clickhouse_cert?: string | null
  clickhouse_key?: string | null
  /** Believe anybody. */
  clickhouse_insecure?: boolean
}

/** A machine that is off is silent; the kernel would wait two minutes for it. */
const CONNECT_LIMIT_MS = 5_000

/** Errors: config_invalid, file_unreadable. */
export function agentFor(url: string, given: TlsOptions, connectLimitMs = CONNECT_LIMIT_MS): http.Agent | https.Agent {
  const options = { keepAlive: true, maxSockets: 16 }
  const agent = url.startsWith('https:') ? new https.Agent({ ...options, ...tlsOf(given) }) : new http.Agent(options)
  return impatient(agent, connectLimitMs)
}

function tlsOf({
  clickhouse_ca,
  clickhouse_cert,
  clickhouse_key,
  clickhouse_insecure,
}: TlsOptions): https.AgentOptions {
  if (((clickhouse_cert ?? null) === null) !== ((clickhouse_key ?? null) === null))
    throw new AppError('config_invalid', 'clickhouse_cert and clickhouse_key belong together; one of them is not given')
  const file = (path: string | null | undefined, option: string) =>
    path === undefined || path === null ? undefined : readGivenFile(path, option)
  const [ca, cert, key] = [
    file(clickhouse_ca, 'clickhouse_ca'),
    file(clickhouse_cert, 'clickhouse_cert'),
    file(clickhouse_key, 'clickhouse_key'),
  ]
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    rejectUnauthorized: clickhouse_insecure !== true,
  }
}

/** Gives up connections that do not come about in time. */
function impatient<A extends http.Agent>(agent: A, limitMs: number): A {
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (options, callback) => {
    const made: Duplex | null | undefined = connect(options, callback)
    const socket = made as Socket | null | undefined
    if (!socket?.connecting) return made
    const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${limitMs / 1000} s`)), limitMs)
    const done = () => clearTimeout(timer)
    socket.once('connect', done).once('close', done)
    return made
  }
  return agent
}
