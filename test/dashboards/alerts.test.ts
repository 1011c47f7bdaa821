/** What Grafana's provisioning reads: rules, contact points, data sources. That the rules fire is in alerts-asked.ts. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { ALERTS } from '../../dashboards/alerts.ts'
import { PLUGIN } from '../../dashboards/source.ts'
import { ROOT } from '../paths.ts'

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
