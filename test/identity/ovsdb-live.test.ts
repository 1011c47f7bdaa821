import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { OvsHost } from '../../src/identity/sources/ovsdb/host.ts'
import { OvsdbKeeper } from '../../src/identity/sources/ovsdb/keeper.ts'
import { OvsdbListener, type CallingHost } from '../../src/identity/sources/ovsdb/listener.ts'
import { formatTarget, parsePassive, parseTarget, type OvsdbTarget } from '../../src/identity/sources/ovsdb/target.ts'
import { eventually, OVSDB_MISSING, RealOvsdb } from './real-ovsdb.ts'

const FAST = { backoffMs: 20, maxBackoffMs: 100, timeoutMs: 2000 }

function tagOf(host: OvsHost | undefined, port: string): number | undefined {
  return host?.bridges.flatMap((bridge) => bridge.ports).find((one) => one.name === port)?.tag
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

describe('targets of OVSDB', () => {
  it('are read and written as ovs-vsctl has them', () => {
    for (const text of ['tcp:10.0.0.1:6641', 'ssl:[fd00::1]:6640', 'unix:/run/openvswitch/db.sock'])
      assert.equal(formatTarget(parseTarget(text) as OvsdbTarget), text)
    assert.deepEqual(parsePassive('pssl:6640:[::1]'), { kind: 'pssl', port: 6640, address: '::1' })
    assert.deepEqual(parsePassive('ptcp:6640'), { kind: 'ptcp', port: 6640, address: undefined })
    for (const text of ['ptcp:x', 'ptcp:70000', 'pssl:']) assert.equal(typeof parsePassive(text), 'string', text)
    for (const text of ['ptcp:6640', 'tcp:host:0', 'http://x']) assert.equal(typeof parseTarget(text), 'string', text)
  })
})

describe('a real ovsdb-server, kept current', { skip: OVSDB_MISSING }, () => {
  let ovsdb: RealOvsdb
  let keeper: OvsdbKeeper | undefined
  let listener: OvsdbListener | undefined
  let latest: OvsHost | undefined

  beforeEach(async () => {
    ovsdb = new RealOvsdb()
    latest = undefined
    await ovsdb.start()
    await ovsdb.vsctl('add-br', 'br-int', '--', 'set', 'Open_vSwitch', '.', 'external_ids:hostname=c0')
  })
  afterEach(async () => {
    keeper?.stop()
    await listener?.close()
    await ovsdb.close()
    keeper = listener = undefined
  })

  function keep(target: OvsdbTarget, more = {}): OvsdbKeeper {
    keeper = new OvsdbKeeper(target, (host) => (latest = host), { ...FAST, ...more })
    keeper.start()
    return keeper
  }

  it('is followed as ports are plugged, changed and unplugged', async () => {
    keep({ kind: 'unix', path: ovsdb.socket })
    await eventually('first snapshot', () => latest?.hostname === 'c0')
    await ovsdb.vsctl(
      'add-port',
      'br-int',
      'tap1',
      'tag=5',
      '--',
      'set',
      'Interface',
      'tap1',
      'external_ids:iface-id=abc',
    )
    await eventually('the new port', () => tagOf(latest, 'tap1') === 5)
    await ovsdb.vsctl('set', 'Port', 'tap1', 'tag=6')
    await eventually('the new tag', () => tagOf(latest, 'tap1') === 6)
    await ovsdb.vsctl('del-port', 'br-int', 'tap1')
    await eventually('the port is gone', () => latest?.bridges[0]?.ports.every((port) => port.name !== 'tap1') === true)
  })

  it('loses only freshness when it is killed, and is read anew when it is back, swapped tags included', async () => {
    await ovsdb.vsctl('add-port', 'br-int', 'tap1', 'tag=1', '--', 'add-port', 'br-int', 'tap2', 'tag=2')
    const kept = keep({ kind: 'unix', path: ovsdb.socket })
    await eventually('first snapshot', () => tagOf(latest, 'tap1') === 1)
    await ovsdb.kill()
    await eventually('the loss is noticed', () => !kept.state(Date.now()).connected)
    const state = kept.state(Date.now() + 60_000)
    assert.ok(state.freshAtMs <= Date.now() && state.freshAtMs > 0)
    assert.notEqual(state.fault, '')
    assert.equal(tagOf(latest, 'tap1'), 1, 'the last good picture stands')
    // The rebuild happens while nobody watches.
    execFileSync('ovsdb-tool', [
      'transact',
      join(ovsdb.dir, 'conf.db'),
      JSON.stringify([
        'Open_vSwitch',
        { op: 'update', table: 'Port', where: [['name', '==', 'tap1']], row: { tag: 2 } },
        { op: 'update', table: 'Port', where: [['name', '==', 'tap2']], row: { tag: 1 } },
      ]),
    ])
    await ovsdb.start()
    await eventually('swapped tags', () => tagOf(latest, 'tap1') === 2 && tagOf(latest, 'tap2') === 1)
    assert.equal(kept.state(Date.now()).connects, 2)
  })

  it('that is not there yet is found when it comes', async () => {
    await ovsdb.kill()
    const kept = keep({ kind: 'unix', path: ovsdb.socket })
    await eventually('a fault with its cause', () => /ENOENT|ECONNREFUSED/.test(kept.state(0).fault))
    await ovsdb.start()
    await eventually('first snapshot', () => latest?.hostname === 'c0')
  })

  it('answers through echo while nothing changes', async () => {
    const kept = keep({ kind: 'unix', path: ovsdb.socket }, { probeMs: 50 })
    await eventually('first snapshot', () => latest !== undefined)
    await new Promise((resolve) => setTimeout(resolve, 400))
    assert.deepEqual([kept.state(0).connected, kept.state(0).connects], [true, 1])
  })

  it('may call us instead: the host is known by its hostname', async () => {
    const calls: CallingHost[] = []
    const gone: string[] = []
    listener = await OvsdbListener.open(
      { kind: 'ptcp', port: 0, address: '127.0.0.1' },
      (calling) => void calls.push(calling),
      (hostname) => void gone.push(hostname),
    )
    await ovsdb.kill()
    await ovsdb.start([`tcp:127.0.0.1:${listener.port}`])
    await eventually('the call', () => calls.some((call) => call.host.hostname === 'c0' && call.remote === '127.0.0.1'))
    await ovsdb.vsctl('add-port', 'br-int', 'tap9', 'tag=9')
    await eventually('the change', () => tagOf(calls.at(-1)?.host, 'tap9') === 9)
    await ovsdb.kill()
    await eventually('the end', () => gone.includes('c0'))
  })

  it('a caller that is no OVSDB server is counted and closed, and others go on', async () => {
    listener = await OvsdbListener.open(
      { kind: 'ptcp', port: 0, address: '127.0.0.1' },
      () => assert.fail('nobody is a host here'),
      () => {},
    )
    const socket = connect({ port: listener.port, host: '127.0.0.1' })
    socket.on('error', () => {})
    socket.write('GET / HTTP/1.1\r\n\r\n')
    await eventually('refused', () => listener!.refused === 1)
  })

  it('is reached over TLS with client certificates, and not trusted when another CA signed it', async () => {
    const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: ovsdb.dir, stdio: 'pipe' })
    for (const ca of ['ca', 'other'])
      openssl(
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-keyout',
        `${ca}.key`,
        '-out',
        `${ca}.crt`,
        '-subj',
        `/CN=${ca}`,
      )
    for (const name of ['server', 'client']) {
      openssl(
        'req',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.csr`,
        '-subj',
        `/CN=${name}`,
      )
      openssl(
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        'ca.crt',
        '-CAkey',
        'ca.key',
        '-CAcreateserial',
        '-out',
        `${name}.crt`,
      )
    }
    const file = (name: string) => join(ovsdb.dir, name)
    const port = await freePort()
    await ovsdb.kill()
    await ovsdb.start(
      [`pssl:${port}:127.0.0.1`],
      [`--private-key=${file('server.key')}`, `--certificate=${file('server.crt')}`, `--ca-cert=${file('ca.crt')}`],
    )
    const keys = (ca: string) => ({
      key: readFileSync(file('client.key')),
      cert: readFileSync(file('client.crt')),
      ca: readFileSync(file(`${ca}.crt`)),
    })
    const wrong = keep({ kind: 'ssl', host: '127.0.0.1', port }, { keys: keys('other') })
    await eventually('not trusted', () => /certificate|signature/.test(wrong.state(0).fault))
    wrong.stop()
    keep({ kind: 'ssl', host: '127.0.0.1', port }, { keys: keys('ca') })
    await eventually('first snapshot', () => latest?.hostname === 'c0')

    // The same the other way round: it calls, and must show its certificate.
    const calls: string[] = []
    listener = await OvsdbListener.open(
      { kind: 'pssl', port: 0, address: '127.0.0.1' },
      ({ host }) => void calls.push(host.hostname),
      () => {},
      { keys: keys('ca') },
    )
    const plain = connect({ port: listener.port, host: '127.0.0.1' })
    plain.on('error', () => {})
    plain.write('no TLS')
    await eventually('refused', () => listener!.refused === 1)
    await ovsdb.kill()
    await ovsdb.start(
      [`ssl:127.0.0.1:${listener.port}`],
      [`--private-key=${file('server.key')}`, `--certificate=${file('server.crt')}`, `--ca-cert=${file('ca.crt')}`],
    )
    await eventually('the call', () => calls.includes('c0'))
  })
})
