/** Rows of nonsense: whatever comes, attribution ends, and what it says agrees with itself. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Attributor } from '../../src/attribute/attributor.ts'
import { COLUMN_NAMES, columnFacts } from '../../src/schema/columns.ts'
import { KINDS } from '../../src/schema/kinds.ts'
import { Lab, NETFLOW } from './lab.ts'
import { everything, random, randomRow } from './nonsense.ts'
import { batchOf, rowOf, seen } from './rows.ts'

const LABS = {
  'everything exports': () => everything().snapshot(),
  'nothing exports': () => new Lab().snapshot(),
  'two hosts without OVSDB': () => everything().without('c0', 'n0'),
  'NetFlow alone': () => new Lab({ netflow: NETFLOW }).snapshot(),
}
const ROWS = 3000

describe('rows of nonsense', () => {
  for (const [name, build] of Object.entries(LABS)) {
    const next = random(name.length)
    const rows = Array.from({ length: ROWS }, () => randomRow(next))

    it(`${name}: are attributed without a fault, and what is said agrees with itself`, () => {
      const batch = batchOf(...rows)
      new Attributor().attribute(batch, build())
      for (let i = 0; i < batch.rows; i++) {
        const row = seen(batch, i)
        const told = JSON.stringify(rowOf(batch, i))
        for (const end of [row.src, row.dst]) {
          assert.equal(end.grade === 'ambiguous', end.candidates > 1, told)
          if (end.grade === 'ambiguous' || end.kind === 'unknown') assert.equal(end.who + end.project, '', told)
          if (end.kind === 'server') assert.notEqual(end.project, '', told)
          assert.notEqual(end.evidence, 'none', told)
        }
        const own = (kind: string) => kind === 'server' || kind === 'other'
        const allowed: Readonly<Record<string, RegExp>> = {
          sent: /^1 [01] 1$/,
          received: /^0 1 [01]$/,
          transit: /^0 0 0$/,
          mirror_echo: /^0 0 0$/,
          duplicate: /^0 0 0$/,
          unattributed: /^0 0 [01]$/,
        }
        assert.match(row.counts, allowed[row.role]!, told)
        if (row.column('counts_sent') === 1) assert.ok(own(row.src.kind), told)
        if (row.column('counts_received') === 1) assert.ok(own(row.dst.kind), told)
      }
    })

    it(`${name}: leave the rows after the batch untouched`, () => {
      const batch = batchOf(...rows)
      batch.rows -= 10
      const before = batchOf(...rows)
      new Attributor().attribute(batch, build())
      for (const column of COLUMN_NAMES) {
        const { lanes } = KINDS[columnFacts(column).kind]
        const rest = (of: typeof batch) => of.columns[column].slice(batch.rows * lanes)
        assert.deepEqual(rest(batch), rest(before), column)
      }
    })
  }
})
