import type { ColumnName } from '../../schema/columns.ts'
import type { Params } from '../plan.ts'
import { fieldColumns, FIELDS, fieldType, type Field } from './fields.ts'
import type { Op, Test, Tree } from './tree.ts'

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
    default:
      return `(${tree.items.map((item) => compileFilter(item, params)).join(tree.type === 'and' ? ' AND ' : ' OR ')})`
  }
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
