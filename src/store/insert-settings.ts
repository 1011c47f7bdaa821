/** What is inserted twice under one token has no effect the second time, in the table and in what its views fill. */
export const DEDUPLICATION = { insert_deduplicate: 1, deduplicate_blocks_in_dependent_materialized_views: 1 } as const

/** Settings of every insert, on both stores. */
export const INSERT_SETTINGS = {
  ...DEDUPLICATION,
  // A block is a part or a few; more threads only cut it into smaller ones.
  max_insert_threads: '1',
  // A capture may span more days than the 100 partitions that are allowed by default.
  throw_on_max_partitions_per_insert_block: 0,
} as const
