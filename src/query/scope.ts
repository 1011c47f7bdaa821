import { COLUMN_NAMES, columnFacts, type ColumnName } from '../schema/columns.ts'
import { FLOWS } from '../schema/ddl.ts'
import { ROLLUP_KEYS, ROLLUP_NAMES, ROLLUP_SUM_NAMES } from '../schema/rollups.ts'
import type { Asker, Plan } from './plan.ts'

/**
 * What one project may see: records with an end in it, and of their other end only an outside address, or that it is of another
 * project. Everything is asked of that view in place of the table, so filters, groups, counts, names and ids know nothing else. Sums
 * of records are kept apart by both projects and by kind, so the same view of them is as exact.
 *
 * Closed by default: a column that is not named here is empty, and a plan that asks any other table is a bug and fails.
 */
type Rule =
  | 'kept'
  /** Of an end: shown where that end is the project's own. */
  | 'own'

const RULES: Readonly<Partial<Record<ColumnName, Rule>>> = {
  ...rules('kept', ['flow_end', 'flow_start', 'time_received', 'export_protocol', 'flow_direction', 'ether_type', 'ip_version', 'ip_protocol', 'tos', 'ttl', 'flow_label', 'ip_fragment', 'src_l4_port', 'dst_l4_port', 'tcp_flags', 'icmp_type', 'icmp_code', 'packets', 'bytes', 'l2_bytes', 'sampling_rate', 'samples', 'bytes_variance', 'l2_bytes_variance', 'kept_one_in', 'tcp_retransmits', 'flow_end_reason', 'corrections', 'role', 'traffic_class', 'counts_sent', 'counts_received', 'counts_once']), // prettier-ignore
  ...sidedRules('own', ['mac', 'project_id', 'network_id', 'network', 'server_id', 'server', 'port_id', 'port', 'router_id', 'candidates', 'grade', 'evidence']), // prettier-ignore
}

/** Kinds of ends whose address and kind everybody may know who talks to them. */
const OPEN_KINDS = `('external', 'group')`
export const OTHER_PROJECT = 'another project'
const PARAMETER = '{scope:String}'

function rules(rule: Rule, columns: readonly ColumnName[]): Partial<Record<ColumnName, Rule>> {
  return Object.fromEntries(columns.map((column) => [column, rule]))
}

function sidedRules(rule: Rule, parts: readonly string[]): Partial<Record<ColumnName, Rule>> {
  return Object.fromEntries(['src', 'dst'].flatMap((side) => parts.map((part) => [`${side}_${part}`, rule])))
}

/** Qualified, so that no alias of the view can stand for a column of the table. */
const raw = (column: string) => `raw.${column}`

function expression(column: ColumnName): string {
  const { kind } = columnFacts(column)
  const value = kind === 'enum' ? `toString(${raw(column)})` : raw(column)
  const [, side, part] = /^(src|dst)_(.+)$/.exec(column) ?? []
  if (side !== undefined && part !== undefined) {
    const own = `${raw(`${side}_project_id`)} = ${PARAMETER}`
    const open = `toString(${raw(`${side}_kind`)}) IN ${OPEN_KINDS}`
    if (part === 'addr') return `if(${own} OR ${open}, ${value}, ${empty(column)})`
    if (part === 'kind')
      return `multiIf(${own} OR ${open}, ${value}, ${raw(`${side}_project_id`)} != '', 'other', 'unknown')`
    if (part === 'project')
      return `multiIf(${own}, toString(${value}), ${raw(`${side}_project_id`)} != '', '${OTHER_PROJECT}', '')`
    if (RULES[column] === 'own') return `if(${own}, ${value}, ${empty(column)})`
  }
  return RULES[column] === 'kept' ? value : empty(column)
}

/** The empty value of a column, of the type that `expression` has otherwise. */
function empty(column: ColumnName): string {
  switch (columnFacts(column).kind) {
    case 'enum':
      return `'unknown'`
    case 'text':
      return `''`
    case 'ip':
      return `toIPv6('::')`
    case 'time':
      return 'fromUnixTimestamp64Milli(toInt64(0))'
    default:
      return '0'
  }
}

/** What the view of a table shows of it. Of sums the bucket and what is summed are of nobody in particular. */
const SUMMED = { bucket: raw('bucket'), ...shownOf(ROLLUP_KEYS), ...Object.fromEntries(ROLLUP_SUM_NAMES.map((name) => [name, raw(name)])) } // prettier-ignore
const VIEWS: ReadonlyMap<string, Readonly<Record<string, string>>> = new Map([
  [FLOWS, shownOf(COLUMN_NAMES)],
  ...ROLLUP_NAMES.map((name) => [name, SUMMED] as const),
])

function shownOf(columns: readonly ColumnName[]): Record<string, string> {
  return Object.fromEntries(columns.map((column) => [column, expression(column)]))
}

/** The view of a table with those of its columns that are among the words. One that is not among them is not there at all. */
function view(table: string, words: ReadonlySet<string>): string | undefined {
  const all = VIEWS.get(table)
  if (all === undefined) return undefined
  const columns = Object.entries(all).filter(([column]) => words.has(column))
  const shown = columns.map(([column, value]) => `${value} AS ${column}`).join(', ') || '1'
  return (
    `(SELECT ${shown} FROM ${table} AS raw ` +
    `WHERE ${raw('src_project_id')} = ${PARAMETER} OR ${raw('dst_project_id')} = ${PARAMETER})`
  )
}

const TABLE = /\b(FROM|JOIN)\s+([^\s()]+|\()/gi

/** Asks in the name of a project. A plan that asks anything but flows and their sums throws: that would be a bug. */
export function scopedAsker(asker: Asker, project: string): Asker {
  if (project === '') throw new Error('a scope without a project')
  return { scope: project, query: (plan) => asker.query(scopedPlan(plan, project)) }
}

/** The plan over the view of a project. */
export function scopedPlan({ sql, params }: Plan, project: string): Plan {
  // The engine takes longer to read a view of all columns than to answer.
  const words = new Set(sql.match(/\w+/g))
  const scoped = sql.replaceAll(TABLE, (_, word: string, table: string) => {
    if (table === '(') return `${word} (`
    const own = word === 'FROM' ? view(table, words) : undefined
    if (own === undefined) throw new Error(`a project's question may not ask ${table}`)
    return `FROM ${own}`
  })
  return { sql: scoped, params: { ...params, scope: project } }
}
