import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { IPFIX } from '../../src/decode/ipfix/template.ts'
import { Templates } from '../../src/decode/ipfix/templates.ts'
import {
  Bench,
  ipfix,
  netflow9,
  optionsTemplate,
  set,
  template,
  text,
  u16,
  u32,
  u64,
  u8,
  variable,
  type FieldSpec,
} from './ipfix-build.ts'

const PACKETS: readonly FieldSpec[] = [[2, 4]]
const OVS: readonly FieldSpec[] = [
  [158, 4],
  [159, 4],
  [352, 8],
]
const OVS_VALUES = [u32(0), u32(0), u64(60)]

/** Specifiers of a template with one field of `length` bytes. */
const specOf = (length: number) => Uint8Array.from([...u16(1), ...u16(length)])

describe('templates', () => {
  it('are kept by exporter, port, domain and version', () => {
    const bench = new Bench()
    assert.equal(bench.decode(ipfix([set(2, template(256, PACKETS))], 5), { id: 1, port: 9 }), 'ok_no_rows')
    const data = set(256, u32(7))
    assert.equal(bench.decode(ipfix([data], 5), { id: 1, port: 9 }), 'ok')
    assert.equal(bench.decode(ipfix([data], 5), { id: 2, port: 9 }), 'template_missing')
    assert.equal(bench.decode(ipfix([data], 6), { id: 1, port: 9 }), 'template_missing')
    assert.equal(bench.decode(netflow9([data], 5), { id: 1, port: 9 }), 'template_missing')
    assert.equal(bench.out.rows, 1)
  })

  it('are found again when the exporter changes its port, if they fill the set', () => {
    const bench = new Bench()
    bench.decode(ipfix([set(2, template(256, PACKETS))], 5), { port: 9 })
    assert.equal(bench.decode(ipfix([set(256, u32(7), u32(8))], 5), { port: 10 }), 'ok')
    // The same template would also take a set with a rest, but found this way it must not.
    assert.equal(bench.decode(ipfix([set(256, u32(7), [1, 2, 3, 4, 5, 6].slice(0, 6))], 5), { port: 10 }), 'ok')
    bench.decode(ipfix([set(2, template(257, [[2, 8]]))], 5), { port: 9 })
    assert.equal(bench.decode(ipfix([set(257, u64(7), u32(9))], 5), { port: 10 }), 'template_mismatch')
    assert.equal(bench.out.rows, 4)
    // That fall-back is not tried again; the session it came from still has its template.
    assert.equal(bench.decode(ipfix([set(257, u64(7))], 5), { port: 10 }), 'template_missing')
    assert.equal(bench.decode(ipfix([set(257, u64(7))], 5), { port: 9 }), 'ok')
    assert.equal(bench.decoder.counters.mismatchedSets, 1)
  })

  it('of more than 32 new layouts in a datagram are learned when they come again, and meanwhile nothing is decoded wrongly', () => {
    const bench = new Bench()
    const changed = 256 + 38
    bench.decode(ipfix([set(2, template(changed, [[2, 8]]))]))
    const layouts = Array.from({ length: 40 }, (_, i): [number, FieldSpec[]] => [256 + i, [[2, 4], [100 + i, 4]]]) // prettier-ignore
    const all = ipfix([set(2, ...layouts.map(([id, fields]) => template(id, fields)))])
    const { templates } = bench.decoder
    bench.decode(all)
    assert.deepEqual([templates.size, templates.postponed], [32, 8])
    assert.equal(bench.decode(ipfix([set(256 + 31, u32(7), u32(0))])), 'ok')
    assert.equal(bench.decode(ipfix([set(256 + 32, u32(7), u32(0))])), 'template_missing')
    // Its old layout would take the record, too.
    assert.equal(bench.decode(ipfix([set(changed, u32(7), u32(0))])), 'template_missing')
    bench.decode(all)
    assert.deepEqual([templates.size, templates.postponed], [40, 8])
    assert.equal(bench.decode(ipfix([set(changed, u32(7), u32(0))])), 'ok')
    assert.equal(bench.out.columns.packets[2], 7)
  })

  it('of OVS are found across its domains, those of others are not', () => {
    const bench = new Bench()
    bench.decode(ipfix([set(2, template(256, OVS), template(257, PACKETS))], 1001))
    assert.equal(bench.decode(ipfix([set(256, ...OVS_VALUES)], 1002)), 'ok')
    assert.equal(bench.decode(ipfix([set(257, u32(1))], 1002)), 'template_missing')
    assert.equal(bench.decoder.counters.fallBacks, 1)
  })

  it('of OVS must be filled exactly: a layout that changed under the same id is not decoded', () => {
    const bench = new Bench()
    const fields: FieldSpec[] = [[82, 0xffff], ...OVS, [898, 0xffff, 6876]]
    const values = [variable(text('tap1')), ...OVS_VALUES]
    bench.decode(ipfix([set(2, template(256, fields))]))
    assert.equal(bench.decode(ipfix([set(256, ...values, variable(text('c0')))])), 'ok')
    // virtual_obs_id removed: the record is shorter than the template says.
    assert.equal(bench.decode(ipfix([set(256, ...values)])), 'template_mismatch')
    assert.equal(bench.decode(ipfix([set(256, ...values, variable(text('c0')), [0])])), 'template_mismatch')
    assert.equal(bench.out.rows, 1)
    // The new template is learned under the id of the old.
    bench.decode(ipfix([set(2, template(256, fields.slice(0, 4)))]))
    assert.equal(bench.decode(ipfix([set(256, ...values)])), 'ok')
  })

  it('count sets that came before their template; the other sets are decoded', () => {
    const bench = new Bench()
    const message = ipfix([set(300, u32(1)), set(2, template(256, PACKETS)), set(256, u32(2)), set(301, u8(9))], 77)
    assert.equal(bench.decode(message), 'template_missing')
    assert.equal(bench.out.rows, 1)
    assert.equal(bench.decoder.counters.unknownSets, 2)
  })

  it('tell how many records a message had, one for a set that could not be decoded', () => {
    const told: unknown[] = []
    const bench = new Bench({}, { sequence: (_, ...rest) => void told.push(rest) })
    const templates = [set(2, template(256, PACKETS)), set(3, optionsTemplate(257, 1, [[149, 4]]))]
    bench.decode(
      ipfix([...templates, set(256, u32(1), u32(2)), set(257, u32(0)), set(999, u32(0))], 2 ** 32 - 1, 2 ** 32 - 2),
    )
    bench.decode(netflow9([set(0, template(256, PACKETS)), set(256, u32(1), u32(2))], 3, 9))
    assert.deepEqual(told, [
      ['ipfix', 2 ** 32 - 1, 2 ** 32 - 2, 4],
      ['netflow9', 3, 9, 1],
    ])
  })

  it('can be written down and learned again', () => {
    const bench = new Bench()
    bench.decode(ipfix([set(2, template(256, PACKETS)), set(3, optionsTemplate(257, 1, [[149, 4]]))], 5), {
      id: 3,
      port: 9,
    })
    bench.decode(netflow9([set(0, template(258, PACKETS))], 6), { id: 4, port: 10 })
    const saved = JSON.parse(JSON.stringify([...bench.decoder.templates.entries()])) as never[]
    assert.equal(saved.length, 3)
    const other = new Bench()
    for (const entry of saved) other.decoder.templates.restore(entry)
    assert.deepEqual([...other.decoder.templates.entries()], saved)
    assert.equal(other.decode(ipfix([set(256, u32(1)), set(257, u32(1))], 5), { id: 3, port: 9 }), 'ok')
    assert.equal(other.decode(netflow9([set(258, u32(1))], 6), { id: 4, port: 10 }), 'ok')
  })
})

describe('the store of templates', () => {
  it('keeps what exporters use now and then, whatever a flood of proven exporters brings', () => {
    const store = new Templates({ maxTemplates: 1000, maxLayouts: 64 })
    const own = 200
    const use = (i: number) => {
      store.select(1, 1, 0, IPFIX)
      return store.find(256 + (i % own)) !== undefined
    }
    store.select(1, 1, 0, IPFIX)
    for (let i = 0; i < own; i++) store.learn(256 + i, -1, specOf(1 + (i % 8)), 0, 4)
    for (let i = 0; i < own * 4; i++) use(i)
    let missing = 0
    for (let i = 0; i < 20_000; i++) {
      store.select(2 + (i % 50), 1, i, IPFIX)
      store.learn(300, -1, Uint8Array.from([...u16(1), ...u16(1), ...u16(i), ...u16(2)]), 0, 8)
      store.find(300)
      if (i % 10 === 0 && !use(i / 10)) missing++
    }
    assert.ok(store.evicted > 18_000)
    assert.equal(missing, 0)
  })

  it('finds what was learned and nothing else, through growth and removal', () => {
    const store = new Templates({ maxTemplates: 5000, maxTemplatesPerExporter: 5000 })
    for (let i = 0; i < 4000; i++) {
      store.select(i % 10, i % 7, i, IPFIX)
      store.learn(256 + (i % 5), -1, specOf(1 + (i % 8)), 0, 4)
    }
    assert.equal(store.size, 4000)
    for (let i = 0; i < 4000; i++) {
      store.select(i % 10, i % 7, i, IPFIX)
      assert.equal(store.find(256 + (i % 5))?.plan.minLength, 1 + (i % 8))
      assert.equal(store.foundBy, 0)
      assert.equal(store.find(256 + ((i + 1) % 5)), undefined)
    }
    assert.equal(store.layouts.size, 8)
  })

  it('holds no more than its bounds, and lets go first what came from exporters without data', () => {
    const store = new Templates({ maxTemplates: 1000, maxTemplatesPerExporter: 200, maxLayouts: 16 })
    store.select(1, 1, 1, IPFIX)
    store.learn(256, -1, specOf(4), 0, 4)
    store.learn(257, -1, specOf(5), 0, 4)
    assert.notEqual(store.find(256), undefined)
    store.learn(258, -1, specOf(6), 0, 4)
    for (let i = 0; i < 50_000; i++) {
      store.select(2 + (i % 40), i % 3, i, IPFIX)
      store.learn(256 + (i % 300), -1, specOf(1 + (i % 40)), 0, 4)
      assert.ok(store.size <= 1000 && store.layouts.size <= 16)
    }
    assert.ok(store.evicted > 40_000)
    store.select(1, 1, 1, IPFIX)
    for (const id of [256, 257, 258]) assert.notEqual(store.find(id), undefined)
    for (let i = 0; i < 5000; i++) {
      store.select(1, 1, 1000 + i, IPFIX)
      store.learn(256, -1, specOf(4), 0, 4)
    }
    assert.ok([...store.entries()].filter(({ exporterId }) => exporterId === 1).length <= 200)
  })

  it('does not grow when the same template comes again', () => {
    const bench = new Bench()
    const message = ipfix([set(2, template(256, OVS)), set(3, optionsTemplate(257, 1, [[149, 4]]))])
    for (let i = 0; i < 10_000; i++) bench.decoder.decode(asDatagram(message), bench.out)
    assert.equal(bench.decoder.templates.size, 2)
    assert.equal(bench.decoder.templates.layouts.size, 2)
    assert.equal(bench.decoder.counters.templates, 20_000)
  })
})

function asDatagram(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer)
  const exporter = new Uint32Array(4)
  return { bytes, view, start: 0, end: bytes.length, receivedMs: 0, exporter, exporterPort: 1, exporterId: 1 }
}
