/**
 * How long a collector takes until its sockets listen, so that the kernel keeps what comes, and until all of it runs; and what it holds when
 * nothing comes. As a user starts it: no source maps, which tests have.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openFront } from '../test/store/clickhouse-front.ts'
import { NO_ENGINE, openEngine } from '../test/store/engine.ts'
import type { Bench, Figure } from './figure.ts'
import { cpuSeconds, residentMib } from './load/processes.ts'

const TIMES = 4
/** After it the start itself is over. */
const IDLE_MS = 3_000
const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url))
const FREE = ['netflow', 'ipfix', 'sflow', 'vxlan', 'http'].flatMap((name) => [`--${name}-port`, '0'])

export const benchStart: Bench = async () => {
  if (NO_ENGINE !== false) return []
  const engine = await openEngine()
  const front = await openFront(engine.session, engine.directory)
  const data = mkdtempSync(join(tmpdir(), 'ovsight-bench-'))
  try {
    return [
      ...(await starting('with a server', ['--clickhouse', `${front.url}/ovsight`], join(data, 'a'), 0.5, 120)),
      ...(await starting('with the embedded store', [], join(data, 'b'), 1.5, 350)),
    ]
  } finally {
    await front.close()
    engine.close()
    rmSync(data, { recursive: true, force: true })
  }
}

interface Started {
  /** Seconds from the start of the process. */
  listeningS: number
  readyS: number
  /** CPU seconds of all threads and processes until then: what a machine that is busy does not change. */
  cpuS: number
  child: ChildProcess
}

/**
 * The first start on a directory may make the tables; the fastest of the others counts. To reach: `startS` seconds until it listens,
 * `mib` MiB.
 */
export async function starting(
  name: string,
  words: readonly string[],
  data: string,
  startS: number,
  mib: number,
): Promise<Figure[]> {
  const starts: Started[] = []
  let idle = NaN
  for (let i = 0; i < TIMES; i++) {
    const started = await startCollector([...words, '--data', data])
    starts.push(started)
    if (i === TIMES - 1) {
      await sleep(IDLE_MS)
      idle = residentMib(started.child.pid!)
    }
    started.child.kill('SIGTERM')
    await once(started.child, 'exit')
  }
  const least = (of: (one: Started) => number) => Math.min(...starts.map(of))
  const note = `fastest of ${TIMES}, Node.js itself included`
  const until = `from start to all running, ${name}`
  return [
    { name: `from start to listening, ${name}`, value: least(({ listeningS }) => listeningS), unit: 's', target: startS, atMost: true, note }, // prettier-ignore
    { name: until, value: least(({ readyS }) => readyS), unit: 's', note },
    { name: `CPU of that`, value: least(({ cpuS }) => cpuS), unit: 's', note: 'all threads, engine included' },
    { name: `idle, ${name}`, value: idle, unit: 'MiB', target: mib, atMost: true, note: 'resident, engine included' },
  ]
}

/** Starts a collector and waits until it runs. */
export async function startCollector(words: readonly string[]): Promise<Started> {
  const beganMs = performance.now()
  const seconds = () => (performance.now() - beganMs) / 1000
  const child = spawn(process.execPath, [MAIN, 'collect', '--bind', '127.0.0.1', ...FREE, '--gre', 'off', ...words])
  let listeningS = NaN
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
    if (Number.isNaN(listeningS) && said.includes('"listening: ')) listeningS = seconds()
  })
  const ended = once(child, 'exit')
  const ready = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes(' listens on ')) resolve()
    })
  })
  await Promise.race([ready, ended])
  if (child.exitCode !== null) throw new Error(`the collector ended: ${said}`)
  return { listeningS, readyS: seconds(), cpuS: cpuSeconds(child.pid!), child }
}
