/**
 * A cluster out of engines that are none: each is a process of its own, a shard, with two fronts, its replicas. What takes a real server
 * is done for them: statements for all servers go to all, and replicated tables are plain ones, since both fronts of a shard have one
 * engine, and with it one list of tokens.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export const CLUSTER = 'main'
const TCP_PORT = 9_000
const ENGINE = fileURLToPath(new URL('./cluster-engine.js', import.meta.url))

/** ClickHouse's configuration of the server of a shard (from 1), with a keeper inside it. */
export function serverConfig(shard: number, shards: number): string {
  const members = Array.from(
    { length: shards },
    (_, i) => `<shard><replica><host>127.0.0.1</host><port>${TCP_PORT + i + 1}</port></replica></shard>`,
  )
  return (
    `<clickhouse><tcp_port>${TCP_PORT + shard}</tcp_port><zookeeper><implementation>testkeeper</implementation></zookeeper>` +
    `<macros><shard>${shard}</shard><replica>r1</replica></macros>` +
    `<remote_servers><${CLUSTER}>${members.join('')}</${CLUSTER}></remote_servers></clickhouse>`
  )
}

/** A statement as a server of the cluster would do it itself; `everywhere` when all servers are to. */
export function asOneServer(query: string): { sql: string; everywhere: boolean } {
  const everywhere = query.includes(` ON CLUSTER '${CLUSTER}'`)
  const sql = query
    .replace(` ON CLUSTER '${CLUSTER}'`, '')
    .replace(/Replicated(\w+)\('[^']*', '[^']*'(?:, )?/, '$1(')
    .replace(/\breplicated_deduplication_window = /, 'non_replicated_deduplication_window = ')
    .replace(/\breplicated_deduplication_window_seconds = \d+, /, '')
    .replace(/^SYSTEM SYNC REPLICA .*/, 'SELECT 1')
  return { sql, everywhere }
}

export interface ClusterFront {
  /** URLs of the fronts, by shard and replica. */
  urls: string[][]
  /** Whether a front answers. */
  set(shard: number, replica: number, up: boolean): Promise<void>
  /** Inserts that each front took part in so far. */
  inserts(): Promise<number[][]>
  /** Runs a statement on the engine of each shard, as it stands. */
  run(sql: string): Promise<void>
  /** Rows of a question to the engine of each shard. */
  rows(sql: string): Promise<unknown[][][]>
  close(): Promise<void>
}

export type Told =
  | { say: 'open'; urls: string[] }
  | { say: 'spread'; sql: string; id: number }
  | { say: 'done'; id: number; answer?: unknown; error?: string }
export type Ask =
  | { do: 'run' | 'rows'; sql: string; id: number }
  | { do: 'set'; replica: number; up: boolean; id: number }
  | { do: 'inserts'; id: number }
  | { do: 'spread'; id: number }

type Asking<A = Ask> = A extends Ask ? Omit<A, 'id'> : never

export async function openCluster(shards: number): Promise<ClusterFront> {
  const engines = Array.from({ length: shards }, (_, i) => fork(ENGINE, [String(i + 1), String(shards)]))
  const waiting = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>()
  let ids = 0
  const ask = (engine: ChildProcess, what: Asking): Promise<unknown> =>
    new Promise((resolve, reject) => {
      waiting.set(++ids, { resolve, reject })
      engine.send({ ...what, id: ids })
    })
  const opened = engines.map(
    (engine) =>
      new Promise<string[]>((resolve) =>
        engine.on('message', (told: Told) => {
          if (told.say === 'open') resolve(told.urls)
          else if (told.say === 'spread') void spread(engine, told)
          else if (told.error === undefined) waiting.get(told.id)?.resolve(told.answer)
          else waiting.get(told.id)?.reject(new Error(told.error))
        }),
      ),
  )
  /** To all others; the one that asks does it by itself. */
  async function spread(from: ChildProcess, { sql, id }: { sql: string; id: number }): Promise<void> {
    await Promise.all(engines.filter((engine) => engine !== from).map((engine) => ask(engine, { do: 'run', sql })))
    from.send({ do: 'spread', id } satisfies Ask)
  }
  return {
    urls: await Promise.all(opened),
    set: async (shard, replica, up) => void (await ask(engines[shard]!, { do: 'set', replica, up })),
    inserts: () => Promise.all(engines.map((engine) => ask(engine, { do: 'inserts' }) as Promise<number[]>)),
    run: async (sql) => void (await Promise.all(engines.map((engine) => ask(engine, { do: 'run', sql })))),
    rows: (sql) => Promise.all(engines.map((engine) => ask(engine, { do: 'rows', sql }) as Promise<unknown[][]>)),
    async close() {
      for (const engine of engines) {
        const ended = once(engine, 'exit')
        engine.disconnect()
        await ended
      }
    },
  }
}
