/** What the captures' VMs really sent and received, and what attributed rows say of them. */
import { readFileSync } from 'node:fs'
import type { FlowBatch } from '../../src/schema/batch.ts'
import { getU64 } from '../../src/schema/batch.ts'
import { PCAPS } from '../paths.ts'

/** Namespaces of the lab's VMs and the servers they stand for. */
export const SERVER_OF: Readonly<Record<string, string>> = {
  r8: 'red-1',
  r10: 'red-10',
  r9: 'red-2',
  r3: 'red-3',
  b8: 'blue-1',
  b9: 'blue-2',
}

export interface Traffic {
  sent: number
  sentPackets: number
  received: number
  receivedPackets: number
}

/** Interface counters of each server over the capture, layer 2 without FCS. */
export function truthOf(capture: string): Map<string, Traffic> {
  const lines = readFileSync(`${PCAPS}${capture}/truth.txt`, 'utf8').trim().split('\n').slice(1)
  return new Map(
    lines.flatMap((line) => {
      const [vm = '', ...numbers] = line.split(' ')
      const [sent, sentPackets, received, receivedPackets] = numbers.map(Number) as [number, number, number, number]
      const server = SERVER_OF[vm]
      return server === undefined ? [] : [[server, { sent, sentPackets, received, receivedPackets }] as const]
    }),
  )
}

/** Sums of l2_bytes and packets by the counting flags. */
export function trafficOf(batch: FlowBatch): Map<string, Traffic> {
  const { columns: c, strings } = batch
  const sums = new Map<string, Traffic>()
  const of = (code: number) => {
    const name = strings.values[code]!
    const sum = sums.get(name) ?? { sent: 0, sentPackets: 0, received: 0, receivedPackets: 0 }
    sums.set(name, sum)
    return sum
  }
  for (let row = 0; row < batch.rows; row++) {
    if (c.counts_sent[row] === 1) {
      const sum = of(c.src_server[row]!)
      sum.sent += getU64(c.l2_bytes, row)
      sum.sentPackets += getU64(c.packets, row)
    }
    if (c.counts_received[row] === 1) {
      const sum = of(c.dst_server[row]!)
      sum.received += getU64(c.l2_bytes, row)
      sum.receivedPackets += getU64(c.packets, row)
    }
  }
  return sums
}
