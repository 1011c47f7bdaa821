/** What the engine answers in FORMAT JSONCompact to Rows, with 64-bit integers as numbers where they are exact. */
import type { Rows } from './store.ts'

/** How answers are asked for; 64-bit integers come quoted, since JSON.parse would round them. */
export const ANSWER_FORMAT = 'JSONCompact'
export const ANSWER_SETTINGS = {
  output_format_json_quote_64bit_integers: 1,
  output_format_json_quote_denormals: 0,
  session_timezone: 'UTC',
  // An answer is held in memory here, whole. A server stops there; the embedded engine goes on to V8's longest string, 512 MiB.
  max_result_bytes: String(256 * 1024 ** 2),
} as const

interface Answer {
  meta: { name: string; type: string }[]
  data: unknown[][]
  statistics: { elapsed: number; rows_read: number }
}

type Convert = (value: unknown) => unknown

/** Parses an answer. Throws SyntaxError when it is not whole, as when the engine failed half-way. */
export function parseAnswer(text: string): Rows {
  const { meta, data, statistics } = JSON.parse(text) as Answer
  const converts = meta.map(({ type }) => converter(type))
  return {
    columns: meta,
    rows: data.map((values) => Object.fromEntries(meta.map(({ name }, i) => [name, convert(converts[i], values[i])]))),
    elapsedS: statistics.elapsed,
    rowsRead: statistics.rows_read,
  }
}

function convert(by: Convert | undefined, value: unknown): unknown {
  return by === undefined || value === null ? value : by(value)
}

/** How values of a ClickHouse type are to be changed; undefined when they are right as JSON gave them. */
function converter(type: string): Convert | undefined {
  const [, outer, inner] = /^(\w+)(?:\((.*)\))?$/s.exec(type) ?? []
  switch (outer) {
    case 'UInt64':
    case 'Int64':
      return exactNumber
    case 'Nullable':
    case 'LowCardinality':
      return converter(inner!)
    case 'SimpleAggregateFunction':
      return converter(inner!.slice(inner!.indexOf(',') + 1).trim())
    case 'Array': {
      const element = converter(inner!)
      return element && ((value) => (value as unknown[]).map((item) => convert(element, item)))
    }
    case 'Tuple':
      return tupleConverter(splitTypes(inner!))
    case 'Map': {
      const element = converter(splitTypes(inner!)[1]!)
      return element && ((value) => mapValues(value as Record<string, unknown>, (_, item) => convert(element, item)))
    }
    default:
      return undefined
  }
}

/** A tuple is an array, or an object when its elements have names: `Tuple(a UInt64, b String)`. */
function tupleConverter(parts: readonly string[]): Convert {
  const elements = parts.map((part) => {
    const [, name, type] = /^([A-Za-z_]\w*|`[^`]*`) (.+)$/s.exec(part) ?? []
    return { name: name?.replaceAll('`', ''), convert: converter(type ?? part) }
  })
  const byName = new Map(elements.map((element) => [element.name, element.convert]))
  return (value) =>
    Array.isArray(value)
      ? value.map((item, i) => convert(elements[i]?.convert, item))
      : mapValues(value as Record<string, unknown>, (name, item) => convert(byName.get(name), item))
}

function mapValues(object: Record<string, unknown>, by: (name: string, value: unknown) => unknown): unknown {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, by(name, value)]))
}

/** Splits at the commas outside parentheses. */
function splitTypes(types: string): string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let i = 0; i < types.length; i++) {
    const character = types[i]
    if (character === '(') depth++
    else if (character === ')') depth--
    else if (character === ',' && depth === 0) {
      parts.push(types.slice(start, i).trim())
      start = i + 1
    }
  }
  parts.push(types.slice(start).trim())
  return parts
}

/** A number when it is exact, else the digits. */
function exactNumber(value: unknown): unknown {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}
