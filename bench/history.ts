/**
 * A month in a store, time-compressed: rows of the bundled captures with varied ends that go on talking (conversations.ts), stored as if each
 * had been stored at its own time. What they weigh by `store status`; whether records and sums answer the same, to the byte: a
 * difference ends the bench with status 1; how long `top` takes over all of it, from records and from sums; what goes when its time has
 * come and when the disk fills; how long `top --last 30d` takes, and a collector to start on it.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once as happened } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { askStore, askTop, type TopRequest } from '../src/query/ask.ts'
import type { Asker, Plan } from '../src/query/plan.ts'
import { piecesOf } from '../src/query/rollup.ts'
import { FLOWS } from '../src/schema/ddl.ts'
import { ROLLUP_NAMES } from '../src/schema/rollups.ts'
import { DiskGuard } from '../src/store/disk-guard.ts'
import { openStore } from '../src/store/open.ts'
import { keepFor } from '../src/store/retention.ts'
import type { Store } from '../src/store/store.ts'
import type { Bench, Figure } from './figure.ts'
import { type Stretch, fillHistory } from './history-rows.ts'
import { startCollector, starting } from './start.ts'

const DAY_MS = 86_400_000
const DEFAULT_ROWS = 1_000_000
const DEFAULT_DAYS = 30
/** How long records are kept here, of the days there are. */
const KEPT_SHARE = 0.5
const keptDays = (days: number) => Math.max(1, Math.round(days * KEPT_SHARE))
const COMMAND = fileURLToPath(new URL('../src/main.js', import.meta.url))

export const benchHistory: Bench = async ({ rows = DEFAULT_ROWS, days = DEFAULT_DAYS }) => {
  const data = mkdtempSync(join(tmpdir(), 'ovsight-bench-'))
  const store = await openStore({ data, queryTimeoutMs: 600_000 })
  const toMs = Math.floor(Date.now() / 60_000) * 60_000
  const span = { fromMs: toMs - days * DAY_MS, toMs }
  const figures: Figure[] = []
  // Each takes a while on ten million rows.
  const add = (more: readonly Figure[]) => {
    figures.push(...more)
    for (const { name, value, unit, note } of more)
      console.log(`  ${name}: ${value.toPrecision(4)} ${unit}${note === undefined ? '' : `, ${note}`}`)
  }
  try {
    await store.migrate()
    add([await fillHistory(store, data, rows, span)])
    add(await weight(store))
    add(await agreement(store, span))
    add(await tops(store, span))
    add(await ageing(store, days))
    add(await asked(store, days))
  } finally {
    await store.close()
  }
  add([command(data, days, 'no collector running')])
  const { child } = await startCollector(['--data', data])
  add([command(data, days, 'asks the collector')])
  child.kill('SIGTERM')
  await happened(child, 'exit')
  add(await starting('with the embedded store', [], data, 1.5, 350))
  rmSync(data, { recursive: true, force: true })
  return figures
}

/** What `ovsight store status` says, as the rows came and as the engine's merges leave them in time. */
async function weight(store: Store): Promise<Figure[]> {
  const told = async (state: string): Promise<Figure[]> => {
    const { rows } = await askStore(store, {})
    return rows
      .filter(({ table }) => String(table).startsWith(FLOWS))
      .map(({ table, rows: n, bytes_per_row, parts }) => ({
        name: `${String(table)}, on disk, ${state}`,
        value: Number(bytes_per_row),
        unit: 'bytes a row',
        note:
          `${(Number(n) / 1e6).toFixed(2)} M rows in ${String(parts)} parts` +
          // Each day is its own partition: few rows a part, each of other ends than the one before.
          (table === FLOWS && state === 'merged' ? '; dense rows, which are to be ≤ 35: bench store' : ''),
      }))
  }
  const before = await told('as stored')
  for (const table of [FLOWS, ...ROLLUP_NAMES]) await store.run(`OPTIMIZE TABLE ovsight.${table} FINAL`)
  return [...before, ...(await told('merged'))]
}

/** Groups and filters; an end in the middle of a minute is on the records, of an hour on minutes, of a day on hours. */
const QUESTIONS: readonly TopRequest[] = [
  { dimensions: ['server'] },
  { dimensions: ['project'], with: 'totals' },
  { dimensions: ['network'] },
  { dimensions: ['src_project', 'dst_project', 'traffic_class'] },
  { dimensions: ['ip_protocol'], count: 'all' },
  { dimensions: ['port'], filter: 'project red-0' },
  { dimensions: ['project'], filter: 'server red-1-3', with: 'totals' },
]

/** The same questions from records and from sums: every figure of every group. */
async function agreement(store: Store, span: Stretch): Promise<Figure[]> {
  const read = new Set<string>()
  // A question of its own of the records: what a plan of sums stands for.
  const records: Asker = { query: (plan: Plan) => store.query(plan.records ?? plan) }
  const sums: Asker = {
    query: (plan: Plan) => {
      if (plan.records !== undefined) for (const [table] of plan.sql.matchAll(/flows_1[mhd]/g)) read.add(table)
      return store.query({ sql: plan.sql, params: plan.params })
    },
  }
  const within = { fromMs: span.fromMs + 31_234, toMs: span.toMs - 17_001 }
  const [from, to] = [within.fromMs, within.toMs].map((ms) => String(ms / 1000))
  let groups = 0
  let figures = 0
  for (const question of QUESTIONS) {
    const request = { ...question, n: '10000', from: from!, to: to! }
    const [a, b] = [await askTop(records, request, span.toMs), await askTop(sums, request, span.toMs)]
    assert.deepEqual(b.rows, a.rows, `top ${question.dimensions.join(' ')}: sums and records differ`)
    groups += a.rows.length
    figures += a.rows.length * a.columns.length
  }
  const held = new Set(piecesOf(within).map(({ table }) => table))
  held.delete(FLOWS)
  assert.deepEqual([...read].sort(), [...held].sort(), 'questions were answered from every table of sums')
  assert.ok(groups > 0)
  return [
    {
      name: 'groups equal to the byte from records and sums',
      value: groups,
      unit: 'groups',
      note: `${figures} cells of ${QUESTIONS.length} questions`,
    },
  ]
}

/** `top` over all rows: from the records, and as a collector answers it, from sums. The median of some, after the first. */
async function tops(store: Store, span: Stretch): Promise<Figure[]> {
  const records: Asker = { query: (plan: Plan) => store.query(plan.records ?? plan) }
  const [from, to] = [span.fromMs, span.toMs].map((ms) => String(ms / 1000))
  const figures: Figure[] = []
  for (const dimension of ['server', 'project', 'src_addr']) {
    const request = { dimensions: [dimension], from: from!, to: to!, with: 'none' }
    const once = (asker: Asker) => async () => {
      const { rows } = await askTop(asker, request, span.toMs)
      assert.ok(rows.length > 0)
    }
    figures.push({ name: `top ${dimension} over all records`, unit: 'ms', target: 1_500, atMost: true, ...(await median(once(records))) }) // prettier-ignore
    // Sums have no addresses.
    if (dimension !== 'src_addr')
      figures.push({ name: `top ${dimension} over their sums`, unit: 'ms', target: 150, atMost: true, ...(await median(once(store))) }) // prettier-ignore
  }
  return figures
}

/** Of seven, after a first. */
async function median(once: () => Promise<void>): Promise<{ value: number; note: string }> {
  await once()
  const times: number[] = []
  for (let i = 0; i < 7; i++) {
    const start = performance.now()
    await once()
    times.push(performance.now() - start)
  }
  times.sort((a, b) => a - b)
  return { value: times[3]!, note: `${times[0]!.toFixed(0)} to ${times[6]!.toFixed(0)} ms` }
}

/** What is past its time goes; the disk guard takes the oldest day of what is left. */
async function ageing(store: Store, days: number): Promise<Figure[]> {
  const keptS = keptDays(days) * 86_400
  const before = await spanOf(store)
  await keepFor(store, { flows: keptS, flows_1m: keptS, flows_1h: 0, flows_1d: 0 })
  await store.run('OPTIMIZE TABLE ovsight.flows FINAL')
  await store.run('OPTIMIZE TABLE ovsight.flows_1m FINAL')
  const after = await spanOf(store)
  // So many times 24 hours touch one date more.
  assert.ok(after.days <= keptDays(days) + 1, `${after.days} days are left`)
  assert.equal(after.hours, before.hours, 'the hours stay')
  const aged: Figure = {
    name: 'days of records, before and after their time',
    value: after.days,
    unit: 'days',
    note: `of ${before.days}`,
  }
  // The newest day stays.
  if (after.days < 2) return [aged]
  const guard = new DiskGuard(store, { freeBytes: Number.MAX_SAFE_INTEGER, log: { warn() {} } })
  const gone = await guard.look()
  assert.equal(gone?.table, FLOWS)
  const left = await spanOf(store)
  assert.equal(left.days, after.days - 1)
  return [
    aged,
    {
      name: 'days left by the disk guard, one look',
      value: left.days,
      unit: 'days',
      note: `${gone.rows} rows of ${gone.name}`,
    },
  ]
}

async function spanOf(store: Store): Promise<{ days: number; hours: number }> {
  const sql = 'SELECT uniqExact(toDate(time_received)) AS days, (SELECT sum(records) FROM flows_1h) AS hours FROM flows'
  const [row] = (await store.query({ sql, params: {} })).rows
  return { days: Number(row?.['days']), hours: Number(row?.['hours']) }
}

/** `top --last 30d` as a collector answers it: the median of some, after the first. */
async function asked(store: Store, days: number): Promise<Figure[]> {
  const once = async (request: TopRequest): Promise<number> => {
    const start = performance.now()
    const { rows } = await askTop(store, { with: 'none', ...request, last: `${days}d` }, Date.now())
    // Of few rows a filter may choose none.
    assert.ok(rows.length > 0 || request.filter !== undefined)
    return performance.now() - start
  }
  const figure = async (request: TopRequest, target?: number): Promise<Figure> => {
    await once(request)
    const times: number[] = []
    for (let i = 0; i < 7; i++) times.push(await once(request))
    times.sort((a, b) => a - b)
    const { dimensions, filter, with: extras } = request
    const words = [...dimensions, ...(filter === undefined ? [] : ['--filter', `'${filter}'`])].join(' ')
    return {
      name: `top ${words} --last ${days}d${extras === undefined ? '' : ', shares, trends and totals too'}`,
      unit: 'ms',
      value: times[3]!,
      note: `${times[0]!.toFixed(0)} to ${times[6]!.toFixed(0)} ms`,
      ...(target === undefined ? {} : { target, atMost: true }),
    }
  }
  const figures: Figure[] = []
  for (const entity of ['server', 'project', 'network']) figures.push(await figure({ dimensions: [entity] }, 300))
  figures.push(await figure({ dimensions: ['server'], filter: 'project red-0' }, 300))
  figures.push(await figure({ dimensions: ['port'], filter: 'server red-1-3' }, 300))
  // Trends are read of the records.
  figures.push(await figure({ dimensions: ['server'], with: 'all' }))
  return figures
}

/** The whole command, the fastest of three: Node.js, the question, and before it the engine's start where no collector runs. */
function command(data: string, days: number, who: string): Figure {
  const times = [1, 2, 3].map(() => {
    const start = performance.now()
    const words = ['top', 'server', '--last', `${days}d`, '--data', data]
    const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, ...words])
    assert.equal(status, 0, String(stderr))
    assert.ok(stdout.length > 0)
    return performance.now() - start
  })
  return { name: `ovsight top server --last ${days}d, ${who}`, value: Math.min(...times), unit: 'ms' }
}
