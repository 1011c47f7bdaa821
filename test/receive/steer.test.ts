/** Datagrams of one source address come to one socket, whatever their port; which one is known beforehand. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'node:test'
import { slowReceiveReason } from '../../src/receive/open.ts'
import { adoptReceiver, openSharedSockets } from '../../src/receive/shared.ts'
import { placeOf } from '../../src/receive/steer.ts'

const skip = slowReceiveReason()
const SOCKETS = 3
const EACH = 4

async function send(type: 'udp4' | 'udp6', from: string, to: string, port: number): Promise<void> {
  // Another port each time, as when Open vSwitch opens its socket anew.
  for (let i = 0; i < EACH; i++) {
    const socket = createSocket(type)
    await new Promise<void>((done) => socket.bind({ address: from }, done))
    await new Promise((done) => socket.send(Buffer.from(from), port, to, done))
    socket.close()
  }
}

/** Sends from each address and tells, by socket, what came: the source's lanes and the payload. */
async function dealt(address: string, senders: readonly (readonly ['udp4' | 'udp6', string, string])[]) {
  const shared = openSharedSockets({ transport: 'udp', address, port: 0, bufferBytes: 1 << 18 }, SOCKETS)
  const got: { place: number; lanes: Uint32Array; text: string }[] = []
  const receivers = shared.sockets.map((socket, place) => {
    const receiver = adoptReceiver(socket)
    receiver.start((batch) => {
      for (let i = 0; i < batch.count; i++)
        got.push({
          place,
          lanes: batch.source.slice(i * 4, i * 4 + 4),
          text: Buffer.from(batch.bytes.subarray(batch.start[i], batch.end[i])).toString(),
        })
    })
    return receiver
  })
  try {
    for (const [type, from, to] of senders) await send(type, from, to, shared.port)
    for (let waited = 0; got.length < senders.length * EACH && waited < 2_000; waited += 20) await sleep(20)
  } finally {
    await Promise.all(receivers.map((receiver) => receiver.close()))
    shared.close()
  }
  assert.equal(got.length, senders.length * EACH)
  return got
}

describe('steering by source address', { skip: skip !== '' && skip }, () => {
  it('IPv4: an exporter keeps its socket when its port changes, and exporters are spread', async () => {
    const senders = Array.from({ length: 24 }, (_, i) => ['udp4', `127.0.1.${i + 1}`, '127.0.0.1'] as const)
    const got = await dealt('0.0.0.0', senders)
    for (const { place, lanes, text } of got) assert.equal(place, placeOf(lanes, SOCKETS), text)
    assert.equal(new Set(got.map(({ place }) => place)).size, SOCKETS)
  })

  it('a socket of IPv6 steers both: IPv6 by all of its address, IPv4 as a socket of IPv4 does', async () => {
    const ipv4 = Array.from({ length: 12 }, (_, i) => ['udp4', `127.0.2.${i + 1}`, '127.0.0.1'] as const)
    const got = await dealt('::', [['udp6', '::1', '::1'], ...ipv4])
    assert.ok(got.some(({ text }) => text === '::1'))
    for (const { place, lanes, text } of got) assert.equal(place, placeOf(lanes, SOCKETS), text)
  })

  it('one receiver closed: the sockets of the others keep their exporters', async () => {
    const shared = openSharedSockets({ transport: 'udp', address: '127.0.0.1', port: 0, bufferBytes: 1 << 18 }, 2)
    const first = adoptReceiver(shared.sockets[0]!)
    first.start(() => {})
    await first.close()
    let lost = 0
    const again = adoptReceiver(shared.sockets[0]!)
    const other = adoptReceiver(shared.sockets[1]!)
    const counts = [0, 0]
    again.start((batch) => void (counts[0]! += batch.count))
    other.start((batch) => void (counts[1]! += batch.count))
    for (let i = 1; i <= 6; i++) await send('udp4', `127.0.3.${i}`, '127.0.0.1', shared.port)
    await sleep(100)
    await Promise.all([again.close(), other.close()])
    lost = 6 * EACH - counts[0]! - counts[1]!
    shared.close()
    assert.equal(lost, 0)
    assert.ok(
      counts.every((count) => count > 0 && count % EACH === 0),
      String(counts),
    )
  })
})
