/** The pipeline's counters as samples of the table of metrics. */
import { PROTOCOLS } from '../decode/decoder.ts'
import { DECODE_STATUS_NAMES } from '../decode/status.ts'
import type { ReceiverStats } from '../receive/receiver.ts'
import type { Readers, Sample } from '../telemetry/metrics.ts'
import type { IpfixCounters } from '../decode/ipfix/decoder.ts'
import type { BuiltPipeline } from './build.ts'
import { DROP_REASONS, type PipelineCounters } from './counters.ts'
import { type ExporterTable, formatAddress } from './exporters.ts'
import type { Listeners } from './listeners.ts'

/**
 * Exporters with a label of their own; all further ones share `other`, so that a flood of sources cannot fill the answer. The
 * first ones seen keep theirs: a counter that changed its label with the ranking would not be a counter.
 */
const LABELLED = 500

/** What happens to templates, by the counter of the decoder. */
const TEMPLATE_EVENTS = {
  learned: 'templates',
  withdrawn: 'withdrawals',
  refused: 'refused',
  fell_back: 'fallBacks',
  set_without_template: 'unknownSets',
  set_mismatched: 'mismatchedSets',
  set_presumed: 'presumed',
  presumption_confirmed: 'presumedConfirmed',
  presumption_refuted: 'presumedRefuted',
} as const satisfies Record<string, keyof IpfixCounters>

export function pipelineReaders({ pipeline, ipfix, mirrors, labelled = LABELLED }: BuiltPipeline): Readers {
  const { counters, parts } = pipeline
  const { exporters, observations } = parts
  const labels = new ExporterLabels(exporters, labelled)
  const byExporter = (values: Float64Array) => samplesByExporter(labels, (place) => values[place]!)
  const someExporters = (value: (place: number) => number, gauge = false) => samplesOfSome(labels, value, gauge)
  const { sequences } = observations
  return {
    ovsight_datagrams_total: function* () {
      for (const { protocol, status, count } of counters.datagrams())
        yield [count, PROTOCOLS[protocol]!, DECODE_STATUS_NAMES[status]!]
    },
    ovsight_decoded_bytes_total: () => byProtocol(counters.bytes),
    ovsight_rows_total: () => byProtocol(counters.rows),
    ovsight_datagrams_dropped_total: () => DROP_REASONS.map((reason) => [counters.dropped[reason], reason]),
    ovsight_senders_refused: () => [[parts.admission.sendersListed]],
    ovsight_exporters: () => [[exporters.size]],
    ovsight_exporters_evicted_total: () => [[exporters.evicted]],
    ovsight_exporter_datagrams_total: () => byExporter(exporters.datagrams),
    ovsight_exporter_rows_total: () => byExporter(exporters.rows),
    ovsight_exporter_limited_records_total: () => someExporters((place) => parts.recordLimit.leftOut[place]!),
    ovsight_exporter_kept_one_in: () => someExporters((place) => parts.recordLimit.keptOneIn(place), true),
    ovsight_exporter_clock_offset_seconds: () =>
      someExporters((place) => (parts.clocks.isOff(place) ? parts.clocks.offsetMs[place]! / 1000 : 0), true),
    ovsight_exporter_clock_moved_records_total: () => someExporters((place) => parts.clocks.moved[place]!),
    ovsight_exporter_lost_samples_total: () => byExporter(observations.lostSamples),
    ovsight_exporter_datapath_lost_packets_total: () => byExporter(observations.datapathLostPackets),
    ovsight_exporter_unsent_packets_total: () => byExporter(observations.unsentPackets),
    ovsight_exporter_faults_total: () => faultSamples(counters, labels),
    ovsight_exporter_lost_records_total: () =>
      PROTOCOLS.flatMap((protocol, code) =>
        samplesOfSome(labels, (place) => observations.lost[place * PROTOCOLS.length + code]!).map(
          ([lost, exporter]): Sample => [lost, exporter!, protocol],
        ),
      ),
    ovsight_sequence_streams: () => [[sequences.streams]],
    ovsight_sequence_streams_refused_total: () => [[sequences.refused]],
    ovsight_sequence_streams_mixed: () => [[sequences.mixed]],
    ovsight_sequence_late_total: () => [[sequences.late]],
    ovsight_sequence_restarts_total: () => [[sequences.restarts]],
    ovsight_strings_refused_total: () => [[pipeline.stringsRefused]],
    ovsight_interfaces: () => [[observations.interfacesKnown]],
    ovsight_interfaces_refused_total: () => [[observations.interfacesRefused]],
    ovsight_interface_readings_dropped_total: () => [[observations.counters.dropped]],
    ovsight_templates: () => [[ipfix.templates.size]],
    ovsight_templates_events_total: () => [
      ...Object.entries(TEMPLATE_EVENTS).map(([event, counter]): Sample => [ipfix.counters[counter], event]),
      [ipfix.templates.evicted, 'evicted'],
      [ipfix.templates.aged, 'aged'],
      [ipfix.templates.postponed, 'postponed'],
    ],
    ovsight_sets_waiting: () => [[ipfix.late?.size ?? 0]],
    ovsight_sets_waited_total: () =>
      Object.entries(ipfix.late?.counters ?? {}).map(([event, count]): Sample => [count, event]),
    ovsight_mirror_flows: () => mirrors.map(({ cache, protocol }) => [cache.size, protocol]),
    ovsight_mirror_flows_evicted_total: () => mirrors.map(({ cache, protocol }) => [cache.evicted, protocol]),
    ovsight_clock_steps_total: () => [[counters.clockSteps]],
    ovsight_blocks_total: () => [[counters.blocks]],
    ovsight_blocks_waiting: () => [[pipeline.blocksWaiting]],
  }
}

export function listenerReaders(listeners: Listeners): Readers {
  const read = (pick: (stats: ReceiverStats) => number) => () =>
    [...listeners].map(([name, receiver]): Sample => [pick(receiver.stats()), name]).filter(([value]) => value >= 0)
  return {
    ovsight_receive_datagrams_total: read((stats) => stats.datagrams),
    ovsight_receive_bytes_total: read((stats) => stats.bytes),
    ovsight_receive_kernel_drops_total: read((stats) => stats.kernelDrops),
    ovsight_receive_truncated_total: read((stats) => stats.truncated),
    ovsight_receive_buffer_bytes: read((stats) => stats.bufferBytes),
  }
}

function* byProtocol(values: Float64Array): Generator<Sample> {
  for (const [code, protocol] of PROTOCOLS.entries()) yield [values[code]!, protocol]
}

const OTHER = 'other'

/**
 * Labels of exporters. The first exporter at one of the first places has its own, kept since its address never changes; all others,
 * and one that is gone, have one together.
 */
class ExporterLabels {
  readonly exporters: ExporterTable
  private readonly labelled: number
  private readonly kept: string[] = []

  constructor(exporters: ExporterTable, labelled: number) {
    this.exporters = exporters
    this.labelled = labelled
  }

  of(place: number): string {
    if (place < 0 || place >= this.labelled || this.exporters.generation[place] !== 0) return OTHER
    return (this.kept[place] ??= formatAddress(this.exporters.address, place * 4))
  }
}

/** One sample an exporter with a label of its own, and one of all others: of a flood these are thousands. */
function samplesByExporter(labels: ExporterLabels, value: (place: number) => number): Sample[] {
  const samples: Sample[] = []
  let others = 0
  let any = false
  for (let place = 0; place < labels.exporters.size; place++) {
    const label = labels.of(place)
    if (label !== OTHER) samples.push([value(place), label])
    else {
      others += value(place)
      any = true
    }
  }
  if (any) samples.push([others, OTHER])
  return samples
}

/** Those that are not zero. Of a gauge, which cannot be added up, only exporters with a label of their own. */
function samplesOfSome(labels: ExporterLabels, value: (place: number) => number, gauge = false): Sample[] {
  return samplesByExporter(labels, value).filter(([sum, label]) => sum !== 0 && !(gauge && label === OTHER))
}

function faultSamples(counters: PipelineCounters, labels: ExporterLabels): Sample[] {
  const samples: Sample[] = []
  const others = new Map<number, number>()
  for (const { exporterId, protocol, status, count } of counters.faults()) {
    const label = labels.of(labels.exporters.placeOfId(exporterId))
    if (label !== OTHER) samples.push([count, label, PROTOCOLS[protocol]!, DECODE_STATUS_NAMES[status]!])
    else {
      const key = protocol * DECODE_STATUS_NAMES.length + status
      others.set(key, (others.get(key) ?? 0) + count)
    }
  }
  for (const [key, count] of others) {
    const status = key % DECODE_STATUS_NAMES.length
    const protocol = Math.floor(key / DECODE_STATUS_NAMES.length)
    samples.push([count, OTHER, PROTOCOLS[protocol]!, DECODE_STATUS_NAMES[status]!])
  }
  return samples
}
