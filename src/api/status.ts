import type { FastifyInstance } from 'fastify'

/** How a collector stands, told by itself. */
export interface StatusApi {
  /** Why it does not receive and store; none when it does. */
  notReady(): readonly string[]
  /** Which of its threads no longer answer; none when all do. */
  stuck(): readonly string[]
  /** The whole of /api/v1/status. */
  status(): object
  /** Rows of /api/v1/config: every option, its value, origin, and what waits for a restart; secrets hidden. */
  config(): readonly object[]
}

/** /livez, /readyz, /api/v1/status and /api/v1/config. The first two say nothing that anybody may not know. */
export function statusRoutes(app: FastifyInstance, status: StatusApi): void {
  app.get('/livez', { config: { open: true } }, (_request, reply) => probe(reply, 'stuck', status.stuck()))
  app.get('/readyz', { config: { open: true } }, (_request, reply) => probe(reply, 'not ready', status.notReady()))
  app.get('/api/v1/status', (_request, reply) => reply.header('cache-control', 'no-store').send(status.status()))
  app.get('/api/v1/config', (_request, reply) => reply.header('cache-control', 'no-store').send(status.config()))
}

function probe(
  reply: { code(status: number): { send(body: object): unknown } },
  fault: string,
  reasons: readonly string[],
): unknown {
  return reasons.length === 0
    ? reply.code(200).send({ status: 'ok' })
    : reply.code(503).send({ status: fault, reasons })
}
