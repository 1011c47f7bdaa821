/** Faults published of other sFlow decoders, each as a test by the name it became known by. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, it } from 'node:test'
import { NO_SINK } from '../../src/decode/decoder.ts'
import { Sflow5Decoder } from '../../src/decode/sflow5/decoder.ts'
import { DECODE_STATUS_NAMES } from '../../src/decode/status.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { INTEROP } from '../paths.ts'
import { capturedDatagrams } from './captured.ts'
import { datagram, restIsZero, rowsOf } from './ipfix-feed.ts'
import { ethernetFrame, flowSample, sampledHeader, sflowDatagram, tagged, xdr } from './sflow5-build.ts'

const ALL = 0xffffffff
const HEADER = sampledHeader(ethernetFrame(1000), 1004)

function decode(bytes: Uint8Array) {
  const out = new FlowBatch(64)
  const status = DECODE_STATUS_NAMES[new Sflow5Decoder(NO_SINK).decode(datagram(bytes), out)]!
  assert.ok(restIsZero(out))
  return { status, rows: rowsOf(out) }
}

describe('published faults of sFlow decoders', () => {
  it('CVE-2022-2529: no count in a datagram makes memory or time', () => {
    const out = new FlowBatch(64)
    const decoder = new Sflow5Decoder(NO_SINK)
    const hostile = [
      sflowDatagram([flowSample([HEADER])], ALL),
      sflowDatagram([flowSample([HEADER], { count: ALL })]),
      sflowDatagram([tagged(2, xdr(1, 2, ALL))]),
      sflowDatagram([tagged(3, xdr(1, 0, 2, 3, 4, 5, 0, 6, 0, 7, ALL))]),
      sflowDatagram([tagged(4, xdr(1, 0, 2, ALL))]),
      sflowDatagram([flowSample([tagged(1, xdr(1, 1004, 4, ALL, ethernetFrame(1000)))])]),
      sflowDatagram([flowSample([HEADER, tagged(1006, xdr(1, 1, ALL, 5))])]),
      sflowDatagram([tagged(2, xdr(1, 2, 1, tagged(1005, xdr(ALL))))]),
    ].map((bytes) => datagram(bytes))
    const feed = (times: number) => {
      for (let i = 0; i < times; i++)
        for (const one of hostile) {
          decoder.decode(one, out)
          out.reset()
        }
    }
    feed(500)
    const before = process.memoryUsage()
    const cpu = process.cpuUsage()
    feed(2000)
    const { user, system } = process.cpuUsage(cpu)
    const after = process.memoryUsage()
    assert.ok(after.external - before.external < 65_536)
    assert.ok(after.heapUsed - before.heapUsed < 4 << 20)
    assert.ok((user + system) / 16_000 < 500, 'microseconds a datagram')
  })

  it('gopacket 1.6.1: gateway records with 2^32-1 communities, AS segments or AS members', () => {
    const gateway = (...words: number[]) => tagged(1003, xdr(...words))
    for (const record of [
      gateway(1, 0x0a000001, 1, 2, 3, ALL),
      gateway(1, 0x0a000001, 1, 2, 3, 1, 2, ALL),
      gateway(1, 0x0a000001, 1, 2, 3, 0, ALL, 5),
      gateway(1, 0x0a000001, 1, 2, 3, 1, 2, 1, 64512, ALL),
      gateway(ALL),
    ]) {
      const { status, rows } = decode(sflowDatagram([flowSample([record, HEADER])]))
      assert.equal(status, 'ok')
      assert.equal(rows[0]!.l2_bytes, 1000)
    }
  })

  it('GHSA-852r-3wcv-pjx2: lengths of samples and records that reach outside, or wrap when padded', () => {
    const sample = flowSample([HEADER])
    for (const length of [sample.length, 0x7fffffff, 0x80000000, 0xfffffff8, 0xfffffffc, 0xfffffffd, ALL]) {
      const outside = sflowDatagram([flowSample([HEADER]), tagged(1, sample.subarray(8), length)])
      assert.deepEqual([decode(outside).status, decode(outside).rows.length], ['truncated', 1])
      const record = sflowDatagram([flowSample([tagged(1, HEADER.subarray(8), length)]), flowSample([HEADER])])
      assert.deepEqual([decode(record).status, decode(record).rows.length], ['bad_length', 1])
    }
  })

  it('samples and records of length zero: each step takes at least its own header', () => {
    const empty = Array.from({ length: 1000 }, () => tagged(99, new Uint8Array(0)))
    assert.equal(decode(sflowDatagram(empty, ALL)).status, 'truncated')
    assert.deepEqual(decode(sflowDatagram([flowSample(empty)])).status, 'ok')
    assert.equal(decode(sflowDatagram([tagged(1, new Uint8Array(0))])).status, 'bad_length')
    assert.equal(decode(sflowDatagram([flowSample([tagged(1, new Uint8Array(0))])])).status, 'bad_length')
  })

  it('nfdump: a sampled header cut at every byte from 0 to 128, tags and labels without end among them', () => {
    const frames = [
      ethernetFrame(1000),
      Buffer.concat([ethernetFrame(1000).subarray(0, 12), Buffer.from('81000045'.repeat(20) + '0800', 'hex')]),
      Buffer.concat([ethernetFrame(1000).subarray(0, 12), Buffer.from('8847' + '00010000'.repeat(30), 'hex')]),
      Buffer.concat([
        ethernetFrame(1000).subarray(0, 12),
        Buffer.from('86dd6000000000640040' + '00'.repeat(34) + '0000'.repeat(40), 'hex'),
      ]),
    ].map((frame) => Buffer.concat([frame, Buffer.alloc(Math.max(0, 128 - frame.length))]).subarray(0, 128))
    for (const frame of frames)
      for (let length = 0; length <= 128; length++) {
        const { status, rows } = decode(sflowDatagram([flowSample([sampledHeader(frame.subarray(0, length), 1004)])]))
        assert.ok(['ok', 'bad_header', 'too_deep'].includes(status), status)
        assert.equal(rows.length, 1)
        assert.equal(rows[0]!.l2_bytes, 1000)
      }
  })

  it('tcpdump sflow_print-segv: the reproducer is refused', async (test) => {
    const file = `${INTEROP}tcpdump/sflow_print-segv.pcap`
    if (!existsSync(file)) return test.skip('captures of other projects are not here')
    for (const { bytes } of await capturedDatagrams(file, () => true)) {
      const { rows } = decode(bytes)
      assert.deepEqual(rows, [])
    }
  })
})
