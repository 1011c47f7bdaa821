/** Worker threads: what is sent is handed over whole, told in one sum, and outlives a worker that fails. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/options.ts'
import { EMPTY_SNAPSHOT } from '../../src/identity/snapshot/build.ts'
import type { Input } from '../../src/pipeline/demultiplex.ts'
import { openSharedListeners, workersOf } from '../../src/pipeline/listeners.ts'
import { WorkerPool } from '../../src/pipeline/workers/pool.ts'
import { slowReceiveReason } from '../../src/receive/open.ts'
import { FLOWS } from '../../src/schema/ddl.ts'
import type { IntakeBlock } from '../../src/pipeline/intake.ts'
import { createLog } from '../../src/telemetry/log.ts'
import type { MetricName, Sample } from '../../src/telemetry/metrics.ts'
import { Lab, NETFLOW } from '../attribute/lab.ts'
import { send as sendCapture } from '../e2e/exports.ts'

const skip = slowReceiveReason()
const RECORDS = 30

function configured(flags: Partial<Record<keyof Config, unknown>> = {}): Config {
  const local = { bind: '127.0.0.1', netflow_port: '0', ipfix_port: 'off', sflow_port: 'off', vxlan_port: 'off' }
  return loadConfig({
    flags: { ...local, gre: 'off', receive_buffer: '1MiB', flush_after: '50ms', workers: '2', ...flags },
  }).config
}

/** A pool of two on a free port; blocks are kept, their rows counted while their memory is still theirs. */
async function running(config = configured(), input: Input = 'netflow') {
  const lines: string[] = []
  const log = createLog({ level: 'info', format: 'json', to: { write: (line: string) => lines.push(line) } })
  const listeners = await openSharedListeners(config, log, 2)
  const kept = { rows: 0, blocks: [] as IntakeBlock[] }
  const pool = new WorkerPool(config, listeners, 2, {
    keep: (block) => {
      if (block.table === FLOWS) kept.rows += block.rows
      if (block.table === FLOWS) kept.blocks.push({ ...block, bytes: block.bytes.slice() })
      return Promise.resolve()
    },
    log,
  })
  return { pool, kept, lines, port: listeners.get(input)!.port }
}

/** Full NetFlow v5 datagrams from one address, in sequence. */
async function send(from: string, port: number, count: number, sequence = 0, to = '127.0.0.1'): Promise<void> {
  const socket = createSocket('udp4')
  await new Promise<void>((done) => socket.bind({ address: from }, done))
  for (let i = 0; i < count; i++) {
    const bytes = Buffer.alloc(24 + RECORDS * 48)
    bytes.set([0, 5, 0, RECORDS])
    bytes.writeUInt32BE(Math.floor(Date.now() / 1000), 8)
    bytes.writeUInt32BE((sequence + i) * RECORDS, 16)
    for (let r = 0; r < RECORDS; r++) bytes.writeUInt32BE(1 + r, 24 + r * 48 + 20)
    await new Promise((done) => socket.send(bytes, port, to, done))
  }
  socket.close()
}

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 1_000 && !holds(); i++) await sleep(20)
  assert.ok(holds())
}

function sum(pool: WorkerPool, name: MetricName, ...labels: string[]): number {
  const samples: Sample[] = [...(pool.readers[name]?.() ?? [])]
  return samples
    .filter(([, ...own]) => labels.every((label, i) => own[i] === label))
    .reduce((total, [value]) => total + value, 0)
}

describe('workers', { skip: skip !== '' && skip }, () => {
  it('hand over every record, and count it once in all metrics together', async () => {
    const { pool, kept, port } = await running()
    pool.begin(EMPTY_SNAPSHOT)
    const senders = Array.from({ length: 8 }, (_, i) => `127.0.4.${i + 1}`)
    for (const from of senders) await send(from, port, 10)
    await until(() => kept.rows === 8 * 10 * RECORDS)
    for (const { sums } of kept.blocks) assert.ok(sums !== undefined && sums.rows > 0 && sums.bytes.length > 0)
    await pool.read()
    assert.equal(sum(pool, 'ovsight_rows_total', 'netflow5'), kept.rows)
    assert.equal(sum(pool, 'ovsight_receive_datagrams_total', 'netflow'), 80)
    assert.equal(sum(pool, 'ovsight_exporters'), 8)
    for (const from of senders) assert.equal(sum(pool, 'ovsight_exporter_datagrams_total', from), 10)
    await pool.stop(20_000)
    assert.equal(kept.rows, 8 * 10 * RECORDS)
  })

  it('each keep the limit of the exporters that they have, and count what is left out', async () => {
    const { pool, kept, port } = await running(configured({ exporter_limit: '40' }))
    pool.begin(EMPTY_SNAPSHOT)
    const senders = Array.from({ length: 4 }, (_, i) => `127.0.8.${i + 1}`)
    for (const from of senders) await send(from, port, 20)
    let left = 0
    await until(() => {
      void pool.read()
      left = sum(pool, 'ovsight_exporter_limited_records_total')
      return kept.rows + left === 4 * 20 * RECORDS
    })
    for (const from of senders) assert.ok(sum(pool, 'ovsight_exporter_limited_records_total', from) > 200, from)
    assert.ok(kept.blocks.every(({ columns }) => columns.includes('kept_one_in')))
    assert.equal(sum(pool, 'ovsight_rows_total', 'netflow5'), 4 * 20 * RECORDS)
    await pool.stop(20_000)
  })

  it('hand over what they hold when they are told to stop', async () => {
    const { pool, kept, port } = await running(configured({ flush_after: '60s' }))
    pool.begin(EMPTY_SNAPSHOT)
    for (let i = 1; i <= 4; i++) await send(`127.0.5.${i}`, port, 5)
    while (sum(pool, 'ovsight_receive_datagrams_total', 'netflow') < 4 * 5) {
      await sleep(20)
      await pool.read()
    }
    assert.equal(kept.rows, 0)
    await pool.stop(20_000)
    assert.equal(kept.rows, 4 * 5 * RECORDS)
    assert.equal(sum(pool, 'ovsight_rows_total', 'netflow5'), kept.rows)
  })

  it('attribute by the model of the moment', async () => {
    const { pool, kept, port } = await running(configured({ exporter_alias: '127.0.6.1=10.0.0.10' }))
    pool.begin(EMPTY_SNAPSHOT)
    await send('127.0.6.1', port, 1)
    await until(() => kept.rows === RECORDS)
    assert.ok(!kept.blocks.at(-1)!.columns.includes('exporter_host'))
    pool.publish(new Lab({ netflow: NETFLOW }).snapshot())
    await send('127.0.6.1', port, 1, 1)
    await until(() => kept.rows === 2 * RECORDS)
    assert.ok(kept.blocks.at(-1)!.columns.includes('exporter_host'))
    await pool.stop(20_000)
  })

  it('share the names that counter samples told one of them, and forget those of one that fails', async () => {
    const config = configured({ netflow_port: 'off', sflow_port: '0' })
    const { pool, port } = await running(config, 'sflow')
    pool.begin(EMPTY_SNAPSHOT)
    await sendCapture('sflow5', port)
    const known = () => [...pool.names.heard()].map(([{ told }]) => told?.name)
    await until(() => known().includes('tap425fe781-d3'))
    const { changes } = pool.names
    await pool.fail()
    await until(() => known().length === 0)
    await sendCapture('sflow5', port)
    await until(() => known().includes('tap425fe781-d3'))
    assert.ok(pool.names.changes > changes)
    await pool.stop(20_000)
  })

  it('one that fails is replaced on its sockets, which lose nothing meanwhile; its counters stay', async () => {
    // Where it may, it also waits for mirrored frames that never come: at an address of its own, since GRE has no ports.
    const bind = '127.0.7.7'
    const { pool, kept, port, lines } = await running(configured({ bind, gre: process.getuid?.() === 0 ? 'on' : 'off' })) // prettier-ignore
    pool.begin(EMPTY_SNAPSHOT)
    const senders = Array.from({ length: 6 }, (_, i) => `127.0.7.${i + 1}`)
    for (const from of senders) await send(from, port, 5, 0, bind)
    await until(() => kept.rows === 6 * 5 * RECORDS)
    await pool.read()
    // Both at once, from outside: what a bug of theirs would do.
    await pool.fail()
    for (const from of senders) await send(from, port, 5, 5, bind)
    await until(() => kept.rows === 6 * 10 * RECORDS)
    await pool.read()
    assert.equal(pool.restarts, 2)
    assert.equal(sum(pool, 'ovsight_worker_restarts_total'), 2)
    assert.equal(sum(pool, 'ovsight_rows_total', 'netflow5'), kept.rows)
    assert.equal(sum(pool, 'ovsight_exporters'), 6)
    assert.equal(lines.filter((line) => line.includes('a worker failed')).length, 2)
    await pool.stop(20_000)
  })

  it('one that no longer turns is named and replaced; with watchdog_action report it is only named', async () => {
    const { pool, kept, port, lines } = await running(configured({ watchdog: '2s' }))
    pool.begin(EMPTY_SNAPSHOT)
    await send('127.0.9.1', port, 2)
    await until(() => kept.rows === 2 * RECORDS)
    pool.stall(3_600_000)
    await until(() => pool.restarts === 2)
    assert.equal(sum(pool, 'ovsight_worker_stuck_total'), 2)
    assert.equal(lines.filter((line) => /worker [01] is stuck/.test(line)).length, 2)
    await send('127.0.9.1', port, 3, 2)
    await until(() => kept.rows === 5 * RECORDS)
    assert.deepEqual(pool.stuck, [])
    await pool.stop(20_000)
    const other = await running(configured({ watchdog: '2s', watchdog_action: 'report' }))
    other.pool.begin(EMPTY_SNAPSHOT)
    await send('127.0.9.1', other.port, 1)
    await until(() => other.kept.rows === RECORDS)
    other.pool.stall(4_500)
    await until(() => other.pool.stuck.length === 2)
    await until(() => other.pool.stuck.length === 0)
    assert.equal(other.pool.restarts, 0)
    await other.pool.stop(20_000)
  })

  it('as many as the cores but one, unless told; one where datagrams come one by one', () => {
    assert.equal(workersOf(configured({ workers: '0' }), 1), 1)
    assert.equal(workersOf(configured({ workers: '0' }), 2), 1)
    assert.equal(workersOf(configured({ workers: '0' }), 4), 3)
    assert.equal(workersOf(configured({ workers: '0' }), 64), 8)
    assert.equal(workersOf(configured({ workers: '12' }), 2), 12)
    assert.equal(workersOf(configured({ workers: '4', receiver: 'dgram' }), 8), 1)
  })
})
