/** Every question of every dashboard, asked of the real engine, which holds the bundled captures: under both tenants. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { DASHBOARDS } from '../../dashboards/all.ts'
import type { DashboardSpec } from '../../dashboards/build.ts'
import type { Column, PanelSpec } from '../../dashboards/panel.ts'
import { VARIABLES, type VariableSpec } from '../../dashboards/variables.ts'
import { askTop } from '../../src/query/ask.ts'
import { completeness } from '../../src/query/completeness.ts'
import type { Rows } from '../../src/store/store.ts'
import { NO_ENGINE } from '../e2e/cli.ts'
import type { Engine } from '../query/engine.ts'
import { BLUE, BLUE_1, BLUE_NET, BLUE_ONLY, RED, RED_1, RED_NET, RED_ONLY, SPAN, TROUBLE, openCloud } from './cloud.ts'
import { expand, type Selection } from './expand.ts'

const ALL = { fromMs: SPAN.fromMs, toMs: TROUBLE.toMs }
const EVERYTHING = '$__all'
const TENANTS = {
  red: {
    project: RED,
    server: RED_1,
    network: RED_NET,
    port: '425fe781-d3aa-4b0f-9c11-000000000001',
    host: 'c0',
    search: 'red-1',
  },
  blue: {
    project: BLUE,
    server: BLUE_1,
    network: BLUE_NET,
    port: 'b25fe781-b8aa-4b0f-9c11-000000000004',
    host: 'c0',
    search: '192.168.10.8',
  },
} as const
const WHOLE = { port: EVERYTHING, host: EVERYTHING, search: '' }
/** The goal for ten million rows; the captures are few, so it holds with room to spare. */
const LIMIT_S = 1

type Asked = Exclude<PanelSpec, { kind: 'prometheus' }>

describe('dashboards on the real engine', { skip: NO_ENGINE }, () => {
  let engine: Engine
  before(async () => {
    engine = await openCloud()
  })
  after(() => engine.close())

  const ask = async (sql: string, selection: Selection): Promise<Rows> => {
    const text = expand(sql, selection)
    return engine.store.query({ sql: text, params: {} }).catch((error: unknown) => {
      throw new Error(`${text}\n${(error as Error).message}`, { cause: error })
    })
  }
  /** Both tenants, one of them also narrowed as far as it goes: of two panels in a row one each. */
  const whole = Object.entries(TENANTS).map(
    ([tenant, variables]) => [tenant, { ...ALL, variables: { ...variables, ...WHOLE } }] as const,
  )
  const narrowed = Object.entries(TENANTS).map(
    ([tenant, variables]) => [`${tenant}, narrowed`, { ...ALL, intervalS: 60, variables }] as const,
  )

  for (const spec of DASHBOARDS)
    describe(spec.title, () => {
      for (const [turn, panel] of asked(spec).entries())
        it(`${panel.title}: rows, of the columns it says, in time`, async () => {
          for (const [name, selection] of [...whole, narrowed[turn % 2]!]) {
            const { columns, rows, elapsedS } = await ask(panel.sql, selection)
            assert.deepEqual(
              columns.map((column) => column.name),
              Object.keys(panel.columns),
              name,
            )
            for (const { name: column, type } of columns) checkType(column, type, panel.columns[column]!)
            if (!emptyIsRight(panel, name)) assert.ok(rows.length > 0, `${name}: no rows`)
            const quickest = elapsedS < LIMIT_S ? elapsedS : (await ask(panel.sql, selection)).elapsedS
            assert.ok(quickest < LIMIT_S, `${name}: ${quickest} s`)
          }
        })

      for (const { name, sql } of spec.annotations ?? [])
        it(`${name}: an annotation's rows`, async () => {
          const { columns, rows } = await ask(sql, whole[0]![1])
          assert.deepEqual(
            columns.map((column) => column.name),
            ['time', 'text', 'tags'],
          )
          assert.match(columns[0]!.type, /^DateTime/)
          assert.ok(rows.length > 0)
        })
    })

  for (const [key, spec] of Object.entries<VariableSpec>(VARIABLES)) {
    if (spec.sql === undefined) continue
    it(`the variable ${key} offers ids, with names to read`, async () => {
      const { columns, rows } = await ask(spec.sql!, whole[0]![1])
      assert.deepEqual(
        columns.map((column) => column.name),
        ['value', 'text'],
      )
      assert.ok(rows.length > 0)
      // What becomes part of a question; a tenant chooses names, never ids.
      for (const { value } of rows) assert.match(String(value), /^[\w.-]+$/)
    })
  }

  for (const [tenant, others] of [
    ['red', BLUE_ONLY],
    ['blue', RED_ONLY],
  ] as const)
    it(`never shows ${tenant} a server, port or network of the other tenant`, async () => {
      const variables = { ...TENANTS[tenant], ...WHOLE }
      for (const name of ['tenant', 'server'] as const)
        for (const panel of asked(DASHBOARDS.find((spec) => spec.name === name)!)) {
          const { rows } = await ask(panel.sql, { ...ALL, variables })
          for (const row of rows) {
            const found = others.exec(JSON.stringify(row))
            assert.equal(found, null, `${panel.title}: ${JSON.stringify(row)}`)
          }
        }
    })

  it('finds what is typed into the search, and takes it for nothing else', async () => {
    const conversations = panelOf('conversations', 'Conversations')
    const variables = { project: EVERYTHING }
    const search = (text: string) => ask(conversations.sql, { ...SPAN, variables: { ...variables, search: text } })
    const all = (await search('')).rows.length
    assert.ok(all > 10)
    const red = (await search('RED-10')).rows
    assert.ok(red.length > 0 && red.length < all)
    for (const row of red) assert.match(JSON.stringify(row), /red-10/)
    for (const hostile of [
      "' OR 1=1 --",
      "\\' OR 1=1 --",
      '\\',
      '%27',
      "') UNION ALL SELECT 1",
      '$__all ${project}',
      '\u0000',
    ])
      assert.equal((await search(hostile)).rows.length, 0, hostile)
  })

  it('applies conditions that are added by hand', async () => {
    const conversations = panelOf('conversations', 'Conversations')
    const variables = { project: EVERYTHING, search: '' }
    const { rows } = await ask(conversations.sql, { ...SPAN, variables, adHoc: " src_server = 'blue-2' " })
    assert.ok(rows.length > 0)
    for (const { source } of rows) assert.match(String(source), /^blue-2 /)
  })

  // The short span is read from the records, the long one from sums by minute as well.
  for (const [what, span] of [
    ['records', SPAN],
    ['sums', ALL],
  ] as const)
    describe(`shows the numbers of ovsight top, to the byte: ${what}`, () => {
      const times = { from: new Date(span.fromMs).toISOString(), to: new Date(span.toMs).toISOString(), n: '50' }
      const top = async (dimension: string) =>
        (await askTop(engine.store, { ...times, dimensions: [dimension] }, span.toMs)).rows
      const figures = (row: Record<string, unknown>, name: string) => [
        row[name],
        ...[
          row['sent_bytes'] ?? row['sent'],
          row['received_bytes'] ?? row['received'],
          row['bytes'],
          row['packets'],
        ].map(Number),
      ]

      for (const [title, dimension] of [
        ['Projects', 'project'],
        ['Servers', 'server'],
        ['Networks', 'network'],
        ['Hosts', 'host'],
      ] as const)
        it(`Overview, ${title}`, async () => {
          const { rows } = await ask(panelOf('overview', title).sql, span)
          const expected = (await top(dimension)).map((row) => figures(row, dimension))
          assert.ok(expected.length > 1)
          assert.deepEqual(
            rows.map((row) => figures(row, dimension)),
            expected,
          )
        })

      for (const [tenant, variables] of Object.entries(TENANTS))
        it(`Tenant ${tenant}: the project, its servers and its networks`, async () => {
          const selection = { ...span, variables: { ...variables, ...WHOLE } }
          const [project] = (await top('project')).filter((row) => row['project'] === tenant)
          for (const [title, column, figure] of [
            ['Sent', 'sent', 'sent_bytes'],
            ['Received', 'received', 'received_bytes'],
            ['Total', 'bytes', 'bytes'],
            ['Packets', 'packets', 'packets'],
          ] as const) {
            const { rows } = await ask(panelOf('tenant', title).sql, selection)
            assert.equal(Number(rows[0]![column]), project![figure], title)
          }
          for (const dimension of ['server', 'network'] as const) {
            const { rows } = await ask(
              panelOf('tenant', dimension === 'server' ? 'Servers' : 'Networks').sql,
              selection,
            )
            const own = (await top(dimension)).filter((row) => row['project'] === tenant)
            assert.deepEqual(
              rows.map((row) => figures(row, dimension)),
              own.map((row) => figures(row, dimension)),
            )
          }
        })

      it('Overview, the volume: what is counted once', async () => {
        const { rows } = await ask(panelOf('overview', 'Volume').sql, span)
        const all = await askTop(engine.store, { ...times, dimensions: ['ip_version'] }, span.toMs)
        assert.equal(
          Number(rows[0]!['bytes']),
          all.rows.reduce((sum, row) => sum + Number(row['bytes']), 0),
        )
      })
    })

  it('shows the completeness of ovsight, exporter by exporter', async () => {
    const { rows } = await ask(panelOf('health', 'Exporters', 'table').sql, ALL)
    const expected = await completeness(engine.store, { ...ALL, explicit: true })
    const key = (row: { host: unknown; protocol: unknown }) => `${String(row.host)} ${String(row.protocol)}`
    const shown = new Map(rows.map((row) => [`${String(row['host'])} ${String(row['protocol'])}`, row['complete']]))
    assert.ok(expected.some(({ percent }) => percent !== null && percent < 100))
    for (const one of expected)
      assert.equal(round(shown.get(key(one))), one.percent, `${key(one)} of ${JSON.stringify([...shown])}`)
  })
})

function asked(spec: DashboardSpec): Asked[] {
  return spec.rows.flatMap(({ panels }) => panels).filter((panel) => panel.kind !== 'prometheus')
}

function panelOf(dashboard: string, title: string, kind?: PanelSpec['kind']): Asked {
  const spec = DASHBOARDS.find(({ name }) => name === dashboard)!
  return asked(spec).find((panel) => panel.title === title && (kind === undefined || panel.kind === kind))!
}

const NUMBER = /^(Nullable\()?(U?Int|Float)\d+/
const TEXT = /String/

function checkType(name: string, type: string, { unit }: Column): void {
  const right = unit === 'time' ? /^DateTime/ : unit === 'text' ? TEXT : NUMBER
  assert.match(type, right, name)
}

/** What a narrowed selection may leave out; each of these has rows in the wide one. */
function emptyIsRight({ title }: Asked, name: string): boolean {
  if (!name.includes('narrowed')) return false
  return title.includes('udit') || title.includes('interface')
}

function round(value: unknown): number | null {
  return value === null || value === undefined ? null : Math.round(Number(value) * 1e4) / 1e4
}
