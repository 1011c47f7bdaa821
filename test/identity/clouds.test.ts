import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { AppError } from '../../src/errors.ts'
import { loadCloud } from '../../src/identity/sources/openstack/clouds.ts'

const home = mkdtempSync(join(tmpdir(), 'ovsight-clouds-'))
const cwd = join(home, 'work')
mkdirSync(join(home, '.config', 'openstack'), { recursive: true })
mkdirSync(cwd)
writeFileSync(
  join(home, '.config', 'openstack', 'clouds.yaml'),
  `clouds:
  one:
    auth: { auth_url: https://one:5000/v3, username: u, project_name: p }
    region_name: R1
    verify: false
  two:
    auth_type: v3applicationcredential
    auth: { auth_url: https://two:5000, application_credential_id: abc }
    interface: internal
`,
)
writeFileSync(
  join(home, '.config', 'openstack', 'secure.yaml'),
  'clouds: { one: { auth: { password: s1 } }, two: { auth: { application_credential_secret: s2 } } }\n',
)
after(() => rmSync(home, { recursive: true }))

const load = (name?: string, env: Record<string, string> = {}, from = cwd) => loadCloud(name, { env, cwd: from, home })
const faults = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof AppError)
    assert.equal(error.code, 'config_invalid')
    return [error.message, ...error.details].join('\n')
  }
  throw new Error('no fault')
}

describe('clouds.yaml and OS_* by the rules of openstacksdk', () => {
  it('merges secure.yaml over clouds.yaml', () => {
    assert.equal(load('one').auth.password, 's1')
    assert.equal(load('one').verify, false)
    assert.equal(load('one').region, 'R1')
    const two = load('two')
    assert.deepEqual(
      [two.method, two.interface, two.auth.application_credential_secret],
      ['application_credential', 'internal', 's2'],
    )
  })

  it('prefers the name given, then OS_CLOUD, then the OS_* variables, and does not mix them', () => {
    const env = { OS_AUTH_URL: 'http://env:5000', OS_USERNAME: 'e', OS_PASSWORD: 'x', OS_TENANT_NAME: 'old' }
    assert.equal(load('two', { ...env, OS_CLOUD: 'one' }).name, 'two')
    assert.equal(load(undefined, { ...env, OS_CLOUD: 'one' }).auth.username, 'u')
    const fromEnv = load(undefined, env)
    assert.deepEqual([fromEnv.name, fromEnv.auth.username, fromEnv.auth.project_name], ['envvars', 'e', 'old'])
  })

  it('takes the nearest file: the working directory before the home directory', () => {
    const near = mkdtempSync(join(tmpdir(), 'ovsight-near-'))
    writeFileSync(
      join(near, 'clouds.yaml'),
      'clouds: { only: { auth: { auth_url: http://x, username: u, password: p } } }\n',
    )
    try {
      assert.equal(load(undefined, {}, near).name, 'only')
    } finally {
      rmSync(near, { recursive: true })
    }
  })

  it('names all clouds when the one asked for is missing', () => {
    assert.match(
      faults(() => load('three')),
      /no cloud "three".*has one, two/,
    )
    assert.match(
      faults(() => load()),
      /no cloud is named[\s\S]*--os-cloud/,
    )
  })

  it('lists every fault of a cloud at once, without any secret', () => {
    const text = faults(() => load(undefined, { OS_AUTH_URL: 'not a url', OS_INTERFACE: 'odd', OS_PROJECT_NAME: 'p' }))
    for (const part of ['auth.auth_url', 'auth.username', 'auth.password', 'interface'])
      assert.ok(text.includes(part), text)
  })
})
