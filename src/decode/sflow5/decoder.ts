/**
 * sFlow version 5. sflow.org, "sFlow Version 5", July 2004. XDR: big-endian, everything padded to four bytes.
 *
 *   datagram  version u32 = 5 | agent address: type u32 (0 none, 1 IPv4, 2 IPv6), 0, 4 or 16 bytes | sub-agent u32 | sequence u32 |
 *             uptime u32 ms | count u32 | samples
 *   sample    data format u32 (enterprise 20 bits, format 12) | length u32 | that many bytes
 *
 * Flow samples (0,1) and (0,3) are rows, counter samples (0,2) and (0,4) go to the sink, all others are passed over by their length.
 * sFlow carries no wall clock: all times are when the datagram arrived.
 */
import type { FlowBatch } from '../../schema/batch.ts'
import { enumCodes } from '../../schema/enums.ts'
import type { Datagram, Decoder, DecodeSink } from '../decoder.ts'
import { STATUS, type DecodeStatus } from '../status.ts'
import { CounterSampleDecoder } from './counter-sample.ts'
import type { FlowColumns } from './flow-columns.ts'
import { FlowSampleDecoder } from './flow-sample.ts'

const VERSION = 5
/** From the agent's address type on, without the address. */
const FIXED_BYTES = 20
const SAMPLE_HEADER = 8

const FLOW = 1
const COUNTERS = 2
const EXPANDED_FLOW = 3
const EXPANDED_COUNTERS = 4

/** Bytes of an agent address by its type. */
const ADDRESS_BYTES = [0, 4, 16] as const
const IPV4_MAPPED = 0xffff_0000
const PROTOCOL = enumCodes('export_protocol').sflow5
const OK = STATUS.ok

/**
 * One row for each flow sample, scaled by its own sampling rate. A sample at fault costs no other: its row is taken back, the rest of
 * the datagram is decoded, and the status is that of the first fault.
 */
export class Sflow5Decoder implements Decoder {
  readonly protocol = 'sflow5'
  private readonly sink: DecodeSink
  private readonly flows: FlowSampleDecoder
  private readonly counters: CounterSampleDecoder
  private readonly agent = new Uint32Array(4)
  private status: DecodeStatus = OK
  /** The run of flow samples of one source whose sequence numbers follow each other; empty when `runLength` is 0. */
  private runSource = 0
  private runStart = 0
  private runLength = 0

  /** Without `shortcut` every sample goes the general, slower way to the same rows: for tests. */
  constructor(sink: DecodeSink, shortcut = true) {
    this.sink = sink
    this.flows = new FlowSampleDecoder(shortcut)
    this.counters = new CounterSampleDecoder(sink)
  }

  decode(datagram: Datagram, out: FlowBatch): DecodeStatus {
    const { view, start, end } = datagram
    if (end - start < 8) return STATUS.short_header
    if (view.getUint32(start) !== VERSION) return STATUS.bad_version
    const addressBytes = ADDRESS_BYTES[view.getUint32(start + 4)]
    if (addressBytes === undefined) return STATUS.bad_version
    const at = start + 8 + addressBytes
    if (end - at < FIXED_BYTES - 4) return STATUS.short_header
    this.readAgent(datagram, addressBytes)
    const subAgent = view.getUint32(at)
    const sequence = view.getUint32(at + 4)
    const first = out.rows
    this.sink.sequence(datagram, 'sflow5', subAgent, sequence, 1)
    this.flows.bind(out)
    this.status = OK
    this.samples(datagram, out, at + FIXED_BYTES - 4, view.getUint32(at + 12), subAgent)
    this.endRun(datagram, subAgent)
    fillHeader(datagram, this.agent, subAgent, sequence, this.flows.columns, first, out.rows)
    return this.status === OK && out.rows === first ? STATUS.ok_no_rows : this.status
  }

  /** A flow sample is forty bytes at least, so that even 64 KiB of them stay far below MAX_ROWS_PER_DATAGRAM. */
  private samples(datagram: Datagram, out: FlowBatch, at: number, count: number, subAgent: number): void {
    const { view, end } = datagram
    for (; count > 0; count--) {
      if (end - at < SAMPLE_HEADER) return this.fault(STATUS.truncated)
      const format = view.getUint32(at)
      const length = view.getUint32(at + 4)
      at += SAMPLE_HEADER
      if (length > end - at) return this.fault(STATUS.truncated)
      if (format === FLOW || format === EXPANDED_FLOW)
        this.flow(datagram, out, at, at + length, format === EXPANDED_FLOW, subAgent)
      else if (format === COUNTERS || format === EXPANDED_COUNTERS)
        this.fault(this.counters.decode(datagram, at, at + length, format === EXPANDED_COUNTERS, subAgent))
      at += (length + 3) & ~3
    }
    if (at < end) this.fault(STATUS.bad_count)
  }

  private flow(datagram: Datagram, out: FlowBatch, at: number, end: number, expanded: boolean, subAgent: number): void {
    const { flows } = this
    const row = out.rows
    const status = flows.decode(datagram.view, at, end, expanded, row)
    if (status !== OK) {
      this.fault(status)
      if (status === STATUS.bad_length || status === STATUS.bad_count) return out.truncate(row, row + 1)
    }
    out.rows = row + 1
    const next = (this.runStart + this.runLength) >>> 0
    if (this.runLength > 0 && flows.source === this.runSource && flows.sequence === next) {
      this.runLength++
      return
    }
    this.endRun(datagram, subAgent)
    this.runSource = flows.source
    this.runStart = flows.sequence
    this.runLength = 1
  }

  private endRun(datagram: Datagram, subAgent: number): void {
    if (this.runLength === 0) return
    this.sink.sampleSequence(datagram, subAgent, this.runSource, this.runStart, this.runLength)
    this.runLength = 0
  }

  /** The first fault is the status. */
  private fault(status: DecodeStatus): void {
    if (this.status === OK) this.status = status
  }

  /** The agent's address into four lanes, the exporter's where the agent gives none. */
  private readAgent({ view, start, exporter }: Datagram, addressBytes: number): void {
    const { agent } = this
    if (addressBytes === 4) {
      agent[0] = agent[1] = 0
      agent[2] = IPV4_MAPPED
      agent[3] = view.getUint32(start + 8, true)
    } else {
      for (let lane = 0; lane < 4; lane++)
        agent[lane] = addressBytes === 0 ? exporter[lane]! : view.getUint32(start + 8 + lane * 4, true)
    }
  }
}

/** What is the same in all rows from `first` on. Written out: loops over columns and lanes took a third of all the time. */
function fillHeader(
  { receivedMs, exporter: source }: Datagram,
  from: Uint32Array,
  subAgent: number,
  number: number,
  columns: FlowColumns,
  first: number,
  rows: number,
): void {
  const { u8, u32 } = columns
  const low = receivedMs >>> 0
  const high = Math.floor(receivedMs / 0x1_0000_0000)
  const [e0, e1, e2, e3] = [source[0]!, source[1]!, source[2]!, source[3]!]
  const [a0, a1, a2, a3] = [from[0]!, from[1]!, from[2]!, from[3]!]
  const wide = (e0 | e1 | a0 | a1) !== 0
  for (let row = first; row < rows; row++) {
    const end = columns.flowEnd + row * 2
    const start = columns.flowStart + row * 2
    const received = columns.timeReceived + row * 2
    const exporter = columns.exporter + row * 4
    const agent = columns.agent + row * 4
    u32[end] = u32[start] = u32[received] = low
    u32[end + 1] = u32[start + 1] = u32[received + 1] = high
    u8[columns.protocol + row] = PROTOCOL
    u32[columns.domain + row] = subAgent
    u32[columns.sequence + row] = number
    u32[exporter + 2] = e2
    u32[exporter + 3] = e3
    u32[agent + 2] = a2
    u32[agent + 3] = a3
    // Zero already where both are IPv4.
    if (!wide) continue
    u32[exporter] = e0
    u32[exporter + 1] = e1
    u32[agent] = a0
    u32[agent + 1] = a1
  }
}
