/**
 * The tables as SQL: `ovsight show ddl` prints it, the migrations run it. One template for the embedded engine, a server and a
 * cluster (cluster.ts).
 */
import { isWhole, onCluster, replicatedEngine, replicatedSettings, storedIn } from './cluster.ts'
import { CODECS } from './codecs.ts'
import { COLUMN_NAMES, columnFacts, type ColumnName } from './columns.ts'
import { columnType } from './types.ts'

/** A column as a statement needs it. */
export interface ColumnSpec {
  name: string
  type: string
  codec?: string
  doc?: string
}

/** A table of the MergeTree family. */
export interface TableSpec {
  name: string
  doc: string
  /** MergeTree when not given. */
  engine?: string
  columns: readonly ColumnSpec[]
  partitionBy?: string
  /** A beginning of `orderBy`; all of it when not given. */
  primaryKey?: readonly string[]
  orderBy: readonly string[]
  settings: Readonly<Record<string, number>>
}

/** Where the tables are made. */
export interface DdlTarget {
  database: string
  /** Name of a cluster of the servers' configuration; letters, digits, `_`, `-` and `.` only. */
  cluster?: string
}

/** The table of flow records, as every query and every block names it. */
export const FLOWS = 'flows'

export function flowColumn(name: ColumnName): ColumnSpec {
  const { kind, doc } = columnFacts(name)
  return { name, type: columnType(name), codec: CODECS[kind], doc }
}

/**
 * What makes inserting and merging tables of many columns cheap; docs/decisions/merging.md has the measurements. Settings that a table
 * may get later; granularity is settled when it is made.
 */
export const MERGE_SETTINGS = {
  // A part below this is one file, not three a column: cheap to write while it is small. Above, parts are merged a column at a
  // time, which costs a third of what merging whole rows does.
  min_bytes_for_wide_part: 48 * 1024 ** 2,
  // A merge makes the dictionary of a text column anew for every block it writes.
  merge_max_block_size: 65_536,
  merge_max_block_size_bytes: 200 * 1024 ** 2,
} as const

/** Rows of a granule: every column of every granule is compressed for itself. */
export const GRANULE = { index_granularity: 65_536, index_granularity_bytes: 200 * 1024 ** 2 } as const

/**
 * When a row was stored, by the store's clock: what is kept for how long counts from here, since a capture that is replayed is old
 * already. Not part of a block.
 */
export const TIME_STORED: ColumnSpec = {
  name: 'time_stored',
  type: "DateTime('UTC') DEFAULT now()",
  codec: 'ZSTD(1)',
  doc: 'When the row was stored.',
}

/**
 * The raw table. Sorted by time bucket, then project and ports: a question on a span reads its buckets, one on a project skips
 * the rest of each.
 */
export const FLOWS_TABLE: TableSpec = {
  name: FLOWS,
  doc: 'Flow records, one row each. See docs/fields.md.',
  columns: [...COLUMN_NAMES.map(flowColumn), TIME_STORED],
  // By arrival, which is our own clock (a capture's in a replay): exporters whose clock is wrong would otherwise open partitions
  // of any year, and a block of more than 100 of them is refused.
  partitionBy: 'toDate(time_received)',
  orderBy: ['toStartOfFiveMinutes(flow_end)', 'src_project_id', 'src_port_id', 'dst_port_id'],
  settings: {
    // Tokens of this many blocks are known, so that a block sent twice is stored once: a day at one block a second.
    non_replicated_deduplication_window: 100_000,
    ...MERGE_SETTINGS,
    ...GRANULE,
  },
}

/** Statements that make a table, without semicolons; on a cluster what holds the rows, and what is asked. */
export function createTable(table: TableSpec, target: DdlTarget): string[] {
  const { cluster, database } = target
  const stored = createStored(table, target)
  if (cluster === undefined || isWhole(table.name)) return [stored]
  return [
    stored,
    `CREATE TABLE IF NOT EXISTS ${qualified(target, table.name)}${onCluster(target)} AS ${qualified(target, storedIn(target, table.name))}\n` +
      // Rows are inserted into the shards' own tables, by block. What is inserted here by hand goes anywhere: a key that says where
      // rows are would let the engine skip shards that hold some.
      `ENGINE = Distributed(${[cluster, database, storedIn(target, table.name)].map(quote).join(', ')}, rand())\n` +
      `COMMENT ${quote(table.doc)}`,
  ]
}

function createStored(table: TableSpec, target: DdlTarget): string {
  const { cluster } = target
  const columns = table.columns.map((column) => `    ${columnDefinition(column)}`)
  const plain = table.engine ?? 'MergeTree'
  const engine = cluster === undefined ? plain : replicatedEngine(plain, target, table.name)
  const settings = Object.entries(cluster === undefined ? table.settings : replicatedSettings(table.settings))
  return [
    `CREATE TABLE IF NOT EXISTS ${qualified(target, storedIn(target, table.name))}${onCluster(target)}\n(\n${columns.join(',\n')}\n)`,
    `ENGINE = ${engine}`,
    ...(table.partitionBy === undefined ? [] : [`PARTITION BY ${table.partitionBy}`]),
    ...(table.primaryKey === undefined ? [] : [`PRIMARY KEY (${table.primaryKey.join(', ')})`]),
    `ORDER BY (${table.orderBy.join(', ')})`,
    ...(settings.length === 0 ? [] : [`SETTINGS ${settings.map(([name, value]) => `${name} = ${value}`).join(', ')}`]),
    `COMMENT ${quote(table.doc)}`,
  ].join('\n')
}

/** `ALTER TABLE …` of the table that holds the rows; what is altered follows after a space. */
export function alterStored(target: DdlTarget, table: string): string {
  return `ALTER TABLE ${qualified(target, storedIn(target, table))}${onCluster(target)}`
}

/** A name with its database. */
export function qualified({ database }: DdlTarget, table: string): string {
  return `${identifier(database)}.${identifier(table)}`
}

export function createDatabase(target: DdlTarget): string {
  return `CREATE DATABASE IF NOT EXISTS ${identifier(target.database)}${onCluster(target)}`
}

/** `name Type COMMENT '…' CODEC(…)`, as CREATE and ALTER TABLE take it. */
export function columnDefinition({ name, type, codec, doc }: ColumnSpec): string {
  const comment = doc === undefined ? '' : ` COMMENT ${quote(doc)}`
  return `${identifier(name)} ${type}${comment}${codec === undefined ? '' : ` CODEC(${codec})`}`
}

/** A name as SQL: bare when it is plain, else in backquotes. */
export function identifier(name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) ? name : `\`${escaped(name, '`')}\``
}

/** A string literal. Backslash and quote are what could end it; a NUL is escaped since C code sees it. */
export function quote(value: string): string {
  return `'${escaped(value, "'")}'`
}

function escaped(value: string, quoteMark: string): string {
  return value.replace(/[\\'`\0]/g, (character) =>
    character === '\0' ? '\\0' : character === '\\' || character === quoteMark ? `\\${character}` : character,
  )
}
