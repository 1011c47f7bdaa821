/**
 * What each exporter delivered and what of it was lost, by protocol and domain, until it is written as rows of `exporter_health`.
 * Bounded: what finds no place is counted under no exporter, so that sums still hold.
 */
import { PROTOCOLS } from '../decode/decoder.ts'
import { DECODE_STATUS_NAMES } from '../decode/status.ts'
import type { SideRow } from '../schema/rows.ts'
import { HEALTH_COUNTS, type HEALTH_TABLE, type HealthCount } from '../schema/side-tables.ts'
import { isFault } from './counters.ts'
import type { ExporterTable } from './exporters.ts'
import { KeyTable } from './key-table.ts'
import { RecentStreams } from './recent-streams.ts'

const COUNTS = HEALTH_COUNTS.length
const AT = Object.fromEntries(HEALTH_COUNTS.map((name, i) => [name, i])) as Readonly<Record<HealthCount, number>>

// V8 folds numbers of the module itself into compiled code; properties of an object it reads each time.
const { datagrams: DATAGRAMS, bytes: BYTES, records: RECORDS, expected: EXPECTED, mixed: MIXED, samples: SAMPLES } = AT

/** Places and reasons told apart between two writes; beyond it a fault counts without its exporter. */
const MAX_FAULTS = 16_384
const STATUSES = DECODE_STATUS_NAMES.length

export type HealthRow = SideRow<typeof HEALTH_TABLE>
/** What is known of exporters when rows are written. */
export interface Known {
  /** Name of the host that has an address of four lanes, empty when it is none. */
  host(lanes: Uint32Array): string
  /** How far the clock of the exporter at a place is ahead, ms; NaN = not known. */
  clockOffset(place: number): number
  /** Templates held of an exporter, by its id. */
  templates(exporterId: number): number
}

/** Protocols whose data needs templates. */
const TEMPLATED: readonly number[] = [PROTOCOLS.indexOf('netflow9'), PROTOCOLS.indexOf('ipfix')]
/** Frames that are held back as flows: each is a record when it is read. */
const MIRRORED = PROTOCOLS.map((protocol) => protocol === 'gre' || protocol === 'vxlan')

export class HealthRecorder {
  private readonly exporters: ExporterTable
  /** Of what was counted since the last write alone: a flood of domains takes nobody's place for longer. */
  private readonly table: KeyTable
  /** The place behind the last is nobody's. */
  private readonly counts: Float64Array
  private readonly faults = new Map<number, number>()
  private readonly recent: RecentStreams
  /** Place of the datagram being decoded, once its domain is known. */
  private current = -1

  constructor(exporters: ExporterTable, max: number) {
    this.exporters = exporters
    this.table = new KeyTable(max, Infinity)
    this.recent = new RecentStreams(this.table)
    this.counts = new Float64Array((max + 1) * COUNTS)
  }

  /** Adds to a count of an exporter (by its id), a protocol (index into PROTOCOLS) and a domain. */
  add(count: HealthCount, exporterId: number, protocol: number, domain: number, by: number, nowMs: number): void {
    this.counts[this.placeOf(exporterId, protocol, domain, nowMs) * COUNTS + AT[count]]! += by
  }

  /** Adds to a count of nobody in particular. */
  addToNobody(count: HealthCount, by: number): void {
    this.counts[this.table.max * COUNTS + AT[count]]! += by
  }

  /** The datagram being decoded is of this domain, and advances its sequence by `records` (-1 = not known). */
  sequenced(
    exporterId: number,
    protocol: number,
    domain: number,
    records: number,
    mixed: boolean,
    nowMs: number,
  ): void {
    this.current = this.placeOf(exporterId, protocol, domain, nowMs)
    const at = this.current * COUNTS
    this.counts[at + EXPECTED]! += records < 0 ? 1 : records
    if (mixed) this.counts[at + MIXED]! += 1
  }

  /** `samples` came with the datagram being decoded, whose domain is known. */
  sampled(exporterId: number, protocol: number, domain: number, samples: number, nowMs: number): void {
    const place = this.current >= 0 ? this.current : this.placeOf(exporterId, protocol, domain, nowMs)
    this.counts[place * COUNTS + SAMPLES]! += samples
  }

  /** The place of the datagram that was just decoded, for what is counted of its exporter and domain. */
  ofDecoded(exporterId: number, protocol: number, nowMs: number): number {
    const place = this.current >= 0 ? this.current : this.placeOf(exporterId, protocol, 0, nowMs)
    this.current = -1
    return place
  }

  /** `datagrams` were decoded, of `bytes` and `rows`, that `ofDecoded` gave this place for; those of a fault one by one. */
  decoded(place: number, protocol: number, datagrams: number, bytes: number, rows: number, status: number): void {
    const { counts } = this
    const at = place * COUNTS
    counts[at + DATAGRAMS]! += datagrams
    counts[at + BYTES]! += bytes
    const fault = isFault(status)
    counts[at + RECORDS]! += MIRRORED[protocol] === true ? (fault ? 0 : datagrams) : rows
    if (fault) this.countFault(place, status)
  }

  /** Adds to a count at a place that `ofDecoded` gave. */
  addAt(place: number, count: HealthCount, by: number): void {
    this.counts[place * COUNTS + AT[count]]! += by
  }

  /** Data that was held is lost for this reason. */
  fault(exporterId: number, protocol: number, domain: number, status: number, nowMs: number): void {
    this.countFault(this.placeOf(exporterId, protocol, domain, nowMs), status)
  }

  private countFault(place: number, status: number): void {
    const key = place * STATUSES + status
    const known = this.faults.get(key)
    if (known !== undefined || this.faults.size < MAX_FAULTS) this.faults.set(key, (known ?? 0) + 1)
    else {
      const nobody = this.table.max * STATUSES + status
      this.faults.set(nobody, (this.faults.get(nobody) ?? 0) + 1)
    }
  }

  /** Shares datagrams out over the exporters that sent by one of these protocols, in proportion to what they sent. */
  share(count: HealthCount, protocols: readonly number[], datagrams: number): void {
    if (datagrams <= 0) return
    const { table, counts } = this
    const places: number[] = []
    let total = 0
    for (let place = 0; place < table.size; place++) {
      const sent = counts[place * COUNTS + AT.datagrams]!
      if (sent === 0 || !protocols.includes(table.word(place, 1))) continue
      places.push(place)
      total += sent
    }
    let rest = datagrams
    let restTotal = total
    for (const place of places) {
      const sent = counts[place * COUNTS + AT.datagrams]!
      const part = Math.round((rest * sent) / restTotal)
      counts[place * COUNTS + AT[count]]! += part
      rest -= part
      restTotal -= sent
    }
    if (rest > 0) this.addToNobody(count, rest)
  }

  /**
   * The rows of all that was counted since the last call, of the minute given. Made while they are asked for, and all of them have to be: of a flood
   * there are many, and together they would be more memory than what is counted.
   */
  *take(minuteMs: number, known: Known): Generator<HealthRow> {
    const { table } = this
    for (let place = 0; place < table.size; place++)
      if (this.isCounted(place)) yield this.takeCounts(place, minuteMs, known)
    if (this.isCounted(table.max)) yield this.takeCounts(table.max, minuteMs, known)
    for (const [key, faults] of this.faults) {
      const row = this.keyOf(Math.floor(key / STATUSES), minuteMs, known)
      row.fault = DECODE_STATUS_NAMES[key % STATUSES]!
      row.faults = faults
      yield row
    }
    this.faults.clear()
    table.clear()
    this.recent.clear()
    this.current = -1
  }

  private isCounted(place: number): boolean {
    for (let at = place * COUNTS, end = at + COUNTS; at < end; at++) if (this.counts[at] !== 0) return true
    return false
  }

  private takeCounts(place: number, minuteMs: number, known: Known): HealthRow {
    const row = this.keyOf(place, minuteMs, known)
    for (let i = 0, at = place * COUNTS; i < COUNTS; i++, at++) {
      if (this.counts[at] === 0) continue
      row[HEALTH_COUNTS[i]!] = this.counts[at]!
      this.counts[at] = 0
    }
    if (place < this.table.max) this.addGauges(row, place, known)
    return row
  }

  private addGauges(row: HealthRow, place: number, known: Known): void {
    const [id, protocol] = [this.table.word(place, 0), this.table.word(place, 1)]
    const at = this.exporters.placeOfId(id)
    const offset = at < 0 ? 0 : Math.round(known.clockOffset(at)) || 0
    const templates = TEMPLATED.includes(protocol) ? known.templates(id) : 0
    if (offset !== 0) row.clock_offset = offset
    if (templates !== 0) row.templates = templates
  }

  private keyOf(place: number, minute: number, known: Known): HealthRow {
    if (place === this.table.max) return { minute }
    const { table, exporters } = this
    const at = exporters.placeOfId(table.word(place, 0))
    const exporter = at < 0 ? new Uint32Array(4) : exporters.address.slice(at * 4, at * 4 + 4)
    return {
      minute,
      exporter,
      exporter_host: at < 0 ? '' : known.host(exporter),
      protocol: PROTOCOLS[table.word(place, 1)]!,
      domain: table.word(place, 2),
    }
  }

  private placeOf(exporterId: number, protocol: number, domain: number, nowMs: number): number {
    const { recent, table } = this
    const known = recent.find(exporterId, domain, 0, protocol)
    if (known >= 0) {
      const place = recent.placeAt(known)
      table.seenMs[place] = nowMs
      return place
    }
    const place = table.place(exporterId, protocol, domain, 0, nowMs)
    if (place < 0) return table.max
    recent.put(exporterId, domain, 0, protocol, place, place)
    return place
  }
}
