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
import { FAILED, HEAD, HEAD_WORDS, setHead, setUptime } from '../head.ts'
import { STATUS, type DecodeStatus } from '../status.ts'
import type { Layout } from './layouts.ts'
import { readOptions, type OptionsRecord } from './options.ts'
import { walkRecords } from './records.ts'
import { Samplers } from './samplers.ts'
import { IPFIX, NETFLOW9, readTemplate, type TemplateRecord, type Version } from './template.ts'
import { FOUND_BY, Templates, type TemplateKey, type TemplateLimits } from './templates.ts'

const HEADER = { [IPFIX]: 16, [NETFLOW9]: 20 } as const
const SET_HEADER = 4
const FIRST_DATA_SET = 256

export interface IpfixOptions {
  readonly limits?: Partial<TemplateLimits>
  /**
   * A data set whose template is not known lies in `datagram.bytes[start .. end)` without its header. Called before `decode` returns:
   * copy what you keep.
   */
  readonly onUnknownSet?: (datagram: Datagram, key: Readonly<TemplateKey>, start: number, end: number) => void
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
 * `DecodeSink.sequence` is told, for IPFIX, the data and options records of the message, one for each set without template (so many OVS sends);
 * for v9, which counts messages, 1.
 */
export class IpfixDecoder implements Decoder {
  readonly protocol = 'ipfix'
  readonly templates: Templates
  readonly samplers = new Samplers()
  readonly counters: IpfixCounters = {
    templates: 0,
    withdrawals: 0,
    refused: 0,
    fallBacks: 0,
    unknownSets: 0,
    mismatchedSets: 0,
    walked: 0,
  }

  private readonly sink: DecodeSink
  private readonly onUnknownSet: IpfixOptions['onUnknownSet']
  private readonly head = new Uint32Array(HEAD_WORDS)
  private readonly key: TemplateKey = { exporterId: 0, exporterPort: 0, domain: 0, version: IPFIX, id: 0 }
  private readonly template: TemplateRecord = { id: 0, scopes: -1, start: 0, end: 0, kind: 'broken' }
  private readonly options: OptionsRecord = { samplerId: -1, rate: -1, notSent: -1 }
  /** Of the datagram at hand: the first fault, records seen, the row it may not pass. */
  private status: DecodeStatus = STATUS.ok
  private records = 0
  private lastRow = 0

  constructor(sink: DecodeSink, options: IpfixOptions = {}) {
    this.sink = sink
    this.templates = new Templates(options.limits)
    this.onUnknownSet = options.onUnknownSet
  }

  decode(datagram: Datagram, out: FlowBatch): DecodeStatus {
    const { view, start, end } = datagram
    if (end - start < 2) return STATUS.short_header
    const version = view.getUint16(start)
    if (version !== IPFIX && version !== NETFLOW9) return STATUS.bad_version
    if (end - start < HEADER[version]) return STATUS.short_header
    const firstRow = out.rows
    this.status = STATUS.ok
    this.records = 0
    this.lastRow = firstRow + rowsBound(end - start)
    if (version === IPFIX) this.decodeIpfix(datagram, out)
    else this.decodeNetflow9(datagram, out)
    return this.status === STATUS.ok && out.rows === firstRow ? STATUS.ok_no_rows : this.status
  }

  private decodeIpfix(datagram: Datagram, out: FlowBatch): void {
    const { view, start, end } = datagram
    const length = view.getUint16(start + 2)
    if (length < HEADER[IPFIX]) return this.fault(STATUS.bad_length)
    const sequence = view.getUint32(start + 8)
    const domain = view.getUint32(start + 12)
    setHead(this.head, datagram, view.getUint32(start + 4) * 1000, domain, sequence)
    this.setKey(datagram, IPFIX, domain)
    const messageEnd = start + length
    this.decodeSets(datagram, start + HEADER[IPFIX], Math.min(messageEnd, end), messageEnd > end, out)
    if (messageEnd < end) this.fault(STATUS.bad_length)
    this.sink.sequence(datagram, 'ipfix', domain, sequence, this.records)
  }

  private decodeNetflow9(datagram: Datagram, out: FlowBatch): void {
    const { view, start, end } = datagram
    const sequence = view.getUint32(start + 12)
    const domain = view.getUint32(start + 16)
    setHead(this.head, datagram, view.getUint32(start + 8) * 1000, domain, sequence)
    setUptime(this.head, view.getUint32(start + 4))
    this.setKey(datagram, NETFLOW9, domain)
    this.decodeSets(datagram, start + HEADER[NETFLOW9], end, false, out)
    this.sink.sequence(datagram, 'netflow9', domain, sequence, 1)
  }

  private setKey(datagram: Datagram, version: Version, domain: number): void {
    const { key } = this
    key.exporterId = datagram.exporterId
    key.exporterPort = datagram.exporterPort
    key.domain = domain
    key.version = version
  }

  /** Keeps the first fault of a datagram. */
  private fault(status: DecodeStatus): void {
    if (this.status === STATUS.ok) this.status = status
  }

  /** `cut`: the message goes on after `end`, where the datagram ends. */
  private decodeSets(datagram: Datagram, at: number, end: number, cut: boolean, out: FlowBatch): void {
    const { view } = datagram
    const { key } = this
    const templateSet = key.version === IPFIX ? 2 : 0
    while (end - at >= SET_HEADER) {
      const id = view.getUint16(at)
      const length = view.getUint16(at + 2)
      // Some exporters fill NetFlow v9 up with zeros.
      if (length === 0 && key.version === NETFLOW9 && isZero(datagram.bytes, at, end)) return
      if (length < SET_HEADER) return this.fault(STATUS.bad_length)
      const whole = length <= end - at
      if (!whole && !cut) return this.fault(STATUS.bad_length)
      const setEnd = whole ? at + length : end
      if (id >= FIRST_DATA_SET) this.decodeData(datagram, id, at + SET_HEADER, setEnd, whole, out)
      else if (whole && id === templateSet) this.learnTemplates(datagram, at + SET_HEADER, setEnd, false)
      else if (whole && id === templateSet + 1) this.learnTemplates(datagram, at + SET_HEADER, setEnd, true)
      at = setEnd
    }
    if (cut) this.fault(STATUS.truncated)
  }

  private learnTemplates(datagram: Datagram, at: number, end: number, options: boolean): void {
    const { template, key, templates, counters } = this
    while (end - at >= 4) {
      readTemplate(datagram.view, at, end, key.version, options, templates.limits.maxFields, template)
      switch (template.kind) {
        case 'template':
          key.id = template.id
          templates.learn(key, template.scopes, datagram.bytes, template.start, template.end)
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
      at = template.end
    }
  }

  private decodeData(datagram: Datagram, id: number, at: number, end: number, whole: boolean, out: FlowBatch): void {
    const { key, templates, counters } = this
    key.id = id
    const layout = templates.find(key)
    if (layout === undefined) {
      counters.unknownSets++
      this.records++
      this.fault(STATUS.template_missing)
      if (whole) this.onUnknownSet?.(datagram, key, at, end)
      return
    }
    const fellBack = templates.foundBy !== FOUND_BY.session
    const fits = layout.options
      ? this.readOptions(datagram, layout, at, end)
      : this.decodeRecords(datagram, layout, at, end, whole, fellBack, out)
    if (fellBack) counters.fallBacks++
    if (fits || !whole) return
    counters.mismatchedSets++
    this.records++
    this.fault(STATUS.template_mismatch)
    templates.forget()
  }

  /** False when the records do not fill the set; then none of them is kept, unless the set is cut. */
  private decodeRecords(
    datagram: Datagram,
    layout: Layout,
    at: number,
    end: number,
    whole: boolean,
    fellBack: boolean,
    out: FlowBatch,
  ): boolean {
    const { head } = this
    const { plan } = layout
    const { rows } = out
    const limit = this.lastRow - rows
    const program = this.templates.layouts.programOf(layout, out.layout, Math.ceil((end - at) / plan.minLength))
    let n: number
    if (program === undefined) {
      n = walkRecords(plan, { view: datagram.view, bytes: datagram.bytes, head }, out, rows, at, end, limit)
      this.counters.walked += n
    } else {
      // prettier-ignore
      n = program(datagram.view, datagram.bytes, out.u8, out.u16, out.u32, out.f64, out.strings, head, rows, at, end, limit)
    }
    const failed = head[HEAD.stoppedAt] === FAILED
    const left = failed ? end - at : end - head[HEAD.stoppedAt]!
    const full = !failed && left >= plan.minLength
    const exact = plan.ovs || fellBack
    const fits = full || (!failed && (left === 0 || (exact ? !plan.ovs && left < 4 : n > 0 || left < 4)))
    const kept = fits || !whole ? n : 0
    if (failed || kept < n) out.truncate(rows + kept, rows + n + 1)
    if (!plan.ovs) this.samplers.scale(out, rows, kept, plan.sampling, this.key.exporterId, this.key.domain)
    out.rows = rows + kept
    this.records += kept
    if (full) this.fault(STATUS.too_many_records)
    return fits
  }

  private readOptions(datagram: Datagram, layout: Layout, at: number, end: number): boolean {
    const { options, key, sink } = this
    const plan = layout.optionsPlan
    let n = 0
    for (; end - at >= plan.minLength; n++) {
      at = readOptions(plan, datagram.view, at, end, options)
      if (at < 0) return false
      if (options.notSent >= 0) sink.notSent(datagram, key.domain, options.notSent)
      if (options.rate < 0) continue
      this.samplers.learn(key.exporterId, key.domain, options.samplerId, options.rate)
      sink.samplingRate(datagram, key.domain, options.samplerId, options.rate)
    }
    this.records += n
    return n > 0 || end - at < 4
  }
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false
  return true
}
