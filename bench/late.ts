/**
 * What late truth costs: where rows are attributed when nothing is unsure, and when everything is; and how fast rows that wait are
 * attributed again once the model knows.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Attributor } from '../src/attribute/attributor.ts'
import { buildSnapshot, EMPTY_SNAPSHOT } from '../src/identity/snapshot/build.ts'
import { LateTruth } from '../src/late/late-truth.ts'
import { UnsureRows } from '../src/late/unsure-rows.ts'
import type { Block } from '../src/store/store.ts'
import { attributing, batchOf } from './attribute.ts'
import { syntheticCloud, type CloudSize } from './cloud.ts'
import { measure, type Bench, type Figure } from './figure.ts'

const SIZE: CloudSize = { hosts: 50, ports: 20, networks: 25 }
/** As the option late_rows has it. */
const LATE_ROWS = 100_000
/** Pairs of measurements, one with and one without; their median counts. */
const PAIRS = 5

export const benchLate: Bench = async () => {
  const snapshot = buildSnapshot(syntheticCloud(SIZE), 0)
  const batch = batchOf('ipfix', SIZE)
  let unsure = 0
  const hearing = new Attributor({ onUnsure: () => unsure++ })
  const plain = attributing(batch, snapshot)
  const heard = attributing(batch, snapshot, hearing)
  assert.equal(unsure, 0)
  const known = ratios(batch.rows, plain, heard)

  const told = new UnsureRows(LATE_ROWS)
  const deaf = new Attributor()
  const telling = new Attributor({ onUnsure: told.onUnsure })
  let bytes = 0
  const unknown = ratios(
    batch.rows,
    () => deaf.attribute(batch, EMPTY_SNAPSHOT),
    () => {
      telling.attribute(batch, EMPTY_SNAPSHOT)
      bytes = told.take()!.rows.toBytes().length
    },
  )
  const kept = Math.min(batch.rows, LATE_ROWS / 16)
  return [
    {
      name: 'attribution, nothing unsure: late truth on against off',
      value: (known.ratio - 1) * 100,
      unit: '%',
      target: 3,
      atMost: true,
      note: `CPU time, median of ${PAIRS} pairs`,
    },
    {
      name: 'a row that waits: numbered, copied, as a file',
      value: unknown.moreNs * (batch.rows / kept),
      unit: 'ns',
      target: 10_000,
      atMost: true,
      note: `a block where nothing is known; ${Math.round(bytes / kept)} bytes a row, ${kept.toLocaleString('en')} rows a block at most`,
    },
    await again(),
  ]
}

/** Medians of what `b` takes against `a`, and how much more a row. */
function ratios(rows: number, a: () => void, b: () => void): { ratio: number; moreNs: number } {
  const pairs = Array.from({ length: PAIRS }, () => {
    const [first, second] = [measure(rows, a, 200), measure(rows, b, 200)]
    return { ratio: first / second, moreNs: 1e9 / second - 1e9 / first }
  })
  const median = (of: (pair: (typeof pairs)[number]) => number) => pairs.map(of).toSorted((x, y) => x - y)[PAIRS >> 1]!
  return { ratio: median(({ ratio }) => ratio), moreNs: median(({ moreNs }) => moreNs) }
}

/** Rows of a block that nobody knew, when the model knows all of them at once. */
async function again(): Promise<Figure> {
  const data = mkdtempSync(join(tmpdir(), 'ovsight-bench-late-'))
  const batch = batchOf('ipfix', SIZE)
  const told = new UnsureRows(LATE_ROWS)
  new Attributor({ onUnsure: told.onUnsure }).attribute(batch, EMPTY_SNAPSHOT)
  const { rows } = told.take()!
  const waiting = rows.rows
  const snapshot = buildSnapshot(syntheticCloud(SIZE), 0)
  let onUnsure = () => {}
  const attributor = new Attributor({ onUnsure: () => onUnsure() })
  let replaced = 0
  const late = new LateTruth(
    {
      store: {
        query: ({ params }) => {
          const found = (params['ids'] as number[]).map((id) => ({ late_id: id }))
          return Promise.resolve({ columns: [], rows: found, elapsedS: 0, rowsRead: 0 })
        },
      },
      attribute(work, on) {
        onUnsure = () => on(work, 0, 0, '', '')
        attributor.attribute(work, snapshot)
      },
      enqueue(block: Block) {
        replaced += block.rows
        block.release?.()
        return Promise.resolve()
      },
      inherited: () => 0,
      version: () => 1,
      log: { warn: (_, message) => assert.fail(message) },
    },
    { data, windowMs: 600_000, maxRows: LATE_ROWS },
  )
  try {
    await late.take(rows)
    const before = process.cpuUsage()
    late.tick()
    await late.idle()
    const { user, system } = process.cpuUsage(before)
    assert.deepEqual([replaced, late.waiting], [waiting, 0])
    return {
      name: 'rows that waited, attributed again and written anew',
      value: (waiting * 1e3) / (user + system),
      unit: 'k rows/s',
      target: 10,
      note: 'a CPU second, without the store; a twentieth of the time goes to it at most',
    }
  } finally {
    await late.stop()
    rmSync(data, { recursive: true, force: true })
  }
}
