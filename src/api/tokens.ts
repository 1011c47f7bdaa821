import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { chmodSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { AppError } from '../errors.ts'

/**
 * Bearer tokens of the API, in `tokens.json` of the data directory: hashes only, so whoever reads the file cannot use it.
 *
 *   ovs_<id>_<secret>     id 8 hex digits, secret 32 random bytes in base64url
 *
 * The secret has 256 bits, so one SHA-256 is as good as a slow hash.
 */
const TOKEN_FILE = 'tokens.json'
const TOKEN = /^ovs_([0-9a-f]{8})_([A-Za-z0-9_-]{43})$/

const ENTRY = z.object({
  id: z.string(),
  hash: z.string().length(64),
  /** Project id; null is an operator, who sees everything. */
  project: z.string().min(1).nullable(),
  name: z.string(),
  created_at: z.string(),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
})
export type TokenEntry = z.output<typeof ENTRY>
const FILE = z.array(ENTRY)

export interface NewToken {
  project: string | null
  name: string
  expiresMs: number | null
}

/** Makes a token and keeps its hash; the token itself is shown this once. Errors: data_dir_unwritable, file_unreadable. */
export function createToken(
  data: string,
  { project, name, expiresMs }: NewToken,
  nowMs: number,
): { token: string; entry: TokenEntry } {
  const [id, secret] = [randomBytes(4).toString('hex'), randomBytes(32).toString('base64url')]
  const entry: TokenEntry = {
    id,
    hash: hashOf(secret),
    project,
    name,
    created_at: new Date(nowMs).toISOString(),
    expires_at: expiresMs === null ? null : new Date(expiresMs).toISOString(),
    revoked_at: null,
  }
  writeTokens(data, [...readTokens(data), entry])
  return { token: `ovs_${id}_${secret}`, entry }
}

/** Errors: usage when there is no such token; data_dir_unwritable, file_unreadable. */
export function revokeToken(data: string, id: string, nowMs: number): void {
  const entries = readTokens(data)
  if (!entries.some((entry) => entry.id === id)) throw new AppError('usage', `no token has the id ${JSON.stringify(id.slice(0, 40))}`) // prettier-ignore
  const revoked_at = new Date(nowMs).toISOString()
  writeTokens(data, entries.map((entry) => (entry.id === id ? { ...entry, revoked_at: entry.revoked_at ?? revoked_at } : entry))) // prettier-ignore
}

/** All tokens, also those that are no longer good. Errors: file_unreadable when the file is not what it should be. */
export function readTokens(data: string): TokenEntry[] {
  const path = join(data, TOKEN_FILE)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw new AppError('file_unreadable', `cannot read ${path}: ${(cause as Error).message}`, { cause })
  }
  try {
    return FILE.parse(JSON.parse(text))
  } catch (cause) {
    throw new AppError('file_unreadable', `${path} is no list of tokens; mend or remove it`, { cause })
  }
}

function writeTokens(data: string, entries: readonly TokenEntry[]): void {
  const path = join(data, TOKEN_FILE)
  try {
    writeFileSync(`${path}.tmp`, `${JSON.stringify(entries, null, 2)}\n`, { mode: 0o600 })
    chmodSync(`${path}.tmp`, 0o600)
    renameSync(`${path}.tmp`, path)
  } catch (cause) {
    throw new AppError('data_dir_unwritable', `cannot write ${path}: ${(cause as Error).message}`, { cause })
  }
}

/** Checks tokens; reads the file again when it has changed, so a token that was made or revoked holds at once. */
export class TokenBook {
  private readonly data: string
  private entries: ReadonlyMap<string, TokenEntry> = new Map()
  private stamp = ''

  constructor(data: string) {
    this.data = data
  }

  /** The entry of a token that is good; undefined for any other text. Errors: file_unreadable. */
  find(token: string, nowMs: number): TokenEntry | undefined {
    const [, id, secret] = TOKEN.exec(token) ?? []
    if (id === undefined || secret === undefined) return undefined
    this.refresh()
    const entry = this.entries.get(id)
    // An unknown id costs the same comparison.
    const known = Buffer.from(entry?.hash ?? '0'.repeat(64), 'hex')
    if (!timingSafeEqual(known, Buffer.from(hashOf(secret), 'hex')) || entry === undefined) return undefined
    if (entry.revoked_at !== null) return undefined
    return entry.expires_at !== null && Date.parse(entry.expires_at) <= nowMs ? undefined : entry
  }

  private refresh(): void {
    const stamp = stampOf(join(this.data, TOKEN_FILE))
    if (stamp === this.stamp) return
    this.entries = new Map(readTokens(this.data).map((entry) => [entry.id, entry]))
    this.stamp = stamp
  }
}

function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat === undefined ? 'none' : `${stat.ino} ${stat.mtimeMs} ${stat.size}`
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}
