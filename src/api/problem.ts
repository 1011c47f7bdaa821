import type { FastifyError, FastifyReply } from 'fastify'
import { AppError, ERRORS, type ErrorCode } from '../errors.ts'

/**
 * An error as RFC 9457 problem details. `code` is one of errors.ts, for programs; `detail` is for people; `position` is the column of
 * a mistake in a filter.
 */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code?: ErrorCode
  readonly details?: readonly string[]
  readonly position?: number
  /** For the header, not for the body. */
  readonly retryAfterS?: number
}

/** A message that begins with an option of the command line: over HTTP it is a parameter. */
const OPTION = /^--?(\w+) (?=["\d])/

/** After how many seconds a client may try again what may then work. */
const RETRY_AFTER_S = 5

export function problemOf(error: AppError): Problem {
  return {
    type: `urn:ovsight:error:${error.code}`,
    title: ERRORS[error.code].doc,
    status: ERRORS[error.code].http,
    detail: error.message.replace(OPTION, 'parameter $1 '),
    code: error.code,
    ...(error.details.length === 0 ? {} : { details: error.details }),
    ...('retryAfterS' in error && typeof error.retryAfterS === 'number' ? { retryAfterS: error.retryAfterS } : {}),
    ...('position' in error && typeof error.position === 'number' ? { position: error.position } : {}),
  }
}

/** A refusal of the HTTP layer itself: not found, too long, not HTTP. */
function plainProblem(status: number, title: string, detail: string): Problem {
  return { type: 'about:blank', title, status, detail }
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  if (problem.code !== undefined && ERRORS[problem.code].retriable)
    reply.header('retry-after', problem.retryAfterS ?? RETRY_AFTER_S)
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer realm="ovsight"')
  return reply
    .code(problem.status)
    .type('application/problem+json')
    .send({ ...problem, retryAfterS: undefined })
}

export function notFound(path: string): Problem {
  const shown = path.length > 100 ? `${path.slice(0, 100)}…` : path
  return plainProblem(
    404,
    'Not Found',
    `nothing is at ${shown}; /api/docs lists what there is, among it /api/v1/top, /api/v1/flows and /metrics`,
  )
}

/** A path that is there, but not for this method. */
export function wrongMethod(method: string, path: string): Problem {
  return plainProblem(
    405,
    'Method Not Allowed',
    `${path.slice(0, 100)} answers GET, not ${method}: the API changes nothing`,
  )
}

/** The problem of anything thrown by a handler; undefined when it is a bug of ours. */
export function problemOfThrown(error: FastifyError | AppError): Problem | undefined {
  if (error instanceof AppError) return problemOf(error)
  const status = error.statusCode
  if (status === undefined || status < 400 || status >= 500) return undefined
  return plainProblem(status, error.code, error.message)
}

export const BUG: Problem = plainProblem(
  500,
  'Internal Server Error',
  'a fault of ovsight itself; its log has the stack',
)
