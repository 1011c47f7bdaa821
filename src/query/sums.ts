import { columnFacts, type ColumnName } from '../schema/columns.ts'
import { FLOWS } from '../schema/ddl.ts'
import type { Dimension, Shown, Side } from './dimensions.ts'
import { SETS, sumsOf, type SetName } from './figures.ts'
import type { MeasureName } from './measures.ts'
import { readExpression } from './values.ts'

/**
 * SQL that sums records by group. docs/design.md, "Counting", says what is summed, figures.ts how an entity's figures come of three
 * sets of records.
 *
 * Measured on 10 M rows, two cores: an aggregation a side 1.1 s, the pairs of ends first 1.7 s, arrayJoin of the two ends 4 s.
 * Grouping by the hashes of two texts takes 0.4 s where the texts themselves take 1.4 s; one text is quicker as it is. On a few records
 * the engine spends its time on reading the statement, so what can be summed in one SELECT is.
 */
export interface Summed {
  readonly dimensions: readonly Dimension[]
  /** `all` sums every stored record, whatever its role. */
  readonly count: 'once' | 'all'
}

/** How the groups are made beside the dimensions. */
export interface Grouping {
  /** Expression of a further key, called `t`. */
  readonly bucket?: string
  /** Whether each group carries its hash, called `h`, see `groupHash`. */
  readonly hashed?: boolean
  /** Conditions on the group that a record falls into when it is seen from a side. */
  readonly member?: (side: Side) => readonly string[]
  /** Whether the groups show nothing but their hash. */
  readonly nameless?: boolean
  /** What is summed; all measures where it is not said. */
  readonly measures?: readonly MeasureName[]
}

export function isSided(dimensions: readonly Dimension[]): boolean {
  return dimensions.some((dimension) => dimension.sided)
}

/** Result columns of the groups. One that another dimension groups by is shown by that: `top server project` has one `project`. */
export function shownBy(dimensions: readonly Dimension[]): Shown[] {
  const own = new Set(dimensions.map(({ name }) => name))
  const shows = new Map<string, Shown>()
  for (const dimension of dimensions)
    for (const show of dimension.shows)
      if ((show.as === dimension.name || !own.has(show.as)) && !shows.has(show.as)) shows.set(show.as, show)
  return [...shows.values()]
}

/**
 * Between two own ends a record is to count once if a server end is counted, and not at all otherwise; `both` says whether they are.
 * Where a record is sent or received, this is never negative.
 */
function overlap({ count }: Summed, both: string): string {
  return count === 'all' ? both : `${both} * toInt64(counts_sent + counts_received - counts_once)`
}

/** Records seen from one side: those that may count there, and how often each does in which set; `0` is not at all. */
interface SideSets {
  readonly where: readonly string[]
  readonly weights: Readonly<Record<Exclude<SetName, 'all'>, string>>
}

/** The overlap is of the source's group as well as of the destination's: it goes with what was sent. */
function sideSets(query: Summed, side: Side): SideSets {
  const { dimensions, count } = query
  const all = count === 'all'
  if (side === 'dst')
    return { where: all ? [] : ['counts_received = 1'], weights: { sent: '0', received: '1', overlap: '0' } }
  const same = dimensions.filter(({ sided }) => sided).map(({ key }) => `${hash(key('src'))} = ${hash(key('dst'))}`)
  const both = `(${same.join(' AND ')})`
  return {
    where: all ? [] : [`(counts_sent = 1 OR (counts_received = 1 AND ${both}))`],
    weights: { sent: all ? '1' : 'counts_sent', received: '0', overlap: overlap(query, both) },
  }
}

/**
 * Sums of every group: columns s0, s1, … as `shownBy` has them, the aliases of `sumsOf`, and `t` and `h` where asked for. Without the
 * group of ends that are not known.
 */
export function groupedSql(query: Summed, where: readonly string[], sampled: boolean, grouping: Grouping = {}): string {
  const { dimensions, count } = query
  const { bucket, hashed, measures } = grouping
  const sided = isSided(dimensions)
  const wanted = sumsOf(sided, sampled, measures)
  const of = [...new Set(wanted.map((sum) => sum.of))]
  const parts = sided
    ? (['src', 'dst'] as const).map((side) => {
        const sets = sideSets(query, side)
        const weights = SETS.map((set) => `${sets.weights[set]} AS w_${set}`)
        return sideSql(dimensions, side, [...sets.where, ...where], [...summands(of), ...weights], grouping)
      })
    : [sideSql(dimensions, 'src', count === 'all' ? where : [...where, 'counts_once = 1'], summands(of), grouping)]
  const names = grouping.nameless === true ? [] : shownBy(dimensions).map((_, i) => `max(d${i}) AS s${i}`)
  const sums = wanted.map(({ alias, of: what, set, type }) => `to${type}(sum(x${of.indexOf(what)}${set === 'all' ? '' : ` * w_${set}`})) AS ${alias}`) // prettier-ignore
  const known = dimensions.flatMap((dimension, i) => dimension.sided ? [`k${i} != ${groupKey(dimensions, `''`)}`] : []) // prettier-ignore
  const time = bucket === undefined ? [] : ['t']
  // Other than the names inside, which it would be taken for.
  const outer = [...time, ...(hashed === true ? ['any(g) AS h'] : []), ...names, ...sums]
  return (
    `SELECT ${outer.join(', ')} FROM (${parts.join(' UNION ALL ')})` +
    (known.length === 0 ? '' : ` WHERE ${known.join(' OR ')}`) +
    ` GROUP BY ${[...dimensions.map((_, i) => `k${i}`), ...time].join(', ')}`
  )
}

/** What is summed of a record, as x0, x1, … */
function summands(of: readonly string[]): string[] {
  return of.map((expression, i) => `${expression} AS x${i}`)
}

/** Records seen from a side: the keys of their group, what it shows, and values. */
function sideSql(
  dimensions: readonly Dimension[],
  side: Side,
  where: readonly string[],
  values: readonly string[],
  { bucket, hashed, member, nameless }: Grouping,
): string {
  const keys = dimensions.map(({ key }, i) => `${keyExpression(dimensions, key(side))} AS k${i}`)
  const extra = [
    ...(bucket === undefined ? [] : [`${bucket} AS t`]),
    ...(hashed === true ? [`${groupHash(dimensions, side)} AS g`] : []),
  ]
  const names = shownBy(dimensions).map(({ column }, i) => `${readExpression(column(side))} AS d${i}`)
  const conditions = [...where, ...(member?.(side) ?? [])]
  return (
    `SELECT ${[...extra, ...keys, ...(nameless === true ? [] : names), ...values].join(', ')} ` +
    `FROM ${FLOWS} WHERE ${conditions.join(' AND ')}`
  )
}

/** Many groups as if they were one entity. */
export interface Union {
  /** Stands behind the aliases of `sumsOf`. */
  readonly suffix: string
  /** Which ends are in it. */
  readonly member?: Grouping['member']
}

/**
 * Sums of unions of groups, each byte with an end in one once, in one pass: the aliases of `sumsOf` with the suffix of each union. Ends
 * that are not known are in none. Records are summed by their flags and by which ends are in which union, a few dozen sorts, first.
 */
export function unionSql(
  query: Summed,
  where: readonly string[],
  sampled: boolean,
  unions: readonly Union[],
  bucket?: string,
): string {
  const { dimensions, count } = query
  const sided = isSided(dimensions)
  const wanted = sumsOf(sided, sampled)
  const of = [...new Set(wanted.map((sum) => sum.of))]
  const time = bucket === undefined ? [] : ['t']
  const flags = sided && count === 'once' ? ['counts_sent', 'counts_received', 'counts_once'] : []
  const insides = unions.flatMap(({ member }, u) => insideUnion(dimensions, member).map((sql, i) => ({ sql, as: `i${u}_${i}` }))) // prettier-ignore
  const inner = [
    ...(bucket === undefined ? [] : [`${bucket} AS t`]),
    ...flags,
    ...insides.map(({ sql, as }) => `${sql} AS ${as}`),
    ...of.map((expression, i) => `sum(${expression}) AS x${i}`),
  ]
  const counted = sided ? '(counts_sent = 1 OR counts_received = 1)' : 'counts_once = 1'
  const conditions = count === 'all' ? where : [counted, ...where]
  const keys = [...time, ...flags, ...insides.map(({ as }) => as)]
  const sums = unions.flatMap(({ suffix }, u) => {
    const weights = unionWeights(query, `i${u}_0`, `i${u}_1`)
    return wanted.map(({ of: what, set, type, alias }) => `to${type}(sum(x${of.indexOf(what)} * ${weights[set]})) AS ${alias}${suffix}`) // prettier-ignore
  })
  return (
    `SELECT ${[...time, ...sums].join(', ')} FROM ` +
    `(SELECT ${inner.join(', ')} FROM ${FLOWS} WHERE ${conditions.join(' AND ')} GROUP BY ${keys.join(', ')})` +
    (bucket === undefined ? '' : ' GROUP BY t')
  )
}

/** Whether the ends of a record are in a union, 0 or 1: source and destination; whether the record is, where there are no sides. */
function insideUnion(dimensions: readonly Dimension[], member: Grouping['member']): string[] {
  const all = (conditions: readonly string[]) =>
    conditions.length === 0 ? 'toUInt8(1)' : `(${conditions.join(' AND ')})`
  if (!isSided(dimensions)) return [all(member?.('src') ?? [])]
  return (['src', 'dst'] as const).map((side) => {
    const known = dimensions.flatMap(({ sided, key }) => (sided ? [`${key(side)} != ''`] : []))
    return all([`(${known.join(' OR ')})`, ...(member?.(side) ?? [])])
  })
}

/** How often records count in each set of a union, when their ends are in it. */
function unionWeights(query: Summed, src: string, dst: string): Readonly<Record<SetName, string>> {
  const times = (weight: string, flag: string) => (query.count === 'all' ? weight : `${weight} * ${flag}`)
  return {
    all: src,
    sent: times(src, 'counts_sent'),
    received: times(dst, 'counts_received'),
    overlap: overlap(query, `(${src} AND ${dst})`),
  }
}

/**
 * 53 bits of a hash over a record's group, seen from a side: what JavaScript holds exactly. Two groups share one in about 1 of 10^16
 * pairs.
 */
export function groupHash(dimensions: readonly Dimension[], side: Side): string {
  return `bitShiftRight(sipHash64(${dimensions.map(({ key }) => key(side)).join(', ')}), 11)`
}

/** What a dimension's column is grouped by. */
export function keyExpression(dimensions: readonly Dimension[], column: ColumnName): string {
  return columnFacts(column).kind === 'text' ? groupKey(dimensions, column) : column
}

/** One text is grouped by as it is; several by their hashes, equal for equal texts and for others in 1 of 2^64 pairs. */
export function groupKey(dimensions: readonly Dimension[], text: string): string {
  return dimensions.length === 1 ? text : hash(text)
}

function hash(text: string): string {
  return `sipHash64(${text})`
}
