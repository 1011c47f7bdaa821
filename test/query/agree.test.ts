import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { askMatrix, askSeries, askTop, type Row } from '../../src/query/ask.ts'
import { ENTITY_NAMES } from '../../src/query/dimensions.ts'
import { DIRECTIONS, figureName, MEASURE_NAMES } from '../../src/query/measures.ts'
import { NO_ENGINE } from '../store/engine.ts'
import { Engine, type Record_ } from './engine.ts'
import { Random } from './random.ts'
import { RECORDS, T0 } from './records.ts'

const NOW = T0 + 600_000
const FIGURES = MEASURE_NAMES.flatMap((measure) => DIRECTIONS.map((direction) => figureName(direction, measure)))

/** Records of random ends and sizes, counted as attribution counts them. */
function randomRecords(random: Random, rows: number): Record_[] {
  const end = () => {
    const project = random.pick(['red', 'blue', 'green', ''])
    const server = project === '' ? '' : `${project}-${random.below(4)}`
    return { project, project_id: project && `p-${project}`, server, server_id: server && `s-${server}`, kind: server === '' ? random.pick(['external', 'unknown']) : 'server', network: project && 'net', network_id: project && `n-${project}`, host: server && `c${random.below(3)}`, port: server, port_id: server } // prettier-ignore
  }
  const sided = (side: string, of: Record<string, string>) =>
    Object.fromEntries(Object.entries(of).map(([part, value]) => [`${side}_${part}`, value]))
  return Array.from({ length: rows }, () => {
    const [src, dst] = [end(), end()]
    const [sent, received] = [src.server !== '' && random.below(4) > 0, dst.server !== '' && random.below(2) > 0]
    const counts = { counts_sent: Number(sent), counts_received: Number(received && (!sent || random.below(2) > 0)) }
    const once = sent || (counts.counts_received === 1 && src.server === '') || (src.server === '' && dst.server === '')
    return { ...sided('src', src), ...sided('dst', dst), ...counts, counts_once: Number(once), flow_end: T0 + random.below(300_000), bytes: random.below(1e9), l2_bytes: random.below(1e9), packets: random.below(1e5), ip_protocol: random.pick([6, 17]) } // prettier-ignore
  })
}

describe('answers agree to the byte', { skip: NO_ENGINE }, () => {
  let engine: Engine
  before(async () => {
    engine = await Engine.open()
    await engine.insert([...RECORDS, ...randomRecords(new Random(7), 4000)])
  })
  after(() => engine.close())
  const sum = (rows: readonly Row[], figure: string) => rows.reduce((all, row) => all + Number(row[figure]), 0)
  const top = async (dimensions: string[], more = {}) =>
    (await askTop(engine.store, { dimensions, n: '1000', ...more }, NOW)).rows

  for (const entity of ENTITY_NAMES)
    it(`matrix ${entity} and top ${entity}`, async () => {
      const groups = await top([entity])
      const { rows: pairs } = await askMatrix(engine.store, { of: entity, n: '10000' }, NOW)
      const key = entity === 'host' ? 'host' : `${entity}_id`
      assert.ok(groups.length >= 3)
      for (const measure of MEASURE_NAMES)
        for (const group of groups) {
          const from = pairs.filter((row) => row[`src_${key}`] === group[key])
          const to = pairs.filter((row) => row[`dst_${key}`] === group[key])
          assert.equal(sum(from, `sent_${measure}`), group[`sent_${measure}`], `${entity} ${measure}`)
          assert.equal(sum(to, `received_${measure}`), group[`received_${measure}`], `${entity} ${measure}`)
          const inside = from.filter((row) => row[`dst_${key}`] === group[key])
          const [out, back] = [from, to].map((rows) => rows.filter((row) => !inside.includes(row)))
          assert.equal(sum(out!, `sent_${measure}`) + sum(back!, `received_${measure}`) + sum(inside, measure), group[measure]) // prettier-ignore
        }
      // Every byte once, whatever it is grouped by.
      const all = sum(await top(['ip_protocol']), 'bytes')
      assert.equal(sum(pairs, 'bytes'), all)
      const conversations = await top([entity], { bidirectional: 'true' })
      assert.equal(sum(conversations, 'bytes'), all)
      assert.equal(sum(conversations, 'a_to_b_bytes') + sum(conversations, 'b_to_a_bytes'), all)
    })

  for (const dimensions of [['project'], ['server'], ['src_server', 'dst_server'], ['project', 'ip_protocol']])
    it(`series ${dimensions.join(' ')} and top`, async () => {
      const groups = await top(dimensions)
      const { rows } = await askSeries(engine.store, { dimensions, n: '100', step: '8s', last: '1h' }, NOW)
      const figures = FIGURES.filter((figure) => groups[0]?.[figure] !== undefined)
      const of = (group: Row) =>
        rows.filter((row) => row['row'] === 'group' && Object.keys(row).every((name) => ['time', 'row', ...FIGURES].includes(name) || row[name] === group[name])) // prettier-ignore
      for (const group of groups.slice(0, 100)) {
        const own = of(group)
        for (const figure of figures) assert.equal(sum(own, figure), group[figure], figure)
      }
      const steps = new Set(rows.map(({ time }) => time))
      assert.ok(steps.size >= 38)
    })

  it('series without a dimension, the other series, and all traffic', async () => {
    const all = sum(await top(['ip_protocol']), 'bytes')
    const { rows } = await askSeries(engine.store, { dimensions: [], step: '1m', last: '1h' }, NOW)
    assert.equal(sum(rows, 'bytes'), all)
    const several = await askSeries(engine.store, { dimensions: ['src_server'], n: '2', step: '1m', last: '1h' }, NOW)
    assert.equal(new Set(several.rows.map((row) => `${String(row['row'])} ${String(row['src_server_id'])}`)).size, 3)
    assert.equal(sum(several.rows, 'bytes'), all)
  })

  it('rows, other and total of top', async () => {
    for (const dimensions of [['server'], ['src_server']]) {
      const groups = await top(dimensions)
      const rows = await top(dimensions, { n: '3', with: 'all', last: '1h' })
      const [other, total] = ['other', 'total'].map((name) => rows.find(({ row }) => row === name))
      const shown = rows.filter(({ row }) => row === 'group')
      assert.deepEqual(shown.map(({ bytes }) => bytes), groups.slice(0, 3).map(({ bytes }) => bytes)) // prettier-ignore
      for (const figure of dimensions[0] === 'server' ? ['sent_bytes', 'received_packets'] : ['bytes', 'packets']) {
        assert.equal(sum(shown, figure) + Number(other?.[figure]), total?.[figure])
        assert.equal(sum(groups, figure), total?.[figure])
      }
      // Every byte with a known end once; no sum of parts that hold some of it twice.
      assert.ok(Number(total?.['bytes']) <= sum(groups, 'bytes'))
      for (const row of shown) {
        assert.equal(row['share'], Number(row['bytes']) / Number(total?.['bytes']))
        assert.equal(
          (row['trend'] as number[]).reduce((a, b) => a + b),
          row['bytes'],
        )
        assert.equal((row['trend'] as number[]).length, 24)
      }
    }
  })

  it('the total of entities is every byte once that has a known end', async () => {
    const rows = await top(['project'], { with: 'totals' })
    const { rows: pairs } = await askMatrix(engine.store, { n: '10000' }, NOW)
    const known = pairs.filter((row) => row['src_project_id'] !== '' || row['dst_project_id'] !== '')
    const counted = known.reduce((all, row) => {
      if (row['src_project_id'] === '') return all + Number(row['received_bytes'])
      return all + Number(row[row['dst_project_id'] === '' ? 'sent_bytes' : 'bytes'])
    }, 0)
    assert.equal(rows.find(({ row }) => row === 'total')?.['bytes'], counted)
  })

  it('--compare and top of the span before', async () => {
    const span = { from: String(T0 + 150_000), to: String(T0 + 300_000) }
    const past = await top(['server'], { from: String(T0), to: String(T0 + 150_000) })
    const rows = await top(['server'], { ...span, compare: '150s', with: 'totals' })
    for (const row of rows.filter((one) => one['row'] === 'group')) {
      const then = Number(past.find((one) => one['server_id'] === row['server_id'])?.['bytes'] ?? 0)
      assert.equal(row['bytes_before'], then)
      assert.equal(row['bytes_change'], then === 0 ? null : (Number(row['bytes']) - then) / then)
    }
    const total = rows.find(({ row }) => row === 'total')
    const [was] = await top(['server'], { from: String(T0), to: String(T0 + 150_000), with: 'totals' }).then((all) => all.filter(({ row }) => row === 'total')) // prettier-ignore
    assert.equal(total?.['bytes_before'], was?.['bytes'])
  })
})
