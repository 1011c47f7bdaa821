/**
 * IPFIX (RFC 7011) and NetFlow v9 (RFC 3954), which share templates and elements. Big-endian.
 *
 *   IPFIX header   16 bytes   version u16 = 10 | length u16 of the message | exportTime u32 s | sequence u32 | domain u32
 *   v9 header      20 bytes   version u16 = 9 | count u16 | sysUptime u32 ms | unixSecs u32 | sequence u32 | sourceId u32
 *   set                       id u16 | length u16 with these four | templates, options templates or data records | padding
 *   set id                    2, 3 in IPFIX and 0, 1 in v9: templates, options templates; from 256: data by that template
 */
import type { FlowBatch } from '../../schema/batch.ts'
import { rowsBound, type Datagram, type DecodeSink, type Decoder } from '../decoder.ts'
import { FAILED, HEAD, HEAD_WORDS, setSource, setTime, setUptime } from '../head.ts'
import { Programs, type ProgramLimits } from '../programs.ts'
import type { Program } from '../source.ts'
import { STATUS, type DecodeStatus } from '../status.ts'
import { LateSets, type LateLimits, type OnSettled } from './late.ts'
import { LAYOUT_KIND, type Layout } from './layouts.ts'
import { readOptions, type OptionsRecord } from './options.ts'
import type { Plan } from './plan.ts'
import { looksLikeOvs, Presumptions, rowFits } from './presumed.ts'
import { walkRecords } from './records.ts'
import { Samplers } from './samplers.ts'
import { IPFIX, NETFLOW9, readTemplate, type TemplateRecord, type Version } from './template.ts'
import type { TemplateLimits } from './template-limits.ts'
import { FOUND_BY, Templates } from './templates.ts'

const IPFIX_HEADER = 16
const NETFLOW9_HEADER = 20
const SET_HEADER = 4
const SINGLE_HEADER = IPFIX_HEADER + SET_HEADER
const TEMPLATE_SET = { [IPFIX]: 2, [NETFLOW9]: 0 } as const
const OPTIONS_TEMPLATE_SET = { [IPFIX]: 3, [NETFLOW9]: 1 } as const
const FIRST_DATA_SET = 256

// V8 folds constants of the module itself into compiled code, imported ones it reads each time.
const OK = STATUS.ok
const STOPPED_AT = HEAD.stoppedAt
const DOMAIN = HEAD.domain
const SEQUENCE = HEAD.sequence
const BY_SESSION = FOUND_BY.session
const OPTIONS = LAYOUT_KIND.options
const VERSION_WORD = IPFIX << 16
const rowBound = rowsBound
/** Earlier times in a header are none, see `setTime`. */
const FIRST_SECONDS = 4_294_968

export interface IpfixOptions {
  readonly limits?: Partial<TemplateLimits & ProgramLimits>
  /** Data that comes before its template is held within these; without it, it is lost at once. */
  readonly late?: Partial<LateLimits>
  /** A set that was held is done with. */
  readonly onSettled?: OnSettled
  /** Take the layouts that Open vSwitch is known to send where no template has come, if the record proves to be one (default). */
  readonly presume?: boolean
}

/** Running totals of a decoder, for metrics. */
export interface IpfixCounters {
  templates: number
  withdrawals: number
  refused: number
  /** Sets decoded by a template of another session of their exporter. */
  fallBacks: number
  unknownSets: number
  mismatchedSets: number
  /** Records decoded field by field, because their layout is rare. */
  walked: number
  /** Sets decoded by a layout known beforehand, and how many of these layouts a first template then confirmed or refuted. */
  presumed: number
  presumedConfirmed: number
  presumedRefuted: number
}

/**
 * Decodes both versions. Rows are OVS's or another exporter's, told by their template (`OVS_MARKS`):
 *
 * OVS: counts are scaled by the sampling rate already and sampling_rate stays 0, for attribution to set from the model;
 * `bytes_variance` holds octetDeltaSumOfSquares, Σ of the scaled squares, which attribution, once it knows the rate, turns into
 * the variance. A record fills its set exactly.
 *
 * Others: counts are multiplied by the rate that options data or the record give, `samples` keeps the packets as they came;
 * without a rate sampling_rate is 0. Octets are layer 3.
 *
 * `DecodeSink.sequence` is told, for IPFIX, how many data and options records the message has, one for each set that could not be
 * decoded (so many OVS sends); for v9, which counts messages, 1.
 */
export class IpfixDecoder implements Decoder {
  readonly protocol = 'ipfix'
  readonly templates: Templates
  readonly programs: Programs
  readonly samplers = new Samplers()
  readonly counters: IpfixCounters = {
    templates: 0,
    withdrawals: 0,
    refused: 0,
    fallBacks: 0,
    unknownSets: 0,
    mismatchedSets: 0,
    walked: 0,
    presumed: 0,
    presumedConfirmed: 0,
    presumedRefuted: 0,
  }

  /** What is held for its template; undefined when nothing is. */
  readonly late: LateSets | undefined
  private readonly sink: DecodeSink
  private readonly presumptions: Presumptions | undefined
  private readonly head = new Uint32Array(HEAD_WORDS)
  private readonly template: TemplateRecord = { id: 0, scopes: -1, start: 0, end: 0, kind: 'broken' }
  private readonly options: OptionsRecord = { samplerId: -1, rate: -1, notSent: -1 }
  /** Of the datagram at hand: the first fault, records of its message, the row it may not pass. */
  private status: DecodeStatus = OK
  private records = 0
  private lastRow = 0
  /** Where its message begins, and of which version it is. */
  private message = 0
  private version: Version = IPFIX
  /** What is decoded was held before: the sink and the counters know of it already. */
  private held = false
  /** Whose words stand in the head. */
  private headOf = -1
  private headReceivedMs = NaN

  constructor(sink: DecodeSink, options: IpfixOptions = {}) {
    this.sink = sink
    this.programs = new Programs(this.head, options.limits)
    this.templates = new Templates(options.limits, ({ index }) => this.programs.drop(index))
    this.late =
      options.late &&
      new LateSets(options.late, (datagram, out) => this.decodeHeld(datagram, out), options.onSettled ?? (() => {}))
    this.presumptions = options.presume === false ? undefined : new Presumptions(this.templates.layouts)
  }

  decode(datagram: Datagram, out: FlowBatch): DecodeStatus {
    return this.decodeSingle(datagram, out) ? OK : this.decodeAny(datagram, out)
  }

  /** Rows that the next call of `expire` or `flush` needs free. */
  get needs(): number {
    return this.late?.needs ?? 1
  }

  /** Appends rows of what was held for templates that have come, and gives up what is too old, templates too; how many. */
  expire(nowMs: number, out: FlowBatch): number {
    this.templates.expire(nowMs)
    return this.late?.expire(nowMs, out) ?? 0
  }

  /** The clock was set by so much: neither templates nor what waits for them age by it. */
  stepped(byMs: number): void {
    this.late?.stepped(byMs)
    this.templates.stepped(byMs)
  }

  /** The same at the end: what has no template then is lost. */
  flush(out: FlowBatch): number {
    return this.late?.flush(out) ?? 0
  }

  /** A message that was held: the rows it gave now, or -1 while its template is not known. */
  private decodeHeld(datagram: Datagram, out: FlowBatch): number {
    const before = out.rows
    this.held = true
    this.decodeAny(datagram, out)
    this.held = false
    return this.status === STATUS.template_missing ? -1 : out.rows - before
  }

  private decodeAny(datagram: Datagram, out: FlowBatch): DecodeStatus {
    const { view, start, end } = datagram
    if (end - start < 2) return STATUS.short_header
    this.programs.select(out.memory, view)
    this.templates.begin()
    const firstRow = out.rows
    this.status = OK
    this.lastRow = firstRow + rowsBound(end - start)
    const version = view.getUint16(start)
    if (version === IPFIX) this.decodeIpfix(datagram, out)
    else if (version === NETFLOW9) this.decodeNetflow9(datagram, out)
    else return STATUS.bad_version
    return this.status === OK && out.rows === firstRow ? STATUS.ok_no_rows : this.status
  }

  /**
   * The usual datagram, all that OVS sends but templates: one IPFIX message of one data set whose program is at hand. False when it is
   * another, or its records do not end with the set; nothing is done then.
   *
   * Measured: what a message costs beside its records, 50 ns, and 110 the general way.
   */
  private decodeSingle(datagram: Datagram, out: FlowBatch): boolean {
    const { view, start, end, exporterId } = datagram
    const length = (end - start) | 0
    if (length <= SINGLE_HEADER || view.getInt32(start) !== (VERSION_WORD | length)) return false
    const set = view.getInt32((start + IPFIX_HEADER) | 0)
    if ((set & 0xffff) !== ((length - IPFIX_HEADER) | 0)) return false
    const domain = view.getInt32((start + 12) | 0)
    const layout = this.templates.findOwn(exporterId, datagram.exporterPort, domain, set >>> 16)
    if (layout === undefined) return false
    const { program, programOf } = layout
    if (program === undefined || programOf!.memory !== out.memory || programOf!.view !== view) return false
    if (view.getUint32((start + 4) | 0) < FIRST_SECONDS) return false
    const { head } = this
    if (exporterId !== this.headOf || datagram.receivedMs !== this.headReceivedMs) this.setSource(datagram)
    const { rows } = out
    const n = program(out.base + rows, start + SINGLE_HEADER, end, rowBound(length), start)
    if (head[STOPPED_AT] !== end) {
      out.truncate(rows, rows + n + 1)
      return false
    }
    if (!layout.ovs) this.samplers.scale(out, rows, n, layout.plan.sampling, exporterId, domain)
    out.rows = rows + n
    this.sink.sequence(datagram, 'ipfix', domain >>> 0, view.getUint32((start + 8) | 0), n)
    return true
  }

  /** The words of the head that are the same for all messages of an exporter that came at one time. */
  private setSource(datagram: Datagram): void {
    setSource(this.head, datagram)
    this.headOf = datagram.exporterId
    this.headReceivedMs = datagram.receivedMs
  }

  /** A datagram is one message, but some exporters send several, and a file (RFC 5655) is nothing else. */
  private decodeIpfix(datagram: Datagram, out: FlowBatch): void {
    const { view, start, end } = datagram
    if (end - start < IPFIX_HEADER) return this.fault(STATUS.short_header)
    let at = start
    do at = this.decodeMessage(datagram, at, out)
    while (end - at >= IPFIX_HEADER && view.getUint16(at) === IPFIX)
    if (at < end) this.fault(STATUS.bad_length)
  }

  /** The IPFIX message at `start`, whose header is whole; returns where it ends. */
  private decodeMessage(datagram: Datagram, start: number, out: FlowBatch): number {
    const { view, end } = datagram
    const { head } = this
    this.message = start
    this.version = IPFIX
    const length = view.getUint16(start + 2)
    if (length < IPFIX_HEADER) {
      this.fault(STATUS.bad_length)
      return end
    }
    const sequence = view.getInt32(start + 8)
    const domain = view.getInt32(start + 12)
    this.setSource(datagram)
    setTime(head, view.getUint32(start + 4) * 1000, datagram.receivedMs)
    head[DOMAIN] = domain
    head[SEQUENCE] = sequence
    this.templates.select(datagram.exporterId, datagram.exporterPort, domain, IPFIX)
    this.records = 0
    const cut = length > end - start
    const messageEnd = cut ? end : start + length
    this.decodeSets(datagram, IPFIX, start + IPFIX_HEADER, messageEnd, cut, out)
    if (!this.held) this.sink.sequence(datagram, 'ipfix', domain >>> 0, sequence >>> 0, this.records)
    return messageEnd
  }

  private decodeNetflow9(datagram: Datagram, out: FlowBatch): void {
    const { view, start, end } = datagram
    if (end - start < NETFLOW9_HEADER) return this.fault(STATUS.short_header)
    const sequence = view.getInt32(start + 12)
    const domain = view.getInt32(start + 16)
    const { head } = this
    this.message = start
    this.version = NETFLOW9
    this.setSource(datagram)
    setTime(head, view.getUint32(start + 8) * 1000, datagram.receivedMs)
    head[DOMAIN] = domain
    head[SEQUENCE] = sequence
    setUptime(head, view.getUint32(start + 4))
    this.templates.select(datagram.exporterId, datagram.exporterPort, domain, NETFLOW9)
    this.decodeSets(datagram, NETFLOW9, start + NETFLOW9_HEADER, end, false, out)
    if (!this.held) this.sink.sequence(datagram, 'netflow9', domain >>> 0, sequence >>> 0, 1)
  }

  /** Keeps the first fault of a datagram. */
  private fault(status: DecodeStatus): void {
    if (this.status === OK) this.status = status
  }

  /** `cut`: the message goes on after `end`, where the datagram ends. */
  private decodeSets(
    datagram: Datagram,
    version: Version,
    start: number,
    end: number,
    cut: boolean,
    out: FlowBatch,
  ): void {
    const { view } = datagram
    for (let at = start; end - at >= SET_HEADER;) {
      const id = view.getUint16(at)
      const length = view.getUint16(at + 2)
      const whole = length <= end - at
      if (length < SET_HEADER || !(whole || cut)) {
        // Some exporters fill NetFlow v9 up with zeros.
        if (version !== NETFLOW9 || !isZero(datagram.bytes, at, end)) this.fault(STATUS.bad_length)
        return
      }
      const setEnd = whole ? at + length : end
      if (id >= FIRST_DATA_SET) this.decodeData(datagram, id, at + SET_HEADER, setEnd, whole, out)
      else if (whole) this.learnTemplates(datagram, version, id, at + SET_HEADER, setEnd)
      at = setEnd
    }
    if (cut) this.fault(STATUS.truncated)
  }

  /** Sets with the ids that are reserved are passed over. */
  private learnTemplates(datagram: Datagram, version: Version, setId: number, start: number, end: number): void {
    const { template, templates, counters } = this
    const options = setId === OPTIONS_TEMPLATE_SET[version]
    if (!options && setId !== TEMPLATE_SET[version]) return
    templates.nowS = Math.floor(datagram.receivedMs / 1000)
    for (let at = start; end - at >= 4; at = template.end) {
      readTemplate(datagram.view, at, end, version, options, templates.limits.maxFields, template)
      switch (template.kind) {
        case 'template':
          if (templates.learn(template.id, template.scopes, datagram.bytes, template.start, template.end))
            this.learned()
          counters.templates++
          break
        case 'withdrawal':
          counters.withdrawals++
          break
        case 'refused':
          counters.refused++
          this.fault(STATUS.template_invalid)
          break
        case 'broken':
          counters.refused++
          return this.fault(STATUS.template_invalid)
        case 'padding':
          return
      }
    }
  }

  /** The template just read says something new. */
  private learned(): void {
    const { template, templates, presumptions, counters, version } = this
    this.late?.templateCame()
    if (version !== IPFIX || presumptions?.awaits(template.id) !== true) return
    if (presumptions.meets(template.id, templates.specOf(template.id))) counters.presumedConfirmed++
    else counters.presumedRefuted++
  }

  private decodeData(datagram: Datagram, id: number, at: number, end: number, whole: boolean, out: FlowBatch): void {
    const layout = this.templates.find(id)
    if (layout === undefined) {
      if (!whole || !this.presume(datagram, id, at, end, out)) this.unknownSet(datagram, at, end, whole)
      return
    }
    if (this.templates.foundBy !== BY_SESSION) this.counters.fallBacks++
    if (layout.kind === OPTIONS) return this.readOptions(datagram, layout, at, end, whole)
    const { head } = this
    const { rows } = out
    const n = this.decodeRecords(datagram, layout, at, end, out)
    if (head[STOPPED_AT] !== end && !this.fits(layout.plan, end, n)) {
      // Of a cut set the records that are whole stay.
      out.truncate(whole ? rows : rows + n, rows + n + 1)
      if (whole) return this.mismatch()
    }
    if (!layout.plan.ovs) this.samplers.scale(out, rows, n, layout.plan.sampling, datagram.exporterId, head[DOMAIN]!)
    out.rows = rows + n
    this.records += n
  }

  /** Writes rows for the records of a set, behind those of `out`; how many. */
  private decodeRecords(datagram: Datagram, layout: Layout, at: number, end: number, out: FlowBatch): number {
    const { rows } = out
    const limit = this.lastRow - rows
    const program = layout.programOf === this.programs.current ? layout.program : this.findProgram(layout, end - at)
    return program === undefined
      ? this.walk(datagram, layout.plan, at, end, limit, out)
      : program(out.base + rows, at, end, limit, this.message)
  }

  /** The last resort for a set without template: a layout that Open vSwitch is known to send. It must prove to be one. */
  private presume(datagram: Datagram, id: number, at: number, end: number, out: FlowBatch): boolean {
    const { presumptions, head } = this
    if (presumptions === undefined || this.version !== IPFIX || !looksLikeOvs(datagram.view, id, at, end)) return false
    const { rows } = out
    for (const layout of presumptions.layoutsOf(id)) {
      const n = this.decodeRecords(datagram, layout, at, end, out)
      if (n === 1 && head[STOPPED_AT] === end && rowFits(out, rows, id)) {
        presumptions.used(id)
        this.counters.presumed++
        out.rows = rows + 1
        this.records++
        return true
      }
      out.truncate(rows, rows + n + 1)
    }
    return false
  }

  private walk(datagram: Datagram, plan: Plan, at: number, end: number, limit: number, out: FlowBatch): number {
    const n = walkRecords(
      plan,
      { view: datagram.view, bytes: datagram.bytes, head: this.head },
      out,
      out.rows,
      at,
      end,
      limit,
    )
    this.counters.walked += n
    return n
  }

  private findProgram(layout: Layout, bytes: number): Program | undefined {
    const { programs } = this
    const program =
      programs.find(layout.index) ??
      programs.want(layout.index, Math.ceil(bytes / layout.plan.minLength), layout.source)
    layout.program = program
    layout.programOf = program === undefined ? undefined : programs.current
    return program
  }

  private unknownSet(datagram: Datagram, at: number, end: number, whole: boolean): void {
    if (this.held) return this.fault(STATUS.template_missing)
    this.counters.unknownSets++
    this.records++
    const kept = whole && this.late?.hold(datagram, this.message, at - SET_HEADER, end) === true
    this.fault(kept ? STATUS.template_awaited : STATUS.template_missing)
  }

  /** Whether records that do not end with their set can be all of it: padding follows, or more records than are taken. */
  private fits(plan: Plan, end: number, n: number): boolean {
    const stoppedAt = this.head[STOPPED_AT]!
    if (stoppedAt === FAILED) return false
    const left = end - stoppedAt
    if (left >= plan.minLength) {
      this.fault(STATUS.too_many_records)
      return true
    }
    // OVS never pads, and found by fall-back a template has to prove that it is the right one.
    const strict = plan.ovs || this.templates.foundBy !== BY_SESSION
    return left < 4 ? !plan.ovs : n > 0 && !strict
  }

  private mismatch(): void {
    this.counters.mismatchedSets++
    this.records++
    this.fault(STATUS.template_mismatch)
    this.templates.forget()
  }

  private readOptions(datagram: Datagram, layout: Layout, start: number, end: number, whole: boolean): void {
    const { options, samplers, sink } = this
    const domain = this.head[DOMAIN]!
    const plan = layout.optionsPlan
    for (let at = start; end - at >= plan.minLength; this.records++) {
      at = readOptions(plan, datagram.view, at, end, options)
      if (at < 0) return whole ? this.mismatch() : undefined
      if (options.notSent >= 0) sink.notSent(datagram, domain, options.notSent)
      if (options.rate < 0) continue
      samplers.learn(datagram.exporterId, domain, options.samplerId, options.rate)
      sink.samplingRate(datagram, domain, options.samplerId, options.rate)
    }
  }
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false
  return true
}
