import { isIP } from 'node:net'
import { COLUMNS } from '../../schema/columns.ts'
import { parsePrefix } from '../address.ts'
import { didYouMean } from '../nearest.ts'
import { FilterError } from './error.ts'
import { ALIASES, fieldColumns, FIELDS, fieldType, SHORTHANDS, WORDS, type Field } from './fields.ts'
import { parseNumber } from './numbers.ts'
import { tokenize, type Token } from './tokens.ts'
import { MAX_DEPTH, MAX_VALUES, type End, type Op, type Test, type Tree, type Value } from './tree.ts'
import { Refusal } from './types.ts'

/**
 * The filter language, by recursive descent; `and` binds tighter than `or`. docs/filter.md is its reference.
 *
 *   or     = and { ("or" | "||") and }
 *   and    = unary { ("and" | "&&") unary }
 *   unary  = ("not" | "!") unary | "(" or ")" | test
 *   test   = shorthand | [ end ] field [ op ] value | [ end ] field [ "not" ] "in" "[" value { [","] value } "]"
 *   end    = "src" [ ("and" | "or") "dst" ] | "dst" [ ("and" | "or") "src" ]
 *   op     = "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">=" | [ "not" ] "like"          none means =
 */
export function parseFilter(text: string): Tree | undefined {
  const tokens = tokenize(text)
  if (tokens[0]?.kind === 'end') return undefined
  return new Parser(text, tokens).whole()
}

const OPS: Readonly<Record<string, Op>> = {
  '=': '=',
  '==': '=',
  eq: '=',
  '!=': '!=',
  '<>': '!=',
  ne: '!=',
  '<': '<',
  lt: '<',
  '<=': '<=',
  le: '<=',
  '>': '>',
  gt: '>',
  '>=': '>=',
  ge: '>=',
  in: 'in',
  like: 'like',
}
const NEGATED: Readonly<Record<string, Op>> = { in: 'not in', like: 'not like' }
const AND: ReadonlySet<string> = new Set(['and', '&&'])
const OR: ReadonlySet<string> = new Set(['or', '||'])
const NOT: ReadonlySet<string> = new Set(['not', '!'])

/** Words that must be quoted to be values. */
export const RESERVED: ReadonlySet<string> = new Set(['and', 'or', 'not', ...Object.keys(OPS)])

class Parser {
  private readonly text: string
  private readonly tokens: readonly Token[]
  private next = 0
  private depth = 0
  private values = 0

  constructor(text: string, tokens: readonly Token[]) {
    this.text = text
    this.tokens = tokens
  }

  whole(): Tree {
    const tree = this.or()
    const rest = this.peek()
    if (rest.kind === 'end') return tree
    if (rest.text === ')') throw this.fault(rest, 'this parenthesis was never opened')
    throw this.fault(rest, `"and" or "or" is missing before ${shown(rest)}`)
  }

  private or(): Tree {
    return this.chain('or', OR, () => this.and())
  }

  private and(): Tree {
    return this.chain('and', AND, () => this.unary())
  }

  private chain(type: 'and' | 'or', words: ReadonlySet<string>, item: () => Tree): Tree {
    const items = [item()]
    while (this.take(words)) items.push(item())
    return items.length === 1 ? items[0]! : { type, items }
  }

  private unary(): Tree {
    const token = this.peek()
    if (this.take(NOT)) return this.deeper(token, () => ({ type: 'not', item: this.unary() }))
    if (!this.takeSign('(')) return this.test()
    return this.deeper(token, () => {
      const tree = this.or()
      const end = this.peek()
      if (this.takeSign(')')) return tree
      if (end.kind === 'end') throw this.fault(token, 'this parenthesis is never closed')
      throw this.fault(end, `"and", "or" or ")" is missing before ${shown(end)}`)
    })
  }

  private deeper(token: Token, parse: () => Tree): Tree {
    if (++this.depth > MAX_DEPTH)
      throw this.fault(
        token,
        `more than ${MAX_DEPTH} parentheses and "not" inside one another; "and" binds more than "or", so that most may go`,
      )
    const tree = parse()
    this.depth--
    return tree
  }

  private test(): Test {
    const end = this.end()
    const word = this.peek()
    if (end !== undefined && word.kind === 'word' && !this.isField(word) && parsePrefix(word.text) !== undefined)
      return this.comparison(FIELDS.get('addr')!, end)
    const shorthand = SHORTHANDS[word.text]
    if (word.kind === 'word' && end === undefined && Object.hasOwn(SHORTHANDS, word.text) && shorthand !== undefined) {
      this.next++
      return { type: 'test', field: shorthand.field, end: 'any', op: '=', values: [shorthand.value] }
    }
    const { field, side } = this.field()
    if (side !== undefined && end !== undefined)
      throw this.fault(word, `${word.text} says already which end; leave out "${end}"`)
    if (end !== undefined && !field.sided) throw this.fault(word, `${word.text} is of the whole record, not of one end`)
    return this.comparison(field, end ?? side ?? 'any')
  }

  /** `src`, `dst`, `src and dst`, `src or dst`, in either order; undefined when the filter does not say. */
  private end(): End | undefined {
    const first = this.side()
    if (first === undefined) return undefined
    const [joint, second] = [this.peek(), this.tokens[this.next + 1]]
    const other = first === 'src' ? 'dst' : 'src'
    if (second?.kind !== 'word' || second.text !== other || joint.kind === 'string') return first
    if (!AND.has(joint.text) && !OR.has(joint.text)) return first
    this.next += 2
    return AND.has(joint.text) ? 'both' : 'any'
  }

  private side(): 'src' | 'dst' | undefined {
    const token = this.peek()
    if (token.kind !== 'word' || (token.text !== 'src' && token.text !== 'dst')) return undefined
    this.next++
    return token.text
  }

  private isField({ text }: Token): boolean {
    return FIELDS.has(text) || Object.hasOwn(ALIASES, text) || Object.hasOwn(COLUMNS, text)
  }

  private field(): { field: Field; side?: 'src' | 'dst' } {
    const token = this.peek()
    if (token.kind === 'end') throw this.fault(token, 'the filter ends where a condition is expected')
    if (token.kind !== 'word' || RESERVED.has(token.text))
      throw this.fault(
        token,
        `a condition is expected, not ${shown(token)}; it begins with a word like project, server or port`,
      )
    this.next++
    const name = Object.hasOwn(ALIASES, token.text) ? ALIASES[token.text]! : token.text
    const field = FIELDS.get(name)
    if (field !== undefined) return { field }
    const [, side, part] = /^(src|dst)_(.+)$/.exec(name) ?? []
    const sided = part === undefined ? undefined : FIELDS.get(part)
    if (sided?.sided === true && Object.hasOwn(COLUMNS, name)) return { field: sided, side: side as 'src' | 'dst' }
    if (isIP(name.split('/')[0]!) !== 0) throw this.fault(token, `write ip ${name}, or src ${name} or dst ${name}`)
    throw this.fault(token, `no word or column is called ${shown(token)}${didYouMean(token.text, WORDS)}`)
  }

  private comparison(named: Field, end: End): Test {
    const { op, token } = this.op()
    const values = op === 'in' || op === 'not in' ? this.list() : [this.valueToken()]
    const field = this.meant(named, values)
    if (!fieldType(field).ops.includes(op))
      throw this.fault(token, `"${op}" does not go with ${field.name}; ${fieldType(field).ops.join(', ')} do`)
    const cut = op.endsWith('like') ? values.find(({ text }) => /(?:^|[^\\])(?:\\\\)*\\$/.test(text)) : undefined
    if (cut !== undefined) throw this.fault(cut, 'a pattern cannot end with a backslash that takes nothing')
    return { type: 'test', field: field.name, end, op, values: values.map((value) => this.value(field, value)) }
  }

  private op(): { op: Op; token: Token } {
    const token = this.peek()
    if (token.kind !== 'word' && token.kind !== 'sign') return { op: '=', token }
    const after = this.tokens[this.next + 1]
    if (token.text === 'not' && after?.kind === 'word' && Object.hasOwn(NEGATED, after.text)) {
      this.next += 2
      return { op: NEGATED[after.text]!, token }
    }
    if (!Object.hasOwn(OPS, token.text)) return { op: '=', token }
    this.next++
    return { op: OPS[token.text]!, token }
  }

  private list(): Token[] {
    const open = this.peek()
    const close = open.text === '(' ? ')' : ']'
    if (!this.takeSign('[') && !this.takeSign('(')) throw this.fault(open, 'a list is expected: in [80, 443]')
    const values: Token[] = []
    while (!this.takeSign(close)) {
      if (this.peek().kind === 'end') throw this.fault(open, 'this list is never closed')
      values.push(this.valueToken())
      this.takeSign(',')
    }
    if (values.length === 0) throw this.fault(open, 'the list is empty')
    return values
  }

  private valueToken(): Token {
    const token = this.peek()
    if (token.kind === 'end') throw this.fault(token, 'the filter ends where a value is expected')
    if (token.kind === 'sign')
      throw this.fault(token, `a value is expected, not ${shown(token)}; quote it if it is one`)
    if (token.kind === 'word' && RESERVED.has(token.text))
      throw this.fault(token, `a value is expected, not the word ${shown(token)}; quote it if it is one`)
    if (++this.values > MAX_VALUES)
      throw this.fault(
        token,
        `more than ${MAX_VALUES} values; a prefix like 10.0.0.0/8 or "like web-%" stands for many`,
      )
    this.next++
    return token
  }

  /**
   * The field that `port` and `host` mean: `port 443` is a transport port, `port web` and `port "443"` a Neutron port; `host 10.0.0.1`
   * is an address, as tcpdump users type it.
   */
  private meant(field: Field, values: readonly Token[]): Field {
    const [fits, other] = WHEN_VALUES[field.name] ?? []
    if (fits === undefined || other === undefined) return field
    const fitting = values.map((value) => value.kind === 'word' && fits(value.text))
    const odd = fitting.indexOf(!fitting[0])
    if (odd > 0) throw this.fault(values[odd]!, 'numbers and names in one list; quote a name that looks like a number')
    return fitting[0] === true ? FIELDS.get(other)! : field
  }

  private value(field: Field, token: Token): Value {
    const value = fieldType(field).read(token.text, fieldColumns(field, 'src')[0]!)
    if (value instanceof Refusal) throw this.fault(token, value.text)
    return value
  }

  private peek(): Token {
    return this.tokens[this.next] ?? this.tokens.at(-1)!
  }

  private take(words: ReadonlySet<string>): boolean {
    const token = this.peek()
    if ((token.kind !== 'word' && token.kind !== 'sign') || !words.has(token.text)) return false
    this.next++
    return true
  }

  private takeSign(sign: string): boolean {
    const token = this.peek()
    if (token.kind !== 'sign' || token.text !== sign) return false
    this.next++
    return true
  }

  private fault(token: Token, message: string): FilterError {
    return new FilterError(this.text, token.at, message)
  }
}

const WHEN_VALUES: Readonly<Record<string, readonly [fits: (text: string) => boolean, field: string]>> = {
  port: [(text) => parseNumber(text) !== undefined, 'l4_port'],
  host: [(text) => parsePrefix(text) !== undefined, 'addr'],
}

/** Whether a value of this field must be quoted to be taken as it is. */
export function takenForAnother(field: string, value: string): boolean {
  return WHEN_VALUES[field]?.[0](value) ?? false
}

function shown(token: Token): string {
  return JSON.stringify(token.text.length > 40 ? `${token.text.slice(0, 40)}…` : token.text)
}
