/**
 * Blocks that the store refused for good, kept with the reason beside them, up to a number of bytes. To try them again, move the
 * files of a block into the spool and start the collector.
 */
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Spool, Spooled } from './spool.ts'

const DATA = '.native'
const BESIDE = ['.json', '.sums']

export class Quarantine {
  readonly directory: string
  private readonly maxBytes: number

  constructor(directory: string, maxBytes: number) {
    this.directory = directory
    this.maxBytes = maxBytes
  }

  /** Takes a block out of the spool and keeps it here. Returns its file, and how many older blocks had to go for it. */
  async keep(spool: Spool, block: Spooled, reason: string): Promise<{ file: string; evicted: number }> {
    const file = await spool.moveTo(this.directory, block, reason)
    return { file, evicted: await this.evict(file) }
  }

  /** Removes the oldest until the rest fits; the newest stays in any case. */
  private async evict(newest: string): Promise<number> {
    const names = (await readdir(this.directory)).filter((name) => name.endsWith(DATA)).sort()
    const files = await Promise.all(
      names.map(async (name) => ({
        file: join(this.directory, name),
        bytes: (await stat(join(this.directory, name))).size,
      })),
    )
    let bytes = files.reduce((sum, file) => sum + file.bytes, 0)
    let evicted = 0
    for (const old of files) {
      if (bytes <= this.maxBytes || old.file === newest) break
      await rm(old.file, { force: true })
      for (const suffix of BESIDE) await rm(old.file.slice(0, -DATA.length) + suffix, { force: true })
      bytes -= old.bytes
      evicted++
    }
    return evicted
  }
}
