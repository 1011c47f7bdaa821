/** What a collector tells of itself, as rows of `collector_metrics`: those metrics that say how it fares. */
import { encodeRows, type RowBlock, type SideRow } from '../schema/rows.ts'
import { COLLECTOR_TABLE } from '../schema/side-tables.ts'
import type { MetricName, Readers } from '../telemetry/metrics.ts'

export const RECORDED = [
  'ovsight_info',
  'ovsight_receive_kernel_drops_total',
  'ovsight_datagrams_dropped_total',
  'ovsight_exporters',
  'ovsight_templates',
  'ovsight_mirror_flows',
  'ovsight_blocks_waiting',
  'ovsight_rows_dropped_total',
  'ovsight_rows_quarantined_total',
  'ovsight_spool_blocks',
  'ovsight_spool_bytes',
  'ovsight_insert_lag_seconds',
  'ovsight_spool_failures_total',
  'ovsight_inserts_total',
  'ovsight_inserted_rows_total',
  'ovsight_insert_failures_total',
  'ovsight_store_rows',
  'ovsight_store_bytes',
  'ovsight_store_free_bytes',
  'ovsight_disk_guard_rows_total',
  'ovsight_identity_sources',
  'ovsight_identity_source_age_seconds',
  'ovsight_identity_faults_total',
  'ovsight_late_rows',
] as const satisfies readonly MetricName[]
/** Of the process, by the name that Prometheus' clients give it. */
const MEMORY = 'process_resident_memory_bytes'

/** Rows of the table; the same labels twice are added up, as in the metrics. */
export function collectorRows(readers: Readers, collector: string, time: number): RowBlock {
  const rows: SideRow<typeof COLLECTOR_TABLE>[] = []
  for (const metric of RECORDED) {
    const sums = new Map<string, number>()
    for (const [value, ...labels] of readers[metric]?.() ?? []) {
      const label = labels.join(' ')
      sums.set(label, (sums.get(label) ?? 0) + value)
    }
    for (const [label, value] of sums) rows.push({ time, collector, metric, label, value })
  }
  rows.push({ time, collector, metric: MEMORY, value: process.memoryUsage.rss() })
  return encodeRows(COLLECTOR_TABLE, rows)
}
