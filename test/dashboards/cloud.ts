/** A store with what dashboards ask for: all bundled captures replayed, and a few rows of what the lab's cloud does not do. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadIdentity } from '../../src/cli/engine.ts'
import { parsePorts, replayInto } from '../../src/cli/replay.ts'
import { loadConfig } from '../../src/config/load.ts'
import { encodeRows, type SideRow } from '../../src/schema/rows.ts'
import {
  AUDIT_TABLE,
  COLLECTOR_TABLE,
  COUNTERS_TABLE,
  HEALTH_TABLE,
  type SideTable,
} from '../../src/schema/side-tables.ts'
import { openWriter } from '../../src/store/open.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { PCAPS } from '../paths.ts'
import { Engine, type Record_ } from '../query/engine.ts'

/** The captures lie within this, see pcaps/README.md. */
export const SPAN = { fromMs: Date.UTC(2026, 10, 22, 7, 48, 55, 500), toMs: Date.UTC(2026, 10, 22, 7, 50, 30) }
/** Trouble is made after the captures, so that what is asked about them is not changed by it. */
export const TROUBLE = { fromMs: Date.UTC(2026, 10, 22, 8), toMs: Date.UTC(2026, 10, 22, 8, 10) }

export const RED = 'baa7096fe1d54571900c3758397e0939'
export const BLUE = '5c1b0fd2a9d84a7f8a3f1f3c1e7d1b10'
export const RED_1 = 'eb347271-dc5a-46cf-9150-0a7defffc6d1'
export const BLUE_1 = 'bb347271-dc5a-46cf-9150-0a7defffc6d8'
export const RED_NET = '41778abb-b994-4ccb-a9ab-0d60a77cc1f8'
export const BLUE_NET = '7590c21a-4878-48ae-b957-7562e4dc1d0d'
/** What only blue has: names and ids of its servers, ports and networks. */
export const BLUE_ONLY = /blue-\d|bluenet|b[be][0-9a-f]{6}-dc5a|bbd0662f|b25fe781|beee0c10|7590c21a/
export const RED_ONLY = /red-\d|net[12]\b|eb347271|70d0662f|e1975422|425fe781|aeee0c10|41778abb|ac163954/

const CAPTURES = ['ipfix', 'netflow5', 'sflow5', 'gre-mirror']

/** `trouble`: with what the lab's cloud does not do. */
export async function openCloud({ trouble = true } = {}): Promise<Engine> {
  const engine = await Engine.open()
  const directory = mkdtempSync(join(tmpdir(), 'ovsight-dashboards-'))
  const log = createLog({ level: 'error', format: 'text', to: process.stderr })
  try {
    for (const capture of CAPTURES) {
      const flags = { data: directory, identity: `${PCAPS}${capture}/identity.yaml` }
      const { config } = loadConfig({ flags })
      const spool = await openWriter(engine.store, { data: directoryOf(engine), spoolBytes: config.spool_max, log })
      const identity = await loadIdentity(config, log)
      await replayInto(spool.writer, [`${PCAPS}${capture}/capture.pcap`], parsePorts([]), config, identity)
      await spool.close(Infinity)
    }
    await insertRows(engine, COLLECTOR_TABLE, collector(SPAN.fromMs, false))
    if (trouble) {
      await insertRows(engine, COLLECTOR_TABLE, collector(TROUBLE.fromMs, true))
      await engine.insert(troubles())
      await insertRows(engine, AUDIT_TABLE, audits())
      await insertRows(engine, COUNTERS_TABLE, counters())
      await insertRows(engine, HEALTH_TABLE, faults())
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  return engine
}

/** The spool of the embedded store lies in its directory. */
function directoryOf(engine: Engine): string {
  return (engine.store as unknown as { directory: string }).directory
}

async function insertRows<T extends SideTable>(engine: Engine, table: T, rows: readonly SideRow<T>[]): Promise<void> {
  await engine.store.insert({ ...encodeRows(table, rows), token: randomUUID() })
}

const RED_END = {
  src_project_id: RED,
  src_project: 'red',
  src_server_id: RED_1,
  src_server: 'red-1',
  src_port_id: '425fe781-d3aa-4b0f-9c11-000000000001',
  src_port: '425fe781',
  src_network_id: RED_NET,
  src_network: 'net1',
  src_host: 'c0',
  src_kind: 'server',
  src_grade: 'port',
  src_evidence: 'ofport',
} as const
const BLUE_END = {
  dst_project_id: BLUE,
  dst_project: 'blue',
  dst_server_id: BLUE_1,
  dst_server: 'blue-1',
  dst_network_id: BLUE_NET,
  dst_network: 'bluenet',
  dst_host: 'c0',
  dst_kind: 'server',
  dst_grade: 'address',
  dst_evidence: 'network_address',
} as const

/** Red reaches blue without a path, borrows an address, and scans. */
function troubles(): Record_[] {
  const base = {
    flow_end: TROUBLE.fromMs + 60_000,
    flow_start: TROUBLE.fromMs + 59_000,
    time_received: TROUBLE.fromMs + 61_000,
    export_protocol: 'ipfix',
    exporter_host: 'c0',
    bridge: 'br-int',
    ip_version: 4,
    ip_protocol: 6,
    src_addr: '::ffff:192.168.10.8',
    dst_addr: '::ffff:192.168.10.9',
    src_l4_port: 40_000,
    dst_l4_port: 22,
    tcp_flags: 2,
    packets: 2,
    bytes: 120,
    l2_bytes: 148,
    sampling_rate: 1,
    role: 'sent',
    counts_sent: 1,
    counts_once: 1,
    ...RED_END,
  }
  const borrowed = {
    ...base,
    src_addr: '::ffff:10.9.9.9',
    src_grade: 'port_unverified',
    dst_grade: 'external',
    dst_kind: 'external',
  } as const
  const scan = Array.from({ length: 64 }, (_, i) => ({
    ...base,
    dst_addr: `::ffff:198.51.100.${i}`,
    dst_kind: 'external',
    dst_grade: 'external',
    traffic_class: 'north_south_out',
    packets: 1,
    bytes: 60,
  }))
  return [
    { ...base, ...BLUE_END, traffic_class: 'between_projects', counts_received: 1 },
    ...Array.from({ length: 3 }, () => borrowed),
    { ...base, dst_grade: 'ambiguous', dst_evidence: 'several_matches', dst_candidates: 2, bytes: 12_000 },
    {
      ...base,
      tunnel_type: 'vxlan',
      tunnel_key: 1010,
      tunnel_src_addr: '::ffff:10.0.10.14',
      tunnel_dst_addr: '::ffff:10.0.10.23',
    },
    ...scan,
  ]
}

function audits(): SideRow<typeof AUDIT_TABLE>[] {
  const of = (
    project: string,
    projectId: string,
    server: string,
    serverId: string,
    verdict: string,
    fromMs: number,
  ) => ({
    span_from: fromMs,
    span_to: fromMs + 60_000,
    host: 'c0',
    bridge: 'br-int',
    interface: `tap-${server}`,
    port_id: `port-${server}`,
    port: `port-${server}`,
    server_id: serverId,
    server,
    project_id: projectId,
    project,
    direction: 'sent',
    source: 'ovsdb',
    counted_bytes: 500_000,
    true_bytes: 539_082,
    counted_packets: 480,
    true_packets: 507,
    ratio: 0.9275,
    expected_error: 20_000,
    sampling_error: 18_000,
    verdict,
    cause: verdict === 'agrees' ? 'none' : 'losses',
    note: verdict === 'agrees' ? '' : 'sequence numbers have gaps',
  })
  return [
    of('red', RED, 'red-1', RED_1, 'agrees', SPAN.fromMs),
    of('blue', BLUE, 'blue-1', BLUE_1, 'agrees', SPAN.fromMs),
    ...[0, 1, 2].map((minute) => of('red', RED, 'red-1', RED_1, 'short', TROUBLE.fromMs + minute * 60_000)),
  ]
}

function counters(): SideRow<typeof COUNTERS_TABLE>[] {
  const at = (time: number, bytes: number, drops: number) => ({
    time,
    source: 'ovsdb',
    host: 'c0',
    bridge: 'br-int',
    interface: 'tap425fe781-d3',
    server: 'red-1',
    server_id: RED_1,
    in_bytes: bytes,
    out_bytes: bytes,
    in_drops: drops,
  })
  return [at(SPAN.fromMs, 1000, 0), at(SPAN.fromMs + 60_000, 540_082, 3)]
}

function faults(): SideRow<typeof HEALTH_TABLE>[] {
  const minute = TROUBLE.fromMs
  const exporter = Uint32Array.of(0, 0, 0xffff0000, 0x0e0a000a)
  const base = { minute, exporter, exporter_host: 'c0', protocol: 'ipfix', domain: 7 }
  return [
    { minute, rows_dropped: 5000 },
    { ...base, datagrams: 90, records: 90, expected: 100, lost: 10, restarts: 1, kernel_drops: 10 },
    { ...base, fault: 'template_missing', faults: 5 },
  ]
}

/** Ten minutes of a collector: one whose source is silent, whose store is slow and whose disk fills, or one that is well. */
function collector(fromMs: number, trouble: boolean): SideRow<typeof COLLECTOR_TABLE>[] {
  const figures = (i: number): [metric: string, label: string, value: number][] => [
    ['ovsight_info', '0.1.0 v24.11.1 embedded', 1],
    ['process_resident_memory_bytes', '', 180e6 + i * 1e5],
    ['ovsight_exporters', '', 3],
    ['ovsight_templates', '', 24],
    ['ovsight_mirror_flows', 'gre', 40 + i],
    ['ovsight_late_rows', '', trouble ? 1200 : 0],
    ['ovsight_identity_source_age_seconds', 'ovsdb tcp:10.0.10.14:6640', 2 + (i % 3)],
    ['ovsight_identity_source_age_seconds', 'ovsdb tcp:10.0.10.23:6640', trouble ? 900 + i * 60 : 3],
    ['ovsight_identity_source_age_seconds', 'openstack https://keystone.example:5000/v3', 20 + i],
    ['ovsight_insert_lag_seconds', '', trouble ? 30 * i : 0.4],
    ['ovsight_spool_bytes', '', trouble ? 5e6 * i : 2e5],
    ['ovsight_insert_failures_total', '', trouble ? 3 * i : 0],
    ['ovsight_spool_failures_total', '', 0],
    ['ovsight_rows_dropped_total', 'spool_full', trouble && i > 8 ? 5000 : 0],
    ['ovsight_rows_quarantined_total', '', 0],
    ['ovsight_store_rows', 'flows', 80e6 + i * 1e6],
    ['ovsight_store_bytes', 'flows', 2e9 + i * 24e6],
    ['ovsight_store_rows', 'flows_1m', 4e6 + i * 5e4],
    ['ovsight_store_bytes', 'flows_1m', 9e7 + i * 1e6],
    ['ovsight_store_free_bytes', 'default', trouble ? 5e9 - i * 2e8 : 40e9],
  ]
  return Array.from({ length: 10 }, (_, i) => {
    const time = fromMs + i * (trouble ? 60_000 : 9_000)
    return figures(i).map(([metric, label, value]) => ({ time, collector: 'node-1', metric, label, value }))
  }).flat()
}
