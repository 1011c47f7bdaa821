/** Rows for people of what a model holds: who is where, by name, id, address or MAC. */
import type { CloudModel } from './cloud.ts'

export const SHOWN = ['ports', 'servers', 'networks', 'projects', 'hosts'] as const
export type Shown = (typeof SHOWN)[number]

type Row = Record<string, string>

/** Rows of one kind. `wanted` keeps those in which any value is it (names, ids, addresses and MACs; ids also by their start). */
export function describeModel(cloud: CloudModel, what: Shown, wanted?: string): Row[] {
  const rows = DESCRIBE[what](cloud)
  if (wanted === undefined) return rows
  const word = wanted.toLowerCase()
  return rows.filter((row) =>
    Object.entries(row).some(([key, value]) =>
      value
        .toLowerCase()
        .split(' ')
        .some((part) => part === word || (key.endsWith('id') && word.length >= 8 && part.startsWith(word))),
    ),
  )
}

const DESCRIBE: Record<Shown, (cloud: CloudModel) => Row[]> = {
  ports: (cloud) => {
    const names = namesOf(cloud)
    const parents = new Map(cloud.trunks.flatMap((trunk) => trunk.sub_ports.map((sub) => [sub.port_id, trunk.port_id])))
    const byId = new Map(cloud.ports.map((port) => [port.id, port]))
    return cloud.ports.map((port) => {
      const device = port.device_id || byId.get(parents.get(port.id) ?? '')?.device_id || ''
      return {
        port: port.name || port.id,
        port_id: port.id,
        server: names.server.get(device) ?? '',
        owner: port.device_owner,
        network: names.network.get(port.network_id) ?? port.network_id,
        project: names.project.get(port.project_id) ?? port.project_id,
        host: port['binding:host_id'],
        mac: port.mac_address.toLowerCase(),
        addresses: port.fixed_ips.map((ip) => ip.ip_address).join(' '),
        floating: cloud.floatingips
          .filter((floating) => floating.port_id === port.id)
          .map((floating) => floating.floating_ip_address)
          .join(' '),
      }
    })
  },
  servers: (cloud) => {
    const names = namesOf(cloud)
    return cloud.servers.map((server) => {
      const ports = cloud.ports.filter((port) => port.device_id === server.id)
      return {
        server: server.name,
        server_id: server.id,
        project: names.project.get(server.tenant_id) ?? server.tenant_id,
        host: server['OS-EXT-SRV-ATTR:host'],
        addresses: ports.flatMap((port) => port.fixed_ips.map((ip) => ip.ip_address)).join(' '),
      }
    })
  },
  networks: (cloud) => {
    const names = namesOf(cloud)
    return cloud.networks.map((network) => ({
      network: network.name,
      network_id: network.id,
      project: names.project.get(network.project_id) ?? network.project_id,
      type: network['provider:network_type'],
      segment: String(network['provider:segmentation_id'] ?? ''),
      external: network['router:external'] ? 'yes' : '',
      subnets: cloud.subnets
        .filter((subnet) => subnet.network_id === network.id)
        .map((subnet) => subnet.cidr)
        .join(' '),
    }))
  },
  projects: (cloud) => {
    const count = (entries: readonly { project_id: string }[], id: string) =>
      String(entries.filter((entry) => entry.project_id === id).length)
    return cloud.projects.map((project) => ({
      project: project.name,
      project_id: project.id,
      domain_id: project.domain_id,
      servers: String(cloud.servers.filter((server) => server.tenant_id === project.id).length),
      ports: count(cloud.ports, project.id),
      networks: count(cloud.networks, project.id),
    }))
  },
  hosts: (cloud) =>
    cloud.hosts.map((host) => {
      const ovs = cloud.ovs.get(host.name)
      return {
        host: host.name,
        addresses: host.addresses.join(' '),
        ovsdb: host.ovsdb ?? '',
        ovs_version: ovs?.ovsVersion ?? '',
        bridges: ovs?.bridges.map((bridge) => bridge.name).join(' ') ?? '',
        exports: ovs === undefined ? '' : exportsOf(ovs.bridges),
        ports: String(cloud.ports.filter((port) => port['binding:host_id'] === host.name).length),
      }
    }),
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

function namesOf(cloud: CloudModel) {
  const names = (entries: readonly { id: string; name: string }[]) =>
    new Map(entries.map((entry) => [entry.id, entry.name || entry.id]))
  return { project: names(cloud.projects), network: names(cloud.networks), server: names(cloud.servers) }
}
