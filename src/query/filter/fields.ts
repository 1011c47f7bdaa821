import { COLUMN_NAMES, COLUMNS, type ColumnName } from '../../schema/columns.ts'
import { FIELD_TYPES, typeOfColumn, type FieldType, type FieldTypeName } from './types.ts'

/**
 * THE table of what a filter can ask for. A field of an end (`sided`) is asked of the source, the destination, or either; its parts
 * are suffixes of `src_` and `dst_` columns. Other fields are columns. A test holds when any of the parts matches.
 */
export interface Field {
  readonly name: string
  readonly type: FieldTypeName
  readonly sided: boolean
  readonly parts: readonly string[]
}

/** Names of things match id or name. */
const NAMED: readonly Field[] = [
  named('project', 'project', 'project_id'),
  named('server', 'server', 'server_id'),
  named('port', 'port', 'port_id'),
  named('network', 'network', 'network_id'),
  named('host', 'host'),
  named('router', 'router_id'),
]

const SPECIAL: readonly Field[] = [
  { name: 'ip_protocol', type: 'protocol', sided: false, parts: ['ip_protocol'] },
  { name: 'flags', type: 'flags', sided: false, parts: ['tcp_flags'] },
  { name: 'direction', type: 'direction', sided: false, parts: ['traffic_class'] },
]

/** Every pair of columns src_x, dst_x is a field x of an end; every other column is a field of its own. */
const FROM_COLUMNS: readonly Field[] = COLUMN_NAMES.filter((name) => !name.startsWith('dst_')).map((name) => {
  const part = sidedPart(name)
  const type = typeOfColumn(name)
  return part === undefined
    ? { name, type, sided: false, parts: [name] }
    : { name: part, type, sided: true, parts: [part] }
})

export const FIELDS: ReadonlyMap<string, Field> = new Map(
  [...FROM_COLUMNS, ...NAMED, ...SPECIAL].map((field) => [field.name, field]),
)

/** Other words for fields. */
export const ALIASES: Readonly<Record<string, string>> = {
  ip: 'addr',
  net: 'addr',
  address: 'addr',
  proto: 'ip_protocol',
  protocol: 'ip_protocol',
  vni: 'tunnel_key',
  class: 'traffic_class',
  tenant: 'project',
  vm: 'server',
  instance: 'server',
}

/** Words that are a whole test by themselves. */
export const SHORTHANDS: Readonly<Record<string, { field: string; value: number }>> = {
  tcp: { field: 'ip_protocol', value: 6 },
  udp: { field: 'ip_protocol', value: 17 },
  icmp: { field: 'ip_protocol', value: 1 },
  icmp6: { field: 'ip_protocol', value: 58 },
  sctp: { field: 'ip_protocol', value: 132 },
  arp: { field: 'ether_type', value: 0x0806 },
  ipv4: { field: 'ip_version', value: 4 },
  ipv6: { field: 'ip_version', value: 6 },
}

/** Every word that can begin a test, for suggestions. */
export const WORDS: readonly string[] = [
  ...new Set([
    ...FIELDS.keys(),
    ...Object.keys(ALIASES),
    ...Object.keys(SHORTHANDS),
    ...COLUMN_NAMES,
    'src',
    'dst',
    'not',
  ]),
]

export function fieldType(field: Field): FieldType {
  return FIELD_TYPES[field.type]
}

/** The columns of a field, seen from an end. */
export function fieldColumns(field: Field, side: 'src' | 'dst'): readonly ColumnName[] {
  return field.parts.map((part) => {
    const name = field.sided ? `${side}_${part}` : part
    if (!Object.hasOwn(COLUMNS, name)) throw new Error(`no column ${name}`)
    return name as ColumnName
  })
}

function named(name: string, ...parts: string[]): Field {
  return { name, type: 'text', sided: true, parts }
}

function sidedPart(name: ColumnName): string | undefined {
  return name.startsWith('src_') && Object.hasOwn(COLUMNS, `dst_${name.slice(4)}`) ? name.slice(4) : undefined
}
