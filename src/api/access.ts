import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AppError } from '../errors.ts'
import type { KeystoneTokens } from './keystone.ts'
import { RateLimit } from './rate.ts'
import type { TokenBook } from './tokens.ts'

/** Who asks: an operator sees everything, a project its own. */
export interface Who {
  readonly name: string
  /** Project id; null for operators. */
  readonly project: string | null
}

/** What was asked, for the log of requests. */
export interface Asked {
  readonly at: string
  readonly who: string
  readonly project: string | null
  readonly from: string
  readonly request: string
  readonly status: number
  readonly ms: number
}

export interface AccessOptions {
  readonly tokens: TokenBook
  /** Where Keystone's tokens are taken too. */
  readonly keystone?: KeystoneTokens
  /** Takes the token of the command line on this machine. */
  readonly local?: (token: string) => boolean
  /** Whether a project is still there; undefined when nothing is known. */
  readonly projectExists?: (id: string) => boolean | undefined | Promise<boolean | undefined>
  readonly requestsPerMinute: number
  readonly onAsked?: (asked: Asked) => void
}

declare module 'fastify' {
  interface FastifyRequest {
    who: Who
  }
  interface FastifyContextConfig {
    /** Projects may ask here too, in their own name. */
    projects?: true
    /** Anybody may ask here. */
    open?: true
  }
}

/** Everybody, where no tokens are wanted. */
export const EVERYBODY: Who = { name: 'anybody', project: null }
/** Tries with bad tokens from one address. */
const REFUSALS_PER_MINUTE = 60

/**
 * Lets in who may ask, before anything else is looked at. A route is for operators unless it says that it is for projects or open, so
 * one that is added later is closed to projects.
 */
export function guard(app: FastifyInstance, access: AccessOptions | undefined, now: () => number): void {
  app.decorateRequest('who')
  if (access === undefined) {
    app.addHook('onRequest', (request, _reply, done) => {
      request.who = EVERYBODY
      done()
    })
    return
  }
  const [requests, refusals] = [new RateLimit(access.requestsPerMinute), new RateLimit(REFUSALS_PER_MINUTE)]
  app.addHook('onRequest', async (request) => {
    request.who = { name: '', project: null }
    const { open, projects } = request.routeOptions.config
    if (open === true) return
    const who = await identify(request, access, refusals, now())
    request.who = who
    requests.perMinute = access.requestsPerMinute
    const waitMs = requests.take(who.name, now())
    if (waitMs > 0) throw new RateLimited(waitMs)
    if (who.project !== null && projects !== true && request.routeOptions.url !== undefined)
      throw new AppError('not_allowed', 'the token is of a project; this is for operators')
  })
  app.addHook('onResponse', (request, reply, done) => {
    const { open } = request.routeOptions.config
    if (open !== true)
      access.onAsked?.({
        at: new Date(now()).toISOString(),
        who: request.who.name,
        project: request.who.project,
        from: request.ip,
        request: `${request.method} ${request.url}`,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
      })
    done()
  })
}

async function identify(
  request: FastifyRequest,
  access: AccessOptions,
  refusals: RateLimit,
  nowMs: number,
): Promise<Who> {
  const { authorization, 'x-auth-token': keystone } = request.headers
  const bearer = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1]
  const who = await whoseToken(bearer, typeof keystone === 'string' ? keystone : undefined, access, nowMs)
  if (who !== undefined) {
    if (who.project === null || (await access.projectExists?.(who.project)) !== false) return who
    throw new AppError(
      'token_refused',
      'the project of this token is no more; an operator makes others: ovsight token create --project ID',
    )
  }
  const waitMs = refusals.take(request.ip, nowMs)
  if (waitMs > 0) throw new RateLimited(waitMs)
  if (bearer === undefined && keystone === undefined)
    throw new AppError(
      'token_missing',
      `a token is needed: Authorization: Bearer ovs_… (ovsight token create makes one)${access.keystone === undefined ? '' : ', or X-Auth-Token: of Keystone'}`,
    )
  if (bearer === undefined && access.keystone === undefined)
    throw new AppError(
      'token_refused',
      "Keystone's tokens are not taken here: os_cloud is not set; ovsight token create makes one that is",
    )
  const another = bearer === undefined ? 'openstack token issue' : 'ovsight token create'
  throw new AppError('token_refused', `this token is not good: forged, expired or revoked; ${another} makes another`)
}

async function whoseToken(
  bearer: string | undefined,
  keystone: string | undefined,
  access: AccessOptions,
  nowMs: number,
): Promise<Who | undefined> {
  if (bearer !== undefined) {
    if (access.local?.(bearer) === true) return { name: 'the command line here', project: null }
    const entry = access.tokens.find(bearer, nowMs)
    return entry && { name: `token ${entry.id} ${entry.name}`.trim(), project: entry.project }
  }
  return keystone === undefined ? undefined : access.keystone?.find(keystone, nowMs)
}

/** Too many requests; `waitMs` until the next may come. */
export class RateLimited extends AppError {
  readonly retryAfterS: number

  constructor(waitMs: number) {
    super('rate_limited', `too many requests; go on in ${Math.ceil(waitMs / 1000)} s`)
    this.retryAfterS = Math.ceil(waitMs / 1000)
  }
}
