/**
 * THE table of lists read from the OpenStack APIs: where, which fields, and what of them only an admin sees.
 * Field names are kept as the APIs spell them; the identity file uses the same.
 */
import type { ServiceType } from './session.ts'

export interface ListFacts {
  service: ServiceType
  path: string
  /** Key of the array in the answer; `<key>_links` holds the paging links. */
  key: string
  query: Readonly<Record<string, string | readonly string[]>>
  headers?: Readonly<Record<string, string>>
  /** Fields that the API leaves out silently for whoever is not an admin. */
  adminFields?: readonly string[]
  /** An API extension: 404 means that the cloud does not have it. */
  extension?: true
  /**
   * Query parameter for what changed since a time (ISO 8601 with Z). Neutron knows it by its extension standard-attr-timestamp, and
   * refuses it all the same while `filter_validation` is on, which it is by default (neutron/api/api_common.py; seen on Zed): then
   * whole lists are read in its place.
   */
  changedSince?: string
}

// Nova refuses unknown parameters from 2.75 on; 2.1 would do for the fields, 2.3 adds the extended host attributes as one set.
const NOVA = { 'OpenStack-API-Version': 'compute 2.3', 'X-OpenStack-Nova-API-Version': '2.3' }
const PAGE = '1000'

function neutron(key: string, fields: readonly string[], more: Partial<ListFacts> = {}): ListFacts {
  return {
    service: 'network',
    path: `/${key}`,
    key,
    query: { limit: PAGE, fields },
    changedSince: 'changed_since',
    ...more,
  }
}

export const LISTS = {
  domains: { service: 'identity', path: '/domains', key: 'domains', query: {} },
  projects: { service: 'identity', path: '/projects', key: 'projects', query: {} },
  networks: neutron(
    'networks',
    ['id', 'name', 'project_id', 'shared', 'router:external', 'mtu', 'subnets', 'segments']
      .concat(['provider:network_type', 'provider:physical_network', 'provider:segmentation_id'])
      .concat(['updated_at']),
    { adminFields: ['provider:network_type', 'segments'] },
  ),
  subnets: neutron('subnets', [
    'id',
    'network_id',
    'name',
    'cidr',
    'gateway_ip',
    'ip_version',
    'project_id',
    'updated_at',
  ]),
  ports: neutron(
    'ports',
    [
      'id',
      'name',
      'project_id',
      'network_id',
      'mac_address',
      'fixed_ips',
      'allowed_address_pairs',
      'binding:vnic_type',
      'device_id',
      'device_owner',
    ]
      .concat([
        'status',
        'admin_state_up',
        'binding:host_id',
        'binding:vif_type',
        'binding:vif_details',
        'binding:vnic_type',
      ])
      .concat(['port_security_enabled', 'revision_number', 'updated_at']),
    { adminFields: ['binding:host_id'] },
  ),
  routers: neutron('routers', ['id', 'name', 'project_id', 'distributed', 'ha', 'external_gateway_info', 'updated_at']),
  floatingips: neutron(
    'floatingips',
    [
      'id',
      'floating_ip_address',
      'fixed_ip_address',
      'port_id',
      'router_id',
      'floating_network_id',
      'project_id',
      'status',
    ].concat(['updated_at']),
  ),
  trunks: neutron('trunks', ['id', 'name', 'project_id', 'port_id', 'sub_ports', 'updated_at'], { extension: true }),
  segments: neutron(
    'segments',
    ['id', 'network_id', 'network_type', 'physical_network', 'segmentation_id', 'updated_at'],
    {
      extension: true,
    },
  ),
  agents: { service: 'network', path: '/agents', key: 'agents', query: {} },
  servers: {
    service: 'compute',
    path: '/servers/detail',
    key: 'servers',
    query: { all_tenants: '1', limit: PAGE },
    headers: NOVA,
    changedSince: 'changes-since',
  },
} as const satisfies Record<string, ListFacts>

export type ListName = keyof typeof LISTS
export const LIST_NAMES = Object.keys(LISTS) as ListName[]

/** One entry of a list, as the API sent it. */
export type Entry = Readonly<Record<string, unknown>>

export function listFacts(name: ListName): ListFacts {
  return LISTS[name]
}
