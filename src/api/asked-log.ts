import { appendFile, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Asked } from './access.ts'

/** The log of who asked what: `asked.jsonl` in the data directory, an object a request; when it is full one older file is kept. */
const FILE = 'asked.jsonl'
const MAX_BYTES = 64 * 1024 * 1024
/** Requests that may wait for the disk; more are counted, not kept. */
const MAX_WAITING = 10_000

export class AskedLog {
  /** Requests that could not be written. */
  lost = 0

  private readonly path: string
  private readonly onFault: (error: unknown) => void
  private waiting: string[] = []
  private writing: Promise<void> | undefined

  constructor(data: string, onFault: (error: unknown) => void) {
    this.path = join(data, FILE)
    this.onFault = onFault
  }

  add(asked: Asked): void {
    if (this.waiting.length >= MAX_WAITING) this.lost++
    else this.waiting.push(`${JSON.stringify(asked)}\n`)
    this.writing ??= this.write()
  }

  /** Until all is written. */
  async flush(): Promise<void> {
    while (this.writing !== undefined) await this.writing
  }

  private async write(): Promise<void> {
    while (this.waiting.length > 0) {
      const lines = this.waiting
      this.waiting = []
      try {
        const size = (await stat(this.path).catch(() => undefined))?.size ?? 0
        if (size > MAX_BYTES) await rename(this.path, `${this.path}.1`)
        await appendFile(this.path, lines.join(''), { mode: 0o600 })
      } catch (error) {
        this.lost += lines.length
        this.onFault(error)
      }
    }
    this.writing = undefined
  }
}
