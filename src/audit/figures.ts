/** The two sides of a comparison, as the store answers. */
import type { Audited } from './audit.ts'
import { DIRECTIONS, type Direction } from './plans.ts'

export interface Amount {
  bytes: number
  packets: number
}

/** What one interface counted between its two readings. */
export interface Truth extends Record<Direction, Amount> {
  key: string
  names: Pick<
    Audited,
    | 'host'
    | 'bridge'
    | 'interface'
    | 'port_id'
    | 'port'
    | 'server_id'
    | 'server'
    | 'network'
    | 'project_id'
    | 'project'
    | 'source'
  >
  a: number
  b: number
  resets: number
}

/** What flow records hold of it. */
export interface Counted extends Amount {
  variance: number
  edgeBytes: number
  samples: number
  rate: number
  lagMs: number
  protocols: readonly string[]
}

export const NOTHING: Counted = {
  bytes: 0,
  packets: 0,
  variance: 0,
  edgeBytes: 0,
  samples: 0,
  rate: 0,
  lagMs: 0,
  protocols: [],
}

/** A row of `truthPlan`. */
export function readTruth(row: Record<string, unknown>): Truth {
  const name = (column: string) => String(row[`n_${column}`])
  const count = (column: string) => Number(row[`t_${column}`])
  const amount = (direction: Direction): Amount => ({
    bytes: count(DIRECTIONS[direction].bytes),
    packets: count(DIRECTIONS[direction].packets),
  })
  return {
    key: keyOf(row),
    names: {
      host: String(row['host']),
      bridge: name('bridge'),
      interface: String(row['interface']),
      port_id: String(row['port_id']),
      port: name('port'),
      server_id: name('server_id'),
      server: name('server'),
      network: name('network'),
      project_id: name('project_id'),
      project: name('project'),
      source: row['source'] === 'sflow' ? 'sflow' : 'ovsdb',
    },
    a: Number(row['a']),
    b: Number(row['b']),
    resets: Number(row['resets']),
    sent: amount('sent'),
    received: amount('received'),
  }
}

/** A row of `countedPlan`. */
export function readCounted(row: Record<string, unknown>): Counted {
  return {
    bytes: Number(row['bytes']),
    packets: Number(row['packets']),
    variance: Number(row['variance']),
    edgeBytes: Number(row['edge_bytes']),
    samples: Number(row['samples']),
    rate: Number(row['rate']),
    lagMs: Number(row['lag_ms']),
    protocols: words(row['protocols']),
  }
}

/** What both rows are told apart by. */
export function keyOf(row: Record<string, unknown>): string {
  return ['port_id', 'host', 'interface', 'source'].map((column) => String(row[column])).join('\n')
}

/** Words of a text with spaces between. */
export function words(value: unknown): string[] {
  return String(value).split(' ').filter(Boolean)
}
