/** Size of the store and room on its disks, read now and then for those who ask for metrics. */
import { AppError } from '../errors.ts'
import type { Store } from '../store/store.ts'
import type { Readers, Sample } from '../telemetry/metrics.ts'

const TABLES = `SELECT table, sum(rows) AS n, sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND database = {database:String} GROUP BY table ORDER BY table`
const DISKS = `SELECT name, unreserved_space AS free FROM system.disks WHERE type = 'Local'`

export class StoreFigures {
  readonly readers: Readers = {
    ovsight_store_rows: () => this.rows,
    ovsight_store_bytes: () => this.bytes,
    ovsight_store_free_bytes: () => this.free,
  }

  private readonly store: Store
  private rows: Sample[] = []
  private bytes: Sample[] = []
  private free: Sample[] = []

  constructor(store: Store) {
    this.store = store
  }

  /** Reads anew. What a store that does not answer was like is not told. */
  async look(): Promise<void> {
    try {
      const { database } = this.store
      const [tables, disks] = await Promise.all([
        this.store.query({ sql: TABLES, params: { database } }),
        this.store.query({ sql: DISKS, params: {} }),
      ])
      const figures = (column: string): Sample[] =>
        tables.rows.map((row) => [Number(row[column]), String(row['table'])])
      this.rows = figures('n')
      this.bytes = figures('bytes')
      this.free = disks.rows.map((row) => [Number(row['free']), String(row['name'])])
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      this.rows = this.bytes = this.free = []
    }
  }
}
