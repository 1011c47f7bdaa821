/** The audit: flow totals of ports beside the counters of their interfaces, with a verdict each. */
import { completeness, type Completeness } from '../query/completeness.ts'
import type { Asker } from '../query/plan.ts'
import type { EnumValue } from '../schema/enums.ts'
import type { Span } from '../query/times.ts'
import { bridgesPlan, countedPlan, DIRECTIONS, truthPlan, type Direction, type Scope } from './plans.ts'
import { keyOf, NOTHING, readCounted, readTruth, words, type Amount, type Counted, type Truth } from './figures.ts'
import { judge, type Evidence, type Finding } from './verdict.ts'

/** One port, direction and span; names as in the table `audit`. */
export interface Audited extends Finding {
  span_from: number
  span_to: number
  host: string
  bridge: string
  interface: string
  port_id: string
  port: string
  server_id: string
  server: string
  network: string
  project_id: string
  project: string
  direction: Direction
  source: EnumValue<'counter_source'>
  counted_bytes: number
  true_bytes: number
  counted_packets: number
  true_packets: number
  ratio: number
  expected_error: number
  sampling_error: number
}

/** Half of a 95 % interval of a normal distribution, in standard deviations. */
const WIDTH_95 = 1.96
/** So few samples are not normal: at rate R up to three times R packets may have gone by unseen (one in twenty times). */
const FEW_SAMPLES = 20
const UNSEEN = 3

/** Both directions of every port that has counters. Errors: query_failed, store_unreachable. */
export async function audit(asker: Asker, scope: Scope, nowMs: number): Promise<Audited[]> {
  const truths = bestSources((await asker.query(truthPlan(scope))).rows.map(readTruth), scope.span)
  if (truths.length === 0) return []
  const surroundings = await readSurroundings(asker, scope, truths)
  const audited: Audited[] = []
  for (const direction of Object.keys(DIRECTIONS) as Direction[]) {
    const { rows } = await asker.query(countedPlan(scope, direction))
    const counted = new Map(rows.map((row) => [keyOf(row), readCounted(row)]))
    for (const truth of truths) {
      const one = counted.get(truth.key) ?? NOTHING
      if (truth[direction].bytes > 0 || one.bytes > 0) audited.push(compare(truth, one, direction, surroundings, nowMs))
    }
  }
  return audited.sort(worstFirst)
}

interface Bridge {
  records: number
  rate: number
  protocols: readonly string[]
}

interface Surroundings {
  /** By `host bridge`. */
  bridges: ReadonlyMap<string, Bridge>
  copies: ReadonlyMap<string, number>
  unsureBytes: ReadonlyMap<string, number>
  silent: readonly string[]
  health: readonly Completeness[]
}

async function readSurroundings(asker: Asker, scope: Scope, truths: readonly Truth[]): Promise<Surroundings> {
  const health = await completeness(asker, {
    ...scope.span,
    fromMs: Math.min(...truths.slice(0, 1000).map(({ a }) => a)),
    toMs: Math.max(...truths.slice(0, 1000).map(({ b }) => b)) + 60_000,
  })
  const bridges = new Map<string, Bridge>()
  const copies = new Map<string, number>()
  const unsureBytes = new Map<string, number>()
  for (const row of (await asker.query(bridgesPlan(scope))).rows) {
    const host = String(row['host'])
    const protocols = words(row['protocols'])
    bridges.set(`${host} ${String(row['bridge'])}`, {
      records: Number(row['records']),
      rate: Number(row['rate']),
      protocols,
    })
    copies.set(host, (copies.get(host) ?? 0) + Number(row['copies']))
    unsureBytes.set(host, (unsureBytes.get(host) ?? 0) + Number(row['unsure_bytes']))
  }
  const places = new Set(truths.map(({ names: { host, bridge } }) => `${host} ${bridge}`))
  return { bridges, copies, unsureBytes, health, silent: [...places].filter((place) => !bridges.has(place)) }
}

function compare(truth: Truth, counted: Counted, direction: Direction, around: Surroundings, nowMs: number): Audited {
  const { host, bridge } = truth.names
  const there = truth[direction]
  const place = around.bridges.get(`${host} ${bridge}`)
  const protocols = counted.protocols.length > 0 ? counted.protocols : (place?.protocols ?? [])
  const samplingError = samplingErrorOf(counted, there, counted.rate || (place?.rate ?? 0))
  const health = around.health.filter((one) => protocols.includes(one.protocol))
  const own = health.filter((one) => one.host === host)
  // What a port received may be in the records of other hosts.
  const asked = direction === 'sent' || protocols.includes('ipfix') ? own : health
  const evidence: Evidence = {
    direction,
    host,
    bridge,
    countedBytes: counted.bytes,
    trueBytes: there.bytes,
    countedPackets: counted.packets,
    truePackets: there.packets,
    samplingError,
    edgeError: counted.edgeBytes,
    resets: truth.resets,
    protocols,
    bridgeRecords: place?.records ?? 0,
    silent: around.silent,
    completeness: Math.min(100, ...asked.map(({ percent }) => percent ?? 100)),
    datapathLost: own.reduce((sum, one) => sum + one.datapath_lost, 0),
    copies: around.copies.get(host) ?? 0,
    unsureBytes: around.unsureBytes.get(host) ?? 0,
    lagMs: counted.lagMs,
    ageMs: nowMs - truth.b,
  }
  return {
    span_from: truth.a,
    span_to: truth.b,
    ...truth.names,
    direction,
    counted_bytes: Math.round(counted.bytes),
    true_bytes: there.bytes,
    counted_packets: Math.round(counted.packets),
    true_packets: there.packets,
    ratio: there.bytes === 0 ? 0 : Math.round((counted.bytes / there.bytes) * 1e6) / 1e6,
    expected_error: Math.round(samplingError + counted.edgeBytes),
    sampling_error: Math.round(samplingError),
    ...judge(evidence),
  }
}

function samplingErrorOf({ variance, samples }: Counted, there: Amount, rate: number): number {
  if (rate <= 1) return 0
  const unseen = samples < FEW_SAMPLES ? UNSEEN * rate * (there.bytes / Math.max(1, there.packets)) : 0
  return WIDTH_95 * Math.sqrt(variance) + unseen
}

/** Of two sources for one interface the one that covers more of the span; sFlow where they are alike, since its time is better known. */
function bestSources(truths: readonly Truth[], { fromMs, toMs }: Span): Truth[] {
  const covered = ({ a, b }: Truth) => Math.min(b, toMs) - Math.max(a, fromMs)
  const best = new Map<string, Truth>()
  for (const truth of truths) {
    const { port_id, host, interface: name } = truth.names
    const key = `${port_id} ${host} ${name}`
    const other = best.get(key)
    if (other === undefined || covered(truth) > covered(other) * 1.1) best.set(key, truth)
    else if (truth.names.source === 'sflow' && covered(truth) * 1.1 >= covered(other)) best.set(key, truth)
  }
  return [...best.values()]
}

const RANK: Readonly<Record<Finding['verdict'], number>> = {
  short: 0,
  over: 0,
  unknown: 1,
  within_sampling_error: 2,
  agrees: 3,
}

/** What disagrees first, by how many bytes. */
function worstFirst(one: Audited, other: Audited): number {
  const off = ({ counted_bytes, true_bytes }: Audited) => Math.abs(counted_bytes - true_bytes)
  return (
    RANK[one.verdict] - RANK[other.verdict] ||
    off(other) - off(one) ||
    one.port_id.localeCompare(other.port_id) ||
    other.direction.localeCompare(one.direction)
  )
}
