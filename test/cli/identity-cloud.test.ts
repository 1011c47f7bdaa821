/** `ovsight identity` against the recorded answers of a real cloud, read here or by a running collector. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { buildApi, listenApi } from '../../src/api/server.ts'
import { writeCollectorNote } from '../../src/cli/collector-note.ts'
import { identityApi } from '../../src/cli/identity-readings.ts'
import { loadConfig } from '../../src/config/load.ts'
import { LiveIdentity } from '../../src/identity/replica/live.ts'
import { ovsHost } from '../identity/replica-cloud.ts'
import { RecordedCloud } from '../identity/recorded-cloud.ts'
import { run, type Run } from './run.ts'

type Row = Record<string, string>

const cloud = new RecordedCloud()
const environment = () => ({
  OS_AUTH_URL: cloud.url,
  OS_USERNAME: 'admin',
  OS_PASSWORD: 'x',
  OS_PROJECT_NAME: 'admin',
})
const folder = mkdtempSync(join(tmpdir(), 'ovsight-identity-cloud-'))
before(() => cloud.listen())
after(async () => {
  await cloud.close()
  rmSync(folder, { recursive: true })
})
beforeEach(() => {
  cloud.who = 'admin'
  cloud.paging = false
  cloud.cutAt = undefined
  cloud.faults.length = 0
})

const identity = (...words: string[]): Promise<Run> => run(['identity', ...words], { env: environment() })

async function rows(...words: string[]): Promise<Row[]> {
  const { stdout, error } = await identity(...words, '-f', 'json')
  assert.equal(error, undefined, error?.message)
  return JSON.parse(stdout) as Row[]
}

const INSTANCE_1 = ['druhy on os-c0', 'mujprojekt on os-c0']

describe('identity of a cloud that is read here', () => {
  it('status says what the cloud gave', async () => {
    const [source, ...more] = await rows('status', '--os-cloud', 'envvars')
    assert.deepEqual(more, [])
    assert.deepEqual([source!['source'], source!['state']], ['openstack', 'ok'])
    assert.match(source!['says']!, /^\d+ projects, \d+ networks, 85 ports, \d+ servers$/)
  })

  it('show NAME finds whatever is called so, lists each with its id, and says what else has it', async () => {
    const { stdout, stderr } = await identity('show', 'instance-1', '--os-cloud', 'envvars', '-f', 'json')
    const found = JSON.parse(stdout) as Row[]
    assert.equal(new Set(found.map((row) => row['server_id'])).size, 2)
    assert.deepEqual(found.map((row) => `${row['project']} on ${row['host']}`).toSorted(), INSTANCE_1)
    assert.match(stderr, /\d+ ports have it too: ovsight identity show ports instance-1/)
    const none = await identity('show', 'severs', '--os-cloud', 'envvars')
    assert.match(none.error!.message, /severs is none of .*did you mean servers\?/)
  })

  for (const paging of [false, true])
    it(`show servers lists both tenants’ instance-1 apart${paging ? ', read page by page' : ''}`, async () => {
      cloud.paging = paging
      const found = await rows('show', 'servers', 'instance-1', '--os-cloud', 'envvars')
      assert.deepEqual(found.map((row) => `${row['project']} on ${row['host']}`).toSorted(), INSTANCE_1)
      assert.equal(new Set(found.map((row) => row['server_id'])).size, 2)
      assert.ok(found.every((row) => row['addresses']!.split(' ').includes('192.168.10.8')))
      assert.ok(found.every((row) => row['source'] === 'openstack'))
    })

  it('show ports tells everybody who has an address, with floating IP and since when', async () => {
    const found = await rows('show', 'ports', '192.168.10.8', '--os-cloud', 'envvars')
    const floating = found.map((row) => row['floating'] ?? '').toSorted()
    assert.deepEqual(floating, ['172.16.100.101', '172.16.100.102'])
    assert.ok(found.every((row) => /^\d{4}-\d\d-\d\dT/.test(row['since']!)))
  })

  for (const who of ['system-reader', 'project-reader-mujprojekt'] as const)
    it(`the partial list of a ${who} is refused with what to do, never shown as all there is`, async () => {
      cloud.who = who
      const [source] = await rows('status', '--os-cloud', 'envvars')
      assert.equal(source!['state'], 'fault')
      assert.match(source!['says']!, /admin role/)
      const { stdout, error } = await identity('show', 'ports', '--os-cloud', 'envvars')
      assert.equal(stdout, '')
      assert.equal(error?.code, 'cloud_unreachable')
      assert.match(error?.details.join() ?? '', /admin role/)
    })

  it('a cut answer, a database that is down, an expired token: each is one line that says what', async () => {
    for (const [fault, text] of [
      ['nova-mysql-down', /answered 500 .*Unexpected API Error/],
      ['neutron-keystone-down-503', /Keystone service is temporarily unavailable/],
      ['keystone-token-wrong-password-401', /check user/],
    ] as const) {
      const login = fault.startsWith('keystone') ? [] : ['keystone-token-project']
      cloud.faults.push(...login, fault, fault, fault, fault)
      const [source] = await rows('status', '--os-cloud', 'envvars')
      cloud.faults.length = 0
      assert.equal(source!['state'], 'fault')
      assert.match(source!['says']!, text)
      assert.ok(!source!['says']!.includes('\n'))
    }
    cloud.cutAt = 1_000
    const [cut] = await rows('status', '--os-cloud', 'envvars')
    cloud.cutAt = undefined
    assert.match(cut!['says']!, /not whole JSON/)
  })
})

describe('identity of a running collector', () => {
  let live: LiveIdentity
  let app: FastifyInstance
  let url: string

  before(async () => {
    const { config } = loadConfig({ flags: { os_cloud: 'envvars', data: folder, openstack_poll: '1h' } })
    const log = { info: () => {}, warn: () => {} }
    live = await LiveIdentity.start(config, {
      env: environment(),
      cwd: folder,
      home: folder,
      onSnapshot: () => {},
      log,
    })
    const store = { name: 'none', query: () => Promise.reject(new Error('nobody asks')) }
    app = buildApi({ store, metricsText: () => '', identity: identityApi(live) })
    url = await listenApi(app, '127.0.0.1', 0)
    writeCollectorNote(folder, url)
  })
  after(async () => {
    await app.close()
    await live.stop()
  })
  it('is asked when no source is named: status with age and counts', async () => {
    const [source] = await rows('status', '--data', folder)
    assert.deepEqual([source!['source'], source!['state'], source!['faults']], ['openstack', 'ok', '0'])
    assert.match(source!['age']!, / s$/)
    assert.match(source!['says']!, /85 ports/)
  })

  it('shows the same as reading the cloud does', async () => {
    for (const kind of ['ports', 'servers', 'networks', 'projects', 'hosts']) {
      const byId = (all: Row[]) => all.map((row) => JSON.stringify(row)).toSorted()
      const asked = await rows('show', kind, '--data', folder)
      const read = byId(await rows('show', kind, '--os-cloud', 'envvars'))
      // Not deepEqual: two lists of 85 ports are no message.
      assert.ok(JSON.stringify(byId(asked)) === JSON.stringify(read), kind)
    }
    const found = await rows('show', 'servers', 'instance-1', '--data', folder)
    assert.equal(found.length, 2)
  })

  it('resolves a record by what held at its time, which one that is read now cannot know', async () => {
    const on = live.replica.model.ports.filter((port) => port['binding:host_id'] === 'os-c0' && port.device_owner === 'compute:nova') // prettier-ignore
    const [first, second] = [on[0]!.id, on[1]!.id]
    const now = Date.now()
    live.replica.putOvs('os-c0', ovsHost('os-c0', [{ ofport: 5, iface: first }]), now - 200_000)
    live.replica.putOvs('os-c0', ovsHost('os-c0', [{ ofport: 5, iface: second }]), now - 100_000)
    live.replica.publish()
    const sourceAt = async (...at: string[]) => {
      const [source] = await rows('resolve', '--data', folder, '--host', 'os-c0', '--ofport', '5', ...at)
      return source!['port_id']
    }
    assert.equal(await sourceAt(), second)
    assert.equal(await sourceAt('--at', new Date(now - 150_000).toISOString()), first)
    const { error } = await identity('resolve', '--data', folder, '--host', 'nowhere', '--vlan', 'x')
    assert.equal(error?.code, 'usage')
    assert.match(error?.message ?? '', /there is no host nowhere/)
    assert.equal((await fetch(`${url}/api/v1/identity/resolve?colour=red`)).status, 400)
  })

  it('tells a fault of a source, while what it said last stands', async () => {
    cloud.cutAt = 100
    await live.pollCloud(true)
    const [source] = await rows('status', '--data', folder)
    assert.equal(source!['state'], 'fault')
    assert.match(source!['says']!, /not whole JSON/)
    assert.equal((await rows('show', 'servers', 'instance-1', '--data', folder)).length, 2)
    cloud.cutAt = undefined
    await live.pollCloud(true)
    assert.equal((await rows('status', '--data', folder))[0]!['state'], 'ok')
  })

  it('gives at most what is asked for, and says so; wrong questions are refused', async () => {
    const few = await fetch(`${url}/api/v1/identity/show?kind=ports&n=3`)
    assert.equal(((await few.json()) as Row[]).length, 3)
    assert.match(decodeURIComponent(few.headers.get('ovsight-notes')!), /only the first 3/)
    for (const wrong of ['kind=ponies', 'n=0', 'n=x', 'what=ports']) {
      const response = await fetch(`${url}/api/v1/identity/show?${wrong}`)
      assert.equal(response.status, 400, wrong)
      assert.equal(((await response.json()) as { code: string }).code, 'usage')
    }
    assert.equal((await identity('show', 'ponies', '--data', folder)).error?.code, 'usage')
  })

  it('that does not run leaves the question without a source', async () => {
    const { error } = await identity('status', '--data', join(folder, 'elsewhere'))
    assert.equal(error?.code, 'usage')
    assert.match(error?.details.join() ?? '', /--identity FILE, --os-cloud NAME/)
  })
})
