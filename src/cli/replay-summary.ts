import type { Config } from '../config/options.ts'
import { PROTOCOLS } from '../decode/decoder.ts'
import { DECODE_STATUS, DECODE_STATUS_NAMES } from '../decode/status.ts'
import { isFault } from '../pipeline/counters.ts'
import type { Replay } from '../pipeline/replay.ts'
import type { Pipeline } from '../pipeline/pipeline.ts'
import { isoTime } from '../query/times.ts'
import { FLOWS } from '../schema/ddl.ts'
import type { Store } from '../store/store.ts'

/** What the store holds. */
export interface Held {
  rows: number
  firstMs: number
  lastMs: number
}

export interface Stored {
  before: Held
  after: Held
}

export async function held(store: Store): Promise<Held> {
  const { rows } = await store.query({
    sql: `SELECT count() AS held_rows, toUnixTimestamp64Milli(min(flow_end)) AS first_ms, toUnixTimestamp64Milli(max(flow_end)) AS last_ms FROM ${FLOWS}`,
    params: {},
  })
  const [row] = rows
  return { rows: Number(row?.['held_rows']), firstMs: Number(row?.['first_ms']), lastMs: Number(row?.['last_ms']) }
}

/** What a replay found and stored, for people: a fact a line, then what to type next. */
export function replaySummary(
  { replay, pipeline }: { replay: Replay; pipeline: Pipeline },
  { before, after }: Stored,
  config: Config,
  storeName: string,
): string {
  const rows = pipeline.counters.rows.reduce((sum, count) => sum + count, 0)
  const lines = [
    ...captured(replay),
    ...decoded(pipeline, rows),
    ...hints(replay),
    ...storedLines(rows, before, after, storeName),
    ...next(after, config),
  ]
  return `${lines.join('\n')}\n`
}

function captured({ counts }: Replay): string[] {
  if (counts.packets === 0) return ['capture   no packets']
  const parts = Object.entries(counts.datagrams)
    .filter(([, count]) => count > 0)
    .map(([input, count]) => `${grouped(count)} ${input}`)
  const other = [
    many(counts.strangePorts, 'datagram for another port', 'datagrams for other ports'),
    many(counts.otherPackets, 'packet of another protocol', 'packets of other protocols'),
    many(counts.damagedPackets, 'damaged packet'),
    many(counts.cutDatagrams, 'datagram cut by the capture', 'datagrams cut by the capture'),
  ].filter((part) => part !== '')
  return [
    `capture   ${many(counts.packets, 'packet')}, ${isoTime(Math.floor(counts.firstMs))} to ${isoTime(Math.floor(counts.lastMs))}`,
    `exports   ${parts.length === 0 ? 'none' : parts.join(', ')}${other.length === 0 ? '' : `; besides ${other.join(', ')}`}`,
  ]
}

function decoded({ counters, parts }: Pipeline, rows: number): string[] {
  const faults = [...counters.datagrams()]
    .filter(({ status }) => isFault(status))
    .map(({ protocol, status, count }) => {
      const name = DECODE_STATUS_NAMES[status]!
      return `faults    ${grouped(count)} ${PROTOCOLS[protocol]} ${name}: ${DECODE_STATUS[name]}`
    })
  const lost = parts.observations.lost.reduce((sum, count) => sum + count, 0)
  return [
    `records   ${grouped(rows)}`,
    ...faults,
    ...(lost > 0 ? [`lost      ${grouped(lost)} records before the capture, by gaps in sequence numbers`] : []),
    ...(counters.dropped.exporters > 0
      ? [`dropped   ${grouped(counters.dropped.exporters)} datagrams: more exporters than max_exporters`]
      : []),
  ]
}

function hints({ hints: found }: Replay): string[] {
  return [...found].map(
    ([port, { input, datagrams }]) =>
      `hint      port ${port} carries what looks like ${input} (${many(datagrams, 'datagram')}): --port ${input}=${port}`,
  )
}

function storedLines(rows: number, before: Held, after: Held, name: string): string[] {
  const added = after.rows - before.rows
  const again = rows - added
  const note =
    again > 0
      ? ` (${grouped(again)} were there from an earlier replay of the same capture; to attribute them anew use another --data)`
      : ''
  const span = after.rows === 0 ? '' : `, ${isoTime(after.firstMs)} to ${isoTime(after.lastMs)}`
  return [`stored    ${grouped(added)} records in ${name}${note}`, `store     ${many(after.rows, 'record')} now${span}`]
}

function next(after: Held, config: Config): string[] {
  if (after.rows === 0) return []
  const where = config.clickhouse === null ? `--data ${quoted(config.data)}` : '--clickhouse URL'
  const what = config.identity === null ? 'src_addr dst_addr' : 'server'
  return ['', `next      ovsight top ${what} ${where}`]
}

function grouped(count: number): string {
  return count.toLocaleString('en-US')
}

function many(count: number, one: string, several = `${one}s`): string {
  return count === 0 ? '' : `${grouped(count)} ${count === 1 ? one : several}`
}

/** A word for the shell. */
function quoted(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
