import { AppError } from '../errors.ts'
import { ENTITIES, ENTITY_NAMES, type EntityName } from './dimensions.ts'
import { namesIn } from './names.ts'
import { didYouMean } from './nearest.ts'
import type { Asker } from './plan.ts'
import { quoted, type Answer } from './request.ts'
import { parseSpan, type SpanRequest } from './times.ts'
import { withinSpan } from './within.ts'

/** Names that occur, for completion and for choosing. */
export interface NamesRequest extends SpanRequest {
  /** project, server, port, network or host. */
  of?: string | undefined
}

/** Errors: column_unknown, time_invalid; query_failed, store_unreachable. */
export async function askNames(asker: Asker, request: NamesRequest, nowMs: number): Promise<Answer> {
  const { of = '' } = request
  if (!Object.hasOwn(ENTITIES, of))
    throw new AppError(
      'column_unknown',
      `names are of ${ENTITY_NAMES.join(', ')}, not of ${quoted(of)}${didYouMean(of, ENTITY_NAMES)}`,
    )
  const within = await withinSpan(asker, parseSpan(request, nowMs))
  const names = await namesIn(asker, of as EntityName, within.span)
  return { columns: ['name'], rows: names.map((name) => ({ name })), span: within.span, notes: within.notes }
}
