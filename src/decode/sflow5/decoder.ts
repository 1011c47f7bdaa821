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
import { HEAD, HEAD_WORDS, setSource } from '../head.ts'
import { Programs, type ProgramLimits } from '../programs.ts'
import type { Program } from '../source.ts'
import { STATUS, type DecodeStatus } from '../status.ts'
import { CounterSampleDecoder } from './counter-sample.ts'
import type { FlowColumns } from './flow-columns.ts'
import { FlowSampleDecoder } from './flow-sample.ts'
import { usualSource } from './usual.ts'

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
// V8 folds numbers of the module itself into compiled code; properties of an imported object it reads each time.
const { domain: DOMAIN, sequence: SEQUENCE, agent: AGENT, stoppedAt: STOPPED_AT } = HEAD
/** More samples than a datagram has do not make it worth more to compile. */
const MOST_SAMPLES = 64
/** Number of the one program there is. */
const USUAL = 0

/**
 * One row for each flow sample, scaled by its own sampling rate. A sample at fault costs no other: its row is taken back, the rest of
 * the datagram is decoded, and the status is that of the first fault.
 */
export class Sflow5Decoder implements Decoder {
  readonly protocol = 'sflow5'
  private readonly sink: DecodeSink
  private readonly flows: FlowSampleDecoder
  private readonly counters: CounterSampleDecoder
  private readonly head = new Uint32Array(HEAD_WORDS)
  readonly programs: Programs
  private status: DecodeStatus = OK
  /** The run of flow samples of one source whose sequence numbers follow each other; empty when `runLength` is 0. */
  private runSource = 0
  private runStart = 0
  private runLength = 0

  /** `limits` say when the program for usual samples is made; until then all go the general, slower way to the same rows. */
  constructor(sink: DecodeSink, limits: Partial<ProgramLimits> = {}) {
    this.sink = sink
    this.flows = new FlowSampleDecoder()
    this.counters = new CounterSampleDecoder(sink)
    this.programs = new Programs(this.head, limits)
  }

  decode(datagram: Datagram, out: FlowBatch): DecodeStatus {
    const { view, start, end } = datagram
    if (end - start < 8) return STATUS.short_header
    if (view.getUint32(start) !== VERSION) return STATUS.bad_version
    const addressBytes = ADDRESS_BYTES[view.getUint32(start + 4)]
    if (addressBytes === undefined) return STATUS.bad_version
    const at = start + 8 + addressBytes
    if (end - at < FIXED_BYTES - 4) return STATUS.short_header
    const subAgent = view.getUint32(at)
    const sequence = view.getUint32(at + 4)
    this.readHead(datagram, addressBytes, subAgent, sequence)
    const first = out.rows
    this.sink.sequence(datagram, 'sflow5', subAgent, sequence, 1)
    this.status = OK
    this.samples(datagram, out, at + FIXED_BYTES - 4, view.getUint32(at + 12), subAgent)
    this.endRun(datagram, subAgent)
    return this.status === OK && out.rows === first ? STATUS.ok_no_rows : this.status
  }

  /** A flow sample is forty bytes at least, so that even 64 KiB of them stay far below MAX_ROWS_PER_DATAGRAM. */
  private samples(datagram: Datagram, out: FlowBatch, at: number, count: number, subAgent: number): void {
    const { view, end } = datagram
    const program = this.program(datagram, out, count)
    for (; count > 0; count--) {
      const usual = program === undefined ? 0 : program(out.base + out.rows, at, end, count, 0)
      if (usual > 0) {
        // Their content begins after the header: sequence, then source.
        this.follow(datagram, subAgent, view.getUint32(at + 12), view.getUint32(at + 8), usual)
        out.rows += usual
        count -= usual
        at = this.head[STOPPED_AT]!
        if (count === 0) break
      }
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

  private program({ view }: Datagram, { memory }: FlowBatch, samples: number): Program | undefined {
    const { programs } = this
    programs.select(memory, view)
    return programs.find(USUAL) ?? programs.want(USUAL, Math.min(samples, MOST_SAMPLES), usualSource)
  }

  private flow(datagram: Datagram, out: FlowBatch, at: number, end: number, expanded: boolean, subAgent: number): void {
    const { flows } = this
    const row = out.rows
    flows.bind(out)
    const status = flows.decode(datagram.view, at, end, expanded, row)
    if (status !== OK) {
      this.fault(status)
      if (status === STATUS.bad_length || status === STATUS.bad_count) return out.truncate(row, row + 1)
    }
    out.rows = row + 1
    fillHeader(this.head, flows.columns, row)
    this.follow(datagram, subAgent, flows.source, flows.sequence, 1)
  }

  /** Flow samples of one source, whose sequence numbers follow each other from `sequence` on. */
  private follow(datagram: Datagram, subAgent: number, source: number, sequence: number, samples: number): void {
    const next = (this.runStart + this.runLength) >>> 0
    if (this.runLength > 0 && source === this.runSource && sequence === next) {
      this.runLength += samples
      return
    }
    this.endRun(datagram, subAgent)
    this.runSource = source
    this.runStart = sequence
    this.runLength = samples
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

  /** Into the head what is the same in all rows. The agent's address is the exporter's where the agent gives none. */
  private readHead(datagram: Datagram, addressBytes: number, subAgent: number, sequence: number): void {
    const { head } = this
    const { view, start, exporter } = datagram
    setSource(head, datagram)
    head[DOMAIN] = subAgent
    head[SEQUENCE] = sequence
    if (addressBytes === 4) {
      head[AGENT] = head[AGENT + 1] = 0
      head[AGENT + 2] = IPV4_MAPPED
      head[AGENT + 3] = view.getUint32(start + 8, true)
    } else {
      for (let lane = 0; lane < 4; lane++)
        head[AGENT + lane] = addressBytes === 0 ? exporter[lane]! : view.getUint32(start + 8 + lane * 4, true)
    }
  }
}

/** What is the same in all rows of a datagram, into one of them. */
function fillHeader(head: Uint32Array, columns: FlowColumns, row: number): void {
  const { u8, u32 } = columns
  for (const time of [columns.flowEnd, columns.flowStart, columns.timeReceived]) {
    u32[time + row * 2] = head[HEAD.receivedLow]!
    u32[time + row * 2 + 1] = head[HEAD.receivedHigh]!
  }
  u8[columns.protocol + row] = PROTOCOL
  u32[columns.domain + row] = head[DOMAIN]!
  u32[columns.sequence + row] = head[SEQUENCE]!
  for (let lane = 0; lane < 4; lane++) {
    u32[columns.exporter + row * 4 + lane] = head[HEAD.exporter + lane]!
    u32[columns.agent + row * 4 + lane] = head[AGENT + lane]!
  }
}
