/** All sources of a running collector together: real ovsdb-server, recorded OpenStack answers, an identity file. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { LiveIdentity, type LiveOptions } from '../../src/identity/replica/live.ts'
import { eventually, OVSDB_MISSING, RealOvsdb } from './real-ovsdb.ts'
import { RecordedCloud } from './recorded-cloud.ts'

const OPTIONS: LiveOptions = {
  identity: null,
  os_cloud: null,
  ovsdb: null,
  ovsdb_listen: null,
  ovn_southbound: null,
  ovsdb_key: null,
  ovsdb_cert: null,
  ovsdb_ca: null,
  openstack_poll: 100_000,
  openstack_full: 200_000,
  identity_grace: 600_000,
  ovsdb_forget: 3_600_000,
  max_calling_hosts: 2,
  data: '',
}

describe('identity of a running collector', () => {
  let dir: string
  let cloud: RecordedCloud
  let live: LiveIdentity | undefined
  let said: string[]

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'ovsight-live-'))
    cloud = new RecordedCloud()
    await cloud.listen()
    said = []
  })
  afterEach(async () => {
    await live?.stop()
    live = undefined
    await cloud.close()
    rmSync(dir, { recursive: true, force: true })
  })

  async function start(options: Partial<LiveOptions>): Promise<LiveIdentity> {
    const say = (text: string) => void said.push(text)
    live = await LiveIdentity.start(
      { ...OPTIONS, data: dir, ...options },
      {
        env: { OS_AUTH_URL: cloud.url, OS_USERNAME: 'admin', OS_PASSWORD: 'x', OS_PROJECT_NAME: 'admin' },
        cwd: dir,
        home: dir,
        onSnapshot: () => {},
        log: { info: say, warn: say },
      },
    )
    return live
  }

  const poll = (identity: LiveIdentity) => identity.pollCloud(true)
  const stateOf = (identity: LiveIdentity, kind: string) => identity.sources.find((source) => source.kind === kind)!

  it('knows the cloud from its first answer on, and says so', async () => {
    const identity = await start({ os_cloud: 'envvars' })
    const source = stateOf(identity, 'openstack')
    assert.equal(source.ok, true)
    assert.ok(source.counts['ports']! > 0)
    assert.ok(source.ageMs !== null && source.ageMs < 10_000)
    assert.equal(identity.replica.counts['ports'], source.counts['ports'])
    assert.equal(identity.replica.snapshot.empty, false)
  })

  it('a partial list is refused: the last good model goes on, the fault is named once and clears itself', async () => {
    const identity = await start({ os_cloud: 'envvars' })
    const ports = identity.replica.counts['ports']
    cloud.who = 'project-reader-mujprojekt'
    await poll(identity)
    await poll(identity)
    const source = stateOf(identity, 'openstack')
    assert.equal(source.ok, false)
    assert.equal(source.faults, 2)
    assert.match(source.fault, /admin role/)
    assert.equal(identity.replica.counts['ports'], ports)
    assert.equal(said.filter((text) => text.includes('admin role')).length, 1)
    cloud.who = 'admin'
    await poll(identity)
    assert.equal(stateOf(identity, 'openstack').ok, true)
    assert.equal(said.filter((text) => text.includes('answers again')).length, 1)
  })

  it('a Neutron that refuses to be asked for changes is read whole in between, and nothing is faulty', async () => {
    const identity = await start({ os_cloud: 'envvars' })
    for (let time = 0; time < 3; time++) {
      cloud.requests.length = 0
      await identity.pollCloud()
      const { ok, fault, faults } = stateOf(identity, 'openstack')
      assert.deepEqual([ok, fault, faults], [true, '', 0])
    }
    assert.ok(
      cloud.requests.every((line) => !line.includes('changed_since')),
      'it is asked once',
    )
    assert.ok(cloud.requests.some((line) => line.includes('/servers/detail') && line.includes('changes-since')))
    await identity.stop()
    cloud.changes = true
    const asked = await start({ os_cloud: 'envvars' })
    await asked.pollCloud()
    assert.ok(cloud.requests.some((line) => /\/ports\?.*changed_since=/.test(line)))
    assert.equal(stateOf(asked, 'openstack').ok, true)
  })

  it('a cloud that does not answer at the start stops nothing', async () => {
    cloud.cutAt = 10
    const identity = await start({ os_cloud: 'envvars' })
    assert.equal(stateOf(identity, 'openstack').ok, false)
    assert.equal(stateOf(identity, 'openstack').ageMs, null)
    assert.equal(identity.replica.snapshot.empty, true)
    cloud.cutAt = undefined
    await poll(identity)
    assert.equal(stateOf(identity, 'openstack').ok, true)
  })

  it('what was known survives a restart, with its age, while no source answers', async () => {
    const first = await start({ os_cloud: 'envvars' })
    const { counts } = first.replica
    await first.stop()
    cloud.cutAt = 10
    const second = await start({ os_cloud: 'envvars' })
    assert.deepEqual(second.replica.counts, counts)
    assert.equal(stateOf(second, 'openstack').ok, false)
    assert.ok(stateOf(second, 'saved').ageMs !== null)
    assert.ok(said.some((text) => text.includes('begins with the model saved')))
  })

  it('a damaged saved model is as none', async () => {
    const first = await start({ os_cloud: 'envvars' })
    await first.stop()
    const path = join(dir, 'identity', 'model.jsonl.gz')
    writeFileSync(path, readFileSync(path).subarray(0, 200))
    cloud.cutAt = 10
    const second = await start({ os_cloud: 'envvars' })
    assert.equal(second.replica.snapshot.empty, true)
    assert.equal(stateOf(second, 'saved').ok, false)
  })

  it('the identity file is read again when it changes, and a faulty one is refused', async () => {
    const file = join(dir, 'cloud.yaml')
    writeFileSync(file, 'hosts: [{name: c0, addresses: [10.0.0.1]}]\n')
    const identity = await start({ identity: file })
    writeFileSync(file, 'hosts: [{name: c0, addresses: [10.0.0.1]}, {name: c1, addresses: [10.0.0.2]}]\n')
    await identity.readFile()
    assert.equal(identity.replica.counts['hosts'], 2)
    writeFileSync(file, 'hosts: [{name: c0, addresses: [10.0.0]}]\n')
    await identity.readFile()
    assert.equal(identity.replica.counts['hosts'], 2)
    assert.match(stateOf(identity, 'file').fault, /cloud\.yaml/)
  })

  it(
    'hosts that call are bounded; one taken down or renamed is forgotten after its time',
    { skip: OVSDB_MISSING },
    async () => {
      const identity = await start({ ovsdb_listen: 'ptcp:0:127.0.0.1' })
      const named = ['a1', 'a2', 'a3'].map((name) => ({ name, ovsdb: new RealOvsdb() }))
      const known = () => [...identity.replica.heardHosts.keys()].toSorted()
      try {
        const call = async ({ name, ovsdb }: (typeof named)[number]) => {
          await ovsdb.start()
          await ovsdb.vsctl('set', 'Open_vSwitch', '.', `external_ids:hostname=${name}`)
          await ovsdb.vsctl('add-br', 'br-int')
          await ovsdb.kill()
          await ovsdb.start([`tcp:127.0.0.1:${identity.listensOn}`])
        }
        await call(named[0]!)
        await eventually('the first', () => known().includes('a1'))
        await call(named[1]!)
        await eventually('the second', () => known().includes('a2'))
        await call(named[2]!)
        await eventually('the third is refused', () => identity.refused.hosts > 0)
        assert.deepEqual(known(), ['a1', 'a2'])
        await named[0]!.ovsdb.kill()
        await eventually('the loss', () => identity.sources.some((source) => !source.ok))
        identity.sweep()
        assert.deepEqual(known(), ['a1', 'a2'], 'what it said last stands for its time')
        identity.sweep(Date.now() + 3_700_000)
        assert.deepEqual(known(), ['a2'])
        await named[1]!.ovsdb.vsctl('set', 'Open_vSwitch', '.', 'external_ids:hostname=b2')
        await eventually('the new name', () => known().includes('b2'))
        identity.sweep(Date.now() + 3_700_000)
        assert.deepEqual(known(), ['b2'])
        assert.equal(identity.forgotten, 2)
      } finally {
        for (const { ovsdb } of named) await ovsdb.close()
      }
    },
  )

  it('a real OVSDB is followed; when it is killed only its freshness is lost', { skip: OVSDB_MISSING }, async () => {
    const ovsdb = new RealOvsdb()
    try {
      await ovsdb.start()
      await ovsdb.vsctl('add-br', 'br-int', '--', 'set', 'Open_vSwitch', '.', 'external_ids:hostname=c0')
      const file = join(dir, 'cloud.yaml')
      writeFileSync(file, `hosts: [{name: c0, addresses: [10.0.0.1], ovsdb: "unix:${ovsdb.socket}"}]\n`)
      const identity = await start({ identity: file })
      const named = (name: string) => {
        const { interfaces } = identity.replica.snapshot
        return Array.from({ length: interfaces.count }, (_, item) => interfaces.name(item)).includes(name)
      }
      await eventually('the bridge', () => named('br-int'))
      await ovsdb.vsctl('add-port', 'br-int', 'tap1')
      await eventually('the port', () => named('tap1'))
      await ovsdb.kill()
      await eventually('the loss', () => !stateOf(identity, 'ovsdb').ok)
      assert.ok(named('tap1'))
      assert.equal(stateOf(identity, 'ovsdb').kind, 'ovsdb')
      await ovsdb.start()
      await eventually('it is back', () => stateOf(identity, 'ovsdb').ok)
      assert.ok(named('tap1'))
    } finally {
      await ovsdb.close()
    }
  })
})
