import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AppError } from '../../../src/errors.ts'
import { compileFilter } from '../../../src/query/filter/compile.ts'
import { FilterError } from '../../../src/query/filter/error.ts'
import { WORDS } from '../../../src/query/filter/fields.ts'
import { parseFilter } from '../../../src/query/filter/parse.ts'
import { printFilter } from '../../../src/query/filter/print.ts'
import { MAX_LENGTH } from '../../../src/query/filter/tokens.ts'
import { MAX_VALUES } from '../../../src/query/filter/tree.ts'
import { Params } from '../../../src/query/plan.ts'
import { COLUMN_NAMES } from '../../../src/schema/columns.ts'
import { Random } from '../random.ts'
import { AWKWARD, randomTree } from './trees.ts'

/** Everything that the SQL of a filter may be made of. */
const SQL_TOKEN = new RegExp(
  [
    String.raw`\s+|[()=<>,]|!=|<=|>=`,
    String.raw`\b(?:AND|OR|NOT|IN|LIKE|BETWEEN|bitAnd|toString|fromUnixTimestamp64Milli)\b`,
    String.raw`\b(?:${COLUMN_NAMES.join('|')})\b`,
    String.raw`\{p\d+:(?:String|UInt64|Int64|Float64|IPv6|Array\(String\)|Array\((?:UInt64|IPv6)\))\}`,
  ].join('|'),
  'y',
)

function foreignTo(sql: string): string | undefined {
  let at = 0
  while (at < sql.length) {
    SQL_TOKEN.lastIndex = at
    const token = SQL_TOKEN.exec(sql)?.[0]
    if (token === undefined) return sql.slice(at, at + 40)
    at += token.length
  }
  return undefined
}

describe('filters', () => {
  it('come back as the same tree from their text', () => {
    const random = new Random(1)
    let compared = 0
    for (let i = 0; i < 3000; i++) {
      const tree = randomTree(random, i % 4)
      const text = printFilter(tree)
      if (text.length > MAX_LENGTH) continue
      assert.deepEqual(parseFilter(text), tree, text)
      compared++
    }
    assert.ok(compared > 2900)
  })

  it('reach SQL as bound parameters only', () => {
    const random = new Random(2)
    for (let i = 0; i < 3000; i++) {
      const params = new Params()
      const sql = compileFilter(randomTree(random, i % 4), params)
      assert.equal(foreignTo(sql), undefined, sql)
      const bound = new Set([...sql.matchAll(/\{(p\d+):/g)].map((match) => match[1]))
      assert.deepEqual(bound, new Set(Object.keys(params.values)))
    }
  })

  it('are a tree or an error with its position, whatever the text', () => {
    const random = new Random(3)
    const pieces = [...AWKWARD, ...WORDS, '(', ')', '[', ']', ',', '"', "'", '=', '!=', '<', '>', '!', '&', '|', '&&', '||', '10.0.0.0/8', '1e9', '-1', '=='] // prettier-ignore
    let trees = 0
    let errors = 0
    for (let i = 0; i < 5000; i++) {
      const text = random.list(1, 12, () => random.pick(pieces)).join(random.pick([' ', '', '  ']))
      try {
        const tree = parseFilter(text)
        if (tree !== undefined) assert.equal(foreignTo(compileFilter(tree, new Params())), undefined, text)
        trees++
      } catch (error) {
        assert.ok(error instanceof FilterError, `${JSON.stringify(text)}: ${String(error)}`)
        assert.ok(error.position >= 1 && error.position <= text.length + 1, text)
        errors++
      }
    }
    assert.ok(trees > 50 && errors > 50, `${trees} trees, ${errors} errors`)
  })

  it('are bounded in length, depth and values', () => {
    const refused = (text: string, message: RegExp) =>
      assert.throws(
        () => parseFilter(text),
        (error) => error instanceof AppError && error.code === 'filter_invalid' && message.test(error.message),
      )
    refused('a'.repeat(20_000), /20000 characters; at most 16384/)
    assert.ok(parseFilter(`server ${'a'.repeat(9_990)}`))
    refused(`${'('.repeat(500)}tcp${')'.repeat(500)}`, /more than 100 parentheses/)
    refused(`${'not '.repeat(500)}tcp`, /more than 100/)
    refused(`${'!'.repeat(8000)}tcp`, /more than 100/)
    refused(`port in [${Array.from({ length: MAX_VALUES + 1 }, (_, i) => i).join(' ')}]`, /more than 500 values/)
    assert.ok(parseFilter(`${'('.repeat(100)}tcp${')'.repeat(100)}`))
    assert.ok(parseFilter(Array.from({ length: 500 }, (_, i) => `vlan ${i}`).join(' or ')))
  })
})
