/** Local times of a zone as UTC. */
import { AppError } from '../errors.ts'

const QUARTER_MS = 900_000
const MAX_KNOWN = 100_000

export class Zone {
  private readonly format: Intl.DateTimeFormat | undefined
  private readonly known = new Map<number, number>()

  /** A name of the IANA list: `UTC`, `Europe/Vienna`. Errors: usage. */
  constructor(name: string) {
    try {
      if (name !== 'UTC')
        this.format = new Intl.DateTimeFormat('en-GB', { timeZone: name, dateStyle: 'short', timeStyle: 'medium' })
    } catch {
      throw new AppError(
        'usage',
        `--zone ${JSON.stringify(name.slice(0, 60))} is no time zone; write UTC or Europe/Vienna`,
      )
    }
  }

  /** `ms` as if the clock of the zone were UTC → ms since 1970. Of an hour that comes twice the first is meant. */
  utc(ms: number): number {
    if (this.format === undefined) return ms
    const offset = this.offset(ms - this.offset(ms))
    const earlier = this.offset(ms - QUARTER_MS * 8 - offset)
    return ms - (this.offset(ms - earlier) === earlier ? earlier : offset)
  }

  /** How far the zone is ahead of UTC at a moment. It changes at whole quarters of an hour. */
  private offset(ms: number): number {
    const quarter = Math.floor(ms / QUARTER_MS) * QUARTER_MS
    const known = this.known.get(quarter)
    if (known !== undefined) return known
    const [, day, month, year, hour, minute, second] =
      /(\d+)\/(\d+)\/(\d+), (\d+):(\d+):(\d+)/.exec(this.format!.format(quarter)) ?? []
    const local = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second))
    if (this.known.size >= MAX_KNOWN) this.known.clear()
    this.known.set(quarter, local - quarter)
    return local - quarter
  }
}
