/** Against a real ovsdb-server and ovs-vswitchd (userspace, dummy devices): who sits on an OpenFlow port, second by second. */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { LiveIdentity } from '../../src/identity/replica/live.ts'
import { eventually, OVSDB_MISSING, RealOvsdb } from './real-ovsdb.ts'
import { HOST_ADDRESS, network, port, resolve, server, subnet } from './replica-cloud.ts'

const VSWITCHD = ['/usr/sbin/ovs-vswitchd', '/usr/bin/ovs-vswitchd'].find((path) => existsSync(path))
const MISSING =
  OVSDB_MISSING || (VSWITCHD === undefined ? 'ovs-vswitchd is not installed (Debian: openvswitch-switch)' : false)

/** Userspace only, with devices that exist in the process alone: no root, no kernel module. */
function startSwitch(ovsdb: RealOvsdb): ChildProcess {
  const args = [`unix:${ovsdb.socket}`, '--enable-dummy=override', '--disable-system', '--log-file=/dev/null']
  return spawn(VSWITCHD!, [...args, `--unixctl=${join(ovsdb.dir, 'vswitchd.ctl')}`], {
    stdio: 'ignore',
    env: { ...process.env, OVS_RUNDIR: ovsdb.dir },
  })
}

describe('a real switch', { skip: MISSING }, () => {
  it('plugging, unplugging and plugging another port changes attribution when it happens; a killed OVSDB does not', async () => {
    const ovsdb = new RealOvsdb()
    const dir = mkdtempSync(join(tmpdir(), 'ovsight-switch-'))
    let daemon: ChildProcess | undefined
    let live: LiveIdentity | undefined
    try {
      await ovsdb.start()
      daemon = startSwitch(ovsdb)
      await ovsdb.vsctl('add-br', 'br-int', '--', 'set', 'Bridge', 'br-int', 'datapath_type=dummy')
      const file = join(dir, 'cloud.json')
      const cloud = {
        hosts: [{ name: 'c0', addresses: [HOST_ADDRESS['c0']], ovsdb: `unix:${ovsdb.socket}` }],
        networks: [network('red')],
        subnets: [subnet('red', '192.168.1.0/24')],
        projects: [{ id: 'p-red', name: 'red' }],
        servers: [server('a'), server('b')],
        ports: [
          port('a', 'red', '192.168.1.8', 'fa:16:3e:00:00:0a'),
          port('b', 'red', '192.168.1.9', 'fa:16:3e:00:00:0b'),
        ],
      }
      writeFileSync(file, JSON.stringify(cloud))
      const identity = await LiveIdentity.start(
        {
          identity: file,
          os_cloud: null,
          ovsdb: null,
          ovsdb_listen: null,
          ovn_southbound: null,
          ovsdb_key: null,
          ovsdb_cert: null,
          ovsdb_ca: null,
          openstack_poll: 1e6,
          openstack_full: 1e6,
          identity_grace: 600_000,
          ovsdb_forget: 3_600_000,
          max_calling_hosts: 16,
          data: dir,
        },
        { env: {}, cwd: dir, home: dir, onSnapshot: () => {}, log: { info: () => {}, warn: () => {} } },
      )
      live = identity
      const who = (atMs: number) => resolve(identity.replica.snapshot, { atMs, inIf: 17 }).src.port
      const plug = (id: string) =>
        ovsdb.vsctl(
          ...['add-port', 'br-int', `tap${id}`, '--', 'set', 'Interface', `tap${id}`],
          ...['type=dummy', 'ofport_request=17', `external_ids:iface-id=${id}`],
        )
      await plug('a')
      await eventually('the first port has its OpenFlow port', () => who(Date.now()) === 'a')
      const withA = Date.now()
      await sleep(50)
      await ovsdb.vsctl('del-port', 'br-int', 'tapa')
      await eventually('it is unplugged', () => who(Date.now()) === '')
      const withNone = Date.now()
      await sleep(50)
      await plug('b')
      await eventually('another has its OpenFlow port', () => who(Date.now()) === 'b')
      const withB = Date.now()
      assert.deepEqual([who(withA), who(withNone), who(withB)], ['a', '', 'b'])

      await ovsdb.kill()
      await eventually('the loss is seen', () => identity.sources.some(({ kind, ok }) => kind === 'ovsdb' && !ok))
      assert.deepEqual([who(withA), who(withNone), who(Date.now())], ['a', '', 'b'])
      await ovsdb.start()
      await eventually('it is heard again', () => identity.sources.every(({ ok, kind }) => ok || kind === 'saved'))
      assert.deepEqual([who(withA), who(withNone), who(Date.now())], ['a', '', 'b'])
    } finally {
      await live?.stop()
      daemon?.kill('SIGKILL')
      await ovsdb.close()
      rmSync(dir, { recursive: true, force: true })
    }
  })
})
