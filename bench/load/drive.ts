/** Driving a collector with a load: what it costs, and how much it takes without a loss. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Load } from './loads.ts'
import { cpuSeconds, goOn, pause, type Subject } from './processes.ts'
import type { Counted } from './receiver.ts'
import type { Rung } from './rungs.ts'
import type { Sender } from './sender.ts'

/** Times that the queue is drained before a figure of CPU, so that code is compiled, and for it. */
const DRAINS = { first: 5, counted: 7 }
/** In the queue at a time, so that what a drain costs once (waking up, its last block) counts little. */
const AT_A_TIME = 40_000
const MOST_QUEUED_BYTES = 80 * 1024 ** 2
const RATE_MS = 300
const RATE_STEPS = 7
const MOST_RATE = 640_000

/** Every datagram sent was received or dropped, every record of those received is in a row. */
export function check(load: Load, sent: number, drops: number, counted: Counted, rung: Rung = 'all'): void {
  const before = load.exporters.reduce((sum, exporter) => sum + exporter.before.length, 0)
  assert.equal(counted.datagrams + drops, sent + before, 'datagrams: received and dropped beside sent')
  assert.equal(counted.kernelDrops, drops, 'drops: as the collector tells them beside the kernel')
  assert.equal(counted.overload, 0, 'datagrams dropped by the collector, whose blocks are taken at once')
  if (rung === 'receive') return
  const records = (counted.datagrams - before) * load.records
  // Mirrored frames are added up to flows.
  if (load.input === 'gre' && rung !== 'all') return
  if (load.input === 'gre') assert.equal(counted.packets, records, 'packets of rows beside frames received')
  else assert.equal(counted.rows, records, 'rows beside records received')
}

/** CPU seconds a million records while the queue is never empty: the median of some drains, the first ones left out. */
export async function cpuOf(subject: Subject, sender: Sender, load: Load): Promise<number> {
  for (let i = 0; i < DRAINS.first; i++) await drainOnce(subject, sender)
  const costs: number[] = []
  for (let i = 0; i < DRAINS.counted; i++) {
    const { cpuS, datagrams } = await drainOnce(subject, sender)
    costs.push((cpuS / (datagrams * load.records)) * 1e6)
  }
  return median(costs)
}

/** Fills the queue of the stopped process, lets it go on and waits until all is taken; how many datagrams it took, and what they cost. */
export async function drainOnce(subject: Subject, sender: Sender): Promise<{ cpuS: number; datagrams: number }> {
  pause(subject.pid)
  const before = cpuSeconds(subject.pid)
  const { drops } = subject.queue()
  let sent = 0
  for (;;) {
    sent += sender.send(64)
    const now = subject.queue()
    if (now.drops > drops || now.queuedBytes > MOST_QUEUED_BYTES || sent >= AT_A_TIME) break
  }
  goOn(subject.pid)
  await drained(subject)
  // Until the last block is sealed.
  await sleep(300)
  return { cpuS: cpuSeconds(subject.pid) - before, datagrams: sent - (subject.queue().drops - drops) }
}

/** The one in the middle. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
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
