import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Command } from 'commander'
import { yaml } from '../config/yaml.ts'
import { AppError } from '../errors.ts'
import { describeModel, SHOWN, type Shown, type ShownRow } from '../identity/describe.ts'
import type { LoadedModel } from '../identity/load.ts'
import { buildSnapshot } from '../identity/snapshot/build.ts'
import { assignTexts } from '../identity/sources/text/assign.ts'
import { importTexts } from '../identity/sources/text/import.ts'
import type { CliContext } from './context.ts'
import { addHistory } from './identity-history.ts'
import { isShown, noneOf, parseShown } from './identity-kinds.ts'
import {
  addSourceOptions,
  askResolve,
  askShow,
  askStatus,
  loadSources,
  runningCollector,
  saysText,
  type SourceFlags,
} from './identity-sources.ts'
import { stateOf } from './identity-readings.ts'
import { resolveRecord, type ResolveOptions } from './identity-resolve.ts'
import { addOutputOptions, parseFormat, writeAnswer, writeNotes, type OutputOptions } from './output.ts'
import type { TableColumn } from './table.ts'

const EXAMPLES = `
Examples:
  $ ovsight identity status                            of the collector that runs on ./ovsight-data
  $ ovsight identity status --os-cloud prod            which sources answer, and what they know
  $ ovsight identity show servers --identity cloud.yaml
  $ ovsight identity show web-1                        everything called so, with its ids
  $ ovsight identity show ports --ovn-southbound tcp:10.0.0.1:6642   an OVN cloud, without Neutron's rights
  $ ovsight identity show ports 192.168.10.8 --os-cloud prod   everybody who has the address
  $ ovsight identity resolve --identity cloud.yaml --host c0 --ofport 2 --src 192.168.10.8 --dst 192.168.10.9
  $ ovsight identity history web-1 --at yesterday      who that was then
  $ ovsight identity import -o cloud.yaml --host c0=10.0.10.14 vsctl-show-c0.txt ofctl-show-c0.txt ports.json nova-list.txt`

/** In this order a name alone is looked for. */
const ANY: readonly Shown[] = ['servers', 'networks', 'projects', 'hosts', 'ports']

/** Declares `ovsight identity status|show|resolve|history|import`. */
export function addIdentity(program: Command, context: CliContext): void {
  const identity = program
    .command('identity')
    .summary('who is who: what is known, from where, and how a record is resolved')
    .description(
      'What ovsight knows of the cloud: ports, servers, networks, projects and hosts, and where it knows it from. status and ' +
        'show ask the collector that runs on the data directory, unless sources are named: then they are read here.',
    )
    .addHelpText('after', EXAMPLES)
  addSources(
    identity
      .command('status')
      .description('Every source: whether it answers, its age or how quickly it did, and what it gave.'),
  ).action(async (flags: SourceFlags) => {
    const url = await runningCollector(context, flags)
    if (url === undefined) writeStatus(context, flags, await load(context, flags))
    else write(context, flags, await askStatus(url, flags.format !== 'table'))
  })
  addSources(
    identity
      .command('show')
      .description(`What is known: ${SHOWN.join(', ')}. A name, id, address or MAC keeps the entries that have it.`)
      .argument('[KIND]', `${SHOWN.join(', ')}; may be left out before a name`, 'servers')
      .argument('[WANTED]', 'a name, an id (its first eight characters do), an address or a MAC'),
  ).action(async (kind: string, wanted: string | undefined, flags: SourceFlags) => {
    if (wanted === undefined && !isShown(kind)) {
      await showAny(context, flags, kind)
      return
    }
    const what = parseShown(kind)
    const rows = await known(context, flags, what, wanted)
    if (rows.length === 0)
      writeNotes(context, [wanted === undefined ? `no ${what} are known` : `no ${what} have ${wanted}`])
    write(context, flags, rows)
  })
  addResolve(identity, context)
  addHistory(identity, context)
  addImport(identity, context)
}

/** What has a name, whatever it is: the first kind of which some do, and a note of the others. Errors: usage (nothing has it). */
async function showAny(context: CliContext, flags: SourceFlags, wanted: string): Promise<void> {
  const url = await runningCollector(context, flags)
  const model = url === undefined ? await load(context, flags) : undefined
  if (model !== undefined) refuseEmpty(model)
  const found: { what: Shown; rows: ShownRow[] }[] = []
  for (const what of ANY) {
    const rows = model === undefined ? await askShow(context, url!, what, wanted) : describeModel(model.cloud, what, wanted, model.originOf) // prettier-ignore
    if (rows.length > 0) found.push({ what, rows })
  }
  const [first, ...others] = found
  // A kind that is misspelt, too.
  if (first === undefined) throw noneOf(wanted, 'and nothing known has that name, id, address or MAC')
  const notes = others.map(({ what, rows }) => `${rows.length} ${what} have it too: ovsight identity show ${what} ${wanted}`) // prettier-ignore
  writeNotes(context, notes)
  write(context, flags, first.rows)
}

/** Rows of what is known, by a running collector or by the sources named. */
async function known(context: CliContext, flags: SourceFlags, what: Shown, wanted?: string): Promise<ShownRow[]> {
  const url = await runningCollector(context, flags)
  if (url !== undefined) return askShow(context, url, what, wanted)
  const model = await load(context, flags)
  refuseEmpty(model)
  return describeModel(model.cloud, what, wanted, model.originOf)
}

function addSources(command: Command): Command {
  return addOutputOptions(addSourceOptions(command))
}

function addResolve(identity: Command, context: CliContext): void {
  addSources(
    identity
      .command('resolve')
      .description(
        'Sends one made-up record through attribution and says which key led where, and why. A running collector also knows what held a while ago (--at).',
      ),
  )
    .option('--host <name>', 'host of the exporter')
    .option('--exporter <address>', 'address of the exporter, in place of --host')
    .option('--ofport <number>', 'OpenFlow port where it entered (as NetFlow has it)')
    .option('--engine <number>', 'NetFlow engine type * 256 + engine id')
    .option('--ifindex <number>', 'ifIndex where it entered (as sFlow has it)')
    .option('--ifname <name>', 'name of the interface where it entered (as IPFIX has it)')
    .option('--egress-ifname <name>', 'name of the interface where it left: an egress record of IPFIX')
    .option('--src <address>', 'source IP address')
    .option('--dst <address>', 'destination IP address')
    .option('--src-mac <mac>', 'source MAC address')
    .option('--dst-mac <mac>', 'destination MAC address')
    .option('--vlan <id>', 'VLAN id')
    .option('--vni <id>', 'VNI of the tunnel it came by')
    .option('--at <time>', 'when (default now)')
    .action(async (flags: SourceFlags & ResolveOptions) => {
      const url = await runningCollector(context, flags)
      const { ends, record } = url === undefined ? await resolveHere(context, flags) : await askResolve(url, flags)
      write(context, flags, flags.format === 'table' ? chain(ends, record) : ends.map((end) => ({ ...end, ...record })))
    })
}

async function resolveHere(context: CliContext, flags: SourceFlags & ResolveOptions) {
  const model = await load(context, flags)
  refuseEmpty(model)
  const nowMs = context.now()
  return resolveRecord({ hosts: model.cloud.hosts, snapshot: buildSnapshot(model.cloud, nowMs) }, flags, nowMs)
}

/** A line a fact, since a chain of evidence is read downwards. */
function chain(ends: readonly object[], record: Readonly<Record<string, string>>): Record<string, string>[] {
  const [source = {}, destination = {}] = ends as Record<string, string>[]
  const both = Object.keys(source)
    .filter((key) => key !== 'end')
    .map((fact) => ({ fact, source: source[fact] ?? '', destination: destination[fact] ?? '' }))
  return [...both, ...Object.entries(record).map(([fact, value]) => ({ fact, source: value, destination: '' }))]
}

function addImport(identity: Command, context: CliContext): void {
  identity
    .command('import')
    .description(
      'Makes an identity file from what a lab guide shows: the text of "ovs-vsctl show", "ovs-ofctl show BRIDGE", "nova list" and ' +
        '"openstack … list" (boxes or -f json). Which text is what, and of which host, is told by its content.',
    )
    .argument('<FILE...>', 'texts; - is standard input')
    .requiredOption('-o, --out <file>', 'identity file to write; the OVSDB dumps go beside it')
    .option(
      '--host <name=address>',
      'a host and its tunnel or management addresses, separated by commas; once a host',
      collect,
      [],
    )
    .action((files: string[], { out, host }: { out: string; host: string[] }) => importFiles(context, files, out, host))
}

function collect(value: string, before: string[]): string[] {
  return [...before, value]
}

function importFiles(context: CliContext, files: readonly string[], out: string, hosts: readonly string[]): void {
  const named = hosts.map((host) => {
    const [name = '', addresses = ''] = host.split('=')
    if (name === '' || addresses === '') throw new AppError('usage', `--host ${host} is not NAME=ADDRESS[,ADDRESS]`)
    return { name, addresses: addresses.split(',') }
  })
  const texts = files.map((file) => ({ name: basename(file), text: readText(file) }))
  const assigned = assignTexts(named, texts)
  const { identity, dumps, warnings } = importTexts(assigned.hosts, assigned.lists)
  const folder = dirname(out)
  try {
    mkdirSync(folder, { recursive: true })
    for (const [name, dump] of dumps) writeFileSync(join(folder, name), dump)
    writeFileSync(out, yaml().stringify(identity))
  } catch (cause) {
    throw new AppError('file_unreadable', `cannot write ${out}: ${(cause as Error).message}`, { cause })
  }
  writeNotes(context, [...assigned.warnings, ...warnings])
  const counted = ['hosts', 'projects', 'networks', 'ports', 'servers'].map(
    (key) => `${(identity[key] as unknown[]).length} ${key}`,
  )
  writeNotes(context, [`${out}: ${counted.join(', ')}; look at it with: ovsight identity show ports --identity ${out}`])
}

function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (cause) {
    throw new AppError('file_unreadable', `cannot read ${file}: ${(cause as Error).message}`, { cause })
  }
}

function load(context: CliContext, flags: SourceFlags): Promise<LoadedModel> {
  parseFormat(flags.format)
  return loadSources(context, flags)
}

/** With nothing known the reason is what the user needs, not an empty table. */
function refuseEmpty({ sources }: LoadedModel): void {
  const faults = sources.filter(({ ok, source }) => !ok && source !== 'ovsdb')
  if (faults.length > 0 && !sources.some((source) => source.ok))
    throw new AppError('cloud_unreachable', `cloud ${faults[0]!.target} could not be read`, {
      details: faults.map((fault) => fault.says),
    })
}

function writeStatus(context: CliContext, flags: SourceFlags, { sources }: LoadedModel): void {
  const rows = sources.map(({ source, target, ok, says, elapsedMs, doubts }) => ({
    source,
    target,
    state: stateOf(ok, doubts),
    ms: String(elapsedMs),
    says: saysText(says, doubts, flags.format !== 'table'),
  }))
  write(context, flags, rows)
}

function write(context: CliContext, options: OutputOptions, rows: readonly Record<string, string>[]): void {
  const columns = Object.keys(rows[0] ?? {})
  writeAnswer(context, options, {
    columns,
    rows,
    table: (sorted) =>
      columns.map((title, i): TableColumn => ({
        title,
        cells: sorted.map((row) => String(row[title] ?? '')),
        weight: title.endsWith('_id') ? 20 : 90 - i,
        keep: i === 0 || title === 'says',
        ...(title === 'says' || title === 'source' || title === 'destination'
          ? { minWidth: 20, wrap: title === 'says' }
          : {}),
      })),
  })
}
