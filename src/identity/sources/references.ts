/**
 * References between the sections of an identity file. A network is what resolution stands on, so a reference to one that is
 * not there is a fault; a project, server or subnet that is not there costs only a name, so it is a warning.
 */
import type { CloudModel } from '../cloud.ts'
import type { Faults } from './faults.ts'

type Sections = Omit<CloudModel, 'ovs' | 'tunnelKeys'>

/** Adds faults and warnings for ids that occur twice and for references to nothing. */
export function checkReferences(sections: Sections, faults: Faults): void {
  checkUnique('hosts', sections.hosts, (host) => host.name, faults)
  checkHostAddresses(sections, faults)
  for (const section of ['projects', 'networks', 'subnets', 'ports', 'servers', 'routers', 'floatingips'] as const)
    checkUnique<{ id: string }>(section, sections[section], (item) => item.id, faults)

  const ids = (items: readonly { id: string }[]) => new Set(items.map((item) => item.id))
  const known = {
    network: ids(sections.networks),
    project: ids(sections.projects),
    server: ids(sections.servers),
    subnet: ids(sections.subnets),
    port: ids(sections.ports),
    router: ids(sections.routers),
    host: new Set(sections.hosts.map((host) => host.name)),
  }
  const refer = (kind: keyof typeof known, id: string, path: PropertyKey[], essential: boolean) => {
    if (id === '' || known[kind].has(id)) return
    const message = `there is no ${kind} ${id}`
    if (essential) faults.add(path, message)
    else faults.warn(path, message)
  }

  for (const [i, network] of sections.networks.entries())
    refer('project', network.project_id, ['networks', i, 'project_id'], false)
  for (const [i, subnet] of sections.subnets.entries())
    refer('network', subnet.network_id, ['subnets', i, 'network_id'], true)
  for (const [i, port] of sections.ports.entries()) {
    const at = ['ports', i]
    refer('network', port.network_id, [...at, 'network_id'], true)
    refer('project', port.project_id, [...at, 'project_id'], false)
    refer('host', port['binding:host_id'], [...at, 'binding:host_id'], false)
    if (port.device_owner.startsWith('compute:')) refer('server', port.device_id, [...at, 'device_id'], false)
    if (port.device_owner.startsWith('network:router_')) refer('router', port.device_id, [...at, 'device_id'], false)
    for (const [j, ip] of port.fixed_ips.entries())
      refer('subnet', ip.subnet_id, [...at, 'fixed_ips', j, 'subnet_id'], false)
  }
  for (const [i, server] of sections.servers.entries())
    refer('project', server.tenant_id, ['servers', i, 'tenant_id'], false)
  for (const [i, router] of sections.routers.entries()) {
    refer('project', router.project_id, ['routers', i, 'project_id'], false)
    if (router.external_gateway_info !== undefined)
      refer(
        'network',
        router.external_gateway_info.network_id,
        ['routers', i, 'external_gateway_info', 'network_id'],
        true,
      )
  }
  for (const [i, floating] of sections.floatingips.entries()) {
    refer('network', floating.floating_network_id, ['floatingips', i, 'floating_network_id'], true)
    refer('port', floating.port_id, ['floatingips', i, 'port_id'], false)
    refer('project', floating.project_id, ['floatingips', i, 'project_id'], false)
  }
  for (const [i, trunk] of sections.trunks.entries()) {
    refer('port', trunk.port_id, ['trunks', i, 'port_id'], true)
    for (const [j, sub] of trunk.sub_ports.entries())
      refer('port', sub.port_id, ['trunks', i, 'sub_ports', j, 'port_id'], true)
  }
}

function checkUnique<T>(section: string, items: readonly T[], idOf: (item: T) => string, faults: Faults): void {
  const seen = new Map<string, number>()
  for (const [i, item] of items.entries()) {
    const id = idOf(item)
    const before = seen.get(id)
    if (before === undefined) seen.set(id, i)
    else faults.add([section, i], `${id} is there already, as ${section}[${before}]`)
  }
}

/** An exporter is told by its address, so two hosts cannot share one. */
function checkHostAddresses(sections: Sections, faults: Faults): void {
  const owner = new Map<string, string>()
  for (const [i, host] of sections.hosts.entries()) {
    for (const [j, address] of host.addresses.entries()) {
      const before = owner.get(address)
      if (before !== undefined && before !== host.name)
        faults.add(['hosts', i, 'addresses', j], `${address} is an address of host ${before} too`)
      owner.set(address, host.name)
    }
  }
}
