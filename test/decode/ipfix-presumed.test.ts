/** Open vSwitch's templates known beforehand: equal to the real ones, and taken only where the record proves to be one. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ovsSpec } from '../../src/decode/ipfix/presumed.ts'
import { PCAPS } from '../paths.ts'
import { Bench, ipfix, set, template, u32 } from './ipfix-build.ts'
import { datagram, readPayloads, rowsOf, type Payload } from './ipfix-feed.ts'

const CAPTURES = ['ipfix/capture', ...['bridge', 'flow', 'tunnel'].map((kind) => `openvswitch/ovs-ipfix-${kind}`)].map(
  (name) => `${PCAPS}${name}.pcap`,
)
/** A record of TCP over IPv4, and its template's number. */
const [SAMPLE] = readPayloads(CAPTURES[0]!, 10).filter((one) => one.bytes[16] === 1 && one.bytes[17] === 24)
const ID = 280
const isTemplate = ({ bytes }: Payload) => bytes[16] === 0 && bytes[17]! < 4

describe('templates known beforehand', () => {
  it('are those that Open vSwitch sends: all 88', () => {
    const met = new Set<number>()
    for (const file of CAPTURES) {
      const bench = new Bench({ presume: false }, {}, 4096)
      for (const one of readPayloads(file, 10)) bench.decoder.decode(datagram(one.bytes, one), bench.out)
      for (const { id, scopes, fields } of bench.decoder.templates.entries()) {
        if (scopes >= 0) continue
        met.add(id)
        assert.ok(
          [false, true].some((labelled) => ovsSpec(id, labelled)?.fields === fields),
          `template ${id}`,
        )
      }
    }
    assert.equal(met.size, 88)
    assert.equal(Array.from({ length: 300 }, (_, i) => ovsSpec(200 + i, false)).filter((spec) => spec).length, 88)
  })

  it('decode what came without any, to the same rows', () => {
    for (const file of CAPTURES) {
      const payloads = readPayloads(file, 10).filter((one) => one.bytes[16]! * 256 + one.bytes[17]! !== 462)
      const rowsBy = (parts: Payload[]) => {
        const bench = new Bench({ late: {} }, {}, 4096)
        for (const one of parts) bench.decoder.decode(datagram(one.bytes, one), bench.out)
        return { rows: rowsOf(bench.out), counters: bench.decoder.counters }
      }
      const data = payloads.filter((one) => !isTemplate(one))
      const templates = payloads.filter(isTemplate)
      const without = rowsBy(data)
      assert.deepEqual(without.rows, rowsBy([...templates, ...data]).rows)
      assert.equal(without.counters.presumed, data.length)
      const confirmed = rowsBy([...data, ...templates]).counters
      assert.ok(confirmed.presumedConfirmed > 0)
      assert.equal(confirmed.presumedRefuted, 0)
    }
  })

  it('are not taken for records of others, cut or damaged ones', () => {
    const { bytes } = SAMPLE!
    for (const at of [20 + 4, 20 + 17, 20 + 19]) {
      const bench = new Bench()
      const damaged = bytes.slice()
      damaged[at]! ^= 1
      assert.equal(bench.decode(damaged), 'template_missing')
    }
    for (let cut = 24; cut < bytes.length; cut++) {
      const bench = new Bench()
      const shorter = bytes.slice(0, cut)
      shorter.set([shorter.length >> 8, shorter.length & 255], 2)
      shorter.set([(cut - 16) >> 8, (cut - 16) & 255], 18)
      assert.equal(bench.decode(shorter), 'template_missing')
      assert.equal(bench.out.rows, 0)
    }
    const others = new Bench()
    others.decode(ipfix([set(256, ...Array.from({ length: 60 }, (_, i) => u32(i)))]))
    assert.equal(others.out.rows, 0)
  })

  it('give way to the first real one, which is told when it is another', () => {
    const bench = new Bench({}, {}, 64)
    assert.equal(bench.decode(SAMPLE!.bytes), 'ok')
    assert.equal(bench.decoder.counters.presumed, 1)
    const domain = Buffer.from(SAMPLE!.bytes).readUInt32BE(12)
    bench.decode(ipfix([set(2, template(ID, [[2, 4]]))], domain))
    assert.equal(bench.decoder.counters.presumedRefuted, 1)
    assert.notEqual(bench.decode(SAMPLE!.bytes), 'ok_no_rows')
    assert.equal(bench.decoder.counters.presumed, 1)
  })

  it('can be switched off', () => {
    const bench = new Bench({ presume: false })
    assert.equal(bench.decode(SAMPLE!.bytes), 'template_missing')
  })
})
