/**
 * What lab guides show of Open vSwitch: the text of `ovs-vsctl show` (bridges, ports, tags, interface types and options) and of
 * `ovs-ofctl show BRIDGE` (OpenFlow port numbers, datapath id), to the tables of a saved OVSDB dump.
 *
 * Neither text carries external_ids, so the Neutron port of an interface is told by its name, which holds the first eleven
 * characters of the port's id; netmasks, ifIndexes and exporters' settings are not in them.
 */
import { createHash } from 'node:crypto'

export interface TextInterface {
  name: string
  type: string
  options: ReadonlyMap<string, string>
  ofport: number | undefined
}

export interface TextPort {
  name: string
  tag: number | undefined
  interfaces: TextInterface[]
}

export interface TextBridge {
  name: string
  datapathType: string
  datapathId: string
  ports: TextPort[]
}

/** Bridges of one host from `ovs-vsctl show`. Lines that are not understood are passed over. */
export function parseVsctlShow(text: string): TextBridge[] {
  const bridges: TextBridge[] = []
  let bridge: TextBridge | undefined
  let port: TextPort | undefined
  let device: TextInterface | undefined
  for (const line of text.split('\n')) {
    const match = /^\s*(Bridge|Port|Interface|tag:|type:|options:|datapath_type:)\s+(.*?)\s*$/.exec(line)
    if (match === null) continue
    const [, key, raw] = match as unknown as [string, string, string]
    const value = unquote(raw)
    if (key === 'Bridge') bridges.push((bridge = { name: value, datapathType: '', datapathId: '', ports: [] }))
    else if (key === 'Port') bridge?.ports.push((port = { name: value, tag: undefined, interfaces: [] }))
    else if (key === 'Interface')
      port?.interfaces.push((device = { name: value, type: '', options: new Map(), ofport: undefined }))
    else if (key === 'tag:' && port !== undefined) port.tag = Number(value)
    else if (key === 'type:' && device !== undefined) device.type = value
    else if (key === 'options:' && device !== undefined) device.options = parseOptions(raw)
    else if (key === 'datapath_type:' && bridge !== undefined) bridge.datapathType = value
  }
  return bridges
}

/** OpenFlow port numbers by interface name, and the bridge they belong to, from `ovs-ofctl show BRIDGE`. */
export interface OfctlShow {
  bridge: string
  datapathId: string
  ofports: ReadonlyMap<string, number>
}

/** One for every `OFPT_FEATURES_REPLY` in the text; a guide may show several bridges in a row. */
export function parseOfctlShow(text: string): OfctlShow[] {
  return text
    .split(/(?=OFPT_FEATURES_REPLY)/)
    .filter((part) => part.includes('OFPT_FEATURES_REPLY'))
    .map((part) => {
      const ofports = new Map<string, number>()
      for (const [, number, name] of part.matchAll(/^ *(\d+)\(([^)]+)\): *addr:/gm)) ofports.set(name!, Number(number))
      const bridge = /^ *LOCAL\(([^)]+)\)/m.exec(part)?.[1] ?? ''
      if (bridge !== '') ofports.set(bridge, 65_534)
      return { bridge, datapathId: /dpid:([0-9a-f]{16})/.exec(part)?.[1] ?? '', ofports }
    })
}

/** Puts the numbers of `ovs-ofctl show` into the bridges of `ovs-vsctl show`; the names of bridges that are in none of them. */
export function joinOfports(bridges: readonly TextBridge[], shown: readonly OfctlShow[]): string[] {
  const unknown: string[] = []
  for (const { bridge: name, datapathId, ofports } of shown) {
    const bridge = bridges.find((candidate) => candidate.name === name)
    if (bridge === undefined) {
      unknown.push(name)
      continue
    }
    bridge.datapathId = datapathId
    for (const device of bridge.ports.flatMap((port) => port.interfaces)) device.ofport = ofports.get(device.name)
  }
  return unknown
}

/**
 * The bridges as `ovsdb-client --format=json dump` would write them. `portIdOf` gives the Neutron port of an interface name, or
 * ''. Row ids are made from the names, so that the same text gives the same dump.
 */
export function writeDump(host: string, bridges: readonly TextBridge[], portIdOf: (name: string) => string): string {
  const id = (...parts: string[]) => ['uuid', uuidFrom([host, ...parts].join('/'))]
  const devices = bridges.flatMap((bridge) =>
    bridge.ports.flatMap((port) => port.interfaces.map((one) => ({ bridge, port, one }))),
  )
  const tables = [
    table(
      'Open_vSwitch',
      ['_uuid', 'bridges', 'external_ids'],
      [[id('root'), ['set', bridges.map((bridge) => id(bridge.name))], map([['hostname', host]])]],
    ),
    table(
      'Bridge',
      ['_uuid', 'name', 'datapath_id', 'datapath_type', 'ports'],
      bridges.map((bridge) => [
        id(bridge.name),
        bridge.name,
        bridge.datapathId === '' ? ['set', []] : bridge.datapathId,
        bridge.datapathType,
        ['set', bridge.ports.map((port) => id(bridge.name, port.name))],
      ]),
    ),
    table(
      'Port',
      ['_uuid', 'name', 'tag', 'interfaces'],
      bridges.flatMap((bridge) =>
        bridge.ports.map((port) => [
          id(bridge.name, port.name),
          port.name,
          port.tag ?? ['set', []],
          ['set', port.interfaces.map((one) => id(bridge.name, port.name, one.name))],
        ]),
      ),
    ),
    table(
      'Interface',
      ['_uuid', 'name', 'ofport', 'type', 'options', 'external_ids'],
      devices.map(({ bridge, port, one }) => {
        const portId = portIdOf(one.name)
        return [
          id(bridge.name, port.name, one.name),
          one.name,
          one.ofport ?? ['set', []],
          one.type,
          map([...one.options]),
          map(portId === '' ? [] : [['iface-id', portId]]),
        ]
      }),
    ),
  ]
  return `${tables.map((one) => JSON.stringify(one)).join('\n')}\n`
}

function table(name: string, headings: string[], data: unknown[][]): unknown {
  return { caption: `${name} table`, headings, data }
}

function map(pairs: readonly (readonly [string, string])[]): unknown {
  return ['map', pairs]
}

function uuidFrom(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-')
}

function parseOptions(text: string): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>()
  for (const [, key, quoted, plain] of text.matchAll(/([\w-]+)=(?:"([^"]*)"|([^,}\s]*))/g))
    pairs.set(key!, quoted ?? plain ?? '')
  return pairs
}

function unquote(text: string): string {
  return text.replace(/^"(.*)"$/, '$1')
}
