/**
 * An OVSDB connection, RFC 7047: JSON-RPC 1.0 requests and their answers, notifications, and `echo` both ways. It holds no
 * tables and does not reconnect: monitor.ts and whoever keeps a host's model current build on it.
 */
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type SecureContextOptions } from 'node:tls'
import { JsonSplitter } from './splitter.ts'
import { isObject } from './tables.ts'
import type { OvsdbTarget } from './target.ts'

/** Keys for `ssl:` and `pssl:`, PEM. Open vSwitch's own PKI signs both sides, and checks no names. */
export interface OvsdbKeys {
  key: Buffer
  cert: Buffer
  ca: Buffer
}

export interface ConnectionOptions {
  /** Needed for `ssl:`. */
  keys?: OvsdbKeys
  /** Longest wait for the connection and for each answer. */
  timeoutMs?: number
  /** After this long without a byte the server is asked for an echo; after as long again it counts as gone. 0 = never ask. */
  probeMs?: number
  /** Called for each notification that is not an echo (`update`, `locked` …). */
  onNotification?: (method: string, params: readonly unknown[]) => void
  /** Called once when the connection ends, however it ends. */
  onClose?: (reason: Error) => void
}

/** The server answered, and refused. */
export class OvsdbRefusal extends Error {}

const DEFAULT_TIMEOUT_MS = 10_000
// ovsdb-server's own default for TCP peers (ovsdb/jsonrpc-server.c).
const DEFAULT_PROBE_MS = 5_000

interface Pending {
  resolve: (result: unknown) => void
  reject: (error: Error) => void
  timer: NodeJS.Timeout
}

export class OvsdbConnection {
  private readonly socket: Socket
  private readonly options: ConnectionOptions
  private readonly splitter = new JsonSplitter()
  private readonly pending = new Map<number, Pending>()
  private readonly timeoutMs: number
  private nextId = 1
  private closed: Error | undefined
  private probe: NodeJS.Timeout | undefined
  private probed = false

  private constructor(socket: Socket, options: ConnectionOptions) {
    this.socket = socket
    this.options = options
    this.timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
    socket.on('data', (chunk: Buffer) => this.receive(chunk))
    socket.on('error', (error) => this.end(error))
    socket.on('close', () => this.end(new Error('the server closed the connection')))
    this.armProbe()
  }

  /** Connects. Rejects with a plain Error naming the cause (refused, no route, no answer in time, not trusted). */
  static open(target: OvsdbTarget, options: ConnectionOptions = {}): Promise<OvsdbConnection> {
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
    if (target.kind === 'ssl' && options.keys === undefined)
      return Promise.reject(new Error('ssl: needs a private key, a certificate and a CA certificate'))
    const socket = openSocket(target, options.keys)
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => {
        clearTimeout(timer)
        socket.destroy()
        reject(error)
      }
      const timer = setTimeout(() => fail(new Error(`no connection within ${timeoutMs} ms`)), timeoutMs)
      socket.once('error', fail)
      socket.once(target.kind === 'ssl' ? 'secureConnect' : 'connect', () => {
        clearTimeout(timer)
        socket.off('error', fail)
        resolve(new OvsdbConnection(socket, options))
      })
    })
  }

  /** A connection that a server opened to us (its Manager row has our address): we are the client all the same. */
  static over(socket: Socket, options: ConnectionOptions = {}): OvsdbConnection {
    return new OvsdbConnection(socket, options)
  }

  /** Sends a request, returns its result. Rejects when the server answers with an error, late, or not at all. */
  request(method: string, params: readonly unknown[]): Promise<unknown> {
    if (this.closed !== undefined) return Promise.reject(this.closed)
    const id = this.nextId++
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.pending.delete(id)
        reject(new Error(`no answer to ${method} within ${this.timeoutMs} ms`))
      }, this.timeoutMs)
      this.pending.set(id, { resolve, reject, timer })
      this.send({ method, params, id })
    })
  }

  close(): void {
    this.end(new Error('closed by us'))
  }

  private receive(chunk: Buffer): void {
    this.probed = false
    this.armProbe()
    try {
      for (const message of this.splitter.push(chunk)) this.dispatch(message)
    } catch (error) {
      this.end(error instanceof Error ? error : new Error(String(error)))
    }
  }

  private dispatch(message: unknown): void {
    if (!isObject(message)) return
    const { method, params, id, result, error } = message
    if (typeof method === 'string') {
      // RFC 7047, 4.1.11: the server probes us too, and drops those who do not answer.
      if (method === 'echo') this.send({ result: params ?? [], error: null, id: id ?? null })
      else this.options.onNotification?.(method, Array.isArray(params) ? params : [])
      return
    }
    const pending = typeof id === 'number' ? this.pending.get(id) : undefined
    if (pending === undefined) return
    this.pending.delete(id as number)
    clearTimeout(pending.timer)
    if (error === null || error === undefined) pending.resolve(result)
    else pending.reject(new OvsdbRefusal(`the server answered: ${describe(error)}`))
  }

  private send(message: object): void {
    if (this.closed === undefined) this.socket.write(JSON.stringify(message))
  }

  private armProbe(): void {
    clearTimeout(this.probe)
    const probeMs = this.options.probeMs ?? DEFAULT_PROBE_MS
    if (probeMs === 0 || this.closed !== undefined) return
    this.probe = setTimeout(() => {
      if (this.probed) {
        this.end(new Error(`silent for ${2 * probeMs} ms`))
        return
      }
      this.probed = true
      this.send({ method: 'echo', params: [], id: 'probe' })
      this.armProbe()
    }, probeMs)
    this.probe.unref()
  }

  private end(reason: Error): void {
    if (this.closed !== undefined) return
    this.closed = reason
    clearTimeout(this.probe)
    this.socket.destroy()
    for (const { reject, timer } of this.pending.values()) {
      clearTimeout(timer)
      reject(reason)
    }
    this.pending.clear()
    this.options.onClose?.(reason)
  }
}

function openSocket(target: OvsdbTarget, keys: OvsdbKeys | undefined): Socket {
  if (target.kind === 'unix') return connect({ path: target.path })
  if (target.kind === 'tcp') return connect({ host: target.host, port: target.port })
  return connectTls({ host: target.host, port: target.port, ...tlsOptions(keys) })
}

/**
 * Options of both sides of a TLS connection. The certificates of `ovs-pki` name a switch, not an address, and Open vSwitch
 * itself checks only that the CA signed them (ovs lib/stream-ssl.c); so do we.
 */
export function tlsOptions(
  keys: OvsdbKeys | undefined,
): SecureContextOptions & { checkServerIdentity: () => undefined } {
  return { ...keys, checkServerIdentity: () => undefined }
}

/** RFC 7047, 3.1 <error>: `{"error": "…", "details": "…"}`; ovsdb-server also sends bare strings. */
function describe(error: unknown): string {
  if (!isObject(error)) return JSON.stringify(error)
  const details = typeof error['details'] === 'string' ? ` (${error['details']})` : ''
  return `${String(error['error'])}${details}`
}
