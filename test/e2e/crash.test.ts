/** What fails inside a collector is contained: its engine's process killed, a worker stuck; all is stored once, and said. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { NO_ENGINE, answer, collector, temporary } from './cli.ts'
import { STORED, metric, until } from './exports.ts'

const RECORDS = 30

async function send(port: number, count: number, sequence: number): Promise<void> {
  const socket = createSocket('udp4')
  const bytes = Buffer.alloc(24 + RECORDS * 48)
  bytes.set([0, 5, 0, RECORDS])
  for (let i = 0; i < count; i++) {
    bytes.writeUInt32BE(Math.floor(Date.now() / 1000), 8)
    bytes.writeUInt32BE((sequence + i) * RECORDS, 16)
    await new Promise((done) => socket.send(bytes, port, '127.0.0.1', done))
    if (i % 16 === 15) await sleep(5)
  }
  socket.close()
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  )
}

describe('a collector whose engine is killed', { skip: NO_ENGINE }, () => {
  it('goes on receiving, starts it again, counts that, and stores every record once', async () => {
    const data = join(temporary(), 'data')
    const running = await collector(['--data', data, '--flush-after', '100ms'])
    const { pid } = (await (await fetch(`${running.url}/healthz`)).json()) as { pid: number }
    const ready = async () => (await fetch(`${running.url}/readyz`)).status
    assert.deepEqual([await ready(), (await fetch(`${running.url}/livez`)).status], [200, 200])
    let sent = 0
    for (let kill = 1; kill <= 2; kill++) {
      await send(running.port('NetFlow'), 20, sent)
      sent += 20
      for (const child of childrenOf(pid)) process.kill(child, 'SIGKILL')
      await send(running.port('NetFlow'), 20, sent)
      sent += 20
      await until('a restart', async () => (await metric(running.url, 'ovsight_engine_restarts_total')) >= kill)
      await until('insertion', async () => (await metric(running.url, STORED)) >= sent * RECORDS)
    }
    const { code, stderr } = await running.stop()
    assert.equal(code, 0, stderr)
    const [all] = await answer<{ records: number }>(['top', 'export_protocol', '--count', 'all', '--data', data])
    assert.equal(all?.records, sent * RECORDS)
  })
})

describe('a collector that cannot stop in time', { skip: NO_ENGINE }, () => {
  it('ends all the same, with code 1, and what was safe is stored at the next start', async () => {
    const data = join(temporary(), 'data')
    const running = await collector(['--data', data, '--stop-timeout', '2s', '--flush-after', '100ms'])
    const { pid } = (await (await fetch(`${running.url}/healthz`)).json()) as { pid: number }
    const engines = childrenOf(pid)
    // An engine that does not answer, nor end.
    for (const engine of engines) process.kill(engine, 'SIGSTOP')
    await send(running.port('NetFlow'), 10, 0)
    await until('the spool', async () => (await metric(running.url, 'ovsight_spool_blocks')) > 0)
    const began = Date.now()
    const { code, stderr } = await running.stop()
    for (const engine of engines) process.kill(engine, 'SIGKILL')
    assert.equal(code, 1, stderr)
    assert.ok(Date.now() - began < 8_000)
    assert.match(stderr, /stop_timeout/)
    const again = await collector(['--data', data])
    await until('insertion', async () => (await metric(again.url, STORED)) >= 10 * RECORDS)
    assert.equal((await again.stop()).code, 0)
  })
})
