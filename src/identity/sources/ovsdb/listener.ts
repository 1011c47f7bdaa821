/**
 * Waits for OVSDB servers that call: `ovs-vsctl … Manager target="tcp:COLLECTOR:6640"`. ovsdb-server opens the connection and
 * is the JSON-RPC server all the same. Which host it is says its own `external_ids:hostname`; reconnecting is its task.
 *
 * Everybody who reaches the port can say to be a host: use `pssl:`, or bind an address that only hosts reach.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { AppError } from '../../../errors.ts'
import { OvsdbConnection, tlsOptions, type OvsdbKeys } from './client.ts'
import { readOvsHost, type OvsHost } from './host.ts'
import { GATHER_MS } from './keeper.ts'
import { monitorOver } from './monitor.ts'
import type { OvsdbPassive } from './target.ts'

export interface ListenerOptions {
  keys?: OvsdbKeys
  /** Connections at a time; further ones are closed and counted. */
  maxConnections?: number
  probeMs?: number
  timeoutMs?: number
  /** As of a keeper. */
  gatherMs?: number
}

/** A server that called, from its first snapshot on. `remote` is its address. */
export interface CallingHost {
  host: OvsHost
  remote: string
  atMs: number
  /** Asks the server something beside the monitor. */
  request: (method: string, params: readonly unknown[]) => Promise<unknown>
}

const MAX_CONNECTIONS = 16_384

export class OvsdbListener {
  refused = 0
  private readonly server: Server
  private readonly sockets = new Set<Socket>()

  private constructor(server: Server) {
    this.server = server
  }

  /**
   * Listens. `onHost` is called with the whole picture after a server's first snapshot and after each change, `onGone` when its
   * connection ends. Errors: config_invalid (pssl without keys), port_in_use, socket_refused.
   */
  static async open(
    at: OvsdbPassive,
    onHost: (calling: CallingHost) => void,
    onGone: (hostname: string, reason: Error) => void,
    options: ListenerOptions = {},
  ): Promise<OvsdbListener> {
    if (at.kind === 'pssl' && options.keys === undefined)
      throw new AppError('config_invalid', 'pssl: needs a private key, a certificate and a CA certificate')
    const tls = { ...tlsOptions(options.keys), requestCert: true, rejectUnauthorized: true }
    const server = at.kind === 'pssl' ? createTlsServer(tls) : createServer()
    const listener = new OvsdbListener(server)
    server.on(at.kind === 'pssl' ? 'secureConnection' : 'connection', (socket: Socket) => {
      void listener.accept(socket, onHost, onGone, options)
    })
    // A TLS handshake that fails is the caller's fault, and must not end the process.
    server.on('tlsClientError', () => listener.refused++)
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => {
        const code = cause.code === 'EADDRINUSE' ? 'port_in_use' : 'socket_refused'
        reject(new AppError(code, `cannot wait for OVSDB servers on TCP port ${at.port}: ${cause.message}`, { cause }))
      })
      server.listen({ port: at.port, ...(at.address === undefined ? {} : { host: at.address }) }, resolve)
    })
    return listener
  }

  get port(): number {
    const address = this.server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve))
    for (const socket of this.sockets) socket.destroy()
    await closed
  }

  private async accept(
    socket: Socket,
    onHost: (calling: CallingHost) => void,
    onGone: (hostname: string, reason: Error) => void,
    options: ListenerOptions,
  ): Promise<void> {
    if (this.sockets.size >= (options.maxConnections ?? MAX_CONNECTIONS)) {
      this.refused++
      socket.destroy()
      return
    }
    this.sockets.add(socket)
    const remote = (socket.remoteAddress ?? '').replace(/^::ffff:/, '')
    let hostname = ''
    let publish = () => {}
    let gather: NodeJS.Timeout | undefined
    try {
      const { tables, connection } = await monitorOver((more) => OvsdbConnection.over(socket, more), {
        ...(options.probeMs === undefined ? {} : { probeMs: options.probeMs }),
        ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
        onChange: () => {
          gather ??= setTimeout(() => {
            gather = undefined
            publish()
          }, options.gatherMs ?? GATHER_MS)
        },
        onClose: (reason) => {
          clearTimeout(gather)
          this.sockets.delete(socket)
          if (hostname !== '') onGone(hostname, reason)
        },
      })
      publish = () => {
        const host = readOvsHost(tables)
        const name = host.hostname || remote
        if (hostname !== '' && hostname !== name) onGone(hostname, new Error(`it calls itself ${name} now`))
        hostname = name
        onHost({ host, remote, atMs: Date.now(), request: (method, params) => connection.request(method, params) })
      }
      publish()
    } catch {
      // Not an OVSDB server, or gone before it said who it is: counted, and nothing is known of it.
      this.refused++
      this.sockets.delete(socket)
    }
  }
}
