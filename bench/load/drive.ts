/** Driving a collector with a load: what it costs, and how much it takes without a loss. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Load } from './loads.ts'
import { cpuSeconds, goOn, pause, type Subject } from './processes.ts'
import type { Counted } from './receiver.ts'
import type { Sender } from './sender.ts'

/** For a figure of CPU the queue is drained until so much was measured; first so often that code is compiled. */
const CPU_S = 0.6
const DRAINS = { first: 5, most: 20 }
const AT_A_TIME = 10_000
const MOST_QUEUED_BYTES = 40 * 1024 ** 2
const RATE_MS = 300
const RATE_STEPS = 7
const MOST_RATE = 640_000

/** Every datagram sent was received or dropped, every record of those received is in a row. */
export function check(load: Load, sent: number, drops: number, counted: Counted): void {
  const before = load.exporters.reduce((sum, exporter) => sum + exporter.before.length, 0)
  assert.equal(counted.datagrams + drops, sent + before, 'datagrams: received and dropped beside sent')
  assert.equal(counted.kernelDrops, drops, 'drops: as the collector tells them beside the kernel')
  assert.equal(counted.overload, 0, 'datagrams dropped by the collector, whose blocks are taken at once')
  const records = (counted.datagrams - before) * load.records
  // Mirrored frames are added up to flows.
  if (load.input === 'gre') assert.equal(counted.packets, records, 'packets of rows beside frames received')
  else assert.equal(counted.rows, records, 'rows beside records received')
}

/** CPU seconds a million records while the queue is never empty. The first drains are not counted. */
export async function cpuOf(subject: Subject, sender: Sender, load: Load): Promise<number> {
  for (let i = 0; i < DRAINS.first; i++) await drainOnce(subject, sender)
  let spentS = 0
  let datagrams = 0
  for (let i = 0; i < DRAINS.most && spentS < CPU_S; i++) {
    const before = cpuSeconds(subject.pid)
    datagrams += await drainOnce(subject, sender)
    spentS += cpuSeconds(subject.pid) - before
  }
  return (spentS / (datagrams * load.records)) * 1e6
}

/** Fills the queue of the stopped process, lets it go on and waits until all is taken; how many datagrams. */
async function drainOnce(subject: Subject, sender: Sender): Promise<number> {
  pause(subject.pid)
  let sent = 0
  const { drops } = subject.queue()
  for (;;) {
    sent += sender.send(64)
    const now = subject.queue()
    if (now.drops > drops || now.queuedBytes > MOST_QUEUED_BYTES || sent >= AT_A_TIME) break
  }
  goOn(subject.pid)
  await drained(subject)
  // Until the last block is sealed.
  await sleep(300)
  return sent
}

/** Resolves when the kernel holds nothing more for it. */
export async function drained(subject: Pick<Subject, 'queue'>): Promise<void> {
  for (let empty = 0; empty < 3;) {
    await sleep(10)
    empty = subject.queue().queuedBytes === 0 ? empty + 1 : 0
  }
}

/** The highest rate tried, datagrams a second, at which the kernel dropped nothing; halves the range in which it lies. */
export async function losslessRate(
  subject: Pick<Subject, 'queue'>,
  sender: Sender,
  mostRate = MOST_RATE,
  forMs = RATE_MS,
): Promise<number> {
  let low = 0
  let high = mostRate
  for (let step = 0; step < RATE_STEPS; step++) {
    const rate = low === 0 ? high / 2 : (low + high) / 2
    const before = subject.queue().drops
    const reached = await sendAt(sender, rate, forMs)
    await drained(subject)
    // A rate that the sender does not reach says nothing of the collector.
    if (subject.queue().drops === before && reached > rate * 0.95) low = rate
    else high = rate
  }
  return low
}

/** Sends `rate` datagrams a second for `ms`, then what is still due for as long at most; the rate that came about. */
export async function sendAt(
  sender: Sender,
  rate: number,
  ms: number,
  each?: (elapsedMs: number) => void,
): Promise<number> {
  const start = performance.now()
  const wanted = Math.round((rate * ms) / 1000)
  let sent = 0
  while (sent < wanted) {
    const elapsed = performance.now() - start
    if (elapsed > ms * 2) break
    each?.(elapsed)
    const due = Math.min(wanted, Math.floor((elapsed * rate) / 1000))
    if (due > sent) sent += sender.send(due - sent)
    else await sleep(1)
  }
  return (sent / (performance.now() - start)) * 1000
}
