import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { RecordedCloud } from '../identity/recorded-cloud.ts'
import { OVSDB_MISSING, RealOvsdb } from '../identity/real-ovsdb.ts'
import { openFront } from '../store/clickhouse-front.ts'
import { NO_ENGINE, openEngine } from '../store/engine.ts'
import { collector, temporary } from './cli.ts'
import { wantedFindings } from './doctor-findings.ts'
import { ALIASES, send } from './exports.ts'

/**
 * More of what `doctor` finds, each broken for real: a kernel that drops, a process without a privilege, a user of OpenStack who may
 * not see all, bridges of a real OVSDB that do not export, a store that goes away, a disk that is full.
 */
const ROOT = process.getuid?.() === 0
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path))

describe('ovsight doctor, with the machine itself broken', { skip: NO_ENGINE }, () => {
  it(
    'names a receive buffer that is too small, what the kernel dropped, and a raw socket that may not be opened',
    {
      skip: ROOT && SETPRIV === undefined && 'setpriv (util-linux) takes the privilege away',
    },
    async () => {
      const data = temporary()
      // As root ovsight may have any buffer and any socket: not in this process.
      const under = ROOT ? [SETPRIV!, '--bounding-set=-net_raw,-net_admin', '--inh-caps=-net_raw,-net_admin', '--'] : []
      const running = await collector(['--data', data, '--gre', 'on', '--workers', '1', '--receive-buffer', '64MiB'], { under }) // prettier-ignore
      try {
        const { pid } = JSON.parse(readFileSync(join(data, 'collector.json'), 'utf8')) as { pid: number }
        const socket = createSocket('udp4')
        // A collector that is not given the processor for a while: the kernel has 64 MiB no more than its limit.
        process.kill(pid, 'SIGSTOP')
        const datagram = Buffer.alloc(1400)
        const limit = Number(readFileSync('/proc/sys/net/core/rmem_max', 'utf8'))
        for (let i = 0; i < (2 * limit) / 1400 + 500; i++)
          await new Promise((done) => socket.send(datagram, running.port('NetFlow'), '127.0.0.1', done))
        process.kill(pid, 'SIGCONT')
        socket.close()
        const found = await wantedFindings(data, [
          /kernel granted netflow a smaller receive buffer/,
          /kernel dropped datagrams of netflow/,
          /GRE and ERSPAN are not received/,
        ])
        assert.match(found.mend(/granted netflow/), /sysctl -w net\.core\.rmem_max=67108864/)
        assert.match(found.mend(/dropped datagrams of netflow/), /rmem_max=.* receive_buffer/)
        assert.match(found.mend(/GRE and ERSPAN/), /CAP_NET_RAW/)
      } finally {
        await running.stop()
      }
    },
  )

  it('names a user of OpenStack who is a reader', async () => {
    const cloud = new RecordedCloud()
    cloud.who = 'system-reader'
    const url = await cloud.listen()
    const data = temporary()
    const env = { OS_AUTH_URL: url, OS_USERNAME: 'reader', OS_PASSWORD: 'x', OS_PROJECT_NAME: 'p' }
    const running = await collector(['--data', data, '--os-cloud', 'envvars'], { env })
    try {
      const found = await wantedFindings(data, [/openstack .* cannot be read/])
      assert.match(found.mend(/openstack/), /openstack role add --user USER --project PROJECT admin/)
    } finally {
      await running.stop()
      await cloud.close()
    }
  })

  it(
    'names hosts whose bridges do not export, and IPFIX whose rate is not known',
    { skip: OVSDB_MISSING },
    async () => {
      const data = temporary()
      const servers = [new RealOvsdb(), new RealOvsdb()] as const
      const identity = join(data, 'cloud.yaml')
      const hosts = servers.map(({ socket }, i) => `  - name: c${i}\n    addresses: [127.0.0.${20 + i}]\n    ovsdb: unix:${socket}\n`) // prettier-ignore
      writeFileSync(identity, `hosts:\n${hosts.join('')}`)
      for (const server of servers) {
        await server.start()
        await server.vsctl('add-br', 'br-int')
      }
      await servers[0].vsctl('--', 'set', 'bridge', 'br-int', 'sflow=@s', '--', '--id=@s', 'create', 'sFlow', 'targets="127.0.0.1:6343"', 'sampling=64') // prettier-ignore
      const running = await collector(['--data', data, '--identity', identity, ...ALIASES])
      try {
        await send('ipfix', running.port('IPFIX'))
        const found = await wantedFindings(data, [
          /1 of 2 hosts export from no bridge/,
          /sampling rate of .* ipfix is not known/,
        ])
        assert.match(found.mend(/export from no bridge/), /ovsight setup c1 --collector/)
        assert.match(found.mend(/sampling rate/), /ipfix_sampling/)
      } finally {
        await running.stop()
        for (const server of servers) await server.close()
      }
    },
  )

  it(
    'names a disk that is full, and a store that is down',
    {
      skip: !ROOT && 'a disk of a few megabytes is mounted, for which root is needed',
    },
    async () => {
      const data = temporary()
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', data])
      const engine = await openEngine()
      const front = await openFront(engine.session, engine.directory)
      const running = await collector(['--data', data, '--clickhouse', front.url, '--flush-after', '200ms'])
      try {
        writeFileSync(join(data, 'filler'), Buffer.alloc(3_900_000))
        try {
          for (let i = 0; ; i++) writeFileSync(join(data, `filler-${i}`), Buffer.alloc(4096))
        } catch (error) {
          assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
        }
        await send('netflow5', running.port('NetFlow'))
        const full = await wantedFindings(data, [/could not be written to the spool/], ['--clickhouse', front.url])
        assert.match(full.mend(/written to the spool/), /df -h/)
        await front.close()
        const down = await wantedFindings(data, [/the store does not answer/], ['--clickhouse', front.url])
        assert.match(down.mend(/does not answer/), /is the ClickHouse server up/)
      } finally {
        await running.stop('SIGKILL')
        engine.close()
        await sleep(200)
        execFileSync('umount', ['-l', data])
      }
    },
  )
})
