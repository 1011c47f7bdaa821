/**
 * Which cloud to ask and as whom: clouds.yaml, secure.yaml and OS_* by openstacksdk's rules.
 *
 * Search order of clouds.yaml (and .yml, .json): OS_CLIENT_CONFIG_FILE, then the working directory, ~/.config/openstack,
 * /etc/openstack; the first found wins. secure.yaml is searched likewise (OS_CLIENT_SECURE_FILE) and merged over it.
 * OS_* variables (without OS_CLOUD) form a cloud of their own, named `envvars`; they are not mixed into a named one.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseDocument } from 'yaml'
import { z } from 'zod'
import { AppError } from '../../../errors.ts'

const text = z.union([z.string(), z.number()]).transform(String)

const AUTH = z.looseObject({
  auth_url: text.optional(),
  token: text.optional(),
  username: text.optional(),
  user_id: text.optional(),
  password: text.optional(),
  user_domain_name: text.optional(),
  user_domain_id: text.optional(),
  project_name: text.optional(),
  project_id: text.optional(),
  project_domain_name: text.optional(),
  project_domain_id: text.optional(),
  domain_name: text.optional(),
  domain_id: text.optional(),
  default_domain: text.optional(),
  system_scope: text.optional(),
  application_credential_id: text.optional(),
  application_credential_name: text.optional(),
  application_credential_secret: text.optional(),
})

const CLOUD = z.looseObject({
  auth: AUTH.default({}),
  auth_type: text.optional(),
  region_name: text.optional(),
  interface: text.optional(),
  endpoint_type: text.optional(),
  verify: z.boolean().optional(),
  insecure: z.boolean().optional(),
  cacert: text.optional(),
  cert: text.optional(),
  key: text.optional(),
  network_endpoint_override: text.optional(),
  compute_endpoint_override: text.optional(),
  identity_endpoint_override: text.optional(),
})

const FILE = z.looseObject({ clouds: z.record(z.string(), z.unknown()).default({}) })

export type CloudAuth = z.infer<typeof AUTH>

/** One cloud, ready to log in to. Paths are as written; secrets are in `auth` only. */
export interface CloudConfig {
  /** Its name in clouds.yaml, or `envvars`. */
  name: string
  auth: CloudAuth & { auth_url: string }
  method: 'password' | 'token' | 'application_credential'
  region: string | undefined
  interface: 'public' | 'internal' | 'admin'
  verify: boolean
  cacert: string | undefined
  cert: string | undefined
  key: string | undefined
  /** Endpoint by service type, where the catalog is not to be trusted. */
  overrides: Readonly<Record<string, string | undefined>>
}

type Clouds = Readonly<Record<string, unknown>>

interface Surroundings {
  env: Readonly<Record<string, string | undefined>>
  cwd: string
  home: string
}

/**
 * The cloud named `name`, or the one that openstacksdk would take: OS_CLOUD, else `envvars` when OS_AUTH_URL is set, else the
 * only one of clouds.yaml. Errors: config_invalid with every fault and where it was looked for.
 */
export function loadCloud(name: string | undefined, around: Surroundings): CloudConfig {
  const { clouds, path } = readClouds(around)
  if (around.env['OS_AUTH_URL'] !== undefined || around.env['OS_TOKEN'] !== undefined)
    clouds.set('envvars', fromEnvironment(around.env))
  const chosen = name ?? around.env['OS_CLOUD'] ?? (clouds.has('envvars') ? 'envvars' : onlyOne(clouds))
  const raw = chosen === undefined ? undefined : clouds.get(chosen)
  if (chosen === undefined || raw === undefined) {
    const known = [...clouds.keys()].sort().join(', ')
    const what = chosen === undefined ? 'no cloud is named' : `there is no cloud "${chosen}"`
    throw new AppError(
      'config_invalid',
      `${what}: ${known === '' ? 'no clouds.yaml was found' : `${path ?? 'the environment'} has ${known}`}`,
      {
        details: [
          'name one with --os-cloud or OS_CLOUD, or set OS_AUTH_URL, OS_USERNAME, OS_PASSWORD and OS_PROJECT_NAME',
        ],
      },
    )
  }
  return toConfig(chosen, raw, path)
}

function onlyOne(clouds: ReadonlyMap<string, unknown>): string | undefined {
  return clouds.size === 1 ? [...clouds.keys()][0] : undefined
}

function readClouds(around: Surroundings): { clouds: Map<string, unknown>; path: string | undefined } {
  const path = find('clouds', around.env['OS_CLIENT_CONFIG_FILE'], around)
  const securePath = find('secure', around.env['OS_CLIENT_SECURE_FILE'], around)
  const open: Clouds = path === undefined ? {} : readFile(path)
  const secret: Clouds = securePath === undefined ? {} : readFile(securePath)
  const clouds = Object.entries(open).map(([name, cloud]) => [name, merge(cloud, secret[name])] as const)
  return { clouds: new Map(clouds), path }
}

function find(stem: string, given: string | undefined, { cwd, home }: Surroundings): string | undefined {
  const folders = [cwd, join(home, '.config', 'openstack'), '/etc/openstack']
  const paths = folders.flatMap((folder) => ['yaml', 'yml', 'json'].map((ending) => join(folder, `${stem}.${ending}`)))
  return [...(given === undefined ? [] : [given]), ...paths].find((path) => existsSync(path))
}

function readFile(path: string): Clouds {
  const document = parseDocument(readFileSync(path, 'utf8'))
  const faults = document.errors.map((error) => `${path}: ${error.message.split('\n')[0]}`)
  const parsed = FILE.safeParse(document.toJS() ?? {})
  if (!parsed.success)
    faults.push(...parsed.error.issues.map((issue) => `${path}: ${issue.path.join('.')}: ${issue.message}`))
  if (faults.length > 0 || !parsed.success)
    throw new AppError('config_invalid', `${path} cannot be used`, { details: faults })
  return parsed.data.clouds
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function merge(base: unknown, over: unknown): unknown {
  if (!isObject(base) || !isObject(over)) return over ?? base
  return Object.fromEntries(
    [...new Set([...Object.keys(base), ...Object.keys(over)])].map((key) => [key, merge(base[key], over[key])]),
  )
}

/** OS_AUTH_URL → auth.auth_url, OS_REGION_NAME → region_name, … */
function fromEnvironment(env: Surroundings['env']): unknown {
  const auth: Record<string, string> = {}
  const top: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(env)) {
    if (!key.startsWith('OS_') || key === 'OS_CLOUD' || value === undefined || value === '') continue
    const name = key.slice(3).toLowerCase()
    if (name in AUTH.shape) auth[name] = value
    else if (name === 'tenant_name' || name === 'tenant_id') auth[name.replace('tenant', 'project')] ??= value
    else if (name === 'insecure') top['insecure'] = /^(1|true|yes)$/i.test(value)
    else top[name] = value
  }
  return { ...top, auth }
}

function toConfig(name: string, raw: unknown, path: string | undefined): CloudConfig {
  const where = name === 'envvars' ? 'OS_* variables' : `${path}: clouds.${name}`
  const parsed = CLOUD.safeParse(raw ?? {})
  if (!parsed.success) {
    throw new AppError('config_invalid', `${where} cannot be used`, {
      details: parsed.error.issues.map((issue) => `clouds.${name}.${issue.path.join('.')}: ${issue.message}`),
    })
  }
  const { auth, ...cloud } = parsed.data
  const method = authMethod(cloud.auth_type, auth)
  const faults = authFaults(method, auth)
  const face = (cloud.interface ?? cloud.endpoint_type ?? 'public').replace(/URL$/, '')
  if (face !== 'public' && face !== 'internal' && face !== 'admin')
    faults.push(`interface: "${face}" is not public, internal or admin`)
  if (faults.length > 0) throw new AppError('config_invalid', `${where} is incomplete`, { details: faults })
  return {
    name,
    auth: { ...auth, auth_url: auth.auth_url! },
    method: method as CloudConfig['method'],
    region: cloud.region_name,
    interface: face as CloudConfig['interface'],
    verify: cloud.insecure !== true && cloud.verify !== false,
    cacert: cloud.cacert,
    cert: cloud.cert,
    key: cloud.key,
    overrides: {
      network: cloud.network_endpoint_override,
      compute: cloud.compute_endpoint_override,
      identity: cloud.identity_endpoint_override,
    },
  }
}

function authMethod(type: string | undefined, auth: CloudAuth): string {
  if (type !== undefined) return type.replace(/^v3/, '').replace('applicationcredential', 'application_credential')
  if (auth.application_credential_secret !== undefined) return 'application_credential'
  return auth.token === undefined ? 'password' : 'token'
}

function authFaults(method: string, auth: CloudAuth): string[] {
  const faults: string[] = []
  if (auth.auth_url === undefined) faults.push('auth.auth_url is missing')
  else if (!URL.canParse(auth.auth_url)) faults.push(`auth.auth_url: "${auth.auth_url}" is not a URL`)
  if (method === 'password') {
    if (auth.username === undefined && auth.user_id === undefined) faults.push('auth.username is missing')
    if (auth.password === undefined) faults.push('auth.password is missing')
  } else if (method === 'token') {
    if (auth.token === undefined) faults.push('auth.token is missing')
  } else if (method === 'application_credential') {
    if (auth.application_credential_id === undefined && auth.application_credential_name === undefined)
      faults.push('auth.application_credential_id is missing')
    if (auth.application_credential_secret === undefined) faults.push('auth.application_credential_secret is missing')
  } else {
    faults.push(`auth_type: "${method}" is not supported; use password, token or v3applicationcredential`)
  }
  return faults
}
