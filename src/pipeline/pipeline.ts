/**
 * From datagrams to blocks of rows: decode into the filling batches; when they are full, or `flushAfterMs` after the first row,
 * attribute, encode and hand the block over. One Pipeline belongs to one thread; several run side by side, sharing nothing.
 *
 * Overload is a state: while `maxBlocks` blocks wait to be taken and the batches are full, datagrams are dropped and counted.
 */
import { type Datagram, type Decoder, PROTOCOLS, rowsBound } from '../decode/decoder.ts'
import { DECODE_STATUS, DECODE_STATUS_NAMES, STATUS } from '../decode/status.ts'
import type { DatagramBatch } from '../receive/receiver.ts'
import { FlowBatch, getU64 } from '../schema/batch.ts'
import { type NativeBlock, NativeEncoder } from '../schema/native.ts'
import { StringTable } from '../schema/strings.ts'
import type { SampledLog } from '../telemetry/sampled-log.ts'
import type { Admission } from './admission.ts'
import { PipelineCounters, cameBy, isFault } from './counters.ts'
import { DatagramRun } from './datagram-run.ts'
import { type Decoders, type Input, demultiplex } from './demultiplex.ts'
import { type ExporterTable, formatAddress } from './exporters.ts'
import type { Observations } from './observations.ts'
import { ClockSteps } from './clock-steps.ts'
import type { Clocks } from './clocks.ts'
import { LEFT_OUT, type RecordLimit } from './record-limit.ts'

/** Rows of one FlowBatch; measured best, see schema/batch.ts. A block is made of several. */
const ROWS_PER_BATCH = 16_448
/** A table with more strings than this is replaced after a block, so that names from the network do not pile up. */
const MAX_STRINGS = 200_000
/** More answers of attribution than this are given up after a block: 150 bytes each, and the next block has its own again. */
const MAX_ANSWERS = 1 << 17
/** Faults by exporter, protocol and status that are told apart. */
const MAX_FAULTS = 16_384

/** In place of the place of an exporter. */
const NOT_ALLOWED = -2

/** Protocols whose rows come out of a flow cache, by index. */
const MIRRORED = PROTOCOLS.map((protocol) => protocol === 'gre' || protocol === 'vxlan')

/** A decoder that holds flows back until they time out (mirrored frames). */
export interface HoldingDecoder {
  /** Appends flows whose time is up at `nowMs`, until `out` is full; how many. */
  expire(nowMs: number, out: FlowBatch): number
  /** Appends all flows, until `out` is full; how many. */
  flush(out: FlowBatch): number
  /** Rows that its next call has to find free; 1 where it does not say. */
  readonly needs?: number
  /** The clock was set by so much: times that are kept for their age move with it. */
  stepped?(byMs: number): void
}

export interface PipelineParts {
  decoders: Decoders
  /** Those of the decoders whose rows come later than their datagrams. */
  holding: readonly HoldingDecoder[]
  /** Who may send. */
  admission: Admission
  exporters: ExporterTable
  observations: Observations
  /** How many records of an exporter are kept. */
  recordLimit: RecordLimit
  clocks: Clocks
  /** Fills the columns that attribution owns, in place, or leaves the batch answered. */
  attribute: (batch: FlowBatch) => void
  /**
   * Takes a block over, its memory included; resolves when it is safe (on disk, or given up and counted). Rejecting is a bug.
   */
  emit: (block: NativeBlock) => Promise<void>
  log?: SampledLog
}

export interface PipelineLimits {
  /** Rows of a block. */
  batchRows: number
  flushAfterMs: number
  /** Blocks that may wait in `emit`. */
  maxBlocks: number
  exporterIdleMs: number
  /** Different names from datagrams that one table of strings takes. */
  maxNames?: number
  /** A clock that nobody sets, where `tick` gets that of this machine: so it is noticed when that one is set. */
  steadyMs?: () => number
  /** Blocks are memory that another thread can be given as it lies. */
  sharedBlocks?: boolean
}

export class Pipeline {
  readonly counters: PipelineCounters
  readonly parts: PipelineParts
  /** Makes the blocks. */
  encoder: Pick<NativeEncoder, 'encode'>

  private readonly limits: PipelineLimits
  /** By index into PROTOCOLS. */
  private readonly decoders: readonly Decoder[]
  private readonly datagram: Datagram
  private readonly run = new DatagramRun()
  private batches: FlowBatch[]
  /** Index of the batch being filled; all before it are full. */
  private filling = 0
  /** When the first row of the block came, by the caller's clock; 0 = no rows. */
  private firstRowMs = 0
  private readonly steps: ClockSteps | undefined
  /** Whether rows were marked to be left out since the last block. */
  private marked = false
  private waiting = 0
  private wake: (() => void)[] = []

  constructor(parts: PipelineParts, limits: PipelineLimits) {
    this.parts = parts
    this.limits = limits
    this.encoder = new NativeEncoder(limits.sharedBlocks)
    this.decoders = PROTOCOLS.map((protocol) => parts.decoders[protocol])
    this.counters = new PipelineCounters(MAX_FAULTS, limits.exporterIdleMs)
    this.steps = limits.steadyMs && new ClockSteps(limits.steadyMs)
    this.batches = newBatches(limits.batchRows, limits.maxNames)
    const nothing = new Uint8Array(0)
    this.datagram = {
      bytes: nothing,
      view: new DataView(nothing.buffer),
      start: 0,
      end: 0,
      receivedMs: 0,
      exporter: new Uint32Array(4),
      exporterPort: 0,
      exporterId: 0,
    }
  }

  /** Blocks handed over and not yet safe. */
  get blocksWaiting(): number {
    return this.waiting
  }

  /** Names from datagrams left empty, since the start. */
  get stringsRefused(): number {
    return this.counters.stringsRefused + this.batches[0]!.strings.overflowed
  }

  /** Whether the next datagrams may find no room: `await ready()` helps, where the source can wait. */
  get busy(): boolean {
    return this.waiting >= this.limits.maxBlocks
  }

  /** Decodes the datagrams of a batch, which came to a listener for `input`. Keeps no reference to it. Never throws on input. */
  feed(input: Input, batch: DatagramBatch): void {
    const { datagram } = this
    const { count, start, end, source, sourcePort, receivedMs } = batch
    datagram.bytes = batch.bytes
    datagram.view = batch.view
    datagram.receivedMs = receivedMs
    let place = -1
    for (let i = 0; i < count; i++) {
      const lane = i * 4
      // Bursts come from one.
      if (place < 0 || !sameAddress(source, lane - 4, lane)) place = this.senderAt(source, lane, receivedMs)
      if (place < 0) {
        this.turnAway(place, source, lane, receivedMs)
        continue
      }
      datagram.start = start[i]!
      datagram.end = end[i]!
      datagram.exporterPort = sourcePort[i]!
      this.decode(input, place)
    }
    this.endRun()
  }

  /** Place of the exporter at `source[at .. at+4)`, from now on that of `datagram`; NOT_ALLOWED, or -1 when there is none left. */
  private senderAt(source: Uint32Array, at: number, nowMs: number): number {
    const { admission, exporters } = this.parts
    if (!admission.admits(source, at)) return NOT_ALLOWED
    const place = exporters.placeOf(source, at, nowMs)
    if (place < 0) return -1
    const { exporter } = this.datagram
    this.datagram.exporterId = exporters.idAt(place)
    for (let lane = 0; lane < 4; lane++) exporter[lane] = exporters.address[place * 4 + lane]!
    return place
  }

  private turnAway(place: number, source: Uint32Array, at: number, nowMs: number): void {
    if (place === NOT_ALLOWED) return this.refuse(source, at, nowMs)
    this.counters.dropped.exporters++
    this.parts.observations.health.addToNobody('refused_drops', 1)
  }

  /** To be called often with the clock: writes flows that timed out, and a block whose time has come. */
  tick(nowMs: number): void {
    const { holding, observations } = this.parts
    // The clock was set back: what came before it is not of the future.
    if (this.firstRowMs > nowMs) this.firstRowMs = nowMs
    this.followClock(nowMs)
    observations.settle(nowMs)
    for (const decoder of holding) this.fill(decoder, (out) => void decoder.expire(nowMs, out), nowMs)
    if (this.firstRowMs !== 0 && nowMs - this.firstRowMs >= this.limits.flushAfterMs) this.seal()
  }

  /** A clock that was set makes nothing older or younger: what is held keeps its age. */
  private followClock(nowMs: number): void {
    const stepMs = this.steps?.look(nowMs) ?? 0
    if (stepMs === 0) return
    this.counters.clockSteps++
    for (const decoder of this.parts.holding) decoder.stepped?.(stepMs)
    this.parts.log?.warn(
      { seconds: Math.round(stepMs / 1000) },
      'the clock of this machine was set (ahead; negative: back)',
    )
  }

  /** Writes everything that is held, and resolves when it is safe. Nothing may be fed meanwhile. */
  async flush(): Promise<void> {
    for (const decoder of this.parts.holding)
      while (!this.fill(decoder, (out) => void decoder.flush(out), 1)) await this.ready()
    while (this.firstRowMs !== 0 && !this.seal()) await this.ready()
    while (this.waiting > 0) await this.taken()
  }

  /** Resolves when a further block can be handed over. */
  async ready(): Promise<void> {
    while (this.busy) await this.taken()
  }

  private decode(input: Input, place: number): void {
    const { datagram, run } = this
    const { observations, clocks } = this.parts
    const { view, start, end, receivedMs, exporterId } = datagram
    const length = end - start
    const code = demultiplex(input, view, start, end)
    const out = this.room(rowsBound(length))
    if (out === undefined) {
      this.counters.dropped.overload++
      observations.health.add('overload_drops', exporterId, code, 0, 1, receivedMs)
      return
    }
    const before = out.rows
    const status = this.decoders[code]!.decode(datagram, out)
    const rows = out.rows - before
    if (rows > 0 && this.firstRowMs === 0) this.firstRowMs = receivedMs
    const health = observations.health.ofDecoded(exporterId, code, receivedMs)
    // What a flow cache writes meanwhile may be of anybody.
    const ofOthers = rows > 0 && MIRRORED[code] === true
    const known = clocks.knows(place, code, view, start, receivedMs)
    if (known && !ofOthers && run.goesOn(place, code, status, health, out)) {
      run.datagrams++
      run.bytes += length
      run.rows += rows
      return
    }
    this.endRun()
    if (isFault(status)) this.fault(place, code, status)
    else if (!known && clocks.read(place, code, view, start, receivedMs)) this.warnOfClock(place, receivedMs)
    run.begin(place, code, status, health, out, rows, length)
    if (isFault(status) || ofOthers) this.endRun()
  }

  /** Counts the datagrams of the run, and looks at their rows. */
  private endRun(): void {
    const { run } = this
    if (run.datagrams === 0) return
    const { exporters, observations } = this.parts
    const { place, protocol, out, from, rows } = run
    const { receivedMs } = this.datagram
    run.count(this.counters, exporters, observations.health)
    run.datagrams = 0
    if (rows === 0 || out === undefined) return
    if (MIRRORED[protocol] === true) this.lookAtHeld(out, from, receivedMs)
    else this.look(out, from, from + rows, place, run.health, receivedMs)
  }

  /** Moves impossible times of rows `from … to − 1`, all of one exporter, and marks those beyond its rate limit. */
  private look(out: FlowBatch, from: number, to: number, place: number, healthAt: number, nowMs: number): void {
    const { clocks, recordLimit, observations } = this.parts
    const moved = clocks.check(out.columns, from, to, place)
    if (moved > 0) observations.health.addAt(healthAt, 'clock_moved', moved)
    const leftOut = recordLimit.mark(out.columns, from, to, place, nowMs)
    if (leftOut === 0) return
    this.marked = true
    observations.health.addAt(healthAt, 'limited', leftOut)
    this.warnOfLimit(place, nowMs)
  }

  /** The same for rows that were held back, each of an exporter of its own. */
  private lookAtHeld({ columns, rows }: FlowBatch, from: number, nowMs: number): void {
    const { clocks, recordLimit, exporters, observations } = this.parts
    const { exporter, export_protocol, observation_domain } = columns
    for (let row = from; row < rows; row++) {
      const place = exporters.find(exporter, row * 4)
      const moved = clocks.check(columns, row, row + 1, place)
      const leftOut = place < 0 ? 0 : recordLimit.mark(columns, row, row + 1, place, nowMs)
      if (moved + leftOut === 0) continue
      if (leftOut > 0) {
        this.marked = true
        this.warnOfLimit(place, nowMs)
      }
      const protocol = cameBy(export_protocol[row]!)
      const domain = MIRRORED[protocol] === true ? 0 : observation_domain[row]!
      const id = place < 0 ? -1 : exporters.idAt(place)
      for (const [count, by] of [
        ['clock_moved', moved],
        ['limited', leftOut],
      ] as const) {
        if (by === 0) continue
        if (id < 0) observations.health.addToNobody(count, by)
        else observations.health.add(count, id, protocol, domain, by, nowMs)
      }
    }
  }

  private warnOfLimit(place: number, nowMs: number): void {
    const { log, recordLimit, exporters } = this.parts
    if (log?.wants('exporter_limit', nowMs) !== true) return
    const fields = { exporter: formatAddress(exporters.address, place * 4), kept_one_in: recordLimit.keptOneIn(place) }
    log.warn(fields, 'an exporter sends more records than exporter_limit: some are left out, the others stand for them')
  }

  private warnOfClock(place: number, nowMs: number): void {
    const { log, clocks, exporters } = this.parts
    if (clocks.options.rule === 'trust' || log?.wants('clock', nowMs) !== true) return
    const seconds = Math.round(clocks.offsetMs[place]! / 1000)
    const fields = { exporter: formatAddress(exporters.address, place * 4), seconds }
    log.warn(
      fields,
      'the clock of an exporter is off (ahead; negative: behind): exporter_clocks says what becomes of its times',
    )
  }

  /** A set of IPFIX or NetFlow v9 that was held for its template is done with: `rows` of it, or -1 when it is lost. */
  settled(exporterId: number, protocol: number, domain: number, rows: number, nowMs: number): void {
    const { health } = this.parts.observations
    if (rows >= 0) return health.add('records', exporterId, protocol, domain, rows, nowMs)
    const place = this.parts.exporters.placeOfId(exporterId)
    if (place >= 0) this.parts.exporters.faults[place]!++
    this.counters.fault(exporterId, protocol, STATUS.template_missing, nowMs)
    health.fault(exporterId, protocol, domain, STATUS.template_missing, nowMs)
  }

  private refuse(source: Uint32Array, at: number, nowMs: number): void {
    const { admission, log } = this.parts
    this.counters.dropped.not_allowed++
    if (!admission.refuse(source, at, nowMs) || log?.wants('not_allowed', nowMs) !== true) return
    log.warn({ sender: formatAddress(source, at) }, 'datagrams dropped: their sender may not send (allow, allow_hosts)')
  }

  private fault(place: number, protocol: number, status: number): void {
    const { exporterId, exporter, exporterPort, receivedMs, start, end } = this.datagram
    const { exporters, log } = this.parts
    exporters.faults[place]!++
    this.counters.fault(exporterId, protocol, status, receivedMs)
    const kind = `${PROTOCOLS[protocol]} ${DECODE_STATUS_NAMES[status]}`
    if (log?.wants(kind, receivedMs) !== true) return
    const name = DECODE_STATUS_NAMES[status]!
    log.warn(
      {
        exporter: formatAddress(exporter),
        port: exporterPort,
        protocol: PROTOCOLS[protocol],
        status: name,
        length: end - start,
      },
      DECODE_STATUS[name],
    )
  }

  /** A batch with room for `rows`, or undefined while none is free. */
  private room(rows: number): FlowBatch | undefined {
    const current = this.batches[this.filling]!
    if (current.free >= rows) return current
    this.endRun()
    if (this.marked) {
      current.removeRows('kept_one_in', LEFT_OUT)
      if (current.free >= rows) return current
    }
    if (this.filling + 1 < this.batches.length) this.filling++
    else if (!this.seal()) return undefined
    return this.batches[this.filling]!
  }

  /** Lets `write` fill batches until it leaves room in one; false when no batch is free before. */
  private fill(decoder: HoldingDecoder, write: (out: FlowBatch) => void, nowMs: number): boolean {
    for (;;) {
      const out = this.room(decoder.needs ?? 1)
      if (out === undefined) return false
      const before = out.rows
      write(out)
      this.countHeldBack(out, before)
      if (out.rows > before) this.lookAtHeld(out, before, Math.max(nowMs, getU64(out.columns.time_received, before)))
      if (out.rows > before && this.firstRowMs === 0) this.firstRowMs = nowMs
      if (out.free >= (decoder.needs ?? 1)) return true
    }
  }

  private countHeldBack(out: FlowBatch, before: number): void {
    const { export_protocol } = out.columns
    for (let row = before; row < out.rows; row++) this.counters.heldBack(export_protocol[row]!)
  }

  /** Attributes, encodes and hands over what is filled; false while too many blocks wait. */
  private seal(): boolean {
    if (this.busy) return false
    const begun = this.batches.slice(0, this.filling + 1)
    if (this.marked) for (const batch of begun) batch.removeRows('kept_one_in', LEFT_OUT)
    this.marked = false
    const filled = begun.filter((batch) => batch.rows > 0)
    this.filling = 0
    this.firstRowMs = 0
    if (filled.length === 0) return true
    for (const batch of filled) this.parts.attribute(batch)
    const block = this.encoder.encode(filled)
    this.counters.blocks++
    this.waiting++
    void this.parts.emit(block).then(() => this.onTaken())
    for (const batch of filled) batch.reset(block.columns)
    if (filled[0]!.answers.count > MAX_ANSWERS) filled[0]!.answers.clear()
    this.turnStrings()
    return true
  }

  /** Starts a new table of strings when the old one has grown; batches and their tables go together. */
  private turnStrings(): void {
    const { strings } = this.batches[0]!
    if (strings.overflowed === 0 && strings.size <= MAX_STRINGS) return
    this.counters.stringsRefused += strings.overflowed
    this.batches = newBatches(this.limits.batchRows, this.limits.maxNames)
  }

  private onTaken(): void {
    this.waiting--
    const { wake } = this
    this.wake = []
    for (const resolve of wake) resolve()
  }

  private taken(): Promise<void> {
    return this.waiting === 0 ? Promise.resolve() : new Promise((resolve) => void this.wake.push(resolve))
  }
}

/** Whether two addresses of four lanes are the same. The last lane is where those of IPv4 differ. */
function sameAddress(lanes: Uint32Array, a: number, b: number): boolean {
  return (
    lanes[a + 3] === lanes[b + 3] &&
    lanes[a + 2] === lanes[b + 2] &&
    lanes[a + 1] === lanes[b + 1] &&
    lanes[a] === lanes[b]
  )
}

function newBatches(rows: number, maxNames?: number): FlowBatch[] {
  const count = Math.max(1, Math.round(rows / ROWS_PER_BATCH))
  return FlowBatch.several(count, ROWS_PER_BATCH, new StringTable(maxNames))
}
