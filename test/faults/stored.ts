import assert from 'node:assert/strict'

/** Throws unless exactly `sent` records are stored, each once, and the sums by minute, hour and day hold the same. */
export async function checkStored(
  rows: (sql: string) => Promise<unknown[][]>,
  database: string,
  sent: number,
): Promise<void> {
  const [[records, different, bytes] = []] = await rows(
    `SELECT count(), uniqExact(sequence), sum(bytes) FROM ${database}.flows`,
  )
  assert.deepEqual([records, different, bytes].map(Number), [sent, sent, sent * 100], 'records')
  for (const table of ['flows_1m', 'flows_1h', 'flows_1d']) {
    const [[summed, summedBytes] = []] = await rows(`SELECT sum(records), sum(bytes) FROM ${database}.${table}`)
    assert.deepEqual([summed, summedBytes].map(Number), [sent, sent * 100], table)
  }
}
