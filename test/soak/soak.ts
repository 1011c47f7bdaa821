/**
 * A collector under a mixed, partly hostile load while what it depends on comes and goes: OVSDB, clients of the API, the engine's
 * process, workers. In the end every datagram and every record is accounted for, or it says what is not.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { IPPROTO_GRE } from '../../src/receive/libc.ts'
import { openStore } from '../../src/store/open.ts'
import { RealOvsdb } from '../identity/real-ovsdb.ts'
import { Balance, Metrics } from './balance.ts'
import { Clients } from './clients.ts'
import type { FromHost, ToHost } from './host.ts'
import { Traffic } from './traffic.ts'
import { descriptorsOf, diskMiB, engineOf, filled, residentMiB, slope, SMALL, type Look } from './watch.ts'

export interface SoakOptions {
  forMs: number
  /** Records a second of known exporters, and datagrams a second of others. */
  records: number
  hostile: number
  say: (line: string) => void
}

export interface SoakReport {
  faults: string[]
  looks: Look[]
}

const TURN_MS = 50
const LOOKS = 60
/** What comes and goes, in turn; so many turns, each of all. */
const ROUNDS = 4
const SHORTEST_EVENT_MS = 2_500
/** Longer than rows are held back, so that nothing is on its way. */
const QUIET_MS = 2_400
const SETTLE_MS = 120_000
/** Growth by the minute that is none, in MiB. */
const MOST_SLOPE = 1
const MOST_DESCRIPTORS = 24
const LOG_END = 4_000
const HOST = fileURLToPath(new URL('host.js', import.meta.url))

export async function soak({ forMs, records, hostile, say }: SoakOptions): Promise<SoakReport> {
  const directory = mkdtempSync(join(tmpdir(), 'ovsight-soak-'))
  const data = join(directory, 'data')
  const ovsdb = new RealOvsdb()
  await ovsdb.start()
  await ovsdb.vsctl('add-br', 'br-int', '--', 'set', 'Open_vSwitch', '.', 'external_ids:hostname=c0')
  const identity = join(directory, 'cloud.yaml')
  writeFileSync(identity, `hosts:\n  - name: c0\n    addresses: [10.100.0.0]\n    ovsdb: unix:${ovsdb.socket}\n`)
  const gre = process.getuid?.() === 0
  const host = new Host({
    data,
    identity,
    workers: '2',
    bind: '127.0.0.1',
    gre: gre ? 'on' : 'off',
    mirror_inactive_timeout: '1s',
    interface_counters: '1s',
    flush_after: '2s',
    exporter_alias: ['127.0.64.1=10.100.0.0'],
    ...SMALL,
    ...Object.fromEntries(['netflow', 'ipfix', 'sflow', 'vxlan', 'http'].map((name) => [`${name}_port`, '0'])),
  })
  const faults: string[] = []
  try {
    const { url, ports } = await host.answer('started')
    const traffic = await Traffic.open({ ...ports, gre: IPPROTO_GRE }, gre)
    say(`${traffic.kinds.join('; ')}; ${records} records and ${hostile} hostile datagrams a second`)
    const clients = new Clients(url)
    clients.start()
    const metrics = new Metrics(url)
    const survived = { ovsdb: 0, clients: 0, engine: 0, workers: 0 }
    let lostWithWorkers = 0
    const quiet = async <T>(act: () => Promise<T>): Promise<T> => {
      await sleep(QUIET_MS)
      return act()
    }
    const events: readonly (() => Promise<void>)[] = [
      async () => {
        await ovsdb.kill()
        await ovsdb.start()
        await ovsdb.vsctl('--may-exist', 'add-port', 'br-int', `tap${survived.ovsdb}`)
        survived.ovsdb++
      },
      async () => {
        await clients.restart()
        survived.clients++
      },
      async () => {
        const engine = engineOf(host.pid)
        process.kill(engine, 'SIGKILL')
        await until(30_000, () => Promise.resolve(![0, engine].includes(engineOf(host.pid))))
        survived.engine++
      },
      () =>
        quiet(async () => {
          host.tell('fail')
          lostWithWorkers += (await host.answer('failed')).rows
          survived.workers++
        }),
    ]
    const looks: Look[] = []
    const began = Date.now()
    const eventMs = Math.max(SHORTEST_EVENT_MS, forMs / (ROUNDS * events.length + 1))
    let nextEvent = began + eventMs
    let nextLook = began
    let turns = 0
    let event = 0
    // A busy machine may take longer until all has come and gone once.
    const enough = (spentMs: number) => spentMs >= (Object.values(survived).includes(0) ? 4 * forMs : forMs)
    for (let now = began; !enough(now - began); now = Date.now()) {
      // By the clock, not by the turns, which are late on a busy machine; and never much at once.
      for (let due = Math.floor((now - began) / TURN_MS), burst = 0; turns < due && burst < 4; turns++, burst++)
        traffic.send((records * TURN_MS) / 1000, (hostile * TURN_MS) / 1000)
      if (now >= nextEvent) {
        await events[event++ % events.length]!()
        say(`after ${((Date.now() - began) / 1000).toFixed(0)} s: ${Object.entries(survived).map(([what, times]) => `${what} ${times}`).join(', ')}`) // prettier-ignore
        nextEvent = now + eventMs
        turns = Math.floor((Date.now() - began) / TURN_MS)
      }
      if (now >= nextLook) {
        looks.push(await look(host, data, (now - began) / 1000))
        nextLook = now + forMs / LOOKS
        if (looks.length === LOOKS / 2) say(`tables at half time: ${filled(await metrics.read())}`)
      }
      await sleep(TURN_MS / 2)
    }
    await clients.stop()
    say('waiting until all is stored')
    if (!(await settled(metrics))) faults.push('what was sent is not stored, and nothing moves any more')
    const balance = new Balance(await metrics.read(), traffic, lostWithWorkers)
    say(`memory of the collector without garbage: ${line(looks, 'residentMiB')}; heap: ${line(looks, 'heapMiB')}`)
    say(`memory as it was found: ${line(looks, 'foundMiB')}; tables: ${filled(await metrics.read())}; of them bounded small: ${Object.entries(SMALL).map(([name, value]) => `${name} ${value}`).join(', ')}`) // prettier-ignore
    say(`memory of its engine: ${line(looks, 'engineMiB')}; disk: ${line(looks, 'diskMiB')}`)
    say(`descriptors: ${line(looks, 'descriptors')}; handles: ${line(looks, 'handles')}`)
    say(`restarts survived: ${Object.entries(survived).map(([what, times]) => `${what} ${times}`).join(', ')}; ${clients.answers} answers; ${host.logBytes} bytes of log`) // prettier-ignore
    traffic.close()
    host.tell('stop')
    await host.answer('stopped')
    await host.ended
    const stored = await storedRows(data)
    faults.push(...balance.faults(stored))
    for (const text of balance.lines(stored)) say(text)
    if (clients.faults > 0) faults.push(`${clients.faults} answers to clients were faults`)
    if (Object.values(survived).includes(0)) faults.push('not everything was restarted')
    if (looks.length >= LOOKS / 2 && forMs >= 600_000) {
      const grown = slope(looks, 'residentMiB')
      if (grown > MOST_SLOPE) faults.push(`memory grows by ${grown.toFixed(2)} MiB a minute`)
      if (slope(looks, 'descriptors') * (forMs / 60_000) > MOST_DESCRIPTORS) faults.push('descriptors grow')
    }
    return { faults, looks }
  } finally {
    host.kill()
    await ovsdb.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function look(host: Host, data: string, atS: number): Promise<Look> {
  const foundMiB = residentMiB(host.pid)
  host.tell('look')
  const { heapMiB, handles } = await host.answer('looked')
  const { pid } = host
  return {
    atS,
    heapMiB,
    handles,
    foundMiB,
    residentMiB: residentMiB(pid),
    engineMiB: residentMiB(engineOf(pid)),
    descriptors: descriptorsOf(pid),
    diskMiB: diskMiB(data),
  }
}

/** First, middle, last, and what it grows by the minute in the second half. */
function line(looks: readonly Look[], of: keyof Look): string {
  const values = looks.map((one) => one[of].toFixed(0))
  return `${values[0]} → ${values[values.length >> 1]} → ${values.at(-1)}, ${slope(looks, of).toFixed(2)} a minute`
}

async function storedRows(data: string): Promise<number> {
  const store = await openStore({ data })
  try {
    await store.migrate()
    const { rows } = await store.query({ sql: 'SELECT count() AS records FROM flows', params: {} })
    return Number(rows[0]!['records'])
  } finally {
    await store.close()
  }
}

/** Whether all is stored in the end: a busy machine may take its time, as long as the store takes more. */
async function settled(metrics: Metrics): Promise<boolean> {
  for (let stored = -1, now = 0; now > stored; now = await metrics.stored()) {
    stored = now
    if (await until(SETTLE_MS, () => metrics.settled())) return true
  }
  return false
}

/** Whether it holds before so much time has gone. */
async function until(forMs: number, holds: () => Promise<boolean>): Promise<boolean> {
  for (const end = Date.now() + forMs; Date.now() < end; await sleep(250)) if (await holds()) return true
  return false
}

class Host {
  readonly pid: number
  readonly ended: Promise<unknown>
  private readonly child: ChildProcess
  private readonly told: FromHost[] = []
  logBytes = 0
  /** The last lines it wrote. */
  logEnd = ''

  constructor(flags: Record<string, unknown>) {
    this.child = fork(HOST, [JSON.stringify(flags)], {
      execArgv: ['--enable-source-maps', '--expose-gc'],
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    })
    this.child.stderr!.on('data', (chunk: Buffer) => {
      this.logBytes += chunk.length
      this.logEnd = (this.logEnd + chunk.toString()).slice(-LOG_END)
    })
    this.pid = this.child.pid!
    this.ended = once(this.child, 'exit')
    this.child.on('message', (message: FromHost) => void this.told.push(message))
  }

  tell(message: ToHost): void {
    this.child.send(message)
  }

  /** Its next message of a kind. */
  async answer<Kind extends FromHost['kind']>(kind: Kind): Promise<Extract<FromHost, { kind: Kind }>> {
    for (;;) {
      const at = this.told.findIndex((message) => message.kind === kind)
      if (at >= 0) return this.told.splice(at, 1)[0] as Extract<FromHost, { kind: Kind }>
      if (this.child.exitCode !== null || this.child.signalCode !== null)
        throw new Error(`the collector ended with ${this.child.exitCode ?? this.child.signalCode}: ${this.logEnd}`)
      await Promise.race([once(this.child, 'message'), this.ended])
    }
  }

  kill(): void {
    this.child.kill('SIGKILL')
  }
}
