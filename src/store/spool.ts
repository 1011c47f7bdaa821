/**
 * Sealed blocks on disk until the store has taken them.
 *
 *   spool/000000000042.json     what is known of the block, and the checksum of its bytes
 *   spool/000000000042.native   its bytes, nothing else: the embedded engine reads this very file
 *
 * A block is there when its `.native` is, which appears whole (renamed from `.tmp`) and after its `.json`. Numbers only grow.
 */
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Block, BlockFacts, FileBlock } from './store.ts'

/** Layout of the `.json` file. */
const FORMAT = 1
const DATA = '.native'
const FACTS = '.json'
const TEMPORARY = '.tmp'

export interface SpoolOptions {
  directory: string
  /** Blocks beyond this many bytes push the oldest out. */
  maxBytes: number
  /** Whether a block is on the disk itself when `write` resolves, not only in the kernel's cache. */
  sync: boolean
}

/** A block in the spool. */
export interface Spooled extends FileBlock {
  readonly number: number
  readonly crc32: number
  /** Whether this process wrote it; another's is checked before it is used. */
  readonly own: boolean
}

interface FactsFile extends BlockFacts {
  format: number
  bytes: number
  crc32: number
  /** In quarantine: why it is there. */
  reason?: string
}

export class Spool {
  readonly directory: string
  /** Bytes of the blocks that are there. */
  bytes = 0

  private readonly maxBytes: number
  private readonly sync: boolean
  private readonly blocks = new Map<number, Spooled>()
  private nextNumber = 1

  private constructor({ directory, maxBytes, sync }: SpoolOptions) {
    this.directory = directory
    this.maxBytes = maxBytes
    this.sync = sync
  }

  /** Opens a spool with the blocks that an earlier process left. What is not whole is removed. */
  static async open(options: SpoolOptions): Promise<Spool> {
    const spool = new Spool(options)
    await mkdir(spool.directory, { recursive: true })
    await spool.scan()
    return spool
  }

  has(block: Spooled): boolean {
    return this.blocks.has(block.number)
  }

  /** Blocks, oldest first. */
  get waiting(): Iterable<Spooled> {
    return this.blocks.values()
  }

  get size(): number {
    return this.blocks.size
  }

  /**
   * Blocks that must go so that `bytes` more fit, oldest first; `undefined` when they never fit. `spared` are left where they are.
   */
  overflow(bytes: number, spared: (block: Spooled) => boolean): Spooled[] | undefined {
    if (bytes > this.maxBytes) return undefined
    const gone: Spooled[] = []
    let free = this.maxBytes - this.bytes
    for (const block of this.blocks.values()) {
      if (free >= bytes) break
      if (spared(block)) continue
      gone.push(block)
      free += block.bytesInFile
    }
    return free >= bytes ? gone : undefined
  }

  /** Writes a block. Throws what the file system says (no space, directory gone); nothing is left then. */
  async write(block: Block): Promise<Spooled> {
    const number = this.nextNumber++
    const { bytes } = block
    const file = this.path(number, DATA)
    const facts = {
      format: FORMAT,
      ...blockFacts(block),
      bytes: bytes.length,
      crc32: crc32(bytes),
    } satisfies FactsFile
    try {
      await mkdir(this.directory, { recursive: true })
      await this.writeFile(this.path(number, FACTS), Buffer.from(JSON.stringify(facts)))
      await this.writeFile(file + TEMPORARY, bytes)
      await rename(file + TEMPORARY, file)
      if (this.sync) await this.syncDirectory()
    } catch (error) {
      await this.erase(number)
      throw error
    }
    const spooled: Spooled = {
      ...blockFacts(facts),
      number,
      crc32: facts.crc32,
      own: true,
      file,
      bytesInFile: bytes.length,
    }
    this.add(spooled)
    return spooled
  }

  /** Forgets a block and removes its files. */
  async remove(block: Spooled): Promise<void> {
    this.forget(block)
    await this.erase(block.number)
  }

  /** Whether the bytes are there and, where another process wrote them, are those that were written. */
  async state(block: Spooled): Promise<'sound' | 'damaged' | 'gone'> {
    if (!existsSync(block.file)) return 'gone'
    if (block.own) return 'sound'
    let sum = 0
    let bytes = 0
    try {
      for await (const chunk of createReadStream(block.file) as AsyncIterable<Buffer>) {
        sum = crc32(chunk, sum)
        bytes += chunk.length
      }
    } catch {
      // The disk does not give it back.
      return 'damaged'
    }
    return bytes === block.bytesInFile && sum === block.crc32 ? 'sound' : 'damaged'
  }

  /** Moves a block to another directory with the reason beside it. Returns where its bytes are then. */
  async moveTo(directory: string, block: Spooled, reason: string): Promise<string> {
    this.forget(block)
    await mkdir(directory, { recursive: true })
    const name = `${Date.now()}-${fileName(block.number, '')}`
    const { bytesInFile: bytes, crc32: sum } = block
    const facts: FactsFile = { format: FORMAT, ...blockFacts(block), bytes, crc32: sum, reason }
    await this.writeFile(join(directory, name + FACTS), Buffer.from(JSON.stringify(facts)))
    await rename(block.file, join(directory, name + DATA))
    await this.erase(block.number)
    return join(directory, name + DATA)
  }

  private async scan(): Promise<void> {
    const names = await readdir(this.directory)
    const numbers = new Set(names.map(numberOf).filter((number) => number !== undefined))
    for (const number of [...numbers].sort((a, b) => a - b)) {
      this.nextNumber = Math.max(this.nextNumber, number + 1)
      const file = this.path(number, DATA)
      if (!existsSync(file)) {
        await this.erase(number)
        continue
      }
      const facts = await this.readFacts(number)
      if (facts === undefined) {
        // Without its facts nobody knows which table it is for. Kept beside under a name that is not read again.
        await rename(file, `${file}.orphan`)
        await this.erase(number)
        continue
      }
      this.add({ ...blockFacts(facts), number, crc32: facts.crc32, own: false, file, bytesInFile: facts.bytes })
    }
  }

  private async readFacts(number: number): Promise<FactsFile | undefined> {
    try {
      const facts = JSON.parse(await readFile(this.path(number, FACTS), 'utf8')) as FactsFile
      return facts.format === FORMAT && Array.isArray(facts.columns) && typeof facts.table === 'string'
        ? facts
        : undefined
    } catch {
      // Missing or torn: after a power loss without `sync`, or a damaged disk.
      return undefined
    }
  }

  private async writeFile(path: string, bytes: Uint8Array): Promise<void> {
    const file = await open(path, 'w')
    try {
      await file.writeFile(bytes)
      if (this.sync) await file.sync()
    } finally {
      await file.close()
    }
  }

  private async syncDirectory(): Promise<void> {
    const directory = await open(this.directory, 'r')
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  }

  private async erase(number: number): Promise<void> {
    // The data first: facts without data are nothing.
    for (const suffix of [DATA, DATA + TEMPORARY, FACTS]) await rm(this.path(number, suffix), { force: true })
  }

  private add(block: Spooled): void {
    this.blocks.set(block.number, block)
    this.bytes += block.bytesInFile
  }

  private forget(block: Spooled): void {
    if (this.blocks.delete(block.number)) this.bytes -= block.bytesInFile
  }

  private path(number: number, suffix: string): string {
    return join(this.directory, fileName(number, suffix))
  }
}

function fileName(number: number, suffix: string): string {
  return String(number).padStart(12, '0') + suffix
}

function numberOf(name: string): number | undefined {
  const [, digits] = /^(\d{12,15})\.(?:native|json|native\.tmp)$/.exec(name) ?? []
  return digits === undefined ? undefined : Number(digits)
}

function blockFacts({ table, columns, rows, token, replaces }: BlockFacts): BlockFacts {
  return { table, columns, rows, token, ...(replaces === undefined ? {} : { replaces }) }
}
