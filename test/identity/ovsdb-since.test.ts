import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { readOvsHost, type OvsHost } from '../../src/identity/sources/ovsdb/host.ts'
import { OvsdbKeeper } from '../../src/identity/sources/ovsdb/keeper.ts'
import { readOnce } from '../../src/identity/sources/ovsdb/monitor.ts'
import { SWITCH } from '../../src/identity/sources/ovsdb/tables.ts'
import { rowAfter, typesOf } from '../../src/identity/sources/ovsdb/updates2.ts'
import { FakeOvsdb, switchRows } from './fake-ovsdb.ts'
import { eventually, OVSDB_MISSING, RealOvsdb } from './real-ovsdb.ts'

const MANY = Array.from({ length: 100 }, (_, i) => `eth${i}`)
const FAST = { backoffMs: 20, maxBackoffMs: 100, timeoutMs: 2000 }

/** Between keeper and server: cuts the connection, and counts what the server says. */
class Wire {
  readonly path: string
  bytes = 0
  private readonly server: Server
  private readonly sockets = new Set<Socket>()
  /** New connections are refused meanwhile. */
  down = false

  constructor(path: string, to: string) {
    this.path = path
    this.server = createServer((socket) => {
      if (this.down) {
        socket.destroy()
        return
      }
      const onward = connect({ path: to })
      for (const one of [socket, onward]) {
        this.sockets.add(one)
        one.on('error', () => one.destroy())
        one.on('close', () => (one === socket ? onward : socket).destroy())
      }
      onward.on('data', (chunk: Buffer) => (this.bytes += chunk.length))
      socket.pipe(onward).pipe(socket)
    })
    this.server.listen(path)
  }

  cut(): void {
    for (const socket of this.sockets) socket.destroy()
  }

  close(): void {
    this.cut()
    this.server.close()
  }
}

describe('updates of the second form', () => {
  const schema = {
    tables: {
      Port: {
        columns: {
          name: { type: 'string' },
          tag: { type: { key: { type: 'integer', minInteger: 0 }, min: 0, max: 1 } },
          trunks: { type: { key: 'integer', min: 0, max: 'unlimited' } },
          other_config: { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' } },
        },
      },
    },
  }
  const types = typesOf(schema, { Port: { columns: ['name', 'tag', 'trunks', 'other_config'] } }).get('Port')!

  it('a new row has what is left out as its type has it', () => {
    assert.deepEqual(rowAfter(undefined, { insert: { tag: 5 } }, types), {
      name: '',
      tag: 5,
      trunks: ['set', []],
      other_config: ['map', []],
    })
  })

  it('of sets and maps the difference is told, of what holds one value the value', () => {
    const before = { name: 'a', tag: 5, trunks: 7, other_config: ['map', [['x', '1'], ['y', '2']]] } // prettier-ignore
    const modify = { tag: ['set', []], trunks: ['set', [7, 8, 9]], other_config: ['map', [['x', '1'], ['y', '3'], ['z', '4']]] } // prettier-ignore
    assert.deepEqual(rowAfter(before, { modify }, types), {
      name: 'a',
      tag: ['set', []],
      trunks: ['set', [8, 9]],
      other_config: ['map', [['y', '3'], ['z', '4']]], // prettier-ignore
    })
  })

  it('what changes a row that is not there, or has no form, fits nothing', () => {
    assert.equal(rowAfter(undefined, { modify: { tag: 5 } }, types), null)
    for (const update of [null, 1, {}, { insert: 3 }]) assert.equal(rowAfter({}, update, types), null)
    assert.equal(rowAfter({}, { delete: null }, types), undefined)
  })
})

describe('a real ovsdb-server with history', { skip: OVSDB_MISSING }, () => {
  let ovsdb: RealOvsdb
  let wire: Wire
  let keeper: OvsdbKeeper
  let latest: OvsHost | undefined
  const wireIn = () => new Wire(join(ovsdb.dir, 'wire'), ovsdb.socket)
  afterEach(async () => {
    keeper.stop()
    wire.close()
    await ovsdb.close()
  })

  async function begin(clustered: boolean): Promise<void> {
    latest = undefined
    ovsdb = new RealOvsdb({ clustered })
    await ovsdb.start()
    wire = wireIn()
    for (let i = 0; ; i++)
      try {
        await ovsdb.vsctl('add-br', 'br-int', '--', 'set', 'Open_vSwitch', '.', 'external_ids:hostname=c0')
        break
      } catch (error) {
        if (i === 20) throw error
        await sleep(100)
      }
    await ovsdb.vsctl(
      ...['a', 'b', 'c'].flatMap((name, i) => ['--', 'add-port', 'br-int', `tap-${name}`, `tag=${i + 1}`]),
    )
    // ovsdb-server keeps no more history than the database itself is large (ovsdb/transaction.c, ovsdb_txn_history_run).
    await ovsdb.vsctl('add-br', 'br-ex', ...MANY.flatMap((name) => ['--', 'add-port', 'br-ex', name]))
    keeper = new OvsdbKeeper({ kind: 'unix', path: wire.path }, (host) => (latest = host), FAST)
    keeper.start()
    await eventually('first snapshot', () => portsOf(latest) === 'tap-a 1,tap-b 2,tap-c 3')
  }

  /** What the keeper has is what a new client reads, to the last column. */
  async function agrees(): Promise<void> {
    const tables = await readOnce({ kind: 'unix', path: ovsdb.socket }, { database: SWITCH })
    assert.deepEqual(latest, readOvsHost(tables))
  }

  async function changeWhileAway(): Promise<void> {
    wire.down = true
    wire.cut()
    await eventually('the loss', () => !keeper.state(0).connected)
    await ovsdb.vsctl('set', 'Port', 'tap-a', 'tag=2', '--', 'set', 'Port', 'tap-b', 'tag=1', '--', 'del-port', 'tap-c')
    await ovsdb.vsctl('add-port', 'br-int', 'tap-d', '--', 'set', 'Interface', 'tap-d', 'external_ids:iface-id=d')
    await ovsdb.vsctl('set', 'Interface', 'tap-d', 'external_ids:attached-mac=fa:16:3e:00:00:0d')
    wire.bytes = 0
    wire.down = false
    await eventually('swapped tags', () => portsOf(latest) === 'tap-a 2,tap-b 1,tap-d ')
  }

  it('tells after a reconnect what has changed, and no more; all that changed, swapped tags included', async () => {
    await begin(true)
    const whole = wire.bytes
    await ovsdb.vsctl('set', 'Port', 'tap-a', 'other_config:x=1')
    await changeWhileAway()
    assert.deepEqual([keeper.state(0).connects, keeper.state(0).resumed], [2, 1])
    // Half of it is the schema.
    assert.ok(wire.bytes < whole / 2, `${wire.bytes} bytes, and ${whole} at first`)
    await agrees()
    // And changes go on from there.
    await ovsdb.vsctl('clear', 'Port', 'tap-a', 'tag', '--', 'remove', 'Port', 'tap-a', 'other_config', 'x')
    await eventually('no tag', () => portsOf(latest) === 'tap-a ,tap-b 1,tap-d ')
    await agrees()
  })

  it('that was started anew is believed only where it knows the moment', async () => {
    await begin(true)
    await ovsdb.kill()
    await eventually('the loss', () => !keeper.state(0).connected)
    await ovsdb.start()
    await eventually('it is back', () => keeper.state(0).connected)
    assert.equal(keeper.state(0).connects, 2)
    await agrees()
  })

  it('without history, as a switch has none, is read anew', async () => {
    await begin(false)
    await changeWhileAway()
    assert.deepEqual([keeper.state(0).connects, keeper.state(0).resumed], [2, 0])
    await agrees()
  })
})

describe('a server that offers the first form alone', () => {
  it('is monitored by it', async () => {
    const fake = await FakeOvsdb.listen(switchRows('c1', [{ name: 'tap1', ofport: 1, tag: 4 }]))
    let latest: OvsHost | undefined
    const [, host = '', port = ''] = fake.target.split(':')
    const keeper = new OvsdbKeeper({ kind: 'tcp', host, port: Number(port) }, (one) => (latest = one), FAST)
    keeper.start()
    await eventually('first snapshot', () => portsOf(latest) === 'tap1 4')
    fake.change(switchRows('c1', [{ name: 'tap1', ofport: 1, tag: 5 }]))
    await eventually('the change', () => portsOf(latest) === 'tap1 5')
    keeper.stop()
    await fake.close()
  })
})

function portsOf(host: OvsHost | undefined): string {
  const bridges = (host?.bridges ?? []).filter(({ name }) => name === 'br-int')
  const ports = bridges.flatMap((bridge) => bridge.ports.filter(({ name }) => name !== bridge.name))
  return ports
    .map(({ name, tag }) => `${name} ${tag ?? ''}`)
    .sort()
    .join()
}
