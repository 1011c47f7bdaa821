/** Copies all frames of one machine's port to the collector, encapsulated: an Open vSwitch mirror whose output is a tunnel. */
import { COLLECTOR, MACHINES, NODES, type Port } from './cloud.ts'
import { vsctl } from './openvswitch.ts'

export const MIRROR_TYPES = ['gre', 'erspan', 'vxlan'] as const
export type MirrorType = (typeof MIRROR_TYPES)[number]

/** The output port of a machine's mirror. */
const outputOf = (machine: string): string => `mirror-${machine}`
/** Open vSwitch's default, and where ovsight listens; the nodes' own tunnels use it too, but not towards the collector. */
export const MIRROR_VXLAN_PORT = 4789

const OPTIONS: Record<MirrorType, (key: number | undefined) => string[]> = {
  gre: (key) => (key === undefined ? [] : [`options:key=${key}`]),
  erspan: (key) => [`options:key=${key ?? 1}`, 'options:erspan_ver=1', 'options:erspan_idx=1'],
  vxlan: (key) => [`options:key=${key ?? 1}`],
}

const portOf = (machine: string): Port => {
  const found = MACHINES.find((each) => each.name === machine)
  if (found === undefined) throw new Error(`no machine ${machine}`)
  return found.port
}

/** Mirror what `machine` sends and receives, beside other mirrors; without a key GRE carries none, as in the captures. */
export function mirrorOn(machine: string, type: MirrorType = 'gre', key?: number): void {
  const { node, device } = portOf(machine)
  const output = outputOf(machine)
  vsctl(
    node,
    ...['--', '--id=@out', 'create', 'Port', `name=${output}`, 'interfaces=@tunnel'],
    ...['--', '--id=@tunnel', 'create', 'Interface', `name=${output}`, `type=${type}`],
    ...[`options:remote_ip=${COLLECTOR.address}`, ...OPTIONS[type](key)],
    ...['--', 'add', 'Bridge', 'br-int', 'ports', '@out'],
    ...['--', '--id=@port', 'get', 'Port', device],
    ...['--', '--id=@mirror', 'create', 'Mirror', `name=${machine}`],
    ...['select_src_port=@port', 'select_dst_port=@port', 'output_port=@out'],
    ...['--', 'add', 'Bridge', 'br-int', 'mirrors', '@mirror'],
  )
}

export function mirrorOff(): void {
  for (const node of NODES) {
    const outputs = MACHINES.flatMap(({ name }) => ['--', '--if-exists', 'del-port', 'br-int', outputOf(name)])
    vsctl(node, '--', 'clear', 'Bridge', 'br-int', 'mirrors', ...outputs)
  }
}

/** `mirror: c0/tap425fe781-d3` or `mirror: off`. */
export const mirrorInForce = (): string => {
  const where = NODES.filter((node) => vsctl(node, 'get', 'Bridge', 'br-int', 'mirrors').trim() !== '[]')
  return `mirror: ${where.map((node) => node.name).join(' ') || 'off'}`
}
