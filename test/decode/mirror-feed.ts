/** What the tests of mirrored frames share: datagrams as the pipeline gives them, and their rows. */
import type { Datagram } from '../../src/decode/decoder.ts'
import { MirrorDecoder, type MirrorOptions } from '../../src/decode/mirror/decoder.ts'
import { DECODE_STATUS_NAMES, type DecodeStatusName } from '../../src/decode/status.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { readCapture } from '../../src/wire/capture.ts'
import { fileBytes } from '../../src/wire/source.ts'
import { TRANSPORT, Transport } from '../../src/wire/transport.ts'
import { rowsOf, type Row } from './ipfix-feed.ts'

export const NOW = Date.UTC(2026, 10, 22, 7, 50)

/** A datagram around `bytes`, not at the start of its memory. */
export function mirrored(bytes: Uint8Array, receivedMs = NOW): Datagram {
  const memory = new Uint8Array(bytes.length + 12).fill(0xa5)
  memory.set(bytes, 6)
  return {
    bytes: memory,
    view: new DataView(memory.buffer),
    start: 6,
    end: 6 + bytes.length,
    receivedMs,
    exporter: new Uint32Array(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 10, 14).buffer),
    exporterPort: 0,
    exporterId: 0,
  }
}

/** Status and row of a single datagram. */
export function decodeOne(
  protocol: 'gre' | 'vxlan',
  bytes: Uint8Array,
  options: Partial<MirrorOptions> = {},
): { status: DecodeStatusName; rows: Row[] } {
  const decoder = new MirrorDecoder(protocol, options)
  const batch = new FlowBatch(4)
  const status = decoder.decode(mirrored(bytes), batch)
  decoder.flush(batch)
  return { status: DECODE_STATUS_NAMES[status]!, rows: rowsOf(batch) }
}

const OF_THE_FEED = new Set([
  'flow_start',
  'flow_end',
  'time_received',
  'exporter',
  'agent',
  'sampling_rate',
  'flow_end_reason',
])

/** A row without what is the same for every frame of these tests. */
export function essential(row: Row): Row {
  return Object.fromEntries(Object.entries(row).filter(([column]) => !OF_THE_FEED.has(column)))
}

export interface CapturedDatagram {
  protocol: 'gre' | 'vxlan'
  /** Number of the packet in the capture. */
  packet: number
  datagram: Datagram
}

/** GRE packets and all UDP payloads (as VXLAN) of a capture. */
export async function readMirror(file: string): Promise<CapturedDatagram[]> {
  const result: CapturedDatagram[] = []
  const transport = new Transport()
  for await (const packet of readCapture(fileBytes(file))) {
    const kind = transport.find(packet)
    if (kind !== TRANSPORT.gre && kind !== TRANSPORT.udp) continue
    const datagram = mirrored(transport.bytes.slice(transport.start, transport.end), packet.timeMs)
    datagram.exporter.set(transport.source)
    result.push({ protocol: kind === TRANSPORT.gre ? 'gre' : 'vxlan', packet: packet.number, datagram })
  }
  return result
}
