/**
 * Hand-made records of a small cloud, and what must come of them, for tests of reports and filters.
 *
 * Two projects use the same addresses and both have a server called web; red has a second server db, on another network.
 */
import type { Record_ } from './engine.ts'

export const T0 = Date.UTC(2026, 0, 1)

const WEB_RED = end('red', 'p-red', 'web', 's-red-web', 'net1', 'n-red-1', 'c0')
const DB_RED = end('red', 'p-red', 'db', 's-red-db', 'net2', 'n-red-2', 'c1')
const WEB_BLUE = end('blue', 'p-blue', 'web', 's-blue-web', 'net1', 'n-blue-1', 'c0')
const OUTSIDE = { kind: 'external', grade: 'external' }

type End = Record<string, string>

function end(
  project: string,
  projectId: string,
  server: string,
  id: string,
  network: string,
  networkId: string,
  host: string,
): End {
  return {
    project,
    project_id: projectId,
    server,
    server_id: id,
    port: `port-${id}`,
    port_id: `id-${id}`,
    network,
    network_id: networkId,
    host,
    kind: 'server',
    grade: 'port',
  }
}

function record(ms: number, src: End, dst: End, counts: string, bytes: number, more: Record_ = {}): Record_ {
  const ends = [
    ...Object.entries(src).map(([part, value]) => [`src_${part}`, value]),
    ...Object.entries(dst).map(([part, value]) => [`dst_${part}`, value]),
  ]
  return {
    flow_end: T0 + ms,
    flow_start: T0 + ms - 500,
    time_received: T0 + ms + 10,
    ip_version: 4,
    ip_protocol: 6,
    src_l4_port: 40_000,
    dst_l4_port: 443,
    src_addr: '::ffff:192.168.10.8',
    dst_addr: '::ffff:192.168.10.9',
    bytes,
    l2_bytes: bytes + 14,
    packets: 1,
    sampling_rate: 1,
    counts_sent: Number(counts.includes('s')),
    counts_received: Number(counts.includes('r')),
    counts_once: Number(counts.includes('1')),
    ...(Object.fromEntries(ends) as Record_),
    ...more,
  }
}

/**
 * Counts: `s` counts as sent, `r` as received, `1` once in totals.
 */
export const RECORDS: readonly Record_[] = [
  // Inside red, reported at both ends: two records of the same bytes.
  record(0, WEB_RED, DB_RED, 's1', 1000, { role: 'sent', traffic_class: 'routed' }),
  record(1, WEB_RED, DB_RED, 'r', 1000, { role: 'received', traffic_class: 'routed' }),
  // Inside red, the other way, reported at the sender only: it stands for both.
  record(2, DB_RED, WEB_RED, 'sr1', 200, { role: 'sent', traffic_class: 'routed' }),
  // Red to the outside and back; the way back is counted on its last leg.
  record(3, WEB_RED, OUTSIDE, 's1', 40, { role: 'sent', traffic_class: 'north_south_out', dst_addr: '::ffff:8.8.8.8' }),
  record(4, OUTSIDE, WEB_RED, 'r1', 7, {
    role: 'received',
    traffic_class: 'north_south_in',
    src_addr: '::ffff:8.8.8.8',
  }),
  // The same packet on its way: stored, counted nowhere.
  record(5, OUTSIDE, WEB_RED, '', 7, { role: 'transit', traffic_class: 'north_south_in', src_addr: '::ffff:8.8.8.8' }),
  // Between projects, with the addresses that both have.
  record(6, WEB_BLUE, WEB_RED, 'sr1', 5000, { role: 'sent', traffic_class: 'between_projects', tcp_flags: 0x02 }),
  // A server that talks to itself through a port of its own.
  record(7, WEB_BLUE, WEB_BLUE, 'sr1', 3, {
    role: 'sent',
    ip_protocol: 17,
    dst_l4_port: 53,
    traffic_class: 'same_network',
  }),
  // Nobody knows the ends.
  record(8, { grade: 'unknown' }, { grade: 'ambiguous' }, '1', 11, {
    role: 'unattributed',
    src_addr: 'fd00::1',
    ip_version: 6,
  }),
]
