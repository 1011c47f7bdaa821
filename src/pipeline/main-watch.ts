/**
 * Watches the collector's own thread from another one: when it has not beaten for too long its stack is written to standard error, and the
 * process is ended, so that whoever started it starts it anew. What was acknowledged is in the spool.
 */
import { Worker } from 'node:worker_threads'
import { Beats } from './beats.ts'

const BEAT_MS = 250
/** It holds next to nothing; MiB. */
const LIMITS = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2 }

export interface MainWatchData {
  beats: SharedArrayBuffer
  afterMs: number
  end: boolean
}

/** Begins to watch this thread; the function ends that. `end` = the process is ended when it is stuck. */
export function watchMain(afterMs: number, end: boolean): () => Promise<unknown> {
  const beats = new Beats(1)
  const timer = setInterval(() => beats.beat(0), BEAT_MS)
  const workerData: MainWatchData = { beats: beats.shared, afterMs, end }
  const worker = new Worker(new URL('main-watch-thread.js', import.meta.url), {
    workerData,
    name: 'watchdog',
    resourceLimits: LIMITS,
    stderr: false,
  })
  worker.unref()
  return () => {
    clearInterval(timer)
    return worker.terminate()
  }
}
