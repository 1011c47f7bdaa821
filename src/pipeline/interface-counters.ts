/**
 * Counters of interfaces, as their agents or their OVSDB tell them, until they are written as rows of `interface_counters`. What an
 * interface is, and whose, is looked up when they are written: as of now, which is seconds later.
 */
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import { TEXTS } from '../identity/snapshot/endpoints.ts'
import type { SideRow } from '../schema/rows.ts'
import type { COUNTERS_TABLE } from '../schema/side-tables.ts'
import { formatAddress } from './exporters.ts'

/** One reading; octets and packets as the switch sees them: in is from the server. */
export interface CounterReading {
  source: 'sflow' | 'ovsdb'
  timeMs: number
  /** Name of the host; where it is not known, four lanes of its address. */
  host: string | Uint32Array
  name: string
  ifIndex: number
  ofport: number
  inBytes: number
  outBytes: number
  inPackets: number
  outPackets: number
  inDrops: number
  outDrops: number
  inErrors: number
  outErrors: number
}

export type CounterRow = SideRow<typeof COUNTERS_TABLE>

export class InterfaceCounterRows {
  /** Readings that found no room. */
  dropped = 0
  private readonly most: number
  private readings: CounterReading[] = []

  /** `most` readings wait at a time. */
  constructor(most: number) {
    this.most = most
  }

  add(reading: CounterReading): void {
    if (this.readings.length < this.most) this.readings.push(reading)
    else this.dropped++
  }

  /** The rows of all readings since the last call, made while they are asked for. */
  *take(snapshot: IdentitySnapshot): Generator<CounterRow> {
    const { readings } = this
    this.readings = []
    for (const reading of readings) yield rowOf(snapshot, reading)
  }
}

function rowOf(snapshot: IdentitySnapshot, reading: CounterReading): CounterRow {
  const { interfaces, endpoints, bridges, hosts } = snapshot
  const host = hostOf(snapshot, reading.host)
  const item = interfaceOf(snapshot, host, reading)
  const endpoint = interfaces.endpoint(item) || snapshot.endpointOfDevice(reading.name)
  const text = (name: (typeof TEXTS)[number]) => endpoints.text(endpoint, TEXTS.indexOf(name))
  return {
    time: reading.timeMs,
    source: reading.source,
    host: hosts[host]!.name || (typeof reading.host === 'string' ? reading.host : formatAddress(reading.host)),
    bridge: bridges[interfaces.bridge(item)]!.name,
    interface: reading.name || interfaces.name(item),
    if_index: reading.ifIndex,
    ofport: reading.ofport > 0 ? reading.ofport : interfaces.ofport(item),
    port_id: text('port_id'),
    port: text('port'),
    server_id: text('server_id'),
    server: text('server'),
    network: text('network'),
    project_id: text('project_id'),
    project: text('project'),
    in_bytes: reading.inBytes,
    out_bytes: reading.outBytes,
    in_packets: reading.inPackets,
    out_packets: reading.outPackets,
    in_drops: reading.inDrops,
    out_drops: reading.outDrops,
    in_errors: reading.inErrors,
    out_errors: reading.outErrors,
  }
}

function hostOf(snapshot: IdentitySnapshot, host: string | Uint32Array): number {
  if (typeof host !== 'string') return snapshot.hostAt(host, 0)
  return Math.max(
    0,
    snapshot.hosts.findIndex(({ name }) => name === host),
  )
}

/** By name, else by ifIndex where one interface alone has it. */
function interfaceOf(snapshot: IdentitySnapshot, host: number, { name, ifIndex }: CounterReading): number {
  if (host === 0) return 0
  const named = name === '' ? 0 : snapshot.interfaceNamed(host, name)
  if (named !== 0 || ifIndex === 0) return named
  return Math.max(0, snapshot.tables.byIfIndex.get2(host, ifIndex))
}
