import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FlowBatch } from '../../src/schema/batch.ts'
import { NativeEncoder } from '../../src/schema/native.ts'
import { ROLLUP_KEYS } from '../../src/schema/rollups.ts'

const MIDDLE = 4

/** How many sums the rows with the given values of ROLLUP_KEYS, codes of texts among them, come to, and how many hashes of groups. */
function groupsOf(rows: readonly (readonly number[])[]): { groups: number; hashes: number } {
  const batch = new FlowBatch(rows.length)
  for (let code = 1; code < 2 * MIDDLE; code++) batch.strings.intern(`text ${code}`)
  rows.forEach((row, at) => ROLLUP_KEYS.forEach((name, key) => (batch.columns[name][at] = row[key]!)))
  batch.rows = rows.length
  const { sums } = new NativeEncoder().encode([batch])
  const bytes = Buffer.from(sums.bytes)
  const column = 'group_hash\x06UInt64'
  const at = bytes.indexOf(column) + column.length
  const hashes = Array.from({ length: sums.rows }, (_, group) => bytes.readBigUInt64LE(at + group * 8))
  return { groups: sums.rows, hashes: new Set(hashes).size }
}

function assertApart(rows: readonly (readonly number[])[]): void {
  const distinct = new Set(rows.map((row) => row.join())).size
  assert.deepEqual(groupsOf(rows), { groups: distinct, hashes: distinct })
}

/** A row of `MIDDLE` with some keys moved. */
function moved(...changes: readonly (readonly [key: number, by: number])[]): number[] {
  const row = ROLLUP_KEYS.map(() => MIDDLE)
  for (const [key, by] of changes) row[key % row.length] = MIDDLE + by
  return row
}

describe('groups of the sums', () => {
  it('are apart where two keys differ in opposite ways, whichever two', () => {
    const rows = [moved()]
    for (let a = 0; a < ROLLUP_KEYS.length; a++)
      for (let b = a + 1; b < ROLLUP_KEYS.length; b++)
        for (const by of [1, 2, 3])
          rows.push(moved([a, by], [b, -by]), moved([a, -by], [b, by]), moved([a, by], [b, by]))
    assertApart(rows)
  })

  it('are apart where keys at even distances differ so that multiples of their places cancel', () => {
    const rows = [moved()]
    for (let key = 0; key < ROLLUP_KEYS.length; key++)
      for (let step = 1; step < 8; step++) {
        rows.push(moved([key, 1], [key + step, -2], [key + 2 * step, 1]))
        rows.push(moved([key, 1], [key + step, -1], [key + 2 * step, -1], [key + 3 * step, 1]))
        rows.push(moved([key, 2], [key + step, -3], [key + 3 * step, 1]))
      }
    assertApart(rows)
  })

  it('are one where every key is the same', () => {
    assert.deepEqual(groupsOf([moved(), moved(), moved([3, 1]), moved([3, 1])]), { groups: 2, hashes: 2 })
  })
})
