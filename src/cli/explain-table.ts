import type { Row } from '../query/ask.ts'
import type { TableColumn } from './table.ts'

/** The answer of `explain` for people: a line a fact, its part where it begins, sentences wrapped. */
export function explainTable(rows: readonly Row[]): TableColumn[] {
  const text = (name: string) => rows.map((row) => String(row[name] as string | number))
  const parts = text('part')
  return [
    { title: 'part', weight: 100, keep: true, cells: parts.map((part, i) => (part === parts[i - 1] ? '' : part)) },
    { title: 'fact', weight: 99, keep: true, cells: text('fact') },
    { title: 'value', weight: 98, keep: true, minWidth: 24, cells: text('value') },
    { title: 'meaning', weight: 97, keep: true, minWidth: 20, wrap: true, cells: text('meaning') },
  ]
}
