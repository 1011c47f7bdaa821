import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { type Loaded, loadConfig } from '../config/load.ts'
import { createLog } from '../telemetry/log.ts'
import { stopSignal } from './collect.ts'
import { Collector } from './collector.ts'
import type { CliContext } from './context.ts'
import { CAPTURES, feedCapture, senderAliases } from './demo-captures.ts'
import { DemoReport } from './demo-report.ts'

const DESCRIPTION = `Shows ovsight on real exports of a three-node Open vSwitch cloud, in which the tenants red and blue use the same addresses.

Runs a collector on free ports with a store in a temporary directory, sends it the bundled captures, prints who talked how much
beside what the servers' own interface counters say, and goes on running until Ctrl-C.`

const EXAMPLES = `
Examples:
  $ ovsight demo                                       goes on running for you to ask more
  $ ovsight demo --once`

/** Declares `ovsight demo`. */
export function addDemo(program: Command, context: CliContext): void {
  program
    .command('demo')
    .summary('see it work on bundled captures of a real cloud')
    .description(DESCRIPTION)
    .option('--once', 'stop when everything is printed')
    .addHelpText('after', EXAMPLES)
    .action(({ once }: { once?: boolean }) => demo(context, once === true))
}

async function demo(context: CliContext, once: boolean): Promise<void> {
  const stopping = stopSignal()
  const directory = mkdtempSync(join(tmpdir(), 'ovsight-demo-'))
  try {
    const loaded = demoConfig(join(directory, 'data'))
    const { config } = loaded
    const log = createLog({ level: 'warn', format: 'text', to: context.stderr })
    const collector = await Collector.start({ loaded, read: () => loaded }, log)
    try {
      const report = new DemoReport(context, collector, config)
      report.begin()
      for (const capture of CAPTURES) report.sent(capture, await feedCapture(collector, config, capture))
      await report.answers()
      report.next(once)
      if (!once) await stopping
    } finally {
      await collector.stop()
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Free ports on loopback: it never meets a collector that really runs. The environment of the user does not matter. */
function demoConfig(data: string): Loaded {
  const flags = {
    data,
    workers: '1',
    bind: '127.0.0.1',
    netflow_port: '0',
    ipfix_port: '0',
    sflow_port: '0',
    vxlan_port: 'off',
    gre: 'off',
    http_port: '0',
    receive_buffer: '64KiB',
    exporter_alias: senderAliases(),
    // The captures are of another day.
    exporter_clocks: 'trust',
  }
  return loadConfig({ flags })
}
