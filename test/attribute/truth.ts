/** What the captures' VMs really sent and received, and what attributed rows say of them. */
import { readFileSync } from 'node:fs'
import type { FlowBatch } from '../../src/schema/batch.ts'
import { getU64 } from '../../src/schema/batch.ts'
import { PCAPS } from '../paths.ts'
import { seen, type EndSeen } from './rows.ts'

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

/** Interface counters of one namespace by its name, also of `ext`, the station outside. */
export function counterOf(capture: string, namespace: string): Traffic {
  const line = readFileSync(`${PCAPS}${capture}/truth.txt`, 'utf8')
    .split('\n')
    .find((text) => text.startsWith(`${namespace} `))!
  const [sent, sentPackets, received, receivedPackets] = line.split(' ').slice(1).map(Number) as [
    number,
    number,
    number,
    number,
  ]
  return { sent, sentPackets, received, receivedPackets }
}

/** Layer-2 bytes that count once, from one server (or kind of end) to another. */
export function onceBetween(batch: FlowBatch, from: string, to: string): number {
  let sum = 0
  for (let row = 0; row < batch.rows; row++) {
    const { src, dst } = seen(batch, row)
    const is = (end: EndSeen, name: string) => end.who === name || end.kind === name
    if (batch.columns.counts_once[row] === 1 && is(src, from) && is(dst, to)) sum += getU64(batch.columns.l2_bytes, row)
  }
  return sum
}

/** `bytes` of a project by the formula of docs/design.md, on layer 2. */
export function projectBytes(batch: FlowBatch, project: string): number {
  const { columns: c } = batch
  let sum = 0
  for (let row = 0; row < batch.rows; row++) {
    const { src, dst, role } = seen(batch, row)
    const from = src.project === project
    const to = dst.project === project
    const counts =
      from && to
        ? c.counts_once[row] === 1 && (role === 'sent' || role === 'received')
        : (from && c.counts_sent[row] === 1) || (to && c.counts_received[row] === 1)
    if (counts) sum += getU64(c.l2_bytes, row)
  }
  return sum
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
