/**
 * OVS's sampled IPFIX: the counts are multiplied by the rate already, and the rate is nowhere on the wire (ovs-facts 2.5).
 * From the bridge's rate R the number of samples and the variances follow; the counts are never touched.
 *
 * Each packet is drawn with probability 1/R, so the variance of the estimate R·Σb is estimated by R(R−1)·Σb². The decoder
 * leaves octetDeltaSumOfSquares, which OVS scales like a count, R·Σb², in bytes_variance.
 */
import { getU64 } from '../schema/batch.ts'
import type { Columns } from '../schema/columns.ts'

/** `rate` is what OVS multiplied by, 0 when it is not known. A row that has its samples already is left as it is. */
export function finishSampling(columns: Columns, row: number, rate: number): void {
  if (columns.samples[row] !== 0) return
  if (columns.sampling_rate[row] === 0) columns.sampling_rate[row] = rate
  const scaledSquares = columns.bytes_variance[row]!
  if (rate <= 1) {
    columns.bytes_variance[row] = 0
    columns.l2_bytes_variance[row] = 0
    return
  }
  const samples = Math.max(1, Math.round(getU64(columns.packets, row) / rate))
  const bytes = getU64(columns.bytes, row)
  const l2Bytes = getU64(columns.l2_bytes, row)
  columns.samples[row] = samples
  columns.bytes_variance[row] = (rate - 1) * scaledSquares
  columns.l2_bytes_variance[row] = (rate - 1) * scaledL2Squares(rate, samples, bytes, l2Bytes, scaledSquares)
}

/**
 * R·Σ(b+h)² from R·Σb² and R·Σb, where h is what a frame has over its IP packet, the same for all frames of a record.
 * Frames that are not IP (ARP) have no sum of squares, but one length.
 */
function scaledL2Squares(rate: number, samples: number, bytes: number, l2Bytes: number, squares: number): number {
  const packets = samples * rate
  if (bytes === 0) return (l2Bytes * l2Bytes) / packets
  const header = (l2Bytes - bytes) / packets
  return squares + 2 * header * bytes + header * header * packets
}
