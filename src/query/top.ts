import { columnFacts, type ColumnName } from '../schema/columns.ts'
import { FLOWS } from '../schema/ddl.ts'
import type { Dimension, Shown, Side } from './dimensions.ts'
import { errorName, figuresOf, sumsOf, type SetName } from './figures.ts'
import { Params, type Plan } from './plan.ts'
import { spanCondition } from './span.ts'
import type { Span } from './times.ts'
import { readable, readExpression } from './values.ts'

/**
 * Who moved most: sums over groups of records. docs/design.md, "Counting", says what is summed, figures.ts how an entity's figures
 * come of three sets of records.
 *
 * Measured on 10 M rows, two cores: an aggregation a side 1.1 s, the pairs of ends first 1.7 s, arrayJoin of the two ends 4 s.
 * Grouping by the hashes of two texts takes 0.4 s where the texts themselves take 1.4 s; one text is quicker as it is.
 */
export interface TopQuery {
  readonly dimensions: readonly Dimension[]
  /** A figure to sort by, see `figureNames`. */
  readonly by: string
  readonly limit: number
  /** `all` sums every stored record, whatever its role. */
  readonly count: 'once' | 'all'
  /** Adds a condition to the plan; binds its values there. */
  condition(params: Params): string | undefined
}

export function isSided(dimensions: readonly Dimension[]): boolean {
  return dimensions.some((dimension) => dimension.sided)
}

/**
 * The plan of a report; its rows are for `topRows`. `sampled` adds the errors of estimates, which cost as much again as the figures.
 * Groups are k0, k1, … inside, what they show d0, d1, …; only the outermost SELECT names them, so that no alias hides a column.
 */
export function topPlan(query: TopQuery, span: Span, sampled: boolean): Plan {
  const params = new Params()
  const where = [spanCondition(span, params), query.condition(params)].filter((part) => part !== undefined)
  const shows = shownBy(query.dimensions)
  const sided = isSided(query.dimensions)
  const inner = sided ? entitySql(query, where, sampled) : groupSql(query, wholeSet(query, where), sampled)
  const names = shows.map(({ as }, i) => `d${i} AS ${as}`)
  const figures = figuresOf(sided, sampled).map(({ name, sql }) => `${sql} AS ${name}`)
  const order = [`${query.by} DESC`, ...shows.map(({ as }) => as)]
  const sql = `SELECT ${[...names, ...figures].join(', ')} FROM (${inner}) ORDER BY ${order.join(', ')} LIMIT ${query.limit}`
  return { sql, params: params.values }
}

/** Result columns of the groups. One that another dimension groups by is shown by that: `top server project` has one `project`. */
function shownBy(dimensions: readonly Dimension[]): Shown[] {
  const own = new Set(dimensions.map(({ name }) => name))
  const shows = new Map<string, Shown>()
  for (const dimension of dimensions)
    for (const show of dimension.shows)
      if ((show.as === dimension.name || !own.has(show.as)) && !shows.has(show.as)) shows.set(show.as, show)
  return [...shows.values()]
}

/** A set of records to sum by group. */
interface RecordSet {
  readonly name: SetName
  /** The end that the entities of the group are. */
  readonly side: Side
  readonly where: readonly string[]
  /** How often each record counts; undefined is once. */
  readonly times?: string
}

function wholeSet({ count }: TopQuery, where: readonly string[]): RecordSet {
  return { name: 'all', side: 'src', where: count === 'all' ? where : [...where, 'counts_once = 1'] }
}

function entitySets({ dimensions, count }: TopQuery, where: readonly string[]): RecordSet[] {
  const entities = dimensions.filter(({ sided }) => sided)
  const same = entities.map(({ key }) => `${hash(key('src'))} = ${hash(key('dst'))}`)
  if (count === 'all')
    return [
      { name: 'sent', side: 'src', where },
      { name: 'received', side: 'dst', where },
      { name: 'overlap', side: 'src', where: [...where, ...same] },
    ]
  // Between two own ends a record is to count once if a server end is counted, and not at all otherwise.
  const twice = 'counts_sent + counts_received'
  return [
    { name: 'sent', side: 'src', where: ['counts_sent = 1', ...where] },
    { name: 'received', side: 'dst', where: ['counts_received = 1', ...where] },
    {
      name: 'overlap',
      side: 'src',
      where: [`${twice} > counts_once`, ...where, ...same],
      times: `(${twice} - counts_once)`,
    },
  ]
}

/** The three sets of an entity, each summed by group, then put together; without the group of ends that are not known. */
function entitySql(query: TopQuery, where: readonly string[], sampled: boolean): string {
  const sets = entitySets(query, where).map((set) => groupSql(query, set, sampled))
  const names = shownBy(query.dimensions).map((_, i) => `any(d${i}) AS d${i}`)
  const sums = sumsOf(true, sampled).map(({ alias }) => `sum(${alias}) AS ${alias}`)
  const keys = query.dimensions.map((_, i) => `k${i}`)
  const known = query.dimensions.flatMap(({ sided }, i) =>
    sided ? [`k${i} != ${groupKey(query.dimensions, `''`)}`] : [],
  )
  return (
    `SELECT ${[...names, ...sums].join(', ')} FROM (${sets.join(' UNION ALL ')}) ` +
    `WHERE ${known.join(' OR ')} GROUP BY ${keys.join(', ')}`
  )
}

/** Sums of one set of records by group; the sums of the other sets are zero. */
function groupSql({ dimensions }: TopQuery, set: RecordSet, sampled: boolean): string {
  const { side, where, times } = set
  const keys = dimensions.map(({ key }, i) => `${keyExpression(dimensions, key(side))} AS k${i}`)
  const names = shownBy(dimensions).map(({ column }, i) => `any(${readExpression(column(side))}) AS d${i}`)
  const sums = sumsOf(isSided(dimensions), sampled).map(({ set: of, alias, of: one, type }) => {
    const own = times === undefined ? `sum(${one})` : `sum(${one} * ${times})`
    return `to${type}(${of === set.name ? own : '0'}) AS ${alias}`
  })
  const group = dimensions.map((_, i) => `k${i}`)
  return `SELECT ${[...keys, ...names, ...sums].join(', ')} FROM ${FLOWS} WHERE ${where.join(' AND ')} GROUP BY ${group.join(', ')}`
}

function keyExpression(dimensions: readonly Dimension[], column: ColumnName): string {
  return columnFacts(column).kind === 'text' ? groupKey(dimensions, column) : column
}

/** One text is grouped by as it is; several by their hashes, equal for equal texts and for others in 1 of 2^64 pairs. */
function groupKey(dimensions: readonly Dimension[], text: string): string {
  return dimensions.length === 1 ? text : hash(text)
}

function hash(text: string): string {
  return `sipHash64(${text})`
}

/** Names of the columns of an answer, in order. */
export function topColumns({ dimensions }: TopQuery, sampled: boolean): string[] {
  const figures = figuresOf(isSided(dimensions), sampled)
  return [...shownBy(dimensions).map(({ as }) => as), ...figures.map(({ name }) => name)]
}

/** Rows of the answer: values as people read them, numbers for figures. */
export function topRows(
  { dimensions }: TopQuery,
  sampled: boolean,
  rows: readonly Record<string, unknown>[],
): Record<string, string | number>[] {
  const shows = shownBy(dimensions)
  const figures = figuresOf(isSided(dimensions), sampled)
  const errors = new Set(figures.map(({ name }) => errorName(name)))
  return rows.map((row) =>
    Object.fromEntries([
      ...shows.map(({ as, column }) => [as, readable(column('src'), row[as])] as const),
      ...figures.map(
        ({ name }) => [name, errors.has(name) ? Math.round(Number(row[name])) : Number(row[name])] as const,
      ),
    ]),
  )
}
