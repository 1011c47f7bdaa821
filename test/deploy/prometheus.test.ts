import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { parse, stringify } from 'yaml'
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

/** Series of Prometheus and their values, minute by minute: `0+60x100` grows by 60 a hundred times. */
type World = Readonly<Record<string, string>>

const of = (metric: string, labels = '') => `${metric}{job="ovsight", instance="a"${labels && `, ${labels}`}}`
const AN_EXPORTER = 'exporter="10.0.10.14"'

/** A collector that is well: exports come, sums are stored, sources are heard. */
const GOOD: World = {
  [of('up')]: '1x120',
  [of('ovsight_exporter_datagrams_total', AN_EXPORTER)]: '0+60x120',
  [of('ovsight_exporter_rows_total', AN_EXPORTER)]: '0+600x120',
  [of('ovsight_exporter_lost_records_total', `${AN_EXPORTER}, protocol="ipfix"`)]: '0+1x120',
  [of('ovsight_receive_kernel_drops_total', 'listener="ipfix"')]: '7x120',
  [of('ovsight_datagrams_dropped_total', 'reason="overload"')]: '5x120',
  [of('ovsight_datagrams_dropped_total', 'reason="exporters"')]: '5x120',
  [of('ovsight_exporter_faults_total', `${AN_EXPORTER}, protocol="ipfix", status="template_missing"`)]: '0+2x5 10x120',
  [of('ovsight_sequence_streams_mixed')]: '0x120',
  [of('ovsight_identity_age_seconds', 'source="ovsdb"')]: '3x120',
  [of('ovsight_identity_sources', 'source="ovsdb", state="ok"')]: '3x120',
  [of('ovsight_identity_sources', 'source="ovsdb", state="fault"')]: '0x120',
  [of('ovsight_insert_failures_total')]: '2x120',
  [of('ovsight_inserts_total')]: '0+60x120',
  [of('ovsight_spool_bytes')]: '1000000x120',
  [of('ovsight_insert_lag_seconds')]: '0.5x120',
  [of('ovsight_store_free_bytes', 'disk="default"')]: '40000000000x120',
  [of('ovsight_spool_failures_total')]: '0x120',
  [of('ovsight_rows_dropped_total', 'reason="spool_full"')]: '40x120',
  [of('ovsight_rows_quarantined_total')]: '0x120',
  [of('ovsight_worker_restarts_total')]: '1x120',
}

/** What makes each rule fire, an hour later. */
const BAD: Readonly<Record<string, World>> = {
  OvsightDown: { 'up{job="ovsight", instance="b"}': '1x60 0x60' },
  OvsightExporterSilent: { [of('ovsight_exporter_datagrams_total', AN_EXPORTER)]: '0+60x60 3600x60' },
  OvsightRecordsLost: { [of('ovsight_exporter_lost_records_total', `${AN_EXPORTER}, protocol="ipfix"`)]: '0+30x120' },
  OvsightKernelDrops: { [of('ovsight_receive_kernel_drops_total', 'listener="ipfix"')]: '0+9x120' },
  OvsightOverload: { [of('ovsight_datagrams_dropped_total', 'reason="overload"')]: '0x60 0+5x60' },
  OvsightExportersRefused: { [of('ovsight_datagrams_dropped_total', 'reason="exporters"')]: '0x60 0+5x60' },
  OvsightNotDecoded: {
    [of('ovsight_exporter_faults_total', `${AN_EXPORTER}, protocol="ipfix", status="template_missing"`)]: '0+2x120',
  },
  OvsightSequencesMixed: { [of('ovsight_sequence_streams_mixed')]: '0x30 2x90' },
  OvsightIdentityStale: { [of('ovsight_identity_age_seconds', 'source="ovsdb"')]: '3x60 900+60x60' },
  OvsightIdentityFault: { [of('ovsight_identity_sources', 'source="ovsdb", state="fault"')]: '0x60 1x60' },
  OvsightStoreDown: {
    [of('ovsight_insert_failures_total')]: '0x60 0+3x60',
    [of('ovsight_inserts_total')]: '0+60x60 3600x60',
  },
  OvsightSpoolGrows: { [of('ovsight_spool_bytes')]: '0x60 300000000+20000000x60' },
  OvsightInsertLag: { [of('ovsight_insert_lag_seconds')]: '0.5x60 90+60x60' },
  OvsightStoreDiskFull: { [of('ovsight_store_free_bytes', 'disk="default"')]: '40000000000x60 3000000000x60' },
  OvsightSpoolFails: { [of('ovsight_spool_failures_total')]: '0x60 0+1x60' },
  OvsightRowsLost: { [of('ovsight_rows_dropped_total', 'reason="spool_full"')]: '0x60 0+500x60' },
  OvsightQuarantine: { [of('ovsight_rows_quarantined_total')]: '0x60 0+500x60' },
  OvsightWorkerRestarts: { [of('ovsight_worker_restarts_total')]: '0x60 0+1x60' },
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

  it('are all quiet while everything is well, and each fires on what it is for', { skip: NO_PROMTOOL }, () => {
    const directory = mkdtempSync(join(tmpdir(), 'ovsight-'))
    try {
      const firing = (alert: string) => `count(ALERTS{alertname="${alert}", alertstate="firing"})`
      const worlds = [
        { series: GOOD, loud: new Set<string>() },
        {
          series: { ...GOOD, ...(Object.assign({}, ...Object.values(BAD)) as World) },
          loud: new Set(Object.keys(BAD)),
        },
      ]
      const tests = worlds.map(({ series, loud }) => ({
        interval: '1m',
        input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
        promql_expr_test: rules.map(({ alert }) => ({
          expr: firing(alert),
          eval_time: '100m',
          exp_samples: loud.has(alert) ? [{ labels: '{}', value: 1 }] : [],
        })),
      }))
      const file = join(directory, 'tests.yml')
      writeFileSync(file, stringify({ rule_files: [FILE], evaluation_interval: '1m', tests }))
      assert.match(run('promtool', ['test', 'rules', file]), /SUCCESS/)
      assert.deepEqual(Object.keys(BAD).sort(), rules.map(({ alert }) => alert).sort())
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('fire when they should, and say what is wrong', { skip: NO_PROMTOOL }, () => {
    assert.match(run('promtool', ['test', 'rules', `${ROOT}test/deploy/prometheus.yml`]), /SUCCESS/)
  })
})
