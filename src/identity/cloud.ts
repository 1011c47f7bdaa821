/**
 * What is known of the cloud, in the words of the APIs: keys are the field names of Keystone, Neutron and Nova, so one
 * description serves saved API answers, hand-written files and live sources alike. Fields that are not listed are ignored:
 * an API answer holds many more.
 */
import { z } from 'zod'
import { parseCidr, parseIp, parseMac } from './addresses.ts'
import type { SectionName } from './sections.ts'
import type { OvsHost } from './sources/ovsdb/host.ts'

/** Neutron and Nova say "none" as null, as "" and by leaving the key out; here it is always "". */
const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '')
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false)
const integer = z
  .number()
  .int()
  .nullish()
  .transform((value) => value ?? undefined)
const id = z.string().min(1, 'must not be empty')
const address = z.string().refine((value) => parseIp(value) !== undefined, 'is not an IP address')
const optionalAddress = text.refine((value) => value === '' || parseIp(value) !== undefined, 'is not an IP address')
const range = z.string().refine((value) => parseCidr(value) !== undefined, 'is not an address range (CIDR)')
const mac = z.string().refine((value) => parseMac(value) !== undefined, 'is not a MAC address')
const optionalMac = text.refine((value) => value === '' || parseMac(value) !== undefined, 'is not a MAC address')
const listOf = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .nullish()
    .transform((value) => value ?? [])

/** `hosts` is ovsight's own section, so a key it does not know is a mistake. */
const host = z.strictObject({
  name: id,
  addresses: listOf(address),
  ovsdb: z.string().min(1, 'must not be empty').optional(),
})

const project = z.object({ id, name: text, domain_id: text })
const segment = z.object({
  network_id: text,
  network_type: text,
  physical_network: text,
  segmentation_id: integer,
})
const network = z.object({
  id,
  name: text,
  project_id: text,
  shared: flag,
  'router:external': flag,
  'provider:network_type': text,
  'provider:physical_network': text,
  'provider:segmentation_id': integer,
  segments: listOf(
    z.object({
      'provider:network_type': text,
      'provider:physical_network': text,
      'provider:segmentation_id': integer,
    }),
  ),
})
const subnet = z.object({ id, network_id: id, cidr: range, gateway_ip: optionalAddress, name: text, project_id: text })
const fixedIp = z.object({ subnet_id: text, ip_address: address })
const port = z.object({
  id,
  name: text,
  network_id: id,
  project_id: text,
  mac_address: mac,
  device_id: text,
  device_owner: text,
  'binding:host_id': text,
  'binding:vnic_type': text,
  fixed_ips: listOf(fixedIp),
  allowed_address_pairs: listOf(z.object({ ip_address: range, mac_address: optionalMac })),
  updated_at: z.string().nullish(),
})
const server = z.object({ id, name: text, tenant_id: text, 'OS-EXT-SRV-ATTR:host': text })
const router = z.object({
  id,
  name: text,
  project_id: text,
  distributed: flag,
  external_gateway_info: z
    .object({
      network_id: id,
      // Neutron leaves it out for those who may not see it; SNAT is on by default.
      enable_snat: z
        .boolean()
        .nullish()
        .transform((value) => value ?? true),
      external_fixed_ips: listOf(fixedIp),
    })
    .nullish()
    .transform((value) => value ?? undefined),
  routes: listOf(z.object({ destination: range, nexthop: address })),
})
const floatingIp = z.object({
  id,
  floating_ip_address: address,
  fixed_ip_address: optionalAddress,
  port_id: text,
  router_id: text,
  floating_network_id: id,
  project_id: text,
  updated_at: z.string().nullish(),
})
const trunk = z.object({
  id,
  name: text,
  port_id: id,
  sub_ports: listOf(z.object({ port_id: id, segmentation_type: text, segmentation_id: integer })),
})
const agent = z.object({
  host: id,
  agent_type: text,
  configurations: z
    .object({
      tunneling_ip: optionalAddress,
      bridge_mappings: z
        .record(z.string(), z.string())
        .nullish()
        .transform((value) => value ?? {}),
    })
    .nullish()
    .transform((value) => value ?? { tunneling_ip: '', bridge_mappings: {} }),
})

/** Keys of an entry of `hosts`. */
export const HOST_KEYS = Object.keys(host.shape)

/** Sections of an identity file; each may be left out. */
export const SECTIONS = {
  hosts: listOf(host),
  projects: listOf(project),
  networks: listOf(network),
  segments: listOf(segment),
  subnets: listOf(subnet),
  ports: listOf(port),
  servers: listOf(server),
  routers: listOf(router),
  floatingips: listOf(floatingIp),
  trunks: listOf(trunk),
  agents: listOf(agent),
} satisfies Record<SectionName, z.ZodType>

export type HostEntry = z.output<typeof host>
export type Project = z.output<typeof project>
export type Network = z.output<typeof network>
export type Segment = z.output<typeof segment>
export type Subnet = z.output<typeof subnet>
export type Port = z.output<typeof port>
export type Server = z.output<typeof server>
export type Router = z.output<typeof router>
export type FloatingIp = z.output<typeof floatingIp>
export type Trunk = z.output<typeof trunk>
export type Agent = z.output<typeof agent>

/**
 * Everything known of the cloud at one moment. `ovs` holds what each host's OVSDB says, by the host's name; a host without
 * an entry there is one whose bridges and ports are not known.
 */
export interface CloudModel {
  hosts: readonly HostEntry[]
  projects: readonly Project[]
  networks: readonly Network[]
  segments: readonly Segment[]
  subnets: readonly Subnet[]
  ports: readonly Port[]
  servers: readonly Server[]
  routers: readonly Router[]
  floatingips: readonly FloatingIp[]
  trunks: readonly Trunk[]
  agents: readonly Agent[]
  ovs: ReadonlyMap<string, OvsHost>
  /** Under OVN: tunnel key of a datapath → network id. */
  tunnelKeys?: ReadonlyMap<number, string>
}
