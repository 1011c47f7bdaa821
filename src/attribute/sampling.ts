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
  if (rate <= 1) {
    columns.bytes_variance[row] = 0
    columns.l2_bytes_variance[row] = 0
  } else finishSampled(columns, row, rate)
}

/**
 * Σ(b+h)² follows from Σb² and Σb, where h is what a frame has over its IP packet, the same for all frames of a record.
 * Frames that are not IP (ARP) have no sum of squares, but one length.
 */
function finishSampled(columns: Columns, row: number, rate: number): void {
  const packets = Math.max(rate, getU64(columns.packets, row))
  const bytes = getU64(columns.bytes, row)
  const l2Bytes = getU64(columns.l2_bytes, row)
  const squares = columns.bytes_variance[row]!
  const more = l2Bytes - bytes
  const l2Squares = bytes === 0 ? (l2Bytes * l2Bytes) / packets : squares + (more * (2 * bytes + more)) / packets
  columns.samples[row] = Math.round(packets / rate)
  columns.bytes_variance[row] = (rate - 1) * squares
  columns.l2_bytes_variance[row] = (rate - 1) * l2Squares
}

/** Whether the counts are of Open vSwitch, which scales them: no other exporter sends the sum of squares, or ARP. */
export function isScaled(c: Columns, row: number): boolean {
  return c.bytes_variance[row] !== 0 || (c.bytes[row * 2] === 0 && c.l2_bytes[row * 2] !== 0)
}
