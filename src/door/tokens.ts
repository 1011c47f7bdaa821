/**
 * SQL as ClickHouse's lexer cuts it, as far as the door must understand it: what is a name, what is text, what is neither. What it does
 * not know it refuses, so that nothing hides where the two would cut differently.
 */
export interface Token {
  readonly type: 'word' | 'quoted' | 'text' | 'number' | 'placeholder' | 'sign'
  /** A word as written; a quoted name without its quotes; of a placeholder its type. */
  readonly value: string
  /** Where it stands in the text; `end` is after its last character. */
  readonly start: number
  readonly end: number
}

export class LexError extends Error {}

/** In this order, each at the place where the last one ended. */
const RULES: readonly { type: Token['type'] | 'nothing'; at: RegExp }[] = [
  { type: 'nothing', at: /[ \t\r\n\f\v]+|--[^\n]*|#[ !][^\n]*|\/\*[^]*?\*\//y },
  { type: 'text', at: /'(?:[^'\\]|\\[^]|'')*'/y },
  // Without escapes: the engine reads `fi\\x6ce` as file.
  { type: 'quoted', at: /"[^"\\]*"(?!")|`[^`\\]*`(?!`)/y },
  { type: 'placeholder', at: /\{\s*[A-Za-z_]\w*\s*:\s*[A-Za-z][\w(), ']*\}/y },
  { type: 'number', at: /(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)(?![A-Za-z_])/y },
  { type: 'word', at: /[A-Za-z_]\w*/y },
  { type: 'sign', at: /[-+*/%=<>!,.()[\]?:;^|@{}]/y },
]

/** All tokens. Throws LexError at what is no token, text outside of ASCII without quotes for example. */
export function tokensOf(sql: string): Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < sql.length;) {
    const found = match(sql, at)
    if (found === undefined)
      throw new LexError(`cannot read the query from ${JSON.stringify(sql.slice(at, at + 20))} on`)
    if (found.type !== 'nothing') {
      const value = valueOf(found.type, found.text)
      tokens.push({ type: found.type, value, start: at, end: at + found.text.length })
    }
    at += found.text.length
  }
  return tokens
}

function match(sql: string, at: number): { type: Token['type'] | 'nothing'; text: string } | undefined {
  for (const { type, at: rule } of RULES) {
    rule.lastIndex = at
    const text = rule.exec(sql)?.[0]
    if (text !== undefined) return { type, text }
  }
  return undefined
}

function valueOf(type: Token['type'], text: string): string {
  if (type === 'placeholder') return text.slice(text.indexOf(':') + 1, -1).trim()
  return type === 'quoted' ? text.slice(1, -1) : text
}
