/** A small cloud as its sources tell it, and records resolved against it; for tests of the replica. */
import { Attributor } from '../../src/attribute/attributor.ts'
import { parseIp, parseMac } from '../../src/identity/addresses.ts'
import { SECTIONS } from '../../src/identity/cloud.ts'
import type { IdentitySnapshot } from '../../src/identity/snapshot/snapshot.ts'
import type { CloudNews } from '../../src/identity/replica/poller.ts'
import type { OvsHost, OvsPort } from '../../src/identity/sources/ovsdb/host.ts'
import type { CloudSections } from '../../src/identity/sources/openstack/model.ts'
import { FlowBatch, setTime, setU64 } from '../../src/schema/batch.ts'
import { enumCodes, enumValues } from '../../src/schema/enums.ts'

const PROTOCOL = enumCodes('export_protocol')
const DIRECTION = enumCodes('flow_direction')
const TUNNEL = enumCodes('tunnel_type')
export const HOST_ADDRESS: Readonly<Record<string, string>> = { c0: '10.0.0.10', c1: '10.0.0.11' }

type Given = { [S in keyof CloudSections]?: readonly object[] }

/** Sections with what is given; the rest is empty. */
export function sections(given: Given): CloudSections {
  return Object.fromEntries(
    Object.entries(SECTIONS).map(([name, schema]) => [name, schema.parse(given[name as keyof CloudSections] ?? [])]),
  ) as unknown as CloudSections
}

/** What a poll of the cloud brought. */
export function news(atMs: number, given: Given, more: Partial<CloudNews> = {}): CloudNews {
  return { whole: true, sections: sections(given), deletedServers: [], warnings: [], atMs, ...more }
}

export function network(id: string, more: object = {}): object {
  return { id, name: `net-${id}`, project_id: `p-${id}`, 'provider:network_type': 'vxlan', ...more }
}

export function subnet(networkId: string, cidr: string): object {
  return { id: `sub-${networkId}`, network_id: networkId, cidr }
}

export function port(id: string, networkId: string, address: string, mac: string, more: object = {}): object {
  return {
    id,
    network_id: networkId,
    project_id: `p-${networkId}`,
    mac_address: mac,
    device_id: `vm-${id}`,
    device_owner: 'compute:nova',
    'binding:host_id': 'c0',
    fixed_ips: [{ subnet_id: `sub-${networkId}`, ip_address: address }],
    ...more,
  }
}

export function server(portId: string): object {
  return { id: `vm-${portId}`, name: `server-${portId}`, tenant_id: 'p' }
}

export const HOSTS = Object.entries(HOST_ADDRESS).map(([name, address]) => ({ name, addresses: [address] }))

export interface Plug {
  name?: string
  ofport: number
  tag?: number
  network?: string
  iface?: string
  type?: string
  options?: Readonly<Record<string, string>>
}

/** A host whose one bridge exports NetFlow and IPFIX, with these ports. */
export function ovsHost(hostname: string, plugs: readonly Plug[], bridge = 'br-int'): OvsHost {
  const ports = plugs.map(({ name = '', ofport, tag, network: id, iface, type = '', options = {} }): OvsPort => {
    const device = name || `tap${iface}`
    const externalIds = new Map(iface === undefined ? [] : [['iface-id', iface]])
    return {
      name: device,
      tag,
      otherConfig: new Map(id === undefined ? [] : [['net_uuid', id]]),
      interfaces: [
        {
          name: device,
          ofport,
          ifIndex: 100 + ofport,
          type,
          options: new Map(Object.entries(options)),
          externalIds,
          macInUse: '',
        },
      ],
    }
  })
  const netflow = {
    targets: ['t'],
    engineType: undefined,
    engineId: undefined,
    activeTimeoutS: 60,
    addIdToInterface: false,
  }
  return {
    hostname,
    ovsVersion: '3.1.0',
    externalIds: new Map(),
    bridges: [
      {
        name: bridge,
        datapathId: '',
        datapathType: '',
        netflow,
        sflow: undefined,
        ipfix: undefined,
        mirrors: [],
        ports,
      },
    ],
  }
}

export interface TestRecord {
  atMs: number
  host?: string
  protocol?: 'netflow5' | 'ipfix' | 'sflow5'
  inIf?: number
  inName?: string
  /** Seen where it left, by this interface. */
  egress?: boolean
  outName?: string
  src?: string
  dst?: string
  srcMac?: string
  dstMac?: string
  outIf?: number
  vlan?: number
  vni?: number
  /** Type of the tunnel that `vni` is of; outer addresses. */
  tunnel?: 'vxlan' | 'geneve'
  tunnelSrc?: string
  tunnelDst?: string
}

/** One end as attribution wrote it. */
export interface ResolvedEnd {
  port: string
  server: string
  router: string
  project: string
  grade: string
  evidence: string
  candidates: number
}

/** What attribution says of a record: both ends, and how it counts. */
export interface Answer {
  src: ResolvedEnd
  dst: ResolvedEnd
  role: string
  counts: readonly number[]
  bridge: string
}

/** Both ends of a record, by a snapshot. */
export function resolve(snapshot: IdentitySnapshot, record: TestRecord): { src: ResolvedEnd; dst: ResolvedEnd } {
  const { src, dst } = answers(snapshot, [record])[0]!
  return { src, dst }
}

/** What is said of records, by a snapshot. */
export function answers(snapshot: IdentitySnapshot, records: readonly TestRecord[]): Answer[] {
  const batch = new FlowBatch(Math.max(64, records.length))
  for (const [row, record] of records.entries()) write(batch, row, record)
  batch.rows = records.length
  new Attributor().attribute(batch, snapshot)
  return records.map((_, row) => read(batch, row))
}

function write({ columns: c, strings }: FlowBatch, row: number, record: TestRecord): void {
  c.export_protocol[row] = PROTOCOL[record.protocol ?? 'netflow5']
  c.exporter.set(parseIp(HOST_ADDRESS[record.host ?? 'c0']!)!, row * 4)
  c.agent.set(c.exporter.subarray(row * 4, row * 4 + 4), row * 4)
  c.flow_direction[row] = record.egress === true ? DIRECTION.egress : DIRECTION.ingress
  setTime(c.flow_end, row, record.atMs)
  setU64(c.packets, row, 1)
  setU64(c.bytes, row, 100)
  c.in_if[row] = record.inIf ?? 0
  c.in_if_name[row] = strings.intern(record.inName ?? '')
  c.out_if_name[row] = strings.intern(record.outName ?? '')
  c.out_if[row] = record.outIf ?? 0
  if (record.src !== undefined) c.src_addr.set(parseIp(record.src)!, row * 4)
  if (record.dst !== undefined) c.dst_addr.set(parseIp(record.dst)!, row * 4)
  for (const [column, text] of [
    [c.src_mac, record.srcMac],
    [c.dst_mac, record.dstMac],
  ] as const) {
    const mac = parseMac(text ?? '')
    if (mac !== undefined) column.set([mac.low, mac.high], row * 2)
  }
  c.vlan[row] = record.vlan ?? 0
  if (record.vni !== undefined) {
    c.tunnel_type[row] = TUNNEL[record.tunnel ?? 'vxlan']
    c.tunnel_key[row] = record.vni
  }
  if (record.tunnelSrc !== undefined) c.tunnel_src_addr.set(parseIp(record.tunnelSrc)!, row * 4)
  if (record.tunnelDst !== undefined) c.tunnel_dst_addr.set(parseIp(record.tunnelDst)!, row * 4)
}

function read({ columns: c, strings }: FlowBatch, row: number): Answer {
  const grades = enumValues('grade')
  const evidence = enumValues('evidence')
  const end = (side: 'src' | 'dst'): ResolvedEnd => ({
    port: strings.values[c[`${side}_port_id`][row]!]!,
    server: strings.values[c[`${side}_server`][row]!]!,
    router: strings.values[c[`${side}_router_id`][row]!]!,
    project: strings.values[c[`${side}_project_id`][row]!]!,
    grade: grades[c[`${side}_grade`][row]!]!,
    evidence: evidence[c[`${side}_evidence`][row]!]!,
    candidates: c[`${side}_candidates`][row]!,
  })
  return {
    src: end('src'),
    dst: end('dst'),
    role: enumValues('role')[c.role[row]!]!,
    counts: [c.counts_sent[row]!, c.counts_received[row]!, c.counts_once[row]!],
    bridge: strings.values[c.bridge[row]!]!,
  }
}
