/** A pipeline by configuration: the same for a collector and for replay. */
import type { Config, OptionName } from '../config/options.ts'
import { IpfixDecoder } from '../decode/ipfix/decoder.ts'
import { MirrorDecoder } from '../decode/mirror/decoder.ts'
import { Netflow5Decoder } from '../decode/netflow5.ts'
import { Sflow5Decoder } from '../decode/sflow5/decoder.ts'
import { Admission } from './admission.ts'
import { type ClockOptions, type ClockRule, Clocks } from './clocks.ts'
import { PROTOCOL } from './demultiplex.ts'
import { ExporterTable } from './exporters.ts'
import type { LearnedInterfaces } from './learned-names.ts'
import { Observations } from './observations.ts'
import { Pipeline, type PipelineLimits, type PipelineParts } from './pipeline.ts'
import { RecordLimit } from './record-limit.ts'

/** What the surroundings give. */
export type PipelineEnds = Pick<PipelineParts, 'attribute' | 'emit' | 'log'> & {
  /** Filled with the names that counter samples tell; `attribute` reads them. */
  names?: LearnedInterfaces
  /** Whether the four lanes at `at` are an address of a host of the model. */
  isHost?: (lanes: Uint32Array, at: number) => boolean
}

export interface BuiltPipeline {
  pipeline: Pipeline
  ipfix: IpfixDecoder
  mirrors: readonly MirrorDecoder[]
  /** Exporters with a label of their own in metrics. */
  labelled?: number
}

/** What the configuration says of the clocks of exporters. */
export function clockOptions({
  exporter_clocks,
  clock_past,
  clock_future,
}: Pick<Config, 'exporter_clocks' | 'clock_past' | 'clock_future'>): ClockOptions {
  return { rule: exporter_clocks as ClockRule, pastMs: clock_past, futureMs: clock_future }
}

/** Options of a pipeline that may change while it runs. */
export const LIVE_OPTIONS = ['allow', 'allow_hosts', 'exporter_limit', 'exporter_clocks', 'clock_past', 'clock_future', 'log_level', 'identity', 'os_cloud', 'ovsdb_listen', 'ovn_southbound'] as const satisfies readonly OptionName[] // prettier-ignore
export type LiveSettings = Pick<Config, (typeof LIVE_OPTIONS)[number]>

/** Changes a pipeline that runs, between two datagrams. */
export function changePipeline({ pipeline }: BuiltPipeline, settings: LiveSettings): void {
  const { admission, recordLimit, clocks } = pipeline.parts
  admission.change(settings.allow, settings.allow_hosts)
  recordLimit.perSecond = settings.exporter_limit
  clocks.options = clockOptions(settings)
}

export function buildPipeline(config: Config, ends: PipelineEnds, limits: Partial<PipelineLimits> = {}): BuiltPipeline {
  const idleMs = config.exporter_idle
  const exporters = new ExporterTable({ max: config.max_exporters, idleMs, aliases: config.exporter_alias })
  const { names, isHost, ...parts } = ends
  const admission = new Admission({
    allow: config.allow,
    aliases: config.exporter_alias,
    isHost,
    hosts: config.allow_hosts,
  })
  const limitsOfKnown = {
    maxExporters: config.max_exporters,
    maxStreams: config.max_streams,
    maxInterfaces: config.max_interfaces,
    idleMs,
    countersEveryMs: config.interface_counters,
  }
  const observations = new Observations(exporters, limitsOfKnown, names)
  const mirrorOptions = {
    maxFlows: config.mirror_flows,
    activeTimeoutMs: config.mirror_active_timeout,
    inactiveTimeoutMs: config.mirror_inactive_timeout,
    tagInserted: config.mirror_tag_inserted,
  }
  const gre = new MirrorDecoder('gre', mirrorOptions)
  const vxlan = new MirrorDecoder('vxlan', mirrorOptions)
  const ipfix = new IpfixDecoder(observations, {
    limits: {
      maxTemplates: config.max_templates,
      maxTemplatesPerExporter: config.max_templates_per_exporter,
      maxNewLayouts: config.max_new_layouts,
      maxAgeMs: config.template_age,
    },
    late: {
      maxBytes: config.template_wait_bytes,
      maxBytesPerExporter: config.template_wait_bytes / 8,
      maxAgeMs: config.template_wait,
    },
    onSettled: (exporterId, version, domain, rows, nowMs) =>
      pipeline.settled(exporterId, version === 9 ? PROTOCOL.netflow9 : PROTOCOL.ipfix, domain, rows, nowMs),
    presume: config.presume_templates,
  })
  const decoders = {
    netflow5: new Netflow5Decoder(observations),
    netflow9: ipfix,
    ipfix,
    sflow5: new Sflow5Decoder(observations),
    gre,
    vxlan,
  }
  const recordLimit = new RecordLimit(config.exporter_limit, config.max_exporters)
  const clocks = new Clocks(clockOptions(config), config.max_exporters)
  exporters.onBegin = (place) => clocks.forget(place)
  const pipeline: Pipeline = new Pipeline(
    { ...parts, decoders, holding: [gre, vxlan, ipfix], admission, exporters, observations, recordLimit, clocks },
    {
      batchRows: config.batch_rows,
      flushAfterMs: config.flush_after,
      maxBlocks: config.max_blocks,
      maxNames: config.max_names,
      exporterIdleMs: idleMs,
      ...limits,
    },
  )
  return { pipeline, ipfix, mirrors: [gre, vxlan], labelled: config.metrics_exporters }
}
