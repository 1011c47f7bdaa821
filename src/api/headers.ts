import type { FastifyInstance } from 'fastify'

/** What browsers are told of every answer. */
const HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
} as const
const A_YEAR_S = 31_536_000

/** Sets the headers that a route has not set itself; with TLS also that there shall be TLS. */
export function setSecurityHeaders(reply: Reply, tls: boolean): void {
  for (const [name, value] of Object.entries(HEADERS)) if (!reply.hasHeader(name)) reply.header(name, value)
  if (tls) reply.header('strict-transport-security', `max-age=${A_YEAR_S}`)
}

/** Does so for every answer, errors too. */
export function securityHeaders(app: FastifyInstance, tls: boolean): void {
  app.addHook('onSend', (_request, reply, payload, done) => {
    setSecurityHeaders(reply, tls)
    done(null, payload)
  })
}

interface Reply {
  hasHeader(name: string): boolean
  header(name: string, value: string): unknown
}
