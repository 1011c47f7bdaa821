/** A worker thread that receives: says its port, then for each batch how many datagrams and bytes; stops when told anything. */
import { parentPort, workerData } from 'node:worker_threads'
import { openReceiver } from '../../src/receive/open.ts'
import type { ReceiverOptions } from '../../src/receive/receiver.ts'

const receiver = await openReceiver(workerData as ReceiverOptions)
let bytes = 0
receiver.start((batch) => {
  for (let i = 0; i < batch.count; i++) bytes += batch.end[i]! - batch.start[i]!
})
parentPort!.postMessage({ port: receiver.port })
parentPort!.once('message', () => {
  void receiver.close().then(() => parentPort!.postMessage({ ...receiver.stats(), bytes }))
})
