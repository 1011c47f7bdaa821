/**
 * Golden rows: `NAME.rows.jsonl` beside `NAME.pcap`, one row a line with the columns that are set, in the order decoded. They were
 * compared with another program's reading of the capture before they were kept; `OVSIGHT_GOLDEN=write npm test` writes them anew.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { PCAPS } from '../paths.ts'
import type { Row } from './ipfix-feed.ts'

/** Compares `rows` with the golden ones of `capture`, a path below pcaps/ that ends in `.pcap`. */
export function assertGolden(capture: string, rows: readonly Row[]): void {
  const file = PCAPS + capture.replace(/\.pcap$/, '.rows.jsonl')
  if (process.env['OVSIGHT_GOLDEN'] === 'write')
    writeFileSync(file, rows.map((row) => JSON.stringify(row) + '\n').join(''))
  const golden = readFileSync(file, 'utf8').trimEnd().split('\n')
  assert.equal(rows.length, golden.length, 'number of rows')
  for (const [i, row] of rows.entries()) assert.deepEqual(row, JSON.parse(golden[i]!), `row ${i + 1} of ${file}`)
}
