/**
 * OVN's southbound database (ovn-sb(5)) as a source: what Neutron's driver has written into it of ports, networks and hosts, and the keys
 * that stand in the tunnels.
 *
 *   Datapath_Binding  tunnel_key: the VNI of Geneve; external_ids name = neutron-<network id>, name2 = the network's name
 *   Port_Binding      logical_port = Neutron port id; mac = "MAC IP…"; datapath; chassis; external_ids neutron:*
 *   Chassis, Encap    hostname, and the tunnel addresses of it
 */
import { SECTIONS } from '../../cloud.ts'
import type { CloudSections } from '../openstack/model.ts'
import type { OvsdbTables } from '../ovsdb/tables.ts'
import { mapOf, numberOf, setOf, textOf, textsOf, uuidOf, uuidsOf, type Row } from '../ovsdb/values.ts'

/** What is monitored, see monitor.ts. */
export const SOUTHBOUND = {
  name: 'OVN_Southbound',
  needs: 'Port_Binding',
  tables: {
    Datapath_Binding: ['tunnel_key', 'external_ids'],
    Port_Binding: ['logical_port', 'type', 'mac', 'datapath', 'chassis', 'external_ids'],
    Chassis: ['name', 'hostname', 'encaps'],
    Encap: ['ip', 'type'],
  },
} as const

/** What the database says, or what of it has changed. */
export interface Southbound {
  /** Whether `sections` is all there is. */
  whole: boolean
  sections: CloudSections
  /** Ports that are gone; only where `whole` is not so. */
  gonePorts: readonly string[]
  /** Tunnel key of a datapath → network id; only of logical switches that are Neutron's networks. Always whole. */
  tunnelKeys: ReadonlyMap<number, string>
  /** How much there is in all. */
  counts: { ports: number; networks: number; hosts: number }
}

const NETWORK_NAME = /^neutron-([0-9a-f-]{36})$/
const PORT_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const NONE: ReadonlySet<string> = new Set()

/**
 * Reads the tables, and after the first time of the ports only what has changed: they are nearly all of it, and change all the time. A
 * change of networks or hosts, which are few, is read whole. What is not Neutron's, or does not have the form, is left out: rows are
 * filled in steps.
 */
export class SouthboundReader {
  private tables: OvsdbTables | undefined
  private networks: ReadonlyMap<string, string> = new Map()
  private tunnelKeys: ReadonlyMap<number, string> = new Map()
  private hosts: ReadonlyMap<string, { name: string; addresses: string[] }> = new Map()
  /** Row → port that it is. */
  private readonly portOf = new Map<string, string>()
  private counts = { ports: 0, networks: 0, hosts: 0 }

  /** What is new since the last call; all of it at the first, and after a reconnect, which brings other tables. */
  read(tables: OvsdbTables): Southbound {
    const touched = tables.takeTouched()
    const same = this.tables === tables && touched !== undefined
    this.tables = tables
    const ports = touched?.get('Port_Binding') ?? NONE
    const others = [...(touched?.keys() ?? [])].some((table) => table !== 'Port_Binding')
    return same && !others ? this.readPorts(tables, ports) : this.readAll(tables)
  }

  private readAll(tables: OvsdbTables): Southbound {
    this.hosts = new Map([...tables.table('Chassis')].map(([uuid, row]) => [uuid, readChassis(tables, row)]))
    const { networks, tunnelKeys, named } = readDatapaths(tables)
    this.networks = networks
    this.tunnelKeys = tunnelKeys
    this.portOf.clear()
    const ports = [...tables.table('Port_Binding')].flatMap(([uuid, row]) => this.readOne(uuid, row))
    const hosts = SECTIONS.hosts.parse([...this.hosts.values()].filter(({ name }) => name !== ''))
    const known = SECTIONS.networks.parse(named.map((network) => ({ ...network, 'provider:network_type': 'geneve' })))
    this.counts = { ports: this.portOf.size, networks: known.length, hosts: hosts.length }
    return this.news(true, { ...noSections(), hosts, networks: known, ports }, [])
  }

  private readPorts(tables: OvsdbTables, touched: ReadonlySet<string>): Southbound {
    const before = [...touched].flatMap((uuid) => this.portOf.get(uuid) ?? [])
    for (const uuid of touched) this.portOf.delete(uuid)
    const rows = tables.table('Port_Binding')
    const ports = [...touched].flatMap((uuid) => {
      const row = rows.get(uuid)
      return row === undefined ? [] : this.readOne(uuid, row)
    })
    this.counts.ports = this.portOf.size
    const still = new Set(ports.map(({ id }) => id))
    return this.news(
      false,
      { ...noSections(), ports },
      before.filter((id) => !still.has(id)),
    )
  }

  private readOne(uuid: string, row: Row): CloudSections['ports'][number][] {
    const port = readPort(row, this.networks, this.hosts)
    for (const { id } of port) this.portOf.set(uuid, id)
    return port
  }

  private news(whole: boolean, sections: CloudSections, gonePorts: readonly string[]): Southbound {
    return { whole, sections, gonePorts, tunnelKeys: this.tunnelKeys, counts: { ...this.counts } }
  }
}

function noSections(): CloudSections {
  return Object.fromEntries(Object.keys(SECTIONS).map((name) => [name, []])) as unknown as CloudSections
}

function readDatapaths(tables: OvsdbTables): {
  networks: Map<string, string>
  tunnelKeys: Map<number, string>
  named: { id: string; name: string }[]
} {
  const networks = new Map<string, string>()
  const tunnelKeys = new Map<number, string>()
  const named: { id: string; name: string }[] = []
  for (const [uuid, row] of tables.table('Datapath_Binding')) {
    const external = mapOf(row['external_ids'])
    const [, id] = NETWORK_NAME.exec(external.get('name') ?? '') ?? []
    if (id === undefined) continue
    networks.set(uuid, id)
    named.push({ id, name: external.get('name2') ?? '' })
    const key = numberOf(row['tunnel_key'])
    if (key !== undefined) tunnelKeys.set(key, id)
  }
  return { networks, tunnelKeys, named }
}

function readChassis(tables: OvsdbTables, row: Row): { name: string; addresses: string[] } {
  const addresses = uuidsOf(row['encaps']).map((uuid) => textOf(tables.table('Encap').get(uuid)?.['ip']))
  return { name: textOf(row['hostname']), addresses: [...new Set(addresses.filter((ip) => ip !== ''))] }
}

/** None or one; a router's port has "router" in place of its addresses, which Neutron's driver has noted beside. */
function readPort(
  row: Row,
  networks: ReadonlyMap<string, string>,
  hosts: ReadonlyMap<string, { name: string }>,
): CloudSections['ports'][number][] {
  const id = textOf(row['logical_port'])
  const network = networks.get(uuidOf(row['datapath']))
  if (!PORT_ID.test(id) || network === undefined) return []
  const external = mapOf(row['external_ids'])
  const [mac = '', ...ips] = (textsOf(setOf(row['mac'])[0])[0] ?? '').split(' ')
  const noted = (external.get('neutron:cidrs') ?? '').split(' ').map((cidr) => cidr.split('/')[0] ?? '')
  const addresses = (ips.length > 0 ? ips : noted).filter((ip) => ip !== '')
  const parsed = SECTIONS.ports.safeParse([
    {
      id,
      name: external.get('neutron:port_name') ?? '',
      network_id: network,
      project_id: external.get('neutron:project_id') ?? '',
      mac_address: mac,
      device_id: external.get('neutron:device_id') ?? '',
      device_owner: external.get('neutron:device_owner') ?? '',
      'binding:host_id': hosts.get(uuidOf(row['chassis']))?.name ?? '',
      fixed_ips: addresses.map((ip_address) => ({ subnet_id: '', ip_address })),
    },
  ])
  return parsed.success ? [...parsed.data] : []
}
