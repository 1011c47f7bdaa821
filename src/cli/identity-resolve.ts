/** One made-up record through real attribution: which key leads where, and why. */
import { Attributor } from '../attribute/attributor.ts'
import { AppError } from '../errors.ts'
import { parseIp, parseMac } from '../identity/addresses.ts'
import type { HostEntry } from '../identity/cloud.ts'
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import { FlowBatch, setTime } from '../schema/batch.ts'
import type { ColumnName } from '../schema/columns.ts'
import { ENUMS, enumCodes, enumValues, type EnumName } from '../schema/enums.ts'
import { parseTime } from '../query/times.ts'

/** Options of `identity resolve`, as typed. */
export interface ResolveOptions {
  host?: string
  exporter?: string
  ofport?: string
  ifindex?: string
  ifname?: string
  egressIfname?: string
  engine?: string
  src?: string
  dst?: string
  srcMac?: string
  dstMac?: string
  vlan?: string
  vni?: string
  at?: string
}

/** Their names in the API. */
export const RESOLVE_OPTIONS = {
  host: 'host',
  exporter: 'exporter',
  ofport: 'ofport',
  ifindex: 'ifindex',
  ifname: 'ifname',
  egressIfname: 'egress_ifname',
  engine: 'engine',
  src: 'src',
  dst: 'dst',
  srcMac: 'src_mac',
  dstMac: 'dst_mac',
  vlan: 'vlan',
  vni: 'vni',
  at: 'at',
} as const satisfies Record<keyof ResolveOptions, string>

export interface ResolvedEnd {
  end: string
  kind: string
  project: string
  network: string
  server: string
  port_id: string
  host: string
  grade: string
  evidence: string
  candidates: string
  why: string
}

/** What a record is resolved by; the hosts give an exporter's address by its name. */
export interface Resolving {
  hosts: readonly Pick<HostEntry, 'name' | 'addresses'>[]
  snapshot: IdentitySnapshot
}

const PROTOCOL = enumCodes('export_protocol')
const DIRECTION = enumCodes('flow_direction')
const TUNNEL = enumCodes('tunnel_type')
const ENDS = { src: 'source', dst: 'destination' } as const

/**
 * Both ends of the record that the options describe, and how it would count. An `--ofport` makes it a NetFlow record, an
 * `--ifindex` an sFlow sample, interface names an IPFIX record. Errors: usage, each fault at once.
 */
export function resolveRecord(
  { hosts, snapshot }: Resolving,
  options: ResolveOptions,
  nowMs: number,
): { ends: ResolvedEnd[]; record: Record<string, string> } {
  const batch = new FlowBatch(64)
  fill(batch, hosts, options, nowMs)
  new Attributor().attribute(batch, snapshot)
  const text = (name: ColumnName) => batch.strings.values[batch.columns[name][0] ?? 0] ?? ''
  const word = (name: ColumnName, of: EnumName) => enumValues(of)[batch.columns[name][0] ?? 0] ?? ''
  const ends = (['src', 'dst'] as const).map((side): ResolvedEnd => {
    const evidence = word(`${side}_evidence`, 'evidence')
    return {
      end: ENDS[side],
      kind: word(`${side}_kind`, 'end_kind'),
      project: text(`${side}_project`),
      network: text(`${side}_network`),
      server: text(`${side}_server`),
      port_id: text(`${side}_port_id`),
      host: text(`${side}_host`),
      grade: word(`${side}_grade`, 'grade'),
      evidence,
      candidates: String(batch.columns[`${side}_candidates`][0] ?? 0),
      why: ENUMS.evidence[evidence as keyof typeof ENUMS.evidence],
    }
  })
  const record = {
    exporter_host: text('exporter_host'),
    bridge: text('bridge'),
    in_if_name: text('in_if_name'),
    role: word('role', 'role'),
    traffic_class: word('traffic_class', 'traffic_class'),
    counts: ['sent', 'received', 'once'].filter((what) => batch.columns[`counts_${what as 'sent'}`][0] === 1).join(' '),
  }
  return { ends, record }
}

function fill(batch: FlowBatch, hosts: Resolving['hosts'], options: ResolveOptions, nowMs: number): void {
  const faults: string[] = []
  const { columns: c, strings } = batch
  const address = (text: string | undefined, to: 'exporter' | 'src_addr' | 'dst_addr', option: string) => {
    if (text === undefined) return
    const lanes = parseIp(text)
    if (lanes === undefined) faults.push(`--${option} ${text} is not an IP address`)
    else c[to].set(lanes.map((lane) => lane >>> 0))
    if (lanes !== undefined && to !== 'exporter') {
      c.ip_version[0] = text.includes(':') ? 6 : 4
      c.ether_type[0] = text.includes(':') ? 0x86dd : 0x0800
    }
  }
  const number = (
    text: string | undefined,
    to: 'in_if' | 'vlan' | 'tunnel_key' | 'observation_domain',
    option: string,
  ) => {
    if (text === undefined) return
    if (/^\d{1,9}$/.test(text)) c[to][0] = Number(text)
    else faults.push(`--${option} ${text} is not a number`)
  }
  const mac = (text: string | undefined, to: 'src_mac' | 'dst_mac', option: string) => {
    if (text === undefined) return
    const parsed = parseMac(text)
    if (parsed === undefined) faults.push(`--${option} ${text} is not a MAC address`)
    else c[to].set([parsed.low >>> 0, parsed.high])
  }
  const host = hosts.find((one) => one.name === options.host)
  if (options.host !== undefined && host === undefined) {
    faults.push(`there is no host ${options.host}; known are ${hosts.map((one) => one.name).join(', ') || 'none'}`)
  }
  address(options.exporter ?? host?.addresses[0], 'exporter', 'exporter')
  address(options.src, 'src_addr', 'src')
  address(options.dst, 'dst_addr', 'dst')
  mac(options.srcMac, 'src_mac', 'src-mac')
  mac(options.dstMac, 'dst_mac', 'dst-mac')
  number(options.ofport ?? options.ifindex, 'in_if', options.ofport === undefined ? 'ifindex' : 'ofport')
  number(options.engine, 'observation_domain', 'engine')
  number(options.vlan, 'vlan', 'vlan')
  number(options.vni, 'tunnel_key', 'vni')
  const at = options.at === undefined ? nowMs : parseTime(options.at, nowMs)
  if (at === undefined) faults.push(`--at ${options.at} is not a time`)
  if (faults.length > 0) throw new AppError('usage', faults[0]!, { details: faults.slice(1) })

  c.export_protocol[0] =
    options.ofport !== undefined ? PROTOCOL.netflow5 : options.ifindex !== undefined ? PROTOCOL.sflow5 : PROTOCOL.ipfix
  c.flow_direction[0] = options.egressIfname === undefined ? DIRECTION.ingress : DIRECTION.egress
  if (options.vni !== undefined) c.tunnel_type[0] = TUNNEL.vxlan
  if (options.ifname !== undefined) c.in_if_name[0] = strings.intern(options.ifname)
  if (options.egressIfname !== undefined) c.out_if_name[0] = strings.intern(options.egressIfname)
  for (const time of ['flow_end', 'flow_start', 'time_received'] as const) setTime(c[time], 0, at!)
  batch.rows = 1
}
