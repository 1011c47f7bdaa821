/**
 * Groups of rows that wait, each of one block, in memory and as files: `late/000000000042.rows` is written before its block goes into
 * the spool, and removed when none of its rows waits any more. So what waits outlives the process.
 */
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RawRows } from './raw-rows.ts'

const SUFFIX = '.rows'

export interface Room {
  readonly number: number
  readonly rows: RawRows
  /** 1 for rows that still wait. */
  readonly waits: Uint8Array
  waiting: number
  /** When its block was sealed, ms since 1970. */
  readonly sinceMs: number
}

export class Rooms {
  private readonly directory: string
  private readonly rooms = new Map<number, Room>()
  private next = 1
  /** Rows that wait, in all rooms. */
  waiting = 0

  constructor(data: string) {
    this.directory = join(data, 'late')
  }

  /** Oldest first. */
  get all(): Iterable<Room> {
    return this.rooms.values()
  }

  get oldest(): Room | undefined {
    return this.rooms.values().next().value
  }

  /** Takes over what an earlier process left; files that cannot be read are removed. */
  async load(sinceMs: number): Promise<void> {
    await mkdir(this.directory, { recursive: true })
    const names = (await readdir(this.directory)).toSorted()
    for (const name of names) {
      const [, digits, ms] = /^(\d{12})-(\d{13})\.rows$/.exec(name) ?? []
      const file = join(this.directory, name)
      if (digits !== undefined) this.next = Math.max(this.next, Number(digits) + 1)
      const fresh = digits !== undefined && Number(ms) >= sinceMs
      const rows = fresh ? RawRows.fromBytes(await readFile(file)) : undefined
      if (rows === undefined) await rm(file, { force: true })
      else this.enter({ number: Number(digits), rows, waits: ones(rows.rows), waiting: rows.rows, sinceMs: Number(ms) })
    }
  }

  /** Opens a room and writes its file. Rejects when that fails; the room is there all the same, it only does not outlive us. */
  async open(rows: RawRows, sinceMs: number): Promise<void> {
    const room = { number: this.next++, rows, waits: ones(rows.rows), waiting: rows.rows, sinceMs }
    this.enter(room)
    const file = this.fileOf(room)
    await mkdir(this.directory, { recursive: true })
    await writeFile(`${file}.part`, rows.toBytes())
    await rename(`${file}.part`, file)
    // It may have been closed meanwhile.
    if (!this.rooms.has(room.number)) await rm(file, { force: true })
  }

  /** A row does not wait any more. */
  leave(room: Room, row: number): void {
    if (room.waits[row] === 0) return
    room.waits[row] = 0
    room.waiting--
    this.waiting--
  }

  /** Closes a room with all that still wait in it; how many those were. */
  async close(room: Room): Promise<number> {
    const { waiting } = room
    this.rooms.delete(room.number)
    this.waiting -= waiting
    room.waiting = 0
    room.waits.fill(0)
    await rm(this.fileOf(room), { force: true })
    return waiting
  }

  private enter(room: Room): void {
    this.rooms.set(room.number, room)
    this.waiting += room.waiting
  }

  private fileOf({ number, sinceMs }: Room): string {
    const digits = (value: number, width: number) => String(value).padStart(width, '0')
    return join(this.directory, `${digits(number, 12)}-${digits(sinceMs, 13)}${SUFFIX}`)
  }
}

function ones(count: number): Uint8Array {
  return new Uint8Array(count).fill(1)
}
