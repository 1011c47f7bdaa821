/** `ovsight store status` and /api/v1/store: what is stored, what it weighs, how far back it goes. */
import { askedAs, isWhole, storedIn } from '../schema/cluster.ts'
import { CODECS } from '../schema/codecs.ts'
import { columnFacts, COLUMN_NAMES } from '../schema/columns.ts'
import { FLOWS } from '../schema/ddl.ts'
import type { Asker, Plan, Result } from './plan.ts'
import { parseFlag, type Answer, type Row } from './request.ts'
import { wholeSpan } from './span.ts'
import { isoTime } from './times.ts'

export interface StoreRequest {
  /** `yes`: a row a column of the flow records, heaviest first, in place of a row a table. */
  columns?: string | undefined
}

const TABLE_COLUMNS = ['table', 'rows', 'bytes', 'bytes_per_row', 'parts', 'from', 'to', 'free_bytes'] as const
const COLUMN_COLUMNS = ['column', 'kind', 'bytes', 'bytes_per_row', 'uncompressed_per_row', 'share'] as const

/** The table that holds the records on a cluster. */
const FLOWS_STORED = storedIn({ database: '', cluster: '-' }, FLOWS)
/** Tables with a time by which rows are asked for, and how it is read as milliseconds. */
const TIMES: Readonly<Record<string, string>> = {
  flows: 'toUnixTimestamp64Milli({}(flow_end))',
  flows_1m: 'toInt64(toUnixTimestamp({}(bucket))) * 1000',
  flows_1h: 'toInt64(toUnixTimestamp({}(bucket))) * 1000',
  flows_1d: 'toInt64(toUnixTimestamp({}(bucket))) * 1000',
}

/** Errors: usage; query_failed, store_unreachable. */
export async function askStore(asker: Asker, request: StoreRequest): Promise<Answer> {
  const columns = parseFlag('columns', request.columns)
  const told = columns ? await columnRows(asker) : await tableRows(asker)
  const rows = columns && told.length === 0 ? await sampledColumns(asker) : told
  const span = (await wholeSpan(asker))?.span ?? { fromMs: 0, toMs: 1, explicit: false }
  const notes =
    columns && told.length === 0 && rows.length > 0
      ? [
          `the parts are small, and do not tell what a column weighs: estimated from ${SAMPLE_ROWS} records at most, packed anew column by column, ` +
            `and brought to the bytes of all records`,
        ]
      : []
  return { columns: columns ? COLUMN_COLUMNS : TABLE_COLUMNS, rows, span, notes }
}

/** Records that columns are weighed by where the parts do not tell. */
const SAMPLE_ROWS = 100_000

/** What columns weigh by packing some records anew, as they are stored; brought to what all parts weigh. */
async function sampledColumns(asker: Asker): Promise<Row[]> {
  const [table] = byTable(
    (await partRows(asker)).filter((row) => row['table'] === FLOWS || row['table'] === FLOWS_STORED),
  )
  if (table === undefined || table.rows === 0) return []
  const figures = COLUMN_NAMES.map((name, i) => {
    const codec = CODECS[columnFacts(name).kind]
    return `sum(byteSize(${name})) AS r${i}, sum(byteSize(${name})) / estimateCompressionRatio('${codec}', 1048576)(${name}) AS b${i}`
  })
  const { rows } = await asker.query({
    sql: `SELECT count() AS n, ${figures.join(', ')} FROM (SELECT * FROM ${FLOWS} LIMIT ${SAMPLE_ROWS})`,
    params: {},
  })
  const [row = {}] = rows
  const n = Number(row['n'])
  const weighed = COLUMN_NAMES.map((name, i) => ({ name, raw: Number(row[`r${i}`]), packed: Number(row[`b${i}`]) }))
  const packed = weighed.reduce((sum, one) => sum + one.packed, 0)
  return weighed
    .sort((a, b) => b.packed - a.packed)
    .map((one) => {
      const share = packed === 0 ? 0 : one.packed / packed
      const bytes = Math.round(share * table.bytes)
      return {
        column: one.name,
        kind: columnFacts(one.name).kind,
        bytes,
        bytes_per_row: perRow(bytes, table.rows),
        uncompressed_per_row: perRow(one.raw, n),
        share: Number(share.toFixed(4)),
      }
    })
}

async function partRows(asker: Asker): Promise<Record<string, unknown>[]> {
  const { rows } = await everyShard(asker, {
    sql:
      `SELECT table, sum(rows) AS n, sum(bytes_on_disk) AS bytes, count() AS parts FROM system.parts ` +
      `WHERE active AND database = currentDatabase() GROUP BY table ORDER BY table`,
    params: {},
  })
  return rows
}

async function tableRows(asker: Asker): Promise<Row[]> {
  const rows = await partRows(asker)
  const free = `SELECT min(unreserved_space) AS free FROM system.disks`
  const disks = await (asker.queryEvery?.('server', { sql: free, params: {} }) ??
    asker.query({ sql: free, params: {} }))
  const freeBytes = Math.min(...disks.rows.map((row) => Number(row['free'] ?? 0)))
  return Promise.all(
    byTable(rows).map(async ({ table, rows: n, bytes, parts }) => {
      const { from, to } = await spanOf(asker, table)
      return { table, rows: n, bytes, bytes_per_row: perRow(bytes, n), parts, from, to, free_bytes: freeBytes }
    }),
  )
}

/** Parts are of the tables that hold rows; of those that every server has whole one server's are counted. */
function byTable(
  rows: readonly Record<string, unknown>[],
): { table: string; rows: number; bytes: number; parts: number }[] {
  const sums = new Map<string, { table: string; rows: number; bytes: number; parts: number }>()
  for (const row of rows) {
    const table = askedAs(String(row['table']))
    const own = { table, rows: Number(row['n']), bytes: Number(row['bytes']), parts: Number(row['parts']) }
    const sum = sums.get(table)
    if (sum === undefined) sums.set(table, own)
    else if (!isWhole(table))
      sums.set(table, { table, rows: sum.rows + own.rows, bytes: sum.bytes + own.bytes, parts: sum.parts + own.parts })
  }
  return [...sums.values()]
}

function everyShard(asker: Asker, plan: Plan): Promise<Result> {
  return asker.queryEvery?.('shard', plan) ?? asker.query(plan)
}

async function spanOf(asker: Asker, table: string): Promise<{ from: string; to: string }> {
  const time = TIMES[table]
  if (time === undefined) return { from: '', to: '' }
  const sql = `SELECT count() AS n, ${time.replace('{}', 'min')} AS first, ${time.replace('{}', 'max')} AS last FROM ${table}`
  const row = (await asker.query({ sql, params: {} })).rows[0]
  if (row === undefined || Number(row['n']) === 0) return { from: '', to: '' }
  return { from: isoTime(Number(row['first'])), to: isoTime(Number(row['last'])) }
}

/** Parts that are one file each do not tell what a column weighs; the shares are those of the others, or of all when there are none. */
async function columnRows(asker: Asker): Promise<Row[]> {
  const { rows } = await everyShard(asker, {
    sql:
      `SELECT column, sum(column_data_compressed_bytes) AS bytes, sum(column_data_uncompressed_bytes) AS raw, sum(rows) AS n ` +
      `FROM system.parts_columns WHERE active AND database = currentDatabase() AND table IN ('${FLOWS}', '${FLOWS_STORED}') ` +
      `AND column_data_compressed_bytes > 0 GROUP BY column`,
    params: {},
  })
  const sums = new Map<string, { bytes: number; raw: number; n: number }>()
  for (const row of rows) {
    const sum = sums.get(String(row['column'])) ?? { bytes: 0, raw: 0, n: 0 }
    for (const name of ['bytes', 'raw', 'n'] as const) sum[name] += Number(row[name])
    sums.set(String(row['column']), sum)
  }
  const all = [...sums.values()].reduce((sum, { bytes }) => sum + bytes, 0)
  return [...sums]
    .sort(([, a], [, b]) => b.bytes - a.bytes)
    .map(([column, { bytes, raw, n }]) => {
      const known = COLUMN_NAMES.find((name) => name === column)
      return {
        column,
        kind: known === undefined ? '' : columnFacts(known).kind,
        bytes,
        bytes_per_row: perRow(bytes, n),
        uncompressed_per_row: perRow(raw, n),
        share: all === 0 ? 0 : Number((bytes / all).toFixed(4)),
      }
    })
}

function perRow(bytes: number, rows: number): number {
  return rows === 0 ? 0 : Number((bytes / rows).toFixed(2))
}
