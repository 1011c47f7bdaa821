import { AppError } from '../errors.ts'
import { COLUMN_NAMES, COLUMNS, columnFacts, type ColumnName } from '../schema/columns.ts'
import { FLOWS } from '../schema/ddl.ts'
import { ENTITIES, ENTITY_NAMES, MAX_DIMENSIONS } from './dimensions.ts'
import { columnParty, entityParty, type Party } from './ends.ts'
import { errorName, figureValue, halfWidth, variancesOf } from './figures.ts'
import { MEASURE_NAMES, MEASURES } from './measures.ts'
import { didYouMean } from './nearest.ts'
import { Params, type Plan } from './plan.ts'
import { quoted, type Cell, type Condition } from './request.ts'
import { spanCondition } from './span-condition.ts'
import type { Span } from './times.ts'
import { readable, readExpression } from './values.ts'

/**
 * Conversations: both directions between two parties in one row. Party `a` is the one that is known; of two, the one whose key comes
 * first. Every byte holds once, in the direction it went.
 */
export interface ConversationsQuery extends Condition {
  readonly parties: readonly Party[]
  /** Columns of the record that keep conversations apart. */
  readonly plain: readonly ColumnName[]
  /** A result column. */
  readonly by: string
  readonly limit: number
  readonly count: 'once' | 'all'
}

const WAYS = ['a_to_b', 'b_to_a'] as const
const PARTY_NAMES: readonly string[] = [
  ...ENTITY_NAMES,
  ...COLUMN_NAMES.filter((name) => name.startsWith('src_') && Object.hasOwn(COLUMNS, `dst_${name.slice(4)}`)).map(
    (name) => name.slice(4),
  ),
]

/** What a conversation can be sorted by, in order. */
export const CONVERSATION_FIGURES: readonly string[] = MEASURE_NAMES.flatMap((measure) => [
  ...WAYS.map((way) => `${way}_${measure}`),
  measure,
])

/**
 * What a conversation is between (`server`, `addr`, `l4_port`; `src_addr` and `dst_addr` both mean `addr`), and the columns of the
 * record beside it (`ip_protocol`). Errors: column_unknown, usage.
 */
export function parseConversations(words: readonly string[]): Pick<ConversationsQuery, 'parties' | 'plain'> {
  const names = words.flatMap((word) => word.split(',')).map((word) => word.trim()).filter(Boolean) // prettier-ignore
  const wanted = [
    ...new Set((names.length === 0 ? ['server'] : names).map((name) => name.replace(/^(?:src|dst)_/, ''))),
  ]
  if (wanted.length > MAX_DIMENSIONS)
    throw new AppError('usage', `${wanted.length} dimensions; a report has at most ${MAX_DIMENSIONS}`)
  const parties: Party[] = []
  const plain: ColumnName[] = []
  for (const name of wanted) {
    const party = partyOf(name)
    if (party !== undefined) parties.push(party)
    else if (isDimension(name)) plain.push(name)
    else
      throw new AppError(
        'column_unknown',
        `no column is called ${quoted(name)}${didYouMean(name, [...PARTY_NAMES, ...COLUMN_NAMES])} (ovsight show columns lists them)`,
      )
  }
  if (parties.length === 0)
    throw new AppError(
      'usage',
      `a conversation is between two ends; give one of ${ENTITY_NAMES.join(', ')}, addr, l4_port, mac`,
    )
  return { parties, plain }
}

function partyOf(name: string): Party | undefined {
  return Object.hasOwn(ENTITIES, name) ? entityParty(name as keyof typeof ENTITIES) : columnParty(name)
}

function isDimension(name: string): name is ColumnName {
  return Object.hasOwn(COLUMNS, name) && columnFacts(name as ColumnName).measure !== true
}

/** Errors: column_unknown. */
export function parseConversationsBy(by: string | undefined): string {
  if (by === undefined) return 'bytes'
  if (CONVERSATION_FIGURES.includes(by)) return by
  throw new AppError(
    'column_unknown',
    `${quoted(by)} is no figure of a conversation${didYouMean(by, CONVERSATION_FIGURES)}; sort by ${CONVERSATION_FIGURES.join(', ')}`,
  )
}

/** The figures of a conversation, in order; errors last. `sampled` adds these. */
function conversationFigures(sampled: boolean): readonly string[] {
  const errors = MEASURE_NAMES.filter((measure) => sampled && MEASURES[measure].variance !== undefined)
  return [
    ...CONVERSATION_FIGURES,
    ...errors.flatMap((measure) => [...WAYS.map((way) => `${way}_${measure}`), measure].map(errorName)),
  ]
}

/** The plan; its rows are for `conversationRows`. */
export function conversationsPlan(query: ConversationsQuery, span: Span, sampled: boolean): Plan {
  const params = new Params()
  const { parties, plain } = query
  const where = [
    spanCondition(span, params),
    query.condition(params),
    query.count === 'once' ? 'counts_once = 1' : undefined,
  ].filter((part) => part !== undefined)
  const variances = sampled ? variancesOf() : []
  const order = (side: 'src' | 'dst') =>
    `tuple(${parties.flatMap(({ unknown, key }) => [unknown(side), key(side)].filter((part) => part !== undefined)).join(', ')})`
  const swap = `${order('src')} > ${order('dst')}`
  const either = (src: string, dst: string) => `if(swap, ${dst}, ${src})`
  const shows = partiesShow(parties)
  const inner = [
    `${swap} AS swap`,
    ...parties.flatMap(({ key }, i) => [`${key('src')} AS ks${i}`, `${key('dst')} AS kd${i}`]),
    ...shows.flatMap(({ sql }, i) => [`${sql('src')} AS ns${i}`, `${sql('dst')} AS nd${i}`]),
    ...plain.flatMap((column, i) => [`${column} AS kp${i}`, `${readExpression(column)} AS np${i}`]),
    ...MEASURE_NAMES.map((measure, i) => `${MEASURES[measure].sum} AS m${i}`),
    ...variances.map(({ variance }, i) => `${variance} AS v${i}`),
  ]
  const names = [
    ...shows.flatMap(({ as }, i) => [
      `max(${either(`ns${i}`, `nd${i}`)}) AS a_${as}`,
      `max(${either(`nd${i}`, `ns${i}`)}) AS b_${as}`,
    ]),
    ...plain.map((column, i) => `max(np${i}) AS ${column}`),
  ]
  const sums = MEASURE_NAMES.flatMap((measure, i) => [
    `sum(if(swap, 0, m${i})) AS a_to_b_${measure}`,
    `sum(if(swap, m${i}, 0)) AS b_to_a_${measure}`,
    `sum(m${i}) AS ${measure}`,
  ])
  const errors = variances.flatMap(({ measure }, i) => [
    `${halfWidth(`sum(if(swap, 0, v${i}))`)} AS ${errorName(`a_to_b_${measure}`)}`,
    `${halfWidth(`sum(if(swap, v${i}, 0))`)} AS ${errorName(`b_to_a_${measure}`)}`,
    `${halfWidth(`sum(v${i})`)} AS ${errorName(measure)}`,
  ])
  const keys = [
    ...parties.flatMap((_, i) => [either(`ks${i}`, `kd${i}`), either(`kd${i}`, `ks${i}`)]),
    ...plain.map((_, i) => `kp${i}`),
  ]
  const sorted = [`${query.by} DESC`, ...conversationNames(query)]
  const sql =
    `SELECT ${[...names, ...sums, ...errors].join(', ')} FROM (SELECT ${inner.join(', ')} FROM ${FLOWS} WHERE ${where.join(' AND ')}) ` +
    `GROUP BY ${keys.join(', ')} ORDER BY ${sorted.join(', ')} LIMIT ${query.limit}`
  return { sql, params: params.values }
}

/** What is shown of an end. What another party is of is shown by that: `server project` has one project. */
function partiesShow(parties: readonly Party[]): Party['shows'] {
  const own = new Set(parties.map(({ name }) => name))
  const shows = new Map<string, Party['shows'][number]>()
  for (const party of parties)
    for (const show of party.shows)
      if ((show.as === party.name || !own.has(show.as)) && !shows.has(show.as)) shows.set(show.as, show)
  return [...shows.values()]
}

function conversationNames({ parties, plain }: Pick<ConversationsQuery, 'parties' | 'plain'>): string[] {
  const shows = partiesShow(parties).map(({ as }) => as)
  return [...shows.map((as) => `a_${as}`), ...shows.map((as) => `b_${as}`), ...plain]
}

/** Names of the columns of an answer, in order. */
export function conversationColumns(query: Pick<ConversationsQuery, 'parties' | 'plain'>, sampled: boolean): string[] {
  return [...conversationNames(query), ...conversationFigures(sampled)]
}

export function conversationRows(
  { parties, plain }: Pick<ConversationsQuery, 'parties' | 'plain'>,
  sampled: boolean,
  rows: readonly Record<string, unknown>[],
): Record<string, Cell>[] {
  const shows = partiesShow(parties)
  return rows.map((row) =>
    Object.fromEntries([
      ...(['a', 'b'] as const).flatMap((end) =>
        shows.map(({ as, of }) => [`${end}_${as}`, readable(of, row[`${end}_${as}`])] as const),
      ),
      ...plain.map((column) => [column, readable(column, row[column])] as const),
      ...conversationFigures(sampled).map((name) => [name, figureValue(name, row)] as const),
    ]),
  )
}
