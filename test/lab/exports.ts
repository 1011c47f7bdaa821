/** Switches exports on bridges on and off, as an operator would with ovs-vsctl. */
import { COLLECTOR, NODES, type Node } from './cloud.ts'
import { appctl, hasColumn, vsctl } from './openvswitch.ts'

export const EXPORT_KINDS = ['netflow', 'ipfix', 'sflow'] as const
export type ExportKind = (typeof EXPORT_KINDS)[number]

export const COLLECTOR_PORTS: Readonly<Record<ExportKind, number>> = { netflow: 2055, ipfix: 4739, sflow: 6343 }

export interface ExportOptions {
  /** On these bridges of each node that has them; the kind is switched off on all others. */
  bridges: readonly string[]
  nodes: readonly string[]
  /** One in so many packets, IPFIX and sFlow. NetFlow in Open vSwitch counts every packet. */
  sampling: number
  /** NetFlow: seconds between records of one flow. */
  activeTimeout: number
  /** NetFlow: `default` leaves Open vSwitch's own, which is the same for all bridges of a node; else one id a bridge. */
  engine: 'default' | 'bridge'
  /** IPFIX: seconds; 0 sends each sample as a record of its own. */
  cacheTimeout: number
  cacheFlows: number
  /** IPFIX: seconds between templates, where this Open vSwitch knows the setting (3.2). */
  templateInterval: number | undefined
  /** sFlow: seconds between counter samples. */
  polling: number
  /** sFlow: bytes of each sampled packet. */
  header: number
}

/** Like the captures in pcaps/: unsampled where that is possible, short timeouts. */
export const EXPORT_DEFAULTS: ExportOptions = {
  bridges: ['br-int'],
  nodes: NODES.map((node) => node.name),
  sampling: 1,
  activeTimeout: 5,
  engine: 'bridge',
  cacheTimeout: 5,
  cacheFlows: 10_000,
  templateInterval: undefined,
  polling: 5,
  header: 128,
}

/** The order gives each bridge of a node its NetFlow engine id. */
const BRIDGES = ['br-int', 'br-tun', 'br-ex', 'br-phy']

const target = (kind: ExportKind): string => `targets="${COLLECTOR.address}:${COLLECTOR_PORTS[kind]}"`

/** What `ovs-vsctl create` gets for one bridge. */
const COLUMNS: Record<ExportKind, (node: Node, bridge: string, options: ExportOptions) => string[]> = {
  netflow: (_node, bridge, options) => [
    'NetFlow',
    `active_timeout=${options.activeTimeout}`,
    ...(options.engine === 'bridge' ? [`engine_id=${BRIDGES.indexOf(bridge) + 1}`] : []),
  ],
  ipfix: (node, bridge, options) => [
    'IPFIX',
    `sampling=${options.sampling}`,
    `obs_domain_id=${(NODES.indexOf(node) + 1) * 1000 + BRIDGES.indexOf(bridge)}`,
    'obs_point_id=1',
    `cache_active_timeout=${options.cacheTimeout}`,
    `cache_max_flows=${options.cacheFlows}`,
    ...(options.templateInterval !== undefined && hasColumn(node, 'IPFIX', 'template_interval')
      ? [`template_interval=${options.templateInterval}`]
      : []),
    'other_config:enable-tunnel-sampling=true',
    `other_config:virtual_obs_id=${node.name}/${bridge}`,
  ],
  sflow: (_node, _bridge, options) => [
    'sFlow',
    'agent=br-phy',
    `sampling=${options.sampling}`,
    `header=${options.header}`,
    `polling=${options.polling}`,
  ],
}

/**
 * Switch this kind on where `options` says and off everywhere else; returns when the switches have taken it up.
 *
 * It is off for a moment in between, so that the exporters begin anew: an IPFIX exporter whose options are the same, or in Open
 * vSwitch 3.1 merely changed, goes on as before, and its next templates may be ten minutes away.
 */
export function switchOn(kind: ExportKind, options: ExportOptions): void {
  switchOff(kind)
  for (const node of NODES) {
    if (!options.nodes.includes(node.name)) continue
    const commands = node.bridges
      .filter((bridge) => options.bridges.includes(bridge))
      .flatMap((bridge) => [
        ...['--', `--id=@${bridge}`, 'create', ...COLUMNS[kind](node, bridge, options), target(kind)],
        ...['--', 'set', 'Bridge', bridge, `${kind}=@${bridge}`],
      ])
    if (commands.length > 0) vsctl(node, ...commands)
    settleFlows(node)
  }
}

export function switchOff(kind: ExportKind): void {
  for (const node of NODES) {
    vsctl(node, ...node.bridges.flatMap((bridge) => ['--', 'clear', 'Bridge', bridge, kind]))
  }
}

/** Wait until every flow of the datapath has been translated anew: from then on all packets are exported as configured. */
const settleFlows = (node: Node): void => {
  appctl(node, 'revalidator/wait')
}

/** Remove all flows from the datapath; NetFlow sends what it has counted for them. */
export const endFlows = (node: Node): void => {
  appctl(node, 'revalidator/purge')
}

/** Where each kind is on: `ipfix: c0/br-int …`. */
export const exportsInForce = (): string[] =>
  EXPORT_KINDS.map((kind) => {
    const where = NODES.flatMap((node) =>
      node.bridges
        .filter((bridge) => vsctl(node, 'get', 'Bridge', bridge, kind).trim() !== '[]')
        .map((bridge) => `${node.name}/${bridge}`),
    )
    return `${kind}: ${where.join(' ') || 'off'}`
  })
