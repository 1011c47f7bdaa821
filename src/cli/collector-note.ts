import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import type { Agent } from 'undici'
import { AppError } from '../errors.ts'

/**
 * The note that a running collector leaves in its data directory: `collector.json`, `{"pid": 4711, "url": "http://127.0.0.1:8080"}`.
 * It is written once the collector answers and removed when it stops; one left behind by a crash is ignored.
 */
export const COLLECTOR_NOTE = 'collector.json'

interface Note {
  pid: number
  url: string
  /** With TLS: SHA-256 of the collector's certificate. It is told here by who may write here, so no authority need be asked. */
  fingerprint?: string
  /** Lets the command line of this machine in where tokens are wanted; who may read the note may ask everything. */
  token?: string
}

/** Tokens of the collectors that are asked, by the origin of their URL. */
const tokens = new Map<string, string>()

/** Connections to collectors with TLS, by the fingerprint that their notes have. */
const pinned = new Map<string, Agent>()
const agents = new Map<string, Agent>()

/** GET from a collector, with the token and the certificate that its note has. */
export async function fetchCollector(url: URL, signal?: AbortSignal): Promise<Response> {
  const token = tokens.get(url.origin)
  const options = {
    ...(signal === undefined ? {} : { signal }),
    ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
  }
  const dispatcher = agents.get(url.origin)
  if (dispatcher === undefined) return fetch(url, options)
  const { fetch: fetchWith } = await import('undici')
  return fetchWith(url, { ...options, dispatcher })
}

/** Connects to who has this certificate, and to nobody else, whoever signed it and whatever it is called. */
async function agentFor(fingerprint: string): Promise<Agent> {
  const known = pinned.get(fingerprint)
  if (known !== undefined) return known
  // Loaded for TLS alone: it is half of the start of a command.
  const { Agent, buildConnector } = await import('undici')
  const connect = buildConnector({ rejectUnauthorized: false })
  const agent = new Agent({
    connect: (options, callback) =>
      connect(options, (...result) => {
        const [error, socket] = result
        const found = socket instanceof TLSSocket ? socket.getPeerX509Certificate()?.fingerprint256 : undefined
        if (error !== null || found === fingerprint) return callback(...result)
        socket.destroy()
        callback(new Error('another certificate than the collector wrote down'), null)
      }),
  })
  pinned.set(fingerprint, agent)
  return agent
}

/** Where an answer of a collector is; it may stand behind a path of another server. */
export function collectorUrl(base: string, path: string): URL {
  return new URL(path, base.endsWith('/') ? base : `${base}/`)
}

/** Which collector to ask: where it is and how to be let in. */
export interface CollectorAccess {
  readonly data: string
  readonly url: string | null
  readonly token: string | null
  readonly token_file: string | null
}

/** URL of the collector that is named, else of the one that runs on the data directory. Errors: file_unreadable. */
export async function collectorOf(access: CollectorAccess): Promise<string | undefined> {
  if (access.url === null) return readCollectorNote(access.data)
  const token = access.token ?? (access.token_file === null ? undefined : readToken(access.token_file))
  if (token !== undefined) tokens.set(new URL(access.url).origin, token)
  return access.url
}

function readToken(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (cause) {
    throw new AppError('file_unreadable', `the token file ${path} cannot be read: ${(cause as Error).message}`, {
      cause,
    })
  }
}

const HEALTH_TIMEOUT_MS = 2000

/** Leaves the note; it appears whole or not at all. */
export function writeCollectorNote(data: string, url: string, token?: string, fingerprint?: string): void {
  const path = join(data, COLLECTOR_NOTE)
  const note: Note = {
    pid: process.pid,
    url,
    ...(token === undefined ? {} : { token }),
    ...(fingerprint === undefined ? {} : { fingerprint }),
  }
  rmSync(`${path}.tmp`, { force: true })
  writeFileSync(`${path}.tmp`, `${JSON.stringify(note)}\n`, token === undefined ? {} : { mode: 0o600 })
  renameSync(`${path}.tmp`, path)
}

export function removeCollectorNote(data: string): void {
  rmSync(join(data, COLLECTOR_NOTE), { force: true })
}

/** URL of the collector that runs on a data directory; undefined when none does. */
export async function readCollectorNote(data: string): Promise<string | undefined> {
  const note = noteOf(readJson(join(data, COLLECTOR_NOTE)))
  if (note === undefined || !lives(note.pid)) return undefined
  const { origin } = new URL(note.url)
  if (note.fingerprint === undefined) agents.delete(origin)
  else agents.set(origin, await agentFor(note.fingerprint))
  if ((await healthyPid(note.url)) !== note.pid) return undefined
  if (note.token === undefined) tokens.delete(origin)
  else tokens.set(origin, note.token)
  return note.url
}

/** The note in what a file held, if it is one. */
function noteOf(value: unknown): Note | undefined {
  if (typeof value !== 'object' || value === null || !('pid' in value) || !('url' in value)) return undefined
  const { pid, url } = value
  const token = 'token' in value && typeof value.token === 'string' ? { token: value.token } : {}
  const pin = 'fingerprint' in value && typeof value.fingerprint === 'string' ? { fingerprint: value.fingerprint } : {}
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0) return undefined
  return typeof url === 'string' && /^https?:\/\//.test(url) && URL.canParse(url)
    ? { pid, url, ...token, ...pin }
    : undefined
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    // Absent is the usual case; unreadable or torn is as good as absent.
    return undefined
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // It lives, but belongs to another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** The pid that answers at the URL: after a crash both the pid and the port may belong to others. */
async function healthyPid(url: string): Promise<unknown> {
  try {
    const response = await fetchCollector(new URL('/healthz', url), AbortSignal.timeout(HEALTH_TIMEOUT_MS))
    return ((await response.json()) as { pid?: unknown } | null)?.pid
  } catch {
    // Refused, timed out or not JSON: no collector of ours.
    return undefined
  }
}
