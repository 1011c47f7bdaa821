import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { METRICS, METRIC_NAMES, metricsPage } from '../../src/telemetry/metrics.ts'
import { createRegistry } from '../../src/telemetry/registry.ts'
import { writeMetrics } from '../../src/telemetry/text.ts'
import { ROOT } from '../paths.ts'

const PAGE = `${ROOT}docs/metrics.md`

describe('the table of metrics', () => {
  it('is what docs/metrics.md says', () => {
    if (process.argv.includes('--write')) writeFileSync(PAGE, metricsPage())
    assert.equal(readFileSync(PAGE, 'utf8'), metricsPage())
  })

  it('names counters *_total, and nothing else so', () => {
    for (const name of METRIC_NAMES) assert.equal(name.endsWith('_total'), METRICS[name].type === 'counter', name)
  })

  it('is read when somebody asks; the same labels are added up', async () => {
    let rows = 1
    const registry = createRegistry({
      ovsight_rows_total: () => [
        [rows, 'ipfix'],
        [2, 'ipfix'],
        [5, 'sflow5'],
      ],
      ovsight_exporters: () => [[3]],
    })
    assert.match(await registry.metrics(), /^ovsight_rows_total\{protocol="ipfix"\} 3$/m)
    rows = 10
    const text = await registry.metrics()
    assert.match(text, /^ovsight_rows_total\{protocol="ipfix"\} 12$/m)
    assert.match(text, /^ovsight_rows_total\{protocol="sflow5"\} 5$/m)
    assert.match(text, /^ovsight_exporters 3$/m)
    assert.match(text, /^process_resident_memory_bytes /m)
    assert.doesNotMatch(text, /ovsight_templates/)
  })

  it('is written as Prometheus reads it, whatever the labels are', () => {
    const name = 'c:\\a\n"0"'
    const text = writeMetrics({
      ovsight_exporter_rows_total: () => [[NaN, name]],
      ovsight_workers: () => [],
      ovsight_rows_total: () => [],
    })
    const lines = text.split('\n').filter((line) => !line.startsWith('#'))
    const escaped = 'ovsight_exporter_rows_total{exporter="c:\\\\a\\n\\"0\\""} NaN'
    assert.deepEqual(lines, ['ovsight_workers 0', escaped, ''])
    assert.match(text, /^# TYPE ovsight_rows_total counter\n/m)
  })
})
