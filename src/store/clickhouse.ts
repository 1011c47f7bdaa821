/**
 * A ClickHouse server, several that hold the same, or a cluster as a Store.
 *
 * On a cluster a block goes whole into one shard's own table, which its token chooses; tried again it goes to the same shard, to whichever
 * replica answers. Replicas share the list of tokens they have seen (in Keeper), so it is stored once. Through the Distributed table
 * it would be cut up by row, and each piece would need a token of its own; after an answer that was lost nobody could say which of them
 * are stored.
 */
import type { Readable } from 'node:stream'
import { isWhole, storedIn } from '../schema/cluster.ts'
import { type DdlTarget, createDatabase, qualified } from '../schema/ddl.ts'
import { ANSWER_SETTINGS } from './answers.ts'
import { DEFAULT_QUERY_TIMEOUT_MS } from './chdb.ts'
import { EngineError, insertFailure, queryFailure, statementFailure } from './engine-error.ts'
import { onOneOf } from './failover.ts'
import { migrate } from './migrations/migrate.ts'
import { everything } from './migrations/migrations.ts'
import { checkPlaceholders } from './parameters.ts'
import { replaceStatements } from './replace.ts'
import { type ConnectionOptions, Server, type Settings } from './server.ts'
import { type Credentials, type ServerUrl, checkedCluster, parseServerUrls } from './server-url.ts'
import { type Shard, findShards, shardOfToken } from './shards.ts'
import {
  type Block,
  type FileBlock,
  type QueryPlan,
  type Rows,
  type Store,
  type StreamSettings,
  sumsOf,
} from './store.ts'

export interface ClickHouseOptions extends ConnectionOptions, Credentials {
  /** `http://user:password@host:8123/database`, https too; several with commas between. */
  url: string
  /** Name of the cluster that the servers are of. */
  clickhouse_cluster?: string | null
  /** Where user and password come from when neither URL nor options have them. */
  environment?: Readonly<Record<string, string | undefined>>
  queryTimeoutMs?: number
}

/** How often the servers are asked which shards there are. */
const LOOK_AGAIN_MS = 60_000

/** Of questions on a cluster: a set that is looked for in another is gathered once and sent to all. */
const CLUSTER_ANSWER = { distributed_product_mode: 'global' } as const
/**
 * A server of the cluster that is off does what was said when it is back; nothing waits for it. A row that is removed is removed on the
 * server asked, others follow.
 */
const CLUSTER_STATEMENT = {
  distributed_ddl_task_timeout: 60,
  distributed_ddl_output_mode: 'null_status_on_timeout',
  lightweight_deletes_sync: 1,
} as const

export class ClickHouseStore implements Store {
  readonly name: string
  readonly database: string
  readonly cluster?: string

  private readonly target: DdlTarget
  private readonly queryTimeoutMs: number
  private readonly servers: readonly Server[]
  private readonly first: ServerUrl
  private readonly options: ConnectionOptions
  /** Servers of the cluster that the options do not name, by URL. */
  private readonly reached = new Map<string, Server>()
  private shards: readonly Shard[] = []
  private lookedAtMs = -Infinity
  private looking: Promise<void> | undefined

  /** Connects at the first use only. Errors: config_invalid, file_unreadable. */
  constructor(given: ClickHouseOptions) {
    const { url, environment = process.env, clickhouse_cluster: cluster, queryTimeoutMs, ...options } = given
    const urls = parseServerUrls(url, environment, given)
    this.options = options
    this.first = urls[0]!
    this.servers = urls.map((one) => new Server(one, options))
    this.database = this.first.database
    this.target = { database: this.database, ...(cluster ? { cluster: checkedCluster(cluster) } : {}) }
    if (cluster) this.cluster = cluster
    const others = urls.length === 1 ? '' : ` and ${urls.length - 1} more`
    this.name = `${cluster ? `cluster ${cluster} at ` : ''}${this.first.name}${others}`
    this.queryTimeoutMs = queryTimeoutMs ?? DEFAULT_QUERY_TIMEOUT_MS
  }

  async migrate(): Promise<void> {
    const query = (plan: QueryPlan) =>
      this.refusing(() => onOneOf(this.servers, (server) => this.askServer(server, plan, true)))
    if (this.cluster !== undefined) await this.refusing(() => this.lookForShards())
    const { rows } = await query({
      sql: 'SELECT 1 FROM system.databases WHERE name = {database:String}',
      params: { database: this.target.database },
    })
    if (rows.length === 0) await this.run(createDatabase(this.target))
    await migrate({ name: this.name, target: this.target, run: (sql) => this.run(sql), query })
    await this.makeMissing()
  }

  /** Makes the tables on servers that were added to the cluster later. Does nothing where all have them. */
  private async makeMissing(): Promise<void> {
    if (this.cluster === undefined) return
    const plan = {
      sql: 'SELECT count() AS tables FROM system.tables WHERE database = {database:String}',
      params: { database: this.database },
    }
    const servers = this.shards.flatMap((shard) => shard.servers)
    const answers = await Promise.allSettled(servers.map((server) => this.askServer(server, plan, true)))
    const counts = answers.flatMap((answer) =>
      answer.status === 'fulfilled' ? [Number(answer.value.rows[0]?.['tables'])] : [],
    )
    if (Math.min(...counts) < Math.max(...counts))
      for (const statement of everything(this.target)) await this.run(statement)
  }

  /** The shard that a block goes to; undefined where there are none, or they are not known yet. */
  place(token: string): number | undefined {
    return shardOfToken(token, this.shards)?.number
  }

  async insert(block: Block | FileBlock): Promise<void> {
    await this.replace(block)
    await this.insertOne(block)
    const sums = sumsOf(block)
    if (sums !== undefined) await this.insertOne(sums)
  }

  private async insertOne(block: Block | FileBlock): Promise<void> {
    const table = qualified(this.target, storedIn(this.target, block.table))
    try {
      const servers = await this.serversFor(block)
      await onOneOf(servers, (server) => server.insert(table, block, {}))
    } catch (error) {
      throw error instanceof EngineError ? insertFailure(this.name, block.rows, error) : error
    }
  }

  /** Takes out what the block takes the place of: on every shard, since nothing says where it is. */
  private async replace(block: Block | FileBlock): Promise<void> {
    const statements = replaceStatements(block, this.target)
    if (statements.length === 0) return
    const parts = isWhole(block.table) ? [this.servers] : await this.partServers()
    for (const servers of parts)
      await this.refusing(
        // All on one server: what it has removed already it does not sum.
        () =>
          onOneOf(servers, async (server) => {
            for (const sql of statements) await server.command(sql, this.statementSettings())
          }),
        (error) => insertFailure(this.name, block.rows, error),
      )
  }

  query(plan: QueryPlan): Promise<Rows> {
    return this.asking(plan, () => onOneOf(this.servers, (server) => this.askServer(server, plan)))
  }

  stream(plan: QueryPlan, format: string, settings: StreamSettings): Promise<Readable> {
    const refused = (error: EngineError) => queryFailure(this.name, error, plan.timeoutMs ?? 0)
    const own = this.cluster === undefined ? settings : { ...settings, ...CLUSTER_ANSWER }
    return onOneOf(this.servers, (server) => server.stream(plan, format, own, refused))
  }

  async queryEvery(what: 'server' | 'shard', plan: QueryPlan): Promise<Rows> {
    return this.asking(plan, async () => {
      const parts = await this.partServers()
      if (what === 'shard')
        return together(
          await Promise.all(parts.map((servers) => onOneOf(servers, (server) => this.askServer(server, plan)))),
        )
      const all = await Promise.allSettled(parts.flat().map((server) => this.askServer(server, plan)))
      const answers = all.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
      if (answers.length === 0) throw (all[0] as PromiseRejectedResult).reason
      return together(answers)
    })
  }

  async close(): Promise<void> {
    await Promise.all([...this.servers, ...this.reached.values()].map((server) => server.close()))
  }

  run(sql: string): Promise<void> {
    return this.refusing(() => onOneOf(this.servers, (server) => server.command(sql, this.statementSettings())))
  }

  private async refusing<T>(
    work: () => Promise<T>,
    refused = (error: EngineError) => statementFailure(this.name, error),
  ): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw error instanceof EngineError ? refused(error) : error
    }
  }

  private async asking(plan: QueryPlan, ask: () => Promise<Rows>): Promise<Rows> {
    checkPlaceholders(plan)
    try {
      return await ask()
    } catch (error) {
      throw error instanceof EngineError ? queryFailure(this.name, error, plan.timeoutMs ?? this.queryTimeoutMs) : error
    }
  }

  private askServer(server: Server, plan: QueryPlan, outside = false): Promise<Rows> {
    const settings = this.cluster === undefined ? ANSWER_SETTINGS : { ...ANSWER_SETTINGS, ...CLUSTER_ANSWER }
    return server.ask(plan, settings, plan.timeoutMs ?? this.queryTimeoutMs, outside)
  }

  private statementSettings(): Settings {
    return this.cluster === undefined ? {} : CLUSTER_STATEMENT
  }

  private async serversFor({ table, token, shard }: Block | FileBlock): Promise<readonly Server[]> {
    if (this.cluster === undefined || isWhole(table)) return this.servers
    await this.knowShards()
    // What was placed stays where it was placed: part of it may be there.
    return (this.shards.find(({ number }) => number === shard) ?? shardOfToken(token, this.shards)!).servers
  }

  /** The servers of every shard; all of them are one where there is no cluster. */
  private async partServers(): Promise<(readonly Server[])[]> {
    if (this.cluster === undefined) return [this.servers]
    await this.knowShards()
    return this.shards.map(({ servers }) => servers)
  }

  /** Looks again now and then; when nobody answers, what was known holds. */
  private async knowShards(): Promise<void> {
    if (Date.now() - this.lookedAtMs < LOOK_AGAIN_MS) return
    this.looking ??= this.lookForShards().finally(() => (this.looking = undefined))
    try {
      await this.looking
    } catch (error) {
      if (this.shards.length === 0) throw error
    }
  }

  private async lookForShards(): Promise<void> {
    const before = this.shards.length
    if (before > 0) this.lookedAtMs = Date.now()
    this.shards = await findShards(
      {
        cluster: this.cluster!,
        servers: this.servers,
        ask: (server, plan) => this.askServer(server, plan, true),
        reach: (host) => this.reach(host),
      },
      this.shards,
    )
    this.lookedAtMs = Date.now()
    if (before > 0 && this.shards.length > before) await this.makeMissing()
  }

  /** The server at another host, at the port of the first URL. */
  private reach(host: string): Server {
    const url = new URL(this.first.url)
    url.hostname = host.includes(':') ? `[${host}]` : host
    const bare = `${url.protocol}//${url.host}`
    const known = this.reached.get(bare)
    if (known !== undefined) return known
    const server = new Server(
      { ...this.first, url: `${bare}/${url.search}`, name: `${bare}/${this.database}` },
      this.options,
    )
    this.reached.set(bare, server)
    return server
  }
}

function together(answers: readonly Rows[]): Rows {
  return {
    columns: answers[0]?.columns ?? [],
    rows: answers.flatMap(({ rows }) => rows),
    elapsedS: Math.max(0, ...answers.map(({ elapsedS }) => elapsedS)),
    rowsRead: answers.reduce((sum, { rowsRead }) => sum + rowsRead, 0),
  }
}
