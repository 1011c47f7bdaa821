import type { Writer } from '../store/writer.ts'
import type { Readers } from '../telemetry/metrics.ts'

/** The writer's counters as samples of the table of metrics. */
export function writerReaders(writer: Writer): Readers {
  const { counters } = writer
  return {
    ovsight_rows_dropped_total: () => [
      [counters.droppedRows, 'spool_full'],
      [counters.damagedRows, 'damaged'],
    ],
    ovsight_rows_quarantined_total: () => [[counters.quarantinedRows]],
    ovsight_spool_blocks: () => [[writer.spoolBlocks]],
    ovsight_spool_bytes: () => [[writer.spoolBytes]],
    ovsight_insert_lag_seconds: () => [[writer.lagMs(Date.now()) / 1e3]],
    ovsight_spool_failures_total: () => [[counters.spoolFailures]],
    ovsight_inserts_total: () => [[counters.inserts]],
    ovsight_inserted_rows_total: () => [...counters.insertedRowsOf].map(([table, rows]) => [rows, table] as const),
    ovsight_insert_failures_total: () => [[counters.insertFailures]],
  }
}
