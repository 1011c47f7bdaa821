/** Totals by server: from a recording, decoded and attributed in this process, and from `ovsight top`. */
import { join } from 'node:path'
import { Attributor } from '../../src/attribute/attributor.ts'
import { buildSnapshot } from '../../src/identity/snapshot/build.ts'
import { loadIdentityFile } from '../../src/identity/sources/file.ts'
import { getU64 } from '../../src/schema/batch.ts'
import { decodeCapture } from '../attribute/decoded.ts'

export interface Amount {
  /** Layer 2, without FCS. */
  bytes: number
  packets: number
  /** Half-width at 95 % of sampled bytes, else 0. */
  bytesError: number
}

export interface Total {
  sent: Amount
  received: Amount
}

const nothing = (): Amount => ({ bytes: 0, packets: 0, bytesError: 0 })

/** The identity is the file and the OVSDB dumps of the recording. */
export async function recordedTotals(folder: string): Promise<Map<string, Total>> {
  const { columns: c, strings, rows } = await attributed(folder)
  const totals = new Map<string, Total>()
  const add = (side: keyof Total, server: number, row: number): void => {
    const name = strings.values[server]!
    const total = totals.get(name) ?? { sent: nothing(), received: nothing() }
    totals.set(name, total)
    total[side].bytes += getU64(c.l2_bytes, row)
    total[side].packets += getU64(c.packets, row)
    total[side].bytesError = Math.hypot(total[side].bytesError, 1.96 * Math.sqrt(c.l2_bytes_variance[row]!))
  }
  for (let row = 0; row < rows; row++) {
    if (c.counts_sent[row] === 1) add('sent', c.src_server[row]!, row)
    if (c.counts_received[row] === 1) add('received', c.dst_server[row]!, row)
  }
  return totals
}

async function attributed(folder: string) {
  const batch = await decodeCapture(join(folder, 'capture.pcap'))
  const { cloud } = await loadIdentityFile(join(folder, 'identity.yaml'))
  new Attributor().attribute(batch, buildSnapshot(cloud, 0))
  return batch
}

/** Rows of `ovsight top server -f json`. */
export function topTotals(rows: readonly Record<string, unknown>[]): Map<string, Total> {
  const amount = (row: Record<string, unknown>, side: keyof Total): Amount => ({
    bytes: Number(row[`${side}_l2_bytes`]),
    packets: Number(row[`${side}_packets`]),
    bytesError: Number(row[`${side}_l2_bytes_error`] ?? 0),
  })
  return new Map(
    rows.map((row) => [String(row['server']), { sent: amount(row, 'sent'), received: amount(row, 'received') }]),
  )
}
