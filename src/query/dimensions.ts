import { AppError } from '../errors.ts'
import { COLUMN_NAMES, COLUMNS, columnFacts, type ColumnName } from '../schema/columns.ts'
import { didYouMean } from './nearest.ts'

/**
 * THE table of entities: bare words that mean the server end of a record, whichever side it is on. `id` keeps two of the same
 * name apart, `name` is what people read, `also` tells whose it is. All are suffixes of `src_` and `dst_` columns.
 */
export const ENTITIES = {
  project: { id: 'project_id', name: 'project', also: [] },
  server: { id: 'server_id', name: 'server', also: ['project'] },
  port: { id: 'port_id', name: 'port', also: ['project'] },
  network: { id: 'network_id', name: 'network', also: ['project'] },
  host: { id: 'host', name: 'host', also: [] },
} as const satisfies Record<string, { id: string; name: string; also: readonly string[] }>

export type EntityName = keyof typeof ENTITIES
export type Side = 'src' | 'dst'

/** A column of the answer and where it comes from, seen from a side. */
export interface Shown {
  readonly as: string
  readonly column: (side: Side) => ColumnName
}

/** One thing to group by. */
export interface Dimension {
  /** As the user wrote it: an entity or a column. */
  readonly name: string
  /** Whether it follows the side that is counted (`server`), or is one column (`src_server`, `vlan`). */
  readonly sided: boolean
  /** The column whose values are kept apart, seen from a side. */
  readonly key: (side: Side) => ColumnName
  /** What the rows of the answer show, in order. */
  readonly shows: readonly Shown[]
}

/** More are no report that anybody reads. */
export const MAX_DIMENSIONS = 8

export const ENTITY_NAMES = Object.keys(ENTITIES) as EntityName[]

/** Everything that can be grouped by: entities first, then columns that are not measures. */
export const DIMENSION_NAMES: readonly string[] = [
  ...ENTITY_NAMES,
  ...COLUMN_NAMES.filter((name) => columnFacts(name).measure !== true),
]

/** The dimensions of a report; words may be joined by commas. Errors: column_unknown, usage. */
export function parseDimensions(words: readonly string[]): Dimension[] {
  const names = [...new Set(words.flatMap((word) => word.split(',')).map((word) => word.trim()))].filter(Boolean)
  if (names.length > MAX_DIMENSIONS)
    throw new AppError('usage', `${names.length} dimensions; a report has at most ${MAX_DIMENSIONS}`)
  return names.map(dimension)
}

function dimension(name: string): Dimension {
  if (isEntity(name)) return entityDimension(name)
  if (isColumn(name)) {
    if (columnFacts(name).measure === true)
      throw new AppError('column_unknown', `${name} is summed, not grouped by; sort by it with --by ${name}`)
    return sideEntity(name) ?? plainDimension(name)
  }
  const cut = name.length > 60 ? `${name.slice(0, 60)}…` : name
  throw new AppError(
    'column_unknown',
    `no column is called ${JSON.stringify(cut)}${didYouMean(name, DIMENSION_NAMES)} (ovsight show columns lists them)`,
  )
}

function isEntity(name: string): name is EntityName {
  return Object.hasOwn(ENTITIES, name)
}

function isColumn(name: string): name is ColumnName {
  return Object.hasOwn(COLUMNS, name)
}

function entityDimension(name: EntityName): Dimension {
  const { id, also } = ENTITIES[name]
  return {
    name,
    sided: true,
    key: (side) => column(side, id),
    shows: shown(name, id, also).map((part) => ({ as: part, column: (side) => column(side, part) })),
  }
}

/** `src_server` is grouped by its id and shows whose it is; undefined for other columns. */
function sideEntity(name: ColumnName): Dimension | undefined {
  const side = name.startsWith('src_') ? 'src' : name.startsWith('dst_') ? 'dst' : undefined
  const entity = name.slice(4)
  if (side === undefined || !isEntity(entity)) return undefined
  const { id, also } = ENTITIES[entity]
  return {
    name,
    sided: false,
    key: () => column(side, id),
    shows: shown(entity, id, also).map((part) => ({ as: `${side}_${part}`, column: () => column(side, part) })),
  }
}

function plainDimension(name: ColumnName): Dimension {
  return { name, sided: false, key: () => name, shows: [{ as: name, column: () => name }] }
}

function shown(name: EntityName, id: string, also: readonly string[]): string[] {
  return [...new Set([name, id, ...also])]
}

function column(side: Side, part: string): ColumnName {
  const name = `${side}_${part}`
  if (!isColumn(name)) throw new Error(`no column ${name}`)
  return name
}
