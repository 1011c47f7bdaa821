/**
 * What a slice of rows has none of: asked of whole columns at a time, it costs a fraction of asking each row.
 *
 * Most slices come from exporters of one sort, and most sorts leave most columns at zero.
 */
import type { FlowBatch } from '../schema/batch.ts'
import type { ColumnName } from '../schema/columns.ts'

/** Rows of a slice, a multiple of CHUNK. */
export const SLICE = 2048

const TUNNEL = ['tunnel_type', 'tunnel_key', 'tunnel_src_addr', 'tunnel_dst_addr'] as const
/** What NetFlow v5 and most routers do not tell. */
const WIDE = ['src_mac', 'dst_mac', 'in_if_name', 'out_if_name', 'vlan', 'observation_point'] as const
const SAMPLED = ['samples', 'bytes_variance', 'l2_bytes_variance'] as const

export class Slice {
  tunnels = false
  /** Any of MAC addresses, names of interfaces, VLAN and observation point. */
  wide = false
  /** Samples or variances. */
  sampled = false
  /** Rows of exporters whose records were thinned. */
  limited = false

  look(batch: FlowBatch, from: number, to: number): void {
    const any = (columns: readonly ColumnName[]) => columns.some((name) => !batch.isZero(name, from, to))
    this.tunnels = any(TUNNEL)
    this.wide = any(WIDE)
    this.sampled = any(SAMPLED)
    this.limited = any(['kept_one_in'])
  }
}
