/**
 * Sealed blocks on disk until the store has taken them.
 *
 *   spool/000000000042.json     what is known of the block, and the checksum of its bytes
 *   spool/000000000042.sums     the bytes of its sums, where it has some
 *   spool/000000000042.native   its bytes, nothing else: the embedded engine reads this very file
 *
 * A block is there when its `.native` is, which appears whole (renamed from `.tmp`) and after the others. Numbers only grow.
 */
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Block, BlockFacts, FileBlock, SumsFile } from './store.ts'

/** Layout of the `.json` file. */
const FORMAT = 1
const DATA = '.native'
const FACTS = '.json'
const SUMS = '.sums'
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
  /** When this process wrote or found it. */
  readonly sinceMs: number
  readonly sums?: SumsFile & { readonly crc32: number }
}

interface FactsFile extends BlockFacts {
  format: number
  bytes: number
  crc32: number
  sums?: { columns: readonly string[]; rows: number; bytes: number; crc32: number }
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
   * Blocks that must go so that one more fits, with its sums, oldest first; `undefined` when it never fits. `spared` are left where they are.
   */
  overflow(block: Block, spared: (block: Spooled) => boolean): Spooled[] | undefined {
    const bytes = block.bytes.length + (block.sums?.bytes.length ?? 0)
    if (bytes > this.maxBytes) return undefined
    const gone: Spooled[] = []
    let free = this.maxBytes - this.bytes
    for (const old of this.blocks.values()) {
      if (free >= bytes) break
      if (spared(old)) continue
      gone.push(old)
      free += bytesOf(old)
    }
    return free >= bytes ? gone : undefined
  }

  /** Writes a block. Throws what the file system says (no space, directory gone); nothing is left then. */
  async write(block: Block): Promise<Spooled> {
    const number = this.nextNumber++
    const { bytes, sums } = block
    const file = this.path(number, DATA)
    const facts: FactsFile = { format: FORMAT, ...blockFacts(block), bytes: bytes.length, crc32: crc32(bytes) }
    if (sums !== undefined)
      facts.sums = { columns: sums.columns, rows: sums.rows, bytes: sums.bytes.length, crc32: crc32(sums.bytes) }
    try {
      await mkdir(this.directory, { recursive: true })
      await this.writeFile(this.path(number, FACTS), Buffer.from(JSON.stringify(facts)))
      if (sums !== undefined) await this.writeFile(this.path(number, SUMS), sums.bytes)
      await this.writeFile(file + TEMPORARY, bytes)
      await rename(file + TEMPORARY, file)
      if (this.sync) await this.syncDirectory()
    } catch (error) {
      await this.erase(number)
      throw error
    }
    const spooled = this.spooled(number, facts, true)
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
    const files = block.sums === undefined ? [block] : [block, block.sums]
    for (const file of files) if (!(await isSound(file))) return 'damaged'
    return 'sound'
  }

  /** Moves a block to another directory with the reason beside it. Returns where its bytes are then. */
  async moveTo(directory: string, block: Spooled, reason: string): Promise<string> {
    this.forget(block)
    await mkdir(directory, { recursive: true })
    const name = `${Date.now()}-${fileName(block.number, '')}`
    await this.writeFile(join(directory, name + FACTS), Buffer.from(JSON.stringify({ ...factsOf(block), reason })))
    if (block.sums !== undefined) await rename(block.sums.file, join(directory, name + SUMS))
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
      this.add(this.spooled(number, facts, false))
    }
  }

  private spooled(number: number, facts: FactsFile, own: boolean): Spooled {
    const { bytes: bytesInFile, crc32: sum, sums } = facts
    const block = {
      ...blockFacts(facts),
      number,
      crc32: sum,
      own,
      sinceMs: Date.now(),
      file: this.path(number, DATA),
      bytesInFile,
    }
    if (sums === undefined) return block
    const { columns, rows } = sums
    const file = this.path(number, SUMS)
    return { ...block, sums: { columns, rows, crc32: sums.crc32, file, bytesInFile: sums.bytes } }
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
    for (const suffix of [DATA, DATA + TEMPORARY, SUMS, FACTS]) await rm(this.path(number, suffix), { force: true })
  }

  private add(block: Spooled): void {
    this.blocks.set(block.number, block)
    this.bytes += bytesOf(block)
  }

  private forget(block: Spooled): void {
    if (this.blocks.delete(block.number)) this.bytes -= bytesOf(block)
  }

  private path(number: number, suffix: string): string {
    return join(this.directory, fileName(number, suffix))
  }
}

function fileName(number: number, suffix: string): string {
  return String(number).padStart(12, '0') + suffix
}

function numberOf(name: string): number | undefined {
  const [, digits] = /^(\d{12,15})\.(?:native|json|sums|native\.tmp)$/.exec(name) ?? []
  return digits === undefined ? undefined : Number(digits)
}

function blockFacts({ table, columns, rows, token, replaces, shard }: BlockFacts): BlockFacts {
  const facts = { table, columns, rows, token }
  return { ...facts, ...(replaces === undefined ? {} : { replaces }), ...(shard === undefined ? {} : { shard }) }
}

function factsOf(block: Spooled): FactsFile {
  const { bytesInFile: bytes, crc32: sum, sums } = block
  const facts: FactsFile = { format: FORMAT, ...blockFacts(block), bytes, crc32: sum }
  if (sums === undefined) return facts
  return { ...facts, sums: { columns: sums.columns, rows: sums.rows, bytes: sums.bytesInFile, crc32: sums.crc32 } }
}

/** On disk. */
function bytesOf({ bytesInFile, sums }: Spooled): number {
  return bytesInFile + (sums?.bytesInFile ?? 0)
}

/** Whether a file's bytes are those that were written. */
async function isSound(file: { file: string; bytesInFile: number; crc32: number }): Promise<boolean> {
  let sum = 0
  let bytes = 0
  try {
    for await (const chunk of createReadStream(file.file) as AsyncIterable<Buffer>) {
      sum = crc32(chunk, sum)
      bytes += chunk.length
    }
  } catch {
    // The disk does not give it back.
    return false
  }
  return bytes === file.bytesInFile && sum === file.crc32
}
