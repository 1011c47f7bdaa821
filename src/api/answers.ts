import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { FastifySchemaValidationError } from 'fastify/types/schema.js'
import { askAudit, type AuditRequest, DEFAULT_AUDIT_ROWS } from '../audit/ask.ts'
import { AppError } from '../errors.ts'
import { DEFAULT_MATRIX_ROWS } from '../query/ask-matrix.ts'
import { DEFAULT_SERIES } from '../query/ask-series.ts'
import { EXTRA_NAMES } from '../query/ask-top.ts'
import {
  askCompleteness,
  askExplain,
  askExporters,
  askFlows,
  askHistory,
  askMatrix,
  askNames,
  askSeries,
  askStore,
  askTop,
  DEFAULT_FLOWS_ROWS,
  DEFAULT_HISTORY_ROWS,
  DEFAULT_TOP_ROWS,
  MAX_ROWS,
  type Answer,
  type ExplainRequest,
  type FlowsAnswer,
  type FlowsRequest,
  type HistoryRequest,
  type MatrixRequest,
  type NamesRequest,
  type SeriesRequest,
  type StoreRequest,
  type TopRequest,
} from '../query/ask.ts'
import { ENTITY_NAMES, MAX_DIMENSIONS } from '../query/dimensions.ts'
import { MAX_LENGTH } from '../query/filter/tokens.ts'
import { didYouMean } from '../query/nearest.ts'
import type { Asker } from '../query/plan.ts'
import { scopedAsker } from '../query/scope.ts'
import { statementsText, TimedAsker } from '../query/timed.ts'
import { isoTime } from '../query/times.ts'
import { flowLines, linesOf, NDJSON, pageRows, wantsLines } from './stream.ts'

/**
 * THE table of questions over HTTP: the parameters of the command line, the same JSON. What the rows are of is in the headers:
 * `ovsight-from`, `ovsight-to` (ISO 8601, outside the span), `ovsight-columns`, and `ovsight-notes` and `ovsight-completeness`, JSON arrays
 * in percent-encoding.
 */
export function answerRoutes(app: FastifyInstance, store: Asker, now: () => number): void {
  for (const [name, { parameters, ask, projects }] of Object.entries<Resource>(RESOURCES))
    app.get<{ Querystring: Words }>(
      `/api/v1/${name}`,
      {
        config: projects ? { projects } : {},
        schema: { querystring: { type: 'object', additionalProperties: false, properties: parameters } },
        schemaErrorFormatter: (errors) => parameterError(errors, Object.keys(parameters)),
      },
      async (request, reply) => {
        const { dimension, ...rest } = request.query
        const asker = new TimedAsker(askerOf(store, request))
        const answered = async (words: Request) => {
          const start = performance.now()
          const answer = await ask(asker, words, now())
          // For operators: what it took says something of the traffic of others.
          if (asker.scope === undefined) reply.header('server-timing', timingText(asker, performance.now() - start))
          return answer
        }
        const asked = { ...rest, dimensions: dimension ?? [] }
        if (!STREAMED.has(name) || !wantsLines(request.headers.accept)) return send(reply, await answered(asked))
        if (name !== 'flows') return sendLines(reply, await answered(asked), linesOf)
        const most = parseMost(rest.n)
        const paged = { ...asked, cursor: 'start', n: pageRows(most) }
        return sendLines(reply, await answered(paged), (first) => flowLines(asker, paged, first, most, now()))
      },
    )
}

function timingText({ statements }: TimedAsker, ms: number): string {
  return `total;dur=${ms.toFixed(1)}, statements;desc="${statementsText(statements)}"`
}

/** Which answers may be lines: those that may be long. */
const STREAMED: ReadonlySet<string> = new Set(['flows', 'matrix', 'series'])

/** The store as the one who asks may see it. What the engine says of a question is for operators. */
function askerOf(store: Asker, { who }: FastifyRequest): Asker {
  if (who.project === null) return store
  const scoped = scopedAsker(store, who.project)
  return {
    scope: who.project,
    query: (plan) =>
      scoped.query(plan).catch((error: unknown) => {
        if (error instanceof AppError && !error.retriable)
          throw new AppError('query_failed', 'the store could not answer the question', { cause: error })
        throw error
      }),
  }
}

/** Rows of a stream; none said: all. Errors: usage. */
function parseMost(n: string | undefined): number {
  if (n === undefined) return Number.MAX_SAFE_INTEGER
  if (/^[1-9]\d{0,11}$/.test(n)) return Number(n)
  throw new AppError('usage', `n ${JSON.stringify(n.slice(0, 60))} is no number of rows; leave it out for all`)
}

/** Parameters as AJV leaves them: all are text but `dimension`. */
type Words = Omit<Request, 'dimensions'> & { dimension?: string[] }
type Request = TopRequest &
  MatrixRequest &
  SeriesRequest &
  FlowsRequest &
  ExplainRequest &
  NamesRequest &
  AuditRequest &
  HistoryRequest &
  StoreRequest

const text = (description: string, maxLength = 100) => ({ type: 'string', maxLength, description }) as const

const RECORDS = {
  filter: text('Which records, in the language of docs/filter.md.', MAX_LENGTH),
  last: text('The time until now: `15m`, `2h`, `7d`. Default: the last 15 minutes.'),
  from: text('Start, inside: `2026-01-31`, `2026-01-31T08:00:00Z`, `-2h`, unix seconds; UTC.'),
  to: text('End, not inside, written like `from`. Default: now.'),
} as const
const dimension = (preset: string) =>
  ({
    type: 'array',
    items: { type: 'string', maxLength: 500 },
    maxItems: MAX_DIMENSIONS,
    description: `What to group by: a column, or \`project server port network host\`. Repeat it or use commas. Default: ${preset}.`,
  }) as const
const limit = (preset: number, of = 'rows', most = MAX_ROWS) =>
  text(`Number of ${of}, 1 to ${most}. Default: ${preset}.`)
const by = text(
  'What to sort by: `bytes`, `l2_bytes`, `packets`, `records`, with `sent_` or `received_`. Default: `bytes`.',
)
const count = text('`once` (default) counts each byte once, `all` every stored record.')

/** What can be asked, its parameters and who answers. docs/api.md and the OpenAPI document list them. */
export const RESOURCES = {
  top: {
    projects: true,
    doc: 'sums by group: an array of objects, the rows of `ovsight top -f json`',
    parameters: {
      dimension: dimension('`server`'),
      by,
      count,
      bidirectional: text('`true`: both directions of a conversation in one row; a dimension is what the parties are.'),
      compare: text('Adds the same span as long before: `1h`, `1d`, `7d`.'),
      with: text(
        `Adds ${EXTRA_NAMES.map((name) => `\`${name}\``).join(', ')}, with commas, or \`all\`. Default: none.`,
      ),
      ...RECORDS,
      n: limit(DEFAULT_TOP_ROWS),
    },
    ask: askTop,
  },
  matrix: {
    projects: true,
    doc: 'who talks to whom: an object a pair, the rows of `ovsight matrix -f json`',
    parameters: {
      of: text(`${ENTITY_NAMES.map((name) => `\`${name}\``).join(', ')}. Default: \`project\`.`),
      by,
      ...RECORDS,
      n: limit(DEFAULT_MATRIX_ROWS, 'pairs'),
    },
    ask: askMatrix,
  },
  series: {
    projects: true,
    doc: 'figures over time: an object a step and series, the rows of `ovsight series -f json`',
    parameters: {
      dimension: dimension('none, all records'),
      by,
      count,
      step: text('Length of a step: `10s`, `5m`, `1h`. Default: one that gives at most 120 steps.'),
      ...RECORDS,
      n: limit(DEFAULT_SERIES, 'series', 100),
    },
    ask: askSeries,
  },
  flows: {
    projects: true,
    doc: 'stored records, newest first: the rows of `ovsight flows -f json`',
    parameters: {
      ...RECORDS,
      n: limit(DEFAULT_FLOWS_ROWS),
      received_from: text('Only records that arrived then or later, written like `from`.'),
      cursor: text(
        'Pages: `start`, then what the answer before had in the header `ovsight-next`. A page may be a little longer than `n`.',
      ),
    },
    ask: askFlows,
  },
  audit: {
    projects: false,
    doc: 'flow totals of ports against the counters of their interfaces: the rows of `ovsight audit -f json`',
    parameters: {
      of: text('Id or name of a port, server or project. Default: all ports.'),
      last: text('The time until now: `15m`, `2h`, `7d`. Default: the last hour.'),
      from: RECORDS.from,
      to: RECORDS.to,
      n: limit(DEFAULT_AUDIT_ROWS),
    },
    ask: askAudit,
  },
  completeness: {
    projects: false,
    doc: 'how much of what each exporter sent was counted, and what became of the rest: an object an exporter and protocol',
    parameters: { last: RECORDS.last, from: RECORDS.from, to: RECORDS.to },
    ask: askCompleteness,
  },
  exporters: {
    projects: false,
    doc: 'what each exporter sends, and how much of it came: the rows of `ovsight exporters -f json`',
    parameters: { last: RECORDS.last, from: RECORDS.from, to: RECORDS.to },
    ask: askExporters,
  },
  names: {
    projects: true,
    doc: 'names that occur in a span: an object a name',
    parameters: {
      of: text(`What: ${ENTITY_NAMES.map((name) => `\`${name}\``).join(', ')}.`),
      last: RECORDS.last,
      from: RECORDS.from,
      to: RECORDS.to,
    },
    ask: askNames,
  },
  history: {
    projects: false,
    doc: 'who was what, and when: an object a state, the rows of `ovsight identity history -f json`',
    parameters: {
      of: text('A name, an id or its first eight characters, an address or a MAC address. Default: everything.'),
      kind: text('`project`, `network`, `server` or `port`. Default: all.'),
      at: text('Only what held then: `2026-01-31T08:00:00Z`, `-2h`, unix seconds; UTC. Default: all times.'),
      n: limit(DEFAULT_HISTORY_ROWS, 'states'),
    },
    ask: askHistory,
  },
  store: {
    projects: false,
    doc: 'what is stored: an object a table, the rows of `ovsight store status -f json`',
    parameters: {
      columns: text('`true`: an object a column of the flow records, heaviest first. Default: an object a table.'),
    },
    ask: askStore,
  },
  explain: {
    projects: true,
    doc: 'everything about one record: an object a fact, the rows of `ovsight flows --explain ID -f json`',
    parameters: { id: text('The `id` of a record.') },
    ask: askExplain,
  },
} as const satisfies Readonly<Record<string, Resource>>

interface Resource {
  /** Whether projects may ask it, in their own name. */
  projects: boolean
  doc: string
  parameters: Readonly<Record<string, { type: string; description: string }>>
  ask: (asker: Asker, request: Request, nowMs: number) => Promise<Answer & Pick<FlowsAnswer, 'next'>>
}

/** What AJV found, as the command line would say it. */
function parameterError(errors: readonly FastifySchemaValidationError[], names: readonly string[]): AppError {
  const [error] = errors
  const unknown = error?.params['additionalProperty']
  if (typeof unknown === 'string') {
    const cut = JSON.stringify(unknown.slice(0, 60))
    return new AppError('usage', `no parameter is called ${cut}${didYouMean(unknown, names)}`)
  }
  return new AppError('usage', `parameter ${(error?.instancePath ?? '').slice(1)} ${error?.message ?? 'is wrong'}`)
}

type Sent = Answer & Pick<FlowsAnswer, 'next'>

function send(reply: FastifyReply, answer: Sent): FastifyReply {
  if (answer.next !== undefined) reply.header('ovsight-next', answer.next)
  return describe(reply, answer)
    .header('ovsight-completeness', encodeURIComponent(JSON.stringify(answer.completeness ?? [])))
    .type('application/json; charset=utf-8')
    .send(JSON.stringify(answer.rows))
}

function sendLines(reply: FastifyReply, answer: Sent, lines: (answer: Sent) => Readable): FastifyReply {
  return describe(reply, answer).type(`${NDJSON}; charset=utf-8`).send(lines(answer))
}

/** What the rows are of, in headers. An answer belongs to who asked, and to that moment. */
function describe(reply: FastifyReply, { columns, span, notes }: Sent): FastifyReply {
  return reply
    .header('ovsight-from', isoTime(span.fromMs))
    .header('ovsight-to', isoTime(span.toMs))
    .header('ovsight-columns', columns.join(','))
    .header('ovsight-notes', encodeURIComponent(JSON.stringify(notes)))
    .header('cache-control', 'private, no-store')
    .header('vary', 'accept, authorization, x-auth-token')
}
