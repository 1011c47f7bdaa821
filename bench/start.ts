/** How long a collector takes until it listens, and what it holds when nothing comes. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { collector } from '../test/e2e/cli.ts'
import { openFront } from '../test/store/clickhouse-front.ts'
import { NO_ENGINE, openEngine } from '../test/store/engine.ts'
import type { Bench, Figure } from './figure.ts'
import { residentMib } from './load/processes.ts'

const TIMES = 4
/** After it the start itself is over. */
const IDLE_MS = 3_000

export const benchStart: Bench = async () => {
  if (NO_ENGINE !== false) return []
  const engine = await openEngine()
  const front = await openFront(engine.session, engine.directory)
  try {
    return [
      ...(await starting('with a server', ['--clickhouse', `${front.url}/ovsight`], 0.5, 120)),
      ...(await starting('with the embedded store', [], 1.5, 350)),
    ]
  } finally {
    await front.close()
    engine.close()
  }
}

/** The first start makes the tables; the fastest of the others counts. To reach: `startS` seconds, `mib` MiB. */
async function starting(name: string, words: readonly string[], startS: number, mib: number): Promise<Figure[]> {
  const data = mkdtempSync(join(tmpdir(), 'ovsight-bench-'))
  const seconds: number[] = []
  let idle = NaN
  try {
    for (let i = 0; i < TIMES; i++) {
      const start = performance.now()
      const running = await collector([...words, '--data', data])
      seconds.push((performance.now() - start) / 1000)
      if (i === TIMES - 1) {
        await sleep(IDLE_MS)
        idle = residentMib(running.pid)
      }
      await running.stop()
    }
  } finally {
    rmSync(data, { recursive: true, force: true })
  }
  const value = Math.min(...seconds)
  const note = `fastest of ${TIMES}, Node.js itself included`
  return [
    { name: `from start to listening, ${name}`, value, unit: 's', target: startS, atMost: true, note },
    { name: `idle, ${name}`, value: idle, unit: 'MiB', target: mib, atMost: true, note: 'resident, engine included' },
  ]
}
