import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { readdirSync } from 'node:fs'
import { once } from 'node:events'
import { after, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../../src/errors.ts'
import { openReceiver, slowReceiveReason } from '../../src/receive/open.ts'
import type { DatagramBatch, Receiver, ReceiverOptions } from '../../src/receive/receiver.ts'

const KINDS: readonly ('koffi' | 'dgram')[] = slowReceiveReason() === '' ? ['koffi', 'dgram'] : ['dgram']
const UDP: ReceiverOptions = { transport: 'udp', address: '127.0.0.1', port: 0, bufferBytes: 1 << 20 }

interface Taken {
  payload: Buffer
  source: string
  port: number
}

/** Copies what a batch holds, as a test may keep it. */
function takeFrom(batch: DatagramBatch, into: Taken[]): void {
  const source = new Uint8Array(batch.source.buffer)
  for (let i = 0; i < batch.count; i++)
    into.push({
      payload: Buffer.from(batch.bytes.slice(batch.start[i], batch.end[i])),
      source: Buffer.from(source.slice(i * 16, i * 16 + 16)).toString('hex'),
      port: batch.sourcePort[i]!,
    })
}

async function until(done: () => boolean, ms = 5000): Promise<void> {
  for (const end = Date.now() + ms; !done() && Date.now() < end;) await sleep(2)
}

async function sender(type: 'udp4' | 'udp6' = 'udp4') {
  const socket = createSocket(type)
  socket.bind(0)
  await once(socket, 'listening')
  return {
    port: socket.address().port,
    send: (payload: Uint8Array, port: number, address: string) =>
      new Promise<void>((resolve, reject) =>
        socket.send(payload, port, address, (error) => (error === null ? resolve() : reject(error))),
      ),
    close: () => socket.close(),
  }
}

for (const kind of KINDS) {
  describe(`a receiver by ${kind}`, () => {
    const open: Receiver[] = []
    async function receiver(options: Partial<ReceiverOptions> = {}): Promise<Receiver> {
      const made = await openReceiver({ ...UDP, ...options }, kind)
      open.push(made)
      return made
    }
    after(async () => {
      for (const one of open) await one.close()
    })

    it('hands over every datagram whole, in order, with its source', async () => {
      const to = await receiver()
      const from = await sender()
      const taken: Taken[] = []
      to.start((batch) => takeFrom(batch, taken))
      for (let i = 0; i < 1000; i++) await from.send(Buffer.alloc((i * 7) % 1400, i & 0xff), to.port, '127.0.0.1')
      await until(() => taken.length === 1000)
      assert.equal(taken.length, 1000)
      for (const [i, { payload, source, port }] of taken.entries()) {
        assert.deepEqual(payload, Buffer.alloc((i * 7) % 1400, i & 0xff))
        assert.equal(source, '00000000000000000000ffff7f000001')
        assert.equal(port, from.port)
      }
      const { datagrams, bytes, kernelDrops, truncated } = to.stats()
      const sent = taken.reduce((sum, { payload }) => sum + payload.length, 0)
      assert.deepEqual(
        { datagrams, bytes, kernelDrops, truncated },
        { datagrams: 1000, bytes: sent, kernelDrops: 0, truncated: 0 },
      )
      from.close()
    })

    it('wakes for a single datagram after a pause, again and again', async () => {
      const to = await receiver()
      const from = await sender()
      const taken: Taken[] = []
      to.start((batch) => takeFrom(batch, taken))
      for (let i = 0; i < 5; i++) {
        await sleep(30)
        await from.send(Buffer.from([i]), to.port, '127.0.0.1')
        await until(() => taken.length === i + 1, 1000)
        assert.deepEqual(
          taken.map(({ payload }) => payload[0]),
          Array.from({ length: i + 1 }, (_, n) => n),
        )
      }
      from.close()
    })

    it('holds no file descriptor after it is closed, nor more of them from pause to pause', async () => {
      const descriptors = () => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0)
      const from = await sender()
      const before = descriptors()
      const to = await receiver()
      let taken = 0
      to.start((batch) => void (taken += batch.count))
      let most = 0
      for (let i = 0; i < 30; i++) {
        await from.send(Buffer.from([i]), to.port, '127.0.0.1')
        await until(() => taken === i + 1, 1000)
        await sleep(6)
        most = Math.max(most, descriptors())
      }
      assert.ok(most <= before + 3, `${most - before} descriptors`)
      await to.close()
      await sleep(5)
      assert.equal(descriptors(), before)
      from.close()
    })

    it('hands over what came before it was started', async () => {
      const to = await receiver()
      const from = await sender()
      for (let i = 0; i < 10; i++) await from.send(Buffer.from([i]), to.port, '127.0.0.1')
      await sleep(20)
      const taken: Taken[] = []
      to.start((batch) => takeFrom(batch, taken))
      await until(() => taken.length === 10)
      assert.equal(taken.length, 10)
      from.close()
    })

    it('hands over what the kernel still holds when it is closed', async () => {
      const to = await receiver()
      const from = await sender()
      const taken: Taken[] = []
      to.start((batch) => takeFrom(batch, taken))
      await Promise.all(Array.from({ length: 300 }, () => from.send(Buffer.alloc(100), to.port, '127.0.0.1')))
      await to.close()
      assert.equal(taken.length, 300)
      await to.close()
      from.close()
    })

    it('takes the longest datagram there is, and the empty one', async () => {
      const to = await receiver()
      const from = await sender()
      const taken: Taken[] = []
      to.start((batch) => takeFrom(batch, taken))
      for (const length of [65507, 0, 9000]) await from.send(Buffer.alloc(length, 7), to.port, '127.0.0.1')
      await until(() => taken.length === 3)
      assert.deepEqual(
        taken.map(({ payload }) => payload.length),
        [65507, 0, 9000],
      )
      assert.ok(taken.every(({ payload }) => payload.every((byte) => byte === 7)))
      from.close()
    })

    it('cuts and counts a datagram longer than it may be', async () => {
      const to = await receiver({ maxDatagramBytes: 100 })
      const from = await sender()
      const taken: Taken[] = []
      to.start((batch) => takeFrom(batch, taken))
      for (const length of [99, 100, 101, 5000]) await from.send(Buffer.alloc(length), to.port, '127.0.0.1')
      await until(() => taken.length === 4)
      assert.deepEqual(
        taken.map(({ payload }) => payload.length),
        [99, 100, 100, 100],
      )
      assert.equal(to.stats().truncated, 2)
      assert.equal(to.stats().bytes, 399)
      from.close()
    })

    it('counts what the kernel dropped for want of buffer: received + dropped = sent', async () => {
      const to = await receiver({ bufferBytes: 4096 })
      const from = await sender()
      const taken: Taken[] = []
      // Not started yet (koffi) and the loop kept busy (dgram), so nobody empties the buffer while these are sent.
      const sent = 200
      if (kind === 'koffi') for (let i = 0; i < sent; i++) await from.send(Buffer.alloc(1000), to.port, '127.0.0.1')
      else await sendWhileBusy(to.port, sent)
      to.start((batch) => takeFrom(batch, taken))
      await until(() => taken.length + to.stats().kernelDrops === sent, 2000)
      assert.ok(to.stats().kernelDrops > 0)
      assert.equal(taken.length + to.stats().kernelDrops, sent)
      from.close()
    })

    it('says what the kernel granted, and how to get more', async () => {
      const enough = await receiver({ bufferBytes: 65_536 })
      assert.equal(enough.stats().bufferBytes, 131_072)
      assert.equal(enough.stats().bufferBytesAsked, 65_536)
      assert.equal(enough.advice, '')
      // No kernel grants this without CAP_NET_ADMIN; with it the dgram way still has no SO_RCVBUFFORCE.
      const greedy = await receiver({ bufferBytes: 500_000_000 })
      if (greedy.stats().bufferBytes < 1_000_000_000)
        assert.match(greedy.advice, /sysctl -w net\.core\.rmem_max=500000000/)
      else assert.equal(greedy.advice, '')
    })

    it('takes IPv6, and IPv4 on the same socket', async () => {
      const to = await receiver({ address: '::' })
      const six = await sender('udp6')
      const four = await sender()
      const taken: Taken[] = []
      to.start((batch) => takeFrom(batch, taken))
      await six.send(Buffer.from('six'), to.port, '::1')
      await until(() => taken.length === 1)
      await four.send(Buffer.from('four'), to.port, '127.0.0.1')
      await until(() => taken.length === 2)
      assert.deepEqual(
        taken.map(({ payload, source, port }) => [payload.toString(), source, port]),
        [
          ['six', '00000000000000000000000000000001', six.port],
          ['four', '00000000000000000000ffff7f000001', four.port],
        ],
      )
      six.close()
      four.close()
    })

    it('says which port is taken and by whom', async () => {
      const first = await receiver()
      await assert.rejects(openReceiver({ ...UDP, port: first.port }, kind), (error) => {
        assert.ok(error instanceof AppError)
        assert.equal(error.code, 'port_in_use')
        assert.match(error.message, new RegExp(`^UDP port ${first.port} on 127.0.0.1 is taken by `))
        if (process.platform === 'linux') assert.match(error.message, new RegExp(`\\(pid ${process.pid}\\)`))
        return true
      })
    })

    it('says which address is not of this machine', async () => {
      await assert.rejects(openReceiver({ ...UDP, address: '192.0.2.1' }, kind), (error) => {
        assert.ok(error instanceof AppError)
        assert.equal(error.code, 'socket_refused')
        assert.match(error.message, /^cannot listen on UDP 192\.0\.2\.1:0: the address is not one of this machine/)
        return true
      })
    })

    it('costs nothing while idle', async () => {
      const to = await receiver()
      to.start(() => {})
      await sleep(50)
      const before = process.cpuUsage()
      await sleep(1000)
      const { user, system } = process.cpuUsage(before)
      // The test runner itself takes its share; a spinning receiver would take a second.
      assert.ok(user + system < 100_000, `${(user + system) / 1000} ms of CPU in an idle second`)
    })
  })
}

/** Sends from another process while this one does not turn its event loop. */
async function sendWhileBusy(port: number, count: number): Promise<void> {
  const { spawnSync } = await import('node:child_process')
  const code = `const s=require('node:dgram').createSocket('udp4');let n=0;const b=Buffer.alloc(1000);
    const next=()=>n++<${count}?s.send(b,${port},'127.0.0.1',next):s.close();next()`
  assert.equal(spawnSync(process.execPath, ['-e', code]).status, 0)
}
