/**
 * The groups of entities out of sums (rollup.ts): first the pairs of ends, in one pass, then both ends of each pair.
 *
 *   SELECT the figures of each group         max(d0), sum(x0 * w_sent), …
 *   FROM   each pair from both sides         its end there and how often it counts, w_sent w_received w_both
 *   FROM   the pairs                         ks0 kd0 | counts | ns0 nd0 … | x0 …
 *   FROM   flows
 *
 * Records are quicker summed once from each side (sums.ts): their pairs are as many as they. A pair has a row in every bucket of sums, and
 * a statement that names each table twice for two sides takes twice as long to plan. Of a month of days (230,000 rows, 5,300 pairs of 1,200
 * servers) reading takes the engine 43 % of its time, planning 27 %, the sums of pairs with their names 25 %, both ends of each 5 %.
 */
import { columnFacts, type ColumnName } from '../schema/columns.ts'
import { FLOWS } from '../schema/ddl.ts'
import type { Dimension, Shown } from './dimensions.ts'
import { errorName, halfWidth, sumsOf } from './figures.ts'
import { DIRECTIONS, figureName, MEASURES, MEASURE_NAMES } from './measures.ts'
import { groupKey, keyExpression, shownBy, type Summed } from './sums.ts'
import { readExpression } from './values.ts'

/** Rows as `topPlan` has them, of sided dimensions. `conditions` are on records, `kept` on the groups by their names in the answer. */
export function pairedSql(
  query: Summed & { readonly by: string; readonly limit: number },
  conditions: readonly string[],
  sampled: boolean,
  kept: readonly string[],
): string {
  const { dimensions } = query
  const shows = shownBy(dimensions)
  // What is summed, as x0, x1, …
  const values = [...new Set(sumsOf(true, sampled).map(({ of }) => of))]
  const figures = figuresSql(values, sampled)
  const select = [
    ...shows.map(({ as }, i) => `max(d${i}) AS ${as}`),
    ...figures,
    `bitShiftRight(sipHash64(${dimensions.map((dimension, i) => hashed(query, dimension, i)).join(', ')}), 11) AS group_hash`,
  ]
  const known = dimensions.flatMap(({ sided }, i) => (sided ? [`k${i} != ${groupKey(dimensions, `''`)}`] : []))
  return (
    `SELECT ${select.join(', ')} FROM (${endsSql(query, pairsSql(query, values, conditions), values)}) ` +
    `WHERE (w_sent != 0 OR w_received != 0 OR w_both != 0) AND (${known.join(' OR ')}) ` +
    `GROUP BY ${dimensions.map((_, i) => `k${i}`).join(', ')} HAVING ${['records != 0', ...kept].join(' AND ')} ` +
    `ORDER BY ${[`${query.by} DESC`, ...shows.map(({ as }) => as)].join(', ')} LIMIT ${query.limit}`
  )
}

/** Figures, then their errors, as `figuresOf` names them. */
function figuresSql(values: readonly string[], sampled: boolean): string[] {
  const sum = (of: string, direction: string) => `sum(x${values.indexOf(of)} * w_${direction})`
  const each = MEASURE_NAMES.flatMap((measure) => DIRECTIONS.map((direction) => ({ measure, direction })))
  return [
    ...each.map(
      ({ measure, direction }) => `${sum(MEASURES[measure].sum, direction)} AS ${figureName(direction, measure)}`,
    ),
    ...each.flatMap(({ measure, direction }) => {
      const { variance } = MEASURES[measure]
      if (!sampled || variance === undefined) return []
      return [`${halfWidth(sum(variance, direction))} AS ${errorName(figureName(direction, measure))}`]
    }),
  ]
}

/** What `groupHash` hashes, of a group: texts are shown, since they may be grouped by their hashes. */
function hashed({ dimensions }: Summed, { key }: Dimension, i: number): string {
  if (columnFacts(key('src')).kind !== 'text') return `k${i}`
  return shownBy(dimensions).find(({ column }) => column('src') === key('src'))!.as
}

/** Each pair seen from both sides. What was sent within a group is in `w_both` once, docs/design.md, "Counting". */
function endsSql(query: Summed, pairs: string, values: readonly string[]): string {
  const { dimensions, count } = query
  const end = (name: string, sided: boolean, as: string) =>
    `${sided ? `if(side = 1, s${name}, d${name})` : `s${name}`} AS ${as}`
  const both = dimensions.flatMap(({ sided }, i) => (sided ? [`sk${i} = dk${i}`] : [])).join(' AND ')
  const overlap = count === 'all' ? `side * (${both})` : `side * (${both}) * toInt64(cs + cr - co)`
  const [sent, received] = count === 'all' ? ['side', '(1 - side)'] : ['side * cs', '(1 - side) * cr']
  const select = [
    ...dimensions.map(({ sided }, i) => end(`k${i}`, sided, `k${i}`)),
    ...shownBy(dimensions).map(({ column }, i) => end(`n${i}`, column('src') !== column('dst'), `d${i}`)),
    ...values.map((_, i) => `x${i}`),
    'arrayJoin([1, 0]) AS side',
    `${sent} AS w_sent`,
    `${received} AS w_received`,
    `w_sent + w_received - ${overlap} AS w_both`,
  ]
  return `SELECT ${select.join(', ')} FROM (${pairs})`
}

/**
 * Sums over pairs of ends: keys as sk0 dk0 …, what they show as sn0 dn0 …, the counting flags, and x0 …. Texts of the key are grouped by one
 * number, which takes half the time: a hash is made of each text of a dictionary once, and two pairs share a sum of hashes in 1 of 2^64.
 */
function pairsSql({ dimensions, count }: Summed, values: readonly string[], conditions: readonly string[]): string {
  const keys = bothSides(dimensions.map(({ key }) => key))
  const isText = (column: ColumnName) => columnFacts(column).kind === 'text'
  const texts = [...new Set(keys.map(({ column }) => column).filter(isText))]
  const flags = count === 'all' ? [] : [['cs', 'counts_sent'], ['cr', 'counts_received'], ['co', 'counts_once']] as const // prettier-ignore
  const numbers = [...keys.filter(({ column }) => !isText(column)).map(({ letter, i }) => `${letter}k${i}`), ...flags.map(([as]) => as)] // prettier-ignore
  const grouped = texts.length === 0 ? numbers : [hashOf(texts), ...numbers]
  const named = bothSides(shownBy(dimensions).map(({ column }) => column)).map(({ letter, i, column }) => {
    const isKey = keys.some((key) => key.column === column)
    return `${isKey ? 'any' : 'max'}(${readExpression(column)}) AS ${letter}n${i}`
  })
  const select = [
    ...keys.map(({ letter, i, column }) => {
      const key = keyExpression(dimensions, column)
      return `${isText(column) ? `any(${key})` : key} AS ${letter}k${i}`
    }),
    ...flags.map(([as, of]) => `${of} AS ${as}`),
    ...named,
    ...values.map((of, i) => `sum(${of}) AS x${i}`),
  ]
  const counted = count === 'all' ? [] : ['(counts_sent = 1 OR counts_received = 1)']
  return `SELECT ${select.join(', ')} FROM ${FLOWS} WHERE ${[...counted, ...conditions].join(' AND ')} GROUP BY ${grouped.join(', ')}`
}

/** A number for the values of some columns together; each has a factor of its own, odd, so that no two can change places. */
function hashOf(columns: readonly ColumnName[]): string {
  return columns.map((column, i) => `${2 * i + 1} * sipHash64(${column})`).join(' + ')
}

/** The columns of both sides, called by `s` and `d`; those of a dimension without sides once. */
function bothSides(of: readonly Shown['column'][]): { letter: 's' | 'd'; i: number; column: ColumnName }[] {
  return of.flatMap((column, i) => {
    const [src, dst] = [column('src'), column('dst')]
    return [
      { letter: 's' as const, i, column: src },
      ...(src === dst ? [] : [{ letter: 'd' as const, i, column: dst }]),
    ]
  })
}
