/** The alert rules: each question asked of the real engine, quiet over the captures and loud over the trouble made after them. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { ALERTS, type AlertSpec } from '../../dashboards/alerts.ts'
import type { Rows } from '../../src/store/store.ts'
import type { Record_ } from '../query/engine.ts'
import type { Asked } from './asked.ts'
import { SPAN, TROUBLE } from './cloud.ts'

const WEEK_END = Date.UTC(2026, 11, 8)
const QUARTER_MS = 15 * 60e3
const QUARTERS = 7 * 96

/** When each is asked: at the end of its trouble. */
const LOUD: Readonly<Record<string, number>> = {
  'ovsight-exporter-silent': TROUBLE.fromMs + 20 * 60e3,
  'ovsight-store': TROUBLE.fromMs + 20 * 60e3,
  'ovsight-unusual': WEEK_END,
}
/** While nothing is wrong: the captures' last record, or the week without its last quarter of an hour. */
const QUIET: Readonly<Record<string, number>> = { 'ovsight-unusual': WEEK_END - QUARTER_MS }

export function alertTests(asked: () => Asked): void {
  describe('the alert rules', () => {
    before(() => asked().engine.insert(aWeek()))

    const ask = ({ sql, span }: AlertSpec, nowMs: number): Promise<Rows> =>
      asked().ask(sql, { fromMs: nowMs - span * 1000, toMs: nowMs, intervalS: 60 })
    const passes = ({ fires }: AlertSpec, value: number) =>
      fires.when === 'gt' ? value > fires.than : value < fires.than
    const firing = (alert: AlertSpec, { columns, rows }: Rows) =>
      rows.filter((row) => passes(alert, Number(row[columns.at(-1)!.name])))

    for (const alert of ALERTS) {
      it(`${alert.title}: labels and one number`, async () => {
        const { columns, rows, elapsedS } = await ask(alert, LOUD[alert.uid] ?? TROUBLE.toMs)
        assert.deepEqual(
          columns.slice(0, -1).map(({ name }) => name),
          alert.labels,
        )
        for (const { type } of columns.slice(0, -1)) assert.match(type, /String/)
        assert.match(columns.at(-1)!.type, /^Float64$/)
        assert.ok(rows.length > 0 && elapsedS < 1, `${rows.length} rows, ${elapsedS} s`)
        const keys = rows.map((row) => alert.labels.map((label) => row[label]).join('\n'))
        assert.equal(new Set(keys).size, keys.length, 'labels tell the rows apart')
      })

      it(`${alert.title}: quiet while nothing is wrong`, async () => {
        assert.deepEqual(firing(alert, await ask(alert, QUIET[alert.uid] ?? SPAN.toMs)), [])
      })

      it(`${alert.title}: loud when it is`, async () => {
        assert.ok(firing(alert, await ask(alert, LOUD[alert.uid] ?? TROUBLE.toMs)).length > 0)
      })
    }
  })
}

/** A project that sends about the same for a week, and a thousand times that in the last quarter of an hour. */
function aWeek(): Record_[] {
  return Array.from({ length: QUARTERS }, (_, i) => {
    const flowEnd = WEEK_END - QUARTERS * QUARTER_MS + i * QUARTER_MS + 60_000
    return {
      flow_end: flowEnd,
      flow_start: flowEnd,
      time_received: flowEnd,
      src_project_id: 'p-green',
      src_project: 'green',
      bytes: i === QUARTERS - 1 ? 100e9 : 100e6 + (i % 7) * 1e6,
      packets: 1,
      role: 'sent',
      counts_sent: 1,
      counts_once: 1,
    }
  })
}
