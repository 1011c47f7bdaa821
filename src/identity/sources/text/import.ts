/**
 * An identity file from what people have at hand: per host `ovs-vsctl show` and `ovs-ofctl show`, and the lists of the
 * command line clients. What none of them tells is left out and said; nothing is made up but ids of rows.
 */
import { parseClientList, type ListKind } from './lists.ts'
import { joinOfports, parseOfctlShow, parseVsctlShow, writeDump } from './ovs.ts'

export interface HostTexts {
  name: string
  addresses: readonly string[]
  /** Text of `ovs-vsctl show`. */
  vsctl: string
  /** Texts of `ovs-ofctl show BRIDGE`. */
  ofctl: readonly string[]
}

export interface ImportedIdentity {
  /** Content of the identity file; hosts point to their dump by file name. */
  identity: Record<string, unknown>
  /** OVSDB dumps by file name. */
  dumps: ReadonlyMap<string, string>
  /** What is missing or could not be joined, a sentence each. */
  warnings: readonly string[]
}

type Entry = Record<string, unknown>

/** An entry's id, for messages and comparing. */
function idOf(entry: Entry): string {
  return typeof entry['id'] === 'string' ? entry['id'] : ''
}

type Lists = Record<ListKind, Entry[]>

/** Device names are the first eleven characters of the port's id after a prefix. */
const PORT_NAME = /^(?:tap|qvo|vhu|qr-|qg-|sg-|ha-|fg-)([0-9a-f]{8}-[0-9a-f]{2})$/

/** `lists` are texts of client lists with a name for messages (a file name). */
export function importTexts(
  hosts: readonly HostTexts[],
  lists: readonly { name: string; text: string }[],
): ImportedIdentity {
  const warnings: string[] = []
  const entries = readLists(lists, warnings)
  joinServers(entries, warnings)
  const networks = completeNetworks(entries, warnings)
  const dumps = new Map<string, string>()
  const hostOf = new Map<string, string>()
  for (const host of hosts) dumps.set(`ovsdb-${host.name}.json`, dumpOf(host, entries.ports, hostOf, warnings))
  return {
    identity: {
      hosts: hosts.map(({ name, addresses }) => ({ name, addresses: [...addresses], ovsdb: `ovsdb-${name}.json` })),
      projects: projectsOf(entries),
      networks,
      subnets: entries.subnets,
      ports: entries.ports.map((port) => ({ ...port, ...when('binding:host_id', hostOf.get(idOf(port))) })),
      servers: entries.servers.map(({ id, name, project_id }) => ({ id, name, ...when('tenant_id', project_id) })),
    },
    dumps,
    warnings,
  }
}

function when(key: string, value: unknown): Entry {
  return value === undefined || value === '' ? {} : { [key]: value }
}

function readLists(lists: readonly { name: string; text: string }[], warnings: string[]): Lists {
  const entries: Lists = { servers: [], ports: [], networks: [], subnets: [], projects: [] }
  for (const { name, text } of lists) {
    const list = parseClientList(text)
    if (typeof list === 'string') warnings.push(`${name}: ${list}`)
    else entries[list.kind].push(...list.entries)
  }
  return entries
}

/** Finds each port's server by its device id, else by the one server that has all its addresses; takes the project over. */
function joinServers({ servers, ports }: Lists, warnings: string[]): void {
  for (const port of ports) {
    const addresses = (port['fixed_ips'] as { ip_address: string }[] | undefined) ?? []
    if (port['device_id'] === undefined && addresses.length > 0) {
      const candidates = servers.filter((server) => {
        const own = Object.values((server['networks'] as Record<string, string[]> | undefined) ?? {}).flat()
        return addresses.every(({ ip_address }) => own.includes(ip_address))
      })
      if (candidates.length === 1) {
        port['device_id'] = candidates[0]!['id']
        port['device_owner'] ??= 'compute:nova'
      } else if (candidates.length > 1) {
        const names = candidates.map((server) => `${idOf(server)} (${JSON.stringify(server['name'])})`).join(', ')
        warnings.push(
          `port ${idOf(port)}: ${names} all have its addresses; add the column "Device ID" to the port list`,
        )
      }
    }
    const server = servers.find((one) => one['id'] === port['device_id'])
    if (server !== undefined && port['project_id'] === undefined && server['project_id'] !== undefined)
      port['project_id'] = server['project_id']
  }
}

/** The networks of the list, or one a subnet where no list tells which subnets belong together. */
function completeNetworks({ networks, subnets, ports }: Lists, warnings: string[]): Entry[] {
  const networkOf = new Map(subnets.map((subnet) => [subnet['id'], subnet['network_id']]))
  for (const network of networks)
    for (const subnet of JSON.stringify(network['subnets'] ?? '').match(/[0-9a-f]{8}-[0-9a-f-]{27}/g) ?? [])
      networkOf.set(subnet, network['id'])
  const known = new Map(networks.map(({ id, name }) => [id, { id, name }]))
  for (const port of ports) {
    const subnet = (port['fixed_ips'] as { subnet_id: string }[] | undefined)?.[0]?.subnet_id ?? ''
    port['network_id'] ??= networkOf.get(subnet) ?? subnet
    const id = port['network_id']
    if (id === '') warnings.push(`port ${idOf(port)} has neither network nor subnet: it is left out`)
    else if (!known.has(id)) {
      known.set(id, { id, name: '' })
      warnings.push(
        `the network of subnet ${subnet} is not listed: its id stands for the network; add "openstack network list -f json"`,
      )
    }
  }
  ports.splice(0, ports.length, ...ports.filter((port) => port['network_id'] !== ''))
  return [...known.values()]
}

function projectsOf({ projects, servers, ports, networks }: Lists): Entry[] {
  const known = new Map(projects.map((project) => [project['id'], project]))
  for (const entry of [...servers, ...ports, ...networks]) {
    const id = entry['project_id']
    if (id !== undefined && id !== '' && !known.has(id)) known.set(id, { id, name: id })
  }
  return [...known.values()]
}

function dumpOf(host: HostTexts, ports: readonly Entry[], hostOf: Map<string, string>, warnings: string[]): string {
  const bridges = parseVsctlShow(host.vsctl)
  if (bridges.length === 0) warnings.push(`host ${host.name}: no bridge in its ovs-vsctl show`)
  const shown = host.ofctl.flatMap(parseOfctlShow)
  for (const name of joinOfports(bridges, shown))
    warnings.push(`host ${host.name}: bridge ${name} of ovs-ofctl show is not in ovs-vsctl show`)
  const without = bridges
    .filter((bridge) => !shown.some((one) => one.bridge === bridge.name))
    .map((bridge) => bridge.name)
  if (without.length > 0) {
    warnings.push(
      `host ${host.name}: no port numbers of ${without.join(', ')}: NetFlow of them cannot be told to ports; add ovs-ofctl show`,
    )
  }
  return writeDump(host.name, bridges, (name) => {
    const prefix = PORT_NAME.exec(name)?.[1]
    const found = prefix === undefined ? [] : ports.filter((port) => idOf(port).startsWith(prefix))
    if (found.length > 1)
      warnings.push(`host ${host.name}: ${name} could be ${found.map((port) => idOf(port)).join(' or ')}`)
    if (found.length !== 1) return ''
    const id = idOf(found[0]!)
    hostOf.set(id, host.name)
    return id
  })
}
