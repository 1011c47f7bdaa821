/**
 * `npm run flood`: a collector flooded from a million addresses with datagrams of random templates, domains, engines and agents, open to
 * everybody and behind an allow-list. `-- --datagrams 500000 --sources 100000`; ends with 1 when a bound is passed. `--direct`
 * leaves out sockets and store.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { collector } from '../e2e/cli.ts'
import { readUsage } from '../usage.ts'
import { floodDirectly } from './direct-main.ts'
import { flood, GENUINE_ADDRESS, type FloodReport } from './flood.ts'

const { values } = readUsage({
  name: 'flood',
  does: 'Floods a collector from spoofed addresses with datagrams of random templates, domains, engines and agents, open to everybody and behind an allow-list.',
  fails: 'a bound is passed: CPU, memory, log, /metrics, or what a genuine exporter lost',
  options: {
    datagrams: { value: 'n', doc: 'of each of the two', default: 5_000_000 },
    sources: { value: 'n', doc: 'different addresses', default: 1_000_000 },
    workers: { value: 'n', doc: 'threads of the collector', default: 1 },
    direct: { doc: 'straight into a pipeline, without sockets and store; prints figures and judges none' },
  },
})
/** Most that may be, by what the collector is told. */
const CASES = [
  { name: 'open to everybody', words: [], cpuUs: 10 },
  { name: 'behind an allow-list', words: ['--allow', GENUINE_ADDRESS], cpuUs: 2 },
] as const
/** Datagrams that come while /metrics is asked for. */
const SCRAPED = 300_000
const MOST = { grownMiB: 32, logBytes: 100_000, metricsBytes: 2_000_000 }

if (values.direct) await floodDirectly(values.datagrams, values.sources)
else
  for (const { name, words, cpuUs } of CASES) {
    const directory = mkdtempSync(join(tmpdir(), 'ovsight-flood-'))
    const running = await collector(['--data', directory, '--workers', String(values.workers), ...words])
    const report = await flood({
      pid: running.pid,
      ports: { netflow: running.port('NetFlow'), ipfix: running.port('IPFIX'), sflow: running.port('sFlow') },
      url: running.url,
      datagrams: values.datagrams,
      sources: values.sources,
      scraped: SCRAPED,
    })
    const { stdout, stderr } = await running.stop()
    rmSync(directory, { recursive: true, force: true })
    tell(name, report, cpuUs, stdout.length + stderr.length)
  }

function tell(name: string, report: FloodReport, cpuUs: number, logBytes: number): void {
  const { genuine, kernelDrops } = report
  const lost = genuine.sent - genuine.received
  console.log(`${name}: ${report.datagrams} datagrams`)
  const figure = (what: string, value: string, right: boolean) => {
    console.log(`  ${what.padEnd(18)} ${value}${right ? '' : '   TOO MUCH'}`)
    if (!right) process.exitCode = 1
  }
  figure('CPU a datagram', `${report.cpuUs.toFixed(2)} µs`, report.cpuUs <= cpuUs)
  figure('memory', `${report.residentMiB.toFixed(0)} MiB, ${report.grownMiB.toFixed(1)} more`, report.grownMiB <= MOST.grownMiB) // prettier-ignore
  figure('genuine exporter', `${genuine.sent} sent, ${lost} lost, the kernel dropped ${kernelDrops} in all`, lost <= kernelDrops) // prettier-ignore
  figure('log', `${logBytes} bytes`, logBytes <= MOST.logBytes)
  figure('/metrics', `${report.metricsBytes} bytes; ${report.metricsMs.toFixed(0)} ms under flood, one in ten of ${report.scrapes} over ${report.slowMetricsMs.toFixed(0)}`, report.metricsBytes <= MOST.metricsBytes) // prettier-ignore
}
