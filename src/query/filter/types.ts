import { COLUMNS, columnFacts, type ColumnName } from '../../schema/columns.ts'
import { enumValues, type EnumName } from '../../schema/enums.ts'
import { macText, parseMac, parsePrefix, prefixRange } from '../address.ts'
import { didYouMean } from '../nearest.ts'
import type { Params } from '../plan.ts'
import { protocolName, protocolNumber } from '../protocols.ts'
import { isoTime, parseAbsoluteTime } from '../times.ts'
import { DIRECTIONS, isDirection, type DirectionName } from './directions.ts'
import { FLAGS, flagBits, flagLetters } from './flags.ts'
import { formatNumber, parseNumber } from './numbers.ts'
import type { Op, Value } from './tree.ts'

/** Why a text is no value of a type: a sentence about it. */
export class Refusal {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** What the values of a field are: how they are read, written, and compared in SQL. */
export interface FieldType {
  readonly ops: readonly Op[]
  /** Reads what the user wrote for `column`. */
  read(text: string, column: ColumnName): Value | Refusal
  /** Writes it so that `read` gives the same. */
  write(value: Value): string
  /** `column` equals one of the values. */
  equals(column: ColumnName, values: readonly Value[], params: Params): string
  /** The type under which a single value is bound, for `< <= > >=` and `like`. */
  one(value: Value, params: Params): string
}

const EQUAL: readonly Op[] = ['=', '!=', 'in', 'not in']
const ORDER: readonly Op[] = [...EQUAL, '<', '<=', '>', '>=']
const LARGEST = { u8: 0xff, u16: 0xffff, u32: 0xffff_ffff, u64: Number.MAX_SAFE_INTEGER } as const

const text: FieldType = {
  ops: [...EQUAL, 'like', 'not like'],
  read: (given) => given,
  write: String,
  equals: (column, values, params) => oneOrList(column, values, params, 'String'),
  one: (value, params) => params.bind('String', value),
}

const number: FieldType = {
  ops: ORDER,
  read: readNumber,
  write: (value) => formatNumber(Number(value)),
  equals: (column, values, params) =>
    values.every((value) => Number.isInteger(value))
      ? oneOrList(column, values, params, 'UInt64')
      : anyOf(values.map((value) => `${column} = ${params.bind('Float64', value)}`)),
  one: (value, params) => params.bind(Number.isInteger(value) ? 'UInt64' : 'Float64', value),
}

const ip: FieldType = {
  ops: EQUAL,
  read: (given) =>
    parsePrefix(given) ?? new Refusal(`${quote(given)} is neither an address nor a prefix like 10.0.0.0/8`),
  write: String,
  equals: (column, values, params) => {
    const ranges = values.map((value) => prefixRange(String(value)))
    const single = ranges.filter(({ first, last }) => first === last).map(({ first }) => first)
    const wide = ranges.filter(({ first, last }) => first !== last)
    return anyOf([
      ...(single.length === 0 ? [] : [oneOrList(column, single, params, 'IPv6')]),
      ...wide.map(({ first, last }) => `${column} BETWEEN ${params.bind('IPv6', first)} AND ${params.bind('IPv6', last)}`), // prettier-ignore
    ])
  },
  one: (value, params) => params.bind('IPv6', value),
}

const mac: FieldType = {
  ops: EQUAL,
  read: (given) => parseMac(given) ?? new Refusal(`${quote(given)} is no MAC address like fa:16:3e:00:00:01`),
  write: (value) => macText(Number(value)),
  equals: (column, values, params) => oneOrList(column, values, params, 'UInt64'),
  one: (value, params) => params.bind('UInt64', value),
}

const time: FieldType = {
  ops: ORDER.filter((op) => op !== 'in' && op !== 'not in'),
  read: (given) =>
    parseAbsoluteTime(given) ?? new Refusal(`${quote(given)} is no time; write 2026-01-31T08:00:00Z or unix seconds`),
  write: (value) => isoTime(Number(value)),
  equals: (column, values, params) => `${column} = ${time.one(values[0]!, params)}`,
  one: (value, params) => `fromUnixTimestamp64Milli(${params.bind('Int64', value)})`,
}

const enumeration: FieldType = {
  ops: EQUAL,
  read: (given, column) => {
    const values: readonly string[] = enumValues(columnFacts(column).of as EnumName)
    if (values.includes(given)) return given
    const hint = didYouMean(given, values) || `; it is one of ${values.join(', ')}`
    return new Refusal(`${quote(given)} is no value of ${column.replace(/^(src|dst)_/, '')}${hint}`)
  },
  write: String,
  // As text: the comparison of an Enum with a bound String is not the same in every version.
  equals: (column, values, params) => oneOrList(`toString(${column})`, values, params, 'String'),
  one: (value, params) => params.bind('String', value),
}

const protocol: FieldType = {
  ...number,
  ops: EQUAL,
  read: (given, column) => {
    const known = protocolNumber(given)
    if (known !== undefined) return known
    if (/^\d/.test(given)) return readNumber(given, column)
    return new Refusal(`${quote(given)} is no protocol; write tcp, udp, icmp, icmp6, sctp or its number`)
  },
  write: (value) => protocolName(Number(value)),
}

const flags: FieldType = {
  ops: EQUAL,
  read: (given) => {
    const bits = flagBits(given)
    if (bits !== undefined) return bits
    return new Refusal(`${quote(given)} are no TCP flags; write letters of ${Object.keys(FLAGS).join('')}, as in SA`)
  },
  write: (value) => flagLetters(Number(value)),
  equals: (column, values, params) =>
    anyOf(
      values.map((value) => {
        const bits = params.bind('UInt64', value)
        return `bitAnd(${column}, ${bits}) = ${bits}`
      }),
    ),
  one: (value, params) => params.bind('UInt64', value),
}

const direction: FieldType = {
  ops: EQUAL,
  read: (given) => {
    if (isDirection(given)) return given
    const names = Object.keys(DIRECTIONS)
    return new Refusal(
      `${quote(given)} is no direction${didYouMean(given, names) || `; it is one of ${names.join(', ')}`}`,
    )
  },
  write: String,
  equals: (_, values, params) =>
    anyOf(
      values.map((value) => {
        const { column, values: meant } = DIRECTIONS[value as DirectionName]
        return enumeration.equals(column, meant, params)
      }),
    ),
  one: (value, params) => params.bind('String', value),
}

export const FIELD_TYPES = { text, number, ip, mac, time, enumeration, protocol, flags, direction } as const
export type FieldTypeName = keyof typeof FIELD_TYPES

/** The type of a column's values in filters. */
export function typeOfColumn(column: ColumnName): FieldTypeName {
  const kind = columnFacts(column).kind
  if (kind === 'enum') return 'enumeration'
  return kind === 'text' || kind === 'ip' || kind === 'mac' || kind === 'time' ? kind : 'number'
}

function readNumber(given: string, column: ColumnName): number | Refusal {
  const value = parseNumber(given)
  if (value === undefined) return new Refusal(`${quote(given)} is no number; write 443, 0x800, 1.5M or 64Ki`)
  const kind = COLUMNS[column].kind
  if (kind === 'f64') return value
  if (!Number.isInteger(value)) return new Refusal(`${quote(given)} is no whole number`)
  const largest = kind in LARGEST ? LARGEST[kind as keyof typeof LARGEST] : Number.MAX_SAFE_INTEGER
  return value <= largest ? value : new Refusal(`${quote(given)} is more than ${column} can be, ${largest}`)
}

function oneOrList(
  expression: string,
  values: readonly Value[],
  params: Params,
  type: 'String' | 'UInt64' | 'IPv6',
): string {
  if (values.length === 1) return `${expression} = ${params.bind(type, values[0]!)}`
  return `${expression} IN ${params.bind(`Array(${type})`, values)}`
}

function anyOf(conditions: readonly string[]): string {
  return conditions.length === 1 ? conditions[0]! : `(${conditions.join(' OR ')})`
}

function quote(given: string): string {
  return JSON.stringify(given.length > 60 ? `${given.slice(0, 60)}…` : given)
}
