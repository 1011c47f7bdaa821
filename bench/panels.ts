/**
 * Every question of the dashboards, asked of a store with a million rows within an hour (`panels --rows 10000000`): each panel,
 * annotation and variable, once with everything selected and once with the largest project, server, network and host. The seconds are
 * CPU seconds of the engine, which two cores halve at best and another load on the machine changes little.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DASHBOARDS } from '../dashboards/all.ts'
import { VARIABLES, type VariableSpec } from '../dashboards/variables.ts'
import { ChdbStore } from '../src/store/chdb.ts'
import { openStore } from '../src/store/open.ts'
import type { Store } from '../src/store/store.ts'
import { expand, type Selection } from '../test/dashboards/expand.ts'
import { type Bench, cpuSeconds, type Figure } from './figure.ts'
import { fillHistory } from './history-rows.ts'

const DEFAULT_ROWS = 1_000_000
const SPAN_MS = 3_600_000
/** The same hour each time, so that a store that was filled once serves again: BENCH_DATA names its directory. */
const TO_MS = Date.UTC(2026, 10, 22, 9)
const EVERYTHING = '$__all'
const TRIES = 3
/** Questions that are told one by one. */
const SHOWN = 25

export const benchPanels: Bench = async ({ rows = DEFAULT_ROWS }) => {
  const kept = process.env['BENCH_DATA']
  const data = kept ?? mkdtempSync(join(tmpdir(), 'ovsight-bench-'))
  const isFilled = existsSync(join(data, 'lock'))
  const store = await openStore({ data, queryTimeoutMs: 600_000 })
  try {
    await store.migrate()
    const span = { fromMs: TO_MS - SPAN_MS, toMs: TO_MS }
    const stored = isFilled ? [] : [await fillHistory(store, data, rows, span)]
    return [...stored, ...(await asked(store, span))]
  } finally {
    await store.close()
    if (kept === undefined) rmSync(data, { recursive: true, force: true })
  }
}

/** The costliest questions, the first ones first, and how many there were. */
async function asked(store: Store, span: { fromMs: number; toMs: number }): Promise<Figure[]> {
  const largest = await largestOf(store)
  const search = { search: '' }
  const selections: Readonly<Record<string, Selection>> = {
    all: { ...span, intervalS: 60, variables: { ...largest, ...search, port: EVERYTHING, host: EVERYTHING } },
    narrowed: { ...span, intervalS: 15, variables: { ...largest, search: largest['server']!.slice(0, 6) } },
  }
  const figures: Figure[] = []
  for (const { name, sql } of questions())
    for (const [selected, selection] of Object.entries(selections)) {
      const costs: { cpuS: number; wallS: number }[] = []
      for (let i = 0; i < TRIES; i++) costs.push(await costOf(store, expand(sql, selection)))
      const [least] = costs.sort((a, b) => a.cpuS - b.cpuS)
      figures.push({
        name: `${name} (${selected})`,
        value: least!.cpuS,
        unit: 'CPU s',
        target: 1,
        atMost: true,
        note: `${least!.wallS.toFixed(2)} s`,
      })
    }
  figures.sort((a, b) => b.value - a.value)
  return [...figures.slice(0, SHOWN), { name: 'questions asked', value: figures.length, unit: 'questions' }]
}

function questions(): { name: string; sql: string }[] {
  const variables = Object.entries<VariableSpec>(VARIABLES)
  return [
    ...DASHBOARDS.flatMap(({ title, rows, annotations = [] }) => [
      ...rows.flatMap(({ panels }) => panels.map((panel) => ({ name: `${title}: ${panel.title}`, sql: panel.sql }))),
      ...annotations.map(({ name, sql }) => ({ name: `${title}: ${name}`, sql })),
    ]),
    ...variables.flatMap(([key, { sql }]) => (sql === undefined ? [] : [{ name: `variable ${key}`, sql }])),
  ]
}

/** The largest project, server, port, network and host, as the variables of a dashboard. */
async function largestOf(store: Store): Promise<Record<string, string>> {
  const ids = ['project_id', 'server_id', 'port_id', 'network_id', 'host']
  const of = ids.map((id) => `(SELECT src_${id} FROM flows WHERE src_server != '' GROUP BY 1 ORDER BY count() DESC LIMIT 1) AS ${id.replace('_id', '')}`) // prettier-ignore
  const [row] = (await store.query({ sql: `SELECT ${of.join(', ')}`, params: {} })).rows
  return Object.fromEntries(Object.entries(row!).map(([name, value]) => [name, String(value)]))
}

async function costOf(store: Store, sql: string): Promise<{ cpuS: number; wallS: number }> {
  const pid = store instanceof ChdbStore ? store.enginePid : undefined
  const cpuBefore = cpuSeconds(pid)
  const start = performance.now()
  await store.query({ sql, params: {} }).catch((error: unknown) => {
    throw new Error(`${sql}\n${(error as Error).message}`, { cause: error })
  })
  return { cpuS: cpuSeconds(pid) - cpuBefore, wallS: (performance.now() - start) / 1000 }
}
