import { COLUMNS, type ColumnName } from '../schema/columns.ts'
import { ENTITIES, type EntityName, type Side } from './dimensions.ts'
import { readExpression } from './values.ts'

/**
 * An end of a record as a party to a conversation: an entity or a column of that end. Where the entity is not known, the kind of
 * the end stands for it in parentheses, `(external)`, so that outside traffic is told from what is not known.
 */
export interface Party {
  readonly name: string
  /** Whether the party on this side is known; undefined where there is no telling. */
  readonly unknown: (side: Side) => string | undefined
  /** What keeps two parties apart. */
  readonly key: (side: Side) => string
  /** What is shown of it: suffix of the result column, expression, and the column whose values it has. */
  readonly shows: readonly { readonly as: string; readonly sql: (side: Side) => string; readonly of: ColumnName }[]
}

/** The party that an entity is. */
export function entityParty(name: EntityName): Party {
  const { id, name: label, also } = ENTITIES[name]
  const unknown = (side: Side) => `${side}_${id} = ''`
  const orKind = (part: string) => (side: Side) =>
    `if(${unknown(side)}, concat('(', toString(${side}_kind), ')'), ${side}_${part})`
  return {
    name,
    unknown,
    key: orKind(id),
    shows: [
      { as: label, sql: orKind(label), of: columnOf('src', label) },
      ...[...new Set<string>([id, ...also])]
        .filter((part) => part !== label)
        .map((part) => ({ as: part, sql: (side: Side) => `${side}_${part}`, of: columnOf('src', part) })),
    ],
  }
}

/** The party that a pair of columns src_x, dst_x is; undefined when there is no such pair. */
export function columnParty(part: string): Party | undefined {
  if (!Object.hasOwn(COLUMNS, `src_${part}`) || !Object.hasOwn(COLUMNS, `dst_${part}`)) return undefined
  return {
    name: part,
    unknown: () => undefined,
    key: (side) => `${side}_${part}`,
    shows: [{ as: part, sql: (side) => readExpression(columnOf(side, part)), of: columnOf('src', part) }],
  }
}

function columnOf(side: Side, part: string): ColumnName {
  const name = `${side}_${part}`
  if (!Object.hasOwn(COLUMNS, name)) throw new Error(`no column ${name}`)
  return name as ColumnName
}
