import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { after, describe, it } from 'node:test'
import { Worker } from 'node:worker_threads'
import { AppError } from '../../src/errors.ts'
import { openReceiver, slowReceiveReason } from '../../src/receive/open.ts'
import type { ReceiverOptions, ReceiverStats } from '../../src/receive/receiver.ts'
import { adoptReceiver, openSharedSockets } from '../../src/receive/shared.ts'

const UDP: ReceiverOptions = { transport: 'udp', address: '127.0.0.1', port: 0, bufferBytes: 1 << 20 }
const skip = slowReceiveReason()

describe('one port, several sockets', { skip: skip !== '' && skip }, () => {
  const running: Worker[] = []
  after(() => Promise.all(running.map((worker) => worker.terminate())))

  it('deals exporters to the workers and loses none of their datagrams', async () => {
    const first = await openReceiver({ ...UDP, sharePort: 'first' })
    let own = 0
    first.start((batch) => void (own += batch.count))
    const options: ReceiverOptions = { ...UDP, port: first.port, sharePort: 'join' }
    const workers = [0, 1].map(() => new Worker(new URL('worker.js', import.meta.url), { workerData: options }))
    running.push(...workers)
    const told = await Promise.all(workers.map((worker) => once(worker, 'message')))
    assert.deepEqual(told, [[{ port: first.port }], [{ port: first.port }]])

    const SENDERS = 60
    const EACH = 10
    for (let i = 0; i < SENDERS; i++) {
      const socket = createSocket('udp4')
      for (let n = 0; n < EACH; n++)
        await new Promise((resolve) => socket.send(Buffer.alloc(100), first.port, '127.0.0.1', resolve))
      socket.close()
    }
    let total = 0
    for (const worker of workers) {
      // Both may come in one turn of the event loop, so the end is waited for before it is asked for.
      const exited = once(worker, 'exit')
      worker.postMessage('stop')
      const [stats] = (await once(worker, 'message')) as [ReceiverStats]
      assert.ok(stats.datagrams > 0, 'the kernel deals to this worker')
      assert.equal(stats.datagrams % EACH, 0, 'all datagrams of an exporter go to one worker')
      assert.equal(stats.bytes, stats.datagrams * 100)
      total += stats.datagrams
      await exited
    }
    await first.close()
    assert.equal(total + own, SENDERS * EACH)
  })

  it('what the kernel dropped is told once, by whichever thread has the socket', async () => {
    const shared = openSharedSockets({ ...UDP, bufferBytes: 4096 }, 1)
    const [own] = shared.sockets
    const overflow = async () => {
      const socket = createSocket('udp4')
      for (let n = 0; n < 100; n++)
        await new Promise((resolve) => socket.send(Buffer.alloc(1000), shared.port, '127.0.0.1', resolve))
      socket.close()
    }
    await overflow()
    const first = adoptReceiver(own!).stats().kernelDrops
    assert.ok(first > 50 && first < 100, `${first} dropped`)
    own!.toldDrops += first
    // The one before has failed; what is dropped until there is another is the other's to tell.
    await overflow()
    assert.equal(adoptReceiver(own!).stats().kernelDrops, 100)
    shared.close()
  })

  it('does not share with somebody who is there already', async () => {
    const other = await openReceiver({ ...UDP, sharePort: 'first' })
    await assert.rejects(
      openReceiver({ ...UDP, port: other.port, sharePort: 'first' }),
      (error) => error instanceof AppError && error.code === 'port_in_use',
    )
    await other.close()
  })
})
