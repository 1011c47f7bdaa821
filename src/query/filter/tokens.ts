import { FilterError } from './error.ts'

/**
 * Words, quoted strings and signs of a filter.
 *
 *   word    anything without space, bracket, comma, quote or operator: web-1  10.0.0.0/8  fa:16:3e:00:00:01  1.5M
 *   string  "…" or '…', in which a backslash takes the next character as it is
 *   sign    ( ) [ ] , = == != <> < <= > >= ! && ||
 */
export interface Token {
  readonly kind: 'word' | 'string' | 'sign' | 'end'
  /** The word, what the quotes hold, or the sign. */
  readonly text: string
  /** Offset of its first character. */
  readonly at: number
}

/** A longer filter is not read at all. */
export const MAX_LENGTH = 16_384

const SPACE = /\s*/y
const SIGN = /==|!=|<>|<=|>=|&&|\|\||[()[\],=!<>]/y
const WORD = /[^\s()[\],"'=!<>&|]+/y

/** Splits a filter; the last token is `end`. Errors: filter_invalid. */
export function tokenize(text: string): Token[] {
  if (text.length > MAX_LENGTH)
    throw new FilterError(text, MAX_LENGTH, `the filter has ${text.length} characters; at most ${MAX_LENGTH} are read`)
  const tokens: Token[] = []
  let at = match(SPACE, text, 0).length
  while (at < text.length) {
    const { token, end } = tokenAt(text, at)
    tokens.push(token)
    at = end + match(SPACE, text, end).length
  }
  tokens.push({ kind: 'end', text: '', at: text.length })
  return tokens
}

function tokenAt(text: string, at: number): { token: Token; end: number } {
  const quote = text[at]
  if (quote === '"' || quote === "'") return stringAt(text, at, quote)
  const sign = match(SIGN, text, at)
  if (sign !== '') return { token: { kind: 'sign', text: sign, at }, end: at + sign.length }
  const word = match(WORD, text, at)
  if (word !== '') return { token: { kind: 'word', text: word, at }, end: at + word.length }
  const single = text[at]!
  throw new FilterError(
    text,
    at,
    `"${single}" stands alone; write ${single}${single} or "${single === '&' ? 'and' : 'or'}"`,
  )
}

function stringAt(text: string, at: number, quote: string): { token: Token; end: number } {
  let value = ''
  for (let i = at + 1; i < text.length; i++) {
    const character = text[i]!
    if (character === quote) return { token: { kind: 'string', text: value, at }, end: i + 1 }
    if (character === '\\' && i + 1 < text.length) value += text[++i]!
    else value += character
  }
  throw new FilterError(text, at, 'this quote is never closed')
}

function match(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0] ?? ''
}
