import type { ColumnName } from '../../schema/columns.ts'
import type { Params } from '../plan.ts'
import { fieldColumns, FIELDS, fieldType, type Field } from './fields.ts'
import type { Group, Op, Test, Tree } from './tree.ts'

/**
 * The condition of a filter in SQL. The text is made of column names and signs of this program alone; every value is bound.
 *
 * A negative test (`!=`, `not in`, `not like`) of either end holds when neither end matches: `server != web-1` is
 * `not server web-1`.
 */
export function compileFilter(tree: Tree, params: Params): string {
  switch (tree.type) {
    case 'test':
      return compileTest(tree, params)
    case 'not':
      return `NOT ${compileFilter(tree.item, params)}`
    default: {
      const parts = joined(tree).map((item) => compileFilter(item, params))
      return `(${parts.join(tree.type === 'and' ? ' AND ' : ' OR ')})`
    }
  }
}

/**
 * `host a or host b` as `host in [a b]`, and `host != a and host != b` as `host not in [a b]`. The engine takes a time that grows with
 * the square of the number of tests to read a condition: 500 took it a minute on a busy machine.
 */
function joined({ type, items }: Group): Tree[] {
  const [one, several]: [Op, Op] = type === 'or' ? ['=', 'in'] : ['!=', 'not in']
  const lists = new Map<string, Test>()
  const rest: Tree[] = []
  for (const item of items) {
    if (item.type !== 'test' || (item.op !== one && item.op !== several) || !mayJoin(item, several)) rest.push(item)
    else {
      const key = `${item.end} ${item.field}`
      const before = lists.get(key)
      lists.set(key, before === undefined ? item : { ...before, op: several, values: [...before.values, ...item.values] }) // prettier-ignore
    }
  }
  return [...rest, ...lists.values()]
}

/** Not of both ends: `a or b` is one of them at both, not one at each. */
function mayJoin({ field: name, end }: Test, several: Op): boolean {
  const field = FIELDS.get(name)
  return end !== 'both' && field !== undefined && fieldType(field).ops.includes(several)
}

const POSITIVE: Readonly<Partial<Record<Op, Op>>> = { '!=': '=', 'not in': 'in', 'not like': 'like' }

function compileTest(test: Test, params: Params): string {
  const field = FIELDS.get(test.field)
  if (field === undefined) throw new Error(`no field ${test.field}`)
  const op = POSITIVE[test.op] ?? test.op
  const negative = op !== test.op
  if (!field.sided || test.end === 'src' || test.end === 'dst') {
    const one = compileEnd(field, test.end === 'dst' ? 'dst' : 'src', op, test, params)
    return negative ? `NOT ${one}` : one
  }
  const [src, dst] = (['src', 'dst'] as const).map((side) => compileEnd(field, side, op, test, params))
  if (negative) return `NOT (${src} OR ${dst})`
  return `(${src} ${test.end === 'both' ? 'AND' : 'OR'} ${dst})`
}

function compileEnd(field: Field, side: 'src' | 'dst', op: Op, test: Test, params: Params): string {
  const parts = fieldColumns(field, side).map((column) => compileColumn(field, column, op, test, params))
  return `(${parts.join(' OR ')})`
}

function compileColumn(field: Field, column: ColumnName, op: Op, { values }: Test, params: Params): string {
  const type = fieldType(field)
  if (op === '=' || op === 'in') return type.equals(column, values, params)
  return `${column} ${op === 'like' ? 'LIKE' : op} ${type.one(values[0]!, params)}`
}
