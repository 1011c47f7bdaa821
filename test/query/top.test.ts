import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { askFlows, askMatrix, askSeries, askTop, type TopRequest } from '../../src/query/ask.ts'
import type { Asker } from '../../src/query/plan.ts'
import { Engine } from './engine.ts'
import { RECORDS, T0 } from './records.ts'
import { NO_ENGINE } from '../store/engine.ts'

const NOW = T0 + 60_000

describe('top', { skip: NO_ENGINE }, () => {
  let engine: Engine
  before(async () => {
    engine = await Engine.open()
    await engine.insert(RECORDS)
  })
  after(() => engine.close())

  const top = async (request: TopRequest) => (await askTop(engine.store, request, NOW)).rows
  const figures = async (request: TopRequest, ...names: string[]) =>
    (await top(request)).map((row) => names.map((name) => row[name]))

  it('holds each byte of a server once, what it sent and received apart, two servers of one name apart', async () => {
    assert.deepEqual(
      await figures(
        { dimensions: ['server'] },
        'server',
        'server_id',
        'project',
        'sent_bytes',
        'received_bytes',
        'bytes',
      ),
      [
        ['web', 's-red-web', 'red', 1040, 5207, 6247],
        ['web', 's-blue-web', 'blue', 5003, 3, 5003],
        ['db', 's-red-db', 'red', 200, 1000, 1200],
      ],
    )
  })

  it('counts traffic inside a project in sent and in received, but once in bytes', async () => {
    assert.deepEqual(
      await figures({ dimensions: ['project'] }, 'project', 'project_id', 'sent_bytes', 'received_bytes', 'bytes'),
      [
        ['red', 'p-red', 1240, 6207, 6247],
        ['blue', 'p-blue', 5003, 3, 5003],
      ],
    )
  })

  it('gives every measure in both directions', async () => {
    assert.deepEqual(await top({ dimensions: ['project'], filter: 'project blue' }), [
      {
        project: 'blue',
        project_id: 'p-blue',
        sent_bytes: 5003,
        received_bytes: 3,
        bytes: 5003,
        sent_l2_bytes: 5031,
        received_l2_bytes: 17,
        l2_bytes: 5031,
        sent_packets: 2,
        received_packets: 1,
        packets: 2,
        sent_records: 2,
        received_records: 1,
        records: 2,
      },
      {
        project: 'red',
        project_id: 'p-red',
        sent_bytes: 0,
        received_bytes: 5000,
        bytes: 5000,
        sent_l2_bytes: 0,
        received_l2_bytes: 5014,
        l2_bytes: 5014,
        sent_packets: 0,
        received_packets: 1,
        packets: 1,
        sent_records: 0,
        received_records: 1,
        records: 1,
      },
    ])
  })

  it('combines the entity with others of the same end and with plain columns', async () => {
    assert.deepEqual(
      await figures({ dimensions: ['project', 'server', 'ip_protocol'] }, 'project', 'server', 'ip_protocol', 'bytes'),
      [
        ['red', 'web', 6, 6247],
        ['blue', 'web', 6, 5000],
        ['red', 'db', 6, 1200],
        ['blue', 'web', 17, 3],
      ],
    )
  })

  it('groups networks and hosts by their end', async () => {
    assert.deepEqual(await figures({ dimensions: ['network'] }, 'network', 'network_id', 'sent_bytes', 'bytes'), [
      ['net1', 'n-red-1', 1040, 6247],
      ['net1', 'n-blue-1', 5003, 5003],
      ['net2', 'n-red-2', 200, 1200],
    ])
    // c0 holds web of red and of blue: 1000 + 200 to and from c1, 47 to the outside, 5003 inside.
    assert.deepEqual(await figures({ dimensions: ['host'] }, 'host', 'sent_bytes', 'received_bytes', 'bytes'), [
      ['c0', 6043, 5210, 6250],
      ['c1', 200, 1000, 1200],
    ])
  })

  it('sums counts_once over columns that are no entity', async () => {
    assert.deepEqual(
      await figures(
        { dimensions: ['src_server', 'dst_server'] },
        'src_server_id',
        'src_project',
        'dst_server_id',
        'bytes',
      ),
      [
        ['s-blue-web', 'blue', 's-red-web', 5000],
        ['s-red-web', 'red', 's-red-db', 1000],
        ['s-red-db', 'red', 's-red-web', 200],
        ['s-red-web', 'red', '', 40],
        ['', '', '', 11],
        ['', '', 's-red-web', 7],
        ['s-blue-web', 'blue', 's-blue-web', 3],
      ],
    )
    assert.deepEqual(await figures({ dimensions: ['src_addr'] }, 'src_addr', 'bytes', 'records'), [
      ['192.168.10.8', 6243, 5],
      ['fd00::1', 11, 1],
      ['8.8.8.8', 7, 1],
    ])
  })

  it('sums every stored record with --count all', async () => {
    assert.deepEqual(
      await figures(
        { dimensions: ['project'], count: 'all' },
        'project',
        'sent_bytes',
        'received_bytes',
        'bytes',
        'records',
      ),
      [
        ['red', 2240, 7214, 7254, 7],
        ['blue', 5003, 3, 5003, 2],
      ],
    )
    assert.deepEqual(await figures({ dimensions: ['role'], count: 'all', by: 'records' }, 'role', 'records'), [
      ['sent', 5],
      ['received', 2],
      ['transit', 1],
      ['unattributed', 1],
    ])
  })

  it('sorts by any figure and cuts at n', async () => {
    assert.deepEqual(await figures({ dimensions: ['server'], by: 'received_bytes', n: '2' }, 'server_id'), [
      ['s-red-web'],
      ['s-red-db'],
    ])
  })

  it('shows times, MAC addresses and enums readable', async () => {
    const [row] = await top({ dimensions: ['flow_end', 'src_mac', 'role'], filter: 'role = unattributed' })
    assert.deepEqual(
      [row?.['flow_end'], row?.['src_mac'], row?.['role']],
      ['2026-01-01T00:00:00.008Z', '', 'unattributed'],
    )
  })

  it('shows once what two parties of a conversation have in common', async () => {
    for (const dimensions of [
      ['server', 'project'],
      ['project', 'server', 'server_id'],
      ['server', 'network', 'host'],
    ]) {
      const { columns, rows } = await askTop(engine.store, { dimensions, bidirectional: 'true' }, NOW)
      assert.equal(new Set(columns).size, columns.length)
      assert.ok(rows.length > 0 && columns.every((column) => rows[0]![column] !== undefined), dimensions.join(' '))
    }
  })

  it('refuses what it does not know, with the nearest name', async () => {
    const refused = (request: TopRequest, code: string, message: RegExp) =>
      assert.rejects(askTop(engine.store, request, NOW), (error: { code?: string; message: string }) => {
        assert.equal(error.code, code)
        assert.match(error.message, message)
        return true
      })
    await refused({ dimensions: ['servr'] }, 'column_unknown', /did you mean server\b/)
    await refused({ dimensions: ['src_adr'] }, 'column_unknown', /did you mean .*src_addr/)
    await refused({ dimensions: ['bytes'] }, 'column_unknown', /--by bytes/)
    await refused({ dimensions: ['server'], by: 'sent_byte' }, 'column_unknown', /did you mean sent_bytes/)
    await refused({ dimensions: ['vlan'], by: 'sent_bytes' }, 'column_unknown', /needs one of the dimensions/)
    await refused({ dimensions: ['server'], n: '0' }, 'usage', /1 to 50000/)
    await refused({ dimensions: ['server'], n: '1000000000' }, 'usage', /1 to 50000/)
    await refused({ dimensions: ['server'], count: 'twice' }, 'usage', /once nor all/)
    await refused({ dimensions: ['server'], last: '15' }, 'time_invalid', /15m/)
  })
})

describe('what an answer costs', { skip: NO_ENGINE }, () => {
  let engine: Engine
  const asked: string[] = []
  const counting: Asker = { query: (plan) => (asked.push(plan.sql), engine.store.query(plan)) }
  before(async () => {
    engine = await Engine.open()
    await engine.insert(RECORDS)
  })
  after(() => engine.close())

  /** Statements, and how many times the table of records is read in them. */
  const cost = async (question: (asker: Asker) => Promise<unknown>): Promise<[number, number]> => {
    asked.length = 0
    await question(counting)
    return [asked.length, asked.reduce((sum, sql) => sum + sql.split(/FROM flows\b/).length - 1, 0)]
  }

  it('is a number of statements, and of passes over the records, that does not grow', async () => {
    const costs = {
      // What is in the span and at its ends, the name, the groups, and their trend; other and total in one pass; what is missing.
      top: await cost((asker) => askTop(asker, { dimensions: ['server'], with: 'all', filter: 'project red' }, NOW)),
      plain: await cost((asker) => askTop(asker, { dimensions: ['server'] }, NOW)),
      old: await cost((asker) => askTop(asker, { dimensions: ['server'] }, NOW * 2)),
      conversations: await cost((asker) => askTop(asker, { dimensions: ['port'], bidirectional: 'true' }, NOW)),
      matrix: await cost((asker) => askMatrix(asker, { of: 'project' }, NOW)),
      series: await cost((asker) => askSeries(asker, { dimensions: ['project'] }, NOW)),
      flows: await cost((asker) => askFlows(asker, { filter: 'project red' }, NOW)),
    }
    assert.deepEqual(costs, { top: [6, 6], plain: [3, 2], old: [8, 5], conversations: [3, 2], matrix: [2, 2], series: [4, 5], flows: [3, 3] }) // prettier-ignore
  })

  it('and is paid for the longest filters, too', async () => {
    const many = (one: string) => Array.from({ length: 250 }, (_, i) => `${one} ${i}`).join(' or ')
    for (const filter of [
      many('host'),
      many('server'),
      `port_id in [${'a'.repeat(16_000)}]`,
      `${'('.repeat(90)}vlan 1${')'.repeat(90)}`,
    ]) {
      const { rows } = await askTop(engine.store, { dimensions: ['server', 'project'], with: 'all', compare: '1d', filter }, NOW) // prettier-ignore
      assert.deepEqual(rows, [], filter.slice(0, 30))
    }
  })
})

describe('top over sampled records', { skip: NO_ENGINE }, () => {
  it('carries the half width of the 95 % interval of every figure, overlap taken off', async () => {
    const engine = await Engine.open()
    const ends = {
      src_server: 'a',
      src_server_id: 'a',
      dst_server: 'b',
      dst_server_id: 'b',
      src_project_id: 'p',
      dst_project_id: 'p',
    }
    const sampled = { ...ends, flow_end: T0, sampling_rate: 8, samples: 1, bytes: 800, packets: 8 }
    await engine.insert([
      { ...sampled, counts_sent: 1, counts_received: 1, counts_once: 1, bytes_variance: 8 * 7 * 100 ** 2 },
      { ...sampled, counts_sent: 1, counts_received: 1, counts_once: 1, bytes_variance: 8 * 7 * 100 ** 2 },
      { ...sampled, bytes_variance: 1e12 },
    ])
    const { rows } = await askTop(engine.store, { dimensions: ['project'] }, NOW)
    const width = Math.round(1.96 * Math.sqrt(2 * 8 * 7 * 100 ** 2))
    assert.equal(rows[0]?.['bytes'], 1600)
    assert.equal(rows[0]?.['sent_bytes_error'], width)
    assert.equal(rows[0]?.['bytes_error'], width)
    assert.equal(rows[0]?.['packets_error'], Math.round(1.96 * Math.sqrt(2 * 8 * 7)))
    const unsided = await askTop(engine.store, { dimensions: ['src_project_id'] }, NOW)
    assert.equal(unsided.rows[0]?.['bytes_error'], width)
    // The same traffic seen otherwise has the same error.
    const [conversations, matrix, series] = await Promise.all([
      askTop(engine.store, { dimensions: ['server'], bidirectional: 'true' }, NOW),
      askMatrix(engine.store, { of: 'project' }, NOW),
      askSeries(engine.store, { dimensions: [] }, NOW),
    ])
    for (const answer of [conversations, matrix, series]) {
      assert.ok(answer.columns.includes('bytes_error'))
      assert.deepEqual(answer.rows.map((row) => row['bytes_error']).filter((error) => error !== 0), [width]) // prettier-ignore
    }
    assert.deepEqual([conversations.rows[0]?.['a_to_b_bytes_error'], conversations.rows[0]?.['b_to_a_bytes_error']], [width, 0]) // prettier-ignore
    assert.equal(matrix.rows[0]?.['sent_bytes_error'], width)
    const several = await askSeries(engine.store, { dimensions: ['server'] }, NOW)
    assert.equal(several.rows.find((row) => row['server'] === 'a' && row['sent_bytes'] === 1600)?.['bytes_error'], width) // prettier-ignore
    await engine.close()
  })
})
