import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { Admission } from '../../src/pipeline/admission.ts'
import { formatAddress } from '../../src/pipeline/exporters.ts'
import { lanesOf, testPipeline } from './parts.ts'

const admits = (admission: Admission, ...addresses: string[]) =>
  addresses.filter((address) => admission.admits(lanesOf(address), 0))

/** A NetFlow v5 datagram of no records from each address. */
function batchFrom(addresses: readonly string[]) {
  const bytes = new Uint8Array(24)
  bytes[1] = 5
  return {
    bytes,
    view: new DataView(bytes.buffer),
    count: addresses.length,
    start: new Uint32Array(addresses.length),
    end: new Uint32Array(addresses.length).fill(24),
    source: Uint32Array.from(addresses.flatMap((address) => [...lanesOf(address)])),
    sourcePort: new Uint16Array(addresses.length),
    receivedMs: 1_000,
  }
}

describe('Admission', () => {
  it('lets everybody send where nothing is said', () => {
    assert.deepEqual(admits(new Admission({ allow: [] }), '10.0.0.1', '2001:db8::1'), ['10.0.0.1', '2001:db8::1'])
  })

  it('lets only those send that are listed, as addresses or networks of either family', () => {
    const admission = new Admission({ allow: ['10.0.10.0/24', '192.0.2.7', '2001:db8::/32'] })
    assert.deepEqual(
      admits(admission, '10.0.10.255', '10.0.11.1', '192.0.2.7', '192.0.2.8', '2001:db8:ffff::1', '2001:db9::1', '::'),
      ['10.0.10.255', '192.0.2.7', '2001:db8:ffff::1'],
    )
  })

  it('lets hosts of the model send, and who is listed or has an alias beside them', () => {
    const isHost = (lanes: Uint32Array, at: number) => formatAddress(lanes, at) === '10.0.10.14'
    const admission = new Admission({ allow: ['192.0.2.7'], aliases: ['127.0.0.2=10.0.10.23'], isHost })
    assert.deepEqual(admits(admission, '10.0.10.14', '10.0.10.15', '192.0.2.7', '127.0.0.2', '10.0.10.23'), [
      '10.0.10.14',
      '192.0.2.7',
      '127.0.0.2',
    ])
  })

  it('keeps nothing of who may not send but a count, told apart up to a bound', () => {
    const admission = new Admission({ allow: ['192.0.2.7'] })
    const pipeline = testPipeline({ admission })
    const floods = Array.from({ length: 3_000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`)
    for (let i = 0; i < floods.length; i += 200)
      pipeline.feed('netflow', batchFrom(['192.0.2.7', ...floods.slice(i, i + 200)]))
    assert.equal(pipeline.counters.dropped.not_allowed, 3_000)
    assert.equal(pipeline.parts.exporters.size, 1)
    assert.equal(admission.sendersListed, 1_024)
    const [first] = admission.senders()
    assert.deepEqual([formatAddress(first!.address), first!.datagrams, first!.lastMs], ['10.1.0.0', 1, 1_000])
  })
})

describe('option allow', () => {
  const allowOf = (value: unknown) => loadConfig({ flags: { allow: value } }).config.allow

  it('reads addresses and networks', () => {
    assert.deepEqual(allowOf('10.0.0.0/8, ::1'), ['10.0.0.0/8', '::1'])
    assert.deepEqual(allowOf(['10.0.0.0/8']), ['10.0.0.0/8'])
  })

  it('refuses everything else', () => {
    for (const wrong of ['10.0.0.0/33', '10.0.0', '10.0.0.0/8/9', '10.0.0.0/', '::/129', 'any', '', 7])
      assert.throws(() => allowOf(wrong), { code: 'config_invalid' }, String(wrong))
  })
})
