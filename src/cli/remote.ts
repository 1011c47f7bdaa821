import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { z } from 'zod'
import { AppError, ERRORS, type ErrorCode } from '../errors.ts'
import type { Answer, FlowsRequest, MatrixRequest, SeriesRequest, TopRequest } from '../query/ask.ts'
import { type ExportRequest, type Exporting, parseExportFormat } from '../transfer/export.ts'
import type { Backend } from './backend.ts'
import { collectorUrl, fetchCollector } from './collector-note.ts'

/** A running collector, asked over its HTTP API. */
export function remoteBackend(url: string): Backend {
  let cost: string | undefined
  const ask = async (resource: string, { dimensions = [], ...request }: Words) => {
    const given = Object.entries(request).filter((pair): pair is [string, string] => pair[1] !== undefined)
    const parameters =
      dimensions.length === 0 ? given : [['dimension', dimensions.join(',')] as [string, string], ...given]
    const query = new URLSearchParams(parameters).toString()
    const response = await get(collectorUrl(url, `api/v1/${resource}?${query}`))
    cost = costOf(response.headers.get('server-timing'))
    return answerOf(response)
  }
  return {
    name: `collector ${url}`,
    cost: () => cost,
    top: (request) => ask('top', words(request)),
    flows: (request) => ask('flows', words(request)),
    matrix: (request) => ask('matrix', words(request)),
    series: (request) => ask('series', words(request)),
    explain: (request) => ask('explain', { ...request }),
    names: (request) => ask('names', { ...request }),
    audit: (request) => ask('audit', { ...request }),
    store: (request) => ask('store', { ...request }),
    history: (request) => ask('history', { ...request }),
    exporters: (request) => ask('exporters', { ...request }),
    export: (request) => openRemote(url, request),
    close: () => Promise.resolve(),
  }
}

/** What a collector says of its statements; it says so to operators. */
function costOf(header: string | null): string | undefined {
  return /(?:^|,\s*)statements;[^,]*desc="([^"]*)"/.exec(header ?? '')?.[1]
}

/** A request as parameters. */
interface Words {
  dimensions?: readonly string[]
  [parameter: string]: string | readonly string[] | undefined
}

function words(request: TopRequest | FlowsRequest | MatrixRequest | SeriesRequest): Words {
  return { ...request }
}

const NOTES = z.array(z.string())
const PROBLEM = z.object({
  code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
  detail: z.string(),
  details: z.array(z.string()).optional(),
})

async function get(url: URL): Promise<Response> {
  try {
    return await fetchCollector(url)
  } catch (cause) {
    throw new AppError(
      'store_unreachable',
      `the collector at ${url.origin} does not answer; is it stopping, is the URL right?`,
      {
        cause,
      },
    )
  }
}

/** An export of the collector's. Errors: whatever it says; a body that breaks off fails. */
async function openRemote(url: string, request: ExportRequest): Promise<Exporting> {
  const given = Object.entries(request).filter((pair): pair is [string, string] => pair[1] !== undefined)
  const response = await get(collectorUrl(url, `api/v1/export?${new URLSearchParams(given).toString()}`))
  if (!response.ok) throw errorOf(response, await response.text())
  return {
    body: Readable.fromWeb(response.body as ReadableStream),
    records: Number(response.headers.get('ovsight-records') ?? 0),
    format: parseExportFormat(request.format),
  }
}

/** The answer in a response. Errors: whatever the collector says; query_failed when it cannot be understood. */
async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text()
  const header = (name: string) => response.headers.get(`ovsight-${name}`) ?? ''
  if (!response.ok) throw errorOf(response, text)
  const rows = parseJson(text)
  const notes = NOTES.safeParse(parseJson(decodeURIComponent(header('notes'))))
  const completeness = NOTES.safeParse(parseJson(decodeURIComponent(header('completeness')) || '[]'))
  if (!isRows(rows) || !notes.success || !completeness.success) throw notUnderstood(response)
  return {
    columns: header('columns').split(','),
    rows,
    span: { fromMs: Date.parse(header('from')), toMs: Date.parse(header('to')), explicit: true },
    notes: notes.data,
    completeness: completeness.data,
  }
}

/** Checked by hand: fifty thousand rows of ninety columns take a schema seconds. */
function isRows(value: unknown): value is Answer['rows'] {
  return Array.isArray(value) && value.every((row) => typeof row === 'object' && row !== null)
}

function errorOf(response: Response, text: string): AppError {
  const problem = PROBLEM.safeParse(parseJson(text))
  if (!problem.success) return notUnderstood(response)
  const { code, detail, details } = problem.data
  return new AppError(code, detail, details === undefined ? {} : { details })
}

function notUnderstood(response: Response): AppError {
  return new AppError('query_failed', `the collector answered ${response.status} in words this version does not know`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // What is no JSON fails the schema that comes next.
    return undefined
  }
}
