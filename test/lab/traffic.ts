/** Known traffic between the machines, and the truth about it: their own interfaces' counters. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { MACHINES, OUTSIDE, endpoint } from './cloud.ts'
import { run, sleep, within } from './shell.ts'
import { counters, type Counters } from './wiring.ts'

export interface Transfer {
  from: string
  to: string
  protocol: 'tcp' | 'udp'
  /** Thousands of bytes that the client sends. */
  kilobytes: number
}

/** Same host, two hosts, routed, through a floating IP, through SNAT; both projects. As in pcaps/README.md. */
export const TRANSFERS: readonly Transfer[] = [
  { from: 'r8', to: 'r9', protocol: 'tcp', kilobytes: 200 },
  { from: 'b8', to: 'b9', protocol: 'tcp', kilobytes: 100 },
  { from: 'r8', to: 'r10', protocol: 'udp', kilobytes: 60 },
  { from: 'r8', to: 'r3', protocol: 'tcp', kilobytes: 80 },
  { from: 'r8', to: 'ext', protocol: 'tcp', kilobytes: 150 },
  { from: 'b9', to: 'ext', protocol: 'udp', kilobytes: 50 },
]

const FIRST_PORT = 5400
const PINGS: readonly [from: string, to: string][] = [
  ['b8', 'b9'],
  ['r8', 'r9'],
]

/** All transfers one after the other, each multiplied by `factor`, then four pings in each project. */
export async function runTraffic(factor = 1): Promise<void> {
  for (const [index, transfer] of TRANSFERS.entries()) await runTransfer(transfer, FIRST_PORT + index, factor)
  for (const [from, to] of PINGS) ping(from, endpoint(to).address, 4)
}

async function runTransfer(transfer: Transfer, port: number, factor: number): Promise<void> {
  const server = endpoint(transfer.to)
  const listening = spawnQuiet(within(server.namespace, 'iperf3', '-s', '-1', '--forceflush', '-p', String(port)))
  try {
    await firstOutput(listening)
    const udp = transfer.protocol === 'udp' ? ['-u'] : []
    // Paced: iperf3 ends with its last write, and what is still in the socket then is thrown away.
    const bytes = transfer.kilobytes * factor * 1000
    run(
      within(
        endpoint(transfer.from).namespace,
        ...['iperf3', '-c', server.address, '-p', String(port), '-l', '1000', '-b', '20M', '-n', String(bytes), ...udp],
      ),
      { timeoutMs: 120_000 },
    )
  } finally {
    listening.kill('SIGTERM')
    if (listening.exitCode === null && listening.signalCode === null) await once(listening, 'exit')
  }
}

const spawnQuiet = ([file, ...args]: string[]): ChildProcess =>
  spawn(file!, args, { stdio: ['ignore', 'pipe', 'pipe'] })

/** The server says that it listens; an end before that is a fault. */
async function firstOutput(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit').then(([status]) => {
    throw new Error(`${child.spawnargs.join(' ')} ended with ${String(status)}`)
  })
  ended.catch(() => undefined)
  await Promise.race([once(child.stdout!, 'data'), ended])
}

/** Whether all (or with `count` 1, the one) were answered. */
export function ping(from: string, address: string, count: number): boolean {
  const { namespace } = endpoint(from)
  const output = run(['sh', '-c', `ip netns exec ${namespace} ping -n -c ${count} -i 0.2 -W 1 ${address} || true`])
  return output.includes(` ${count} received`)
}

export type Truth = ReadonlyMap<string, Counters>

/** Counters of every machine and of the outside host, by short name. */
export const readCounters = (): Truth =>
  new Map([...MACHINES, OUTSIDE].map(({ name, namespace }) => [name, counters(namespace, 'eth0')]))

/** Counters once nothing has moved for `quietMs`: late ARP checks and the ends of connections are then over. */
export async function settledCounters(quietMs = 1500, timeoutMs = 60_000): Promise<Truth> {
  const until = Date.now() + timeoutMs
  for (let last = readCounters(); Date.now() < until;) {
    await sleep(quietMs)
    const now = readCounters()
    if (sameCounters(last, now)) return now
    last = now
  }
  throw new Error(`the machines' counters still move after ${timeoutMs} ms without traffic`)
}

export const sameCounters = (a: Truth, b: Truth): boolean =>
  [...a].every(([name, counter]) => {
    const other = b.get(name)
    return other?.txPackets === counter.txPackets && other.rxPackets === counter.rxPackets
  })

/** What went over each interface between two readings. */
export const difference = (before: Truth, after: Truth): Truth =>
  new Map(
    [...after].map(([name, end]) => {
      const start = before.get(name) ?? { txBytes: 0, txPackets: 0, rxBytes: 0, rxPackets: 0 }
      return [
        name,
        {
          txBytes: end.txBytes - start.txBytes,
          txPackets: end.txPackets - start.txPackets,
          rxBytes: end.rxBytes - start.rxBytes,
          rxPackets: end.rxPackets - start.rxPackets,
        },
      ]
    }),
  )

/** As the truth.txt beside each capture. */
export const truthText = (truth: Truth): string =>
  ['vm tx_bytes tx_packets rx_bytes rx_packets']
    .concat(
      [...truth]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, each]) => `${name} ${each.txBytes} ${each.txPackets} ${each.rxBytes} ${each.rxPackets}`),
    )
    .join('\n')
    .concat('\n')
