/**
 * Fills a replica of the tables from a server: `get_schema` says which of the wanted columns exist, `monitor_cond_since` answers with all
 * rows, or with what has changed since an earlier connection, and from then on notifies of changes. Servers that do not offer it are
 * asked by `monitor`, as RFC 7047 has it. A server keeps history for clustered databases (OVN's), not for a switch's.
 */
import { OvsdbConnection, OvsdbRefusal, type ConnectionOptions } from './client.ts'
import { isObject, OvsdbTables, SWITCH, type DatabaseWanted } from './tables.ts'
import type { OvsdbTarget } from './target.ts'
import { typesOf } from './updates2.ts'

const MONITOR_ID = 'ovsight'
/** Notifications of the first form and of the second. */
const METHODS: ReadonlySet<string> = new Set(['update', 'update3'])
/** Older than any transaction; a server without history has no other. */
const BEFORE_ALL = '00000000-0000-0000-0000-000000000000'

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
  /** Kept current by notifications for as long as the connection lives. */
  tables: OvsdbTables
  /** Whether they went on from those of an earlier connection. */
  resumed: boolean
  /** To go on from when the connection is gone; undefined where the server does not tell. */
  since(): Since | undefined
}

/** Tables as they were when a connection ended, and what the server calls that moment. */
export interface Since {
  tables: OvsdbTables
  transaction: string
  /** What was monitored, and the schema it is of. */
  asked: string
}

export interface MonitorOptions extends Omit<ConnectionOptions, 'onNotification'> {
  /** Called after each update that came after the first snapshot. */
  onChange?: () => void
  /** Default: a switch's. */
  database?: DatabaseWanted
  /** Where an earlier connection to the same server ended: what has changed since is all that is read, where the server still knows it. */
  since?: Since | undefined
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
  const { database = SWITCH, since } = options
  let early: (() => void)[] | undefined = []
  let take: ((method: string, params: readonly unknown[]) => boolean) | undefined
  const connection = await open({
    ...options,
    onNotification: (method, params) => {
      if (params[0] !== MONITOR_ID || !METHODS.has(method)) return
      const apply = () => take?.(method, params) ?? false
      if (early !== undefined) early.push(apply)
      else if (apply()) options.onChange?.()
    },
  })
  try {
    const { name, needs } = database
    const schema = await connection.request('get_schema', [name])
    const requests = monitorRequests(schema, database)
    if (requests[needs] === undefined) throw new Error(`its ${name} schema has no ${needs} table`)
    const types = typesOf(schema, requests)
    const asked = JSON.stringify([requests, [...types].map(([table, columns]) => [table, [...columns]])])
    const last = since?.asked === asked ? since : undefined
    let transaction = last?.transaction ?? BEFORE_ALL
    const answer = await askSince(connection, name, requests, transaction)
    const resumed = last !== undefined && answer?.found === true
    const tables = resumed ? last.tables : new OvsdbTables(Object.keys(database.tables))
    if (answer === undefined) {
      tables.apply(await connection.request('monitor', [name, MONITOR_ID, requests]))
      take = (_, [, updates]) => tables.apply(updates)
    } else {
      if (tables.applySecond(answer.updates, types) === undefined) {
        if (last !== undefined) last.transaction = BEFORE_ALL
        throw new Error('its answer does not fit what it said before')
      }
      transaction = answer.transaction
      take = (_, [, next, updates]) => {
        const changed = tables.applySecond(updates, types)
        // A change of what is not here: nothing that is here can be believed.
        if (changed === undefined) {
          transaction = BEFORE_ALL
          connection.close()
        } else if (typeof next === 'string') transaction = next
        return changed ?? false
      }
    }
    for (const apply of early) apply()
    early = undefined
    return {
      connection,
      tables,
      resumed,
      since: () => (transaction === BEFORE_ALL ? undefined : { tables, transaction, asked }),
    }
  } catch (error) {
    connection.close()
    throw error
  }
}

interface SinceAnswer {
  /** Whether the server knew the transaction; else all rows follow. */
  found: boolean
  transaction: string
  updates: unknown
}

/** Monitors from a transaction on; undefined where the server does not offer it. */
async function askSince(
  connection: OvsdbConnection,
  database: string,
  requests: Record<string, { columns: string[] }>,
  transaction: string,
): Promise<SinceAnswer | undefined> {
  const conditional = Object.fromEntries(Object.entries(requests).map(([table, request]) => [table, [request]]))
  try {
    const answer = await connection.request('monitor_cond_since', [database, MONITOR_ID, conditional, transaction])
    if (!Array.isArray(answer)) return undefined
    const [found, last, updates] = answer as unknown[]
    if (typeof found !== 'boolean' || typeof last !== 'string' || !isObject(updates)) return undefined
    return { found, transaction: last, updates }
  } catch (error) {
    if (error instanceof OvsdbRefusal) return undefined
    throw error
  }
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
