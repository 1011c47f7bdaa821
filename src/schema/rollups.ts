/**
 * THE tables of sums: the flow records by minute, hour and day, by both ends, without addresses and transport ports. They answer the
 * same questions to the byte where a question asks for no more than their keys, and stay when the records are gone.
 *
 *   flows      a block of records, and with it, in the same file of the spool,
 *   flows_1m   a block of its sums (native-sums.ts), from which
 *   flows_1h   a materialized view takes the hours
 *   flows_1d   and another the days: pairs of ends that talk every hour are one row of a day, so a month is read in a tenth of the time
 *
 * Sums are signed: records that are taken back or replaced are taken out by rows of negative sums (store/replace.ts). Variances are
 * kept beside the sums, so the error of an estimate survives as well.
 */
import { onCluster, storedIn } from './cluster.ts'
import { CODECS } from './codecs.ts'
import { type ColumnName, columnFacts } from './columns.ts'
import { type ColumnSpec, type DdlTarget, FLOWS, GRANULE, MERGE_SETTINGS, type TableSpec, qualified } from './ddl.ts'
import { columnType } from './types.ts'

/**
 * What the sums are kept apart by, in order of the key. Names are in it beside ids: what had another name in the same minute stays
 * apart, so that a filter by name means the same here.
 */
export const ROLLUP_KEYS = [
  'src_project_id',
  'dst_project_id',
  'src_server_id',
  'dst_server_id',
  'src_port_id',
  'dst_port_id',
  'role',
  'counts_sent',
  'counts_received',
  'counts_once',
  'traffic_class',
  'ip_protocol',
  'ip_version',
  'src_network_id',
  'dst_network_id',
  'src_host',
  'dst_host',
  'exporter_host',
  'export_protocol',
  'src_kind',
  'dst_kind',
  'src_grade',
  'dst_grade',
  'src_project',
  'dst_project',
  'src_server',
  'dst_server',
  'src_port',
  'dst_port',
  'src_network',
  'dst_network',
] as const satisfies readonly ColumnName[]

/** Keys that rows are sorted by; `group_hash` after them stands for all others. */
const ORDERED: readonly ColumnName[] = ['src_project_id', 'dst_project_id']

/** Sums, each of a column of the records, or of an expression over one record; `t` is what stands before its columns. */
export const ROLLUP_SUMS = {
  packets: { type: 'Int64', of: (t: string) => `${t}packets` },
  bytes: { type: 'Int64', of: (t: string) => `${t}bytes` },
  l2_bytes: { type: 'Int64', of: (t: string) => `${t}l2_bytes` },
  records: { type: 'Int64', of: () => 'toUInt64(1)' },
  samples: { type: 'Int64', of: (t: string) => `${t}samples` },
  // R(R-1) times the sum of ones: what bytes_variance is for lengths of one. Of the records that a rate limit kept 1 in k counts k times
  // that, and k(k-1) times the square of what it was: attribute/rate-limit.ts.
  packets_variance: {
    type: 'Float64',
    of: (t: string) =>
      `greatest(${t}kept_one_in, 1) * ${t}samples * toFloat64(${t}sampling_rate) * (toFloat64(${t}sampling_rate) - 1) ` +
      `+ (1 - 1 / greatest(${t}kept_one_in, 1)) * pow(toFloat64(${t}packets), 2)`,
  },
  bytes_variance: { type: 'Float64', of: (t: string) => `${t}bytes_variance` },
  l2_bytes_variance: { type: 'Float64', of: (t: string) => `${t}l2_bytes_variance` },
} as const satisfies Record<string, { type: 'Int64' | 'Float64'; of: (t: string) => string }>

export type RollupSum = keyof typeof ROLLUP_SUMS
export const ROLLUP_SUM_NAMES = Object.keys(ROLLUP_SUMS) as RollupSum[]

/** The tables, the finer first; `partition` is a function of the day of storing. */
export const ROLLUPS = {
  flows_1m: { bucketMs: 60_000, partition: 'toYYYYMMDD', from: 'Flow records' },
  flows_1h: { bucketMs: 3_600_000, partition: 'toYYYYMM', from: 'Minutes' },
  flows_1d: { bucketMs: 86_400_000, partition: 'toYYYYMM', from: 'Minutes' },
} as const satisfies Record<string, { bucketMs: number; partition: string; from: string }>

/** The table that blocks of sums go into. */
export const MINUTES = 'flows_1m'

export type RollupName = keyof typeof ROLLUPS
export const ROLLUP_NAMES = Object.keys(ROLLUPS) as RollupName[]

/**
 * Parts of the days are read whole, month after month, so a file a column pays sooner: a month is read in three quarters of the time.
 */
export const DAY_SETTINGS = { min_bytes_for_wide_part: 10 * 1024 ** 2 } as const

/** Beside those of every rollup. Granules are settled when a table is made: the texts of a month of large ones are read in half the time. */
const SETTINGS: Readonly<Partial<Record<RollupName, TableSpec['settings']>>> = {
  flows_1d: { ...DAY_SETTINGS, ...GRANULE },
}

/** The table of a rollup. Partitions are of the time of storing, as those of the records: a wrong clock opens no partition. */
export function rollupTable(name: RollupName): TableSpec {
  const { partition, from } = ROLLUPS[name]
  return {
    name,
    doc: `${from} summed by time and both ends. See docs/store.md.`,
    engine: 'AggregatingMergeTree',
    columns: [
      { name: 'bucket', type: "DateTime('UTC')", codec: CODECS.time, doc: 'Start of the bucket that flow_end is in.' },
      { name: 'group_hash', type: 'UInt64', codec: CODECS.f64, doc: 'Hash of all that the sums are kept apart by.' },
      ...ROLLUP_KEYS.map(keyColumn),
      ...ROLLUP_SUM_NAMES.map(sumColumn),
      { name: 'day_stored', type: 'Date DEFAULT today()', doc: 'When the rows were stored.' },
    ],
    partitionBy: `${partition}(day_stored)`,
    orderBy: ['bucket', ...ORDERED, 'group_hash'],
    settings: { non_replicated_deduplication_window: 100_000, ...MERGE_SETTINGS, ...SETTINGS[name] },
  }
}

function keyColumn(name: ColumnName): ColumnSpec {
  const { kind, doc } = columnFacts(name)
  const type = columnType(name)
  // Rows that are merged have the same hash, and with it the same values.
  const merged = ORDERED.includes(name) ? type : `SimpleAggregateFunction(any, ${type})`
  return { name, type: merged, codec: CODECS[kind], doc }
}

function sumColumn(name: RollupSum): ColumnSpec {
  const { type } = ROLLUP_SUMS[name]
  return {
    name,
    type: `SimpleAggregateFunction(sum, ${type})`,
    codec: type === 'Int64' ? CODECS.u64 : CODECS.f64,
    doc: `Sum of ${name === 'records' ? 'ones' : ROLLUP_SUMS[name].of('')}.`,
  }
}

/**
 * `SELECT …` that sums flow records into rows of `flows_1m`, columns in the order of `ROLLUP_COLUMNS`: for records that were stored
 * without their sums, and with `sign` −1 to take them out again. `where` is SQL over the records, which it calls `t`. Its hashes are
 * not those of native-sums.ts, so such rows stay beside others of their group; what is summed over them is right.
 */
export function sumsSelect(target: DdlTarget, { sign = 1, where }: { sign?: 1 | -1; where?: string } = {}): string {
  const keys = ROLLUP_KEYS.map((key) => `t.${key}`)
  const sums = ROLLUP_SUM_NAMES.map((sum) => {
    const { of, type } = ROLLUP_SUMS[sum]
    return `${sign === 1 ? '' : '-'}to${type}(sum(${of('t.')}))`
  })
  const bucket = 'toStartOfMinute(t.flow_end)'
  const values = [bucket, `sipHash64(${keys.join(', ')})`, ...keys, ...sums]
  const condition = where === undefined ? '' : ` WHERE ${where}`
  return `SELECT ${values.join(', ')} FROM ${qualified(target, storedIn(target, FLOWS))} AS t${condition} GROUP BY ${[bucket, ...keys].join(', ')}`
}

/** Columns of a rollup that are written, in order. */
export const ROLLUP_COLUMNS: readonly string[] = ['bucket', 'group_hash', ...ROLLUP_KEYS, ...ROLLUP_SUM_NAMES]

/** Tables that views fill, and the start of their bucket, made of a finer one's. */
const VIEWS = {
  flows_1h: 'toStartOfHour(bucket)',
  // Of the column's own time zone, UTC.
  flows_1d: "toStartOfInterval(bucket, INTERVAL 1 DAY, 'UTC')",
} as const satisfies Partial<Record<RollupName, string>>

/** `CREATE MATERIALIZED VIEW …` that fills a coarser table from the minutes. Rows of one bucket are put together by the table's merges. */
export function rollupView(name: keyof typeof VIEWS, target: DdlTarget): string {
  const columns = ROLLUP_COLUMNS.slice(1).join(', ')
  const table = (one: RollupName) => qualified(target, storedIn(target, one))
  return (
    `CREATE MATERIALIZED VIEW IF NOT EXISTS ${qualified(target, `${name}_view`)}${onCluster(target)} TO ${table(name)} AS\n` +
    `SELECT ${VIEWS[name]} AS bucket, ${columns}, day_stored FROM ${table(MINUTES)}`
  )
}

/**
 * Puts into the days what the hours hold more than they: everything stored before the days' view was there. What the days hold already is
 * taken out in the same statement, so that it may be run again after it was cut, and while rows come in.
 */
export function daysFromHours(target: DdlTarget): string {
  const keys = ROLLUP_KEYS.join(', ')
  const select = (bucket: string, hash: string, sign: string, from: RollupName) =>
    `SELECT ${bucket} AS bucket, ${hash} AS group_hash, ${keys}, ${ROLLUP_SUM_NAMES.map((name) => `${sign}${name} AS ${name}`).join(', ')}, ` +
    `day_stored FROM ${qualified(target, from)}`
  // Earlier hashes were of the minute too; the days are to be merged.
  const hours = select(VIEWS.flows_1d, `sipHash64(${keys})`, '', 'flows_1h')
  const held = select('bucket', 'group_hash', '-', 'flows_1d')
  const settings = target.cluster === undefined ? '' : ' SETTINGS distributed_foreground_insert = 1'
  return `INSERT INTO ${qualified(target, 'flows_1d')} (${ROLLUP_COLUMNS.join(', ')}, day_stored)${settings} ${hours} UNION ALL ${held}`
}
