/**
 * `npm run fuzz`: every target for a while. `npm run fuzz -- ipfix sflow5 --minutes 10` some of them, longer; `--seconds`, `--seed`;
 * `--jobs 2` two at a time, each in a process of its own. An input that breaks a target is left in the directory as `crash-TARGET`, and
 * the exit code is 1. `--starts 12 --datagrams 20000`: fresh starts of a collector instead, see starts.ts.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { fuzz } from './fuzz.ts'
import { start } from './starts.ts'
import { TARGETS, type Target } from './targets.ts'
import { readUsage } from '../usage.ts'

const { values, words } = readUsage({
  name: 'fuzz',
  does: 'Feeds changed inputs to everything that reads from the network or from people. An input that breaks a target is left as crash-TARGET.',
  fails: 'an input broke a target, took more than 50 ms, or memory grew by more than 64 MiB',
  options: {
    minutes: { value: 'n', doc: 'how long each target' },
    seconds: { value: 'n', doc: 'the same; 10 when neither is given' },
    seed: { value: 'n', doc: 'begin as a run before did; of the clock when not given' },
    jobs: { value: 'n', doc: 'targets at a time, each in a process of its own', default: 1 },
    starts: { value: 'n', doc: 'fresh starts of a collector instead, with changed datagrams over its sockets' },
    datagrams: { value: 'n', doc: 'of each of these starts', default: 20_000 },
  },
  words: { name: 'target', doc: `${TARGETS.map(({ name }) => name).join(', ')}; all when none is named` },
})
const unknown = words.filter((name) => !TARGETS.some((target) => target.name === name))
if (unknown.length > 0) {
  console.error(
    `nothing to fuzz is called ${unknown.join(', ')}; there are ${TARGETS.map(({ name }) => name).join(', ')}`,
  )
  process.exit(2)
}
const forMs = (values.minutes ?? 0) * 60_000 + (values.seconds ?? (values.minutes === undefined ? 10 : 0)) * 1000
const seed = values.seed ?? Date.now() % 1_000_000
const chosen = TARGETS.filter(({ name }) => words.length === 0 || words.includes(name))
const { jobs } = values
if (values.starts !== undefined) await freshStarts(values.starts, values.datagrams)
else if (jobs > 1 && chosen.length > 1) await inProcesses(chosen.map(({ name }) => name))
else {
  console.log(`seed ${seed}, ${forMs / 1000} s each`)
  for (const target of chosen) await fuzzOne(target)
}

async function fuzzOne(target: Target): Promise<void> {
  const { fault, inputs, kept, blocks, worstUs, worst, grownBytes } = await fuzz(target, forMs, seed)
  console.log(
    `${target.name.padEnd(9)} ${String(inputs).padStart(9)} inputs, ${blocks} blocks, ${kept} kept, worst ${worstUs.toFixed(0)} µs ` +
      `(${worst.length} bytes), ${(grownBytes / 1024 ** 2).toFixed(1)} MiB`,
  )
  if (fault === undefined) return
  writeFileSync(`crash-${target.name}`, fault.input)
  console.error(
    `${target.name}: ${fault.error.stack ?? fault.error.message}\n${fault.input.length} bytes in crash-${target.name}`,
  )
  process.exitCode = 1
}

async function freshStarts(starts: number, datagrams: number): Promise<void> {
  let survived = 0
  for (let i = 0; i < starts; i++) {
    const { sent, received, kernelDrops, logBytes, fault } = await start(datagrams, seed + i)
    console.log(`start ${i + 1}: ${sent} sent, ${received} received, ${kernelDrops} dropped by the kernel, ${logBytes} bytes of log; ${fault || 'survived'}`) // prettier-ignore
    if (fault === '') survived++
  }
  console.log(`${survived} of ${starts} survived`)
  if (survived < starts) process.exitCode = 1
}

/** `jobs` of them at a time, by this program itself. */
async function inProcesses(names: string[]): Promise<void> {
  const own = [...process.execArgv, fileURLToPath(import.meta.url), '--seconds', String(forMs / 1000), '--seed', String(seed)] // prettier-ignore
  const next = async (): Promise<void> => {
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      const [code] = (await once(spawn(process.execPath, [...own, name], { stdio: 'inherit' }), 'exit')) as [number | null] // prettier-ignore
      if (code !== 0) process.exitCode = 1
    }
  }
  await Promise.all(Array.from({ length: jobs }, next))
}
