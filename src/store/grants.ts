/**
 * What the users of a ClickHouse server need: one that writes (the collectors), one that only asks (Grafana, people). As SQL that an
 * administrator runs; passwords are left to be filled in.
 */
import { onCluster } from '../schema/cluster.ts'
import { type DdlTarget, createDatabase, identifier, quote } from '../schema/ddl.ts'

export interface GrantsOptions extends DdlTarget {
  writer: string
  reader: string
}

/** Rights on the database: tables are made and altered by the migrations, rows are replaced, old partitions removed. */
const WRITER_RIGHTS = [
  'SELECT',
  'INSERT',
  'CREATE TABLE',
  'CREATE VIEW',
  'CREATE DICTIONARY',
  'dictGet',
  'ALTER TABLE',
  'TRUNCATE',
  'OPTIMIZE',
] as const
/** A question that looks for one set in another gathers the first once, as ovsight's own do. */
const CLUSTER_SETTINGS = { distributed_product_mode: quote('global') } as const
/** What the writer needs on a cluster besides: its statements reach all servers, and a replica is waited for before rows are replaced. */
const CLUSTER_RIGHTS = [() => 'CLUSTER ON *.*', (database: string) => `SYSTEM SYNC REPLICA ON ${database}.*`] as const
/** What both read beside the database: its own description. */
const SYSTEM_TABLES = ['databases', 'tables', 'columns', 'parts', 'parts_columns', 'disks'] as const
/** Of each setting that a question or an insert brings, how far a user may change it. */
const READER_LIMITS = {
  readonly: 2,
  max_execution_time: 60,
  max_memory_usage: 8 * 1024 ** 3,
  max_result_rows: 1_000_000,
} as const

/** Which shards there are, and which the asked server is of. */
const CLUSTER_TABLES = ['clusters'] as const

/**
 * Statements in order, each without a semicolon. On a cluster the users are made on every server. Questions go from server to server in
 * the name of whoever asks when the cluster has a `secret`, else of the user that its configuration names.
 */
export function grantStatements({ writer, reader, ...target }: GrantsOptions): string[] {
  const name = identifier(target.database)
  const everywhere = onCluster(target)
  const settings = { ...READER_LIMITS, ...(target.cluster === undefined ? {} : CLUSTER_SETTINGS) }
  const limits = Object.entries(settings).map(([setting, value]) => `${setting} = ${value}`)
  const user = (one: string, password: string) =>
    `CREATE USER IF NOT EXISTS ${identifier(one)}${everywhere} IDENTIFIED WITH sha256_password BY ${quote(password)}`
  const grant = (rights: string, users: readonly string[]) =>
    `GRANT${everywhere} ${rights} TO ${users.map(identifier).join(', ')}`
  return [
    createDatabase(target),
    user(writer, 'CHANGE ME'),
    `${user(reader, 'CHANGE ME TOO')} SETTINGS ${limits.join(', ')}`,
    grant(`${WRITER_RIGHTS.join(', ')} ON ${name}.*`, [writer]),
    ...(target.cluster === undefined ? [] : CLUSTER_RIGHTS.map((rights) => grant(rights(name), [writer]))),
    grant(`SELECT, dictGet ON ${name}.*`, [reader]),
    ...[...SYSTEM_TABLES, ...(target.cluster === undefined ? [] : CLUSTER_TABLES)].map((table) =>
      grant(`SELECT ON system.${table}`, [writer, reader]),
    ),
  ]
}
