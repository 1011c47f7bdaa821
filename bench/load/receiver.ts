/**
 * A collector without a store, as a process of its own: receives, decodes, attributes and encodes; blocks are counted and thrown
 * away. Says its port, then at the end (SIGTERM) what it counted; a line of JSON each.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../../src/config/load.ts'
import { buildSnapshot } from '../../src/identity/snapshot/build.ts'
import type { IdentitySnapshot } from '../../src/identity/snapshot/snapshot.ts'
import { loadIdentityFile } from '../../src/identity/sources/file.ts'
import { Intake, type IntakeBlock } from '../../src/pipeline/intake.ts'
import { openListeners, openSharedListeners } from '../../src/pipeline/listeners.ts'
import { WorkerPool } from '../../src/pipeline/workers/pool.ts'
import { FLOWS } from '../../src/schema/ddl.ts'
import { createLog } from '../../src/telemetry/log.ts'
import type { MetricName, Readers } from '../../src/telemetry/metrics.ts'
import { syntheticCloud } from '../cloud.ts'
import type { Load } from './loads.ts'
import { stopAt, type Rung } from './rungs.ts'

/** What the bench tells it, as its only argument. */
export interface ReceiverTask {
  input: Load['input']
  workers: number
  identity: Load['identity']
  aliases: string[]
  bufferBytes: number
  /** How far it goes. */
  rung: Rung
}

/** What it counted. */
export interface Counted {
  datagrams: number
  /** Rows in blocks; of mirrors also their packets. */
  rows: number
  packets: number
  kernelDrops: number
  overload: number
  lost: number
}

const task = JSON.parse(process.argv[2]!) as ReceiverTask
const off = { netflow_port: 'off', ipfix_port: 'off', sflow_port: 'off', vxlan_port: 'off', gre: 'off' }
const data = mkdtempSync(join(tmpdir(), 'ovsight-bench-'))
const { config } = loadConfig({
  flags: {
    ...off,
    data,
    ...(task.input === 'gre' ? { gre: 'on' } : { [`${task.input}_port`]: '0' }),
    bind: '127.0.0.1',
    flush_after: '200ms',
    receive_buffer: `${task.bufferBytes}B`,
    exporter_alias: task.aliases,
    workers: String(task.workers),
  },
})
const log = createLog({ level: 'error', format: 'json' })
const snapshot = await model(task.identity)
let rows = 0
let packets = 0
const keep = (block: IntakeBlock) => {
  if (block.table === FLOWS) {
    rows += block.rows
    // Of flows only mirrors' have several; reading them costs.
    packets += task.input === 'gre' && block.bytes.length > 0 ? packetsOf(block) : 0
  }
  return Promise.resolve()
}
const running = await (task.workers > 1 ? inWorkers() : inThisThread())
console.log(JSON.stringify({ port: running.port }))
process.once('SIGTERM', () => void end())

async function inThisThread() {
  const listeners = await openListeners(config, log)
  const { port } = listeners.get(task.input)!
  const intake = new Intake(config, listeners, { snapshot: () => snapshot, keep, log })
  stopAt(task.rung, intake)
  intake.begin()
  return { port, readers: intake.readers, stop: () => intake.stop(5_000) }
}

async function inWorkers() {
  const listeners = await openSharedListeners(config, log, task.workers)
  const pool = new WorkerPool(config, listeners, task.workers, { keep, log })
  pool.begin(snapshot)
  return { port: listeners.get(task.input)!.port, readers: pool.readers, stop: () => pool.stop(5_000) }
}

async function end(): Promise<void> {
  await running.stop()
  rmSync(data, { recursive: true, force: true })
  const { readers } = running
  const counted: Counted = {
    datagrams: sum(readers, 'ovsight_receive_datagrams_total'),
    rows,
    packets,
    kernelDrops: sum(readers, 'ovsight_receive_kernel_drops_total'),
    overload: sum(readers, 'ovsight_datagrams_dropped_total'),
    lost: sum(readers, 'ovsight_exporter_lost_records_total'),
  }
  console.log(JSON.stringify(counted))
}

function sum(readers: Readers, name: MetricName): number {
  return [...(readers[name]?.() ?? [])].reduce((total, [value]) => total + value, 0)
}

/** Sum of a block's packets, read out of its bytes. */
function packetsOf({ bytes, rows: count }: IntakeBlock): number {
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const column = '\x07packets\x06UInt64'
  const at = block.indexOf(column) + column.length
  let total = 0
  for (let row = 0; row < count; row++) total += Number(block.readBigUInt64LE(at + row * 8))
  return total
}

async function model(identity: Load['identity']): Promise<IdentitySnapshot> {
  if (typeof identity !== 'string') return buildSnapshot(syntheticCloud(identity), 0)
  return buildSnapshot((await loadIdentityFile(identity, { askServers: false })).cloud, 0)
}
