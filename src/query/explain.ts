import { AppError } from '../errors.ts'
import { COLUMN_NAMES, columnFacts, type ColumnName } from '../schema/columns.ts'
import { CORRECTIONS, ENUMS, type EnumName } from '../schema/enums.ts'
import { flagLetters } from './filter/flags.ts'
import { flowRow, recordPlan } from './flows.ts'
import type { Asker } from './plan.ts'
import { protocolName } from './protocols.ts'
import { parseRecordId } from './record-id.ts'
import { quoted, type Answer, type Row } from './request.ts'

/** One record's whole story: a row a fact, each with what it means, from the tables of columns and of their values. */
export interface ExplainRequest {
  id?: string | undefined
}

interface Fact {
  readonly part: string
  readonly fact: string
  readonly value: string | number
  readonly meaning: string
}

const COLUMNS_SHOWN = ['part', 'fact', 'value', 'meaning'] as const
const FIRST_ADDED = COLUMN_NAMES.indexOf('src_project_id')
/** Told in other parts, or not worth a line. */
const TOLD: ReadonlySet<ColumnName> = new Set(['corrections', 'exporter_host', 'bridge', 'sampling_rate', 'samples', 'bytes_variance', 'l2_bytes_variance', 'kept_one_in']) // prettier-ignore

/** Errors: usage, record_unknown; query_failed, store_unreachable. */
export async function askExplain(asker: Asker, request: ExplainRequest): Promise<Answer> {
  const id = parseRecordId(request.id ?? '')
  const { rows } = await asker.query(recordPlan(id))
  const [first] = rows
  if (first === undefined)
    throw new AppError(
      'record_unknown',
      `no record has the id ${quoted(request.id ?? '')}; it may be of another store, or older than what is kept`,
    )
  const record = flowRow(first)
  const twins =
    rows.length > 1 ? [`${rows.length} records are equal in all that was received; this is one of them`] : []
  return {
    columns: COLUMNS_SHOWN,
    rows: explain(record).map((fact) => ({ ...fact })),
    span: { fromMs: id.flowEndMs, toMs: id.flowEndMs + 1, explicit: true },
    notes: twins,
  }
}

/** Errors: usage. */
export function checkExplain(request: ExplainRequest): void {
  parseRecordId(request.id ?? '')
}

/** The facts of a record of `flows`. */
export function explain(record: Row): Fact[] {
  return [
    ...asReceived(record),
    ...observed(record),
    ...endFacts(record, 'src'),
    ...endFacts(record, 'dst'),
    ...estimate(record),
    ...corrected(record),
    ...counted(record),
  ]
}

function asReceived(record: Row): Fact[] {
  return COLUMN_NAMES.slice(0, FIRST_ADDED).flatMap((column) => {
    const value = record[column]
    if (TOLD.has(column) || value === '' || value === 0 || value === undefined || value === 'unknown') return []
    return [
      {
        part: 'received',
        fact: column,
        value: shown(column, value as string | number),
        meaning: meaning(column, value),
      },
    ]
  })
}

/** What a value of a closed set means, else what the column is. */
function meaning(column: ColumnName, value: unknown): string {
  const { of, doc } = columnFacts(column)
  return of === undefined ? doc : valueDoc(of, String(value))
}

function valueDoc(of: EnumName, value: string): string {
  const docs: Readonly<Record<string, string>> = ENUMS[of]
  return docs[value] ?? ''
}

function shown(column: ColumnName, value: string | number): string | number {
  if (column === 'tcp_flags') return flagLetters(Number(value))
  return column === 'ip_protocol' ? protocolName(Number(value)) : value
}

function observed(record: Row): Fact[] {
  return (['exporter_host', 'bridge'] as const).map((column) => ({
    part: 'observed',
    fact: column,
    value: record[column] === '' ? '-' : (record[column] as string),
    meaning: columnFacts(column).doc,
  }))
}

const NAMES = ['project', 'server', 'port', 'network', 'host'] as const

function endFacts(record: Row, side: 'src' | 'dst'): Fact[] {
  const part = side === 'src' ? 'source' : 'destination'
  const value = (name: string) => record[`${side}_${name}`] ?? ''
  const enumFact = (name: 'kind' | 'grade' | 'evidence', of: EnumName): Fact => ({
    part,
    fact: name,
    value: String(value(name)),
    meaning: valueDoc(of, String(value(name))),
  })
  const names = NAMES.filter((name) => value(name) !== '').map((name) => ({
    part,
    fact: name,
    value: String(value(name)),
    meaning:
      value(`${name}_id`) === '' || value(`${name}_id`) === value(name) ? '' : `id ${String(value(`${name}_id`))}`,
  }))
  const router = value('router_id') === '' ? [] : [{ part, fact: 'router', value: String(value('router_id')), meaning: 'router id' }] // prettier-ignore
  const several =
    Number(value('candidates')) === 0
      ? []
      : [
          {
            part,
            fact: 'candidates',
            value: Number(value('candidates')),
            meaning: 'ports that it could be; none is picked',
          },
        ]
  return [enumFact('kind', 'end_kind'), ...names, ...router, enumFact('grade', 'grade'), enumFact('evidence', 'evidence'), ...several] // prettier-ignore
}

const WIDTH_95 = 1.96

function estimate(record: Row): Fact[] {
  const part = 'sampling'
  const rate = Number(record['sampling_rate'])
  const words = rate === 0 ? 'not known; the counts are as the exporter gave them' : rate === 1 ? 'every packet' : `1 in ${rate} packets` // prettier-ignore
  const facts: Fact[] = [{ part, fact: 'sampling_rate', value: rate, meaning: words }]
  if (Number(record['samples']) > 0)
    facts.push({ part, fact: 'samples', value: Number(record['samples']), meaning: columnFacts('samples').doc })
  if (Number(record['kept_one_in']) > 1)
    facts.push({ part, fact: 'kept_one_in', value: Number(record['kept_one_in']), meaning: columnFacts('kept_one_in').doc }) // prettier-ignore
  const width = Math.round(WIDTH_95 * Math.sqrt(Number(record['bytes_variance'])))
  if (width > 0)
    facts.push({ part, fact: 'bytes_error', value: width, meaning: 'bytes are within that of the truth in 95 of 100 cases' }) // prettier-ignore
  return facts
}

function corrected(record: Row): Fact[] {
  const bits = Number(record['corrections'])
  return Object.entries(CORRECTIONS)
    .filter(([, { bit }]) => (bits & bit) !== 0)
    .map(([fact, { doc }]) => ({ part: 'corrected', fact, value: 'yes', meaning: doc }))
}

function counted(record: Row): Fact[] {
  const part = 'counted'
  const role = String(record['role'])
  const who = (side: 'src' | 'dst') =>
    String(record[`${side}_server`] || record[`${side}_port`] || record[`${side}_addr`] || 'its end')
  const [sent, received, once] = ['counts_sent', 'counts_received', 'counts_once'].map((name) => record[name] === 1)
  return [
    { part, fact: 'role', value: role, meaning: valueDoc('role', role) },
    { part, fact: 'traffic_class', value: String(record['traffic_class']), meaning: valueDoc('traffic_class', String(record['traffic_class'])) }, // prettier-ignore
    { part, fact: 'counts_sent', value: Number(sent), meaning: sent === true ? `sent by ${who('src')}` : 'not what its source sent: that is counted elsewhere, or not known' }, // prettier-ignore
    { part, fact: 'counts_received', value: Number(received), meaning: whyReceived(sent === true, received === true, who('dst')) }, // prettier-ignore
    { part, fact: 'counts_once', value: Number(once), meaning: once === true ? 'its bytes are in totals' : 'its bytes are in totals by another record, or are a copy' }, // prettier-ignore
  ]
}

function whyReceived(sent: boolean, received: boolean, who: string): string {
  if (!received) return 'not what its destination received: that is counted elsewhere, or not known'
  if (sent) return `received by ${who} too: nobody reports what leaves there`
  return `received by ${who}`
}
