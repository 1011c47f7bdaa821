/**
 * How much of what exporters sent has been counted: one percentage for each exporter and protocol over a span, and what became of the
 * rest. From the table `exporter_health`, which has a row a minute; the minutes that a span touches are asked.
 *
 *   expected     by the sequence numbers: flow samples (sFlow), records (NetFlow v5, IPFIX), datagrams (NetFlow v9); mirrored frames have
 *                none, so what the socket dropped is added to what came
 *   missing      what never arrived, and datagrams that could not be decoded, which held one record or more each
 *
 * What the kernel or an overload drops shows as a gap in the sequence: it is a reason for what is lost, and not added to it.
 */
import { HEALTH_COUNTS, HEALTH_TABLE, type HealthCount } from '../schema/side-tables.ts'
import { sentence } from './completeness-text.ts'
import { Params, type Asker, type Plan } from './plan.ts'
import type { Answer, RecordsRequest, Row } from './request.ts'
import { parseSpan, type Span } from './times.ts'
import { readableAddress } from './address.ts'
import { wholeSpan } from './span.ts'

const MINUTE_MS = 60_000
/** From this share of its datagrams on, a mixed sequence says nothing of losses. */
const MIXED_SHARE = 0.01

export interface Completeness {
  exporter: string
  host: string
  protocol: string
  /** 0 to 100; null when nothing can be said. */
  percent: number | null
  expected: number
  missing: number
  datagrams: number
  lost: number
  undecoded: number
  /** What `expected` counts. */
  unit: 'records' | 'samples' | 'datagrams' | 'frames'
  reordered: number
  duplicates: number
  restarts: number
  mixed: number
  kernel_drops: number
  overload_drops: number
  refused_drops: number
  rows_dropped: number
  datapath_lost: number
  unsent: number
  /** Records left out by the rate limit; those kept stand for them, so nothing is missing by it. */
  limited: number
  /** Records whose times were moved. */
  clock_moved: number
  /** How far the exporter's clock is ahead by its headers, ms; 0 = right, or not told. */
  clock_offset: number
  /** Templates held of the exporter (NetFlow v9, IPFIX), at most in that time. */
  templates: number
  /** Reasons why datagrams were not decoded, `template_missing=3`. */
  faults: string
}

type Sum = Exclude<HealthCount, 'bytes'>
const SUMS = HEALTH_COUNTS.filter((name): name is Sum => name !== 'bytes')

const COLUMNS = [
  'exporter',
  'host',
  'protocol',
  'percent',
  'expected',
  'missing',
  'unit',
  'datagrams',
  'lost',
  'undecoded',
  'reordered',
  'duplicates',
  'restarts',
  'mixed',
  'kernel_drops',
  'overload_drops',
  'refused_drops',
  'rows_dropped',
  'datapath_lost',
  'unsent',
  'limited',
  'clock_moved',
  'clock_offset',
  'templates',
  'faults',
  'note',
] as const

/** Faults of datagrams whose records were all read. */
const KEEP_ALL: ReadonlySet<string> = new Set(['', 'template_invalid'])

const UNITS: Readonly<Record<string, Completeness['unit']>> = {
  netflow5: 'records',
  ipfix: 'records',
  netflow9: 'datagrams',
  sflow5: 'datagrams',
  gre: 'frames',
  vxlan: 'frames',
}

/** One row an exporter and protocol, the least complete first. Errors: time_invalid; query_failed, store_unreachable. */
export async function askCompleteness(asker: Asker, request: RecordsRequest, nowMs: number): Promise<Answer> {
  let span = parseSpan(request, nowMs)
  let found = await completeness(asker, span)
  if (found.length === 0 && !span.explicit) {
    span = (await wholeSpan(asker))?.span ?? span
    found = await completeness(asker, span)
  }
  const notes = found.length === 0 ? ['nothing was received in that time'] : []
  const rows = found.map((one) => ({ ...one, note: sentence(one) ?? '' })).map((row): Row => ({ ...row }))
  return { columns: COLUMNS, rows, span, notes }
}

/** A sentence for each exporter of which something is missing, the worst first, and one for what is left out beyond `most`. */
export async function whatIsMissing(asker: Asker, span: Span, most = 5): Promise<string[]> {
  const sentences = (await completeness(asker, span)).map(sentence).filter((text) => text !== undefined)
  const more = sentences.length - most
  return more > 0
    ? [...sentences.slice(0, most), `and ${more} more exporters with gaps: /api/v1/completeness`]
    : sentences
}

/** What exporters delivered in the minutes that a span touches. Errors: query_failed, store_unreachable. */
export async function completeness(asker: Asker, span: Span): Promise<Completeness[]> {
  const { rows } = await asker.query(plan(span))
  return rows.map(read).sort((a, b) => rank(a) - rank(b) || b.missing - a.missing)
}

function plan({ fromMs, toMs }: Span): Plan {
  const params = new Params()
  const from = params.bind('Int64', fromMs - (fromMs % MINUTE_MS))
  const to = params.bind('Int64', toMs)
  const sums = SUMS.map((name) => `sum(${name}) AS s_${name}`)
  const faults = `arrayStringConcat(arrayMap((k, v) -> concat(k, '=', toString(v)), m.1, m.2), ' ')`
  return {
    sql:
      `SELECT * EXCEPT m, ${faults} AS s_faults FROM (SELECT toString(exporter) AS s_exporter, anyLast(exporter_host) AS s_host, ` +
      `toString(protocol) AS s_protocol, ${sums.join(', ')}, round(ifNotFinite(avgIf(clock_offset, clock_offset != 0), 0)) AS s_clock_offset, max(templates) AS s_templates, sumMapIf([toString(fault)], [faults], fault != '') AS m ` +
      `FROM ${HEALTH_TABLE.name} WHERE minute >= fromUnixTimestamp64Milli(${from}) AND minute < fromUnixTimestamp64Milli(${to}) ` +
      `GROUP BY exporter, protocol) ORDER BY s_exporter, s_protocol`,
    params: params.values,
  }
}

function read(row: Record<string, unknown>): Completeness {
  const number = (name: Sum) => Number(row[`s_${name}`])
  const protocol = String(row['s_protocol'])
  const faults = String(row['s_faults'])
  const sampled = protocol === 'sflow5' && number('samples') > 0
  const unit = sampled ? 'samples' : (UNITS[protocol] ?? 'datagrams')
  const dropped = number('kernel_drops') + number('overload_drops')
  const undecoded = undecodedOf(faults)
  const frames = unit === 'frames'
  const lost = frames ? dropped : sampled ? number('lost_samples') : number('lost')
  const expected = frames ? number('datagrams') + dropped : number(sampled ? 'samples' : 'expected')
  const missing = Math.min(expected, lost + undecoded)
  const known = expected > 0 && number('mixed') <= MIXED_SHARE * number('datagrams')
  const named = Object.fromEntries(SUMS.map((name) => [name, number(name)])) as Record<Sum, number>
  const { samples: _, lost_samples: __, records: ___, ...counts } = named
  return {
    ...counts,
    exporter: row['s_exporter'] === '::' ? '' : readableAddress(String(row['s_exporter'])),
    host: String(row['s_host']),
    protocol,
    percent: known ? Math.round((1 - missing / expected) * 1e6) / 1e4 : null,
    expected,
    missing,
    lost,
    undecoded,
    unit,
    clock_offset: Number(row['s_clock_offset']),
    templates: Number(row['s_templates']),
    faults,
  }
}

/** Datagrams of which something could not be read. */
function undecodedOf(faults: string): number {
  return faults
    .split(' ')
    .map((pair) => pair.split('='))
    .reduce((sum, [name = '', times = '0']) => (KEEP_ALL.has(name) ? sum : sum + Number(times)), 0)
}

function rank({ percent, exporter }: Completeness): number {
  return exporter === '' ? -1 : (percent ?? 100)
}
