/** Who may ask the API of a collector, as its options say. */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { homedir } from 'node:os'
import type { AccessOptions } from '../api/access.ts'
import type { KeystoneTokens } from '../api/keystone.ts'
import type { ApiOptions } from '../api/server.ts'
import type { Config } from '../config/options.ts'
import type { Identity } from '../identity/replica/changeable.ts'
import type { Logger } from '../telemetry/log.ts'
import { identityApi } from './identity-readings.ts'
import { KnownProjects } from './known-projects.ts'

export interface OpenAccess {
  readonly options: Pick<ApiOptions, 'access'>
  /** Answers of Keystone that were forgotten for want of room. */
  readonly keystoneForgotten: () => number
  /** For the command line on this machine; undefined when no tokens are wanted. */
  readonly localToken?: string
  /** Follows another configuration. Errors: those of clouds.yaml. */
  change(config: Config): Promise<void>
  close(): Promise<void>
}

/** Whether `http_bind` is an address of this machine alone. */
export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}

/** Errors: those of clouds.yaml. */
export async function openAccess(config: Config, identity: Identity, log: Logger): Promise<OpenAccess> {
  const wanted = config.http_auth === 'on' || (config.http_auth === 'auto' && !isLoopback(config.http_bind))
  if (!wanted) {
    if (!isLoopback(config.http_bind) && config.http_port !== null)
      log.warn('the HTTP API is open to everybody who reaches it, all projects: http_auth is off')
    return {
      options: {},
      keystoneForgotten: () => 0,
      change: () => Promise.resolve(),
      close: () => Promise.resolve(),
    }
  }
  const [{ AskedLog }, { TokenBook }] = await Promise.all([import('../api/asked-log.ts'), import('../api/tokens.ts')])
  const localToken = `ovs_local_${randomBytes(32).toString('base64url')}`
  const asked = new AskedLog(config.data, (error) => log.error({ err: error }, 'the log of requests cannot be written'))
  let forgotten = 0
  const onForget = () => void forgotten++
  const keystone = await keystoneOf(config, onForget)
  const projects = new KnownProjects(identityApi(identity))
  const access: Writable<AccessOptions> = {
    tokens: new TokenBook(config.data),
    ...(keystone === undefined ? {} : { keystone }),
    local: (token) => same(token, localToken),
    projectExists: (id) => projects.has(id),
    requestsPerMinute: config.http_requests,
    onAsked: (one) => asked.add(one),
  }
  return {
    options: { access },
    keystoneForgotten: () => forgotten,
    localToken,
    async change(next) {
      access.requestsPerMinute = next.http_requests
      const other = await keystoneOf(next, onForget)
      if (other === undefined) delete access.keystone
      else access.keystone = other
    },
    close: () => asked.flush(),
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

function same(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}

async function keystoneOf(config: Config, onForget: () => void): Promise<KeystoneTokens | undefined> {
  if (config.os_cloud === null) return undefined
  const [{ KeystoneTokens }, { loadCloud }, { CloudSession }] = await Promise.all([
    import('../api/keystone.ts'),
    import('../identity/sources/openstack/clouds.ts'),
    import('../identity/sources/openstack/session.ts'),
  ])
  const cloud = loadCloud(config.os_cloud, { env: process.env, cwd: process.cwd(), home: homedir() })
  const session = new CloudSession(cloud)
  const ask = (token: string) => session.get('identity', '/auth/tokens', { 'x-subject-token': token })
  return new KeystoneTokens(ask, config.http_keystone_tokens, onForget)
}
