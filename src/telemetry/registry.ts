/** The metrics in Prometheus' text format. Loaded when somebody asks for them first. */
import { Registry, collectDefaultMetrics } from 'prom-client'
import type { Readers } from './metrics.ts'
import { writeMetrics } from './text.ts'

/** Reads the given metrics when asked for the page, beside those of the process (memory, CPU, event loop). */
export function createRegistry(readers: Readers): { metrics(): Promise<string> } {
  const ofProcess = new Registry()
  collectDefaultMetrics({ register: ofProcess })
  return { metrics: async () => (await ofProcess.metrics()) + writeMetrics(readers) }
}
