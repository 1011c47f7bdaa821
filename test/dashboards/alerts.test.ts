/** The alert rules: each question asked of the real engine, quiet over the captures and loud over the trouble made after them. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { parse } from 'yaml'
import { ALERTS, type AlertSpec } from '../../dashboards/alerts.ts'
import { PLUGIN } from '../../dashboards/source.ts'
import type { Rows } from '../../src/store/store.ts'
import { NO_ENGINE } from '../e2e/cli.ts'
import { ROOT } from '../paths.ts'
import type { Engine, Record_ } from '../query/engine.ts'
import { SPAN, TROUBLE, openCloud } from './cloud.ts'
import { expand } from './expand.ts'

const WEEK_END = Date.UTC(2026, 11, 8)
const QUARTER_MS = 15 * 60e3
const QUARTERS = 7 * 96

/** When each is asked: at the end of its trouble. */
const LOUD: Readonly<Record<string, number>> = {
  'ovsight-exporter-silent': TROUBLE.fromMs + 20 * 60e3,
  'ovsight-store': TROUBLE.fromMs + 20 * 60e3,
  'ovsight-unusual': WEEK_END,
  'ovsight-rows-lost': TROUBLE.toMs,
}
/** Of these one row is not enough. */
const NOT_YET = new Set(['ovsight-audit', 'ovsight-borrowed', 'ovsight-identity-unknown', 'ovsight-rows-lost'])

describe('the alert rules on the real engine', { skip: NO_ENGINE }, () => {
  let engine: Engine
  before(async () => {
    engine = await openCloud()
    await engine.insert(aWeek())
  })
  after(() => engine.close())

  const ask = async ({ sql, span }: AlertSpec, nowMs: number): Promise<Rows> => {
    const text = expand(sql, { fromMs: nowMs - span * 1000, toMs: nowMs, intervalS: 60 })
    return engine.store.query({ sql: text, params: {} }).catch((error: unknown) => {
      throw new Error(`${text}\n${(error as Error).message}`, { cause: error })
    })
  }
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
      // The captures' last record; the audit's rows are trouble themselves.
      const nowMs = SPAN.toMs
      if (alert.uid !== 'ovsight-audit') assert.deepEqual(firing(alert, await ask(alert, nowMs)), [])
    })

    if (!NOT_YET.has(alert.uid))
      it(`${alert.title}: loud when it is`, async () => {
        assert.ok(firing(alert, await ask(alert, LOUD[alert.uid] ?? TROUBLE.toMs)).length > 0)
      })
  }
})

describe('the provisioning of Grafana', () => {
  const read = (path: string) => parse(readFileSync(`${ROOT}deploy/grafana/${path}`, 'utf8')) as Record<string, unknown>
  interface Rule {
    uid: string
    condition: string
    labels: Record<string, string>
    annotations: Record<string, string>
    notification_settings: { receiver: string }
    data: { refId: string; datasourceUid: string; model: { expression?: string; rawSql?: string } }[]
  }
  const [group] = read('provisioning/alerting/rules.yaml')['groups'] as { folder: string; rules: Rule[] }[]

  it('has rules with uids of their own, that say what is wrong and what to do', () => {
    const uids = group!.rules.map(({ uid }) => uid)
    assert.equal(new Set(uids).size, uids.length)
    for (const { uid, annotations, labels } of group!.rules) {
      assert.ok(uid.length <= 40, uid)
      assert.ok(annotations['summary'] && annotations['description']!.length > 40, uid)
      assert.match(labels['severity']!, /^(critical|warning)$/)
      // Grafana takes $… in labels for its environment, and may come to do so in annotations.
      assert.doesNotMatch(JSON.stringify([labels, annotations]), /\$/, uid)
      const { labels: known } = ALERTS.find((alert) => alert.uid === uid)!
      for (const [, label] of JSON.stringify(annotations).matchAll(/\.Labels\.(\w+)/g))
        assert.ok(known.includes(label!), label)
    }
  })

  it('joins questions, conditions, receivers, folders and data sources by names that are there', () => {
    const [provider] = read('provisioning/dashboards/ovsight.yaml')['providers'] as { folder: string }[]
    const [contact] = read('provisioning/alerting/contact-points.yaml')['contactPoints'] as { name: string }[]
    assert.equal(group!.folder, provider!.folder)
    for (const { data, condition, notification_settings } of group!.rules) {
      assert.equal(notification_settings.receiver, contact!.name)
      assert.deepEqual(
        data.map(({ datasourceUid }) => datasourceUid),
        ['ovsight', '__expr__'],
      )
      assert.equal(data[1]!.refId, condition)
      assert.equal(data[1]!.model.expression, data[0]!.refId)
    }
  })

  for (const file of readdirSync(`${ROOT}deploy/grafana/datasources`))
    it(`datasources/${file}: the source that rules and dashboards ask, without a secret`, () => {
      const [source] = read(`datasources/${file}`)['datasources'] as {
        uid: string
        type: string
        jsonData: Record<string, unknown>
        secureJsonData?: { password: string }
      }[]
      assert.deepEqual([source!.uid, source!.type], ['ovsight', PLUGIN])
      for (const key of ['host', 'port', 'protocol', 'defaultDatabase', 'username'])
        assert.ok(source!.jsonData[key] !== undefined, key)
      assert.match(source!.secureJsonData?.password ?? '$', /^\$/)
    })
})

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
