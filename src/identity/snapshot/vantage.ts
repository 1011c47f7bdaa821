/**
 * Where records are observed: bridges and interfaces of the hosts, and what each bridge exports, as structs of arrays.
 * Index 0 is "not known" in each.
 */

/** What reports the traffic of an interface; bits. A mirror covers the ports it selects, all others the whole bridge. */
export const REPORTS = {
  ipfix_ingress: 1,
  ipfix_egress: 2,
  netflow: 4,
  sflow: 8,
  mirror_source: 16,
  mirror_destination: 32,
} as const

/** What an interface of a bridge is. */
export const INTERFACE_KINDS = {
  unknown: 'a device that the model does not know',
  port: 'a Neutron port of a server, or another port that is an end',
  router: 'an internal port of a router (qr-, sg-, ha-)',
  gateway: 'an outer port of a router (qg-, fg-)',
  dhcp: 'a DHCP or metadata port',
  tunnel: 'a tunnel to another host',
  patch: 'a patch to another bridge',
  local: "the host's own: the bridge's internal port, or another one",
  uplink: 'a physical device, or one towards the outside',
  mirror_output: 'the output port of a mirror',
} as const
export type InterfaceKind = keyof typeof INTERFACE_KINDS
export const IF_KIND = Object.fromEntries(Object.keys(INTERFACE_KINDS).map((name, code) => [name, code])) as Readonly<
  Record<InterfaceKind, number>
>

export interface InterfaceFacts {
  name: string
  bridge: number
  host: number
  kind: InterfaceKind
  endpoint: number
  network: number
  ofport: number
  ifIndex: number
  /** Host at the other end of a tunnel, 0 when not known. */
  remoteHost: number
  /** Bytes a packet that leaves by this tunnel grows by, 0 when it is no tunnel. */
  overhead: number
  reports: number
  fromMs: number
  toMs: number
}

export interface Interfaces {
  readonly count: number
  readonly name: readonly string[]
  readonly bridge: Uint32Array
  readonly host: Uint32Array
  readonly kind: Uint8Array
  readonly endpoint: Uint32Array
  readonly network: Uint32Array
  readonly ofport: Uint32Array
  readonly remoteHost: Uint32Array
  readonly reports: Uint8Array
  readonly fromMs: Float64Array
  readonly toMs: Float64Array
}

/** What a bridge exports, as its OVSDB says. */
export interface Bridge {
  readonly name: string
  readonly host: number
  /** The userspace datapath, whose NetFlow counts the outer header of native tunnels. */
  readonly userspace: boolean
  readonly netflow: { engineType: number; engineId: number; addId: boolean } | undefined
  readonly ipfix: { domain: number; point: number; virtualObsId: string; rate: number } | undefined
}

export interface Mirror {
  readonly name: string
  readonly host: number
  readonly bridge: number
  /** Key of the tunnel the copies leave by: GRE key, ERSPAN session, VNI; 0 = none. */
  readonly key: number
  readonly selectAll: boolean
  readonly source: ReadonlySet<number>
  readonly destination: ReadonlySet<number>
  /** The interface, when exactly one is selected, else 0. */
  readonly only: number
}

export interface Host {
  readonly name: string
  readonly endpoint: number
  /** Whether its OVSDB has been read. */
  readonly ovs: boolean
  /** Under OVN a VNI is a datapath's tunnel key, not a network's segmentation id. */
  readonly ovn: boolean
  readonly bridges: readonly number[]
  readonly netflowBridges: readonly number[]
  readonly mirrors: readonly number[]
  /** Whether a router has a port here, so that a tunnel brings packets for addresses elsewhere. */
  readonly routers: boolean
  /** REPORTS of the bridge that holds this host's servers, for a port that is not plugged yet. */
  readonly reports: number
  /** Bytes that a tunnel to each other host adds, by host. */
  readonly tunnels: ReadonlyMap<number, number>
}

export function buildInterfaces(facts: readonly InterfaceFacts[]): Interfaces {
  const u32 = (value: (fact: InterfaceFacts) => number) => Uint32Array.from(facts, value)
  return {
    count: facts.length,
    name: facts.map((fact) => fact.name),
    bridge: u32((fact) => fact.bridge),
    host: u32((fact) => fact.host),
    kind: Uint8Array.from(facts, (fact) => IF_KIND[fact.kind]),
    endpoint: u32((fact) => fact.endpoint),
    network: u32((fact) => fact.network),
    ofport: u32((fact) => fact.ofport),
    remoteHost: u32((fact) => fact.remoteHost),
    reports: Uint8Array.from(facts, (fact) => fact.reports),
    fromMs: Float64Array.from(facts, (fact) => fact.fromMs),
    toMs: Float64Array.from(facts, (fact) => fact.toMs),
  }
}
