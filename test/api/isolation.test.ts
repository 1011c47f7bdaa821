import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { RESOURCES } from '../../src/api/answers.ts'
import { buildApi } from '../../src/api/server.ts'
import { createToken, TokenBook } from '../../src/api/tokens.ts'
import { DIMENSION_NAMES, ENTITY_NAMES } from '../../src/query/dimensions.ts'
import { printFilter } from '../../src/query/filter/print.ts'
import { figureNames } from '../../src/query/measures.ts'
import { askTop } from '../../src/query/ask.ts'
import type { Asker } from '../../src/query/plan.ts'
import { scopedAsker, scopedPlan } from '../../src/query/scope.ts'
import { COLUMN_NAMES } from '../../src/schema/columns.ts'
import { randomTree, randomValue } from '../query/filter/trees.ts'
import { Engine, type Record_ } from '../query/engine.ts'
import { Random } from '../query/random.ts'
import { T0 } from '../query/records.ts'
import { NO_ENGINE } from '../store/engine.ts'

/**
 * Two stores that differ in everything blue may not know: the traffic among others, and of those that talk to blue all but the fact.
 * What a project's questions read is a view, and both stores have the same one, row by row. So whatever blue asks, both give the same
 * bytes: that is looked at for some questions, and for all that nothing secret is in them. `npm run test:isolation` asks 20,000.
 */
const QUESTIONS = Number(process.env['ISOLATION_QUESTIONS'] ?? 2000)
/** Every so many is asked of both. */
const OF_BOTH = 10
/** Questions under way: the engine answers four at a time. */
const AT_ONCE = 4
const NOW = T0 + 600_000
const BLUE = 'p-blue'

function foreigner(random: Random, of: string): Record<string, string | number> {
  // One of them is called as one of blue's, so that names could be ambiguous.
  const name = [`${of}-secret-0`, `${of}-secret-1`, of === 'a' ? 'blue-1' : 'b-secret-2'][random.below(3)]!
  const id = `${of}-secret-${name}`
  return { project: `${of}-secret`, project_id: `p-${of}-secret`, server: name, server_id: `s-${id}`, port: name, port_id: `i-${id}`, network: `${of}-secret-net`, network_id: `n-${of}-secret`, host: `${of}-secret-host`, kind: 'server', grade: random.pick(['port', 'mac']), evidence: random.pick(['ofport', 'network_mac']), router_id: `${of}-secret-router`, mac: random.below(2 ** 40), addr: `::ffff:${of === 'a' ? '10.66' : '10.77'}.0.${random.below(9)}`, candidates: random.below(3) } // prettier-ignore
}

function own(random: Random): Record<string, string | number> {
  const name = `blue-${random.below(3)}`
  return { project: 'blue', project_id: BLUE, server: name, server_id: `s-${name}`, port: name, port_id: `i-${name}`, network: 'blue-net', network_id: 'n-blue', kind: 'server', grade: 'port', mac: random.below(2 ** 20), addr: `::ffff:192.168.0.${random.below(5)}` } // prettier-ignore
}

function outside(random: Random): Record<string, string | number> {
  return { kind: 'external', grade: 'external', addr: `::ffff:8.8.8.${random.below(5)}` }
}

/** The records of one world. What both worlds share is drawn from `shared`, the rest from `secret`. */
function world(name: 'a' | 'b'): Record_[] {
  const [shared, secret] = [new Random(5), new Random(name === 'a' ? 11 : 23)]
  const sided = (side: string, end: Record<string, string | number>) =>
    Object.fromEntries(Object.entries(end).map(([part, value]) => [`${side}_${part}`, value]))
  const hidden = () => ({ exporter: `::ffff:10.99.0.${secret.below(200)}`, agent: `::ffff:10.99.1.${secret.below(200)}`, observation_domain: secret.below(99), sequence: secret.below(1e6), in_if: secret.below(99), out_if: secret.below(99), in_if_name: `${name}-secret-tap`, exporter_host: `${name}-secret-host`, bridge: `${name}-secret-br`, vlan: secret.below(4000), tunnel_key: secret.below(9999), tunnel_src_addr: `::ffff:10.98.0.${secret.below(200)}` }) // prettier-ignore
  const record = (random: Random, i: number, src: Record<string, string | number>, dst: Record<string, string | number>): Record_ => ({ ...sided('src', src), ...sided('dst', dst), ...hidden(), flow_end: T0 + i * 300 + random.below(100), time_received: T0 + i * 300 + 200, ip_version: 4, ip_protocol: random.pick([6, 17]), src_l4_port: random.below(9), dst_l4_port: random.pick([80, 443]), bytes: random.below(1e6), l2_bytes: random.below(1e6), packets: random.below(1e3), sampling_rate: 1, role: 'sent', traffic_class: 'routed', counts_sent: random.below(2), counts_received: random.below(2), counts_once: 1 }) // prettier-ignore
  const mixed = Array.from({ length: 150 }, (_, i) => {
    const other =
      shared.below(2) === 0 ? foreigner(secret, name) : shared.below(2) === 0 ? outside(shared) : own(shared)
    const mine = own(shared)
    return shared.below(2) === 0 ? record(shared, i, mine, other) : record(shared, i, other, mine)
  })
  const foreign = Array.from(
    { length: name === 'a' ? 200 : 77 },
    (_, i) =>
    record(secret, i * (name === 'a' ? 1 : 3), foreigner(secret, name), secret.below(2) === 0 ? foreigner(secret, name) : outside(secret)), // prettier-ignore
  )
  return [...mixed, ...foreign]
}

const FOR_OPERATORS = ['/metrics', '/api/v1/identity/status', '/api/v1/identity/show?kind=hosts', '/api/v1/completeness', '/api/v1/exporters', '/api/v1/audit', '/api/v1/audit?of=a-secret-1', '/api/v1/store', '/api/v1/store?columns=true'] // prettier-ignore

/** A question of any endpoint; `ids` are of records, blue's own and others'. */
function question(random: Random, ids: readonly string[]): string {
  const kind = random.below(20)
  if (kind === 0) return random.pick(FOR_OPERATORS)
  if (kind <= 2) return `/api/v1/explain?id=${random.pick(ids)}`
  if (kind === 3) return `/api/v1/top?filter=${encodeURIComponent(`server a-secret-1 ${random.pick([')', 'and', 'or bytes > x', 'in [', 'and projct red', `and server ${'s'.repeat(random.below(9000))}`])}`)}` // prettier-ignore
  if (kind === 4) return `/api/v1/top?${random.pick(['dimension=secret', 'by=a-secret-1', 'n=0', 'last=a-secret', 'secret=1', 'with=secret', 'count=secret', 'from=2', 'compare=-1'])}` // prettier-ignore
  return answerable(random)
}

/** A question of one of the endpoints that projects may ask. */
function answerable(random: Random): string {
  const pick = <T>(...items: readonly T[]) => random.pick(items)
  const value: typeof randomValue = (of, field) =>
    field.type === 'text' ? of.pick(['a-secret-1', 'b-secret-1', 'p-a-secret', 'a-secret', 'blue-1', 'blue', 'another project', 'a-secret-net', '', 'blue-net', 'a-secret-host', '%secret%']) : randomValue(of, field) // prettier-ignore
  const words: [string, string][] = []
  const name = pick('top', 'top', 'top', 'matrix', 'matrix', 'series', 'flows', 'flows', 'names')
  if (name !== 'names' && random.below(3) > 0)
    words.push(['filter', printFilter(randomTree(random, random.below(3), value))])
  if (random.below(3) > 0) words.push(['last', pick('1h', '5m', '1s')])
  if (name === 'top' || name === 'series') {
    for (const one of random.list(0, 2, () => random.pick([...ENTITY_NAMES, ...DIMENSION_NAMES])))
      words.push(['dimension', one])
    words.push(['by', random.pick(figureNames(random.below(2) === 0))])
    if (random.below(3) === 0) words.push(['count', 'all'])
  }
  if (name === 'top') {
    if (random.below(2) === 0) words.push(['with', 'all'])
    if (random.below(4) === 0) words.push(['compare', '1m'])
    if (random.below(4) === 0) words.push(['bidirectional', 'true'])
  }
  if (name === 'matrix') words.push(['of', random.pick(ENTITY_NAMES)])
  if (name === 'names') words.push(['of', random.pick(ENTITY_NAMES)])
  if (name !== 'names') words.push(['n', pick('1', '5', '50')])
  if (name === 'flows' && random.below(2) === 0) words.push(['cursor', pick('start', 'zzzzzzzzz.zzzzzzzzz.zzzzzzz')])
  return `/api/v1/${name}?${new URLSearchParams(words).toString()}`
}

/** Whatever is of others alone. */
const SECRET = /[\w-]*secret[\w-]*|10\.(?:66|77|98|99)\.[\d.]+/g

/** The same statement is asked once: what is in a span, and which names there are, is part of every question. */
/** Statements that the engine did not answer. */
const FAILED: string[] = []

function remembering(store: Engine['store']): Asker & { name: string } {
  const answers = new Map<string, ReturnType<Asker['query']>>()
  const query: Asker['query'] = (plan) => {
    const key = JSON.stringify([plan.sql, plan.params])
    const known = answers.get(key)
    if (known !== undefined) return known
    if (answers.size > 5000) answers.clear()
    const answer = store.query(plan).catch((error: unknown) => {
      FAILED.push(`${(error as Error).message.slice(0, 300)} ${plan.sql} ${JSON.stringify(plan.params)}`)
      throw error
    })
    answers.set(key, answer)
    return answer
  }
  return { name: store.name, query }
}

describe('a project sees its own alone', { skip: NO_ENGINE }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'ovsight-access-'))
  const { token } = createToken(directory, { project: BLUE, name: 'blue', expiresMs: null }, NOW)
  const operatorToken = () => createToken(directory, { project: null, name: '', expiresMs: null }, NOW).token
  const worlds: { engine: Engine; app: FastifyInstance }[] = []
  before(async () => {
    for (const name of ['a', 'b'] as const) {
      const engine = await Engine.open()
      await engine.insert(world(name))
      const access = { tokens: new TokenBook(directory), requestsPerMinute: 1e9 }
      worlds.push({ engine, app: buildApi({ store: remembering(engine.store), metricsText: () => 'secret 1\n', access, now: () => NOW, onBug: (bug) => assert.fail(bug as Error) }) }) // prettier-ignore
    }
  })
  after(async () => {
    for (const { engine, app } of worlds) {
      await app.close()
      await engine.close()
    }
    rmSync(directory, { recursive: true })
  })
  const headers = { authorization: `Bearer ${token}` }
  const askOne = async ({ app }: { app: FastifyInstance }, url: string, more: Record<string, string>) => {
    const { statusCode: status, headers: answered, body } = await app.inject({ url, headers: { ...headers, ...more } })
    const kept = Object.entries(answered).filter(([name]) => name !== 'date')
    return { status, headers: kept, body }
  }
  /** The answer of the first world, in which nothing is that blue does not know or has not asked for. */
  const askFirst = async (
    url: string,
    more: Record<string, string> = {},
  ): Promise<{ status: number; body: string }> => {
    const answer = await askOne(worlds[0]!, url, more)
    const given = decodeURIComponent(url.replaceAll('+', ' '))
    const rows = answer.status === 200 ? answer.body : ''
    assert.doesNotMatch(rows, SECRET, given)
    // What blue itself asked for may come back in a message or a note.
    const notes = `${rows === '' ? answer.body : ''} ${decodeURIComponent(JSON.stringify(answer.headers))}`
    for (const [secret] of notes.matchAll(SECRET)) assert.ok(given.includes(secret), `${secret} in the answer to ${given}`) // prettier-ignore
    return answer
  }
  /** Both worlds' answers, which are the same. */
  const ask = async (url: string, more: Record<string, string> = {}): Promise<{ status: number; body: string }> => {
    const [a, b] = await Promise.all([askFirst(url, more), askOne(worlds[1]!, url, more)])
    assert.deepEqual(a, b, decodeURIComponent(url))
    return a
  }

  it('reads a view that is the same whatever the others do', async () => {
    const sql = `SELECT ${COLUMN_NAMES.join(', ')} FROM flows WHERE 1 ORDER BY ALL`
    const [a, b] = await Promise.all(worlds.map(({ engine }) => scopedAsker(engine.store, BLUE).query({ sql, params: {} }))) // prettier-ignore
    assert.equal(a!.rows.length, 150)
    assert.deepEqual(a!.rows, b!.rows)
    assert.doesNotMatch(JSON.stringify(a!.rows), SECRET)
  })

  it(`whatever it asks, ${QUESTIONS} times`, async () => {
    const random = new Random(77)
    const operator = await worlds[0]!.app.inject({ url: '/api/v1/flows?n=1000&last=1h', headers: { authorization: `Bearer ${operatorToken()}` } }) // prettier-ignore
    const ids = (JSON.parse(operator.body) as { id: string }[]).map(({ id }) => id)
    const seen = new Map<number, number>()
    let rows = 0
    let left = QUESTIONS
    const askers = Array.from({ length: AT_ONCE }, async () => {
      while (left > 0) {
        const both = left-- % OF_BOTH === 0
        const url = question(random, ids)
        const more: Record<string, string> = random.below(8) === 0 ? { accept: 'application/x-ndjson' } : random.below(8) === 0 ? { 'if-none-match': '*' } : {} // prettier-ignore
        const { status, body } = await (both ? ask : askFirst)(url, more)
        seen.set(status, (seen.get(status) ?? 0) + 1)
        if (status === 200) rows += body.startsWith('[') ? (JSON.parse(body) as unknown[]).length : body.split('\n').length - 1 // prettier-ignore
      }
    })
    await Promise.all(askers)
    assert.deepEqual(FAILED, [])
    assert.ok((seen.get(200) ?? 0) > QUESTIONS / 3 && rows > QUESTIONS, JSON.stringify([...seen, rows]))
    assert.deepEqual(
      [...seen.keys()].toSorted((a, b) => a - b),
      [200, 400, 403, 404],
    )
  })

  it('by every column as a group and as a filter', async () => {
    for (let i = 0; i < DIMENSION_NAMES.length; i += 8)
      await ask(`/api/v1/top?dimension=${DIMENSION_NAMES.slice(i, i + 8).join(',')}&n=100&last=1h`)
    for (const name of ['a-secret', 'b-secret-1'])
      for (const filter of [`project ${name}`, `server ${name}`, `not server ${name}`, `dst port_id like %${name}%`])
        for (const resource of ['flows', 'top', 'matrix', 'series'])
          await ask(`/api/v1/${resource}?last=1h&filter=${encodeURIComponent(filter)}`)
  })

  it('in pages, lines and stories of records', async () => {
    const { body } = await ask('/api/v1/flows?n=1000&last=1h')
    const rows = JSON.parse(body) as Record<string, string>[]
    assert.equal(rows.length, 150)
    assert.ok(rows.some((row) => row['dst_project'] === 'another project' && row['dst_addr'] === ''))
    assert.ok(rows.some((row) => row['dst_kind'] === 'external' && row['dst_addr'] !== ''))
    for (const { id } of rows.slice(0, 10)) await ask(`/api/v1/explain?id=${id}`)
    const lines = await ask('/api/v1/flows?last=1h', { accept: 'application/x-ndjson' })
    assert.equal(lines.body.trim().split('\n').length, 150)
    // An id that an operator has of a record among others, or of one of blue's.
    const operator = await worlds[0]!.app.inject({ url: '/api/v1/flows?n=1000&last=1h', headers: { authorization: `Bearer ${operatorToken()}` } }) // prettier-ignore
    const all = JSON.parse(operator.body) as Record<string, string>[]
    assert.equal(all.length, 350)
    const theirs = all.find((row) => row['src_project'] === 'a-secret' && row['dst_project'] !== 'blue')
    assert.equal((await ask(`/api/v1/explain?id=${theirs!['id']!}`)).status, 404)
  })

  it('of sums as of the records that they are of', async () => {
    const sums: string[] = []
    const store = { query: (plan: Parameters<Asker['query']>[0]) => (sums.push(plan.sql), worlds[0]!.engine.store.query(plan)) } // prettier-ignore
    const asker = scopedAsker(store, BLUE)
    // Whole minutes around all records, enough of them for the sums; then a span with odd ends, which is read of records alone.
    for (const dimensions of [['project'], ['server'], ['network', 'traffic_class'], ['src_project', 'dst_project']]) {
      const request = { dimensions, n: '1000', to: new Date(NOW).toISOString() }
      const ofSums = await askTop(asker, { ...request, from: new Date(T0 - 3_600_000).toISOString() }, NOW)
      assert.match(sums.at(-1)!, /FROM flows_1m AS raw WHERE raw\.src_project_id = /)
      const ofRecords = await askTop(asker, { ...request, from: new Date(T0).toISOString(), filter: 'bytes >= 0' }, NOW)
      assert.doesNotMatch(sums.at(-1)!, /flows_1m/)
      assert.ok(ofSums.rows.length > 0)
      assert.deepEqual(ofSums.rows, ofRecords.rows)
      assert.doesNotMatch(JSON.stringify(ofSums), SECRET)
    }
  })

  it('and nothing that is for operators', async () => {
    for (const url of [...FOR_OPERATORS, '/api/v1/nothing']) {
      const { status, body } = await ask(url)
      assert.ok(status === 403 || status === 404, `${url} ${status}`)
      if (!url.includes('secret')) assert.doesNotMatch(body, /secret/)
    }
    for (const [name, { projects }] of Object.entries(RESOURCES))
      assert.equal((await ask(`/api/v1/${name}?of=project&id=1.1`)).status === 403, !projects, name)
  })

  it('and no plan asks anything but its view', () => {
    const plan = { sql: 'SELECT a FROM flows WHERE x IN (SELECT y FROM (SELECT y FROM flows))', params: {} }
    const { sql, params } = scopedPlan(plan, BLUE)
    assert.deepEqual(params, { scope: BLUE })
    assert.equal(sql.match(/FROM flows AS raw WHERE raw\.src_project_id = \{scope:String\} OR raw\.dst_project_id/g)?.length, 2) // prettier-ignore
    assert.doesNotMatch(sql.replaceAll('FROM flows AS raw', ''), /FROM flows/)
    for (const bad of [
      'SELECT 1 FROM exporter_health',
      'SELECT 1 FROM default.flows',
      "SELECT 1 FROM url('x')",
      'SELECT 1 FROM flows JOIN names USING x',
      'SELECT 1 from system.tables',
      'SELECT 1 FROM flows, migrations',
    ])
      // prettier-ignore
      assert.throws(() => scopedPlan({ sql: bad, params: {} }, BLUE), /may not ask/, bad)
    const whole = scopedPlan({ sql: `SELECT ${COLUMN_NAMES.join(', ')} FROM flows`, params: {} }, BLUE).sql
    assert.ok(COLUMN_NAMES.every((column) => whole.includes(` AS ${column}`)))
  })
})
