/** The thread that watches the collector's own, see main-watch.ts. Nothing here may wait for the thread that is stuck. */
import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { workerData } from 'node:worker_threads'
import { Beats } from './beats.ts'
import type { MainWatchData } from './main-watch.ts'
import { stackOfMain } from './stacks.ts'

const LOOK_MS = 500
const STDERR = 2

const { beats: shared, afterMs, end } = workerData as MainWatchData
const beats = new Beats(shared)
const most = Math.max(2, Math.ceil(afterMs / LOOK_MS))
let told = false

for (;;) {
  await sleep(LOOK_MS)
  const missed = beats.look(0)
  if (missed < most) {
    told = false
    continue
  }
  if (told) continue
  told = true
  const stack = await stackOfMain()
  const msg = end
    ? 'the main thread is stuck: the process is ended, to be started again'
    : 'the main thread is stuck (watchdog_action report)'
  writeSync(STDERR, `${JSON.stringify({ level: 'fatal', time: new Date().toISOString(), afterMs, stack, msg })}\n`)
  // Only the kernel can end a thread that does not turn.
  if (end) process.kill(process.pid, 'SIGKILL')
}
