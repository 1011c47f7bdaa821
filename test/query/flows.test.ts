import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { askExplain, askFlows, type FlowsRequest, type Row } from '../../src/query/ask.ts'
import { COLUMN_NAMES } from '../../src/schema/columns.ts'
import { NO_ENGINE } from '../store/engine.ts'
import { Engine, type Record_ } from './engine.ts'
import { Random } from './random.ts'
import { RECORDS, T0 } from './records.ts'

const NOW = T0 + 600_000

describe('flows', { skip: NO_ENGINE }, () => {
  let engine: Engine
  before(async () => {
    engine = await Engine.open()
    const random = new Random(9)
    // Few times and sequence numbers, so that many records have the same place.
    const many = Array.from({ length: 700 }, (_, i): Record_ => ({
      flow_end: T0 + 1000 + random.below(20) * 100,
      time_received: T0 + 5000 + random.below(3) * 1000,
      sequence: random.below(3),
      bytes: i,
      src_l4_port: i,
    }))
    await engine.insert([...RECORDS, ...many])
  })
  after(() => engine.close())
  const flows = (request: FlowsRequest) => askFlows(engine.store, { last: '1h', ...request }, NOW)

  it('have an id that finds the record, stays when names are learned, and differs', async () => {
    const { rows, columns } = await flows({ n: '1000' })
    assert.deepEqual(columns, [...COLUMN_NAMES, 'id'])
    assert.equal(new Set(rows.map(({ id }) => id)).size, 709)
    const web = rows.find((row) => row['role'] === 'received' && row['bytes'] === 1000)
    const facts = (await askExplain(engine.store, { id: String(web?.['id']) })).rows
    assert.equal(facts.find(({ fact }) => fact === 'role')?.['value'], 'received')
    const learned = { ...RECORDS[8]!, src_server: 'late', src_server_id: 'late', bytes: 12, flow_end: T0 + 90_000 }
    await engine.insert([{ ...learned, src_server: '', src_server_id: '' }])
    const first = (await flows({ n: '1' })).rows[0]?.['id']
    await engine.insert([learned])
    const both = (await flows({ n: '2' })).rows
    assert.deepEqual(both.map(({ id }) => id), [first, first]) // prettier-ignore
    assert.match((await askExplain(engine.store, { id: String(first) })).notes[0] ?? '', /2 records are equal/)
  })

  it('come in pages that lose and double nothing, though many have one place', async () => {
    const whole = (await flows({ n: '2000' })).rows
    const pages: Row[] = []
    let cursor: string | undefined = 'start'
    let asked = 0
    while (cursor !== undefined) {
      const page = await flows({ n: '50', cursor })
      pages.push(...page.rows)
      cursor = page.next
      asked++
    }
    assert.ok(asked > 3)
    assert.equal(pages.length, whole.length)
    const sorted = (rows: readonly Row[]) => rows.map((row) => JSON.stringify(row)).toSorted()
    assert.deepEqual(sorted(pages), sorted(whole))
  })

  it('are those that arrived since', async () => {
    const { rows } = await flows({ n: '1000', received_from: new Date(T0 + 7000).toISOString() })
    assert.ok(rows.length > 100 && rows.length < 400)
    assert.ok(rows.every((row) => Date.parse(String(row['time_received'])) >= T0 + 7000))
  })

  it('tell the whole story of a record', async () => {
    const { rows } = await flows({ n: '1', filter: 'role = sent and bytes = 200' })
    const { rows: facts } = await askExplain(engine.store, { id: String(rows[0]?.['id']) })
    const story = facts.map(({ part, fact, value, meaning }) => [part, fact, value, meaning].join(' | '))
    for (const line of [
      'received | src_addr | 192.168.10.8 | Source IP address.',
      'received | ip_protocol | tcp | Protocol number (IANA).',
      'source | server | db | id s-red-db',
      'source | grade | port | the interface matched, and address or MAC agrees',
      'destination | server | web | id s-red-web',
      'sampling | sampling_rate | 1 | every packet',
      'counted | role | sent | observed where a server sent it: its own port, ingress',
      'counted | counts_sent | 1 | sent by db',
      'counted | counts_received | 1 | received by web too: nobody reports what leaves there',
      'counted | counts_once | 1 | its bytes are in totals',
    ])
      assert.ok(story.includes(line), `${line}\n${story.join('\n')}`)
  })

  it('refuse ids and cursors that are none', async () => {
    await assert.rejects(askExplain(engine.store, { id: 'zzzz.zzzz' }), { code: 'record_unknown' })
    for (const id of ['', 'x', "1'; DROP TABLE flows", '1.2.3'])
      await assert.rejects(askExplain(engine.store, { id }), { code: 'usage' })
    for (const cursor of ['', '1', '1.2', 'zzzzzzzzzz.1.1', '1.1.1; --'])
      await assert.rejects(flows({ cursor }), { code: 'usage' })
    assert.deepEqual((await flows({ cursor: 'zzzzzzzzz.zzzzzzzzz.zzzzzzz', n: '5' })).rows.length >= 5, true)
  })
})
