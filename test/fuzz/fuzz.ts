/**
 * One target fuzzed for a while: changed inputs by the thousand, those that reach code no other did kept and changed further. Fails on
 * anything thrown, on an input that takes longer than HANG_MS, and on memory that grows.
 */
import { Coverage } from './coverage.ts'
import { mutate, randomOf } from './mutate.ts'
import type { Target } from './targets.ts'

const BATCH = 256
/** Inputs kept beside the seeds. */
const MAX_KEPT = 2000
const HANG_MS = 50
/** Runs of an input that seems to be the longest. */
const AGAIN = 20
/** What a process grows by anyway: code, feedback, the inputs kept. */
const GROWTH_BYTES = 64 * 1024 ** 2

export interface Report {
  target: string
  inputs: number
  /** Kept since they reached something new, and the blocks of source reached. */
  kept: number
  blocks: number
  /** The longest that one input took at its best, in µs, and that input. */
  worstUs: number
  worst: Uint8Array
  grownBytes: number
  /** What went wrong, and by which input. */
  fault?: { error: Error; input: Uint8Array }
}

/** Fuzzes `target` for `forMs`. Repeats with the same `seed` as far as time does. */
export async function fuzz(target: Target, forMs: number, seed = 1): Promise<Report> {
  const random = randomOf(seed)
  const seeds = await target.seeds()
  const corpus = [...seeds]
  const run = target.open()
  const report: Report = {
    target: target.name,
    inputs: 0,
    kept: 0,
    blocks: 0,
    worstUs: 0,
    worst: new Uint8Array(0),
    grownBytes: 0,
  }
  for (const input of seeds) await run(input)
  const coverage = new Coverage()
  const heapBefore = await memory()
  const endMs = performance.now() + forMs
  try {
    while (performance.now() < endMs) {
      const batch = Array.from({ length: BATCH }, () =>
        mutate(corpus[random(corpus.length)]!, seeds[random(seeds.length)]!, random, target.repair),
      )
      for (const input of batch) await runOne(run, input, report)
      if (coverage.take() === 0) continue
      // One of them it was: each is worth a look of its own.
      for (const input of batch) {
        if (corpus.length - seeds.length >= MAX_KEPT) corpus.splice(seeds.length + random(MAX_KEPT), 1)
        if (random(4) === 0) corpus.push(input)
      }
    }
  } catch (error) {
    report.fault ??= { error: error as Error, input: new Uint8Array(0) }
  }
  report.kept = corpus.length - seeds.length
  report.blocks = coverage.blocks
  coverage.close()
  report.grownBytes = (await memory()) - heapBefore
  if (report.grownBytes > GROWTH_BYTES)
    report.fault ??= { error: new Error(`memory grew by ${report.grownBytes} bytes`), input: report.worst }
  return report
}

async function runOne(run: ReturnType<Target['open']>, input: Uint8Array, report: Report): Promise<void> {
  const before = performance.now()
  try {
    // A target that is not asynchronous is not waited for: that would be most of its time.
    const waited = run(input)
    if (waited !== undefined) await waited
  } catch (error) {
    report.fault = { error: error as Error, input }
    throw error
  }
  const tookMs = performance.now() - before
  report.inputs++
  if (tookMs * 1000 <= report.worstUs) return
  // The clock tells of the machine too: only what is long again and again is long.
  let leastMs = tookMs
  for (let again = 0; again < AGAIN && leastMs * 1000 > report.worstUs; again++) {
    const start = performance.now()
    const waited = run(input)
    if (waited !== undefined) await waited
    leastMs = Math.min(leastMs, performance.now() - start)
  }
  if (leastMs * 1000 > report.worstUs) {
    report.worstUs = leastMs * 1000
    report.worst = input
  }
  if (leastMs > HANG_MS) {
    report.fault = { error: new Error(`${leastMs.toFixed(0)} ms for one input`), input }
    throw report.fault.error
  }
}

/** What is held. Memory of a buffer that nobody has any more is given back a turn after the collection that finds it. */
async function memory(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
