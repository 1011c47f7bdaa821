import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { buildApi, listenApi } from '../../src/api/server.ts'
import { AppError } from '../../src/errors.ts'
import { askFlows, askTop } from '../../src/query/ask.ts'
import { Engine } from '../query/engine.ts'
import { RECORDS, T0 } from '../query/records.ts'
import { NO_ENGINE } from '../store/engine.ts'

const NOW = T0 + 60_000

describe('the API', { skip: NO_ENGINE }, () => {
  let engine: Engine
  let app: FastifyInstance
  before(async () => {
    engine = await Engine.open()
    await engine.insert(RECORDS)

    app = buildApi({ store: engine.store, metricsText: () => '# TYPE up gauge\nup 1\n', now: () => NOW })
  })
  after(async () => {
    await app.close()
    await engine.close()
  })
  const get = (url: string) => app.inject({ method: 'GET', url })

  it('says that it is well, and whose it is', async () => {
    const { statusCode, body } = await get('/healthz')
    assert.equal(statusCode, 200)
    assert.deepEqual(JSON.parse(body), { status: 'ok', pid: process.pid, store: engine.store.name })
  })

  it('serves the metrics it is given', async () => {
    const { headers, body } = await get('/metrics')
    assert.match(String(headers['content-type']), /^text\/plain; version=0\.0\.4/)
    assert.equal(body, '# TYPE up gauge\nup 1\n')
  })

  it('answers top as the command line does', async () => {
    const { statusCode, headers, body } = await get(
      '/api/v1/top?dimension=project&dimension=server&by=sent_bytes&n=2&filter=project%20red&last=5m',
    )
    const request = { dimensions: ['project', 'server'], by: 'sent_bytes', n: '2', filter: 'project red', last: '5m' }
    assert.equal(statusCode, 200)
    assert.deepEqual(JSON.parse(body), (await askTop(engine.store, request, NOW)).rows)
    assert.equal(headers['ovsight-to'], new Date(NOW + 1).toISOString())
    assert.match(String(headers['ovsight-columns']), /^project,project_id,server,/)
  })

  it('answers flows as the command line does', async () => {
    const { body } = await get('/api/v1/flows?n=3')
    assert.deepEqual(JSON.parse(body), (await askFlows(engine.store, { n: '3' }, NOW)).rows)
  })

  it('tells in a header which span holds data', async () => {
    const { headers, body } = await get('/api/v1/flows?from=2020-01-01&to=2020-01-02')
    assert.equal(body, '[]')
    assert.match(
      decodeURIComponent(String(headers['ovsight-notes'])),
      /there are from 2026-01-01 00:00:00 to 00:00:01 UTC/,
    )
  })

  it('answers mistakes with problem details that carry the code and the position', async () => {
    const problem = async (url: string, status: number) => {
      const { statusCode, headers, body } = await get(url)
      assert.equal(statusCode, status)
      assert.match(String(headers['content-type']), /^application\/problem\+json/)
      return JSON.parse(body) as Record<string, unknown>
    }
    const filter = await problem('/api/v1/flows?filter=project%20red%20and%20sever%20web', 400)
    assert.equal(filter['code'], 'filter_invalid')
    assert.equal(filter['position'], 17)
    assert.match(String(filter['detail']), /did you mean server/)
    assert.equal((await problem('/api/v1/top?dimension=servr', 400))['code'], 'column_unknown')
    assert.equal((await problem('/api/v1/top?last=soon', 400))['code'], 'time_invalid')
    assert.match(String((await problem('/api/v1/top?filtre=tcp', 400))['detail']), /did you mean filter/)
    assert.equal((await problem('/api/v1/top?by=bytes&by=packets', 400))['code'], 'usage')
    const usage = await problem('/api/v1/flows?n=1000000000', 400)
    assert.equal(usage['detail'], 'parameter n "1000000000" is no number of rows; give 1 to 50000 (ovsight export writes any number of records)') // prettier-ignore
    assert.match(String((await problem('/api/v1/top?last=soon', 400))['detail']), /^parameter last "soon" is not a span; write/) // prettier-ignore
    assert.equal((await problem('/api/v1/nothing', 404))['type'], 'about:blank')
    const post = await app.inject({ method: 'POST', url: '/api/v1/top' })
    assert.deepEqual([post.statusCode, post.headers['allow']], [405, 'GET, HEAD'])
    assert.equal((await problem(`/api/v1/flows?filter=${'a'.repeat(20_000)}`, 400))['code'], 'usage')
  })

  it('asks no more of the store than a client reads, and lets go who reads nothing', async () => {
    const rows = 20_000
    await engine.insert(Array.from({ length: rows }, (_, i) => ({ ...RECORDS[0], flow_end: T0 + 100_000_000 + i })))
    let pages = 0
    const store = {
      name: engine.store.name,
      query: (plan: Parameters<typeof engine.store.query>[0]) => {
        if (/ORDER BY flow_end DESC/.test(plan.sql)) pages++
        return engine.store.query(plan)
      },
    }
    const api = buildApi({ store, metricsText: () => '', now: () => T0 + 200_000_000 })
    const url = new URL(await listenApi(api, '127.0.0.1', 0))
    const request = (socket: Socket) =>
      socket.write(`GET /api/v1/flows?last=2d HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n`)
    const stalled = connect(Number(url.port), url.hostname).pause()
    request(stalled)
    for (let quiet = 0, seen = -1; quiet < 5; quiet = pages === seen ? quiet + 1 : 0, seen = pages) await sleep(200)
    // Of five pages of 10 MB and more: what the kernel holds for both ends is in the first.
    assert.ok(pages >= 1 && pages <= 3, `${pages} pages`)
    api.server.setTimeout(100)
    const late = connect(Number(url.port), url.hostname).pause()
    request(late)
    for (let tries = 0; tries < 100 && (await open(api)) > 1; tries++) await sleep(100)
    assert.equal(await open(api), 1, 'only the first is left')
    stalled.destroy()
    api.server.setTimeout(0)
    const all = await (await fetch(new URL('/api/v1/flows?last=2d', url), { headers: { accept: 'application/x-ndjson' } })).text() // prettier-ignore
    assert.ok(all.split('\n').length > rows)
    await api.close()
  })

  it('tells a client of a failing store when to come back, and of a bug nothing', async () => {
    const bugs: unknown[] = []
    let error: Error = new AppError('store_unreachable', 'no answer from db:8123')
    const failing = buildApi({
      store: { name: 'x', query: () => Promise.reject(error) },
      metricsText: () => '',
      onBug: (bug) => bugs.push(bug),
    })
    const first = await failing.inject('/api/v1/flows')
    assert.equal(first.statusCode, 503)
    assert.equal(first.headers['retry-after'], '5')
    error = new Error('secret inside')
    const second = await failing.inject('/api/v1/flows')
    assert.equal(second.statusCode, 500)
    assert.doesNotMatch(second.body, /secret/)
    assert.deepEqual(bugs, [error])
    await failing.close()
  })

  it('says when its port is taken', async () => {
    const [first, second] = [
      buildApi({ store: engine.store, metricsText: () => '' }),
      buildApi({ store: engine.store, metricsText: () => '' }),
    ]
    const url = await listenApi(first, '127.0.0.1', 0)
    await assert.rejects(listenApi(second, '127.0.0.1', Number(new URL(url).port)), { code: 'port_in_use' })
    const long = await fetch(`${url}/api/v1/flows?filter=${'%E2%82%AC'.repeat(8000)}`)
    assert.equal(long.status, 400)
    assert.equal(((await long.json()) as { code: string }).code, 'filter_invalid')
    await first.close()
    await second.close()
  })
})

/** Connections to a server. */
function open({ server }: FastifyInstance): Promise<number> {
  return new Promise((resolve, reject) =>
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
  )
}
