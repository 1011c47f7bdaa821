/** No secret that was given, by whichever way, is in anything that ovsight says: standard output, errors, logs, the API, metrics, files. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { NO_ENGINE, collector, ovsight, temporary } from './cli.ts'
import { until } from './exports.ts'

/** Planted; no other text has them. */
const SECRETS = {
  url: 'S3cretOfTheUrl',
  query: 'S3cretInTheQuery',
  environment: 'S3cretOfTheEnvironment',
  keystone: 'S3cretOfKeystone',
  key: 'S3cretKeyMaterial',
} as const

/** Text in which a secret would show, however it is encoded. */
function leaks(said: string): string[] {
  return Object.entries(SECRETS).flatMap(([name, secret]) => {
    const forms = [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64').replace(/=+$/, '')]
    return forms.some((form) => said.includes(form)) ? [name] : []
  })
}

/** A server that ends every connection: whatever is said of it is an error. */
async function brokenServer() {
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}

function filesOf(directory: string): string[] {
  return readdirSync(directory).flatMap((name) => {
    const path = join(directory, name)
    return statSync(path).isDirectory() ? (name === 'db' ? [] : filesOf(path)) : [path]
  })
}

describe('secrets', { skip: NO_ENGINE }, () => {
  const directory = temporary()

  it('are in no answer and no error of the command line', async () => {
    const broken = await brokenServer()
    const url = `http://ovsight:${SECRETS.url}@127.0.0.1:${broken.port}/ovsight?password=${SECRETS.query}&token=${SECRETS.query}`
    const file = join(directory, 'ovsight.yaml')
    writeFileSync(file, `clickhouse: ${url}\n`)
    const env = {
      OVSIGHT_CLICKHOUSE: url,
      CLICKHOUSE_PASSWORD: SECRETS.environment,
      OVSIGHT_TOKEN: SECRETS.environment,
    }
    const data = join(directory, 'none')
    const runs: readonly (readonly [string[], object])[] = [
      [['show', 'config'], env],
      [['show', 'config', '--config', file], {}],
      [['show', 'config', '--clickhouse', url, '-f', 'json'], {}],
      [['show', 'config', '--clickhouse', `nonsense ${SECRETS.url}`.slice(9)], {}],
      [['top', '--clickhouse', url], { CLICKHOUSE_PASSWORD: SECRETS.environment }],
      [['collect', '--check', '--config', file, '--batch-rows', '1'], {}],
      [['collect', '--data', data, '--gre', 'off', '--bind', '127.0.0.1', ...['netflow', 'ipfix', 'sflow', 'vxlan', 'http'].flatMap((name) => [`--${name}-port`, '0'])], env],
      [['collect', '--data', data, '--os-cloud', 'envvars', '--check'], { OS_PASSWORD: SECRETS.keystone, OS_AUTH_URL: `http://127.0.0.1:${broken.port}/v3` }],
      [['identity', 'check', '--os-cloud', 'envvars'], { OS_PASSWORD: SECRETS.keystone, OS_USERNAME: 'admin', OS_PROJECT_NAME: 'p', OS_USER_DOMAIN_NAME: 'd', OS_PROJECT_DOMAIN_NAME: 'd', OS_AUTH_URL: `http://127.0.0.1:${broken.port}/v3` }],
    ] // prettier-ignore
    for (const [words, given] of runs) {
      const { stdout, stderr } = await ovsight(words, undefined, given)
      assert.deepEqual(leaks(stdout + stderr), [], `${words.slice(0, 2).join(' ')}: ${stdout.slice(0, 400)} ${stderr}`)
    }
    broken.close()
  })

  it('are in nothing that a collector says, writes down or answers', async () => {
    const broken = await brokenServer()
    const data = join(directory, 'data')
    const file = join(directory, 'collector.yaml')
    const key = join(directory, 'api.key')
    writeFileSync(key, `-----BEGIN PRIVATE KEY-----\n${SECRETS.key}\n-----END PRIVATE KEY-----\n`)
    const clouds = join(directory, 'clouds.yaml')
    writeFileSync(clouds, JSON.stringify({ clouds: { prod: { auth: { auth_url: `http://127.0.0.1:${broken.port}/v3`, username: 'admin', password: SECRETS.keystone, project_name: 'p', user_domain_name: 'd', project_domain_name: 'd' } } } })) // prettier-ignore
    writeFileSync(file, `os_cloud: prod\nopenstack_poll: 1s\nlog_level: debug\n`)
    try {
      const token = (await ovsight(['token', 'create', '--data', data])).stdout.trim()
      const running = await collector(['--config', file, '--data', data, '--http-auth', 'on'], {
        env: { OS_CLIENT_CONFIG_FILE: clouds },
      })
      const said: string[] = []
      const get = async (path: string, bearer = token) => {
        const answer = await fetch(`${running.url}${path}`, { headers: { authorization: `Bearer ${bearer}` } })
        said.push(await answer.text(), JSON.stringify([...answer.headers]))
        return answer.status
      }
      for (const path of ['/metrics', '/healthz', '/api/v1/status', '/api/v1/config', '/api/v1/identity/status', '/api/v1/top', '/api/v1/flows', '/nowhere'])
        await get(path) // prettier-ignore
      await get('/api/v1/top', SECRETS.environment)
      const { pid } = (await (await fetch(`${running.url}/healthz`)).json()) as { pid: number }
      // A reload that is wrong in every way that has a secret near it.
      writeFileSync(file, `clickhouse: "http://u:${SECRETS.url}@[bad"\napi_tls_cert: ${key}\napi_tls_key: ${key}\n`)
      process.kill(pid, 'SIGHUP')
      await until('the refusal', async () => {
        await get('/api/v1/status')
        return /"failures":1/.test(said.at(-2)!)
      })
      await sleep(1_200)
      await get('/api/v1/identity/status')
      const { stdout, stderr } = await running.stop()
      assert.match(stderr, /the old one stays in force/)
      assert.deepEqual(leaks(said.join('\n') + stdout + stderr), [], stderr)
      assert.ok(![...said, stdout, stderr].some((text) => text.includes(token)), 'the token is said')
      for (const path of filesOf(data)) {
        const text = readFileSync(path, 'latin1')
        assert.deepEqual(leaks(text), [], path)
        assert.ok(!text.includes(token), path)
      }
    } finally {
      broken.close()
    }
  })
})
