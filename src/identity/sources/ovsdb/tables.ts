/**
 * A replica of the tables of Open_vSwitch that identity needs, and of them only the columns that are needed: `statistics` and
 * `status` are rewritten every five seconds and are never asked for.
 *
 * The same tables are filled from a saved dump, and from the answers and updates of either form of monitor (RFC 7047, 4.1.5, 4.1.6;
 * updates2.ts).
 */
import { rowAfter, type TableTypes } from './updates2.ts'
import { isObject, type Row } from './values.ts'

export { isObject } from './values.ts'

/** THE table of what is monitored. Columns a database does not have (older schema) are left out of the request. */
export const TABLES = {
  Open_vSwitch: ['external_ids', 'bridges', 'ovs_version'],
  Bridge: [
    'name',
    'datapath_id',
    'datapath_type',
    'ports',
    'netflow',
    'sflow',
    'ipfix',
    'mirrors',
    'external_ids',
    'other_config',
  ],
  Port: ['name', 'interfaces', 'tag', 'trunks', 'vlan_mode', 'other_config', 'external_ids'],
  Interface: ['name', 'ofport', 'ifindex', 'type', 'options', 'mac_in_use', 'external_ids', 'link_speed'],
  NetFlow: ['targets', 'engine_id', 'engine_type', 'active_timeout', 'add_id_to_interface'],
  sFlow: ['targets', 'agent', 'sampling', 'header', 'polling'],
  IPFIX: [
    'targets',
    'sampling',
    'obs_domain_id',
    'obs_point_id',
    'cache_active_timeout',
    'cache_max_flows',
    'template_interval',
    'other_config',
  ],
  Mirror: [
    'name',
    'select_all',
    'select_src_port',
    'select_dst_port',
    'select_vlan',
    'output_port',
    'output_vlan',
    'snaplen',
    'filter',
  ],
  Flow_Sample_Collector_Set: ['id', 'bridge', 'ipfix'],
} as const satisfies Record<string, readonly string[]>

export type TableName = keyof typeof TABLES

/** A database and what is wanted of it. */
export interface DatabaseWanted {
  readonly name: string
  /** A table without which it is not the database it should be. */
  readonly needs: string
  readonly tables: Readonly<Record<string, readonly string[]>>
}

/** The database of a switch. */
export const SWITCH: DatabaseWanted = { name: 'Open_vSwitch', needs: 'Bridge', tables: TABLES }

const NO_ROWS: ReadonlyMap<string, Row> = new Map()
const TABLE_NAMES = Object.keys(TABLES) as TableName[]

/** Rows by UUID, by table. Rows are replaced, never edited, so a reader may keep one. */
export class OvsdbTables {
  private readonly rows: ReadonlyMap<string, Map<string, Row>>
  /** UUIDs of rows that are new, different or gone, by table, once somebody has asked for them. */
  private touched: Map<string, Set<string>> | undefined

  constructor(names: readonly string[] = TABLE_NAMES) {
    this.rows = new Map(names.map((name) => [name, new Map()]))
  }

  table(name: string): ReadonlyMap<string, Row> {
    return this.rows.get(name) ?? NO_ROWS
  }

  put(name: string, uuid: string, row: Row): void {
    this.rows.get(name)?.set(uuid, row)
  }

  /** Which rows changed since the last call, by table; undefined at the first: all of them. */
  takeTouched(): ReadonlyMap<string, ReadonlySet<string>> | undefined {
    const { touched } = this
    this.touched = new Map()
    return touched
  }

  /**
   * Applies table updates: the answer to `monitor` and the second parameter of an `update` notification have one form,
   * `{table: {uuid: {old?, new?}}}`. `new` holds all monitored columns; a row without `new` is gone. Returns whether
   * anything changed; what does not have the form is passed over.
   */
  apply(updates: unknown): boolean {
    let changed = false
    for (const [name, rows] of entries(updates)) {
      const table = this.rows.get(name)
      if (table === undefined) continue
      for (const [uuid, update] of entries(rows)) {
        if (!isObject(update)) continue
        const row = update['new']
        if (isObject(row)) table.set(uuid, row)
        else table.delete(uuid)
        this.touch(name, uuid)
        changed = true
      }
    }
    return changed
  }

  /**
   * Applies table updates of the second form (updates2.ts). Returns whether anything changed; undefined when they do not fit what is here:
   * then the tables have to be read anew.
   */
  applySecond(updates: unknown, types: TableTypes): boolean | undefined {
    let changed = false
    for (const [name, rows] of entries(updates)) {
      const table = this.rows.get(name)
      const columns = types.get(name)
      if (table === undefined || columns === undefined) continue
      for (const [uuid, update] of entries(rows)) {
        const row = rowAfter(table.get(uuid), update, columns)
        if (row === null) return undefined
        if (row === undefined) table.delete(uuid)
        else table.set(uuid, row)
        this.touch(name, uuid)
        changed = true
      }
    }
    return changed
  }

  private touch(name: string, uuid: string): void {
    if (this.touched === undefined) return
    const uuids = this.touched.get(name)
    if (uuids === undefined) this.touched.set(name, new Set([uuid]))
    else uuids.add(uuid)
  }
}

export function isTable(name: string): name is TableName {
  return Object.hasOwn(TABLES, name)
}

function entries(value: unknown): [string, unknown][] {
  return isObject(value) ? Object.entries(value) : []
}
