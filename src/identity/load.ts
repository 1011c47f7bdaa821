/** The whole model once, from every source that the options name: identity file, OpenStack APIs, OVN, OVSDB servers. */
import { AppError } from '../errors.ts'
import type { CloudModel } from './cloud.ts'
import { findContradictions } from './contradictions.ts'
import { SHOWN, type OriginOf } from './describe.ts'
import { EMPTY_CLOUD } from './snapshot/build.ts'
import { atOnce } from './snapshot/slices.ts'
import { loadIdentityFile } from './sources/file.ts'
import { loadCloud } from './sources/openstack/clouds.ts'
import { mergeSections, toSections } from './sources/openstack/model.ts'
import { readCloud } from './sources/openstack/read.ts'
import { CloudSession } from './sources/openstack/session.ts'
import { SOUTHBOUND, SouthboundReader } from './sources/ovn/southbound.ts'
import type { OvsdbKeys } from './sources/ovsdb/client.ts'
import { readOvsHost, type OvsHost } from './sources/ovsdb/host.ts'
import { readOnce } from './sources/ovsdb/monitor.ts'
import { parseTarget, withServer } from './sources/ovsdb/target.ts'

export interface SourceOptions {
  /** Path of an identity file. */
  identity?: string | undefined
  /** Name in clouds.yaml, or `envvars`. */
  osCloud?: string | undefined
  /** OVSDB server of each host of the cloud, with `{address}` (tunnel address) or `{host}` in it. */
  ovsdb?: string | undefined
  /** OVN's southbound database. */
  ovnSouthbound?: string | undefined
  /** For `ssl:`. */
  keys?: OvsdbKeys | undefined
  env: Readonly<Record<string, string | undefined>>
  cwd: string
  home: string
}

/** How one source stands after it was read. */
export interface SourceStatus {
  source: 'file' | 'openstack' | 'ovsdb' | 'ovn'
  /** Path, cloud or target. */
  target: string
  ok: boolean
  /** What it gave, or why it gave nothing. */
  says: string
  elapsedMs: number
  /** What it says that cannot be true together with the rest. */
  doubts: string[]
}

export interface LoadedModel {
  cloud: CloudModel
  sources: SourceStatus[]
  warnings: string[]
  /** Where each entry is from. */
  originOf: OriginOf
}

/** OVSDB servers asked at a time. */
const PARALLEL = 64

/**
 * Reads every source. A source that fails is in `sources` with its reason, the others still count. Errors: identity_invalid,
 * file_unreadable, config_invalid, and the reason of the only source when there is but one.
 */
export async function loadModel(options: SourceOptions): Promise<LoadedModel> {
  const sources: SourceStatus[] = []
  const warnings: string[] = []
  let cloud = EMPTY_CLOUD
  if (options.identity !== undefined) {
    const started = Date.now()
    const file = await loadIdentityFile(options.identity)
    warnings.push(...file.warnings)
    cloud = file.cloud
    const says = `${cloud.ports.length} ports, ${cloud.servers.length} servers, ${cloud.ovs.size} of ${cloud.hosts.length} hosts with OVSDB`
    sources.push({
      source: 'file',
      target: options.identity,
      ok: true,
      says,
      elapsedMs: Date.now() - started,
      doubts: [],
    })
  }
  const layers: { origin: string; model: CloudModel }[] = [{ origin: 'file', model: cloud }]
  if (options.osCloud !== undefined) {
    const read = await readOpenstack(options, sources, warnings)
    if (read !== undefined) layers.push({ origin: 'openstack', model: read })
  }
  if (options.ovnSouthbound !== undefined) {
    const read = await readOvn(options.ovnSouthbound, options, sources)
    if (read !== undefined) layers.push({ origin: 'ovn', model: read })
  }
  for (const { model } of layers.slice(1)) cloud = { ...cloud, ...mergeSections(model, cloud), ...keysOf(model) }
  if (layers.length > 1 || options.ovsdb !== undefined) {
    const hosts = cloud.hosts.map((host) => withServer(host, options.ovsdb ?? null))
    cloud = { ...cloud, hosts, ovs: new Map([...cloud.ovs, ...(await readHosts(hosts, cloud.ovs, options, sources))]) }
  }
  const originOf = originsBy(layers)
  nameDoubts(cloud, sources, originOf)
  return { cloud, sources, warnings, originOf }
}

function keysOf({ tunnelKeys }: CloudModel): Pick<CloudModel, 'tunnelKeys'> {
  return tunnelKeys === undefined ? {} : { tunnelKeys }
}

/** Tells each source what of its own cannot be true. */
function nameDoubts(cloud: CloudModel, sources: readonly SourceStatus[], originOf: OriginOf): void {
  const targetOf = new Map(cloud.hosts.map(({ name, ovsdb }) => [name, ovsdb]))
  for (const { host, ports, text } of atOnce(findContradictions(cloud))) {
    const by = host === undefined ? originOf('ports', ports[0] ?? '').source : 'ovsdb'
    const source =
      sources.find((one) => one.source === by && (host === undefined || one.target === targetOf.get(host))) ??
      sources.find((one) => one.source === 'file')
    source?.doubts.push(text)
  }
}

/** What several have is from the first of them. */
function originsBy(layers: readonly { origin: string; model: CloudModel }[]): OriginOf {
  const idOf = (entry: { id: string } | { name: string }) => ('id' in entry ? entry.id : entry.name)
  const has = layers.map(({ origin, model }) => ({
    origin,
    ids: new Map(SHOWN.map((what) => [what, new Set(model[what].map(idOf))])),
  }))
  return (what, key) => ({
    source: has.find(({ ids }) => ids.get(what)?.has(key) === true)?.origin ?? '',
    since: '',
  })
}

async function readOpenstack(
  options: SourceOptions,
  sources: SourceStatus[],
  warnings: string[],
): Promise<CloudModel | undefined> {
  const session = new CloudSession(loadCloud(options.osCloud, options))
  const status = { source: 'openstack', target: session.config.name } as const
  const started = Date.now()
  try {
    const { sections, warnings: odd } = toSections(await readCloud(session))
    warnings.push(...odd)
    const says = `${sections.projects.length} projects, ${sections.networks.length} networks, ${sections.ports.length} ports, ${sections.servers.length} servers`
    sources.push({ ...status, ok: true, says, elapsedMs: Date.now() - started, doubts: [] })
    return { ...sections, ovs: new Map() }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    const says = [error.message, ...error.details].join('; ')
    sources.push({ ...status, ok: false, says, elapsedMs: Date.now() - started, doubts: [] })
    return undefined
  } finally {
    await session.close()
  }
}

/** OVN's southbound database, once. Errors: config_invalid. */
async function readOvn(
  text: string,
  { keys }: SourceOptions,
  sources: SourceStatus[],
): Promise<CloudModel | undefined> {
  const target = parseTarget(text)
  if (typeof target === 'string') throw new AppError('config_invalid', `ovn_southbound: ${target}`)
  const status = { source: 'ovn', target: text } as const
  const started = Date.now()
  try {
    const tables = await readOnce(target, { database: SOUTHBOUND, ...(keys === undefined ? {} : { keys }) })
    const { sections, tunnelKeys, counts } = new SouthboundReader().read(tables)
    const says = `${counts.networks} networks, ${counts.ports} ports, ${counts.hosts} hosts`
    sources.push({ ...status, ok: true, says, elapsedMs: Date.now() - started, doubts: [] })
    return { ...sections, tunnelKeys, ovs: new Map() }
  } catch (error) {
    const says = error instanceof Error ? error.message : String(error)
    sources.push({ ...status, ok: false, says, elapsedMs: Date.now() - started, doubts: [] })
    return undefined
  }
}

async function readHosts(
  hosts: CloudModel['hosts'],
  known: ReadonlyMap<string, OvsHost>,
  { keys }: SourceOptions,
  sources: SourceStatus[],
): Promise<Map<string, OvsHost>> {
  const found = new Map<string, OvsHost>()
  const waiting = hosts.filter((host) => host.ovsdb !== undefined && !known.has(host.name))
  const readNext = async () => {
    for (let host = waiting.shift(); host !== undefined; host = waiting.shift()) {
      const started = Date.now()
      const target = parseTarget(host.ovsdb!)
      try {
        if (typeof target === 'string') throw new Error(target)
        const ovs = readOvsHost(await readOnce(target, keys === undefined ? {} : { keys }))
        found.set(host.name, ovs)
        const says = `${host.name}: Open vSwitch ${ovs.ovsVersion}, ${ovs.bridges.length} bridges`
        sources.push({
          source: 'ovsdb',
          target: host.ovsdb!,
          ok: true,
          says,
          elapsedMs: Date.now() - started,
          doubts: [],
        })
      } catch (error) {
        const says = `${host.name}: ${error instanceof Error ? error.message : String(error)}`
        sources.push({
          source: 'ovsdb',
          target: host.ovsdb!,
          ok: false,
          says,
          elapsedMs: Date.now() - started,
          doubts: [],
        })
      }
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, readNext))
  return found
}
