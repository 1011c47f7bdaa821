/**
 * One message out of the five shapes in which OpenStack services report a fault: `{error: {message}}` (Keystone),
 * `{NeutronError: {message}}`, `{computeFault|forbidden|badRequest|…: {message}}` (Nova), a bare `{message, code, title}`
 * (middleware), and HTML.
 */
import { AppError } from '../../../errors.ts'

const MAX_TEXT = 300

/** What the body says, in one line, without markup. '' when it says nothing. */
export function faultText(body: string): string {
  return (fromJson(body) ?? body)
    .replace(/<(style|script|title)[^>]*>[\s\S]*?<\/\1>/gi, ' ')
    .replace(/<[^>]{0,200}>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, MAX_TEXT)
}

function fromJson(body: string): string | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch {
    return undefined
  }
  return (
    message(parsed) ??
    Object.values(isRecord(parsed) ? parsed : {})
      .map(message)
      .find((text) => text !== undefined)
  )
}

function message(value: unknown): string | undefined {
  return isRecord(value) && typeof value['message'] === 'string' ? value['message'] : undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

/**
 * The fault of an answer with an error status, as what to tell the operator. 401 and 403 are `cloud_denied`, 408, 429 and 5xx
 * `cloud_unreachable` (trying again may help), everything else `cloud_refused`.
 */
export function answerFault(service: string, url: string, status: number, body: string): AppError {
  const said = faultText(body)
  const what = `${service} answered ${status} to ${url}${said === '' ? '' : `: ${said}`}`
  if (status === 401)
    return new AppError('cloud_denied', what, {
      details: ['check user, password and project, or make a new application credential'],
    })
  if (status === 403)
    return new AppError('cloud_denied', what, {
      details: ['ovsight reads all projects: give its user the admin role on a project'],
    })
  if (status === 408 || status === 429 || status >= 500) return new AppError('cloud_unreachable', what)
  return new AppError('cloud_refused', what)
}
