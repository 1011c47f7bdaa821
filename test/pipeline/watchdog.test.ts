/** Threads that no longer turn are found, named and replaced; the process too. systemd is told as it wants to be told. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { openNotify, watchdogEveryMs } from '../../src/cli/notify.ts'
import { Beats } from '../../src/pipeline/beats.ts'
import { stackOfWorker } from '../../src/pipeline/stacks.ts'
import { slowReceiveReason } from '../../src/receive/open.ts'
import { temporary } from '../e2e/cli.ts'

const STUCK = fileURLToPath(new URL('stuck.js', import.meta.url))

describe('beats', () => {
  it('are counted by looks, so that a machine that slept ends nobody', () => {
    const beats = new Beats(2)
    const seen = new Beats(beats.shared)
    assert.deepEqual(
      [1, 2, 3].map(() => seen.look(1)),
      [1, 2, 3],
    )
    beats.beat(1)
    assert.deepEqual([seen.look(1), seen.look(1)], [0, 1])
    // Another has its place: its looks are counted anew, and it has not begun before it beats.
    seen.renew(1)
    assert.deepEqual([seen.begun(1), seen.look(1)], [false, 1])
    beats.beat(1)
    assert.deepEqual([seen.begun(1), seen.look(1)], [true, 0])
    assert.equal(seen.look(0), 1)
  })
})

describe('a main thread that is stuck', () => {
  it('is written down with its stack, and the process ended', async () => {
    const child = spawn(process.execPath, [STUCK, 'restart'], { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const [, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
    assert.equal(signal, 'SIGKILL')
    const line = JSON.parse(said.trim().split('\n').at(-1)!) as { msg: string; stack: string; level: string }
    assert.equal(line.level, 'fatal')
    assert.match(line.msg, /main thread is stuck/)
    assert.match(line.stack, /turnsNoMore .*stuck\.js:\d+/)
  })

  it('is left alone when only a report is wanted, and one that turns is not reported', () => {
    const { status, stderr } = spawnSync(process.execPath, [STUCK, 'report'], { encoding: 'utf8' })
    assert.equal(status, 0)
    assert.equal(stderr.trim().split('\n').length, 1)
    const sound = spawnSync(process.execPath, [STUCK, 'sound'], { encoding: 'utf8' })
    assert.deepEqual([sound.status, sound.stderr], [0, ''])
  })
})

describe('a worker that is stuck', () => {
  it('tells its stack, and no other does', async () => {
    const [stuck, idle] = ['stuck-worker.js', 'idle'].map((file) =>
      file === 'idle'
        ? new Worker('setInterval(() => {}, 1000)', { eval: true })
        : new Worker(new URL(file, import.meta.url)),
    )
    await Promise.all([stuck, idle].map((worker) => once(worker!, 'online')))
    await sleep(200)
    assert.match(await stackOfWorker(stuck!.threadId), /^turnsNoMore \S*stuck-worker\.js:\d+ < /)
    // It has gone on, and can be asked again.
    assert.match(await stackOfWorker(stuck!.threadId), /^turnsNoMore /)
    await Promise.all([stuck!.terminate(), idle!.terminate()])
    assert.match(await stackOfWorker(stuck!.threadId), /^\(no stack: /)
  })
})

const NO_SOCAT = spawnSync('python3', ['--version']).status !== 0 && 'no python3'

describe('systemd', { skip: (slowReceiveReason() !== '' && slowReceiveReason()) || NO_SOCAT }, () => {
  for (const abstract of [false, true])
    it(`is told over its socket, ${abstract ? 'an abstract name' : 'a path'}`, async () => {
      const path = abstract ? `@ovsight-test-${process.pid}` : join(temporary(), 'notify')
      const script = `import socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\np=sys.argv[1]\ns.bind("\\0"+p[1:] if p[0]=="@" else p)\nprint("up",flush=True)\nfor _ in range(2): print(repr(s.recv(1000)),flush=True)`
      const listener = spawn('python3', ['-c', script, path], { stdio: ['ignore', 'pipe', 'inherit'] })
      let said = ''
      listener.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
      while (!said.includes('up')) await sleep(20)
      const notify = openNotify({ NOTIFY_SOCKET: path })
      notify('READY=1', 'STATUS=on')
      notify('WATCHDOG=1')
      await once(listener, 'close')
      assert.equal(said, "up\nb'READY=1\\nSTATUS=on'\nb'WATCHDOG=1'\n")
      if (!abstract) rmSync(path, { force: true })
    })

  it('is not missed where there is none, and heard half as often as it waits', () => {
    openNotify({})('READY=1')
    openNotify({ NOTIFY_SOCKET: '/none/at/all' })('READY=1')
    assert.equal(watchdogEveryMs({ WATCHDOG_USEC: '60000000' }), 30_000)
    assert.equal(watchdogEveryMs({ WATCHDOG_USEC: '60000000', WATCHDOG_PID: '1' }), undefined)
    assert.equal(watchdogEveryMs({}), undefined)
  })
})
