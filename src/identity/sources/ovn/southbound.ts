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

export interface Southbound {
  sections: CloudSections
  /** Tunnel key of a datapath → network id; only of logical switches that are Neutron's networks. */
  tunnelKeys: ReadonlyMap<number, string>
}

const NETWORK_NAME = /^neutron-([0-9a-f-]{36})$/
const PORT_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Reads the tables. What is not Neutron's, or does not have the form, is left out: rows are filled in steps. */
export function readSouthbound(tables: OvsdbTables): Southbound {
  const hosts = new Map<string, { name: string; addresses: string[] }>()
  for (const [uuid, row] of tables.table('Chassis')) hosts.set(uuid, readChassis(tables, row))
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
  const ports = [...tables.table('Port_Binding').values()].flatMap((row) => readPort(row, networks, hosts))
  const empty = Object.fromEntries(Object.entries(SECTIONS).map(([name, schema]) => [name, schema.parse([])]))
  const sections = {
    ...empty,
    hosts: SECTIONS.hosts.parse([...hosts.values()].filter(({ name }) => name !== '')),
    networks: SECTIONS.networks.parse(named.map((network) => ({ ...network, 'provider:network_type': 'geneve' }))),
    ports,
  } as unknown as CloudSections
  return { sections, tunnelKeys }
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
