/** Whether the lab does what a cloud does: who reaches whom, and under which address. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { OUTSIDE, endpoint } from './cloud.ts'
import { ping } from './traffic.ts'
import { within } from './shell.ts'

export interface Finding {
  what: string
  ok: boolean
}

/** [from, address, reachable, what it shows] */
const REACHABILITY: readonly (readonly [string, string, boolean, string])[] = [
  ['r8', '192.168.10.10', true, 'same network, same host'],
  ['r8', '192.168.10.9', true, 'same network, two hosts'],
  ['b8', '192.168.10.9', true, 'the same addresses in the other project'],
  ['r8', '192.168.20.3', true, 'routed within a project'],
  ['ext', '172.16.2.3', true, 'in through a floating IP'],
  ['ext', '172.16.2.13', true, "in through the other project's floating IP"],
  ['r8', OUTSIDE.address, true, 'out through a floating IP'],
  ['b9', OUTSIDE.address, true, 'out through SNAT'],
  ['b9', '192.168.10.10', false, "the other project's machine in an equal network"],
  ['b9', '192.168.20.3', false, "the other project's network"],
  ['ext', '192.168.10.8', false, 'a machine by its inner address'],
]

/** Under which address the outside host sees a machine. */
const APPEARANCE: readonly (readonly [string, string])[] = [
  ['r8', '172.16.2.3'],
  ['b8', '172.16.2.13'],
  ['r9', '172.16.2.157'],
  ['b9', '172.16.2.158'],
]

export async function checkLab(): Promise<Finding[]> {
  const findings = REACHABILITY.map(([from, address, reachable, what]) => ({
    what: `${from} ${reachable ? 'reaches' : 'does not reach'} ${address}: ${what}`,
    // A first packet may wait for ARP on two sides of a tunnel.
    ok: (ping(from, address, 1) || ping(from, address, 2)) === reachable,
  }))
  for (const [from, address] of APPEARANCE) {
    const seen = await addressSeenOutside(from)
    findings.push({ what: `${from} appears outside as ${address}`, ok: seen === address })
  }
  return findings
}

/** Source address of a machine's ping as it arrives at the outside host. */
async function addressSeenOutside(from: string): Promise<string | undefined> {
  const argv = within(OUTSIDE.namespace, 'timeout', '10', 'tcpdump', '-Z', 'root', '-n', '-l', '-t', '-c', '1', '-i', 'eth0', 'icmp[icmptype] == icmp-echo') // prettier-ignore
  const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] })
  let seen = ''
  child.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString()))
  await once(child.stderr, 'data')
  const ended = once(child, 'close')
  ping(from, endpoint('ext').address, 1)
  await ended
  return /^IP ([\d.]+) >/.exec(seen)?.[1]
}
