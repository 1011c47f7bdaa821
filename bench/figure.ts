import { existsSync, openSync, readFileSync, readSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** What a bench answers: measured figures, with what they are to reach. */
export interface Figure {
  /** What was measured, as it stands in the table. */
  name: string
  value: number
  /** `M records/s`, `k rows/s`, `MB`, … */
  unit: string
  /** The figure to reach, in the same unit; a bound from below unless `atMost`. */
  target?: number
  atMost?: true
  /** How it was measured, or what it is beside: one short line. */
  note?: string
}

/** What the command line says of how much is to be done; a bench has its own default. */
export interface BenchOptions {
  rows?: number
  /** Span of the rows. */
  days?: number
  /** Rows a second of the first minute; without it that is looked for. */
  rate?: number
  /** Which load is sent: one of LAB_LOADS, or those whose name holds it. */
  load?: string
}

/** One bench. Checks that what it measures gives the right answer before it takes the time. */
export type Bench = (options: BenchOptions) => Promise<readonly Figure[]>

/**
 * Runs `work` (which does `units` units a call) for about `forMs` of CPU after a warm-up of a quarter of that; units a CPU second.
 * CPU time of this process, so that what else the machine does costs little; garbage collection is in it.
 */
export function measure(units: number, work: () => void, forMs = 1_000): number {
  const until = (ms: number, callsAtATime: number) => {
    const start = process.cpuUsage()
    let calls = 0
    let elapsedMs: number
    do {
      for (let i = 0; i < callsAtATime; i++) work()
      calls += callsAtATime
      const { user, system } = process.cpuUsage(start)
      elapsedMs = (user + system) / 1e3
    } while (elapsedMs < ms)
    return { perS: (calls * units * 1e3) / elapsedMs, callsAtATime: Math.max(1, Math.floor(calls / elapsedMs)) }
  }
  // Asking for the CPU time costs microseconds itself: once a millisecond of work.
  const { callsAtATime } = until(forMs / 4, 1)
  return until(forMs, callsAtATime).perS
}

const SCHEDSTAT = '/proc/thread-self/schedstat'
const schedstat = existsSync(SCHEDSTAT) ? openSync(SCHEDSTAT, 'r') : undefined
const scratch = Buffer.alloc(128)

/**
 * CPU time of this thread in ms, to the microsecond; where the kernel does not tell, the time of the clock. A pause of the event loop on
 * a machine that does other things is told by it, and not by the clock.
 */
export function threadCpuMs(): number {
  if (schedstat === undefined) return performance.now()
  const length = readSync(schedstat, scratch, 0, scratch.length, 0)
  return Number(scratch.toString('latin1', 0, length).split(' ')[0]) / 1e6
}

/** CPU seconds of a process so far: fields 14 and 15 of /proc/PID/stat, in hundredths. NaN where that is not told. */
export function cpuSeconds(pid: number | undefined): number {
  if (pid === undefined || process.platform !== 'linux') return NaN
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const [, ...fields] = stat.slice(stat.lastIndexOf(')')).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** Bytes of objects and array buffers that are still needed. */
export function heldBytes(): number {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  gc()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
