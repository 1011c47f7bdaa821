import { isIPv6 } from 'node:net'
import { AppError } from '../errors.ts'
import type { CloudModel, Port } from '../identity/cloud.ts'
import type { OvsBridge, OvsHost } from '../identity/sources/ovsdb/host.ts'

/**
 * The ovs-vsctl lines that make a host export to ovsight, and those that undo them. Each line is one transaction, quoted for a POSIX
 * shell. What the line of an export sets takes the place of what was there, so it may be run again.
 */
export interface SetupOptions {
  /** Address of the collector, as the host reaches it. */
  readonly collector: string
  readonly sampling: number
  /** How long a flow is gathered before it is exported, seconds. */
  readonly activeTimeoutS: number
  readonly templateIntervalS: number
  /** Bytes of each sampled packet (sFlow). */
  readonly header: number
  /** How often counters are sent (sFlow), seconds. */
  readonly pollingS: number
  readonly ports: { readonly netflow: number; readonly ipfix: number; readonly sflow: number; readonly vxlan: number }
}

/** One thing to set up. */
export interface SetupLine {
  readonly host: string
  readonly bridge: string
  readonly kind: SetupKind
  /** What it does and what to know of it. */
  readonly about: string
  readonly set: string
  readonly undo: string
}

export const EXPORTS = ['ipfix', 'netflow', 'sflow'] as const
export const MIRRORS = ['gre', 'vxlan'] as const
export type SetupKind = (typeof EXPORTS)[number] | (typeof MIRRORS)[number]

/** Lines of one export on every bridge of a host, or on those named. Errors: usage when the host has no such bridge. */
export function exportLines(
  host: string,
  ovs: OvsHost,
  kind: (typeof EXPORTS)[number],
  bridges: readonly string[],
  options: SetupOptions,
): SetupLine[] {
  const names = ovs.bridges.map(({ name }) => name)
  const unknown = bridges.find((bridge) => !names.includes(bridge))
  if (unknown !== undefined) throw new AppError('usage', `${host} has no bridge ${unknown}; it has ${names.join(', ')}`)
  // Numbered over all bridges of the host, so that a bridge keeps its number whichever are asked for.
  return names.toSorted().flatMap((name, i) => {
    if (bridges.length > 0 && !bridges.includes(name)) return []
    const { about, record, column } = EXPORT_LINES[kind](options, ovs, i + 1)
    return [
      {
        host,
        bridge: name,
        kind,
        about,
        set: `ovs-vsctl -- --id=@e create ${record} -- set Bridge ${shell(name)} ${column}=@e`,
        undo: `ovs-vsctl -- clear Bridge ${shell(name)} ${column}`,
      },
    ]
  })
}

interface ExportLine {
  about: string
  record: string
  column: string
}

const EXPORT_LINES: Readonly<
  Record<(typeof EXPORTS)[number], (options: SetupOptions, ovs: OvsHost, number: number) => ExportLine>
> = {
  netflow: ({ collector, ports, activeTimeoutS }, _, number) => ({
    // All bridges of a host have the same engine ids otherwise, and their sequence numbers cannot be told apart.
    about: `NetFlow v5 of IPv4, unsampled; engine_id ${number} tells the bridge`,
    record: `NetFlow targets=${target(collector, ports.netflow)} engine_type=0 engine_id=${number} active_timeout=${activeTimeoutS} add_id_to_interface=false`,
    column: 'netflow',
  }),
  ipfix: ({ collector, ports, sampling, activeTimeoutS, templateIntervalS }, { ovsVersion }, number) => {
    const recent = atLeast(ovsVersion, 3, 2)
    const interval = recent ? ` template_interval=${templateIntervalS}` : ''
    return {
      about: recent
        ? `IPFIX, 1 in ${sampling}; templates every ${templateIntervalS} s`
        : `IPFIX, 1 in ${sampling}; Open vSwitch ${ovsVersion || 'of unknown version'} sends templates every 600 s (template_interval is of 3.2)`,
      record: `IPFIX targets=${target(collector, ports.ipfix)} sampling=${sampling} obs_domain_id=${number} obs_point_id=${number} cache_active_timeout=${activeTimeoutS} cache_max_flows=65535${interval} other_config:enable-tunnel-sampling=true`,
      column: 'ipfix',
    }
  },
  sflow: ({ collector, ports, sampling, header, pollingS }) => ({
    about: `sFlow, 1 in ${sampling}, ${header} bytes of each; counters every ${pollingS} s`,
    record: `sFlow targets=${target(collector, ports.sflow)} sampling=${sampling} header=${header} polling=${pollingS}`,
    column: 'sflow',
  }),
}

/**
 * Lines that mirror every port of one server, on the bridge where the host has it. Errors: usage when no host's OVSDB has a port of it,
 * name_ambiguous.
 */
export function mirrorLines(
  cloud: CloudModel,
  hosts: readonly string[],
  server: string,
  kind: (typeof MIRRORS)[number],
  options: SetupOptions,
): SetupLine[] {
  const ports = portsOf(cloud, server)
  const places = hosts.flatMap((host) =>
    (cloud.ovs.get(host)?.bridges ?? []).flatMap((bridge) =>
      ports.flatMap((port) => {
        const device = deviceOf(bridge, port)
        return device === undefined ? [] : [{ host, bridge, port, device }]
      }),
    ),
  )
  if (places.length === 0)
    throw new AppError('usage', `no port of ${server} is plugged on ${hosts.join(', ')}, as far as their OVSDB tells`)
  return places.map(({ host, bridge, port, device }, i) => {
    const key = freeKeys(cloud.ovs.get(host)!, i + 1)[i]!
    return mirrorLine(host, bridge.name, port.id, device, kind, key, options)
  })
}

function mirrorLine(
  host: string,
  bridge: string,
  portId: string,
  device: string,
  kind: (typeof MIRRORS)[number],
  key: number,
  { collector, ports }: SetupOptions,
): SetupLine {
  // A device's name has at most 15 characters.
  const output = `ovsm-${portId.slice(0, 10)}`
  const more = kind === 'vxlan' ? ` options:dst_port=${ports.vxlan}` : ''
  const name = `ovsight-${portId.slice(0, 10)}`
  return {
    host,
    bridge,
    kind,
    about: `every frame of ${device} through ${kind.toUpperCase()}, key ${key}; the copies go over the network unsampled, and NetFlow and sFlow of this bridge no longer tell the output of mirrored packets`,
    set:
      `ovs-vsctl -- add-port ${shell(bridge)} ${output} -- set Interface ${output} type=${kind} options:remote_ip=${shell(collector)} options:key=${key}${more} ` +
      `-- --id=@p get Port ${shell(device)} -- --id=@o get Port ${output} ` +
      `-- --id=@m create Mirror name=${name} select_src_port=@p select_dst_port=@p output_port=@o -- add Bridge ${shell(bridge)} mirrors @m`,
    undo: `ovs-vsctl -- --id=@m get Mirror ${name} -- remove Bridge ${shell(bridge)} mirrors @m -- --if-exists del-port ${shell(bridge)} ${output}`,
  }
}

/** Ports of the server, by name or id. */
function portsOf({ servers, projects, ports }: CloudModel, wanted: string): Port[] {
  const found = servers.filter(({ id, name }) => id === wanted || name === wanted)
  if (found.length === 0) throw new AppError('usage', `no server is called ${JSON.stringify(wanted)}`)
  if (found.length > 1)
    throw new AppError('name_ambiguous', `${found.length} servers are called ${JSON.stringify(wanted)}; write the id`, {
      details: found.map(({ id, tenant_id: project }) => {
        const name = projects.find((one) => one.id === project)?.name ?? project
        return `server ${id}   of project ${name}`
      }),
    })
  return ports.filter((port) => port.device_id === found[0]!.id)
}

/** Name of the port on the bridge that is the Neutron port: what the agent wrote down, else the name that Neutron gives. */
function deviceOf(bridge: OvsBridge, { id }: Port): string | undefined {
  const device = `tap${id.slice(0, 11)}`
  return bridge.ports.find(
    ({ name, interfaces }) =>
      name === device || interfaces.some(({ externalIds }) => externalIds.get('iface-id') === id),
  )?.name
}

/** Keys of tunnels that no interface of the host has yet. */
function freeKeys({ bridges }: OvsHost, count: number): number[] {
  const used = new Set(
    bridges.flatMap(({ ports }) =>
      ports.flatMap(({ interfaces }) => interfaces.map(({ options }) => options.get('key'))),
    ),
  )
  const keys: number[] = []
  for (let key = 1001; keys.length < count; key++) if (!used.has(String(key))) keys.push(key)
  return keys
}

/** A target as a string of OVSDB in a shell's quotes: it has a colon. */
function target(address: string, port: number): string {
  return `'"${isIPv6(address) ? `[${address}]` : address}:${port}"'`
}

/** A word that a shell and ovs-vsctl take as it is; anything else in a shell's quotes, and in a string of OVSDB. */
export function shell(word: string): string {
  if (/^[A-Za-z0-9_.-]+$/.test(word)) return word
  return `'${JSON.stringify(word).replaceAll("'", `'\\''`)}'`
}

function atLeast(version: string, major: number, minor: number): boolean {
  const [, a, b] = /^(\d+)\.(\d+)/.exec(version) ?? []
  return a !== undefined && (Number(a) > major || (Number(a) === major && Number(b) >= minor))
}
