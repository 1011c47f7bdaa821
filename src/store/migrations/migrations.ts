/**
 * THE list of migrations. A number is given once and for ever; a change of the column table that databases in use must follow gets a
 * new one, even where `align` (align.ts) does its work, so that an older ovsight refuses the database.
 *
 * Statements are idempotent: a migration that was cut in the middle is run again from its beginning, and two collectors may
 * migrate one database at the same time.
 */
import { type DdlTarget, FLOWS_TABLE, type TableSpec, createTable } from '../../schema/ddl.ts'
import { SIDE_TABLES, sideTableSpec } from '../../schema/side-tables.ts'

export interface Migration {
  version: number
  /** What it does, recorded in the database. */
  name: string
  statements: (target: DdlTarget) => readonly string[]
}

export const MIGRATIONS: readonly Migration[] = [
  { version: 1, name: 'flow records', statements: (target) => [createTable(FLOWS_TABLE, target)] },
  // The column itself is added by `align`.
  { version: 2, name: 'rows that wait to be resolved again', statements: () => [] },
  {
    version: 3,
    name: 'health of exporters, counters of interfaces, audit',
    statements: (target) => SIDE_TABLES.map((table) => createTable(sideTableSpec(table), target)),
  },
]

/** Where the migrations done are recorded. */
export const MIGRATIONS_TABLE: TableSpec = {
  name: 'migrations',
  doc: 'Migrations of this database that are done.',
  columns: [
    { name: 'version', type: 'UInt32' },
    { name: 'name', type: 'String' },
    { name: 'program', type: 'String' },
    { name: 'done_at', type: "DateTime('UTC') DEFAULT now()" },
  ],
  orderBy: ['version'],
  settings: {},
}

/** Tables whose columns follow the tables of `schema/`. */
export const ALIGNED_TABLES: readonly TableSpec[] = [FLOWS_TABLE, ...SIDE_TABLES.map(sideTableSpec)]
