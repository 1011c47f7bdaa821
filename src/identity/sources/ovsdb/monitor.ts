/**
 * Fills a replica of the tables from a server: `get_schema` says which of the wanted columns exist, `monitor` answers with
 * all rows and from then on notifies of changes.
 */
import { OvsdbConnection, type ConnectionOptions } from './client.ts'
import { isObject, OvsdbTables, SWITCH, type DatabaseWanted } from './tables.ts'
import type { OvsdbTarget } from './target.ts'

const MONITOR_ID = 'ovsight'

/** `monitor-requests` of RFC 7047, 4.1.5, for the wanted columns that the schema has. */
export function monitorRequests(
  schema: unknown,
  database: DatabaseWanted = SWITCH,
): Record<string, { columns: string[] }> {
  const tables = isObject(schema) && isObject(schema['tables']) ? schema['tables'] : {}
  const requests: Record<string, { columns: string[] }> = {}
  for (const [name, wanted] of Object.entries(database.tables)) {
    const table = tables[name]
    const columns = isObject(table) && isObject(table['columns']) ? table['columns'] : {}
    const known = wanted.filter((column) => Object.hasOwn(columns, column))
    if (known.length > 0) requests[name] = { columns: known }
  }
  return requests
}

export interface Monitored {
  connection: OvsdbConnection
  /** Kept current by `update` notifications for as long as the connection lives. */
  tables: OvsdbTables
}

export interface MonitorOptions extends Omit<ConnectionOptions, 'onNotification'> {
  /** Called after each update that came after the first snapshot. */
  onChange?: () => void
  /** Default: a switch's. */
  database?: DatabaseWanted
}

/** How a connection is made: by calling, or by being called. */
type Open = (options: ConnectionOptions) => Promise<OvsdbConnection> | OvsdbConnection

/**
 * Connects and monitors. Resolves when the first snapshot is in; `onChange` is called after each later update. Updates that
 * come before the first answer is read are applied after it. Rejects with a plain Error naming the cause.
 */
export function monitor(target: OvsdbTarget, options: MonitorOptions = {}): Promise<Monitored> {
  return monitorOver((more) => OvsdbConnection.open(target, more), options)
}

/** The same over a connection made by `open`. */
export async function monitorOver(open: Open, options: MonitorOptions = {}): Promise<Monitored> {
  const { database = SWITCH } = options
  const tables = new OvsdbTables(Object.keys(database.tables))
  let early: unknown[] | undefined = []
  const connection = await open({
    ...options,
    onNotification: (method, [id, updates]) => {
      if (method !== 'update' || id !== MONITOR_ID) return
      if (early !== undefined) early.push(updates)
      else if (tables.apply(updates)) options.onChange?.()
    },
  })
  try {
    const { name, needs } = database
    const requests = monitorRequests(await connection.request('get_schema', [name]), database)
    if (requests[needs] === undefined) throw new Error(`its ${name} schema has no ${needs} table`)
    tables.apply(await connection.request('monitor', [name, MONITOR_ID, requests]))
  } catch (error) {
    connection.close()
    throw error
  }
  for (const updates of early) tables.apply(updates)
  early = undefined
  return { connection, tables }
}

/** Tables of a server as they are now; the connection is closed again. Rejects with a plain Error naming the cause. */
export async function readOnce(
  target: OvsdbTarget,
  options: Pick<MonitorOptions, 'timeoutMs' | 'keys' | 'database'> = {},
): Promise<OvsdbTables> {
  const { connection, tables } = await monitor(target, { ...options, probeMs: 0 })
  connection.close()
  return tables
}
