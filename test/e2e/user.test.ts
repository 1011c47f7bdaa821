import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { findUser } from '../../src/cli/privileges.ts'
import { AppError } from '../../src/errors.ts'
import { IPPROTO_GRE, loadLibc, SOCK_RAW } from '../../src/receive/libc.ts'
import { AF_INET, sockaddr } from '../../src/receive/sockaddr.ts'
import { ROOT } from '../paths.ts'
import { NO_ENGINE, collector, ovsight, temporary } from './cli.ts'
import { STORED, metric, send, until } from './exports.ts'

const NOBODY = 65_534
const NOT_ROOT = process.getuid?.() !== 0 && 'needs root'
/** The engine is started as the user, so the program must be readable for everybody. */
const UNREADABLE =
  spawnSync('test', ['-r', join(ROOT, 'dist/src/main.js')], { uid: NOBODY, gid: NOBODY }).status !== 0 &&
  'the project lies where nobody may read'

/** `Uid`, `Gid`, `Groups` and capabilities of every thread of a process, as /proc has them. */
function credentials(pid: number): Record<string, string>[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const text = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8')
    return Object.fromEntries([...text.matchAll(/^(Uid|Gid|Groups|CapEff|CapPrm|CapAmb):\s*(.*?)\s*$/gm)].map(([, name, value]) => [name, value])) // prettier-ignore
  })
}

const MIRRORED = 'ovsight_receive_datagrams_total{listener="gre"}'
const NO_TCPDUMP = spawnSync('tcpdump', ['--version']).status !== 0 && 'no tcpdump'

/** GRE frames of nothing to 127.0.0.1; the kernel puts the IPv4 header before them. */
function sendGre(count: number): void {
  const libc = loadLibc()
  assert.ok(typeof libc === 'object')
  const fd = libc.socket(AF_INET, SOCK_RAW, IPPROTO_GRE)
  const { bytes } = sockaddr('127.0.0.1', 0)
  for (let i = 0; i < count; i++) assert.equal(libc.sendto(fd, new Uint8Array(64), 64, 0, bytes, bytes.length), 64)
  libc.close(fd)
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  )
}

describe('a collector that gives root up', { skip: NO_ENGINE || NOT_ROOT || UNREADABLE }, () => {
  it('is the user in every thread and child, without a capability, and its raw socket goes on', async () => {
    const directory = temporary()
    chmodSync(directory, 0o711)
    const data = join(directory, 'data')
    const running = await collector(
      ['--data', data, '--user', 'nobody:nogroup', '--workers', '2', '--gre', 'on', '--http-port', '899', '--flush-after', '100ms'], // prettier-ignore
    )
    try {
      const { pid } = (await (await fetch(`${running.url}/healthz`)).json()) as { pid: number }
      const children = childrenOf(pid)
      assert.ok(children.length >= 1, 'the engine')
      for (const process of [pid, ...children]) {
        const threads = credentials(process)
        assert.ok(threads.length > 1)
        for (const thread of threads) {
          const zero = '0'.repeat(16)
          assert.deepEqual(thread, { Uid: `${NOBODY}\t`.repeat(4).trim(), Gid: `${NOBODY}\t`.repeat(4).trim(), Groups: String(NOBODY), CapEff: zero, CapPrm: zero, CapAmb: zero }) // prettier-ignore
        }
      }
      assert.match(running.line, /GRE mirror/)
      assert.equal(statSync(data).uid, NOBODY)
      const sent = await send('netflow5', running.port('NetFlow'))
      await until('rows', async () => (await metric(running.url, STORED)) >= 41)
      assert.ok(sent > 0)
      sendGre(2)
      await until('frames', async () => (await metric(running.url, MIRRORED)) >= 2)
      assert.ok((await metric(running.url, 'ovsight_receive_buffer_bytes{listener="gre"}')) > 0)
    } finally {
      const { code, stderr } = await running.stop()
      assert.equal(code, 0, stderr)
    }
  })

  it(
    'receives mirrored frames through tcpdump afterwards, and leaves nobody behind',
    { skip: NO_TCPDUMP },
    async () => {
      const directory = temporary()
      chmodSync(directory, 0o711)
      const running = await collector(['--data', join(directory, 'data'), '--user', 'nobody:nogroup', '--receiver', 'dgram', '--gre', 'on']) // prettier-ignore
      const children = childrenOf(running.pid)
      try {
        assert.ok(children.length >= 2, 'the engine and tcpdump')
        for (const child of children)
          for (const thread of credentials(child)) assert.match(thread['Uid']!, new RegExp(`^${NOBODY}\\t`))
        sendGre(3)
        await until('frames', async () => (await metric(running.url, MIRRORED)) >= 3)
        assert.equal(await metric(running.url, 'ovsight_receive_kernel_drops_total{listener="gre"}'), 0)
      } finally {
        const { code, stderr } = await running.stop()
        assert.equal(code, 0, stderr)
      }
      for (const pid of children) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
    },
  )

  it('says what is wrong with a directory that the user cannot write', async () => {
    const directory = temporary()
    const data = join(directory, 'data')
    mkdirSync(data, { mode: 0o700 })
    const { code, stderr } = await ovsight(['collect', '--bind', '127.0.0.1', '--gre', 'off', '--data', data, '--user', 'nobody', ...['netflow', 'ipfix', 'sflow', 'vxlan', 'http'].flatMap((name) => [`--${name}-port`, '0'])]) // prettier-ignore
    assert.equal(code, 6, stderr)
    assert.match(stderr, /data_dir_unwritable/)
  })
})

describe('the option user', () => {
  const directory = temporary()
  const files = { passwd: join(directory, 'passwd'), group: join(directory, 'group') }
  writeFileSync(files.passwd, 'root:x:0:0::/:/bin/sh\novsight:x:998:997::/:/bin/false\n')
  writeFileSync(files.group, 'root:x:0:\novsight:x:997:\nflows:x:990:\n')
  const fault = (text: string) => {
    try {
      findUser(text, files)
      return ''
    } catch (error) {
      assert.ok(error instanceof AppError)
      return error.message
    }
  }

  it('finds names and numbers', () => {
    assert.deepEqual(findUser('ovsight', files), { uid: 998, gid: 997, name: 'ovsight' })
    assert.deepEqual(findUser('ovsight:flows', files), { uid: 998, gid: 990, name: 'ovsight' })
    assert.deepEqual(findUser('998:990', files), { uid: 998, gid: 990, name: 'ovsight' })
    assert.deepEqual(findUser('1234:990', files), { uid: 1234, gid: 990, name: undefined })
  })

  it('refuses what is nobody, or root', () => {
    assert.match(fault('none'), /no user none/)
    assert.match(fault('ovsight:none'), /no group none/)
    assert.match(fault('1234'), /NAME:GROUP/)
    assert.match(fault('a:b:c'), /NAME:GROUP/)
    assert.match(fault('root'), /is root/)
  })
})
