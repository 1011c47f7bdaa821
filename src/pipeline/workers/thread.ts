/** A worker thread of a collector. It owns an intake and a copy of the model; blocks go to the collector's own thread. */
import { parentPort, workerData } from 'node:worker_threads'
import { EMPTY_SNAPSHOT } from '../../identity/snapshot/build.ts'
import { SnapshotCopy } from '../../identity/snapshot/copies.ts'
import { adoptReceiver } from '../../receive/shared.ts'
import { createLog } from '../../telemetry/log.ts'
import type { MetricName } from '../../telemetry/metrics.ts'
import { Intake } from '../intake.ts'
import { Beats } from '../beats.ts'
import type { FromWorker, Samples, ToWorker, WorkerStart } from './messages.ts'

const BEAT_MS = 250

const { config, sockets, number: worker, beats: beatsOfAll } = workerData as WorkerStart
const beats = new Beats(beatsOfAll)
setInterval(() => beats.beat(worker), BEAT_MS).unref()
const port = parentPort!
const post = (message: FromWorker, moved: ArrayBuffer[] = []) => port.postMessage(message, moved)

const copy = new SnapshotCopy()
let snapshot = EMPTY_SNAPSHOT
let begun = false
/** Blocks that are not safe yet, by number. */
const waiting = new Map<number, () => void>()
let blocks = 0

const log = createLog({ level: config.log_level, format: 'json', to: { write: (line) => post({ kind: 'log', line }) } })
const intake = new Intake(
  config,
  new Map(sockets.map(({ input, shared }) => [input, adoptReceiver(shared)])),
  {
    snapshot: () => snapshot,
    keep: ({ late, ...rest }) =>
      new Promise((safe) => {
        const block = late === undefined ? rest : { ...rest, late: { ...late, rows: late.rows.toBytes() } }
        const number = blocks++
        waiting.set(number, safe)
        // Sums are of this block alone, so they can go; records lie in shared memory, and what is left is small.
        const sums = block.sums?.bytes.buffer
        post({ kind: 'block', number, block }, sums instanceof ArrayBuffer ? [sums] : [])
      }),
    onReports: (host, reports) => post({ kind: 'reports', host, reports }),
    onNames: (news) => post({ kind: 'learned', news }),
    log,
  },
  { worker },
)
const { readers } = intake

port.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'model':
      snapshot = copy.take(message.model)
      if (begun) return
      begun = true
      intake.begin()
      beats.beat(worker)
      return
    case 'reports':
      intake.attributor.heard(message.host, message.reports)
      return
    case 'learned':
      intake.names.hear(message.news, message.by)
      return
    case 'unlearned':
      intake.names.forget(message.by)
      return
    case 'settings':
      intake.change(message.settings)
      log.level = message.settings.log_level
      return
    case 'safe':
      waiting.get(message.number)?.()
      waiting.delete(message.number)
      return
    case 'stall':
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, message.forMs)
      return
    case 'read':
      post({ kind: 'samples', request: message.request, samples: read() })
      return
    case 'stop':
      void stop(message.limitMs)
  }
})

async function stop(limitMs: number): Promise<void> {
  await intake.stop(limitMs)
  post({ kind: 'stopped', samples: read() })
  port.close()
}

function read(): Samples {
  return Object.fromEntries(
    Object.entries(readers).map(([name, reader]) => [name as MetricName, reader === undefined ? [] : [...reader()]]),
  )
}
