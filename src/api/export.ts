import type { FastifyInstance } from 'fastify'
import { AppError } from '../errors.ts'
import type { Store } from '../store/store.ts'
import { EXPORT_FORMATS, type ExportRequest, openExport } from '../transfer/export.ts'

const text = (description: string, maxLength = 100) => ({ type: 'string', maxLength, description }) as const

/** Parameters of export; docs/api.md lists them. */
export const EXPORT_PARAMETERS = {
  format: text(`${Object.entries(EXPORT_FORMATS).map(([name, { doc }]) => `\`${name}\`: ${doc}`).join('; ')}.`), // prettier-ignore
  filter: text('Which records, in the language of docs/filter.md.', 20_000),
  last: text('The time until now: `15m`, `2h`, `7d`. Default: everything that is stored.'),
  from: text('Start, inside.'),
  to: text('End, not inside. Default: now.'),
} as const

/** /api/v1/export: what `ovsight export` writes, as long as the client reads; `ovsight-records` is how many there were when it began. */
export function exportRoute(app: FastifyInstance, store: Pick<Store, 'query' | 'stream'>, now: () => number): void {
  app.get<{ Querystring: ExportRequest }>(
    '/api/v1/export',
    {
      schema: { querystring: { type: 'object', additionalProperties: false, properties: EXPORT_PARAMETERS } },
      schemaErrorFormatter: ([error]) =>
        new AppError(
          'usage',
          `parameters of export: ${error?.message ?? 'wrong'}; known are ${Object.keys(EXPORT_PARAMETERS).join(', ')}`,
        ),
    },
    async ({ query }, reply) => {
      const { body, records, format } = await openExport(store, query, now())
      return reply
        .type(EXPORT_FORMATS[format].type)
        .header('ovsight-records', String(records))
        .header('cache-control', 'private, no-store')
        .send(body)
    },
  )
}
