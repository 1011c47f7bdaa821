/**
 * A collector in a process of its own, which also does what only its own process can: end its workers as a bug of theirs would, and tell
 * what it holds. Its options come as its only argument; it speaks over IPC.
 */
import { Collector } from '../../src/cli/collector.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { WorkerPool } from '../../src/pipeline/workers/pool.ts'
import { FLOWS } from '../../src/schema/ddl.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { setTimeout as sleep } from 'node:timers/promises'

const STILL_MS = 1_500
const READ_TRIES = 40
const READ_MS = 250

export type ToHost = 'fail' | 'look' | 'stop'

export type FromHost =
  | { kind: 'started'; url: string; ports: Record<string, number> }
  /** Rows that the failed workers had decoded and not handed over. */
  | { kind: 'failed'; rows: number }
  | { kind: 'looked'; heapMiB: number; handles: number }
  | { kind: 'stopped' }

if (process.send !== undefined) await host(JSON.parse(process.argv[2]!) as Record<string, unknown>)

async function host(flags: Record<string, unknown>): Promise<void> {
  const log = createLog({ level: 'warn', format: 'text', to: process.stderr })
  const loaded = loadConfig({ flags })
  const collector = await Collector.start({ loaded, read: () => loaded }, log)
  const { pool } = collector as unknown as { pool: WorkerPool }
  const say = (message: FromHost) => void process.send!(message)

  // What the writer is given; the rows that take the place of others are those others.
  let given = 0
  const enqueue = collector.writer.enqueue.bind(collector.writer)
  collector.writer.enqueue = (block) => {
    if (block.table === FLOWS && block.replaces === undefined) given += block.rows
    return enqueue(block)
  }
  const decoded = () => [...(pool.readers.ovsight_rows_total?.() ?? [])].reduce((sum, [value]) => sum + value, 0)
  let lost = 0

  const act: Record<ToHost, () => Promise<void>> = {
    async fail() {
      await readAll(pool)
      await pool.fail()
      // Blocks on their way from a worker are not lost with it.
      for (let before = -1; before !== given; await sleep(STILL_MS)) before = given
      await pool.read()
      const rows = decoded() - given - lost
      lost += rows
      say({ kind: 'failed', rows })
    },
    async look() {
      // What is garbage is held by nobody, and how much of it there is says only when it was collected last.
      globalThis.gc?.()
      const { heapUsed } = process.memoryUsage()
      say({ kind: 'looked', heapMiB: heapUsed / 1024 ** 2, handles: process.getActiveResourcesInfo().length })
      await Promise.resolve()
    },
    async stop() {
      await collector.stop(60_000)
      say({ kind: 'stopped' })
      process.disconnect()
    },
  }
  process.on('message', (message: ToHost) => void act[message]())
  const ports = Object.fromEntries([...collector.listeners].map(([input, { port }]) => [input, port]))
  say({ kind: 'started', url: collector.url!, ports })
}

/**
 * Until all workers have answered, and nothing is counted any more: on a busy machine one may not answer in time or have its socket full,
 * and what it counted since would be lost with it.
 */
async function readAll(pool: WorkerPool): Promise<void> {
  const { places } = pool as unknown as { places: readonly { samples: object }[] }
  const received = () => [...(pool.readers.ovsight_receive_datagrams_total?.() ?? [])].reduce((sum, [value]) => sum + value, 0) // prettier-ignore
  let before = -1
  for (let tries = 0; tries < READ_TRIES; tries++, await sleep(READ_MS)) {
    const told = places.map(({ samples }) => samples)
    await pool.read()
    if (!places.every(({ samples }, i) => samples !== told[i])) continue
    if (received() === before) return
    before = received()
  }
}
