/**
 * Receiving, as a whole: what the kernel hands over, decoded, attributed and encoded, blocks thrown away; beside other collectors
 * where they are installed, which write files. On loopback, bounded, always the same datagrams.
 *
 *   CPU            the process is stopped, its queue filled, then it goes on: so the queue is never empty, and the sender takes no part
 *   lossless rate  the highest rate tried at which the kernel drops nothing; sender and collector share the machine
 *
 * Each time: sent = received + dropped, and rows = records of what was received. Anything else is a wrong answer.
 */
import { slowReceiveReason } from '../src/receive/open.ts'
import type { Bench, Figure } from './figure.ts'
import { loads, type Load } from './load/loads.ts'
import { check, cpuOf, drained, losslessRate } from './load/drive.ts'
import { peersFor, startOwn, startPeer } from './load/processes.ts'
import type { Counted } from './load/receiver.ts'
import { Sender } from './load/sender.ts'

/** To reach: CPU seconds a million records, how often the peer's lossless rate, and how many thousand datagrams a second. */
const REACH: Readonly<Record<string, { cpuS: number; rate?: number; thousands?: number }>> = {
  'NetFlow v5, 30 records a datagram': { cpuS: 0.25, rate: 1.2 },
  'IPFIX, 21 records a message': { cpuS: 0.3, rate: 1.2 },
  'IPFIX of Open vSwitch, 1 record a datagram': { cpuS: 2.5, rate: 1, thousands: 200 },
  'sFlow, 7 samples of 128 bytes a datagram': { cpuS: 0.8, rate: 1.3 },
  'GRE mirror, 128-byte frames': { cpuS: 3, thousands: 150 },
}
const WORKERS = 2

export const benchReceive: Bench = async () => {
  if (slowReceiveReason() !== '') {
    console.log(`not measured: ${slowReceiveReason()}`)
    return []
  }
  const figures: Figure[] = []
  for (const load of await loads()) {
    if (load.input === 'gre' && process.getuid?.() !== 0) {
      console.log(`not measured: ${load.name}, whose raw socket is for root only`)
      continue
    }
    figures.push(...(await benchLoad(load)))
  }
  return figures
}

async function benchLoad(load: Load): Promise<Figure[]> {
  const { cpuS, rate, thousands } = REACH[load.name]!
  const figures: Figure[] = []
  const rates = new Map<string, number>()
  const costs = new Map<string, number>()
  const starts = [
    () => startOwn(load, 1),
    // Of GRE one thread receives, however many there are.
    ...(load.input === 'gre' ? [] : [() => startOwn(load, WORKERS)]),
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
      const { drops } = subject.queue()
      counted = await subject.stop()
      sender.close()
      if (counted !== undefined) check(load, sender.sent, drops, counted)
    }
  }
  for (const [name, cost] of costs) {
    figures.push({
      name: `${load.name}: ${name}`,
      value: cost,
      unit: 'CPU s / M records',
      ...(name.startsWith('ovsight') ? { target: cpuS, atMost: true as const } : {}),
      note: `lossless to ${Math.round(rates.get(name)! / 1000)} k datagrams/s`,
    })
  }
  const own = rates.get('ovsight')!
  if (thousands !== undefined)
    figures.push({ name: `${load.name}: lossless rate`, value: own / 1000, unit: 'k datagrams/s', target: thousands })
  for (const [name, best] of rates) {
    if (name.startsWith('ovsight')) continue
    figures.push({
      name: `${load.name}: lossless rate beside ${name}`,
      value: own / best,
      unit: 'times',
      ...(rate === undefined ? {} : { target: rate }),
    })
  }
  return figures
}
