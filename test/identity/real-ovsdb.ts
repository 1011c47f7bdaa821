/** A real ovsdb-server with an Open_vSwitch database, in a temporary directory, without root; for tests. */
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema'
const SERVER = ['/usr/sbin/ovsdb-server', '/usr/bin/ovsdb-server'].find((path) => existsSync(path))
const run = promisify(execFile)

/** Why these tests are skipped, or false. */
export const OVSDB_MISSING =
  SERVER === undefined || !existsSync(SCHEMA) ? 'ovsdb-server is not installed (Debian: openvswitch-switch)' : false

export class RealOvsdb {
  readonly dir = mkdtempSync(join(tmpdir(), 'ovsight-ovsdb-'))
  readonly socket = join(this.dir, 'db.sock')
  private process: ChildProcess | undefined

  /** `clustered`: a cluster of one, which keeps history. */
  constructor({ clustered = false } = {}) {
    const file = join(this.dir, 'conf.db')
    const raft = `unix:${join(this.dir, 'raft')}`
    execFileSync('ovsdb-tool', clustered ? ['create-cluster', file, SCHEMA, raft] : ['create', file, SCHEMA])
  }

  /** Starts the server; `remotes` besides the unix socket (`ptcp:6640:127.0.0.1`, `tcp:…`). */
  async start(remotes: readonly string[] = [], more: readonly string[] = []): Promise<void> {
    const remoteArgs = [`punix:${this.socket}`, ...remotes].map((remote) => `--remote=${remote}`)
    const args = [join(this.dir, 'conf.db'), ...remoteArgs, `--unixctl=${join(this.dir, 'ctl')}`, ...more]
    this.process = spawn(SERVER!, [...args, '--log-file=/dev/null'], { stdio: 'ignore' })
    for (let tries = 0; tries < 200; tries++) {
      if (await answers(this.socket)) return
      await sleep(20)
    }
    throw new Error('ovsdb-server did not start')
  }

  async kill(): Promise<void> {
    const { process } = this
    this.process = undefined
    if (process === undefined || process.exitCode !== null) return
    const gone = new Promise((resolve) => process.once('exit', resolve))
    process.kill('SIGKILL')
    await gone
    rmSync(this.socket, { force: true })
  }

  async vsctl(...args: string[]): Promise<void> {
    await run('ovs-vsctl', [`--db=unix:${this.socket}`, '--no-wait', '--timeout=10', ...args])
  }

  async close(): Promise<void> {
    await this.kill()
    rmSync(this.dir, { recursive: true, force: true })
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** Waits until `check` holds, or fails after five seconds. */
export async function eventually(what: string, check: () => boolean): Promise<void> {
  for (let tries = 0; tries < 250; tries++) {
    if (check()) return
    await sleep(20)
  }
  throw new Error(`not within five seconds: ${what}`)
}
