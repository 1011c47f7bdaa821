/**
 * Receiving, as a whole: what the kernel hands over, decoded, attributed and encoded, blocks thrown away; beside other collectors
 * where they are installed, which write files. On loopback, bounded, always the same datagrams.
 *
 *   CPU            the process is stopped, its queue filled, then it goes on: so the queue is never empty, and the sender takes no part
 *   lossless rate  the highest rate tried at which the kernel drops nothing; sender and collector share the machine
 *
 * Each time: sent = received + dropped, and rows = records of what was received. Anything else is a wrong answer.
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { slowReceiveReason } from '../src/receive/open.ts'
import type { Bench, Figure } from './figure.ts'
import { loads, type Load } from './load/loads.ts'
import { cpuSeconds, goOn, pause, peersFor, socketOf, startOwn, startPeer, type Subject } from './load/processes.ts'
import type { Counted } from './load/receiver.ts'
import { Sender } from './load/sender.ts'

/** CPU seconds a million records, and how often the peer's lossless rate, to reach: issue 8. */
const REACH: Readonly<Record<string, { cpuS: number; rate: number }>> = {
  'NetFlow v5, 30 records a datagram': { cpuS: 0.25, rate: 1.2 },
  'IPFIX, 21 records a message': { cpuS: 0.3, rate: 1.2 },
  'IPFIX of Open vSwitch, 1 record a datagram': { cpuS: 2.5, rate: 1 },
  'sFlow, 7 samples of 128 bytes a datagram': { cpuS: 0.8, rate: 1.3 },
}
const WORKERS = 2
/** For a figure of CPU the queue is drained until so much was measured; first so often that code is compiled. */
const CPU_S = 0.6
const DRAINS = { first: 3, most: 20 }
const AT_A_TIME = 10_000
const MOST_QUEUED_BYTES = 40 * 1024 ** 2
const RATE_MS = 300
const RATE_STEPS = 6
const MOST_RATE = 640_000

export const benchReceive: Bench = async () => {
  if (slowReceiveReason() !== '') return []
  const figures: Figure[] = []
  for (const load of await loads()) figures.push(...(await benchLoad(load)))
  return figures
}

async function benchLoad(load: Load): Promise<Figure[]> {
  const { cpuS, rate } = REACH[load.name]!
  const figures: Figure[] = []
  const rates = new Map<string, number>()
  const costs = new Map<string, number>()
  const starts = [
    () => startOwn(load, 1),
    () => startOwn(load, WORKERS),
    ...peersFor(load).map((name) => () => startPeer(name)),
  ]
  for (const start of starts) {
    const subject = await start()
    const sender = new Sender(load, subject.port)
    let counted: Counted | undefined
    try {
      sender.begin(subject.port)
      await drained(subject)
      costs.set(subject.name, await cpuOf(subject, sender, load))
      rates.set(subject.name, await losslessRate(subject, sender))
      await drained(subject)
    } finally {
      const drops = socketOf(subject.port)?.drops ?? 0
      counted = await subject.stop()
      sender.close()
      if (counted !== undefined) check(load, sender.sent, drops, counted)
    }
  }
  for (const [name, cost] of costs) {
    const own = name.startsWith('ovsight')
    figures.push({
      name: `${load.name}: ${name}`,
      value: cost,
      unit: 'CPU s / M records',
      ...(own ? { target: cpuS, atMost: true as const } : {}),
      note: `lossless to ${Math.round(rates.get(name)! / 1000)} k datagrams/s`,
    })
  }
  for (const [name, best] of rates) {
    if (name.startsWith('ovsight')) continue
    figures.push({
      name: `${load.name}: lossless rate beside ${name}`,
      value: rates.get('ovsight')! / best,
      unit: 'times',
      target: rate,
    })
  }
  return figures
}

/** Every datagram sent was received or dropped, every record of those received is a row. */
function check(load: Load, sent: number, drops: number, counted: Counted): void {
  const before = load.exporters.reduce((sum, exporter) => sum + exporter.before.length, 0)
  assert.equal(counted.datagrams + drops, sent + before, 'datagrams: received and dropped beside sent')
  assert.equal(counted.kernelDrops, drops, 'drops: as the collector tells them beside /proc/net/udp')
  assert.equal(counted.overload, 0, 'datagrams dropped by the collector, whose blocks are taken at once')
  assert.equal(counted.rows, (counted.datagrams - before) * load.records, 'rows beside records received')
}

/** CPU seconds a million records while the queue is never empty. The first drains are not counted. */
async function cpuOf(subject: Subject, sender: Sender, load: Load): Promise<number> {
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
  const { drops } = socketOf(subject.port)!
  for (;;) {
    sent += sender.send(64)
    const now = socketOf(subject.port)!
    if (now.drops > drops || now.queuedBytes > MOST_QUEUED_BYTES || sent >= AT_A_TIME) break
  }
  goOn(subject.pid)
  await drained(subject)
  // Until the last block is sealed.
  await sleep(300)
  return sent
}

async function drained(subject: Subject): Promise<void> {
  for (let empty = 0; empty < 3;) {
    await sleep(10)
    empty = socketOf(subject.port)!.queuedBytes === 0 ? empty + 1 : 0
  }
}

/** Halves the range in which the highest rate without a drop lies. */
async function losslessRate(subject: Subject, sender: Sender): Promise<number> {
  let low = 0
  let high = MOST_RATE
  for (let step = 0; step < RATE_STEPS; step++) {
    const rate = low === 0 ? high / 2 : (low + high) / 2
    const before = socketOf(subject.port)!.drops
    const reached = await sendAt(sender, rate)
    await drained(subject)
    // A rate that the sender does not reach says nothing of the collector.
    if (socketOf(subject.port)!.drops === before && reached > rate * 0.95) low = rate
    else high = rate
  }
  return low
}

/** Sends at a rate for RATE_MS; the rate that came about. */
async function sendAt(sender: Sender, rate: number): Promise<number> {
  const start = performance.now()
  const wanted = Math.round((rate * RATE_MS) / 1000)
  let sent = 0
  while (sent < wanted) {
    const elapsed = performance.now() - start
    if (elapsed > RATE_MS * 2) break
    const due = Math.min(wanted, Math.floor((elapsed * rate) / 1000))
    if (due > sent) sent += sender.send(due - sent)
    else await sleep(1)
  }
  return (sent / (performance.now() - start)) * 1000
}
