/** Network namespaces and the veth pairs between them. */
import { run, succeeds, within } from './shell.ts'

const ip = (namespace: string, ...args: string[]): string => run(['ip', '-n', namespace, ...args])

/** A namespace with its loopback up, forwarding off, and no router solicitations. */
export function addNamespace(namespace: string): void {
  run(['ip', 'netns', 'add', namespace])
  sysctl(namespace, {
    // Router solicitations go on for ever where no router answers; they would blur the counters' "nothing moves now".
    'net.ipv6.conf.default.router_solicitations': 0,
    'net.ipv6.conf.default.accept_ra': 0,
  })
  ip(namespace, 'link', 'set', 'lo', 'up')
}

export function sysctl(namespace: string, settings: Record<string, number>): void {
  run(within(namespace, 'sysctl', '-qw', ...Object.entries(settings).map(([name, value]) => `${name}=${value}`)))
}

export interface End {
  namespace: string
  device: string
  mac?: string
}

/**
 * A cable between two namespaces, both ends up.
 *
 * Checksums and segmentation are done before the cable, not by it: Open vSwitch's userspace datapath reads frames as they are,
 * and a packet in the interface counters is then a packet on the wire.
 */
export function connect(near: End, far: End, mtu: number): void {
  run(['ip', 'link', 'add', near.device, 'netns', near.namespace, 'type', 'veth', 'peer', 'name', far.device, 'netns', far.namespace]) // prettier-ignore
  for (const end of [near, far]) {
    const mac = end.mac === undefined ? [] : ['address', end.mac]
    run(within(end.namespace, 'ethtool', '-K', end.device, 'tx', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off'))
    ip(end.namespace, 'link', 'set', end.device, 'mtu', String(mtu), ...mac, 'up')
  }
}

/** The host's side of a tap: it carries a machine's frames and has nothing to say itself, so no IPv6 of its own. */
export function silence(namespace: string, device: string): void {
  sysctl(namespace, { [`net.ipv6.conf.${device}.disable_ipv6`]: 1 })
}

/** Give a device its address. Neighbours in doubt are asked after one second, not five, so that sooner nothing moves. */
export function addAddress(namespace: string, device: string, address: string, prefixLength: number): void {
  ip(namespace, 'address', 'add', `${address}/${prefixLength}`, 'dev', device)
  sysctl(namespace, { [`net.ipv4.neigh.${device}.delay_first_probe_time`]: 1 })
}

export function addDefaultRoute(namespace: string, gateway: string): void {
  ip(namespace, 'route', 'add', 'default', 'via', gateway)
}

/** A plain Linux bridge without spanning tree or IGMP, with these devices in it. */
export function addBridge(namespace: string, bridge: string, devices: readonly string[]): void {
  ip(namespace, 'link', 'add', bridge, 'type', 'bridge', 'mcast_snooping', '0')
  for (const device of devices) ip(namespace, 'link', 'set', device, 'master', bridge)
  ip(namespace, 'link', 'set', bridge, 'up')
}

export interface Counters {
  txBytes: number
  txPackets: number
  rxBytes: number
  rxPackets: number
}

interface LinkStatistics {
  stats64: Record<'rx' | 'tx', { bytes: number; packets: number }>
}

/** The interface's own counters; bytes are the frame without FCS. */
export function counters(namespace: string, device: string): Counters {
  const [link] = JSON.parse(ip(namespace, '-s', '-j', 'link', 'show', device)) as [LinkStatistics]
  const { rx, tx } = link.stats64
  return { txBytes: tx.bytes, txPackets: tx.packets, rxBytes: rx.bytes, rxPackets: rx.packets }
}

/** Namespaces of this prefix that exist, whether this lab's run made them or one that crashed. */
export function existingNamespaces(names: readonly string[]): string[] {
  const existing = new Set(
    run(['ip', 'netns', 'list'])
      .split('\n')
      .map((line) => line.split(' ')[0]),
  )
  return names.filter((name) => existing.has(name))
}

/** Ends every process inside the namespace and removes it with its devices. */
export function removeNamespace(namespace: string): void {
  for (const signal of ['TERM', 'KILL']) {
    const pids = run(['ip', 'netns', 'pids', namespace]).split('\n').filter(Boolean)
    if (pids.length === 0) break
    succeeds(['kill', `-${signal}`, ...pids])
    waitFor(() => run(['ip', 'netns', 'pids', namespace]).trim() === '', 3000)
  }
  run(['ip', 'netns', 'del', namespace])
}

/** Polls until true or the time is over; says which. For set-up and tear-down, where nothing else has to run meanwhile. */
export function waitFor(condition: () => boolean, timeoutMs: number): boolean {
  const until = Date.now() + timeoutMs
  const cell = new Int32Array(new SharedArrayBuffer(4))
  while (!condition()) {
    if (Date.now() > until) return false
    Atomics.wait(cell, 0, 0, 20)
  }
  return true
}
