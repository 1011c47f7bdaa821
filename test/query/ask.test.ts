import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { askFlows, askTop } from '../../src/query/ask.ts'
import { COLUMN_NAMES } from '../../src/schema/columns.ts'
import { Engine } from './engine.ts'
import { RECORDS, T0 } from './records.ts'
import { NO_ENGINE } from '../store/engine.ts'

const LATER = T0 + 30 * 86_400_000

describe('answers', { skip: NO_ENGINE }, () => {
  let engine: Engine
  before(async () => {
    engine = await Engine.open()
    await engine.insert(RECORDS)
  })
  after(() => engine.close())

  it('take the span that holds data when the default one is empty, and say so', async () => {
    const { rows, notes, span } = await askTop(engine.store, { dimensions: ['server'] }, LATER)
    assert.equal(rows.length, 3)
    assert.deepEqual(span, { fromMs: T0, toMs: T0 + 9, explicit: false })
    assert.deepEqual(notes, [
      'no records in the last 15 minutes; this is all there is, 2026-01-01 00:00:00 to 00:00:01 UTC',
    ])
  })

  it('stay in the default span when it holds records', async () => {
    const { rows, notes } = await askFlows(engine.store, { filter: 'vlan 5' }, T0 + 60_000)
    assert.deepEqual(rows, [])
    assert.deepEqual(notes.length, 1)
    assert.match(notes[0]!, /^none of the 9 records from 2025-12-31 23:46:00 to 2026-01-01 00:01:01 UTC matches$/)
  })

  it('stay in an explicit span, and say which one holds data', async () => {
    const { rows, notes } = await askTop(engine.store, { dimensions: [], last: '1h' }, LATER)
    assert.deepEqual(rows, [])
    assert.match(notes.join(), /; there are from 2026-01-01 00:00:00 to 00:00:01 UTC/)
  })

  it('hold the start of the span and not its end', async () => {
    const times = async (from: number, to: number) =>
      (
        await askFlows(
          engine.store,
          { from: new Date(T0 + from).toISOString(), to: new Date(T0 + to).toISOString() },
          LATER,
        )
      ).rows.map((row) => Date.parse(String(row['flow_end'])) - T0)
    assert.deepEqual(await times(2, 5), [4, 3, 2])
  })

  it('of flows are the newest records with every column, readable', async () => {
    const { rows, columns } = await askFlows(engine.store, { n: '2' }, LATER)
    const all = [...COLUMN_NAMES, 'id']
    assert.deepEqual(columns, all)
    assert.deepEqual(rows.map(Object.keys), [all, all])
    const { flow_end, src_addr, dst_addr, src_mac, exporter, bytes, role, dst_grade } = rows[0]!
    assert.deepEqual(
      [flow_end, src_addr, dst_addr, src_mac, exporter, bytes, role, dst_grade],
      ['2026-01-01T00:00:00.008Z', 'fd00::1', '192.168.10.9', '', '', 11, 'unattributed', 'ambiguous'],
    )
  })
})

describe('answers of other stores', { skip: NO_ENGINE }, () => {
  it('say why there is nothing', async () => {
    const empty = await Engine.open()
    assert.deepEqual((await askTop(empty.store, { dimensions: [] }, LATER)).notes, ['the store holds no records yet'])
    await empty.insert([{ flow_end: T0, bytes: 5, counts_once: 1, role: 'unattributed' }])
    const { notes, columns } = await askTop(empty.store, { dimensions: ['server'] }, LATER)
    assert.match(notes[1]!, /^no server is known in the 1 record .*--identity/)
    assert.deepEqual(columns.slice(0, 5), ['server', 'server_id', 'project', 'sent_bytes', 'received_bytes'])
    await empty.close()
  })

  it('tell an IPv6 packet from :: from one without address', async () => {
    const one = await Engine.open()
    await one.insert([
      { flow_end: T0, ip_version: 6, dst_addr: 'ff02::1:ff00:1' },
      { flow_end: T0 - 1, ether_type: 0x0806 },
    ])
    const { rows } = await askFlows(one.store, {}, T0)
    assert.deepEqual(
      rows.map(({ src_addr, dst_addr }) => [src_addr, dst_addr]),
      [
        ['::', 'ff02::1:ff00:1'],
        ['', ''],
      ],
    )
    await one.close()
  })
})
