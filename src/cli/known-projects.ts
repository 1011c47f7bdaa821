/** Which projects there are, for tokens of one that is no more. */
import type { IdentityApi } from '../api/identity.ts'

/** How long it is believed. */
const BELIEVED_MS = 5_000
const MOST = 1_000_000

/** The projects of the model; nothing is known while the model has none. */
export class KnownProjects {
  private readonly identity: Pick<IdentityApi, 'show'>
  private ids: ReadonlySet<string> = new Set()
  private readMs = -Infinity
  private reading: Promise<void> = Promise.resolve()

  constructor(identity: Pick<IdentityApi, 'show'>) {
    this.identity = identity
  }

  async has(id: string): Promise<boolean | undefined> {
    await this.refresh()
    return this.ids.size === 0 ? undefined : this.ids.has(id)
  }

  /** Nobody is let in by what is not read yet; later what was read serves while it is read again. */
  private async refresh(): Promise<void> {
    const now = performance.now()
    if (now - this.readMs >= BELIEVED_MS) {
      this.readMs = now
      this.reading = this.read()
      // What cannot be read again is as before.
      this.reading.catch(() => {})
    }
    if (this.ids.size === 0) await this.reading
  }

  private async read(): Promise<void> {
    const { rows } = await this.identity.show('projects', undefined, MOST)
    this.ids = new Set(rows.flatMap((row) => ('project_id' in row ? [String(row.project_id)] : [])))
  }
}
