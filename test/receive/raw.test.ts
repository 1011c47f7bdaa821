import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type * as Koffi from 'koffi'
import { AppError } from '../../src/errors.ts'
import { openReceiver, slowReceiveReason } from '../../src/receive/open.ts'
import type { Receiver, ReceiverOptions } from '../../src/receive/receiver.ts'

const GRE: ReceiverOptions = { transport: 'gre', address: '127.0.0.1', port: 0, bufferBytes: 1 << 20 }

/** Why GRE cannot be received this way here, or a receiver. Sending it takes koffi. */
async function tryGre(kind: 'koffi' | 'dgram'): Promise<Receiver | string> {
  if (slowReceiveReason() !== '') return slowReceiveReason()
  try {
    return await openReceiver(GRE, kind)
  } catch (error) {
    if (error instanceof AppError && error.code === 'socket_refused') return error.message
    throw error
  }
}

/** Sends GRE packets to 127.0.0.1; the kernel puts the IPv4 header before them. */
function sendGre(payloads: Uint8Array[]): void {
  const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
  const libc = koffi.load(null)
  const socket = libc.func('int socket(int, int, int)') as unknown as (...args: number[]) => number
  const sendto = libc.func('int64_t sendto(int, void *, uint64_t, int, void *, uint32_t)') as unknown as (
    ...args: unknown[]
  ) => number
  const close = libc.func('int close(int)') as unknown as (fd: number) => number
  const fd = socket(2, 3, 47)
  const to = Uint8Array.of(2, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
  for (const payload of payloads) assert.equal(sendto(fd, payload, payload.length, 0, to, 16), payload.length)
  close(fd)
}

const WAYS = { koffi: 'a raw socket', dgram: 'tcpdump' } as const

for (const [kind, way] of Object.entries(WAYS) as ['koffi' | 'dgram', string][]) {
  it(`GRE through ${way}: packets from the outer IPv4 header on, after a pause too; closes while it waits`, async (test) => {
    const to = await tryGre(kind)
    if (typeof to === 'string') return test.skip(to)
    const taken: Buffer[] = []
    const sources: number[] = []
    to.start((batch) => {
      for (let i = 0; i < batch.count; i++) {
        taken.push(Buffer.from(batch.bytes.slice(batch.start[i], batch.end[i])))
        sources.push(batch.source[i * 4 + 3]!, batch.sourcePort[i]!)
      }
    })
    const payloads = [4, 100, 1500, 9000].map((length) => Buffer.alloc(length, length & 0xff))
    for (let round = 0; round < 3; round++) {
      await sleep(30)
      sendGre(payloads)
      for (let i = 0; i < 500 && taken.length < 4 * (round + 1); i++) await sleep(2)
    }
    assert.deepEqual(
      taken.map((packet) => packet.subarray(20)),
      [...payloads, ...payloads, ...payloads],
    )
    assert.ok(taken.every((packet) => packet[0] === 0x45 && packet[9] === 47))
    assert.deepEqual(new Set(sources), new Set([0x0100007f, 0]))
    assert.equal(to.stats().kernelDrops, 0)
    await sleep(20)
    await to.close()
    assert.deepEqual([to.stats().datagrams, to.stats().truncated, to.transport], [12, 0, 'gre'])
  })
}

describe('GRE', () => {
  it('is refused over IPv6', async (test) => {
    if (slowReceiveReason() !== '') return test.skip(slowReceiveReason())
    for (const kind of ['koffi', 'dgram'] as const)
      await assert.rejects(openReceiver({ ...GRE, address: '::1' }, kind), /GRE is received over IPv4/)
  })

  it('without koffi and tcpdump says that one of them is needed', async () => {
    const path = process.env['PATH']
    process.env['PATH'] = '/nowhere'
    await assert.rejects(openReceiver(GRE, 'dgram'), (error) => {
      assert.ok(error instanceof AppError)
      assert.equal(error.code, 'socket_refused')
      assert.match(error.message, /needs the npm package koffi on Linux, or tcpdump, which cannot be run \(ENOENT\)/)
      return true
    })
    process.env['PATH'] = path
  })

  it('without the capability says what to do, and everything else still opens', (test) => {
    if (slowReceiveReason() !== '') return test.skip(slowReceiveReason())
    const open = new URL('../../src/receive/open.js', import.meta.url).href
    const code = `
      import { openReceiver } from ${JSON.stringify(open)}
      const options = { address: '127.0.0.1', port: 0, bufferBytes: 500_000_000 }
      const udp = await openReceiver({ transport: 'udp', ...options })
      const gre = await openReceiver({ transport: 'gre', ...options }).catch((error) => error)
      const dump = await openReceiver({ transport: 'gre', ...options }, 'dgram').catch((error) => error)
      console.log(JSON.stringify({ code: gre.code, message: gre.message, dump: dump.message, advice: udp.advice, bytes: udp.stats().bufferBytes }))
      await udp.close()`
    const node = [process.execPath, '--input-type=module', '-e', code]
    const drop = ['setpriv', '--bounding-set=-net_raw,-net_admin', '--inh-caps=-net_raw,-net_admin']
    const command = process.getuid?.() === 0 ? [...drop, ...node] : node
    const { stdout, error } = spawnSync(command[0]!, command.slice(1), { encoding: 'utf8' })
    if (error !== undefined) return test.skip(`${command[0]} is not installed`)
    const told = JSON.parse(stdout) as { code?: string; message: string; dump: string; advice: string; bytes: number }
    if (told.code === undefined) return test.skip('the capability could not be dropped')
    assert.equal(told.code, 'socket_refused')
    assert.match(told.message, /^GRE on 127\.0\.0\.1 needs a raw socket.*CAP_NET_RAW/)
    assert.match(told.dump, /^GRE on 127\.0\.0\.1 needs/)
    if (told.bytes < 1_000_000_000) assert.match(told.advice, /sysctl -w net\.core\.rmem_max=500000000/)
  })
})
