/** Templates written down and read again: whole, cut anywhere, damaged anywhere. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { learnTemplates, readTemplates, writeTemplates } from '../../src/decode/ipfix/saved.ts'
import { Templates } from '../../src/decode/ipfix/templates.ts'
import { IPFIX } from '../../src/decode/ipfix/template.ts'
import { PCAPS } from '../paths.ts'
import { Bench, ipfix, netflow9, optionsTemplate, set, template, u16, u32 } from './ipfix-build.ts'
import { datagram, readPayloads, rowsOf } from './ipfix-feed.ts'

const addressOf = (id: number) => `10.0.0.${id & 255}`
const idOf = (address: string) => Number(address.split('.')[3])

function sample(): { text: string; templates: Templates } {
  const bench = new Bench()
  bench.decode(ipfix([set(2, template(256, [[2, 4]])), set(3, optionsTemplate(257, 1, [[149, 4]]))], 5), {
    id: 3,
    port: 9,
  })
  bench.decode(ipfix([set(256, u32(1))], 5), { id: 3, port: 9 })
  bench.decode(
    netflow9(
      [
        set(
          0,
          template(258, [
            [82, 0xffff],
            [892, 3],
          ]),
        ),
      ],
      6,
    ),
    { id: 4, port: 10 },
  )
  const { templates } = bench.decoder
  return { text: writeTemplates(templates, addressOf), templates }
}

type IdOf = (address: string) => number | undefined

/** How many templates of a file were learned; undefined for what is no such file. */
function learn(text: string, templates: Templates, of: IdOf): number | undefined {
  const read = readTemplates(text, templates.limits.maxFields)
  return read && learnTemplates(read, templates, of)
}

describe('templates over a restart', () => {
  it('of a real Open vSwitch decode its first data', () => {
    const payloads = readPayloads(`${PCAPS}ipfix/capture.pcap`, 10)
    const before = new Bench({ presume: false }, {}, 1024)
    for (const one of payloads) before.decoder.decode(datagram(one.bytes, one), before.out)
    const ids = new Map<string, number>()
    const text = writeTemplates(before.decoder.templates, (id) => {
      ids.set(`x${id}`, id)
      return `x${id}`
    })
    const after = new Bench({ presume: false }, {}, 1024)
    assert.equal(
      learn(text, after.decoder.templates, (address) => ids.get(address)),
      before.decoder.templates.size,
    )
    for (const one of payloads) if (one.bytes[16] !== 0) after.decoder.decode(datagram(one.bytes, one), after.out)
    assert.ok(after.out.rows > 50)
    assert.deepEqual(rowsOf(after.out), rowsOf(before.out))
    assert.equal(after.decoder.counters.unknownSets, 0)
  })

  it('are the same as before, and what is proven stays proven', () => {
    const { text, templates } = sample()
    const other = new Templates()
    assert.equal(learn(text, other, idOf), 3)
    assert.deepEqual([...other.entries()], [...templates.entries()])
    assert.equal([...other.entries()].filter(({ proven }) => proven).length, 2)
    assert.equal(writeTemplates(other, addressOf), text)
  })

  it('keep a layout in use though files bring more layouts of a flood than are held, each used once', () => {
    const limits = { limits: { maxLayouts: 64 } }
    const record = (fields: number) => set(256, ...Array.from({ length: fields }, () => u32(1)))
    const ofFields = (fields: number) =>
      template(
        256,
        Array.from({ length: fields }, (_, i) => [300 + i, 4] as const),
      )
    const flooded = (firstFields: number) => {
      const bench = new Bench(limits)
      bench.decode(ipfix([set(2, template(256, [[2, 4], [1, 4]]))], 5), { id: 3, port: 9 }) // prettier-ignore
      for (let i = 0; i < 9; i++) bench.decode(ipfix([set(256, u32(1), u32(2))], 5), { id: 3, port: 9 })
      for (let i = 0; i < 100; i++) {
        const fields = firstFields + i
        bench.decode(ipfix([set(2, ofFields(fields)), record(fields)], 6), { id: 4 + i, port: 9 })
      }
      assert.ok(bench.decoder.templates.layouts.evicted >= 37)
      return writeTemplates(bench.decoder.templates, addressOf)
    }
    const files = [flooded(1), flooded(101), flooded(201)]
    const after = new Bench(limits)
    for (const file of files) learn(file, after.decoder.templates, idOf)
    // The flood goes on before the exporter is heard again.
    after.decoder.expire(1_763_800_000_000, after.out)
    for (let i = 0; i < 100; i++)
      after.decode(ipfix([set(2, ofFields(301 + i)), record(301 + i)], 6), { id: 104 + i, port: 9 })
    after.out.reset()
    after.decode(ipfix([set(256, u32(1), u32(2))], 5), { id: 3, port: 9 })
    assert.equal(after.out.rows, 1)
    assert.equal(after.decoder.counters.unknownSets, 0)
  })

  it('of more than are held are those that were used most, whichever file they come from, and each once', () => {
    const limits = { limits: { maxTemplates: 64 } }
    const flooded = (firstId: number) => {
      const bench = new Bench(limits)
      bench.decode(ipfix([set(2, template(256, [[2, 4], [1, 4]]))], 5), { id: 3, port: 9 }) // prettier-ignore
      for (let i = 0; i < 9; i++) bench.decode(ipfix([set(256, u32(1), u32(2))], 5), { id: 3, port: 9 })
      for (let id = firstId; id < firstId + 63; id++)
        bench.decode(ipfix([set(2, template(256, [[id, 4]])), set(256, u32(1))], 6), { id, port: 9 })
      return readTemplates(writeTemplates(bench.decoder.templates, addressOf), 512)!
    }
    const read = [...flooded(4), ...flooded(204).slice(1), ...flooded(404).slice(1)]
    assert.equal(read.length, 190)
    const after = new Bench(limits)
    assert.equal(learnTemplates(read, after.decoder.templates, idOf), 64)
    assert.equal(after.decoder.templates.evicted, 0)
    after.out.reset()
    after.decode(ipfix([set(256, u32(1), u32(2))], 5), { id: 3, port: 9 })
    assert.equal(after.out.rows, 1)
  })

  it('are left out where no exporter has the address any more', () => {
    const { text, templates } = sample()
    assert.equal(
      learn(text, new Templates(), (address) => (address.endsWith('3') ? 3 : undefined)),
      2,
    )
    assert.equal(JSON.parse(writeTemplates(templates, () => undefined)).templates.length, 0)
  })

  it('are ignored from a file cut anywhere, and left out where it is damaged', () => {
    const { text } = sample()
    for (let cut = 0; cut < text.length; cut++)
      assert.equal(learn(text.slice(0, cut), new Templates(), idOf), undefined)
    for (let at = 0; at < text.length; at++)
      for (const put of ['0', '9', '"', '[', 'x', '-', ',']) {
        const templates = new Templates()
        learn(text.slice(0, at) + put + text.slice(at + 1), templates, idOf)
        for (const { spec } of [...templates.entries()].map((entry) => ({ spec: entry })))
          assert.ok(spec.fields.length > 0 && spec.id >= 256)
      }
    for (const odd of ['null', '[]', '{}', '{"ovsight_templates":2,"layouts":[],"exporters":[],"templates":[]}', '5'])
      assert.equal(learn(odd, new Templates(), idOf), undefined)
  })

  it('with a layout that the wire could not bring are refused', () => {
    const { text } = sample()
    const state = JSON.parse(text) as { layouts: [number, number, string][] }
    for (const hex of ['', '00', '00020000', 'zz', '0002ffff0002', '0002fffe0002fffe']) {
      state.layouts[0]![2] = hex
      const templates = new Templates()
      learn(JSON.stringify(state), templates, idOf)
      assert.ok([...templates.entries()].every(({ id }) => id !== 256))
    }
  })
})

describe('the age of templates', () => {
  const DAY = 86_400_000
  const spec = Uint8Array.from([...u16(2), ...u16(4)])

  it('lets go of what neither came again nor was used', () => {
    const templates = new Templates({ maxAgeMs: DAY })
    const look = (nowMs: number) => {
      for (let i = 0; i < 4; i++) templates.expire(nowMs)
    }
    look(DAY)
    templates.select(1, 9, 5, IPFIX)
    for (const id of [256, 257, 258]) templates.learn(id, -1, spec, 0, 4)
    look(1.9 * DAY)
    assert.equal(templates.size, 3)
    templates.select(1, 9, 5, IPFIX)
    templates.learn(257, -1, spec, 0, 4)
    assert.notEqual(templates.find(258), undefined)
    look(2.5 * DAY)
    assert.deepEqual(
      [...templates.entries()].map(({ id }) => id).sort((a, b) => a - b),
      [257, 258],
    )
    assert.equal(templates.aged, 1)
    look(9 * DAY)
    assert.equal(templates.size, 0)
    assert.equal(templates.find(257), undefined)
  })
})
