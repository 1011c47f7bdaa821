import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { Asked } from '../../src/api/access.ts'
import { AskedLog } from '../../src/api/asked-log.ts'
import { KeystoneTokens } from '../../src/api/keystone.ts'
import { RateLimit } from '../../src/api/rate.ts'
import { buildApi, type ApiOptions } from '../../src/api/server.ts'
import { createToken, readTokens, revokeToken, TokenBook } from '../../src/api/tokens.ts'
import { AppError } from '../../src/errors.ts'
import { run } from '../cli/run.ts'

const NOW = Date.UTC(2026, 0, 1)
const directory = mkdtempSync(join(tmpdir(), 'ovsight-tokens-'))
after(() => rmSync(directory, { recursive: true }))

const EMPTY = { name: 'none', query: () => Promise.resolve({ rows: [] }) }

function apiOf(access: Partial<NonNullable<ApiOptions['access']>>, now = () => NOW) {
  const asked: Asked[] = []
  const app = buildApi({
    store: EMPTY,
    metricsText: () => 'up 1\n',
    now,
    access: { tokens: new TokenBook(directory), requestsPerMinute: 1000, onAsked: (one) => asked.push(one), ...access },
  })
  const get = async (url: string, headers: Record<string, string> = {}) => {
    const answer = await app.inject({ url, headers })
    const problem =
      answer.statusCode >= 400 ? (JSON.parse(answer.body) as { code?: string; detail: string }) : undefined
    return { status: answer.statusCode, code: problem?.code, detail: problem?.detail, headers: answer.headers }
  }
  return { app, asked, get }
}
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

describe('who may ask', () => {
  const operator = createToken(directory, { project: null, name: 'op', expiresMs: null }, NOW)
  const blue = createToken(directory, { project: 'p-blue', name: 'blue', expiresMs: NOW + 1000 }, NOW)

  it('is nobody without a token, but for what is open', async () => {
    const { get } = apiOf({})
    for (const url of ['/metrics', '/api/v1/top', '/api/v1/flows', '/api/v1/nothing']) {
      const { status, code, headers } = await get(url)
      assert.deepEqual([status, code], [401, 'token_missing'], url)
      assert.match(String(headers['www-authenticate']), /^Bearer/)
    }
    for (const url of ['/healthz', '/api/docs', '/api/v1/openapi.json']) assert.equal((await get(url)).status, 200, url)
  })

  it('is not one with a forged, damaged, expired or revoked token', async () => {
    let now = NOW
    const { get } = apiOf({}, () => now)
    assert.equal((await get('/api/v1/top', bearer(blue.token))).status, 200)
    const other = createToken(directory, { project: null, name: '', expiresMs: null }, NOW).token
    const forged = `${operator.token.slice(0, 13)}${other.slice(13)}`
    for (const token of [
      forged,
      operator.token.slice(0, -1),
      `${operator.token}x`,
      'x',
      'ovs_00000000_',
      operator.entry.hash,
      '../../etc/passwd',
      operator.token.replace('ovs_', 'OVS_'),
    ])
      // prettier-ignore
      assert.deepEqual((await get('/metrics', bearer(token))).code, 'token_refused', token)
    assert.equal((await get('/metrics', { authorization: operator.token })).code, 'token_missing')
    now += 1000
    assert.equal((await get('/api/v1/top', bearer(blue.token))).code, 'token_refused')
    const gone = createToken(directory, { project: null, name: 'gone', expiresMs: null }, NOW)
    assert.equal((await get('/metrics', bearer(gone.token))).status, 200)
    revokeToken(directory, gone.entry.id, NOW)
    assert.equal((await get('/metrics', bearer(gone.token))).code, 'token_refused')
  })

  it('is an operator for what is of all, and no project that is no more', async () => {
    const { get } = apiOf({ projectExists: (id) => (id === 'p-blue' ? false : undefined) })
    assert.equal((await get('/metrics', bearer(operator.token))).status, 200)
    assert.match((await get('/api/v1/top', bearer(blue.token))).detail ?? '', /no more/)
    const { get: alive } = apiOf({ projectExists: () => undefined })
    assert.equal((await alive('/metrics', bearer(blue.token))).code, 'not_allowed')
  })

  it('is told to wait when it asks too much, whoever else asks', async () => {
    let now = NOW
    const { get } = apiOf({ requestsPerMinute: 3 }, () => now)
    for (let i = 0; i < 3; i++) assert.equal((await get('/metrics', bearer(operator.token))).status, 200)
    const { status, code, headers } = await get('/metrics', bearer(operator.token))
    assert.deepEqual([status, code, headers['retry-after']], [429, 'rate_limited', '20'])
    assert.equal((await get('/api/v1/top', bearer(blue.token))).status, 200)
    now += 20_000
    assert.equal((await get('/metrics', bearer(operator.token))).code, undefined)
    const limit = new RateLimit(60, 10)
    for (let i = 0; i < 100; i++) limit.take(`client ${i}`, NOW)
    assert.equal(limit.take('client 0', NOW), 0)
  })

  it('is written down with what it asked, and without its token', async () => {
    const { get, asked } = apiOf({})
    await get('/api/v1/top?dimension=project', bearer(blue.token))
    await get('/metrics')
    assert.deepEqual(asked.map(({ who, project, request, status }) => [who, project, request, status]), [[`token ${blue.entry.id} blue`, 'p-blue', 'GET /api/v1/top?dimension=project', 200], ['', null, 'GET /metrics', 401]]) // prettier-ignore
    assert.ok(!JSON.stringify(asked).includes(blue.token.slice(13)))
    const log = new AskedLog(directory, (error) => assert.fail(error as Error))
    for (const one of asked) log.add(one)
    await log.flush()
    assert.equal(readFileSync(join(directory, 'asked.jsonl'), 'utf8').trim().split('\n').length, 2)
  })

  it('may be a token of Keystone, asked about once', async () => {
    let questions = 0
    const tokens: Record<string, unknown> = {
      member: { token: { expires_at: '2026-01-01T01:00:00Z', project: { id: 'p-blue', name: 'blue' }, user: { id: 'u', name: 'ann' }, roles: [{ name: 'member' }] } }, // prettier-ignore
      admin: { token: { expires_at: '2026-01-01T01:00:00Z', project: { id: 'p-admin' }, roles: [{ name: 'admin' }] } },
      unscoped: { token: { expires_at: '2026-01-01T01:00:00Z', roles: [] } },
      old: { token: { expires_at: '2025-01-01T01:00:00Z', project: { id: 'p-blue' } } },
    }
    const keystone = new KeystoneTokens((token) => {
      questions++
      if (token === 'down') return Promise.reject(new AppError('cloud_unreachable', 'no answer'))
      return tokens[token] === undefined ? Promise.reject(new AppError('cloud_refused', '404')) : Promise.resolve(tokens[token]) // prettier-ignore
    }, 100)
    let now = NOW
    const { get } = apiOf({ keystone }, () => now)
    const as = (token: string) => ({ 'x-auth-token': token })
    assert.equal((await get('/api/v1/top', as('member'))).status, 200)
    assert.equal((await get('/metrics', as('member'))).code, 'not_allowed')
    assert.equal(questions, 1)
    assert.equal((await get('/metrics', as('admin'))).status, 200)
    for (const token of ['unscoped', 'old', 'nobody', 'x'.repeat(5000)]) assert.equal((await get('/api/v1/top', as(token))).code, 'token_refused', token) // prettier-ignore
    assert.equal((await get('/api/v1/top', as('down'))).code, 'cloud_unreachable')
    now += 3_600_001
    const before = questions
    await get('/api/v1/top', as('member'))
    assert.equal(questions, before + 1)
  })

  it('may be one of any number of Keystone, of which it remembers so many, and tells of each that it forgets', async () => {
    const questions = new Map<string, number>()
    let forgotten = 0
    const expires = { token: { expires_at: '2026-01-01T01:00:00Z', project: { id: 'p-blue' } } }
    const keystone = new KeystoneTokens(
      (token) => {
        questions.set(token, (questions.get(token) ?? 0) + 1)
        return token === 'good' ? Promise.resolve(expires) : Promise.reject(new AppError('cloud_refused', '404'))
      },
      1_000,
      () => forgotten++,
    )
    const find = (token: string) => keystone.find(token, NOW)
    assert.equal((await find('good'))?.project, 'p-blue')
    for (let i = 0; i < 1_500; i++) assert.equal(await find(`made-up-${i}`), undefined)
    const { known } = keystone as unknown as { known: ReadonlyMap<string, unknown> }
    assert.equal(known.size, 1_000)
    assert.equal(forgotten, 501)
    // What a flood of tokens displaced is asked about once more, and right again.
    assert.equal((await find('good'))?.project, 'p-blue')
    await find('good')
    assert.equal(questions.get('good'), 2)
  })

  it('keeps hashes alone, in a file of its own', () => {
    const path = join(directory, 'tokens.json')
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert.ok(!readFileSync(path, 'utf8').includes(operator.token.slice(13)))
    assert.ok(readTokens(directory).length >= 4)
  })
})

describe('ovsight token', () => {
  it('makes, lists and revokes', async () => {
    const data = mkdtempSync(join(tmpdir(), 'ovsight-token-'))
    const token = (...words: string[]) => run(['token', ...words, '--data', data], { now: NOW })
    const made = await token('create', '--project', 'a'.repeat(32), '--name', 'x', '--expires', '1d')
    assert.match(made.stdout, /^ovs_[0-9a-f]{8}_[A-Za-z0-9_-]{43}\n$/)
    assert.ok(new TokenBook(data).find(made.stdout.trim(), NOW + 1))
    assert.equal(new TokenBook(data).find(made.stdout.trim(), NOW + 86_400_000), undefined)
    const listed = await token('list', '-f', 'json')
    const [entry] = JSON.parse(listed.stdout) as Record<string, string>[]
    assert.deepEqual([entry?.['project'], entry?.['name'], entry?.['state']], ['a'.repeat(32), 'x', 'good'])
    await token('revoke', entry!['id']!)
    assert.match((await token('list')).stdout, /revoked/)
    assert.equal((await token('revoke', 'nothing')).error?.code, 'usage')
    assert.equal((await token('create', '--expires', 'soon')).error?.code, 'time_invalid')
    writeFileSync(join(data, 'tokens.json'), '{"broken')
    assert.equal((await token('list')).error?.code, 'file_unreadable')
    rmSync(data, { recursive: true })
  })
})

describe('the OpenAPI document', () => {
  it('is 3.1, names every question and is not sent twice', async () => {
    const app = buildApi({ store: EMPTY, metricsText: () => '' })
    const first = await app.inject('/api/v1/openapi.json')
    const document = JSON.parse(first.body) as { openapi: string; paths: Record<string, { get: { parameters: { name: string }[] } }> } // prettier-ignore
    assert.equal(document.openapi, '3.1.0')
    for (const path of ['top', 'flows', 'matrix', 'series', 'names', 'explain', 'completeness'])
      assert.ok(document.paths[`/api/v1/${path}`]!.get.parameters.length > 0, path)
    // Every reference leads somewhere.
    for (const [, ref] of first.body.matchAll(/"\$ref":"#\/([^"]+)"/g))
      assert.ok(
        ref!.split('/').reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], document),
        ref,
      )
    const again = await app.inject({ url: '/api/v1/openapi.json', headers: { 'if-none-match': String(first.headers.etag) } }) // prettier-ignore
    assert.equal(again.statusCode, 304)
    const page = await app.inject('/api/docs')
    assert.match(String(page.headers['content-security-policy']), /default-src 'none'/)
    assert.doesNotMatch(page.body, /https?:\/\//)
    await app.close()
  })
})
