/**
 * What the sources of a model say that cannot all be true. Attribution says of a record what they agree on, so it costs answers, not
 * truth; but somebody has to mend it, and is told where.
 */
import type { CloudModel, Port } from './cloud.ts'
import { parseIp } from './addresses.ts'
import { SLICE, type Slices } from './snapshot/slices.ts'

/** THE table of contradictions: their names label the metric. */
export const CONTRADICTIONS = {
  mac_twice: 'two ports of one network have one MAC address',
  unknown_port: 'an interface is of a port (iface-id) that neither Neutron nor another list of ports has',
  dead_vlan: 'a port is on VLAN 4095, where Neutron’s agent puts what it could not wire',
  two_hosts: 'a server’s port is plugged on several hosts at once',
  host_address_twice: 'two hosts claim one address; the first to do so has it',
} as const
export type ContradictionSort = keyof typeof CONTRADICTIONS

export interface Contradiction {
  sort: ContradictionSort
  /** What it is about: the same as long as it is the same one. */
  key: string
  /** The host whose OVSDB says it; undefined where the list of ports does. */
  host: string | undefined
  /** Ports that are concerned. */
  ports: readonly string[]
  /** One line that names what says what. */
  text: string
}

/** So many of one sort are told; what is beyond it would be told to nobody. */
export const MOST_OF_A_SORT = 100

const DEAD_VLAN = 4095

/** Everything that contradicts, at most `MOST_OF_A_SORT` of a sort. Gives way between slices. */
export function* findContradictions(model: CloudModel): Slices<Contradiction[]> {
  const found = new Found()
  yield* macsTwice(model, found)
  yield* pluggedWrongly(model, found)
  yield* addressesTwice(model, found)
  return found.all
}

class Found {
  readonly all: Contradiction[] = []
  private readonly counts: Partial<Record<ContradictionSort, number>> = {}

  isFull(sort: ContradictionSort): boolean {
    return (this.counts[sort] ?? 0) >= MOST_OF_A_SORT
  }

  add(sort: ContradictionSort, key: string, text: string, about: Partial<Pick<Contradiction, 'host' | 'ports'>>): void {
    if (this.isFull(sort)) return
    this.counts[sort] = (this.counts[sort] ?? 0) + 1
    this.all.push({ sort, key: `${sort} ${key}`, text, host: about.host, ports: about.ports ?? [] })
  }
}

function* macsTwice({ ports, networks }: CloudModel, found: Found): Slices<void> {
  const first = new Map<string, Port>()
  for (const [i, port] of ports.entries()) {
    if (i % SLICE === 0) yield
    if (port.mac_address === '' || found.isFull('mac_twice')) continue
    const key = `${port.mac_address} ${port.network_id}`.toLowerCase()
    const other = first.get(key)
    if (other === undefined) {
      first.set(key, port)
      continue
    }
    const network = networks.find(({ id }) => id === port.network_id)?.name || port.network_id
    const text = `ports ${other.id} and ${port.id} of network ${network} both have MAC address ${port.mac_address}`
    found.add('mac_twice', `${key} ${port.id}`, text, { ports: [other.id, port.id] })
  }
}

/** What OVSDBs say of ports. Where no list of ports is known, none is missed. */
function* pluggedWrongly({ ports, ovs }: CloudModel, found: Found): Slices<void> {
  const known = new Map<string, Port>()
  for (const [i, port] of ports.entries()) {
    if (i % SLICE === 0) yield
    known.set(port.id, port)
  }
  const where = new Map<string, string>()
  let done = 0
  for (const [host, { bridges }] of ovs)
    for (const bridge of bridges)
      for (const { name, tag, interfaces } of bridge.ports) {
        if (++done % SLICE === 0) yield
        const of = `interface ${name} of ${bridge.name} on ${host}`
        for (const { externalIds, type } of interfaces) {
          const id = externalIds.get('iface-id')
          if (id === undefined || type === 'patch') continue
          const port = known.get(id)
          if (port === undefined && known.size > 0)
            found.add('unknown_port', `${host} ${id}`, `${of} is of port ${id}, which no list of ports has`, {
              host,
              ports: [id],
            })
          if (tag === DEAD_VLAN)
            found.add('dead_vlan', `${host} ${id}`, `${of} (port ${id}) is on VLAN 4095: its agent could not wire it`, {
              host,
              ports: [id],
            })
          // A router's and OVN's metadata ports are on many hosts by design.
          if (port?.device_owner.startsWith('network:') === true) continue
          const other = where.get(id)
          if (other !== undefined && other !== host) onTwoHosts(found, id, other, host, port?.['binding:host_id'] ?? '')
          else where.set(id, host)
        }
      }
}

/** The one to which the port is not bound is in the wrong. */
function onTwoHosts(found: Found, id: string, one: string, other: string, bound: string): void {
  const host = other === bound ? one : other
  const binding = bound === '' ? 'and Neutron binds it to none' : `and Neutron binds it to ${bound}`
  const text = `port ${id} is plugged on ${one} and on ${other} (a migration that goes on?), ${binding}`
  found.add('two_hosts', `${id} ${one} ${other}`, text, { host, ports: [id] })
}

function* addressesTwice({ hosts, ovs }: CloudModel, found: Found): Slices<void> {
  const first = new Map<string, string>()
  const claim = (host: string, address: string | undefined, says: string) => {
    const lanes = parseIp(address ?? '')
    if (lanes === undefined) return
    const other = first.get(lanes.join())
    if (other === undefined) first.set(lanes.join(), host)
    else if (other !== host)
      found.add('host_address_twice', `${address} ${host}`, `${says} has address ${address}, which is ${other}’s`, {
        host,
      })
  }
  const names = new Set(hosts.map(({ name }) => name))
  let done = 0
  for (const { name, addresses } of hosts) {
    if (++done % SLICE === 0) yield
    for (const address of addresses) claim(name, address, `host ${name}`)
  }
  // Its hostname may be what the lists call it by.
  for (const [name, { hostname, externalIds, bridges }] of ovs) {
    const host = names.has(name) || hostname === '' ? name : hostname
    claim(host, externalIds.get('ovn-encap-ip'), `ovn-encap-ip of ${name}`)
    for (const bridge of bridges)
      for (const port of bridge.ports) {
        if (++done % SLICE === 0) yield
        for (const item of port.interfaces) claim(host, item.options.get('local_ip'), `tunnel ${item.name} of ${name}`)
      }
  }
}
