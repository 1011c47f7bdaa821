import { accessSync, constants, mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { addOptions, givenFlags } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import { type Config, OPTION_NAMES, optionFacts } from '../config/options.ts'
import { AppError } from '../errors.ts'
import type { Input } from '../pipeline/demultiplex.ts'
import type { Logger } from '../telemetry/log.ts'
import type { Collector, Configured } from './collector.ts'
import type { CliContext } from './context.ts'
import { beginEarly } from './early.ts'
import { logOf } from './log.ts'
import { VERSION } from './version.ts'

const DESCRIPTION = `Receives NetFlow, IPFIX, sFlow and mirrored frames, finds out whose they are, and stores them.

Runs until SIGTERM or SIGINT (Ctrl-C), then writes what it holds and exits. SIGHUP makes it read its configuration again. ovsight top and flows ask it while it runs on the
same data directory.`

const EXAMPLES = `
Examples:
  $ ovsight collect --identity cloud.yaml
  $ ovsight collect --config /etc/ovsight.yaml --check        says what is wrong, starts nothing
  $ ovsight collect --clickhouse http://ovsight@db:8123/ovsight --netflow-port off`

/** What listeners receive, as people call it. */
const LISTENER_NAMES: Readonly<Record<Input, string>> = {
  netflow: 'NetFlow',
  ipfix: 'IPFIX',
  sflow: 'sFlow',
  vxlan: 'VXLAN mirror',
  gre: 'GRE mirror',
}

interface CollectOptions extends Record<string, unknown> {
  config?: string
  check?: boolean
}

/** All but those of questions. */
const COLLECT_OPTIONS = OPTION_NAMES.filter((name) => optionFacts(name).group !== 'Questions')

/** Declares `ovsight collect`. */
export function addCollect(program: Command, context: CliContext): void {
  const command = program
    .command('collect')
    .summary('receive, attribute and store flows')
    .description(DESCRIPTION)
    .option('--check', 'check options, identity file and data directory, then exit')
  addOptions(command, COLLECT_OPTIONS)
    .addHelpText('after', EXAMPLES)
    .action(async (options: CollectOptions) => {
      const flags = givenFlags(options, COLLECT_OPTIONS)
      const read = () => loadConfig({ flags, file: options.config, env: context.env })
      const loaded = read()
      const log = logOf(loaded.config, context)
      if (options.check === true) await check(loaded.config, log, context)
      else await collect({ loaded, read }, log, context)
    })
}

async function check(config: Config, log: Logger, { stdout }: CliContext): Promise<void> {
  const { loadIdentity } = await import('./engine.ts')
  const identity = await loadIdentity(config, log)
  checkDirectory(config.data)
  // Number 0 is no host.
  const hosts = config.identity === null ? 'no identity file' : `identity with ${identity.hosts.length - 1} hosts`
  stdout.write(`sound: ${hosts}, data in ${resolve(config.data)}\n`)
}

/** Only looked at: a collector may be running on it. */
function checkDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true })
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw new AppError(
      'data_dir_unwritable',
      `cannot write to the data directory ${path}: ${(cause as Error).message}`,
      {
        cause,
      },
    )
  }
}

async function collect(configured: Configured, log: Logger, { stdout, stdin }: CliContext): Promise<void> {
  const stopping = stopSignal()
  const running: { collector?: Collector } = {}
  // A terminal that is closed sends it too; there it goes on ending what runs in it.
  if (stdin?.isTTY !== true) process.on('SIGHUP', () => void running.collector?.reload())
  // The sockets are open and the engine is starting while the rest is loaded; --help and --check do without it.
  const begun = await beginEarly(configured.loaded.config, log)
  const { Collector } = await import('./collector.ts')
  const collector = await Collector.start(configured, log, begun)
  running.collector = collector
  stdout.write(`${startLine(collector, configured.loaded.config)}\n`)
  log.info(`stopping on ${await stopping}`)
  await endWithin(collector, log)
}

/** `ovsight 0.1.0 listens on 0.0.0.0: NetFlow 2055, IPFIX 4739, GRE mirror; HTTP http://127.0.0.1:8080; store embedded ./ovsight-data`. */
export function startLine({ listeners, url, store }: Collector, config: Config): string {
  const where = [...listeners].map(([input, { port }]) => `${LISTENER_NAMES[input]}${port === 0 ? '' : ` ${port}`}`)
  const http = url === undefined ? 'HTTP off' : `HTTP ${url}`
  const sources = [config.identity, config.os_cloud, config.ovsdb_listen, config.ovn_southbound].filter(
    (source) => source !== null,
  )
  const identity = sources.length === 0 ? 'no identity (give --identity FILE)' : `identity ${sources.join(', ')}`
  return `ovsight ${VERSION} listens on ${config.bind}: ${where.join(', ')}; ${http}; store ${store.name}; ${identity}`
}

/** Stops; what takes longer than `stop_timeout` is left, and the process ends with code 1. */
async function endWithin(collector: Collector, log: Logger): Promise<void> {
  const limitMs = collector.stopTimeoutMs
  const timer = setTimeout(() => {
    log.error({ limitMs }, 'stopping took longer than stop_timeout: what is in the spool is stored at the next start')
    process.exit(1)
  }, limitMs)
  timer.unref()
  // The spool is emptied for less than half of it; the rest is for what comes before and after.
  await collector.stop(Math.min(8_000, limitMs * 0.4))
  clearTimeout(timer)
}

/** The first signal to stop; a second one ends the process at once, what is in the spool stays there. */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((stop) => {
    let asked = false
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.on(signal, () => {
        if (asked) process.exit(1)
        asked = true
        stop(signal)
      })
  })
}
