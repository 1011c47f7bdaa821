/**
 * The shards of a cluster and the servers of each. Every server that the options name is asked which shard it is of; a shard of which
 * none is named is reached by the names that the cluster has for its servers.
 */
import { createHash } from 'node:crypto'
import { AppError } from '../errors.ts'
import type { Server } from './server.ts'
import type { QueryPlan, Rows } from './store.ts'

export interface Shard {
  /** As the cluster numbers it, from 1. */
  readonly number: number
  /** Share of the blocks, against those of the others. */
  readonly weight: number
  /** Replicas: what one stores all have. */
  readonly servers: readonly Server[]
}

/** A server of the cluster as `system.clusters` tells it. */
interface Host {
  cluster: string
  shard: number
  weight: number
  host: string
  address: string
  here: boolean
}

const HOSTS: QueryPlan = {
  sql:
    'SELECT cluster, shard_num AS shard, shard_weight AS weight, host_name AS host, host_address AS address, is_local AS here ' +
    'FROM system.clusters ORDER BY cluster, shard_num, replica_num',
  params: {},
}

export interface ShardsOptions {
  cluster: string
  /** Servers that the options name. */
  servers: readonly Server[]
  ask: (server: Server, plan: QueryPlan) => Promise<Rows>
  /** A server of the cluster that the options do not name, by its host. */
  reach: (host: string) => Server
}

/** Errors: store_unreachable when no server answers, store_refused when none knows the cluster. */
export async function findShards(options: ShardsOptions, before: readonly Shard[] = []): Promise<Shard[]> {
  const { cluster, servers, ask, reach } = options
  const answers = await Promise.allSettled(servers.map(async (server) => hostsOf(await ask(server, HOSTS))))
  const known = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
  const failed = answers.find((answer) => answer.status === 'rejected')
  if (known.length === 0 && failed !== undefined) throw failed.reason
  const hosts = known.map((all) => all.filter((host) => host.cluster === cluster)).find((found) => found.length > 0)
  if (hosts === undefined) throw unknownCluster(cluster, known)
  const shardOf = (server: Server, i: number): number | undefined => {
    const answer = answers[i]!
    const own = answer.status === 'fulfilled' ? answer.value : []
    return (
      own.find((host) => host.cluster === cluster && host.here)?.shard ??
      before.find((shard) => shard.servers.includes(server))?.number ??
      hosts.find(({ host, address }) => [host, address].includes(hostOf(server)))?.shard
    )
  }
  const named = servers.map(shardOf)
  return [...new Set(hosts.map(({ shard }) => shard))].map((number) => {
    const members = hosts.filter(({ shard }) => shard === number)
    const own = servers.filter((_, i) => named[i] === number)
    return {
      number,
      weight: members[0]!.weight,
      servers: own.length > 0 ? own : members.map(({ host }) => reach(host)),
    }
  })
}

/**
 * The shard of a block, by its token: highest random weight, so that a shard more takes its share of all others' blocks and no
 * block goes from one old shard to another.
 */
export function shardOfToken(token: string, shards: readonly Shard[]): Shard | undefined {
  let best: Shard | undefined
  let highest = -Infinity
  for (const shard of shards) {
    const hash = createHash('sha256').update(`${shard.number}/${token}`).digest().readUInt32BE()
    const score = shard.weight / -Math.log((hash + 0.5) / 2 ** 32)
    if (score > highest) [best, highest] = [shard, score]
  }
  return best
}

function hostsOf({ rows }: Rows): Host[] {
  return rows.map((row) => ({
    cluster: String(row['cluster']),
    shard: Number(row['shard']),
    weight: Number(row['weight']),
    host: String(row['host']),
    address: String(row['address']),
    here: Number(row['here']) === 1,
  }))
}

/** Host of a server's URL, an IPv6 address without brackets. */
function hostOf({ url }: Server): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '')
}

function unknownCluster(cluster: string, known: readonly (readonly Host[])[]): AppError {
  const names = [...new Set(known.flat().map((host) => host.cluster))].sort()
  const others = names.length === 0 ? 'it knows none' : `it knows ${names.join(', ')}`
  return new AppError('store_refused', `the server does not know a cluster ${cluster}; ${others} (system.clusters)`)
}
