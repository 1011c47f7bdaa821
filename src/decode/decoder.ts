import type { FlowBatch } from '../schema/batch.ts'
import type { DecodeStatus } from './status.ts'

/** Protocols a decoder exists for; labels metrics. `netflow9` is decoded by the IPFIX decoder. */
export const PROTOCOLS = ['netflow5', 'netflow9', 'ipfix', 'sflow5', 'gre', 'vxlan'] as const
export type Protocol = (typeof PROTOCOLS)[number]

/** No datagram brings more flow records than this; the rest is dropped with `too_many_records`. */
export const MAX_ROWS_PER_DATAGRAM = 4096

/**
 * Rows a datagram of `length` bytes may append: the caller leaves that much room in the batch, decoders stop there.
 * Four bytes are less than any record that says something.
 */
export function rowsBound(length: number): number {
  const rows = (length >> 2) + 1
  return rows < MAX_ROWS_PER_DATAGRAM ? rows : MAX_ROWS_PER_DATAGRAM
}

/**
 * One received datagram. One object is reused for all: decoders keep no reference to it.
 *
 * The payload is `bytes[start .. end)`; `view` and `words` cover the same memory as `bytes` (the receive arena), so generated
 * code stays bound to one buffer. For `gre` the payload starts at the outer IPv4 header, as a raw socket delivers it; for all
 * others after the UDP header.
 */
export interface Datagram {
  bytes: Uint8Array
  view: DataView
  start: number
  end: number
  /** Milliseconds since 1970 when it arrived (its own time in a capture). */
  receivedMs: number
  /** Source address as four u32 lanes in memory order, like an `ip` column. */
  readonly exporter: Uint32Array
  exporterPort: number
  /** Number of the exporter, given by the pipeline; small while exporters stay, never given to a second one (a key, no index). */
  exporterId: number
}

/** sFlow counters of one interface (if_counters), with the names OVS sends beside them. Reused: copy what you keep. */
export interface InterfaceCounters {
  ifIndex: number
  /** OpenFlow port (record 1004), -1 when not sent. */
  ofport: number
  /** datapath_id as 16 hex digits (record 1004), '' when not sent. */
  datapathId: string
  /** Port name (record 1005), '' when not sent. */
  name: string
  /** Bits per second. OVS from 3.2 overflows this at 4.29 Gbit/s. */
  speed: number
  /** As the switch sees it: in = from the VM. Below 2^53. */
  inOctets: number
  outOctets: number
  inPackets: number
  outPackets: number
  inDiscards: number
  outDiscards: number
  inErrors: number
  outErrors: number
}

/**
 * What a decoder learns beside flow records. Implemented by the pipeline. Calls are per datagram or rarer, never per record.
 */
export interface DecodeSink {
  /**
   * Sequence number of one datagram. `stream` tells independent counters of one exporter apart (domain, engine, sub-agent);
   * `records` is by how much the protocol's own counter advances with this datagram.
   */
  sequence(datagram: Datagram, protocol: Protocol, stream: number, sequence: number, records: number): void
  /**
   * Sequence numbers of the flow samples of one sFlow data source: `samples` of them, following each other, the first is `sequence`.
   * What is missing here was lost between the sampler and us, in datagrams or before.
   */
  sampleSequence(datagram: Datagram, subAgent: number, source: number, sequence: number, samples: number): void
  interfaceCounters(datagram: Datagram, subAgent: number, counters: InterfaceCounters): void
  /** OVS datapath counters (sFlow 2207): packets the datapath lost on their way to vswitchd, a running total. */
  datapathLost(datagram: Datagram, subAgent: number, lost: number): void
  /** notSentPacketTotalCount (IPFIX 167), a running total of the exporter. */
  notSent(datagram: Datagram, domain: number, packets: number): void
  /** Sampling rate learned from options data (NetFlow v9, IPFIX of others than OVS). */
  samplingRate(datagram: Datagram, domain: number, samplerId: number, rate: number): void
}

/** A sink that ignores everything. */
export const NO_SINK: DecodeSink = {
  sequence() {},
  sampleSequence() {},
  interfaceCounters() {},
  datapathLost() {},
  notSent() {},
  samplingRate() {},
}

/**
 * Appends rows to `out` and returns an index into DECODE_STATUS_NAMES. Never throws on input, never reads outside the
 * datagram, always ends. On a fault the complete rows of this datagram stay and a partial one is taken back, so that
 * rows from `out.rows` on are zero. Appends at most `rowsBound(end - start)` rows; the caller made sure they fit.
 */
export interface Decoder {
  readonly protocol: Protocol
  decode(datagram: Datagram, out: FlowBatch): DecodeStatus
}
