import { createHash } from 'node:crypto'
import { z } from 'zod'
import { AppError } from '../errors.ts'

/** Asks Keystone about a token: `GET /v3/auth/tokens` with it as the subject. Errors: cloud_…. */
export type AskKeystone = (subjectToken: string) => Promise<unknown>

export interface KeystoneWho {
  /** Project id; null for an operator of the cloud. */
  readonly project: string | null
  readonly name: string
  readonly expiresMs: number
}

const ANSWER = z.object({
  token: z.object({
    expires_at: z.string(),
    project: z.object({ id: z.string().min(1), name: z.string().optional() }).optional(),
    user: z.object({ id: z.string(), name: z.string() }).optional(),
    roles: z.array(z.object({ name: z.string() })).default([]),
  }),
})

/** A token that Keystone does not know is not asked about again for so long. */
const REFUSED_MS = 10_000
const MAX_LENGTH = 4096

/**
 * Tokens of Keystone, checked against Keystone and remembered until they expire, by their hash. One with the role admin is an operator's,
 * any other that is of a project sees that project.
 */
export class KeystoneTokens {
  private readonly ask: AskKeystone
  private readonly most: number
  private readonly onForget: () => void
  private readonly known = new Map<string, { who: KeystoneWho | undefined; untilMs: number }>()

  /** Remembers `most` answers; `onForget` is told of each that goes before its time. */
  constructor(ask: AskKeystone, most: number, onForget = () => {}) {
    this.ask = ask
    this.most = most
    this.onForget = onForget
  }

  /** Whose a token is; undefined when it is nobody's. Errors: cloud_unreachable and others when Keystone does not answer. */
  async find(token: string, nowMs: number): Promise<KeystoneWho | undefined> {
    if (token.length > MAX_LENGTH || !/^[\x21-\x7e]+$/.test(token)) return undefined
    const key = createHash('sha256').update(token).digest('hex')
    const kept = this.known.get(key)
    if (kept !== undefined && kept.untilMs > nowMs) return kept.who
    const who = await this.asked(token)
    const good = who !== undefined && who.expiresMs > nowMs ? who : undefined
    this.known.delete(key)
    this.known.set(key, { who: good, untilMs: good?.expiresMs ?? nowMs + REFUSED_MS })
    if (this.known.size > this.most) {
      this.known.delete(this.known.keys().next().value!)
      this.onForget()
    }
    return good
  }

  private async asked(token: string): Promise<KeystoneWho | undefined> {
    let answer: unknown
    try {
      answer = await this.ask(token)
    } catch (error) {
      // 404: no such token. Keystone that does not answer at all is another matter.
      if (error instanceof AppError && error.code === 'cloud_refused') return undefined
      throw error
    }
    const parsed = ANSWER.safeParse(answer)
    if (!parsed.success) return undefined
    const { expires_at, project, user, roles } = parsed.data.token
    const admin = roles.some(({ name }) => name === 'admin')
    if (!admin && project === undefined) return undefined
    const name = `keystone ${user?.name ?? user?.id ?? ''} of ${project?.name ?? project?.id ?? 'no project'}`
    return { project: admin ? null : project!.id, name, expiresMs: Date.parse(expires_at) }
  }
}
