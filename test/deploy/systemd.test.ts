import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { temporary } from '../e2e/cli.ts'
import { ROOT } from '../paths.ts'
import { has, run } from './tools.ts'

const UNIT = `${ROOT}deploy/systemd/ovsight.service`
const NO_SYSTEMD = !has('systemd-analyze') && 'no systemd-analyze'

/** System calls of a collector with the embedded engine, from start to stop, as strace saw them on Node.js 24 (x86-64). */
const CALLS =
  `accept4 access arch_prctl bind brk capget chdir clock_nanosleep clone clone3 close connect dup2 epoll_create1 epoll_ctl
  epoll_pwait eventfd2 execve faccessat2 fcntl fdatasync fstat fsync ftruncate futex getcwd getdents64 getegid geteuid getgid getpeername
  getpid getppid getrandom getrusage getsockname getsockopt gettid getuid io_uring_enter io_uring_setup ioctl kill listen lseek lstat
  madvise mkdir mmap mprotect munmap newfstatat open openat pipe2 poll prctl pread64 prlimit64 read readlink recvmmsg recvmsg rename
  renameat2 restart_syscall rseq rt_sigaction rt_sigprocmask rt_sigreturn sched_getaffinity sched_getparam sched_getscheduler
  sched_setaffinity sched_yield sendto set_robust_list set_tid_address setpriority setsockopt shutdown sigaltstack socket socketpair
  stat statfs statx symlink sysinfo timerfd_create uname unlink utimensat wait4 write`.split(/\s+/)

const lines = readFileSync(UNIT, 'utf8').split('\n')
const values = (key: string) =>
  lines.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1))

describe('the systemd unit', () => {
  const directory = temporary()

  it('passes systemd-analyze verify', { skip: NO_SYSTEMD }, () => {
    // The program it names need not be installed here.
    const program = join(directory, 'ovsight')
    writeFileSync(program, '#!/bin/sh\n', { mode: 0o755 })
    const unit = join(directory, 'ovsight.service')
    writeFileSync(unit, lines.join('\n').replace('/usr/bin/ovsight', program))
    // It warns on standard error and still exits with 0; of other units of this machine too.
    const said = run('sh', ['-c', `systemd-analyze verify --man=no ${unit} 2>&1 || true`]).split('\n')
    assert.deepEqual(
      said.filter((line) => line.includes('ovsight')),
      [],
    )
  })

  it('has one capability and leaves little of the machine in reach', { skip: NO_SYSTEMD }, () => {
    assert.deepEqual(values('CapabilityBoundingSet'), ['CAP_NET_RAW'])
    assert.deepEqual(values('AmbientCapabilities'), ['CAP_NET_RAW'])
    const [, level] = /exposure level for ovsight\.service: ([\d.]+)/.exec(
      run('systemd-analyze', ['security', '--no-pager', '--offline=true', '--threshold=100', UNIT]),
    )!
    // 9.6 is a unit that restricts nothing.
    assert.ok(Number(level) <= 1.8, level)
  })

  it('lets through every system call of a collector with the embedded engine', { skip: NO_SYSTEMD }, () => {
    const allowed = new Set(callsOf('@default'))
    for (const words of values('SystemCallFilter')) {
      const refuses = words.startsWith('~')
      for (const word of words.replace('~', '').split(' '))
        for (const call of callsOf(word))
          if (refuses) allowed.delete(call)
          else allowed.add(call)
    }
    assert.deepEqual(
      CALLS.filter((call) => !allowed.has(call)),
      [],
    )
    for (const call of ['mount', 'ptrace', 'reboot', 'setuid', 'init_module', 'bpf'])
      assert.ok(!allowed.has(call), call)
  })

  it('is started with files that the package installs, by the user that it makes', () => {
    assert.deepEqual(values('ExecStart'), ['/usr/bin/ovsight collect --config /etc/ovsight/ovsight.yaml'])
    // /bin/kill is of the package procps, which a minimal Debian lacks; a shell is always there.
    assert.deepEqual(values('ExecReload'), ["/bin/sh -c 'kill -HUP $MAINPID'"])
    const user = readFileSync(`${ROOT}deploy/systemd/ovsight.sysusers`, 'utf8')
    assert.match(user, new RegExp(`^u ${values('User')[0]} `, 'm'))
    assert.match(
      readFileSync(`${ROOT}deploy/ovsight.yaml`, 'utf8'),
      new RegExp(`^data: ${values('WorkingDirectory')[0]}$`, 'm'),
    )
  })

  it(
    'has a user that systemd-sysusers understands',
    { skip: !has('systemd-sysusers') && 'no systemd-sysusers' },
    () => {
      const root = join(directory, 'root')
      mkdirSync(join(root, 'etc'), { recursive: true })
      run('systemd-sysusers', [`--root=${root}`, `${ROOT}deploy/systemd/ovsight.sysusers`])
      assert.match(readFileSync(join(root, 'etc/passwd'), 'utf8'), /^ovsight:.*:\/var\/lib\/ovsight:/m)
    },
  )
})

describe('the sysctl file', () => {
  it('gives a receive buffer the room that the default asks for', () => {
    const settings = readFileSync(`${ROOT}deploy/sysctl/60-ovsight.conf`, 'utf8')
    const [, bytes] = /^net\.core\.rmem_max = (\d+)$/m.exec(settings)!
    assert.ok(Number(bytes) >= 16 * 1024 ** 2)
    for (const line of settings.split('\n')) assert.match(line, /^(#.*|[a-z_.]+ = \d+|)$/)
  })
})

/** The calls of a group, groups inside it resolved; a call is itself. */
function callsOf(name: string): string[] {
  if (!name.startsWith('@')) return [name]
  const [, ...members] = run('systemd-analyze', ['syscall-filter', '--no-pager', name]).split('\n')
  return members
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .flatMap(callsOf)
}
