/** Running totals of a Writer since its start. */
export interface WriterCounters {
  /** Given to the writer. */
  enqueuedBlocks: number
  enqueuedRows: number
  /** Acknowledged by the store, blocks of an earlier process among them. */
  inserts: number
  insertedRows: number
  /** The same by table; there are no more of them than ovsight has. */
  insertedRowsOf: Map<string, number>
  /** Attempts to insert, and to write to the spool, that failed. */
  insertFailures: number
  spoolFailures: number
  /** Refused for good and kept in quarantine, and pushed out of there by newer ones. */
  quarantinedBlocks: number
  quarantinedRows: number
  evictedBlocks: number
  /** Lost: pushed out of a full spool by newer ones. */
  droppedBlocks: number
  droppedRows: number
  /** Lost: damaged or removed in the spool by others. */
  damagedBlocks: number
  damagedRows: number
}

export function newCounters(): WriterCounters {
  return {
    enqueuedBlocks: 0,
    enqueuedRows: 0,
    inserts: 0,
    insertedRows: 0,
    insertedRowsOf: new Map(),
    insertFailures: 0,
    spoolFailures: 0,
    quarantinedBlocks: 0,
    quarantinedRows: 0,
    evictedBlocks: 0,
    droppedBlocks: 0,
    droppedRows: 0,
    damagedBlocks: 0,
    damagedRows: 0,
  }
}
