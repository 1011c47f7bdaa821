import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { METRICS } from '../../src/telemetry/metrics.ts'
import { ROOT } from '../paths.ts'
import { has, run } from './tools.ts'

const FILE = `${ROOT}deploy/prometheus/ovsight.rules.yml`
const NO_PROMTOOL = !has('promtool') && "no promtool (it is in Debian's package prometheus)"

interface Rule {
  alert: string
  expr: string
  for: string
  labels: { severity: string }
  annotations: { summary: string; description: string }
}

describe('the alert rules for Prometheus', () => {
  const { groups } = parse(readFileSync(FILE, 'utf8')) as { groups: { rules: Rule[] }[] }
  const rules = groups.flatMap((group) => group.rules)
  const metrics: Readonly<Record<string, { labels: readonly string[] }>> = METRICS

  it('have names of their own, a severity, and say what to do', () => {
    assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length)
    for (const { alert, labels, annotations } of rules) {
      assert.match(alert, /^Ovsight[A-Z]\w+$/)
      assert.match(labels.severity, /^(critical|warning)$/, alert)
      assert.ok(annotations.summary !== '' && annotations.description.length > 40, alert)
    }
  })

  it('use metrics and labels that there are', () => {
    for (const { alert, expr, annotations } of rules) {
      const named = [...expr.matchAll(/\b(ovsight_\w+)(?:\{([^}]*)\})?/g)]
      assert.ok(named.length > 0 || expr.startsWith('up{'), alert)
      for (const [, name, matchers = ''] of named) {
        assert.ok(metrics[name!] !== undefined, `${alert}: ${name}`)
        for (const [, label] of matchers.matchAll(/(\w+)\s*[=!]/g))
          assert.ok(metrics[name!]!.labels.includes(label!), `${alert}: ${name}{${label}}`)
      }
      const labels = new Set(['instance', ...named.flatMap(([, name]) => metrics[name!]!.labels)])
      for (const [, label] of JSON.stringify(annotations).matchAll(/\$labels\.(\w+)/g))
        assert.ok(labels.has(label!), `${alert}: ${label}`)
    }
  })

  it('name the reasons by which the metrics count', () => {
    for (const { expr } of rules)
      for (const [, name, label, value] of expr.matchAll(/(ovsight_\w+)\{(\w+)="(\w+)"\}/g)) {
        const doc = (METRICS as Readonly<Record<string, { doc: string }>>)[name!]!.doc
        assert.match(doc, new RegExp(`\\b${value}\\b`), `${name}{${label}="${value}"}`)
      }
  })

  it('are sound for promtool', { skip: NO_PROMTOOL }, () => {
    assert.match(run('promtool', ['check', 'rules', FILE]), new RegExp(`SUCCESS: ${rules.length} rules found`))
  })

  it('fire when they should', { skip: NO_PROMTOOL }, () => {
    assert.match(run('promtool', ['test', 'rules', `${ROOT}test/deploy/prometheus.yml`]), /SUCCESS/)
  })
})
