/**
 * What the users of a ClickHouse server need: one that writes (the collectors), one that only asks (Grafana, people). As SQL that an
 * administrator runs; passwords are left to be filled in.
 */
import { createDatabase, identifier, quote } from '../schema/ddl.ts'

export interface GrantsOptions {
  database: string
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
/** What both read beside the database: its own description. */
const SYSTEM_TABLES = ['databases', 'tables', 'columns', 'parts', 'parts_columns', 'disks'] as const
/** Of each setting that a question or an insert brings, how far a user may change it. */
const READER_LIMITS = {
  readonly: 2,
  max_execution_time: 60,
  max_memory_usage: 8 * 1024 ** 3,
  max_result_rows: 1_000_000,
} as const

/** Statements in order, each without a semicolon. */
export function grantStatements({ database, writer, reader }: GrantsOptions): string[] {
  const name = identifier(database)
  const limits = Object.entries(READER_LIMITS).map(([setting, value]) => `${setting} = ${value}`)
  return [
    createDatabase({ database }),
    `CREATE USER IF NOT EXISTS ${identifier(writer)} IDENTIFIED WITH sha256_password BY ${quote('CHANGE ME')}`,
    `CREATE USER IF NOT EXISTS ${identifier(reader)} IDENTIFIED WITH sha256_password BY ${quote('CHANGE ME TOO')} SETTINGS ${limits.join(', ')}`,
    `GRANT ${WRITER_RIGHTS.join(', ')} ON ${name}.* TO ${identifier(writer)}`,
    `GRANT SELECT, dictGet ON ${name}.* TO ${identifier(reader)}`,
    ...SYSTEM_TABLES.map(
      (table) => `GRANT SELECT ON system.${table} TO ${[writer, reader].map(identifier).join(', ')}`,
    ),
  ]
}
