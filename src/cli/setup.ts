import { isIP } from 'node:net'
import { Option, type Command } from 'commander'
import { OPTIONS } from '../config/options.ts'
import { AppError } from '../errors.ts'
import type { CloudModel } from '../identity/cloud.ts'
import { didYouMean } from '../query/nearest.ts'
import { parseDuration } from '../query/times.ts'
import type { CliContext } from './context.ts'
import { addSourceOptions, loadSources, type SourceFlags } from './identity-sources.ts'
import { addOutputOptions, parseFormat, writeAnswer } from './output.ts'
import { EXPORTS, exportLines, mirrorLines, MIRRORS, type SetupLine, type SetupOptions } from './setup-lines.ts'

const DESCRIPTION = [
  'Prints the ovs-vsctl lines, to be copied to a host, that make its Open vSwitch export to ovsight, and those that undo them. Nothing is ' +
    'run here.',
  'The bridges are those that the host has, as its OVSDB tells. Without --export and --mirror the lines are of IPFIX, which reports both ' +
    'where packets enter and where they leave. Each bridge has an id of its own (NetFlow engine_id, IPFIX obs_domain_id), by which it is ' +
    'told from others of its host. What a line sets takes the place of what was there: look at ovs-vsctl list netflow, ipfix, sflow first.',
].join('\n\n')

const EXAMPLES = `
Examples:
  $ ovsight setup compute-3 --collector 10.0.0.5 --os-cloud prod --ovsdb tcp:{address}:6640
  $ ovsight setup compute-3 --collector 10.0.0.5 --export netflow --bridge br-int --identity cloud.yaml
  $ ovsight setup compute-3 --collector 10.0.0.5 --export sflow --sampling 256 --identity cloud.yaml
  $ ovsight setup compute-3 --collector 10.0.0.5 --mirror web-1 --identity cloud.yaml       GRE; --tunnel vxlan for UDP
  $ ovsight setup compute-3 --collector 10.0.0.5 --identity cloud.yaml -f value -c set | ssh compute-3 sudo sh`

interface SetupFlags extends SourceFlags {
  collector: string
  export?: string[]
  bridge?: string[]
  mirror?: string
  tunnel: (typeof MIRRORS)[number]
  sampling: string
  activeTimeout: string
  templateInterval: string
  header: string
  polling: string
}

const collect = (value: string, before: string[] = []) => [...before, value]

/** Declares `ovsight setup`. */
export function addSetup(program: Command, context: CliContext): void {
  const command = program
    .command('setup')
    .summary('the ovs-vsctl lines that make hosts export, and undo it')
    .description(DESCRIPTION)
    .argument('<HOST...>', 'hosts, by the names of the model')
    .requiredOption('--collector <address>', 'IP address of the collector, as the hosts reach it')
    .addOption(new Option('--export <what>', `${EXPORTS.join(', ')}; repeat it for more`).argParser(collect))
    .option('--bridge <bridge>', 'only this bridge; repeat it for more (default: every bridge of the host)', collect)
    .option('--mirror <server>', 'mirror every port of this server, by name or id')
    .addOption(new Option('--tunnel <kind>', 'what carries the mirror').choices([...MIRRORS]).default('gre'))
    .option('--sampling <n>', 'IPFIX and sFlow take 1 in so many packets', '64')
    .option('--active-timeout <span>', 'how long NetFlow and IPFIX gather a flow', '60s')
    .option('--template-interval <span>', 'how often IPFIX sends templates (Open vSwitch 3.2 and later)', '60s')
    .option('--header <bytes>', 'bytes of each packet that sFlow takes', '128')
    .option('--polling <span>', 'how often sFlow sends counters', '30s')
  addOutputOptions(addSourceOptions(command))
    .addHelpText('after', EXAMPLES)
    .action(async (hosts: string[], flags: SetupFlags) => {
      parseFormat(flags.format)
      const options = setupOptions(flags)
      const kinds = exportsOf(flags)
      const { cloud } = await loadSources(context, flags)
      const lines = linesOf(cloud, hosts, flags, kinds, options)
      if (flags.format === 'table' && flags.column === undefined) context.stdout.write(scriptText(lines))
      else
        writeAnswer(context, flags, {
          columns: ['host', 'bridge', 'kind', 'about', 'set', 'undo'],
          rows: lines.map((line) => ({ ...line })),
        })
    })
}

function linesOf(
  cloud: CloudModel,
  hosts: readonly string[],
  { bridge = [], mirror, tunnel }: SetupFlags,
  kinds: readonly (typeof EXPORTS)[number][],
  options: SetupOptions,
): SetupLine[] {
  const known = cloud.hosts.map(({ name }) => name)
  const exported = hosts.flatMap((host) => {
    if (!known.includes(host))
      throw new AppError('usage', `no host is called ${JSON.stringify(host)}${didYouMean(host, known)}`, {
        details: [`hosts: ${known.join(' ')}`],
      })
    const ovs = cloud.ovs.get(host)
    if (ovs === undefined)
      throw new AppError('usage', `the OVSDB of ${host} is not known, so its bridges are not either; give --ovsdb, or ovsdb in the identity file`) // prettier-ignore
    return kinds.flatMap((kind) => exportLines(host, ovs, kind, bridge, options))
  })
  return mirror === undefined ? exported : [...exported, ...mirrorLines(cloud, hosts, mirror, tunnel, options)]
}

/** IPFIX, unless something else is asked for. Errors: usage. */
function exportsOf({ export: kinds, mirror }: SetupFlags): readonly (typeof EXPORTS)[number][] {
  if (kinds === undefined) return mirror === undefined ? ['ipfix'] : []
  return kinds.map((kind) => {
    const found = EXPORTS.find((one) => one === kind)
    if (found === undefined)
      throw new AppError('usage', `--export ${JSON.stringify(kind.slice(0, 40))} is none of ${EXPORTS.join(', ')}`)
    return found
  })
}

/** Errors: usage. */
function setupOptions(flags: SetupFlags): SetupOptions {
  if (isIP(flags.collector) === 0)
    throw new AppError('usage', `--collector ${JSON.stringify(flags.collector.slice(0, 60))} is no IP address: Open vSwitch looks no names up`) // prettier-ignore
  const seconds = (option: string, text: string, most: number) => {
    const ms = parseDuration(text.trim())
    if (ms === undefined || ms < 1000 || ms > most * 1000)
      throw new AppError('usage', `${option} ${JSON.stringify(text.slice(0, 40))} is no span of 1s to ${most}s`)
    return Math.round(ms / 1000)
  }
  const number = (option: string, text: string, most: number) => {
    if (!/^\d{1,9}$/.test(text) || Number(text) < 1 || Number(text) > most)
      throw new AppError('usage', `${option} ${JSON.stringify(text.slice(0, 40))} is no number of 1 to ${most}`)
    return Number(text)
  }
  return {
    collector: flags.collector,
    sampling: number('--sampling', flags.sampling, 0xffff_ff),
    // vswitch.xml: cache_active_timeout 0 … 4200.
    activeTimeoutS: seconds('--active-timeout', flags.activeTimeout, 4200),
    templateIntervalS: seconds('--template-interval', flags.templateInterval, 3600),
    header: number('--header', flags.header, 256),
    pollingS: seconds('--polling', flags.polling, 3600),
    ports: {
      netflow: OPTIONS.netflow_port.default,
      ipfix: OPTIONS.ipfix_port.default,
      sflow: OPTIONS.sflow_port.default,
      vxlan: OPTIONS.vxlan_port.default,
    },
  }
}

/** A script: what to set first, what undoes it in comments after. */
function scriptText(lines: readonly SetupLine[]): string {
  const hosts = [...new Set(lines.map(({ host }) => host))]
  return hosts
    .map((host) => {
      const own = lines.filter((line) => line.host === host)
      const set = own.flatMap(({ bridge, about, set: line }) => [`# ${bridge}: ${about}`, line])
      const undo = own.map(({ undo: line }) => `#   ${line}`)
      return [`# on ${host}`, ...set, '# to undo it', ...undo, ''].join('\n')
    })
    .join('\n')
}
