/** What may be exported at once, and how well the totals must then agree with the interface counters. */
import { EXPORT_DEFAULTS, switchOff, switchOn, EXPORT_KINDS, type ExportKind, type ExportOptions } from './exports.ts'
import { mirrorOff, mirrorOn, type MirrorType } from './mirror.ts'

export interface Situation {
  what: string
  kinds: readonly ExportKind[]
  options?: Partial<ExportOptions>
  /** Machines whose frames are mirrored beside it. */
  mirrors?: readonly { machine: string; type: MirrorType; key?: number }[]
  /** Multiplies the traffic; default 1. */
  factor?: number
  /** What the totals must hold: all frames, to the byte; those of IPv4, which NetFlow v5 is limited to; or an estimate of all. */
  holds: 'all' | 'ipv4' | 'estimate'
  /** `ovsight audit` must agree with every port. */
  audited?: true
  /** Machines it holds for; all when absent. */
  machines?: readonly string[]
}

const EVERY_BRIDGE = ['br-int', 'br-tun', 'br-ex', 'br-phy']

/** Short, so that a run is: what is in the caches is sent soon. */
const SOON: ExportOptions = { ...EXPORT_DEFAULTS, cacheTimeout: 2, activeTimeout: 2, polling: 2 }
export const FLUSH_MS = 4000

export const SITUATIONS: readonly Situation[] = [
  { what: 'IPFIX on every br-int', kinds: ['ipfix'], holds: 'all', audited: true },
  {
    // Not on br-phy: each datagram that leaves by it would be a record, and a further datagram.
    what: 'IPFIX on br-int, br-tun and br-ex, without a cache',
    kinds: ['ipfix'],
    options: { bridges: ['br-int', 'br-tun', 'br-ex'], cacheTimeout: 0, cacheFlows: 0 },
    holds: 'all',
  },
  { what: 'NetFlow on every br-int', kinds: ['netflow'], holds: 'ipv4', audited: true },
  { what: 'NetFlow on every bridge', kinds: ['netflow'], options: { bridges: EVERY_BRIDGE }, holds: 'ipv4' },
  {
    what: 'NetFlow on three bridges under one engine id, and a GRE mirror',
    kinds: ['netflow'],
    options: { bridges: ['br-int', 'br-tun', 'br-ex'], engine: 'default' },
    mirrors: [{ machine: 'r8', type: 'gre', key: 7 }],
    holds: 'ipv4',
  },
  {
    what: 'sFlow of every packet, on every bridge',
    kinds: ['sflow'],
    options: { bridges: EVERY_BRIDGE },
    holds: 'all',
    audited: true,
  },
  { what: 'IPFIX of one packet in 8', kinds: ['ipfix'], options: { sampling: 8 }, factor: 8, holds: 'estimate' },
  { what: 'sFlow of one packet in 8', kinds: ['sflow'], options: { sampling: 8 }, factor: 8, holds: 'estimate' },
  {
    what: 'a GRE, an ERSPAN and a VXLAN mirror, of a machine each',
    kinds: [],
    mirrors: [
      { machine: 'r8', type: 'gre' },
      { machine: 'r9', type: 'erspan', key: 9 },
      { machine: 'b8', type: 'vxlan', key: 8 },
    ],
    holds: 'all',
    machines: ['r8', 'r9', 'b8'],
  },
  {
    what: 'all at once on every bridge, and a mirror',
    kinds: EXPORT_KINDS,
    options: { bridges: EVERY_BRIDGE },
    mirrors: [{ machine: 'r8', type: 'gre', key: 7 }],
    holds: 'all',
  },
]

/** Switch on what the situation names and everything else off. */
export function enter({ kinds, options, mirrors = [] }: Situation): void {
  for (const kind of EXPORT_KINDS) switchOff(kind)
  mirrorOff()
  for (const { machine, type, key } of mirrors) mirrorOn(machine, type, key)
  for (const kind of kinds) switchOn(kind, { ...SOON, ...options })
}
