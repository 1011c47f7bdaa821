import { columnFacts, type ColumnName } from './columns.ts'
import { enumValues, type EnumName } from './enums.ts'
import { KINDS, type Kind } from './kinds.ts'

/**
 * What ClickHouse calls the type of a column, for DDL and for the header of a Native block, where it must be the same.
 */
export function columnType(name: ColumnName): string {
  const { kind, of } = columnFacts(name)
  return kindType(kind, of)
}

/** The type of a kind; `of` names the closed set of an enum. Index 0 … 127 is what an Enum8 holds. */
export function kindType(kind: Kind, of?: EnumName): string {
  if (kind !== 'enum' || of === undefined) return KINDS[kind].clickhouse
  const values: readonly string[] = enumValues(of)
  return `Enum8(${values.map((value, code) => `'${value}' = ${code}`).join(', ')})`
}
