import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { NO_ENGINE } from '../store/engine.ts'
import { collector, ovsight, temporary, within } from './cli.ts'

describe('a collector that wants tokens', { skip: NO_ENGINE }, () => {
  it('lets in the command line beside it, and over HTTP only who has a token, made while it runs', async () => {
    const data = temporary()
    const running = await collector(['--data', data, '--http-auth', 'on'])
    try {
      const { code, stdout, stderr } = await ovsight(['top', '--data', data, '-f', 'json'])
      assert.deepEqual([code, stdout], [0, '[]\n'], stderr)
      assert.equal((await within(['identity', 'status', '--data', data])).code, 0)
      assert.equal(statSync(join(data, 'collector.json')).mode & 0o777, 0o600)
      const get = async (path: string, token?: string) =>
        (await fetch(`${running.url}${path}`, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } })).status // prettier-ignore
      assert.deepEqual([await get('/api/v1/top'), await get('/metrics'), await get('/healthz')], [401, 401, 200])
      const make = async (...words: string[]) =>
        (await within(['token', 'create', '--data', data, ...words])).stdout.trim()
      const [operator, project] = [await make(), await make('--project', 'a'.repeat(32))]
      assert.deepEqual([await get('/metrics', operator), await get('/api/v1/top', operator)], [200, 200])
      assert.deepEqual([await get('/metrics', project), await get('/api/v1/top', project)], [403, 200])
      // The same from another machine: by URL and token.
      const away = ['--url', running.url]
      const file = join(data, 'token.txt')
      writeFileSync(file, `${operator}\n`)
      for (const words of [
        ['top', '--timing'],
        ['flows'],
        ['matrix'],
        ['series'],
        ['exporters'],
        ['audit'],
        ['identity', 'status'],
        ['identity', 'show', 'hosts'],
        ['store', 'status'],
        ['show', 'config', '--running'],
      ]) {
        const { code: ended, stderr: said } = await within([...words, ...away, '--token-file', file])
        assert.equal(ended, 0, `${words.join(' ')} ${said}`)
        if (words[0] === 'top') assert.match(said, /^timing: start \d+ ms; answer \d+ ms, \d+ statements? \([\d ]+\); collector http/m) // prettier-ignore
      }
      const [own, foreign, none] = await Promise.all([
        within(['top', ...away], { OVSIGHT_TOKEN: project }),
        within(['exporters', ...away], { OVSIGHT_TOKEN: project }),
        ovsight(['flows'], undefined, { OVSIGHT_URL: running.url }),
      ])
      assert.deepEqual([own.code, foreign.code, none.code], [0, 10, 10], own.stderr)
      assert.match(foreign.stderr, /not_allowed/)
      assert.match(none.stderr, /a token is needed/)
      const id = /^ovs_([0-9a-f]{8})_/.exec(operator)![1]!
      assert.equal((await within(['token', 'revoke', id, '--data', data])).code, 0)
      assert.equal(await get('/metrics', operator), 401)
    } finally {
      await running.stop()
    }
    const asked = readFileSync(join(data, 'asked.jsonl'), 'utf8').trim().split('\n')
    assert.ok(asked.some((line) => /"who":"the command line here".*"status":200/.test(line)))
    assert.ok(asked.some((line) => /"project":"a{32}".*\/metrics.*"status":403/.test(line)))
  })
})
