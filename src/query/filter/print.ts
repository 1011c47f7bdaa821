import { FIELDS, fieldType } from './fields.ts'
import { RESERVED, takenForAnother } from './parse.ts'
import type { End, Test, Tree } from './tree.ts'

/** Characters of a word that needs no quotes; fewer than a word may have, for the eye. */
const PLAIN = /^[A-Za-z0-9_.:/%*+@-]+$/
const ENDS: Readonly<Record<End, string>> = { any: '', src: 'src ', dst: 'dst ', both: 'src and dst ' }
/** The word shown for a field that has a handier one. */
const SHOWN: Readonly<Record<string, string>> = { l4_port: 'port', ip_protocol: 'proto', tunnel_key: 'vni' }

/** The text of a filter: parsing it gives the same tree. */
export function printFilter(tree: Tree): string {
  switch (tree.type) {
    case 'test':
      return printTest(tree)
    case 'not':
      return `not ${printItem(tree.item)}`
    default:
      return tree.items.map(printItem).join(` ${tree.type} `)
  }
}

function printItem(tree: Tree): string {
  return tree.type === 'test' || tree.type === 'not' ? printFilter(tree) : `(${printFilter(tree)})`
}

function printTest({ field, end, op, values }: Test): string {
  const facts = FIELDS.get(field)
  if (facts === undefined) throw new Error(`no field ${field}`)
  const texts = values.map((value) => quoted(field, fieldType(facts).write(value)))
  const list = op === 'in' || op === 'not in'
  const right = list ? `[${texts.join(', ')}]` : texts[0]!
  return `${ENDS[end]}${word(field, texts)} ${op === '=' ? '' : `${op} `}${right}`
}

function word(field: string, texts: readonly string[]): string {
  if (field === 'addr') return texts.some((text) => text.includes('/')) ? 'net' : 'ip'
  return SHOWN[field] ?? field
}

function quoted(field: string, text: string): string {
  if (PLAIN.test(text) && !RESERVED.has(text) && !takenForAnother(field, text)) return text
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}
