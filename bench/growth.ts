/**
 * How what a record costs grows with what there is: exporters, ports of the cloud, threads. NetFlow v5, received, attributed and encoded,
 * the queue never empty. Takes minutes, so it runs only by name.
 */
import { slowReceiveReason } from '../src/receive/open.ts'
import type { CloudSize } from './cloud.ts'
import type { Bench, Figure } from './figure.ts'
import { check, cpuOf, drained } from './load/drive.ts'
import { netflow5, type Load } from './load/loads.ts'
import { startOwn } from './load/processes.ts'
import { Sender } from './load/sender.ts'

const SMALL: CloudSize = { hosts: 50, ports: 20, networks: 25 }
const EXPORTERS = [1, 10, 100, 1000]
const CLOUDS: readonly CloudSize[] = [
  SMALL,
  { hosts: 5_000, ports: 20, networks: 2_500 },
  { hosts: 50_000, ports: 20, networks: 25_000 },
]
/** Of the exporters' growth, so that each has a host of its own. */
const THOUSAND_HOSTS: CloudSize = { hosts: 1_000, ports: 20, networks: 500 }
/** Exporters where something else grows. */
const SOME = 64
const WORKERS = [1, 2, 3, 4]

export const benchGrowth: Bench = async () => {
  if (slowReceiveReason() !== '') return []
  const figures: Figure[] = []
  const add = async (name: string, load: Load, workers = 1) =>
    figures.push({ name, value: await costOf(load, workers), unit: 'CPU s / M records' })
  for (const count of EXPORTERS) await add(`${count} exporters`, netflow5(THOUSAND_HOSTS, count))
  for (const cloud of CLOUDS)
    await add(
      `cloud of ${(cloud.hosts * cloud.ports).toLocaleString('en')} ports, ${SOME} exporters`,
      netflow5(cloud, SOME),
    )
  for (const workers of WORKERS) await add(`${workers} workers, ${SOME} exporters`, netflow5(SMALL, SOME), workers)
  return figures
}

async function costOf(load: Load, workers: number): Promise<number> {
  const subject = await startOwn(load, workers)
  const sender = new Sender(load, subject.port)
  try {
    const cost = await cpuOf(subject, sender, load)
    await drained(subject)
    return cost
  } finally {
    const { drops } = subject.queue()
    const counted = await subject.stop()
    sender.close()
    if (counted !== undefined) check(load, sender.sent, drops, counted)
  }
}
