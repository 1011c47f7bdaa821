/** The rows of a block that wait: numbered and copied while the block is attributed, on the thread that does it. */
import { randomInt } from 'node:crypto'
import type { OnUnsure } from '../attribute/unsure.ts'
import { setU64 } from '../schema/batch.ts'
import { RawRows } from './raw-rows.ts'

/** Of the rows that may wait, so many of one block: a flood of unknowns costs a share of the time only. */
const BLOCK_SHARE = 1 / 16

/** Options that say whether anything waits at all; the names are those of the options. */
export interface WaitOptions {
  identity: string | null
  os_cloud: string | null
  ovsdb_listen: string | null
  ovn_southbound: string | null
}

/** Without a source nothing will ever be known. */
function waitsForModel({ identity, os_cloud, ovsdb_listen, ovn_southbound }: WaitOptions): boolean {
  return [identity, os_cloud, ovsdb_listen, ovn_southbound].some((source) => source !== null)
}

/** Whether a source may tell of ports after OVSDB did; where none may, what OVSDB says is all. */
export function expectsPorts({ identity, os_cloud, ovn_southbound }: WaitOptions): boolean {
  return [identity, os_cloud, ovn_southbound].some((source) => source !== null)
}

/** Numbers for rows; of this thread, as good as certainly: no other row received in these minutes has one of them. Below 2^53. */
export class RowNumbers {
  private last = randomInt(1, 2 ** 20) * 2 ** 32 + randomInt(2 ** 31)

  next(): number {
    return ++this.last
  }
}

export class UnsureRows {
  private readonly told: RawRows
  private readonly numbers = new RowNumbers()
  private refused = 0
  private wanted = true

  /** `maxRows` may wait in all; `options` say whether any does, else they do. */
  constructor(maxRows: number, options?: WaitOptions) {
    if (options !== undefined) this.follow(options)
    this.told = new RawRows(Math.max(1, Math.floor(maxRows * BLOCK_SHARE)))
  }

  /** Other sources: whether rows wait from now on. */
  follow(options: WaitOptions): void {
    this.wanted = waitsForModel(options)
  }

  /** For the attributor: numbers the row, and keeps a copy. */
  readonly onUnsure: OnUnsure = (batch, row, ends, source, destination) => {
    if (!this.wanted) return
    if (this.told.full) {
      this.refused++
      return
    }
    const id = this.numbers.next()
    setU64(batch.columns.late_id, row, id)
    this.told.add(batch, row, { id, ends, known: [source, destination] })
  }

  /** What was told since the last block, and how many rows found no place. undefined when nothing was. */
  take(): { rows: RawRows; refused: number } | undefined {
    const { told, refused } = this
    if (told.rows === 0 && refused === 0) return undefined
    const rows = told.trimmed()
    told.clear()
    this.refused = 0
    return { rows, refused }
  }
}
