import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { Server as SecureServer, createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Server as NetServer } from 'node:net'
import Fastify, { type FastifyError, type FastifyInstance, type FastifyServerFactory } from 'fastify'
import type { Store } from '../store/store.ts'
import type { AppError } from '../errors.ts'
import type { Asker } from '../query/plan.ts'
import { guard, type AccessOptions } from './access.ts'
import { answerRoutes } from './answers.ts'
import { exportRoute } from './export.ts'
import { identityRoutes, type IdentityApi } from './identity.ts'
import { openApi } from './openapi.ts'
import { API_PAGE, PAGE_POLICY } from './page.ts'
import { type StatusApi, statusRoutes } from './status.ts'
import { securityHeaders, setSecurityHeaders } from './headers.ts'
import type { Tls } from './tls.ts'
import { lateCompilers } from './validator.ts'
import { portRefused } from './port.ts'
import { BUG, notFound, problemOfThrown, sendProblem, wrongMethod } from './problem.ts'

/** What the API serves from; nothing here is changed by it. */
export interface ApiOptions {
  readonly store: Asker & { readonly name: string } & Partial<Pick<Store, 'stream'>>
  /** The page of /metrics in Prometheus' text format. */
  readonly metricsText: () => string | Promise<string>
  /** The model of the cloud, where there is one. */
  readonly identity?: IdentityApi
  /** How the collector stands, where one runs. */
  readonly status?: StatusApi
  /** With it the API speaks TLS alone. */
  readonly tls?: Tls
  /** Who may ask; without it everybody may. */
  readonly access?: AccessOptions
  readonly version?: string
  readonly now?: () => number
  /** Told of faults of ovsight itself; the client gets a bare 500. */
  readonly onBug?: (error: unknown) => void
}

/** Longest request head: a filter of the greatest length, every character in percent-encoding. */
const MAX_HEAD_BYTES = 176 * 1024
/** No request has a body. */
const MAX_BODY_BYTES = 1024
const REQUEST_TIMEOUT_MS = 10_000
/** A client that reads nothing for so long is let go. */
const CONNECTION_TIMEOUT_MS = 120_000

/**
 * The HTTP API: /healthz, /metrics, /api/v1/top, /api/v1/flows, /api/v1/identity/…. Listens nowhere yet, see `listenApi`; `inject` is for tests.
 */
export function buildApi({
  store,
  metricsText,
  identity,
  status,
  tls,
  access,
  version = '0',
  now = Date.now,
  onBug = console.error,
}: ApiOptions): FastifyInstance {
  const app = Fastify({
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    http: { maxHeaderSize: MAX_HEAD_BYTES },
    ...(tls === undefined ? {} : { serverFactory: secureServer(tls) }),
    forceCloseConnections: true,
    // An unknown parameter is a misspelt one: refused, not dropped.
    // A path that is no path comes to no hook.
    frameworkErrors: (error, _request, reply) => {
      setSecurityHeaders(reply, tls !== undefined)
      void sendProblem(reply, problemOfThrown(error) ?? BUG)
    },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: 'array' } },
    schemaController: lateCompilers(),
  })
  app.setErrorHandler((error: FastifyError | AppError, _request, reply) => {
    const problem = problemOfThrown(error)
    if (problem === undefined) onBug(error)
    return sendProblem(reply, problem ?? BUG)
  })
  app.setNotFoundHandler((request, reply) => {
    const [path = ''] = request.url.split('?')
    if (!app.hasRoute({ method: 'GET', url: path })) return sendProblem(reply, notFound(request.url))
    return sendProblem(reply.header('allow', 'GET, HEAD'), wrongMethod(request.method, path))
  })
  securityHeaders(app, tls !== undefined)
  guard(app, access, now)
  const document = JSON.stringify(openApi(version))
  const tag = `"${createHash('sha256').update(document).digest('base64url').slice(0, 16)}"`
  app.get('/api/v1/openapi.json', { config: { open: true } }, (request, reply) => {
    reply.header('etag', tag).header('cache-control', 'public, max-age=300')
    if (request.headers['if-none-match'] === tag) return reply.code(304).send()
    return reply.type('application/json; charset=utf-8').send(document)
  })
  app.get('/api/docs', { config: { open: true } }, (_request, reply) =>
    reply.header('content-security-policy', PAGE_POLICY).type('text/html; charset=utf-8').send(API_PAGE),
  )
  app.get('/', { config: { open: true } }, (_request, reply) => reply.redirect('/api/docs'))
  app.get('/healthz', { config: { open: true } }, () => ({ status: 'ok', pid: process.pid, store: store.name }))
  app.get('/metrics', async (_request, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(await metricsText()),
  )
  if (identity !== undefined) identityRoutes(app, identity)
  if (status !== undefined) statusRoutes(app, status)
  answerRoutes(app, store, now)
  if (isStreaming(store)) exportRoute(app, store, now)
  return app
}

/** A server with TLS; the limits of a request are those of the one without. */
function secureServer(tls: Tls): FastifyServerFactory {
  return (handler) => {
    const limits = { maxHeaderSize: MAX_HEAD_BYTES, requestTimeout: REQUEST_TIMEOUT_MS }
    const server = createSecureServer({ ...tls, ...limits }, handler)
    server.setTimeout(CONNECTION_TIMEOUT_MS)
    // Fastify's types know one sort of server at a time; what it calls both have.
    return server
  }
}

/** Certificate and key from now on, for connections that begin. The API must have had some from its start. */
export function changeTls(app: FastifyInstance, tls: Tls): void {
  if (app.server instanceof SecureServer) app.server.setSecureContext(tls)
}

/**
 * Listens and returns the URL at which it answers; port 0 takes any free one. Errors: port_in_use, socket_refused.
 */
export async function listenApi(app: FastifyInstance, host: string, port: number, taken?: NetServer): Promise<string> {
  try {
    const secure = app.server instanceof SecureServer
    // Fastify does not know that the server speaks TLS.
    if (taken === undefined) return (await app.listen({ host, port })).replace(/^http:/, secure ? 'https:' : 'http:')
    await app.ready()
    app.server.listen(taken)
    await once(app.server, 'listening')
    const here = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host
    return `${secure ? 'https' : 'http'}://${here.includes(':') ? `[${here}]` : here}:${(app.server.address() as AddressInfo).port}`
  } catch (cause) {
    throw portRefused(host, port, cause)
  }
}

/** A store; what only answers questions exports nothing. */
function isStreaming(store: ApiOptions['store']): store is ApiOptions['store'] & Pick<Store, 'query' | 'stream'> {
  return store.stream !== undefined
}
