/**
 * Rows of an exporter that sends more than `exporter_limit`: one in k was kept, so it stands for k.
 *
 * Each record is kept with probability 1/k whatever is in it, so k·x is right on average. Its variance is estimated by
 * k(k−1)·x² for the choice of records, and k·v for what x was estimated with before (sampling in two stages).
 */
import { getU64, setU64 } from '../schema/batch.ts'
import type { Columns } from '../schema/columns.ts'
import { CORRECTIONS } from '../schema/enums.ts'

const { bit } = CORRECTIONS.rate_limit

/** Multiplies the counts of a row by its `kept_one_in`, once. To be called when all else is done with them. */
export function finishLimited(c: Columns, row: number): void {
  const k = c.kept_one_in[row]!
  if (k <= 1 || (c.corrections[row]! & bit) !== 0) return
  c.corrections[row]! |= bit
  c.bytes_variance[row] = varianceOf(getU64(c.bytes, row), c.bytes_variance[row]!, k)
  c.l2_bytes_variance[row] = varianceOf(getU64(c.l2_bytes, row), c.l2_bytes_variance[row]!, k)
  for (const column of [c.packets, c.bytes, c.l2_bytes]) setU64(column, row, getU64(column, row) * k)
}

function varianceOf(count: number, variance: number, k: number): number {
  return k * (k - 1) * count ** 2 + k * variance
}
