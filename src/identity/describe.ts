/** Rows for people of what a model holds: who is where, by name, id, address or MAC, since when and from which source. */
import { setImmediate as turn } from 'node:timers/promises'
import type { CloudModel } from './cloud.ts'

export const SHOWN = ['ports', 'servers', 'networks', 'projects', 'hosts'] as const
export type Shown = (typeof SHOWN)[number]

export type ShownRow = Record<string, string>

/** Where an entry is known from, and since when it is as it is; '' = for as long as anybody asks. */
export interface Origin {
  source: string
  since: string
}
/** `key` is the entry's id, a host's name. */
export type OriginOf = (what: Shown, key: string) => Origin

/** Rows made without giving way: a few milliseconds. */
const SLICE = 2_000
const NOWHERE: OriginOf = () => ({ source: '', since: '' })

/** Rows of one kind. `wanted` keeps those in which any value is it (names, ids, addresses and MACs; ids also by their start). */
export function describeModel(cloud: CloudModel, what: Shown, wanted?: string, originOf = NOWHERE): ShownRow[] {
  return [...rowsOf(cloud, what, wanted, originOf)].filter((row) => row !== undefined)
}

/** The same beside other work: gives way between slices. `most` rows at most; `more` says whether there were others. */
export async function describeGently(
  cloud: CloudModel,
  what: Shown,
  wanted: string | undefined,
  originOf: OriginOf,
  most: number,
): Promise<{ rows: ShownRow[]; more: boolean }> {
  const rows: ShownRow[] = []
  let done = 0
  for (const row of rowsOf(cloud, what, wanted, originOf)) {
    if (++done % SLICE === 0) await turn()
    if (row === undefined) continue
    if (rows.length === most) return { rows, more: true }
    rows.push(row)
  }
  return { rows, more: false }
}

/** A row for each entry, undefined for one that is not wanted. */
function* rowsOf(
  cloud: CloudModel,
  what: Shown,
  wanted: string | undefined,
  originOf: OriginOf,
): Generator<ShownRow | undefined> {
  const word = wanted?.toLowerCase()
  for (const row of DESCRIBE[what](cloud, originOf)) yield word === undefined || has(row, word) ? row : undefined
}

function has(row: ShownRow, word: string): boolean {
  for (const [key, value] of Object.entries(row)) {
    if (key === 'source' || key === 'since') continue
    const text = value.toLowerCase()
    if (text === word || (key.endsWith('id') && word.length >= 8 && text.startsWith(word))) return true
    if (text.includes(' ') && text.split(' ').includes(word)) return true
  }
  return false
}

const DESCRIBE: Record<Shown, (cloud: CloudModel, originOf: OriginOf) => Iterable<ShownRow>> = {
  *ports(cloud, originOf) {
    const names = namesOf(cloud)
    const parents = new Map(cloud.trunks.flatMap((trunk) => trunk.sub_ports.map((sub) => [sub.port_id, trunk.port_id])))
    const byId = new Map(cloud.ports.map((port) => [port.id, port]))
    const floating = grouped(cloud.floatingips, (one) => one.port_id)
    for (const port of cloud.ports) {
      const device = port.device_id || byId.get(parents.get(port.id) ?? '')?.device_id || ''
      const { source, since } = originOf('ports', port.id)
      yield {
        port: port.name || port.id,
        port_id: port.id,
        server: names.server.get(device) ?? '',
        owner: port.device_owner,
        network: names.network.get(port.network_id) ?? port.network_id,
        project: names.project.get(port.project_id) ?? port.project_id,
        host: port['binding:host_id'],
        mac: port.mac_address.toLowerCase(),
        addresses: port.fixed_ips.map((ip) => ip.ip_address).join(' '),
        floating: (floating.get(port.id) ?? []).map((one) => one.floating_ip_address).join(' '),
        since: since || (port.updated_at ?? ''),
        source,
      }
    }
  },
  *servers(cloud, originOf) {
    const names = namesOf(cloud)
    const ports = grouped(cloud.ports, (port) => port.device_id)
    for (const server of cloud.servers)
      yield {
        server: server.name,
        server_id: server.id,
        project: names.project.get(server.tenant_id) ?? server.tenant_id,
        project_id: server.tenant_id,
        host: server['OS-EXT-SRV-ATTR:host'],
        addresses: (ports.get(server.id) ?? []).flatMap((port) => port.fixed_ips.map((ip) => ip.ip_address)).join(' '),
        ...originOf('servers', server.id),
      }
  },
  *networks(cloud, originOf) {
    const names = namesOf(cloud)
    const subnets = grouped(cloud.subnets, (subnet) => subnet.network_id)
    for (const network of cloud.networks)
      yield {
        network: network.name,
        network_id: network.id,
        project: names.project.get(network.project_id) ?? network.project_id,
        type: network['provider:network_type'],
        segment: String(network['provider:segmentation_id'] ?? ''),
        external: network['router:external'] ? 'yes' : '',
        subnets: (subnets.get(network.id) ?? []).map((subnet) => subnet.cidr).join(' '),
        ...originOf('networks', network.id),
      }
  },
  *projects(cloud, originOf) {
    const servers = grouped(cloud.servers, (server) => server.tenant_id)
    const ports = grouped(cloud.ports, (port) => port.project_id)
    const networks = grouped(cloud.networks, (network) => network.project_id)
    const count = (entries: ReadonlyMap<string, readonly unknown[]>, id: string) => String(entries.get(id)?.length ?? 0)
    for (const project of cloud.projects)
      yield {
        project: project.name,
        project_id: project.id,
        domain_id: project.domain_id,
        servers: count(servers, project.id),
        ports: count(ports, project.id),
        networks: count(networks, project.id),
        ...originOf('projects', project.id),
      }
  },
  *hosts(cloud, originOf) {
    const ports = grouped(cloud.ports, (port) => port['binding:host_id'])
    for (const host of cloud.hosts) {
      const ovs = cloud.ovs.get(host.name)
      yield {
        host: host.name,
        addresses: host.addresses.join(' '),
        ovsdb: host.ovsdb ?? '',
        ovs_version: ovs?.ovsVersion ?? '',
        bridges: ovs?.bridges.map((bridge) => bridge.name).join(' ') ?? '',
        exports: ovs === undefined ? '' : exportsOf(ovs.bridges),
        ports: String(ports.get(host.name)?.length ?? 0),
        ...originOf('hosts', host.name),
      }
    }
  },
}

type Bridges = NonNullable<ReturnType<CloudModel['ovs']['get']>>['bridges']

function exportsOf(bridges: Bridges): string {
  return bridges
    .flatMap((bridge) =>
      (['netflow', 'ipfix', 'sflow'] as const)
        .filter((kind) => bridge[kind] !== undefined)
        .map((kind) => `${bridge.name}:${kind}`),
    )
    .join(' ')
}

function grouped<T>(entries: readonly T[], keyOf: (entry: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const entry of entries) {
    const key = keyOf(entry)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [entry])
    else group.push(entry)
  }
  return groups
}

function namesOf(cloud: CloudModel) {
  const names = (entries: readonly { id: string; name: string }[]) =>
    new Map(entries.map((entry) => [entry.id, entry.name || entry.id]))
  return { project: names(cloud.projects), network: names(cloud.networks), server: names(cloud.servers) }
}
