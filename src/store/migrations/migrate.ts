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
  // One question tells all columns, so that a start that finds nothing to do costs two.
  let inUse = await columnsInUse(database)
  const done = await doneVersion(database, inUse)
  const newest = migrations.at(-1)?.version ?? 0
  if (done > newest)
    throw new AppError(
      'store_newer',
      `the database of ${database.name} has schema version ${done}, this ovsight knows versions up to ${newest}; ` +
        'upgrade ovsight, or give it another database',
    )
  const lacking = migrations.filter(({ version }) => version > done)
  const filled = inUse.has(storedIn(target, FLOWS))
  // Before, since a migration may read any column; after, for the tables that are new.
  const aligned = await align(database, tables, inUse)
  for (const { version, name, statements, fill } of lacking) {
    for (const statement of statements(target)) await database.run(statement)
    if (filled) for (const statement of fill?.(target) ?? []) await database.run(statement)
    await database.run(
      `INSERT INTO ${qualified(target, MIGRATIONS_TABLE.name)} (version, name, program) VALUES (${version}, ${quote(name)}, ${quote(PROGRAM)})`,
    )
  }
  if (lacking.length > 0) {
    await align(database, tables, await columnsInUse(database))
    inUse = await columnsInUse(database)
  } else if (aligned) inUse = await columnsInUse(database)
  refuseAltered(database, tables, inUse)
}

/** Columns of every table, by its name. */
type InUse = ReadonlyMap<string, readonly ColumnInUse[]>

/** Errors: store_refused, naming what somebody has altered by hand. */
function refuseAltered(database: Database, tables: readonly TableSpec[], inUse: InUse): void {
  const altered = tables.flatMap((spec) => alteredColumns(spec, inUse.get(storedIn(database.target, spec.name)) ?? []))
  if (altered.length > 0)
    throw new AppError(
      'store_refused',
      `the database of ${database.name} was altered by hand: ${altered[0]!}${altered.length > 1 ? `, and ${altered.length - 1} more` : ''}; alter it back, or give another database`,
      { details: altered.slice(1) },
    )
}

/**
 * Brings the columns of the tables that are there up to date: on a cluster of what holds the rows, then of what is asked. True when there
 * was something to do.
 */
async function align(database: Database, tables: readonly TableSpec[], inUse: InUse): Promise<boolean> {
  const { target } = database
  const named = tables.flatMap((spec) =>
    [...new Set([storedIn(target, spec.name), spec.name])].map((name) => ({ ...spec, name })),
  )
  const statements = named.flatMap((spec) => {
    const columns = inUse.get(spec.name)
    return columns === undefined ? [] : alignTable(spec, columns, target)
  })
  for (const statement of statements) await database.run(statement)
  return statements.length > 0
}

/** The newest version recorded; 0 for a new database. Makes the table of migrations when it is missing. */
async function doneVersion(database: Database, inUse: InUse): Promise<number> {
  const { target } = database
  if (!inUse.has(MIGRATIONS_TABLE.name)) {
    for (const statement of createTable(MIGRATIONS_TABLE, target)) await database.run(statement)
    return 0
  }
  const { rows } = await database.query({
    sql: `SELECT max(version) AS version FROM ${qualified(target, MIGRATIONS_TABLE.name)}`,
    params: {},
  })
  return Number(rows[0]?.['version'] ?? 0)
}

async function columnsInUse(database: Database): Promise<InUse> {
  const { rows } = await database.query({
    sql: 'SELECT table, name, type FROM system.columns WHERE database = {database:String}',
    params: { database: database.target.database },
  })
  const inUse = new Map<string, ColumnInUse[]>()
  for (const { table, name, type } of rows as unknown as (ColumnInUse & { table: string })[]) {
    const columns = inUse.get(table) ?? []
    columns.push({ name, type })
    inUse.set(table, columns)
  }
  return inUse
}

/**
 * Settles whether blocks are on the disk itself when they are acknowledged, not only in the kernel's cache. Does nothing where that is settled:
 * changing it reads all that is known of the table anew, a tenth of the engine's start. Errors: as migrate.
 */
export async function settleSync(database: Database, sync: boolean): Promise<void> {
  const { target } = database
  const value = sync ? 1 : 0
  const { rows } = await database.query({
    sql: 'SELECT engine_full FROM system.tables WHERE database = {database:String} AND name = {table:String}',
    params: { database: target.database, table: FLOWS },
  })
  const made = String(rows[0]?.['engine_full'])
  const settled = ['fsync_after_insert', 'fsync_part_directory'].every(
    (name) => Number(new RegExp(`${name} = (\\d)`).exec(made)?.[1] ?? 0) === value,
  )
  if (settled) return
  await database.run(
    `${alterStored(target, FLOWS)} MODIFY SETTING fsync_after_insert = ${value}, fsync_part_directory = ${value}`,
  )
}
