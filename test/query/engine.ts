/** A table of flow records in the embedded engine, for tests of what the SQL means. */
import { Session } from 'chdb'
import { COLUMN_NAMES, type ColumnName } from '../../src/schema/columns.ts'
import { columnType } from '../../src/schema/types.ts'
import type { Asker } from '../../src/query/plan.ts'

/** A record as a test writes it: only what matters, the rest is zero or empty. Times in milliseconds. */
export type Record_ = Partial<Record<ColumnName, string | number>>

export interface Engine extends Asker {
  readonly name: string
  insert(records: readonly Record_[]): void
  close(): void
}

export function openEngine(): Engine {
  const session = new Session()
  const columns = COLUMN_NAMES.map((name) => `${name} ${columnType(name)}`)
  session.query('CREATE DATABASE IF NOT EXISTS test')
  session.query('USE test')
  session.query(`CREATE TABLE flows (${columns.join(', ')}) ENGINE = MergeTree ORDER BY flow_end`)
  return {
    name: 'embedded test',
    insert(records) {
      const lines = records.map((record) => JSON.stringify(record)).join('\n')
      session.query(`INSERT INTO flows (${COLUMN_NAMES.join(', ')}) FORMAT JSONEachRow ${lines}`)
    },
    query({ sql, params }) {
      const text = session.queryBind(sql, { ...params }, 'JSONEachRow')
      const rows = text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>)
      return Promise.resolve({ rows })
    },
    close: () => session.cleanup(),
  }
}
