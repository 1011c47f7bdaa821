/** Those who may not send stay in the kernel, are counted, and some of them seen; those who may lose nothing. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'node:test'
import { parseCidr } from '../../src/identity/addresses.ts'
import { Gate } from '../../src/receive/gate.ts'
import { loadLibc, type Libc } from '../../src/receive/libc.ts'
import { openReceiver, slowReceiveReason } from '../../src/receive/open.ts'
import { adoptReceiver, openSharedSockets } from '../../src/receive/shared.ts'
import { AF_INET, AF_INET6 } from '../../src/receive/sockaddr.ts'
import { placeOf, steeringProgram } from '../../src/receive/steer.ts'
import { lanesOf } from '../pipeline/parts.ts'

const skip = slowReceiveReason()
const networks = (...texts: string[]) => texts.map((text) => parseCidr(text)!)

async function send(from: string, to: string, port: number, count: number): Promise<void> {
  const socket = createSocket(to.includes(':') ? 'udp6' : 'udp4')
  await new Promise<void>((done) => socket.bind({ address: from }, done))
  for (let i = 0; i < count; i++) await new Promise((done) => socket.send(Buffer.from(from), port, to, done))
  socket.close()
}

/** What a classic BPF program answers for a source; the packet has no more than its IP header. */
function run(program: ReturnType<typeof steeringProgram>, packet: DataView): number {
  let a = 0
  let x = 0
  for (let pc = 0; ; pc++) {
    const [code, jt, jf, k] = program[pc]!
    const at = k + 0x100000
    if (code === 0x20) a = packet.getUint32(at)
    else if (code === 0x30) a = packet.getUint8(at)
    else if (code === 0x07) x = a
    else if (code === 0xac) a = (a ^ x) >>> 0
    else if (code === 0x74) a >>>= k
    else if (code === 0x24) a = Math.imul(a, k) >>> 0
    else if (code === 0x94) a %= k
    else if (code === 0x54) a = (a & k) >>> 0
    else if (code === 0x05) pc += k
    else if (code === 0x15) pc += a === k >>> 0 ? jt : jf
    else if (code === 0x06) return k
    else if (code === 0x16) return a
    else throw new Error(`instruction ${code}`)
  }
}

function packetFrom(source: string): DataView {
  const lanes = lanesOf(source)
  const packet = new DataView(new ArrayBuffer(40))
  const ipv4 = !source.includes(':')
  packet.setUint8(0, ipv4 ? 0x45 : 0x60)
  for (let i = ipv4 ? 3 : 0; i < 4; i++) packet.setUint32(ipv4 ? 12 : 8 + i * 4, lanes[i]!, true)
  return packet
}

describe('the program of a gate', () => {
  const allowed = networks('10.1.0.0/16', '192.168.7.1', '2001:db8::/33', 'fd00::7', '::ffff:172.16.0.0/108')
  const IN = ['10.1.0.0', '10.1.255.255', '192.168.7.1', '172.16.9.9', '2001:db8:7fff::1', 'fd00::7']
  const OUT = ['10.2.0.0', '10.0.255.255', '192.168.7.2', '172.32.0.1', '2001:db8:8000::', 'fd00::8', '::1', '0.0.0.0']

  it('steers who may send as without it, and answers the place behind for others', () => {
    for (const family of [AF_INET, AF_INET6])
      for (const sockets of [1, 3]) {
        const program = steeringProgram(family, sockets, allowed)
        const own = (source: string) => family === AF_INET6 || !source.includes(':')
        for (const source of IN.filter(own))
          assert.equal(run(program, packetFrom(source)), placeOf(lanesOf(source), sockets), source)
        for (const source of OUT.filter(own)) assert.equal(run(program, packetFrom(source)), sockets, source)
      }
  })

  it('lets everybody pass where everybody is allowed, and nobody where a network of the other version is all there is', () => {
    assert.equal(run(steeringProgram(AF_INET, 1, networks('0.0.0.0/0')), packetFrom('9.9.9.9')), 0)
    assert.equal(run(steeringProgram(AF_INET6, 1, networks('::/0')), packetFrom('9.9.9.9')), 0)
    assert.equal(run(steeringProgram(AF_INET, 1, networks('fd00::/8')), packetFrom('9.9.9.9')), 1)
  })
})

describe('a gate', { skip: skip !== '' && skip }, () => {
  const options = { transport: 'udp', address: '127.0.0.1', port: 0, bufferBytes: 1 << 18 } as const

  it('keeps others from the receiver: each is counted, some are seen, and the allowed come through', async () => {
    const receiver = await openReceiver(options)
    const gate = Gate.open(loadLibc() as Libc, { ...options, port: receiver.port }, 1)!
    const got = { receiver: 0, gate: 0, dropped: 0 }
    receiver.start((batch) => void (got.receiver += batch.count))
    gate.start({
      onBatch: (batch) => void (got.gate += batch.count),
      onDropped: (datagrams) => void (got.dropped += datagrams),
    })
    await send('127.0.5.1', '127.0.0.1', receiver.port, 10)
    assert.equal(gate.allow(networks('127.0.5.0/24')), true)
    await send('127.0.6.1', '127.0.0.1', receiver.port, 3000)
    await send('127.0.5.1', '127.0.0.1', receiver.port, 10)
    gate.allow(networks('127.0.6.0/24'))
    await send('127.0.6.1', '127.0.0.1', receiver.port, 10)
    await sleep(50)
    gate.close()
    await receiver.close()
    assert.equal(got.receiver, 30)
    assert.equal(receiver.stats().kernelDrops, 0)
    assert.equal(got.gate + got.dropped, 3000)
    assert.ok(got.gate > 20 && got.dropped > 1000, JSON.stringify(got))
    assert.equal(gate.received, 3000)
  })

  it('stands before several sockets too, and too many networks leave it as it was', async () => {
    const shared = openSharedSockets(options, 2)
    const gate = Gate.open(loadLibc() as Libc, { ...options, port: shared.port }, 2)!
    const counts = [0, 0]
    const receivers = shared.sockets.map((socket, place) => {
      const receiver = adoptReceiver(socket)
      receiver.start((batch) => void (counts[place]! += batch.count))
      return receiver
    })
    gate.allow(networks('127.0.7.0/24'))
    assert.equal(gate.allow(Array.from({ length: 1000 }, () => parseCidr('127.0.0.0/8')!)), false)
    for (let i = 1; i <= 8; i++) await send(`127.0.7.${i}`, '127.0.0.1', shared.port, 2)
    await send('127.0.8.1', '127.0.0.1', shared.port, 5)
    await sleep(50)
    let seen = 0
    gate.start({ onBatch: (batch) => void (seen += batch.count), onDropped: () => {} })
    gate.close()
    await Promise.all(receivers.map((receiver) => receiver.close()))
    shared.close()
    assert.deepEqual([counts[0]! + counts[1]!, seen], [16, 5])
    assert.ok(counts[0]! > 0 && counts[1]! > 0)
  })
})
