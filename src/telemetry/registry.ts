/** The metrics in Prometheus' text format. Loaded when somebody asks for them first. */
import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client'
import { METRICS, METRIC_NAMES, type MetricFacts, type MetricName, type Reader, type Readers } from './metrics.ts'

/** A registry that reads the given metrics when scraped, beside those of the process (memory, CPU, event loop). */
export function createRegistry(readers: Readers): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const name of METRIC_NAMES) {
    const reader = readers[name]
    if (reader !== undefined) register(registry, name, reader)
  }
  return registry
}

function register(registry: Registry, name: MetricName, reader: Reader): void {
  const { type, labels, doc }: MetricFacts = METRICS[name]
  const Metric = type === 'counter' ? Counter : Gauge
  // Registers itself.
  void new Metric({
    name,
    help: doc,
    labelNames: [...labels],
    registers: [registry],
    collect() {
      this.reset()
      for (const [value, ...values] of reader())
        this.inc(Object.fromEntries(labels.map((label, i) => [label, values[i] ?? ''])), value)
    },
  })
}
