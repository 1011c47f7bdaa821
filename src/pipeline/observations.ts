/**
 * What decoders learn beside flow records, kept in bounded tables: lost records, what interfaces are called, running
 * totals of what exporters and datapaths lost themselves, sampling rates.
 */
import type { Datagram, DecodeSink, InterfaceCounters, Protocol } from '../decode/decoder.ts'
import { PROTOCOLS } from '../decode/decoder.ts'
import { codeOf, PROTOCOL } from './demultiplex.ts'
import type { ExporterTable } from './exporters.ts'
import type { HealthCount } from '../schema/side-tables.ts'
import { HealthRecorder } from './health.ts'
import { InterfaceCounterRows } from './interface-counters.ts'
import { KeyTable } from './key-table.ts'
import { LearnedInterfaces } from './learned-names.ts'
import { SequenceTracker } from './sequence.ts'

const SFLOW5 = PROTOCOL.sflow5

export interface ObservationOptions {
  maxExporters: number
  maxStreams: number
  maxInterfaces: number
  idleMs: number
  /** How often the counters of an interface are kept as a row; 0 (default) = never. */
  countersEveryMs?: number
}

export class Observations implements DecodeSink {
  readonly sequences: SequenceTracker
  /** The sequences of sFlow samplers. */
  readonly samples: SequenceTracker
  /** All of it by minute, for the table `exporter_health`. */
  readonly health: HealthRecorder
  /** Counters of interfaces, for the table `interface_counters`. */
  readonly counters: InterfaceCounterRows
  /** Lost records by place of the exporter and protocol: `lost[place * PROTOCOLS.length + protocol]`. */
  readonly lost: Float64Array
  /** sFlow samples lost between sampler and us, by place of the exporter. */
  readonly lostSamples: Float64Array
  /** Packets the datapath lost and packets the exporter did not send, by place of the exporter. */
  readonly datapathLostPackets: Float64Array
  readonly unsentPackets: Float64Array
  /** Names of interfaces, for attribution. */
  readonly names: LearnedInterfaces

  /** Arrival of the last datagram. */
  private nowMs = 0
  private readonly countersEveryMs: number
  private readonly exporters: ExporterTable
  private readonly interfaces: KeyTable
  /** By place of the interface: what its names are known by, and when its counters were kept as a row. Its counters are not kept. */
  private readonly namedOf: Uint32Array
  private readonly namedAs: Uint32Array
  private readonly ofports: Int32Array
  /** Undefined where no name is known. */
  private readonly datapaths: (string | undefined)[] = []
  private readonly keptMs: Float64Array
  private readonly totals: KeyTable
  private readonly lastTotal: Float64Array
  private readonly rates: KeyTable
  private readonly rateOf: Uint32Array

  constructor(exporters: ExporterTable, options: ObservationOptions, names = new LearnedInterfaces()) {
    this.names = names
    const { maxExporters, maxStreams, maxInterfaces, idleMs } = options
    this.exporters = exporters
    this.health = new HealthRecorder(exporters, maxStreams)
    this.counters = new InterfaceCounterRows(maxInterfaces)
    this.countersEveryMs = options.countersEveryMs ?? 0
    this.lost = new Float64Array(maxExporters * PROTOCOLS.length)
    this.lostSamples = new Float64Array(maxExporters)
    this.datapathLostPackets = new Float64Array(maxExporters)
    this.unsentPackets = new Float64Array(maxExporters)
    this.sequences = new SequenceTracker({
      maxStreams,
      idleMs,
      onLost: (exporterId, protocol, records, domain) => {
        const place = exporters.placeOfId(exporterId)
        if (place >= 0) this.lost[place * PROTOCOLS.length + protocol]! += records
        // They were sent, too.
        for (const count of ['lost', 'expected'] as const) this.tell(count, exporterId, protocol, domain, records)
      },
      onLate: (exporterId, protocol, domain, again) =>
        this.tell(again ? 'duplicates' : 'reordered', exporterId, protocol, domain, 1),
      onRestart: (exporterId, protocol, domain) => this.tell('restarts', exporterId, protocol, domain, 1),
    })
    this.samples = new SequenceTracker({
      maxStreams,
      idleMs,
      onLost: (exporterId, protocol, samples, subAgent) => {
        const place = exporters.placeOfId(exporterId)
        if (place >= 0) this.lostSamples[place]! += samples
        for (const count of ['lost_samples', 'samples'] as const)
          this.tell(count, exporterId, protocol, subAgent, samples)
      },
    })
    this.interfaces = new KeyTable(maxInterfaces, idleMs)
    this.namedOf = new Uint32Array(maxInterfaces * 4)
    this.namedAs = new Uint32Array(maxInterfaces)
    this.ofports = new Int32Array(maxInterfaces)
    this.keptMs = new Float64Array(maxInterfaces)
    this.totals = new KeyTable(maxStreams, idleMs)
    this.lastTotal = new Float64Array(maxStreams)
    this.rates = new KeyTable(maxStreams, idleMs)
    this.rateOf = new Uint32Array(maxStreams)
  }

  /** Interfaces that are known by their counters. */
  get interfacesKnown(): number {
    return this.interfaces.size
  }

  get interfacesRefused(): number {
    return this.interfaces.refused
  }

  sequence(datagram: Datagram, protocol: Protocol, stream: number, sequence: number, records: number): void {
    const { exporterId, exporterPort, receivedMs } = datagram
    this.nowMs = receivedMs
    const { sequences } = this
    sequences.observe(exporterId, exporterPort, protocol, stream, sequence, records, receivedMs)
    const advance = sequences.lastAgain ? 0 : records
    this.health.sequenced(exporterId, codeOf(protocol), stream, advance, sequences.lastMixed, receivedMs)
  }

  sampleSequence(datagram: Datagram, subAgent: number, source: number, sequence: number, samples: number): void {
    const { exporterId, exporterPort, receivedMs } = datagram
    // One stream for each source of each sub-agent; the odd constant keeps small numbers apart.
    const stream = (source ^ Math.imul(subAgent, 0x9e3779b1)) >>> 0
    this.samples.observe(exporterId, exporterPort, 'sflow5', stream, sequence, samples, receivedMs, subAgent)
    this.health.sampled(exporterId, SFLOW5, subAgent, samples, receivedMs)
  }

  interfaceCounters(datagram: Datagram, subAgent: number, counters: InterfaceCounters): void {
    const { exporterId, receivedMs } = datagram
    const place = this.interfaces.place(exporterId, 0, subAgent, counters.ifIndex, receivedMs)
    if (place < 0) return
    const { fresh } = this.interfaces
    // The place was another interface's, or this one's port or bridge has changed.
    if (fresh || this.ofports[place] !== counters.ofport || this.datapaths[place] !== counters.datapathId)
      this.forgetName(place)
    // A sample without names leaves those told before, and with them the way to take them out again.
    if (this.names.put(datagram.exporter, counters, receivedMs)) this.rememberName(place, datagram.exporter, counters)
    if (fresh) this.keptMs[place] = -Infinity
    // A poll is never quite as late as it should be.
    if (this.countersEveryMs === 0 || receivedMs - this.keptMs[place]! < this.countersEveryMs * 0.9) return
    this.keptMs[place] = receivedMs
    this.keepCounters(datagram, counters)
  }

  private rememberName(place: number, exporter: Uint32Array, { ifIndex, ofport, datapathId }: InterfaceCounters): void {
    this.namedOf.set(exporter, place * 4)
    this.namedAs[place] = ifIndex
    this.ofports[place] = ofport
    this.datapaths[place] = datapathId
  }

  private forgetName(place: number): void {
    const datapathId = this.datapaths[place]
    if (datapathId === undefined) return
    const key = { ifIndex: this.namedAs[place]!, ofport: this.ofports[place]!, datapathId }
    this.names.remove(this.namedOf, place * 4, key)
    this.datapaths[place] = undefined
  }

  private keepCounters({ exporter, receivedMs }: Datagram, counters: InterfaceCounters): void {
    this.counters.add({
      source: 'sflow',
      timeMs: receivedMs,
      host: exporter.slice(),
      name: counters.name,
      ifIndex: counters.ifIndex,
      ofport: Math.max(0, counters.ofport),
      inBytes: counters.inOctets,
      outBytes: counters.outOctets,
      inPackets: counters.inPackets,
      outPackets: counters.outPackets,
      inDrops: counters.inDiscards,
      outDrops: counters.outDiscards,
      inErrors: counters.inErrors,
      outErrors: counters.outErrors,
    })
  }

  datapathLost(datagram: Datagram, subAgent: number, lost: number): void {
    const rise = this.rise(datagram, 0, subAgent, lost)
    this.add(this.datapathLostPackets, datagram, rise)
    if (rise > 0) this.tell('datapath_lost', datagram.exporterId, PROTOCOL.sflow5, subAgent, rise)
  }

  notSent(datagram: Datagram, domain: number, packets: number): void {
    const rise = this.rise(datagram, 1, domain, packets)
    this.add(this.unsentPackets, datagram, rise)
    if (rise > 0) this.tell('unsent', datagram.exporterId, PROTOCOL.ipfix, domain, rise)
  }

  samplingRate(datagram: Datagram, domain: number, samplerId: number, rate: number): void {
    const { exporterId, receivedMs } = datagram
    const place = this.rates.place(exporterId, 0, domain, samplerId >>> 0, receivedMs)
    if (place >= 0) this.rateOf[place] = rate
  }

  /** Rate that an exporter told by options data, 0 when it did not. */
  toldSamplingRate(exporterId: number, domain: number, samplerId: number): number {
    const place = this.rates.find(exporterId, 0, domain, samplerId >>> 0)
    return place < 0 ? 0 : this.rateOf[place]!
  }

  /** Gives up what has been missing for long: call once a second. */
  settle(nowMs: number): void {
    this.sequences.settle(nowMs)
    this.samples.settle(nowMs)
  }

  private tell(count: HealthCount, exporterId: number, protocol: number, domain: number, by: number): void {
    this.health.add(count, exporterId, protocol, domain, by, this.nowMs)
  }

  private add(counts: Float64Array, datagram: Datagram, count: number): void {
    const place = this.exporters.placeOfId(datagram.exporterId)
    if (place >= 0) counts[place]! += count
  }

  /** By how much a running total went up; one that fell has started again, and the first one says nothing. */
  private rise(datagram: Datagram, kind: number, stream: number, total: number): number {
    const { exporterId, receivedMs } = datagram
    // The statistics of two bridges come from two source ports (IPFIX); sFlow has its sub-agent.
    const port = kind === 1 ? datagram.exporterPort : 0
    const place = this.totals.place(exporterId, kind, stream, port, receivedMs)
    if (place < 0) return 0
    const before = this.totals.fresh ? total : this.lastTotal[place]!
    this.lastTotal[place] = total
    return total >= before ? total - before : total
  }
}
