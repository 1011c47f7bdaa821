import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { buildApi } from '../../src/api/server.ts'

const app = buildApi({
  store: { name: 'none', query: () => Promise.reject(new Error('not asked')) },
  metricsText: () => '',
})

describe('answers of the API', () => {
  for (const path of ['/healthz', '/metrics', '/api/v1/nowhere', '/api/v1/top?nonsense=1', '/%'])
    it(`tell browsers to keep to themselves what they show: ${path}`, async () => {
      const { headers } = await app.inject(path)
      assert.equal(headers['x-content-type-options'], 'nosniff')
      assert.equal(headers['x-frame-options'], 'DENY')
      assert.equal(headers['referrer-policy'], 'no-referrer')
      assert.match(String(headers['content-security-policy']), /default-src 'none'/)
      assert.equal(headers['cache-control'], 'no-store')
      assert.equal(headers['access-control-allow-origin'], undefined)
      assert.equal(headers['server'], undefined)
      assert.equal(headers['x-powered-by'], undefined)
    })

  it('keep what a route says itself', async () => {
    const { headers } = await app.inject('/api/v1/openapi.json')
    assert.equal(headers['cache-control'], 'public, max-age=300')
    assert.match(String((await app.inject('/api/docs')).headers['content-security-policy']), /script-src/)
  })
})

describe('requests that are too large', () => {
  it('are refused before they are read', async () => {
    const body = await app.inject({ method: 'POST', url: '/api/v1/top', payload: 'x'.repeat(100_000) })
    assert.ok([405, 413].includes(body.statusCode), String(body.statusCode))
    const long = await app.inject(`/api/v1/top?filter=${'a'.repeat(20_000)}`)
    assert.equal(long.statusCode, 400)
    const many = await app.inject(`/api/v1/top?${'dimension=server&'.repeat(500)}`)
    assert.equal(many.statusCode, 400)
  })
})
