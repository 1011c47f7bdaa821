import type { FastifyInstance, FastifyReply } from 'fastify'
import type { FastifySchemaValidationError } from 'fastify/types/schema.js'
import { AppError } from '../errors.ts'
import { askFlows, askTop, type Answer, type FlowsRequest, type TopRequest } from '../query/ask.ts'
import { MAX_DIMENSIONS } from '../query/dimensions.ts'
import { MAX_LENGTH } from '../query/filter/tokens.ts'
import { didYouMean } from '../query/nearest.ts'
import type { Asker } from '../query/plan.ts'
import { isoTime } from '../query/times.ts'

/**
 * /api/v1/top and /api/v1/flows: the parameters of the command line, the same JSON. What the rows are of is in the headers:
 * `ovsight-from`, `ovsight-to` (ISO 8601, outside the span), `ovsight-columns`, and `ovsight-notes`, a JSON array in percent-encoding.
 */
export function answerRoutes(app: FastifyInstance, asker: Asker, now: () => number): void {
  app.get<{ Querystring: TopParameters }>(
    '/api/v1/top',
    { schema: { querystring: parameters(TOP) }, schemaErrorFormatter: parameterError },
    async ({ query: { dimension, ...rest } }, reply) =>
      send(reply, await askTop(asker, { ...rest, dimensions: dimension ?? [] } satisfies TopRequest, now())),
  )
  app.get<{ Querystring: FlowsRequest }>(
    '/api/v1/flows',
    { schema: { querystring: parameters(FLOWS) }, schemaErrorFormatter: parameterError },
    async ({ query }, reply) => send(reply, await askFlows(asker, query, now())),
  )
}

type TopParameters = Omit<TopRequest, 'dimensions'> & { dimension?: string[] }

const TEXT = { type: 'string', maxLength: 100 } as const
const FLOWS = {
  filter: { type: 'string', maxLength: MAX_LENGTH },
  last: TEXT,
  from: TEXT,
  to: TEXT,
  n: TEXT,
} as const
const TOP = {
  ...FLOWS,
  dimension: { type: 'array', items: { type: 'string', maxLength: 500 }, maxItems: MAX_DIMENSIONS },
  by: TEXT,
  count: TEXT,
} as const

function parameters(properties: typeof FLOWS | typeof TOP): object {
  return { type: 'object', additionalProperties: false, properties }
}

/** What AJV found, as the command line would say it. */
function parameterError(errors: readonly FastifySchemaValidationError[]): AppError {
  const [error] = errors
  const unknown = error?.params['additionalProperty']
  if (typeof unknown === 'string') {
    const cut = JSON.stringify(unknown.slice(0, 60))
    return new AppError('usage', `no parameter is called ${cut}${didYouMean(unknown, Object.keys(TOP))}`)
  }
  return new AppError('usage', `parameter ${(error?.instancePath ?? '').slice(1)} ${error?.message ?? 'is wrong'}`)
}

function send(reply: FastifyReply, { columns, rows, span, notes }: Answer): FastifyReply {
  return reply
    .header('ovsight-from', isoTime(span.fromMs))
    .header('ovsight-to', isoTime(span.toMs))
    .header('ovsight-columns', columns.join(','))
    .header('ovsight-notes', encodeURIComponent(JSON.stringify(notes)))
    .header('cache-control', 'no-store')
    .type('application/json; charset=utf-8')
    .send(JSON.stringify(rows))
}
