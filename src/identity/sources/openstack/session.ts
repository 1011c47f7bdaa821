/**
 * A login at Keystone v3 and the requests made with it. The token is renewed before it expires and once after a 401; endpoints
 * come from the catalog by service type, interface and region, unless overridden.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type * as Undici from 'undici'
import { z } from 'zod'
import { AppError } from '../../../errors.ts'
import type { CloudAuth, CloudConfig } from './clouds.ts'
import { answerFault, faultText } from './faults.ts'

/** Renewed that long before the token expires. */
const RENEW_BEFORE_MS = 60_000
const TIMEOUT_MS = 30_000
const MAX_BODY_BYTES = 512 * 1024 * 1024

const TOKEN = z.object({
  token: z.looseObject({
    expires_at: z.string(),
    catalog: z
      .array(
        z.looseObject({
          type: z.string(),
          endpoints: z.array(
            z.looseObject({
              interface: z.string(),
              url: z.string(),
              region_id: z.string().nullish(),
              region: z.string().nullish(),
            }),
          ),
        }),
      )
      .default([]),
    roles: z.array(z.looseObject({ name: z.string() })).default([]),
    project: z.looseObject({ id: z.string(), name: z.string() }).optional(),
    user: z.looseObject({ id: z.string(), name: z.string() }).optional(),
  }),
})

type Token = z.infer<typeof TOKEN>['token'] & { value: string; expiresMs: number }
export type ServiceType = 'identity' | 'network' | 'compute'

/** Loaded by the first session: it has a hundred files, and most collectors log in nowhere. */
function undici(): typeof Undici {
  return createRequire(import.meta.url)('undici') as typeof Undici
}

export class CloudSession {
  readonly config: CloudConfig
  private readonly agent: Undici.Agent
  private readonly now: () => number
  private token: Token | undefined
  private login: Promise<Token> | undefined

  constructor(config: CloudConfig, now: () => number = Date.now) {
    this.config = config
    this.now = now
    const pem = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path))
    const ca = pem(config.cacert)
    const cert = pem(config.cert)
    const key = pem(config.key)
    this.agent = new (undici().Agent)({
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      connect: {
        timeout: TIMEOUT_MS,
        rejectUnauthorized: config.verify,
        ...(ca === undefined ? {} : { ca }),
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
      },
    })
  }

  /** Names of the roles of the login, for messages. Logs in when needed. */
  async roles(): Promise<string[]> {
    return (await this.fresh()).roles.map((role) => role.name)
  }

  /**
   * GET `path` of a service as parsed JSON. `path` may be a full URL of the same service (a paging link).
   * Errors: cloud_denied, cloud_refused, cloud_unreachable (network, 5xx, a body that is cut).
   */
  async get(service: ServiceType, path: string, headers: Readonly<Record<string, string>> = {}): Promise<unknown> {
    const attempt = async () => {
      const token = await this.fresh()
      return this.send('GET', this.url(service, path, token), { ...headers, 'x-auth-token': token.value })
    }
    let answer = await attempt()
    if (answer.status === 401) {
      this.token = undefined
      answer = await attempt()
    }
    if (answer.status !== 200) throw answerFault(service, answer.url, answer.status, answer.body)
    return parse(service, answer)
  }

  async close(): Promise<void> {
    await this.agent.close()
  }

  private async fresh(): Promise<Token> {
    if (this.token !== undefined && this.token.expiresMs - RENEW_BEFORE_MS > this.now()) return this.token
    this.login ??= this.authenticate().finally(() => {
      this.login = undefined
    })
    this.token = await this.login
    return this.token
  }

  private async authenticate(): Promise<Token> {
    const url = `${versioned(this.config.auth.auth_url, 'v3')}/auth/tokens`
    const answer = await this.send(
      'POST',
      url,
      { 'content-type': 'application/json' },
      JSON.stringify(authBody(this.config)),
    )
    if (answer.status !== 201 && answer.status !== 200) throw answerFault('keystone', url, answer.status, answer.body)
    const parsed = TOKEN.safeParse(parse('keystone', answer))
    if (!parsed.success || answer.token === undefined) {
      throw new AppError('cloud_refused', `keystone at ${url} did not answer with a token: ${faultText(answer.body)}`)
    }
    return { ...parsed.data.token, value: answer.token, expiresMs: Date.parse(parsed.data.token.expires_at) }
  }

  private url(service: ServiceType, path: string, token: Token): string {
    const base = this.config.overrides[service] ?? this.endpoint(service, token)
    const root =
      service === 'network'
        ? versioned(base, 'v2.0')
        : service === 'identity'
          ? versioned(base, 'v3')
          : base.replace(/\/+$/, '')
    if (!/^https?:/.test(path)) return `${root}${path}`
    // A paging link may name a host that only the service knows (a proxy in front of it): keep its query, not its host.
    const link = new URL(path)
    const rootPath = new URL(root).pathname
    const tail = link.pathname.startsWith(rootPath)
      ? link.pathname.slice(rootPath.length)
      : link.pathname.slice(Math.max(0, link.pathname.search(/\/v\d/))).replace(/^\/v[\d.]+/, '')
    return `${root}${tail}${link.search}`
  }

  private endpoint(service: ServiceType, token: Token): string {
    if (service === 'identity') return this.config.auth.auth_url
    const endpoints = token.catalog.filter((entry) => entry.type === service).flatMap((entry) => entry.endpoints)
    const { region, interface: face } = this.config
    const found = endpoints.find(
      (e) => e.interface === face && (region === undefined || (e.region_id ?? e.region) === region),
    )
    if (found !== undefined) return found.url
    const offered = endpoints.map((e) => `${e.interface} in ${e.region_id ?? e.region}`).join(', ')
    throw new AppError(
      'cloud_refused',
      `the catalog of cloud ${this.config.name} has no ${face} ${service} endpoint${region === undefined ? '' : ` in region ${region}`}`,
      {
        details: [
          offered === ''
            ? `it offers no ${service} service at all`
            : `it offers ${offered}: set region_name or interface`,
        ],
      },
    )
  }

  private async send(
    method: 'GET' | 'POST',
    url: string,
    headers: Readonly<Record<string, string>>,
    body?: string,
  ): Promise<Answer> {
    try {
      const answer = await undici().request(url, {
        method,
        headers: { accept: 'application/json', 'user-agent': 'ovsight', ...headers },
        dispatcher: this.agent,
        ...(body === undefined ? {} : { body }),
      })
      const token = answer.headers['x-subject-token']
      const chunks: Buffer[] = []
      let size = 0
      for await (const chunk of answer.body as AsyncIterable<Buffer>) {
        size += chunk.length
        if (size > MAX_BODY_BYTES) throw new Error(`the answer is larger than ${MAX_BODY_BYTES} bytes`)
        chunks.push(chunk)
      }
      return {
        url,
        status: answer.statusCode,
        body: Buffer.concat(chunks).toString('utf8'),
        token: typeof token === 'string' ? token : undefined,
      }
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : String(cause)
      throw new AppError('cloud_unreachable', `${method} ${url} failed: ${reason}`, { cause })
    }
  }
}

interface Answer {
  url: string
  status: number
  body: string
  token: string | undefined
}

// Keystone as Debian runs it sends neither Content-Length nor chunks, so a cut body looks whole: only the JSON tells.
function parse(service: string, { url, body }: Answer): unknown {
  try {
    return JSON.parse(body)
  } catch (cause) {
    throw new AppError(
      'cloud_unreachable',
      `${service} answered ${url} with ${body.length} characters that are not whole JSON`,
      { cause },
    )
  }
}

function versioned(base: string, version: string): string {
  const trimmed = base.replace(/\/+$/, '')
  return /\/v\d[\d.]*$/.test(trimmed) ? trimmed : `${trimmed}/${version}`
}

/** Keystone API v3, "Password authentication", "Token authentication", "Authenticating with an Application Credential". */
function authBody({ auth, method }: CloudConfig): unknown {
  const domain = (id: string | undefined, name: string | undefined) =>
    id !== undefined
      ? { domain: { id } }
      : { domain: name !== undefined ? { name } : { id: auth.default_domain ?? 'default' } }
  const user =
    auth.user_id !== undefined
      ? { id: auth.user_id }
      : { name: auth.username, ...domain(auth.user_domain_id, auth.user_domain_name) }
  if (method === 'application_credential') {
    const named =
      auth.application_credential_id !== undefined
        ? { id: auth.application_credential_id }
        : { name: auth.application_credential_name, user }
    // Its project is fixed: a scope is refused.
    return {
      auth: {
        identity: {
          methods: [method],
          application_credential: { ...named, secret: auth.application_credential_secret },
        },
      },
    }
  }
  const identity =
    method === 'token'
      ? { methods: ['token'], token: { id: auth.token } }
      : { methods: ['password'], password: { user: { ...user, password: auth.password } } }
  const scope = scopeOf(auth, domain)
  return { auth: { identity, ...(scope === undefined ? {} : { scope }) } }
}

function scopeOf(auth: CloudAuth, domain: (id?: string, name?: string) => object): object | undefined {
  if (auth.system_scope !== undefined) return { system: { all: true } }
  if (auth.project_id !== undefined) return { project: { id: auth.project_id } }
  if (auth.project_name !== undefined)
    return { project: { name: auth.project_name, ...domain(auth.project_domain_id, auth.project_domain_name) } }
  if (auth.domain_id !== undefined) return { domain: { id: auth.domain_id } }
  if (auth.domain_name !== undefined) return { domain: { name: auth.domain_name } }
  return undefined
}
