import { EVIDENCE } from '../schema/enums.ts'
import { ageText } from './identity-sources.ts'
import type { Exporter } from '../query/exporters.ts'

/**
 * From readings of a collector to what is wrong with it, stage by stage in the order of the data: exporters → sockets → decoders →
 * identity → store. Every finding has its evidence and the command that mends it.
 */
export interface Readings {
  /** Samples of /metrics; empty when no collector runs. */
  readonly metrics: readonly MetricSample[]
  readonly running: boolean
  readonly exporters: readonly Exporter[]
  /** How the sources of the model stand. */
  readonly sources: readonly { source: string; target: string; state: string; says: string }[]
  /** Hosts of the model: their bridges, and what each exports, as identity show has them. */
  readonly hosts: readonly { host: string; bridges: string; exports: string }[]
  /** Those of the collector, else of the configuration here. */
  readonly options: { readonly receive_buffer: number; readonly gre: boolean }
  /** What the store said in place of an answer. */
  readonly storeFault?: string | undefined
  readonly nowMs: number
}

export interface MetricSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Finding {
  readonly stage: (typeof STAGES)[number]
  /** `unknown`: not looked at, since no collector runs. */
  readonly state: 'ok' | 'warn' | 'bad' | 'unknown'
  readonly what: string
  readonly evidence: string
  readonly mend: string
}

export const STAGES = ['exporters', 'sockets', 'decoders', 'identity', 'store'] as const

/** All findings, the gravest of a stage first, and for a stage without one that it is sound. */
export function diagnose(readings: Readings): Finding[] {
  return STAGES.flatMap((stage) => {
    const found = CHECKS[stage](readings).map((finding) => ({ stage, ...finding }))
    if (found.length > 0) return found.toSorted((a, b) => Number(b.state === 'bad') - Number(a.state === 'bad'))
    return [{ stage, ...withoutFault(stage, readings), mend: '' }]
  })
}

function withoutFault(stage: (typeof STAGES)[number], readings: Readings): Omit<Finding, 'stage' | 'mend'> {
  if (!readings.running && stage !== 'store')
    return { state: 'unknown', what: 'not looked at', evidence: 'only a collector that runs knows it' }
  return { state: 'ok', what: 'nothing is wrong', evidence: soundEvidence(stage, readings) }
}

type Found = Omit<Finding, 'stage'>
type Check = (readings: Readings) => Found[]

const SILENT_MS = 5 * 60_000
/** Parts of records without an end that are worth a word. */
const UNATTRIBUTED = 0.05
const BEHIND_S = 3600

const CHECKS: Readonly<Record<(typeof STAGES)[number], Check>> = {
  exporters: (readings) => [
    ...nothingArrives(readings),
    ...readings.exporters.flatMap((exporter) => ofExporter(exporter, readings)),
    ...silentBridges(readings),
  ],
  sockets: ({ metrics, options }) => [
    ...each(metrics, 'ovsight_receive_kernel_drops_total', ({ labels, value }) => value > 0 && {
      state: 'bad',
      what: `the kernel dropped datagrams of ${labels['listener']}: the receive buffer was full`,
      evidence: `ovsight_receive_kernel_drops_total{listener="${labels['listener']}"} ${value}`,
      mend: `sysctl -w net.core.rmem_max=${options.receive_buffer * 4} and a larger receive_buffer`,
    }), // prettier-ignore
    ...each(metrics, 'ovsight_receive_buffer_bytes', ({ labels, value }) => value > 0 && value < options.receive_buffer && {
      state: 'warn',
      what: `the kernel granted ${labels['listener']} a smaller receive buffer than asked for`,
      evidence: `${value} bytes in force, ${options.receive_buffer} asked for`,
      mend: `sysctl -w net.core.rmem_max=${options.receive_buffer}, or CAP_NET_ADMIN for ovsight`,
    }), // prettier-ignore
    ...withoutGre(metrics, options),
  ],
  decoders: ({ metrics, exporters }) => [
    ...exporters.flatMap((exporter) => faultsOf(exporter)),
    ...withoutTemplate(metrics, exporters),
    ...each(metrics, 'ovsight_datagrams_dropped_total', ({ labels, value }) => value > 0 && {
      state: 'bad',
      what: DROPS[labels['reason'] ?? ''] ?? 'datagrams were dropped before they were decoded',
      evidence: `ovsight_datagrams_dropped_total{reason="${labels['reason']}"} ${value}`,
      mend: labels['reason'] === 'exporters' ? 'raise max_exporters' : 'sample more coarsely, or start more workers and collectors', // prettier-ignore
    }), // prettier-ignore
  ],
  identity: ({ sources, metrics, running, exporters }) => [
    ...(running && sources.length === 0
      ? [{ state: 'bad', what: 'no source of identity: nobody knows whose the traffic is', evidence: 'identity status is empty', mend: 'ovsight collect --identity FILE, or --os-cloud NAME with --ovsdb TARGET' } as const] // prettier-ignore
      : []),
    ...sources.filter(({ state }) => state !== 'ok').map(sourceFault),
    ...each(metrics, 'ovsight_identity_age_seconds', ({ labels, value }) => value > 1800 && {
      state: 'warn',
      what: `the model is stale: nothing heard of ${labels['source']} for ${Math.round(value / 60)} min`,
      evidence: `ovsight_identity_age_seconds{source="${labels['source']}"} ${Math.round(value)}`,
      mend: 'ovsight identity status tells why',
    }), // prettier-ignore
    ...exporters.flatMap(unattributed),
  ],
  store: ({ metrics, storeFault }) => [
    ...(storeFault === undefined
      ? []
      : [{ state: 'bad', what: 'the store does not answer', evidence: storeFault, mend: STORE_MEND } as const]), // prettier-ignore
    ...each(metrics, 'ovsight_rows_dropped_total', ({ labels, value }) => value > 0 && {
      state: 'bad',
      what: `rows were lost after decoding (${labels['reason']})`,
      evidence: `ovsight_rows_dropped_total{reason="${labels['reason']}"} ${value}`,
      mend: labels['reason'] === 'spool_full' ? 'mend the store, or raise spool_max' : 'check the disk of the data directory', // prettier-ignore
    }), // prettier-ignore
    ...each(metrics, 'ovsight_rows_quarantined_total', ({ value }) => value > 0 && {
      state: 'bad',
      what: 'the store refused rows for good',
      evidence: `${value} rows in the directory quarantine, each block with its reason`,
      mend: 'read quarantine/*.txt in the data directory',
    }), // prettier-ignore
    ...each(metrics, 'ovsight_spool_blocks', ({ value }) => storeFault === undefined && value > 20 && {
      state: 'bad',
      what: 'the store does not take what comes: blocks wait on disk',
      evidence: `ovsight_spool_blocks ${value}, insert failures ${sumOf(metrics, 'ovsight_insert_failures_total')}`,
      mend: `${STORE_MEND}; else sample more coarsely`,
    }), // prettier-ignore
    ...each(metrics, 'ovsight_spool_failures_total', ({ value }) => value > 0 && {
      state: 'bad',
      what: 'blocks could not be written to the spool',
      evidence: `ovsight_spool_failures_total ${value}`,
      mend: 'df -h of the data directory; a smaller keep_flows, or a larger disk',
    }), // prettier-ignore
    ...(sumOf(metrics, 'ovsight_disk_guard_partitions_total') === 0
      ? []
      : [{
          state: 'warn',
          what: 'the disk is nearly full: the oldest records were removed before their time',
          evidence: `ovsight_disk_guard_partitions_total ${sumOf(metrics, 'ovsight_disk_guard_partitions_total')}, ${sumOf(metrics, 'ovsight_disk_guard_rows_total')} rows`,
          mend: 'a larger disk, a smaller keep_flows, or a smaller disk_free',
        } as const]), // prettier-ignore
  ],
}

const STORE_MEND = 'is the ClickHouse server up? curl URL/ping, and ovsight top --clickhouse URL asks it'

/** A listener that is open has a buffer. */
function withoutGre(metrics: readonly MetricSample[], { gre }: Readings['options']): Found[] {
  const open = metrics.filter(({ name }) => name === 'ovsight_receive_buffer_bytes').map(({ labels }) => labels['listener']) // prettier-ignore
  if (!gre || open.length === 0 || open.includes('gre')) return []
  return [{ state: 'warn', what: 'frames mirrored through GRE and ERSPAN are not received: a raw socket needs a privilege', evidence: `listeners: ${open.join(' ')}`, mend: 'AmbientCapabilities=CAP_NET_RAW in the systemd unit, or setcap cap_net_raw+ep "$(readlink -f "$(command -v node)")"; gre: off where there are no mirrors' }] // prettier-ignore
}

const DROPS: Readonly<Record<string, string>> = {
  overload: 'datagrams were dropped: flows come faster than they can be stored',
  exporters: 'datagrams of new exporters were dropped: max_exporters is reached',
}

function each(metrics: readonly MetricSample[], name: string, check: (sample: MetricSample) => Found | false): Found[] {
  return metrics.filter((sample) => sample.name === name).flatMap((sample) => check(sample) || [])
}

function sumOf(metrics: readonly MetricSample[], name: string): number {
  return metrics.filter((sample) => sample.name === name).reduce((sum, { value }) => sum + value, 0)
}

function nothingArrives({ running, metrics, exporters }: Readings): Found[] {
  if (!running)
    return [{ state: 'warn', what: 'no collector runs on this data directory', evidence: 'no collector.json, or nobody answers there', mend: 'ovsight collect' }] // prettier-ignore
  if (exporters.length > 0 || sumOf(metrics, 'ovsight_receive_datagrams_total') > 0) return []
  const what = 'nothing has arrived on any listener'
  return [{ state: 'bad', what, evidence: 'ovsight_receive_datagrams_total 0', mend: 'ovsight setup HOST --collector ADDRESS on the hosts; tcpdump -ni any udp port 4739 here; a firewall?' }] // prettier-ignore
}

function ofExporter(one: Exporter, { nowMs, exporters }: Readings): Found[] {
  const name = nameOf(one)
  const found: Found[] = []
  const newest = Math.max(...exporters.map((other) => Date.parse(other.last_seen) || 0))
  const silentMs = newest - Date.parse(one.last_seen)
  if (silentMs > SILENT_MS && nowMs - newest < SILENT_MS)
    found.push({ state: 'warn', what: `${name} is silent while others export`, evidence: `last seen ${one.last_seen}`, mend: `on the host: ovs-vsctl list ${tableOf(one)}; systemctl status openvswitch-switch` }) // prettier-ignore
  if (one.percent !== null && one.percent < 99.9 && one.lost > 0)
    found.push({ state: 'warn', what: `of what ${name} sent ${one.percent} % came`, evidence: `${one.lost} lost by gaps in sequence numbers`, mend: 'kernel drops are told under sockets; else the network between: ethtool -S, netstat -su on the host' }) // prettier-ignore
  if (one.mixed > 0)
    found.push({ state: 'bad', what: `bridges of ${name} share one sequence number, so losses cannot be counted`, evidence: `${one.mixed} datagrams of mixed sequences, domains ${one.domains}`, mend: `ovsight setup ${one.host || 'HOST'} --collector ADDRESS --export ${setupKind(one)}   gives each bridge its own id` }) // prettier-ignore
  if (one.protocol === 'ipfix' && one.rates.split(' ').includes('0'))
    found.push({ state: 'warn', what: `the sampling rate of ${name} is not known, so figures have no error`, evidence: 'Open vSwitch does not export it; its counts are scaled already', mend: 'let ovsight read the OVSDB of the host (--ovsdb), or set ipfix_sampling' }) // prettier-ignore
  const { clock_s: clock } = one
  if (clock !== null && (clock > 0 || clock < -BEHIND_S))
    found.push({ state: 'warn', what: `the clock of ${name} is ${ageText(Math.abs(clock) * 1000)} ${clock > 0 ? 'ahead' : 'behind, or its exports are late'}`, evidence: 'time of arrival against the time of the records', mend: 'chronyc tracking on the host, and here' }) // prettier-ignore
  if (one.limited > 0)
    found.push({ state: 'warn', what: `${name} sends more records than exporter_limit lets in`, evidence: `${one.limited} records left out; the others stand for them`, mend: 'sample more coarsely on the host, or raise exporter_limit' }) // prettier-ignore
  return found
}

function faultsOf(one: Exporter): Found[] {
  return one.faults
    .split(' ')
    .filter(Boolean)
    .map((pair) => {
      const [reason = '', count = ''] = pair.split('=')
      const evidence = `${count} datagrams, reason ${reason}`
      if (reason === 'template_missing')
        return { state: 'warn', what: `data of ${nameOf(one)} came before its template`, evidence, mend: TEMPLATE_MEND } // prettier-ignore
      return { state: 'warn', what: `datagrams of ${nameOf(one)} were not decoded to their end`, evidence, mend: 'docs/metrics.md names the reasons; a capture of them helps: tcpdump -w faulty.pcap host EXPORTER' } // prettier-ignore
    })
}

/** Sets that waited for a template, where no exporter's own faults tell it. */
function withoutTemplate(metrics: readonly MetricSample[], exporters: readonly Exporter[]): Found[] {
  if (exporters.some(({ faults }) => faults.includes('template_missing'))) return []
  const name = 'ovsight_templates_events_total'
  const sets = sumOf(metrics.filter(({ labels }) => labels['event'] === 'set_without_template'), name) // prettier-ignore
  if (sets === 0) return []
  return [{ state: 'warn', what: 'data came before its template', evidence: `${name}{event="set_without_template"} ${sets}`, mend: TEMPLATE_MEND }] // prettier-ignore
}

const TEMPLATE_MEND =
  'Open vSwitch sends templates every 600 s; from 3.2 on: ovs-vsctl set IPFIX . template_interval=60 for each record of the table'

function sourceFault({ source, target, state, says }: Readings['sources'][number]): Found {
  if (state === 'doubtful') return { state: 'warn', what: `${source} ${target} says what cannot be true`, evidence: says, mend: 'docs/identity.md, Contradictions; ovsight identity status -f json names each' } // prettier-ignore
  const mends: readonly (readonly [RegExp, string])[] = [
    [/admin role|denied|forbidden|403|rights/i, 'openstack role add --user USER --project PROJECT admin: a reader sees its own project alone'], // prettier-ignore
    [/login|401|credential|password/i, 'check the entry in clouds.yaml: openstack --os-cloud NAME token issue'],
  ]
  const ovsdb = 'on the host: ovs-vsctl -- --id=@m create Manager target=\'"ptcp:6640"\' -- add Open_vSwitch . manager_options @m   (set-manager would cut Neutron off)' // prettier-ignore
  const mend = mends.find(([pattern]) => pattern.test(says))?.[1] ?? (source.startsWith('ovsdb') ? ovsdb : source === 'file' ? 'ovsight collect --check tells every fault of the file' : 'openstack --os-cloud NAME catalog list') // prettier-ignore
  return { state: 'bad', what: `${source} ${target} cannot be read; what it said last stands`, evidence: says, mend }
}

function unattributed(one: Exporter): Found[] {
  if (one.records === 0 || one.unattributed / one.records < UNATTRIBUTED) return []
  const percent = Math.round((100 * one.unattributed) / one.records)
  const docs: Readonly<Record<string, string>> = EVIDENCE
  const mends: Readonly<Record<string, string>> = {
    no_host: `add ${one.exporter} to the addresses of its host in the identity file, or exporter_alias`,
    no_interface: `let ovsight read the OVSDB of ${one.host || 'the host'}: --ovsdb tcp:{address}:6640`,
    no_model: 'ovsight collect --identity FILE, or --os-cloud NAME',
  }
  const mend = mends[one.evidence] ?? 'ovsight flows --filter "role unattributed", then --explain ID tells why of one'
  return [{ state: 'warn', what: `${percent} % of the records of ${nameOf(one)} have no known end`, evidence: `most often ${one.evidence}: ${docs[one.evidence] ?? ''}`, mend }] // prettier-ignore
}

function silentBridges({ hosts }: Readings): Found[] {
  const silent = hosts.filter(({ bridges, exports }) => bridges !== '' && exports.trim() === '')
  if (silent.length === 0 || silent.length === hosts.length) {
    if (silent.length === 0 || hosts.length === 0) return []
    return [{ state: 'warn', what: 'no bridge of any host exports', evidence: `${hosts.length} hosts by their OVSDB`, mend: 'ovsight setup HOST --collector ADDRESS' }] // prettier-ignore
  }
  const names = silent.map(({ host }) => host)
  return [{ state: 'warn', what: `${silent.length} of ${hosts.length} hosts export from no bridge`, evidence: names.slice(0, 10).join(' '), mend: `ovsight setup ${names.slice(0, 3).join(' ')} --collector ADDRESS` }] // prettier-ignore
}

function soundEvidence(stage: (typeof STAGES)[number], { exporters, metrics, sources, running }: Readings): string {
  switch (stage) {
    case 'exporters':
      return `${exporters.length} ${exporters.length === 1 ? 'exporter' : 'exporters and protocols'}`
    case 'sockets':
      return `${sumOf(metrics, 'ovsight_receive_datagrams_total')} datagrams, none dropped`
    case 'decoders':
      return `${sumOf(metrics, 'ovsight_rows_total')} records decoded`
    case 'identity':
      return sources.length === 1 ? '1 source answers' : `${sources.length} sources answer`
    default:
      return running ? `${storedOf(metrics)} flow records stored since its start` : 'it answers'
  }
}

function storedOf(metrics: readonly MetricSample[]): number {
  const flows = metrics.filter(({ labels }) => labels['table'] === 'flows')
  return sumOf(flows, 'ovsight_inserted_rows_total')
}

function nameOf({ exporter, host, protocol }: Exporter): string {
  return `${host === '' ? exporter : `${host} (${exporter})`} ${protocol}`
}

function tableOf({ protocol }: Exporter): string {
  return protocol.startsWith('netflow') ? 'NetFlow' : protocol === 'sflow5' ? 'sFlow' : protocol === 'ipfix' ? 'IPFIX' : 'Mirror' // prettier-ignore
}

function setupKind({ protocol }: Exporter): string {
  return protocol.startsWith('netflow') ? 'netflow' : protocol === 'sflow5' ? 'sflow' : 'ipfix'
}

const SAMPLE = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g

/** Samples of Prometheus' text format. */
export function parseMetrics(text: string): MetricSample[] {
  return text.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = SAMPLE.exec(line) ?? []
    if (name === undefined) return []
    const pairs = [...labels.matchAll(LABEL)].map(([, label, content]) => [label!, content!] as const)
    return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }]
  })
}
