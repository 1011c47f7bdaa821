import { COLUMN_NAMES, columnFacts, type ColumnName } from '../schema/columns.ts'
import { enumValues } from '../schema/enums.ts'
import { ERRORS, type ErrorCode } from '../errors.ts'
import { RESOURCES } from './answers.ts'
import { EXPORT_PARAMETERS } from './export.ts'
import { IDENTITY_PARAMETERS, RESOLVE_PARAMETERS } from './identity.ts'
import { NDJSON } from './stream.ts'

/** The OpenAPI 3.1 document of the API, from the same tables as the routes. */
export function openApi(version: string): object {
  const answers = Object.entries(RESOURCES).map(([name, { doc, parameters }]) => [
    `/api/v1/${name}`,
    { get: operation(name, doc, parameters, name === 'flows' ? RECORDS : ROWS, name in STREAMED) },
  ])
  return {
    openapi: '3.1.0',
    info: {
      title: 'ovsight',
      version,
      description:
        'Tenant-true flow telemetry of Open vSwitch and OpenStack. Times are UTC, figures exact, errors RFC 9457.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    security: [{}, { bearer: [] }, { keystone: [] }],
    paths: {
      ...Object.fromEntries(answers),
      '/api/v1/identity/show': { get: operation('identity_show', 'what is known of the cloud (operators)', IDENTITY_PARAMETERS, ROWS) }, // prettier-ignore
      '/api/v1/identity/resolve': { get: operation('identity_resolve', 'where the keys of a made-up record lead, and why (operators)', RESOLVE_PARAMETERS, { type: 'object' }) }, // prettier-ignore
      '/api/v1/identity/status': { get: operation('identity_status', 'how the sources of the model stand (operators)', {}, { type: 'object' }) }, // prettier-ignore
      '/api/v1/export': { get: operation('export', 'flow records as parquet, csv or jsonl (operators)', EXPORT_PARAMETERS, { type: 'string' }) }, // prettier-ignore
      '/healthz': { get: operation('healthz', 'whether it is well', {}, { type: 'object' }) },
    },
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'ovsight token create' },
        keystone: { type: 'apiKey', in: 'header', name: 'X-Auth-Token', description: 'A token of Keystone.' },
      },
      schemas: { Record: recordSchema(), Problem: PROBLEM },
    },
  }
}

const STREAMED = { flows: true, matrix: true, series: true }
const ROWS = {
  type: 'array',
  items: { type: 'object', additionalProperties: { type: ['string', 'number', 'array', 'null'] } },
}
const RECORDS = { type: 'array', items: { $ref: '#/components/schemas/Record' } }

const PROBLEM = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string', enum: Object.keys(ERRORS) },
    details: { type: 'array', items: { type: 'string' } },
    position: { type: 'integer', description: 'Column of a mistake in a filter, from 1.' },
  },
}

type Parameters = Readonly<Record<string, { description: string; type: string }>>

function operation(id: string, doc: string, parameters: Parameters, schema: object, streamed = false): object {
  const lines = streamed ? { [NDJSON]: { schema: { type: 'string', description: 'An object a line.' } } } : {}
  return {
    operationId: id,
    summary: doc,
    parameters: Object.entries(parameters).map(([name, { description, ...own }]) => ({
      name,
      in: 'query',
      description,
      schema: own,
    })),
    responses: {
      '200': { description: doc, headers: HEADERS, content: { 'application/json': { schema }, ...lines } },
      ...Object.fromEntries(STATUSES.map((status) => [String(status), problem(status)])),
    },
  }
}

const HEADERS = Object.fromEntries(
  [
    ['ovsight-from', 'Start of the span the rows are of.'],
    ['ovsight-to', 'Its end, outside.'],
    ['ovsight-columns', 'Names of the columns.'],
    ['ovsight-notes', 'What to know, a JSON array in percent-encoding.'],
    ['ovsight-next', 'Cursor of the next page.'],
  ].map(([name, description]) => [name, { description, schema: { type: 'string' } }]),
)

const STATUSES = [400, 401, 403, 404, 429, 500, 503] as const

function problem(status: number): object {
  const codes = (Object.keys(ERRORS) as ErrorCode[]).filter((code) => ERRORS[code].http === status)
  return {
    description: codes.length === 0 ? 'Refused.' : codes.join(', '),
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  }
}

function recordSchema(): object {
  const properties = COLUMN_NAMES.map((name) => [name, columnSchema(name)])
  return { type: 'object', properties: Object.fromEntries([...properties, ['id', { type: 'string' }]]) }
}

function columnSchema(name: ColumnName): object {
  const { kind, of, doc: description } = columnFacts(name)
  if (of !== undefined) return { type: 'string', enum: enumValues(of), description }
  const text = kind === 'text' || kind === 'ip' || kind === 'mac' || kind === 'time'
  return { type: text ? 'string' : 'number', description }
}
