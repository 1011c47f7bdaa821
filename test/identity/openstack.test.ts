import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { AppError } from '../../src/errors.ts'
import { loadCloud } from '../../src/identity/sources/openstack/clouds.ts'
import { faultText } from '../../src/identity/sources/openstack/faults.ts'
import { LIST_NAMES } from '../../src/identity/sources/openstack/lists.ts'
import { mergeSections, toSections } from '../../src/identity/sources/openstack/model.ts'
import { readChanges, readCloud, readList, type CloudLists } from '../../src/identity/sources/openstack/read.ts'
import { CloudSession } from '../../src/identity/sources/openstack/session.ts'
import { RecordedCloud } from './recorded-cloud.ts'

const EMPTY_LISTS = Object.fromEntries(LIST_NAMES.map((name) => [name, []])) as unknown as CloudLists

let cloud = new RecordedCloud()
let session: CloudSession

function login(now?: () => number): CloudSession {
  const env = { OS_AUTH_URL: cloud.url, OS_USERNAME: 'u', OS_PASSWORD: 'secret', OS_PROJECT_NAME: 'admin' }
  return new CloudSession(loadCloud(undefined, { env, cwd: '/nowhere', home: '/nowhere' }), now)
}

function fails(code: string, text: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof AppError, String(error))
    assert.equal(error.code, code)
    assert.match([error.message, ...error.details].join('\n'), text)
    return true
  }
}

// The recorded token expires on 2026-11-22T08:18:16Z.
const RECORDED_AT = Date.parse('2026-11-22T07:30:00Z')

describe('reading an OpenStack cloud (recorded answers of a real one)', () => {
  before(() => cloud.listen())
  after(() => cloud.close())
  beforeEach(() => {
    cloud.who = 'admin'
    cloud.paging = false
    cloud.cutAt = undefined
    cloud.faults.length = 0
    cloud.requests.length = 0
    session = login(() => RECORDED_AT)
  })

  it('reads every list of the cloud with one login', async () => {
    const lists = await readCloud(session)
    assert.equal(lists.ports.length, 85)
    assert.equal(lists.agents.length, 4)
    assert.equal(lists.trunks.length, 1)
    assert.equal(lists.segments.length, 0, 'the extension is missing here, which is no fault')
    assert.equal(lists.projects.filter((project) => project['name'] === 'mujprojekt').length, 2)
    assert.ok(lists.servers.some((server) => server['name'] === 'instance-1'))
    assert.equal(cloud.requests.filter((line) => line.startsWith('POST')).length, 1)
  })

  it('follows paging links to the end and gives each entry once', async () => {
    const whole = await readList(session, 'ports')
    cloud.paging = true
    const paged = await readList(session, 'ports')
    assert.deepEqual(new Set(paged.map((port) => port['id'])), new Set(whole.map((port) => port['id'])))
    assert.equal(
      (await readList(session, 'servers')).length,
      (
        await readList(
          login(() => RECORDED_AT),
          'servers',
        )
      ).length,
    )
  })

  it('asks for changes with a time that Neutron accepts, and sees deleted servers', async () => {
    const changes = await readChanges(session, 'servers', new Date('2020-01-01T00:00:00.123Z'))
    assert.ok(changes.some((server) => server['status'] === 'DELETED'))
    assert.match(cloud.requests.at(-1)!, /changes-since=2020-01-01T00%3A00%3A00Z$/)
  })

  it('refuses the silently partial lists of readers and says what role is needed', async () => {
    cloud.who = 'system-reader'
    await assert.rejects(readCloud(session), fails('cloud_denied', /admin role/))
    cloud.who = 'project-reader-mujprojekt'
    await assert.rejects(readCloud(session), fails('cloud_denied', /admin role/))
  })

  it('does not believe that most ports are gone until asked a second time', async () => {
    await assert.rejects(
      readCloud(session, { ports: 1000 }),
      fails('cloud_incomplete', /85 entries, but there were 1000/),
    )
    assert.equal((await readCloud(session, { ports: 1000 }, true)).ports.length, 85)
  })

  it('logs in again once after a 401 and gives up on the second', async () => {
    await readList(session, 'agents')
    cloud.faults.push('neutron-expired-token-401')
    assert.equal((await readList(session, 'agents')).length, 4)
    assert.equal(cloud.requests.filter((line) => line.startsWith('POST')).length, 2)
    cloud.faults.push('neutron-expired-token-401', 'keystone-token-project', 'neutron-expired-token-401')
    await assert.rejects(readList(session, 'agents'), fails('cloud_denied', /requires authentication/))
  })

  it('renews the token before it expires', async () => {
    let now = RECORDED_AT
    const aging = login(() => now)
    await readList(aging, 'agents')
    now = Date.parse('2026-11-22T08:17:30Z')
    await readList(aging, 'agents')
    assert.equal(cloud.requests.filter((line) => line.startsWith('POST')).length, 2)
  })

  it('says in one line what each shape of fault says, and whether trying again may help', async () => {
    for (const [name, code, text] of [
      ['nova-neutron-down-servers', 'cloud_unreachable', /compute answered 500 .*Unexpected API Error/],
      ['nova-mysql-down', 'cloud_unreachable', /compute answered 500/],
      ['neutron-keystone-down-503', 'cloud_unreachable', /Keystone service is temporarily unavailable/],
      ['nova-servers-as-system-reader', 'cloud_denied', /get_all_tenants[\s\S]*admin role/],
      ['keystone-path-404', 'cloud_refused', /Not Found/],
    ] as const) {
      cloud.faults.push('keystone-token-project', name)
      await assert.rejects(
        readList(
          login(() => RECORDED_AT),
          'servers',
        ),
        fails(code, text),
      )
    }
    cloud.faults.push('keystone-token-wrong-password-401')
    await assert.rejects(readList(login(), 'servers'), fails('cloud_denied', /keystone answered 401[\s\S]*check user/))
  })

  it('takes a cut body for a fault at every length, never for a short list', async () => {
    await session.roles()
    for (let length = 0; length < 4200; length += 97) {
      cloud.cutAt = length
      await assert.rejects(readList(session, 'agents'), fails('cloud_unreachable', /not whole JSON/))
    }
  })

  it('names address and reason when nothing listens', async () => {
    const env = { OS_AUTH_URL: 'http://127.0.0.1:9/v3', OS_USERNAME: 'u', OS_PASSWORD: 'secret' }
    const down = new CloudSession(loadCloud(undefined, { env, cwd: '/nowhere', home: '/nowhere' }))
    await assert.rejects(
      down.roles(),
      fails('cloud_unreachable', /POST http:\/\/127\.0\.0\.1:9\/v3\/auth\/tokens failed: .*ECONNREFUSED/),
    )
  })
})

describe('fault texts', () => {
  it('strip markup, also from HTML pages, and stay in one bounded line', () => {
    assert.equal(faultText('<!doctype html><title>404</title><h1>Not Found</h1><p>gone</p>'), 'Not Found gone')
    assert.equal(faultText('{"message": "a<br /><br />\\nb\\n\\n", "code": "503 Service Unavailable"}'), 'a b')
    assert.ok(faultText('x'.repeat(10_000)).length <= 300)
  })
})

describe('the model of a real cloud', () => {
  before(() => {
    cloud = new RecordedCloud()
    return cloud.listen()
  })
  after(() => cloud.close())

  it('holds hosts with their tunnel addresses, both tenants on one address, and trunks', async () => {
    cloud.who = 'admin'
    cloud.faults.length = 0
    cloud.cutAt = undefined
    const { sections, warnings } = toSections(await readCloud(login(() => RECORDED_AT)), 'tcp:{address}:6640')
    assert.deepEqual(warnings, [])
    const hosts = new Map(sections.hosts.map((host) => [host.name, [host.addresses[0], host.ovsdb]]))
    assert.deepEqual(hosts.get('os-c0'), ['10.20.0.14', 'tcp:10.20.0.14:6640'])
    assert.deepEqual(hosts.get('os-c1'), ['10.20.0.23', 'tcp:10.20.0.23:6640'])
    const owners = sections.ports
      .filter((port) => port.fixed_ips.some((ip) => ip.ip_address === '192.168.10.8'))
      .map((port) => port.project_id)
    assert.equal(new Set(owners).size, 2)
    assert.equal(sections.trunks[0]?.sub_ports.length, 1)
  })

  it('loses one odd entry, not the list', async () => {
    const lists = await readCloud(login(() => RECORDED_AT))
    const odd = { ...lists, ports: [...lists.ports, { id: 'odd', mac_address: 'no', network_id: 'n' }] }
    const { sections, warnings } = toSections(odd)
    assert.equal(sections.ports.length, lists.ports.length)
    assert.match(warnings.join(), /ports "odd" is left out: mac_address: is not a MAC address/)
  })

  it('gives way to the file where both name the same thing', async () => {
    const { sections } = toSections(await readCloud(login(() => RECORDED_AT)))
    const [project] = sections.projects
    const file = { ...toSections({ ...EMPTY_LISTS }).sections, projects: [{ ...project!, name: 'renamed' }] }
    const merged = mergeSections(sections, file)
    assert.equal(merged.projects.length, sections.projects.length)
    assert.equal(merged.projects.find((one) => one.id === project!.id)?.name, 'renamed')
  })
})
