/** Runs what a database lacks of MIGRATIONS. */
import { AppError } from '../../errors.ts'
import { storedIn } from '../../schema/cluster.ts'
import { type DdlTarget, FLOWS, type TableSpec, alterStored, createTable, qualified, quote } from '../../schema/ddl.ts'
import type { QueryPlan, Rows } from '../store.ts'
import { type ColumnInUse, alignTable, alteredColumns } from './align.ts'
import { ALIGNED_TABLES, MIGRATIONS, MIGRATIONS_TABLE, type Migration } from './migrations.ts'

/** What migrating needs of a store. */
export interface Database {
  /** What messages call it. */
  readonly name: string
  readonly target: DdlTarget
  /** Runs a statement without an answer. Errors: store_unreachable, store_refused. */
  run(sql: string): Promise<void>
  query(plan: QueryPlan): Promise<Rows>
}

/** Program and version, recorded beside each migration. */
const PROGRAM = 'ovsight'

/**
 * Brings a database up to date; does nothing when it is. Errors: store_newer, store_unreachable, store_refused.
 *
 * `migrations` and `tables` are parameters for tests only.
 */
export async function migrate(
  database: Database,
  migrations: readonly Migration[] = MIGRATIONS,
  tables: readonly TableSpec[] = ALIGNED_TABLES,
): Promise<void> {
  const { target } = database
  const done = await doneVersion(database)
  const newest = migrations.at(-1)?.version ?? 0
  if (done > newest)
    throw new AppError(
      'store_newer',
      `the database of ${database.name} has schema version ${done}, this ovsight knows versions up to ${newest}; ` +
        'upgrade ovsight, or give it another database',
    )
  // Before, since a migration may read any column; after, for the tables that are new.
  await align(database, tables)
  const table = qualified(target, MIGRATIONS_TABLE.name)
  for (const { version, name, statements } of migrations) {
    if (version <= done) continue
    for (const statement of statements(target)) await database.run(statement)
    await database.run(
      `INSERT INTO ${table} (version, name, program) VALUES (${version}, ${quote(name)}, ${quote(PROGRAM)})`,
    )
  }
  await align(database, tables)
  await refuseAltered(database, tables)
}

/** Errors: store_refused, naming what somebody has altered by hand. */
async function refuseAltered(database: Database, tables: readonly TableSpec[]): Promise<void> {
  const { rows } = await database.query({
    sql: 'SELECT table, name, type FROM system.columns WHERE database = {database:String}',
    params: { database: database.target.database },
  })
  const inUse = rows as unknown as (ColumnInUse & { table: string })[]
  const altered = tables.flatMap((spec) =>
    alteredColumns(
      spec,
      inUse.filter(({ table }) => table === storedIn(database.target, spec.name)),
    ),
  )
  if (altered.length > 0)
    throw new AppError(
      'store_refused',
      `the database of ${database.name} was altered by hand: ${altered[0]!}${altered.length > 1 ? `, and ${altered.length - 1} more` : ''}; alter it back, or give another database`,
      { details: altered.slice(1) },
    )
}

/** Brings the columns of the tables that are there up to date: on a cluster of what holds the rows, then of what is asked. */
async function align(database: Database, tables: readonly TableSpec[]): Promise<void> {
  const { target } = database
  const named = tables.flatMap((spec) =>
    [...new Set([storedIn(target, spec.name), spec.name])].map((name) => ({ ...spec, name })),
  )
  for (const spec of named) {
    const inUse = await columnsInUse(database, spec)
    if (inUse.length === 0) continue
    for (const statement of alignTable(spec, inUse, target)) await database.run(statement)
  }
}

/** The newest version recorded; 0 for a new database. Makes the table of migrations when it is missing. */
async function doneVersion(database: Database): Promise<number> {
  const { target } = database
  const known = await columnsInUse(database, MIGRATIONS_TABLE)
  if (known.length === 0) {
    for (const statement of createTable(MIGRATIONS_TABLE, target)) await database.run(statement)
    return 0
  }
  const { rows } = await database.query({
    sql: `SELECT max(version) AS version FROM ${qualified(target, MIGRATIONS_TABLE.name)}`,
    params: {},
  })
  return Number(rows[0]?.['version'] ?? 0)
}

async function columnsInUse(database: Database, table: TableSpec): Promise<ColumnInUse[]> {
  const { rows } = await database.query({
    sql: 'SELECT name, type FROM system.columns WHERE database = {database:String} AND table = {table:String}',
    params: { database: database.target.database, table: table.name },
  })
  return rows as unknown as ColumnInUse[]
}

/** Whether blocks are on the disk itself when they are acknowledged, not only in the kernel's cache. */
export function syncStatement(target: DdlTarget, sync: boolean): string {
  const value = sync ? 1 : 0
  return `${alterStored(target, FLOWS)} MODIFY SETTING fsync_after_insert = ${value}, fsync_part_directory = ${value}`
}
