import type { FastifyInstance, FastifyReply } from 'fastify'
import type { FastifySchemaValidationError } from 'fastify/types/schema.js'
import { AppError } from '../errors.ts'
import {
  askFlows,
  askTop,
  DEFAULT_FLOWS_ROWS,
  DEFAULT_TOP_ROWS,
  MAX_ROWS,
  type Answer,
  type FlowsRequest,
  type TopRequest,
} from '../query/ask.ts'
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
    { schema: { querystring: parameters(TOP_PARAMETERS) }, schemaErrorFormatter: parameterError },
    async ({ query: { dimension, ...rest } }, reply) =>
      send(reply, await askTop(asker, { ...rest, dimensions: dimension ?? [] } satisfies TopRequest, now())),
  )
  app.get<{ Querystring: FlowsRequest }>(
    '/api/v1/flows',
    { schema: { querystring: parameters(FLOWS_PARAMETERS) }, schemaErrorFormatter: parameterError },
    async ({ query }, reply) => send(reply, await askFlows(asker, query, now())),
  )
}

type TopParameters = Omit<TopRequest, 'dimensions'> & { dimension?: string[] }

const text = (description: string, maxLength = 100) => ({ type: 'string', maxLength, description }) as const

/** Parameters of both; docs/api.md lists them. */
export const FLOWS_PARAMETERS = {
  filter: text('Which records, in the language of docs/filter.md.', MAX_LENGTH),
  last: text('The time until now: `15m`, `2h`, `7d`. Default: the last 15 minutes.'),
  from: text('Start, inside: `2026-01-31`, `2026-01-31T08:00:00Z`, `-2h`, unix seconds; UTC.'),
  to: text('End, not inside, written like `from`. Default: now.'),
  n: text(`Number of rows, 1 to ${MAX_ROWS}. Default: ${DEFAULT_TOP_ROWS} of top, ${DEFAULT_FLOWS_ROWS} of flows.`),
} as const

/** Parameters of top alone come first. */
export const TOP_PARAMETERS = {
  dimension: {
    type: 'array',
    items: { type: 'string', maxLength: 500 },
    maxItems: MAX_DIMENSIONS,
    description:
      'What to group by: a column, or `project server port network host`. Repeat it or use commas. Default: `server`.',
  },
  by: text(
    'What to sort by: `bytes`, `l2_bytes`, `packets`, `records`, with `sent_` or `received_`. Default: `bytes`.',
  ),
  count: text('`once` (default) counts each byte once, `all` every stored record.'),
  ...FLOWS_PARAMETERS,
} as const

function parameters(properties: typeof FLOWS_PARAMETERS | typeof TOP_PARAMETERS): object {
  return { type: 'object', additionalProperties: false, properties }
}

/** What AJV found, as the command line would say it. */
function parameterError(errors: readonly FastifySchemaValidationError[]): AppError {
  const [error] = errors
  const unknown = error?.params['additionalProperty']
  if (typeof unknown === 'string') {
    const cut = JSON.stringify(unknown.slice(0, 60))
    return new AppError('usage', `no parameter is called ${cut}${didYouMean(unknown, Object.keys(TOP_PARAMETERS))}`)
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
