/** A query that passed the cage, taken apart at its end: what is asked, the FORMAT it wants, what comes after that. */
import { type Token, tokensOf } from './tokens.ts'

export interface Shape {
  /** Without FORMAT and what follows it. */
  sql: string
  format: string | undefined
  /** `SETTINGS …` that stands after FORMAT. */
  after: string
  /** Whether the answer can be written while it is read; those of EXPLAIN, SHOW and DESCRIBE are short. */
  streams: boolean
}

export function shapeOf(sql: string): Shape {
  const tokens = tokensOf(sql)
  while (tokens.at(-1)?.value === ';') tokens.pop()
  const end = tokens.at(-1)?.end ?? 0
  const first = tokens.find(({ value }) => value !== '(')?.value.toUpperCase()
  const at = formatAt(tokens)
  const format = at < 0 ? undefined : tokens[at + 1]
  return {
    sql: sql.slice(0, at < 0 ? end : tokens[at]!.start),
    format: format?.value,
    after: format === undefined ? '' : sql.slice(format.end, end),
    streams: first === 'SELECT' || first === 'WITH',
  }
}

/** Where FORMAT stands that is of the whole query: outside of parentheses, with a name and at most settings after it. */
function formatAt(tokens: readonly Token[]): number {
  let depth = 0
  let found = -1
  for (const [i, { type, value }] of tokens.entries()) {
    if (type === 'sign' && value === '(') depth++
    if (type === 'sign' && value === ')') depth--
    if (depth !== 0 || type !== 'word' || value.toUpperCase() !== 'FORMAT') continue
    const [name, next] = [tokens[i + 1], tokens[i + 2]]
    if (name?.type === 'word' && (next === undefined || next.value.toUpperCase() === 'SETTINGS')) found = i
  }
  return found
}
