import { columnFacts, type ColumnName } from '../schema/columns.ts'
import { FLOWS } from '../schema/ddl.ts'
import type { Dimension, Shown, Side } from './dimensions.ts'
import { sumsOf, type SetName } from './figures.ts'
import { readExpression } from './values.ts'

/**
 * SQL that sums records by group. docs/design.md, "Counting", says what is summed, figures.ts how an entity's figures come of three
 * sets of records.
 *
 * Measured on 10 M rows, two cores: an aggregation a side 1.1 s, the pairs of ends first 1.7 s, arrayJoin of the two ends 4 s.
 * Grouping by the hashes of two texts takes 0.4 s where the texts themselves take 1.4 s; one text is quicker as it is.
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

/** A set of records to sum. */
interface RecordSet {
  readonly name: SetName
  /** The ends whose entities the records are of; the group is that of the first. */
  readonly sides: readonly Side[]
  readonly where: readonly string[]
  /** How often each record counts; undefined is once. */
  readonly times?: string
}

function recordSets({ dimensions, count }: Summed, where: readonly string[]): RecordSet[] {
  if (!isSided(dimensions))
    return [{ name: 'all', sides: ['src'], where: count === 'all' ? where : [...where, 'counts_once = 1'] }]
  if (count === 'all')
    return [
      { name: 'sent', sides: ['src'], where },
      { name: 'received', sides: ['dst'], where },
      { name: 'overlap', sides: ['src', 'dst'], where },
    ]
  // Between two own ends a record is to count once if a server end is counted, and not at all otherwise.
  const twice = 'counts_sent + counts_received'
  return [
    { name: 'sent', sides: ['src'], where: ['counts_sent = 1', ...where] },
    { name: 'received', sides: ['dst'], where: ['counts_received = 1', ...where] },
    {
      name: 'overlap',
      sides: ['src', 'dst'],
      where: [`${twice} > counts_once`, ...where],
      times: `(${twice} - counts_once)`,
    },
  ]
}

/**
 * Sums of every group: columns d0, d1, … as `shownBy` has them, the aliases of `sumsOf`, and `t` and `h` where asked for. Without the
 * group of ends that are not known.
 */
export function groupedSql(query: Summed, where: readonly string[], sampled: boolean, grouping: Grouping = {}): string {
  const { dimensions } = query
  const sets = recordSets(query, where)
  if (!isSided(dimensions)) return groupSql(query, sets[0]!, sampled, grouping)
  const same = dimensions.filter(({ sided }) => sided).map(({ key }) => `${hash(key('src'))} = ${hash(key('dst'))}`)
  const parts = sets.map((set) =>
    groupSql(query, set.sides.length === 1 ? set : { ...set, where: [...set.where, ...same] }, sampled, grouping),
  )
  const names = shownBy(dimensions).map((_, i) => `any(d${i}) AS d${i}`)
  const sums = sumsOf(true, sampled).map(({ alias }) => `sum(${alias}) AS ${alias}`)
  const known = dimensions.flatMap(({ sided }, i) => (sided ? [`k${i} != ${groupKey(dimensions, `''`)}`] : []))
  const { keys, extra } = extras(query, grouping)
  return (
    `SELECT ${[...extra, ...names, ...sums].join(', ')} FROM (${parts.join(' UNION ALL ')}) ` +
    `WHERE ${known.join(' OR ')} GROUP BY ${keys.join(', ')}`
  )
}

/** Names of the keys, and what is selected beside names and sums. */
function extras({ dimensions }: Summed, { bucket, hashed }: Grouping): { keys: string[]; extra: string[] } {
  return {
    keys: [...dimensions.map((_, i) => `k${i}`), ...(bucket === undefined ? [] : ['t'])],
    extra: [...(bucket === undefined ? [] : ['t']), ...(hashed === true ? ['any(h) AS h'] : [])],
  }
}

/** Sums of one set of records by group; the sums of the other sets are zero. */
function groupSql(query: Summed, set: RecordSet, sampled: boolean, grouping: Grouping): string {
  const { dimensions } = query
  const side = set.sides[0]!
  const { bucket, hashed, member } = grouping
  const keys = dimensions.map(({ key }, i) => `${keyExpression(dimensions, key(side))} AS k${i}`)
  const extra = [
    ...(bucket === undefined ? [] : [`${bucket} AS t`]),
    ...(hashed === true ? [`any(${groupHash(dimensions, side)}) AS h`] : []),
  ]
  const names = shownBy(dimensions).map(({ column }, i) => `any(${readExpression(column(side))}) AS d${i}`)
  const where = [...set.where, ...(member?.(side) ?? [])]
  return (
    `SELECT ${[...extra, ...keys, ...names, ...setSums(query, set, sampled)].join(', ')} ` +
    `FROM ${FLOWS} WHERE ${where.join(' AND ')} GROUP BY ${extras(query, grouping).keys.join(', ')}`
  )
}

function setSums({ dimensions }: Summed, { name, times }: RecordSet, sampled: boolean): string[] {
  return sumsOf(isSided(dimensions), sampled).map(({ set, alias, of, type }) => {
    const own = times === undefined ? `sum(${of})` : `sum(${of} * ${times})`
    return `to${type}(${set === name ? own : '0'}) AS ${alias}`
  })
}

/**
 * Sums of many groups as if they were one entity: each byte with an end in it once. `member` says which ends are in it; ends that are
 * not known never are.
 */
export function unionSql(
  query: Summed,
  where: readonly string[],
  sampled: boolean,
  { bucket, member }: Pick<Grouping, 'bucket' | 'member'> = {},
): string {
  const sided = isSided(query.dimensions)
  const known = (side: Side) =>
    sided
      ? `(${query.dimensions.flatMap(({ sided: own, key }) => (own ? [`${key(side)} != ''`] : [])).join(' OR ')})`
      : ''
  const parts = recordSets(query, where).map((set) => {
    const inside = set.sides.flatMap((side) => [known(side), ...(member?.(side) ?? [])]).filter(Boolean)
    const conditions = [...set.where, ...inside].join(' AND ')
    const time = bucket === undefined ? [] : [`${bucket} AS t`]
    return (
      `SELECT ${[...time, ...setSums(query, set, sampled)].join(', ')} FROM ${FLOWS} WHERE ${conditions}` +
      (bucket === undefined ? '' : ' GROUP BY t')
    )
  })
  const sums = sumsOf(sided, sampled).map(({ alias }) => `sum(${alias}) AS ${alias}`)
  return (
    `SELECT ${[...(bucket === undefined ? [] : ['t']), ...sums].join(', ')} FROM (${parts.join(' UNION ALL ')})` +
    (bucket === undefined ? '' : ' GROUP BY t')
  )
}

/**
 * 53 bits of a hash over a record's group, seen from a side: what JavaScript holds exactly. Two groups share one in about 1 of 10^16
 * pairs.
 */
export function groupHash(dimensions: readonly Dimension[], side: Side): string {
  return `bitShiftRight(sipHash64(${dimensions.map(({ key }) => key(side)).join(', ')}), 11)`
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
