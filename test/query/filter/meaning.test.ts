import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { addressBytes } from '../../../src/query/address.ts'
import { compileFilter } from '../../../src/query/filter/compile.ts'
import { DIRECTIONS, type DirectionName } from '../../../src/query/filter/directions.ts'
import { FIELDS, fieldColumns, type Field } from '../../../src/query/filter/fields.ts'
import { parseFilter } from '../../../src/query/filter/parse.ts'
import { printFilter } from '../../../src/query/filter/print.ts'
import type { Op, Test, Tree, Value } from '../../../src/query/filter/tree.ts'
import { Params } from '../../../src/query/plan.ts'
import { columnFacts, type ColumnName } from '../../../src/schema/columns.ts'
import { enumValues } from '../../../src/schema/enums.ts'
import { Engine, type Record_ } from '../engine.ts'
import { Random } from '../random.ts'
import { RECORDS } from '../records.ts'
import { randomTree, randomValue } from './trees.ts'
import { NO_ENGINE } from '../../store/engine.ts'

/** What a filter means, said a second time without SQL. */
function holds(tree: Tree, record: Record_): boolean {
  if (tree.type === 'not') return !holds(tree.item, record)
  if (tree.type === 'and') return tree.items.every((item) => holds(item, record))
  if (tree.type === 'test') return testHolds(tree, record)
  return tree.items.some((item) => holds(item, record))
}

function testHolds(test: Test, record: Record_): boolean {
  const field = FIELDS.get(test.field)!
  const op = test.op.replace('not ', '').replace('!=', '=') as Op
  const end = (side: 'src' | 'dst') =>
    fieldColumns(field, side).some((column) => test.values.some((value) => matches(field, column, record, op, value)))
  const [src, dst] = [end('src'), end('dst')]
  const negative = op !== test.op
  if (test.end === 'src' || test.end === 'dst') return negative !== (test.end === 'src' ? src : dst)
  if (negative) return !(src || dst)
  return test.end === 'both' ? src && dst : src || dst
}

function matches(field: Field, column: ColumnName, record: Record_, op: Op, value: Value): boolean {
  const held = valueOf(record, column)
  switch (field.type) {
    case 'ip':
      return inPrefix(String(held), String(value))
    case 'flags':
      return (Number(held) & Number(value)) === value
    case 'direction': {
      const { column: of, values } = DIRECTIONS[value as DirectionName]
      return (values as readonly string[]).includes(String(valueOf(record, of)))
    }
    default:
      return op === 'like' ? like(String(held), String(value)) : COMPARE[op]!(held, value)
  }
}

const COMPARE: Readonly<Partial<Record<Op, (held: Value, value: Value) => boolean>>> = {
  '=': (held, value) => held === value,
  in: (held, value) => held === value,
  '<': (held, value) => held < value,
  '<=': (held, value) => held <= value,
  '>': (held, value) => held > value,
  '>=': (held, value) => held >= value,
}

function valueOf(record: Record_, column: ColumnName): Value {
  const { kind, of } = columnFacts(column)
  const zero = { ip: '::', text: '', enum: of === undefined ? '' : enumValues(of)[0]! }[kind as 'ip'] ?? 0
  return record[column] ?? zero
}

function inPrefix(address: string, prefix: string): boolean {
  const [network, length] = prefix.split('/') as [string, string | undefined]
  const bits = length === undefined ? 128 : Number(length) + (network.includes('.') ? 96 : 0)
  const binary = (text: string) => [...addressBytes(text)!].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  return binary(address).slice(0, bits) === binary(network).slice(0, bits)
}

/** SQL's LIKE: % is any text, _ one character, a backslash takes the next one as it is. */
function like(text: string, pattern: string): boolean {
  const source = pattern.replaceAll(/\\[\\%_]|[\s\S]/gu, (part) => {
    if (part === '%') return '[^]*'
    if (part === '_') return '[^]'
    return part.replace(/^\\(?=.)/, '').replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
  })
  return new RegExp(`^${source}$`, 'u').test(text)
}

describe('filters on records', { skip: NO_ENGINE }, () => {
  let engine: Engine
  before(async () => {
    engine = await Engine.open()
    await engine.insert(RECORDS)
  })
  after(() => engine.close())

  /** How many records each filter matches, in one question. */
  async function count(trees: readonly Tree[]): Promise<number[]> {
    const params = new Params()
    const counts = trees.map((tree, i) => `countIf(${compileFilter(tree, params)}) AS n${i}`)
    const { rows } = await engine.store.query({ sql: `SELECT ${counts.join(', ')} FROM flows`, params: params.values })
    return trees.map((_, i) => Number(rows[0]?.[`n${i}`]))
  }

  it('match in the engine what they mean', async () => {
    const random = new Random(4)
    let matched = 0
    for (let round = 0; round < 30; round++) {
      const trees = Array.from({ length: 20 }, () => randomTree(random, round % 3, likely))
      const counts = await count(trees)
      for (const [i, tree] of trees.entries()) {
        const expected = RECORDS.filter((record) => holds(tree, record)).length
        assert.equal(counts[i], expected, printFilter(tree))
        if (expected > 0 && expected < RECORDS.length) matched++
      }
    }
    assert.ok(matched > 100, `${matched} filters told records apart`)
  })

  /** Values that some record has, for the most part. */
  function likely(random: Random, field: Field): Value {
    const column = random.pick(fieldColumns(field, random.pick(['src', 'dst'] as const)))
    const value = valueOf(random.pick(RECORDS), column)
    if (random.below(4) === 0 || field.type === 'direction' || field.type === 'flags') return randomValue(random, field)
    return field.type === 'ip' ? String(value).replace('::ffff:', '') : value
  }

  const EXAMPLES: Readonly<Record<string, number>> = {
    'project red': 7,
    'project p-red': 7,
    'project red and server web and dst port 443': 7,
    'server != web': 1,
    'src server web and src project blue': 2,
    'src and dst project red': 3,
    'direction north-south': 3,
    'direction east-west': 5,
    'net 8.0.0.0/8': 3,
    'dst host 8.8.8.8': 1,
    'host c1': 3,
    'proto tcp and flags S and not flags A': 1,
    'udp and port 53': 1,
    'bytes > 1k': 1,
    'bytes >= 1k': 3,
    'grade ambiguous': 1,
    'ip fd00::/8': 1,
    'network like "net%" and not network net2': 5,
    'server in [db nobody]': 3,
    'flow_end >= 2026-01-01T00:00:00.007Z': 2,
    'port port-s-red-db': 3,
    'role in [sent received] and not project blue': 5,
  }
  it('match the records that their words describe', async () => {
    const counts = await count(Object.keys(EXAMPLES).map((text) => parseFilter(text)!))
    assert.deepEqual(Object.fromEntries(Object.keys(EXAMPLES).map((text, i) => [text, counts[i]])), EXAMPLES)
  })
})
