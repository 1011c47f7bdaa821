import { addressText } from '../../../src/query/address.ts'
import { DIRECTIONS } from '../../../src/query/filter/directions.ts'
import { FIELDS, fieldColumns, fieldType, type Field } from '../../../src/query/filter/fields.ts'
import { takenForAnother } from '../../../src/query/filter/parse.ts'
import type { Test, Tree, Value } from '../../../src/query/filter/tree.ts'
import { columnFacts } from '../../../src/schema/columns.ts'
import { enumValues } from '../../../src/schema/enums.ts'
import type { Random } from '../random.ts'

/** Trees of every shape and field that the grammar has. */
export function randomTree(random: Random, depth: number, value = randomValue): Tree {
  const kind = depth === 0 ? 0 : random.below(4)
  if (kind === 1) return { type: 'not', item: randomTree(random, depth - 1, value) }
  if (kind >= 2)
    return { type: kind === 2 ? 'and' : 'or', items: random.list(2, 4, () => randomTree(random, depth - 1, value)) }
  return randomTest(random, value)
}

export type MakeValue = (random: Random, field: Field) => Value

const ALL_FIELDS = [...FIELDS.values()]

function randomTest(random: Random, make: MakeValue): Test {
  const field = random.pick(ALL_FIELDS)
  const op = random.pick(fieldType(field).ops)
  const list = op === 'in' || op === 'not in'
  // A pattern that ends in the middle of an escape is refused.
  const tail = op.endsWith('like') ? '%' : ''
  const values = random
    .list(1, list ? 5 : 1, () => make(random, field))
    .map((value) => (tail === '' ? value : value + tail))
  // A number for a transport port is written like one; a list of both would be of names.
  const numeric = values.some((value) => takenForAnother(field.name, String(value)))
  return {
    type: 'test',
    field: field.name,
    end: field.sided ? random.pick(['any', 'src', 'dst', 'both'] as const) : 'any',
    op,
    values: numeric ? values.map((value) => `name ${value}`) : values,
  }
}

/** Texts that could end a string, a statement or a parameter, and words of the language itself. */
export const AWKWARD = [
  '',
  ' ',
  'and',
  'or',
  'not',
  'in',
  'src',
  'web-1',
  "'; DROP TABLE flows; --",
  '") OR 1=1 --',
  '\\',
  '\\"',
  '{p0:String}',
  '{p0:Identifier}',
  '/* */',
  '443',
  '10.0.0.1',
  'naïve 服务器 🚀',
  '\n\t\0',
  '%_%',
  '\u202Eevil',
  'a&&b||c',
]

export function randomValue(random: Random, field: Field): Value {
  const column = fieldColumns(field, 'src')[0]!
  const { kind, of } = columnFacts(column)
  switch (field.type) {
    case 'text':
      return random.pick(AWKWARD) + (random.below(3) === 0 ? random.pick(AWKWARD) : '')
    case 'enumeration':
      return random.pick(enumValues(of!))
    case 'direction':
      return random.pick(Object.keys(DIRECTIONS))
    case 'flags':
      return 1 + random.below(0x1ff)
    case 'mac':
      return random.below(0xffff_ffff_ffff)
    case 'time':
      return random.below(Date.UTC(2200, 0))
    case 'ip':
      return randomPrefix(random)
    default:
      return { u8: 200, u16: 60_000, u32: 4e9, u64: 2 ** 53 - 2, f64: 2 ** 40 }[kind as 'u8'] - random.below(200)
  }
}

/** A canonical address or prefix. */
function randomPrefix(random: Random): string {
  if (random.below(2) === 0) {
    const bits = random.below(33)
    const word = bits === 0 ? 0 : (random.below(0xffff_ffff) & (0xffff_ffff << (32 - bits))) >>> 0
    const dotted = [24, 16, 8, 0].map((shift) => (word >>> shift) & 0xff).join('.')
    return bits === 32 ? dotted : `${dotted}/${bits}`
  }
  const bytes = Uint8Array.from({ length: 16 }, (_, i) =>
    i < 2 ? 0x20 : i < 8 && random.below(2) === 0 ? random.below(256) : 0,
  )
  return random.below(2) === 0 ? addressText(bytes) : `${addressText(bytes)}/64`
}
