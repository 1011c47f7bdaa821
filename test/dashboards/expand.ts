/**
 * What Grafana and its ClickHouse data source make of a question before the engine sees it, by their documentation:
 * variables and their formats (grafana.com/docs, "Variable syntax"), `$__conditionalAll` and conditions added by hand in the browser, then the macros of
 * the data source's README in its backend.
 */
import { parseFirst } from 'pgsql-ast-parser'

export interface Selection {
  fromMs: number
  toMs: number
  /** Step that Grafana calculated from the width of the panel. */
  intervalS?: number
  /** Values of variables; `$__all` where All is selected. */
  variables?: Readonly<Record<string, string>>
  /** Conditions added by hand, as SQL of the data source. */
  adHoc?: string
}

/** The statement the engine gets. Throws where a macro or a variable is left over. */
export function expand(sql: string, selection: Selection): string {
  const { variables = {} } = selection
  const chosen = replaceVariables(conditionalAll(sql, variables), variables)
  const filtered =
    selection.adHoc === undefined
      ? chosen
      : `${chosen} settings additional_table_filters={'${tableOf(chosen)}' : '${selection.adHoc.replaceAll("'", "\\'")}'}`
  const expanded = expandMacros(filtered, selection)
  const left = /\$(__)?\w+|\$\{\w+/.exec(expanded)
  if (left !== null) throw new Error(`${left[0]} is left over in ${expanded}`)
  return expanded
}

/** The table that conditions added by hand are applied to: that of the innermost FROM, as PostgreSQL's grammar reads it. */
export function tableOf(sql: string): string {
  const readable = sql.replace(/\$\{[\w.:]+\}|\$(__)?/g, 'x')
  let statement = parseFirst(readable)
  for (;;) {
    const from = statement.type === 'select' ? statement.from?.[0] : undefined
    if (from?.type === 'table') return from.name.name
    if (from?.type !== 'statement') throw new Error(`no table in ${sql}`)
    statement = from.statement
  }
}

/** `$__conditionalAll(condition, $variable)`: the condition, or 1=1 while All is selected. */
function conditionalAll(sql: string, variables: Readonly<Record<string, string>>): string {
  const macro = '$__conditionalAll('
  let text = sql
  for (let at = text.lastIndexOf(macro); at >= 0; at = text.lastIndexOf(macro)) {
    const { parts, end } = argumentsAt(text, at + macro.length)
    const [condition = '', variable = ''] = parts
    if (parts.length !== 2) throw new Error(`$__conditionalAll has ${parts.length} arguments: ${text}`)
    const [, name = ''] = /^\s*\$\{?(\w+)\}?\s*$/.exec(variable) ?? []
    const value = variables[name]
    if (value === undefined) throw new Error(`no variable ${variable}`)
    const phrase = value === '' || value === '$__all' ? '1=1' : condition
    text = text.slice(0, at) + phrase + text.slice(end)
  }
  return text
}

/** Arguments between parentheses, `at` the first character after the opening one. */
function argumentsAt(text: string, at: number): { parts: string[]; end: number } {
  const parts = ['']
  let depth = 1
  for (let i = at; i < text.length; i++) {
    const character = text[i]!
    if (character === '(') depth++
    if (character === ')' && --depth === 0) return { parts, end: i + 1 }
    if (character === ',' && depth === 1) parts.push('')
    else parts[parts.length - 1] += character
  }
  throw new Error(`no end of the arguments in ${text}`)
}

/** `${name}` as it is, `${name:percentencode}` with every character escaped that is no letter, digit or -_.~ */
function replaceVariables(sql: string, variables: Readonly<Record<string, string>>): string {
  return sql.replace(/\$\{(\w+)(?::(\w+))?\}/g, (whole, name: string, format?: string) => {
    const value = variables[name]
    if (value === undefined) throw new Error(`no variable ${whole}`)
    if (value === '$__all') throw new Error(`All is selected and ${whole} is used outside of $__conditionalAll`)
    if (format === undefined) return value
    if (format !== 'percentencode') throw new Error(`no format ${format}`)
    return encodeURIComponent(value).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)
  })
}

function expandMacros(sql: string, { fromMs, toMs, intervalS = 10 }: Selection): string {
  const from = Math.floor(fromMs / 1000)
  const to = Math.floor(toMs / 1000)
  const plain: Readonly<Record<string, string>> = {
    fromTime: `toDateTime(${from})`,
    toTime: `toDateTime(${to})`,
    fromTime_ms: `fromUnixTimestamp64Milli(${fromMs})`,
    toTime_ms: `fromUnixTimestamp64Milli(${toMs})`,
    interval_s: String(Math.max(intervalS, 1)),
  }
  const of: Readonly<Record<string, (column: string) => string>> = {
    timeInterval: (column) => `toStartOfInterval(toDateTime(${column}), INTERVAL ${Math.max(intervalS, 1)} second)`,
    timeFilter: (column) => `${column} >= toDateTime(${from}) AND ${column} <= toDateTime(${to})`,
  }
  return sql
    .replace(/\$__(timeInterval|timeFilter)\(([^()]*)\)/g, (_, name: string, column: string) => of[name]!(column))
    .replace(/\$__(\w+)/g, (whole, name: string) => plain[name] ?? whole)
}
