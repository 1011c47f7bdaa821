/**
 * Values of bound parameters as ClickHouse reads them: as a field of a TSV file, arrays with quoted elements. The embedded engine
 * gets them by `SET param_name = '…'` in the session of the query, since its own binding lets only one query run at a time.
 */
import { AppError } from '../errors.ts'
import { quote } from '../schema/ddl.ts'
import type { QueryParam, QueryPlan } from './store.ts'

/** `{name:Type}` in a statement. */
const PLACEHOLDER = /\{\s*([A-Za-z_]\w*)\s*:/g

/** The text of a parameter before any quoting of a statement. */
export function parameterText(value: QueryParam): string {
  if (typeof value === 'string') return tsvField(value)
  if (typeof value === 'boolean') return value ? '1' : '0'
  if (typeof value === 'number') return String(value)
  return `[${value.map((item) => (typeof item === 'string' ? quote(item) : String(item))).join(',')}]`
}

/** `param_a = '…', param_b = '…'` for a SET statement; every placeholder of the statement must have its value. */
export function parameterSettings(plan: QueryPlan): string[] {
  checkPlaceholders(plan)
  return Object.entries(plan.params).map(([name, value]) => `param_${name} = ${quote(parameterText(value))}`)
}

/**
 * A placeholder without a value would take what an earlier query of the session left, and a name goes into SQL as it is.
 * Both are mistakes of the caller, not of the user.
 */
export function checkPlaceholders(plan: QueryPlan): void {
  for (const name of Object.keys(plan.params))
    if (!/^[A-Za-z_]\w*$/.test(name))
      throw new AppError('query_failed', `the parameter name ${JSON.stringify(name)} is not a name`)
  for (const [, name] of plan.sql.matchAll(PLACEHOLDER))
    if (!Object.hasOwn(plan.params, name!))
      throw new AppError('query_failed', `the parameter ${name} of the query has no value`)
}

const TSV_ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\0': '\\0',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
}

function tsvField(value: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is escaped
  return value.replace(/[\\\0\b\f\n\r\t]/g, (character) => TSV_ESCAPES[character]!)
}
