/**
 * Whether a flow total and a counter agree, and if not, why: a rule over what is known of the port, its bridge and its exporters. Causes
 * are looked at in the order of what would explain most.
 */
import type { EnumValue } from '../schema/enums.ts'

export type Verdict = EnumValue<'audit_verdict'>
export type Cause = EnumValue<'audit_cause'>

/** What is known of one port, direction and span. */
export interface Evidence {
  direction: 'sent' | 'received'
  host: string
  bridge: string
  countedBytes: number
  trueBytes: number
  countedPackets: number
  truePackets: number
  /** Half-width at 95 % of what is sampled, bytes. */
  samplingError: number
  /** By how much the ends of the span may be wrong, bytes. */
  edgeError: number
  /** Times the counters began anew between the two readings. */
  resets: number
  /** Protocols of the records that count for the port; where none do, of its bridge. */
  protocols: readonly string[]
  /** Records that came from the port's own bridge in the span. */
  bridgeRecords: number
  /** Bridges with audited ports from which nothing came, `c1 br-int`. */
  silent: readonly string[]
  /** Percent that arrived of what the exporters that count for the port sent, 100 when nothing is missing. */
  completeness: number
  /** What the exporters' datapaths lost. */
  datapathLost: number
  /** Mirrored copies that came from the port's host. */
  copies: number
  /** Bytes of records of the host that fit several ports. */
  unsureBytes: number
  /** From the first packet of a record to its arrival, at most; and how long ago the span ended. */
  lagMs: number
  ageMs: number
}

export interface Finding {
  verdict: Verdict
  cause: Cause
  /** What speaks for it, a sentence; empty when they agree. */
  note: string
}

/** Rounding and frames in flight at the moment of a reading. */
const ALWAYS = 0.001
/** What NetFlow v5 and senders' records may lack of a port and still agree: frames as small as ARP and neighbour discovery, few of them. */
const SMALL_FRAME = 110
const SMALL_SHARE = 0.01
const SMALL_FRAMES = 60
/** An idle server's: so few are no proof that its bridge reports nothing. */
const IDLE_FRAMES = 20
/** From this share of the traffic on, what is unsure at the ends of the span says more than the rest. */
const MOSTLY = 0.25
/** A header of a native tunnel, bytes. */
const LARGEST_HEADER = 80
/** Packets are the same when they differ by no more. */
const SAME_PACKETS = 0.005

/** Judges one comparison. */
export function judge(evidence: Evidence): Finding {
  const { countedBytes, trueBytes, edgeError, samplingError } = evidence
  const difference = Math.abs(countedBytes - trueBytes)
  const exact = edgeError + ALWAYS * trueBytes
  if (difference <= exact && !isSilent(evidence)) return agreement(evidence)
  if (difference <= exact + samplingError && samplingError > 0)
    return { verdict: 'within_sampling_error', cause: 'none', note: '' }
  const small = smallFrames(evidence)
  if (small !== undefined) return small
  const short = countedBytes < trueBytes
  const rule = (short ? SHORT : OVER).find(({ when }) => when(evidence))!
  return { verdict: short ? 'short' : 'over', cause: rule.cause, note: rule.note(evidence) }
}

/** Agreement means nothing where most of the traffic flowed while the readings were taken. */
function agreement({ edgeError, trueBytes, countedBytes }: Evidence): Finding {
  const more = Math.max(trueBytes, countedBytes)
  if (edgeError <= MOSTLY * more || Math.abs(countedBytes - trueBytes) <= ALWAYS * trueBytes)
    return { verdict: 'agrees', cause: 'none', note: '' }
  const note = `${Math.round(edgeError)} of ${Math.round(more)} bytes flowed around the two readings`
  return { verdict: 'unknown', cause: 'counter_span', note }
}

/** Nothing at all comes from where the port's sending would be reported, and there was something to report. */
function isSilent({ direction, bridgeRecords, countedPackets, truePackets }: Evidence): boolean {
  return direction === 'sent' && bridgeRecords === 0 && countedPackets === 0 && truePackets > 0
}

/** Only frames are missing that the records cannot hold: the rest agrees. */
function smallFrames(evidence: Evidence): Finding | undefined {
  const { countedBytes, trueBytes, countedPackets, truePackets, edgeError, direction, protocols } = evidence
  const frames = truePackets - countedPackets
  const bytes = trueBytes - countedBytes
  if (frames <= 0 || bytes <= 0 || bytes > SMALL_FRAME * frames + edgeError) return undefined
  if (bytes > SMALL_SHARE * trueBytes && frames > SMALL_FRAMES) return undefined
  const note = `${Math.round(frames)} frames of ${Math.round(bytes / frames)} bytes`
  if (isSilent(evidence))
    return frames > IDLE_FRAMES
      ? undefined
      : { verdict: 'unknown', cause: 'no_exporter', note: `${note} were sent, and nothing came from its bridge` }
  if (protocols.includes('netflow5'))
    return { verdict: 'agrees', cause: 'not_ipv4', note: `all but ${note}, which are not IPv4` }
  if (direction === 'received' && !protocols.includes('ipfix'))
    return { verdict: 'agrees', cause: 'broadcast', note: `all but ${note}, which others broadcast` }
  return undefined
}

interface Rule {
  cause: Cause
  when: (evidence: Evidence) => boolean
  note: (evidence: Evidence) => string
}

const share = ({ countedBytes, trueBytes }: Evidence) => (trueBytes - countedBytes) / Math.max(1, trueBytes)
const percent = (value: number) => `${(value * 100).toFixed(1)} %`
const packetShare = ({ countedPackets, truePackets }: Evidence) =>
  (truePackets - countedPackets) / Math.max(1, truePackets)

/** Records are missing. */
const SHORT: readonly Rule[] = [
  {
    cause: 'no_exporter',
    when: (e) => e.bridgeRecords === 0 && (e.direction === 'sent' || e.countedPackets === 0),
    note: (e) => `no records came from ${e.bridge === '' ? 'its bridge' : e.bridge} of ${e.host}`,
  },
  {
    cause: 'counter_span',
    when: (e) => e.resets > 0,
    note: (e) => `the counters began anew ${e.resets} times in the span`,
  },
  {
    // A loss hits no port as it hits all: three times the loss and two percent are believed.
    cause: 'losses',
    when: (e) => e.completeness < 100 && share(e) <= 3 * (1 - e.completeness / 100) + 0.02,
    note: (e) => `${percent(share(e))} is missing; of what its exporters sent ${e.completeness.toFixed(1)} % arrived`,
  },
  {
    cause: 'no_exporter',
    when: (e) => e.direction === 'received' && e.silent.length > 0 && !e.protocols.includes('ipfix'),
    note: (e) => `no records came from ${e.silent.slice(0, 3).join(', ')}, whose servers may have sent it`,
  },
  {
    cause: 'caches',
    when: (e) => e.ageMs < e.lagMs + 10_000,
    note: (e) =>
      `the span ended ${Math.round(e.ageMs / 1000)} s ago, and records came up to ${Math.round(e.lagMs / 1000)} s after their first packet`,
  },
  {
    cause: 'ambiguous',
    when: (e) => e.unsureBytes >= (e.trueBytes - e.countedBytes) / 2,
    note: (e) => `records of ${e.host} that fit several ports hold ${Math.round(e.unsureBytes)} bytes`,
  },
  {
    cause: 'offload',
    when: (e) => packetShare(e) > 0.2 && share(e) < 0.05,
    note: (e) => `${percent(packetShare(e))} of the packets are missing, but ${percent(share(e))} of the bytes`,
  },
  {
    cause: 'not_ipv4',
    when: (e) => e.protocols.includes('netflow5'),
    note: (e) => `${percent(share(e))} is missing, and NetFlow v5 holds no IPv6`,
  },
  {
    cause: 'datapath_losses',
    when: (e) => e.datapathLost > 0,
    note: (e) => `the datapath lost ${e.datapathLost} packets before they were reported`,
  },
  {
    cause: 'broadcast',
    when: (e) => e.direction === 'received' && !e.protocols.includes('ipfix'),
    note: (e) => `${percent(share(e))} is missing, and only IPFIX tells what a port received of a broadcast`,
  },
  { cause: 'unexplained', when: () => true, note: (e) => `${percent(share(e))} is missing` },
]

/** Records hold too much. */
const OVER: readonly Rule[] = [
  {
    cause: 'counter_span',
    when: (e) => e.resets > 0,
    note: (e) => `the counters began anew ${e.resets} times in the span`,
  },
  {
    cause: 'tunnel_overhead',
    when: (e) => Math.abs(packetShare(e)) <= SAME_PACKETS && excess(e) <= LARGEST_HEADER,
    note: (e) => `the packets are the same, each is ${excess(e).toFixed(1)} bytes too long`,
  },
  {
    cause: 'mirror',
    when: (e) => e.copies > 0 && packetShare(e) < -SAME_PACKETS,
    note: (e) => `${e.copies} records of mirrored copies came from ${e.host}`,
  },
  {
    // Segments are counted one by one, their headers with them, where the interface counted what was to be cut.
    cause: 'offload',
    when: (e) => packetShare(e) < -0.2 && -share(e) < 0.1,
    note: (e) => `${percent(-packetShare(e))} more packets, but ${percent(-share(e))} more bytes`,
  },
  { cause: 'unexplained', when: () => true, note: (e) => `${percent(-share(e))} too much` },
]

function excess({ countedBytes, trueBytes, countedPackets }: Evidence): number {
  return (countedBytes - trueBytes) / Math.max(1, countedPackets)
}
